"""Every method of captum's gives what captum gives, called plainly on the same model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import captum.attr as ca
import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from torch import Tensor, nn

from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.nets import Bag, Pair, cnn, mlp, signal_net, text_ids

INDEX, TARGET, SEED = 1, 2, 7


def images() -> Tensor:
    return torch.randn(3, 3, 12, 10, generator=torch.Generator().manual_seed(0))


def rows() -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(0)) * 2


def signals() -> Tensor:
    return torch.randn(3, 2, 40, generator=torch.Generator().manual_seed(0))


DATA: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "image": (cnn, images),
    "table": (mlp, rows),
    "signal": (signal_net, signals),
}


def plainly(call: Callable[[], Any]) -> Any:
    """Call captum as a user would, without its warnings, from known global generators."""
    np.random.seed(SEED)
    torch.manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def assert_same(ours: Any, theirs: Tensor, tolerance: float = 1e-6) -> None:
    assert isinstance(ours, np.ndarray)
    expected = theirs.detach()[0].numpy()
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=tolerance * np.abs(expected).max())
    assert np.abs(expected).max() > 0


Oracle = Callable[[nn.Module, Tensor], Any]
SIMPLE: dict[str, tuple[dict[str, Any], Oracle]] = {
    "saliency": ({}, lambda m, x: ca.Saliency(m).attribute(x, target=TARGET)),
    "saliency signed": (
        {"abs": False},
        lambda m, x: ca.Saliency(m).attribute(x, target=TARGET, abs=False),
    ),
    "input_x_gradient": ({}, lambda m, x: ca.InputXGradient(m).attribute(x, target=TARGET)),
    "integrated_gradients": (
        {},
        lambda m, x: ca.IntegratedGradients(m).attribute(x, target=TARGET),
    ),
    "integrated_gradients in batches": (
        {"n_steps": 23, "method": "riemann_trapezoid", "internal_batch_size": 4},
        lambda m, x: ca.IntegratedGradients(m).attribute(
            x, target=TARGET, n_steps=23, method="riemann_trapezoid"
        ),
    ),
    "integrated_gradients of slopes": (
        {"multiply_by_inputs": False},
        lambda m, x: ca.IntegratedGradients(m, False).attribute(x, target=TARGET),
    ),
    "smooth_grad": (
        {"nt_samples": 6, "stdevs": 0.3, "seed": SEED},
        lambda m, x: ca.NoiseTunnel(ca.Saliency(m)).attribute(
            x, nt_samples=6, stdevs=0.3, target=TARGET
        ),
    ),
    "smooth_grad as variance": (
        {"nt_type": "vargrad", "nt_samples": 6, "stdevs": 0.3, "abs": False, "seed": SEED},
        lambda m, x: ca.NoiseTunnel(ca.Saliency(m)).attribute(
            x, nt_type="vargrad", nt_samples=6, stdevs=0.3, target=TARGET, abs=False
        ),
    ),
    "smooth_grad of squares": (
        {"nt_type": "smoothgrad_sq", "nt_samples": 6, "stdevs": 0.3, "seed": SEED},
        lambda m, x: ca.NoiseTunnel(ca.Saliency(m)).attribute(
            x, nt_type="smoothgrad_sq", nt_samples=6, stdevs=0.3, target=TARGET
        ),
    ),
    "gradient_shap": (
        {"n_samples": 8, "stdevs": 0.1, "seed": SEED},
        lambda m, x: ca.GradientShap(m).attribute(
            x, torch.zeros_like(x), n_samples=8, stdevs=0.1, target=TARGET
        ),
    ),
    "deep_lift": ({}, lambda m, x: ca.DeepLift(m).attribute(x, target=TARGET)),
    "guided_backprop": ({}, lambda m, x: ca.GuidedBackprop(m).attribute(x, target=TARGET)),
}


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("case", SIMPLE)
def test_gradient_methods_are_captums(kind: str, case: str) -> None:
    net, data = DATA[kind][0](), DATA[kind][1]()
    options, oracle = SIMPLE[case]
    theirs = plainly(lambda: oracle(net, data[INDEX : INDEX + 1]))
    question = Question(net, data)
    ours = explain(question.ask(INDEX, TARGET), case.split()[0], question=question, options=options)
    # A variance is the small difference of large squares.
    assert_same(ours.values, theirs, 1e-4 if "variance" in case else 1e-6)


@pytest.mark.parametrize("side", [8, 9, 10])
@pytest.mark.parametrize("drawn", [1, 500])
def test_noise_that_is_drawn_in_parts_is_that_of_one_go(
    side: int, drawn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a row is no multiple of the sixteen numbers that torch draws at a time."""
    monkeypatch.setattr("nnwidgets.explain.methods_gradient._DRAWN", drawn)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(2 * (side - 2) ** 2, 3)
    )
    data = torch.randn(2, 3, side, side)
    asked = Question(net.eval(), data).ask(1, TARGET)
    options = {"nt_samples": 7, "stdevs": 0.3, "seed": SEED}
    theirs = plainly(
        lambda: ca.NoiseTunnel(ca.Saliency(net)).attribute(
            data[1:], nt_samples=7, stdevs=0.3, target=TARGET
        )
    )
    assert_same(explain(asked, "smooth_grad", options=options).values, theirs)


