"""Reasons are true: what is refused would fail or mislead, and what applies runs in captum."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnwidgets.catalogue import text
from nnwidgets.explain.applicability import Applicability, applicable
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.explain.registry import METHODS
from tests.explain import models
from tests.explain.models import ids, noise, seeded

CAM = {"grad_cam", "grad_cam_plus_plus", "layer_cam"}
PLAIN = {"saliency", "input_x_gradient", "integrated_gradients", "smooth_grad", "gradient_shap"}
ALWAYS = {"feature_ablation", "lime", "kernel_shap"}


def of(make: Any, sample: Any, target: Any = 0) -> Applicability:
    root = seeded(make)
    wanted = [parameter.requires_grad for parameter in root.parameters()]
    state = {key: value.clone() for key, value in root.state_dict().items()}
    found = applicable(Question(root, sample), 0, target)
    assert [parameter.requires_grad for parameter in root.parameters()] == wanted
    assert all(torch.equal(state[key], value) for key, value in root.state_dict().items())
    assert all(
        not table
        for module in root.modules()
        for table in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
    )
    return found


CASES: dict[str, tuple[Any, Any, set[str], str]] = {
    # model, sample, methods beyond ALWAYS and feature_permutation, default
    "mlp": (
        models.MLP,
        noise(3, 6),
        PLAIN | {"deep_lift", "guided_backprop", "lrp"},
        "integrated_gradients",
    ),
    "cnn": (
        models.SmallCNN,
        noise(3, 3, 12, 12),
        PLAIN
        | CAM
        | {"deep_lift", "guided_backprop", "guided_grad_cam", "occlusion"}
        | {"activation_x_weight"},
        "grad_cam",
    ),
    "vgg": (
        models.Vgg,
        noise(3, 1, 8, 8),
        PLAIN
        | CAM
        | {"deep_lift", "guided_backprop", "guided_grad_cam", "occlusion", "lrp"}
        | {"activation_x_weight"},
        "grad_cam",
    ),
    "resnet": (
        models.ResNetish,
        noise(3, 3, 8, 8),
        PLAIN | CAM | {"occlusion", "activation_x_weight"},
        "grad_cam",
    ),
    "functional": (
        models.FunctionalReLU,
        noise(3, 1, 9, 9),
        PLAIN | CAM | {"occlusion", "activation_x_weight"},
        "grad_cam",
    ),
    "reused": (models.ReusedReLU, noise(3, 4), PLAIN, "integrated_gradients"),
    "lstm": (models.SequenceLSTM, noise(3, 7, 3), PLAIN | {"occlusion"}, "integrated_gradients"),
    "tokens": (
        models.TokenTransformer,
        {"input_ids": ids(3, 5)},
        PLAIN | CAM | {"occlusion", "attention_rollout", "activation_x_weight"},
        "integrated_gradients",
    ),
    "signal": (
        models.Conv1dNet,
        noise(3, 2, 9),
        PLAIN
        | CAM
        | {"deep_lift", "guided_backprop", "guided_grad_cam", "occlusion"}
        | {"activation_x_weight"},
        "integrated_gradients",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_applies(name: str) -> None:
    make, sample, methods, default = CASES[name]
    found = of(make, sample)
    assert set(found.methods) == methods | ALWAYS | {"feature_permutation"}
    assert found.default == default


@pytest.mark.parametrize("name", CASES)
def test_each_other_method_has_a_reason_in_both_languages(name: str) -> None:
    make, sample, _, _ = CASES[name]
    found = of(make, sample)
    assert list(found.methods) == [m for m in METHODS if m in found.methods]
    assert set(found.methods) | set(found.unavailable) == set(METHODS)
    assert not set(found.methods) & set(found.unavailable)
    for key, params in found.unavailable.values():
        for language in ("en", "zh"):
            assert "{" not in text(key, language, **params)


@pytest.mark.parametrize("name", CASES)
def test_what_applies_gives_an_answer(name: str) -> None:
    make, sample, methods, _ = CASES[name]
    question = Question(seeded(make), sample)
    asked = question.ask(0, 0)
    for method in sorted(methods | ALWAYS | {"feature_permutation"}):
        explanation = explain(asked, method, question=question)
        assert explanation.flaws != "not_finite"
        if method not in CAM | {"activation_x_weight", "attention_rollout"}:
            assert [array.shape for array in explanation.arrays] == [s.shape for s in asked.slots]


def said(found: Applicability, method: str) -> str:
    key, params = found.unavailable[method]
    return text(key, **params)


def test_the_reasons_name_what_is_in_the_way() -> None:
    functional = of(models.FunctionalReLU, noise(3, 1, 9, 9))
    for method in ("deep_lift", "guided_backprop", "guided_grad_cam"):
        assert "relu" in said(functional, method)
        assert "module" in said(functional, method)
    reused = of(models.ReusedReLU, noise(3, 4))
    for method in ("deep_lift", "guided_backprop"):
        assert "several times" in said(reused, method)
        assert "(relu)" in said(reused, method)
    assert "LSTM" in said(of(models.SequenceLSTM, noise(3, 7, 3)), "deep_lift")
    assert "LayerNorm" in said(of(models.TokenTransformer, {"input_ids": ids(3, 5)}), "deep_lift")
    assert "no places" in said(of(models.MLP, noise(3, 6)), "grad_cam")
    assert "only one" in said(of(models.MLP, noise(1, 6)), "feature_permutation")
    flat = lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 2))  # noqa: E731
    assert "nn.ReLU" in said(of(flat, noise(3, 1, 4, 4)), "guided_backprop")
    assert "lrp" in of(flat, noise(3, 1, 4, 4)).methods  # relevance goes through unchanged
    normed = lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))  # noqa: E731
    assert "1 (LayerNorm)" in said(of(normed, noise(3, 4)), "lrp")
    assert "convolution" in said(of(flat, noise(3, 1, 4, 4)), "grad_cam")
    assert "mean" in said(of(models.Conv1dNet, noise(3, 2, 9)), "lrp")
    assert "mean" in said(of(models.SmallCNN, noise(3, 3, 8, 8)), "lrp")


def test_small_last_maps_are_not_the_default() -> None:
    found = of(models.SmallCNN, noise(3, 3, 4, 4))
    assert "grad_cam" in found.methods
    assert found.default == "integrated_gradients"


def test_a_score_without_gradient_leaves_what_only_looks() -> None:
    class Rounded(models.SmallCNN):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.detach())

    class Stepped(models.SmallCNN):
        def forward(self, x: Tensor) -> Tensor:
            return (super().forward(x) > 0).float()

    for make in (Rounded, Stepped):
        found = of(make, noise(3, 3, 8, 8))
        assert set(found.methods) == ALWAYS | {"occlusion", "feature_permutation"}
        assert found.default == "occlusion"
        assert "no gradient" in said(found, "saliency")


def test_two_pictures_of_which_the_score_needs_one() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor, unused: Tensor) -> Tensor:
            return self.fc(x)

    found = of(Half, (noise(3, 4), noise(3, 5)))
    assert set(found.methods) >= PLAIN


@pytest.mark.parametrize(
    ("make", "sample"),
    [
        (models.MLP, noise(3, 6)),
        (models.SmallCNN, noise(3, 3, 8, 8)),
        (models.Vgg, noise(3, 1, 8, 8)),
        (models.Conv1dNet, noise(3, 2, 9)),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_deep_lift_adds_up_where_it_is_said_to_apply(make: Any, sample: Any) -> None:
    from captum.attr import DeepLift

    question = Question(seeded(make), sample)
    assert "deep_lift" in applicable(question, 1, 1).methods
    asked = question.ask(1, 1)
    _, delta = DeepLift(asked.model).attribute(
        asked.inputs,
        tuple(torch.zeros_like(i) for i in asked.inputs),
        return_convergence_delta=True,
    )
    assert delta.abs().max() < 1e-4


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_deep_lift_does_not_add_up_where_it_is_refused() -> None:
    """Plain functions are what the reason says: the values are wrong, and captum says nothing."""
    from captum.attr import DeepLift

    question = Question(seeded(models.FunctionalReLU), noise(3, 1, 9, 9))
    asked = question.ask(1, 1)
    _, delta = DeepLift(asked.model).attribute(
        asked.inputs,
        tuple(torch.zeros_like(i) for i in asked.inputs),
        return_convergence_delta=True,
    )
    assert delta.abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore::UserWarning:captum")
def test_relevance_is_kept_where_lrp_is_said_to_apply() -> None:
    from captum.attr import LRP

    class NoBias(models.Vgg):
        def __init__(self) -> None:
            super().__init__()
            for module in self:
                if isinstance(module, nn.Conv2d):
                    module.bias = None

    question = Question(seeded(NoBias), noise(3, 1, 8, 8))
    assert "lrp" in applicable(question, 1, 1).methods
    asked = question.ask(1, 1)
    values = LRP(asked.model).attribute(asked.inputs)
    score = asked.model(*asked.inputs).item()
    assert values[0].sum().item() == pytest.approx(score, rel=1e-3)


def test_a_function_of_somebodys_own_is_found_in_a_loop() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.fc:
                x = F.leaky_relu(layer(x)) * x
            return x

    found = of(Loop, noise(3, 4))
    assert "leaky_relu" in said(found, "deep_lift")
    assert "leaky_relu" in said(found, "lrp")