def test_the_delta_is_captums() -> None:
    net, data = mlp(), rows()
    x = data[INDEX : INDEX + 1]
    question = Question(net, data)
    asked = question.ask(INDEX, TARGET)
    for name, method in (
        ("integrated_gradients", ca.IntegratedGradients(net)),
        ("deep_lift", ca.DeepLift(net)),
    ):
        delta = plainly(
            lambda m=method: m.attribute(
                x, baselines=torch.ones_like(x), target=TARGET, return_convergence_delta=True
            )[1]
        )
        ours = explain(asked, name, baseline=1.0)
        assert ours.convergence_delta == pytest.approx(float(delta.detach()), abs=1e-6)
    shap = plainly(
        lambda: ca.GradientShap(net).attribute(
            x,
            data,
            n_samples=9,
            stdevs=0.2,
            target=TARGET,
            return_convergence_delta=True,
        )
    )
    options = {"n_samples": 9, "stdevs": 0.2, "seed": SEED}
    ours = explain(asked, "gradient_shap", baseline=data, options=options)
    assert_same(ours.values, shap[0])
    assert ours.convergence_delta == pytest.approx(float(shap[1].mean()), abs=1e-6)


def test_lrp_is_captums_where_captum_has_rules() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3))
    net.eval()
    x = rows()
    theirs, delta = plainly(
        lambda: ca.LRP(net).attribute(
            x[INDEX : INDEX + 1], target=TARGET, return_convergence_delta=True
        )
    )
    ours = explain(Question(net, x).ask(INDEX, TARGET), "lrp")
    assert_same(ours.values, theirs)
    assert ours.convergence_delta == pytest.approx(float(delta.detach()), abs=1e-6)


def test_lrp_passes_layers_that_only_move_numbers_and_conserves() -> None:
    """The ε-rule on a ReLU network without biases is input × gradient (Ancona et al. 2018)."""
    net = cnn()
    for layer in net:
        if isinstance(getattr(layer, "bias", None), Tensor):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    question = Question(net, images())
    asked = question.ask(INDEX, TARGET)
    lrp, product = explain(asked, "lrp"), explain(asked, "input_x_gradient")
    np.testing.assert_allclose(lrp.values, product.values, atol=1e-6)
    score = float(net(images())[INDEX, TARGET].detach())
    assert np.sum(lrp.values) == pytest.approx(score, rel=1e-4)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("at_once", [1, 5, None])
def test_perturbation_methods_are_captums(at_once: int | None) -> None:
    net, data = cnn(), images()
    x = data[INDEX : INDEX + 1]
    question = Question(net, data)
    asked = question.ask(INDEX, TARGET)
    mask = (torch.arange(120) // 7).view(1, 1, 12, 10).expand(1, 3, 12, 10)
    batch = {} if at_once is None else {"perturbations_per_eval": at_once}
    window = {"sliding_window_shapes": (3, 4, 3), "strides": (3, 2, 2)}

    theirs = plainly(
        lambda: ca.Occlusion(net).attribute(x, target=TARGET, baselines=0.25, **window)
    )
    ours = explain(asked, "occlusion", baseline=0.25, options={**window, **batch})
    assert_same(ours.values, theirs, 1e-5)

    theirs = plainly(lambda: ca.FeatureAblation(net).attribute(x, target=TARGET, feature_mask=mask))
    given = {"feature_mask": mask[0].numpy(), **batch}
    assert_same(explain(asked, "feature_ablation", options=given).values, theirs, 1e-5)

    theirs = plainly(
        lambda: ca.FeaturePermutation(net).attribute(data, target=TARGET, feature_mask=mask)
    )
    ours = explain(
        question.ask(0, TARGET),
        "feature_permutation",
        question=question,
        options={**given, "seed": SEED},
    )
    assert_same(ours.values, theirs, 1e-5)


def test_surrogates_are_captums() -> None:
    net, data = cnn(), images() * 8  # so that the Lasso leaves something
    x = data[INDEX : INDEX + 1]
    asked = Question(net, data).ask(INDEX, TARGET)
    mask = (torch.arange(120) // 12).view(1, 1, 12, 10).expand(1, 3, 12, 10)
    shared: dict[str, Any] = {"n_samples": 60, "feature_mask": mask}
    for name, method in (("lime", ca.Lime), ("kernel_shap", ca.KernelShap)):
        theirs = plainly(
            lambda m=method: m(net).attribute(x, target=TARGET, baselines=0.5, **shared)
        )
        ours = explain(asked, name, baseline=0.5, options={**shared, "seed": SEED})
        assert_same(ours.values, theirs, 1e-3)
    model = SkLearnLinearRegression
    theirs = plainly(
        lambda: ca.Lime(net, model()).attribute(x, target=TARGET, baselines=0.5, **shared)
    )
    own = {**shared, "seed": SEED, "interpretable_model": model(), "perturbations_per_eval": 7}
    assert_same(explain(asked, "lime", baseline=0.5, options=own).values, theirs, 1e-3)


def test_class_activation_maps_are_captums() -> None:
    net, data = cnn(), images()
    x = data[INDEX : INDEX + 1]
    asked = Question(net, data).ask(INDEX, TARGET)
    for relu in (False, True):
        raw = plainly(
            lambda r=relu: ca.LayerGradCam(net, net[3]).attribute(
                x, target=TARGET, relu_attributions=r
            )
        )
        for mode in ("nearest", "bilinear"):
            theirs = ca.LayerAttribution.interpolate(raw, (12, 10), mode)
            options = {"interpolate_mode": mode, "relu_attributions": relu}
            ours = explain(asked, "grad_cam", layer="3", options=options)
            np.testing.assert_allclose(ours.values, theirs.detach()[0, 0].numpy(), atol=1e-6)
    assert np.ptp(ours.values) > 0
    theirs = plainly(lambda: ca.GuidedGradCam(net, net[0]).attribute(x, target=TARGET))
    assert_same(explain(asked, "guided_grad_cam", layer="0").values, theirs)


def test_tokens_are_captums_layer_method_summed_over_the_vector() -> None:
    net, ids = Bag().eval(), text_ids()
    question = Question(net, ids)
    asked = question.ask(INDEX, TARGET)
    mine = ids[INDEX : INDEX + 1]
    theirs = plainly(
        lambda: ca.LayerIntegratedGradients(net, net.embedding).attribute(
            mine, baselines=torch.zeros_like(mine), target=TARGET
        )
    )
    ours = explain(asked, "integrated_gradients")
    np.testing.assert_allclose(ours.values, theirs.detach().sum(-1)[0].numpy(), atol=1e-6)
    theirs = plainly(
        lambda: ca.LayerDeepLift(net, net.embedding).attribute(
            mine, baselines=torch.zeros_like(mine), target=TARGET
        )
    )
    ours = explain(asked, "deep_lift")
    np.testing.assert_allclose(ours.values, theirs.detach().sum(-1)[0].numpy(), atol=1e-6)


def test_a_token_switched_off_is_its_effect_and_not_one_for_each_feature_of_its_vector() -> None:
    net, ids = Bag().eval(), text_ids()
    asked = Question(net, ids).ask(INDEX, TARGET)
    net.requires_grad_(False)
    vectors = net.embedding(ids[INDEX : INDEX + 1])
    whole = net.from_vectors(vectors)[0, TARGET]
    effects = []
    for place in range(6):
        without = vectors.clone()
        without[0, place] = 0
        effects.append(float(whole - net.from_vectors(without)[0, TARGET]))
    for method in ("feature_ablation", "occlusion"):
        np.testing.assert_allclose(explain(asked, method).values, effects, atol=1e-6)
    theirs = plainly(
        lambda: ca.KernelShap(lambda v: net.from_vectors(v)[:, TARGET]).attribute(
            vectors, feature_mask=torch.arange(6).view(1, 6, 1), n_samples=200
        )
    )
    ours = explain(asked, "kernel_shap", options={"n_samples": 200, "seed": SEED})
    np.testing.assert_allclose(ours.values, theirs[0, :, 0].numpy(), atol=1e-5)


@pytest.mark.parametrize("named", [False, True])
def test_several_inputs_are_captums(named: bool) -> None:
    net = Pair().eval()
    left, right = torch.randn(4, 3), torch.randn(4, 2)
    sample: Any = {"left": left, "right": right} if named else (left, right)
    asked = Question(net, sample).ask(INDEX, 1)
    x = (left[INDEX : INDEX + 1], right[INDEX : INDEX + 1])
    cases: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
        "integrated_gradients": ({}, lambda: ca.IntegratedGradients(net).attribute(x, target=1)),
        "deep_lift": ({}, lambda: ca.DeepLift(net).attribute(x, target=1)),
        "smooth_grad": (
            {"stdevs": (0.5, 0.25), "nt_samples": 5, "seed": SEED},
            lambda: ca.NoiseTunnel(ca.Saliency(net)).attribute(
                x, stdevs=(0.5, 0.25), nt_samples=5, target=1
            ),
        ),
        "gradient_shap": (
            {"n_samples": 5, "seed": SEED},
            lambda: ca.GradientShap(net).attribute(
                x, tuple(torch.zeros_like(v) for v in x), n_samples=5, target=1
            ),
        ),
        "feature_ablation": ({}, lambda: ca.FeatureAblation(net).attribute(x, target=1)),
        "occlusion": (
            {"sliding_window_shapes": ((2,), (1,)), "strides": ((1,), (1,))},
            lambda: ca.Occlusion(net).attribute(
                x, sliding_window_shapes=((2,), (1,)), strides=((1,), (1,)), target=1
            ),
        ),
        "kernel_shap": (
            {"n_samples": 70, "seed": SEED},
            lambda: ca.KernelShap(net).attribute(x, n_samples=70, target=1),
        ),
    }
    for method, (options, oracle) in cases.items():
        theirs = plainly(oracle)
        ours = explain(asked, method, options=options)
        values = ours.values
        if named:
            assert isinstance(values, dict)
            assert list(values) == ["left", "right"]
            values = tuple(values.values())
        assert isinstance(values, tuple), method
        for mine, yours in zip(values, theirs, strict=True):
            np.testing.assert_allclose(mine, yours.detach()[0].numpy(), atol=1e-5, err_msg=method)
