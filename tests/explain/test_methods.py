"""What `explain` gives and refuses: numbers known by hand, defaults, flaws, sentences."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nnwidgets.explain import methods_surrogate
from nnwidgets.explain.methods import cost, explain, method_named
from nnwidgets.explain.methods_features import feature_count, feature_masks, own_count, windows
from nnwidgets.explain.question import Question
from tests.explain.nets import Bag, Pair, Toy, cnn, mlp, signal_net, text_ids

PLAIN = [
    *("saliency", "input_x_gradient", "integrated_gradients", "smooth_grad", "gradient_shap"),
    *("deep_lift", "guided_backprop", "lrp"),
    *("occlusion", "feature_ablation", "lime", "kernel_shap"),
]


def asked_toy(a: float, b: float) -> Any:
    return Question(Toy().eval(), torch.tensor([[a, b]]), output="regression").ask(0)


def asked_image(net: nn.Module | None = None, side: int = 12) -> Any:
    data = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(3))
    return Question(net or cnn(), data).ask(1, 2)


# --- numbers that can be worked out by hand -------------------------------------------------------


def test_the_toy_of_the_integrated_gradients_paper() -> None:
    """f(3, 1) = 1: the paper gives (1.5, −0.5), the gradient is (1, −1), DeepLift (1.5, −0.5)."""
    asked = asked_toy(3.0, 1.0)
    found = explain(asked, "integrated_gradients", options={"n_steps": 2000})
    np.testing.assert_allclose(found.values, [1.5, -0.5], atol=2e-3)
    np.testing.assert_array_equal(
        explain(asked, "saliency", options={"abs": False}).values, [1.0, -1.0]
    )
    np.testing.assert_array_equal(explain(asked, "saliency").values, [1.0, 1.0])
    np.testing.assert_array_equal(explain(asked, "input_x_gradient").values, [3.0, -1.0])
    lift = explain(asked, "deep_lift")
    assert np.sum(lift.values) == pytest.approx(1.0)


def test_switching_off_and_shapley_by_hand() -> None:
    """f(a, b) = relu(relu(a) − 1 − relu(b)) at (4, 1): the coalitions are worth 0, 3, 0 and 2."""
    asked = asked_toy(4.0, 1.0)
    # Without a the score is 0, without b it is 3.
    np.testing.assert_allclose(explain(asked, "feature_ablation").values, [2.0, -1.0])
    np.testing.assert_allclose(explain(asked, "occlusion").values, [2.0, -1.0])
    # Shapley: a gains 3 alone and 2 with b; b gains 0 alone and −1 with a.
    shap = explain(asked, "kernel_shap", options={"n_samples": 400})
    # How often each stands alone is drawn, so the split is exact to the luck of 400 draws.
    np.testing.assert_allclose(shap.values, [2.5, -0.5], atol=0.05)
    assert shap.convergence_delta == pytest.approx(0.0, abs=1e-3)


def test_a_linear_model_is_explained_exactly_by_all_who_promise_it() -> None:
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, -3.0, 0.5]]))
        layer.bias.fill_(7.0)
    x = torch.tensor([[1.0, 2.0, -4.0]])
    asked = Question(layer, x, output="regression").ask(0)
    exact = [2.0 * (1 - 1), -3.0 * (2 - 1), 0.5 * (-4 - 1)]
    names = [name for name in PLAIN if method_named(name).promises_completeness]
    assert "integrated_gradients" in names
    for name in [*names, "feature_ablation", "occlusion"]:
        found = explain(asked, name, baseline=1.0)
        np.testing.assert_allclose(found.values, exact, atol=1e-4, err_msg=name)
        if found.convergence_delta is not None:
            assert found.convergence_delta == pytest.approx(0.0, abs=1e-4)
    ridge = explain(
        asked, "lime", options={"interpretable_model": methods_surrogate.LeastSquares()}
    )
    np.testing.assert_allclose(ridge.values, [2.0, -6.0, -2.0], atol=1e-4)
    assert ridge.details["r2"] == pytest.approx(1.0)


@pytest.mark.parametrize("method", ["integrated_gradients", "deep_lift", "kernel_shap"])
def test_values_add_up_to_the_score_less_the_baselines(method: str) -> None:
    net = mlp()
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    question = Question(net, x)
    for index in range(4):
        asked = question.ask(index)
        found = explain(asked, method, baseline="mean", question=question)
        with torch.no_grad():
            gap = net(x[index : index + 1]) - net(x.mean(0, keepdim=True))
        score = float(gap[0, asked.target])
        assert float(np.sum(found.values)) == pytest.approx(score, abs=5e-3)
        delta = float(np.sum(found.values)) - score
        assert found.convergence_delta == pytest.approx(delta, abs=1e-5)


def test_relevance_by_hand_through_layers_that_captum_has_no_rule_for() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Identity(), nn.Linear(6, 1)).eval()
    x = torch.randn(1, 4)
    first, last = net[0], net[3]
    with torch.no_grad():
        before = first(x)[0]
        after = nn.functional.gelu(before)
        shares = after * last.weight[0]  # ε-rule: what each unit adds to the score
        expected = (x[0] * first.weight / before.unsqueeze(1) * shares.unsqueeze(1)).sum(0)
    found = explain(Question(net, x, output="regression").ask(0), "lrp")
    np.testing.assert_allclose(found.values, expected.numpy(), rtol=1e-4, atol=1e-6)


# --- what comes with the numbers ------------------------------------------------------------------


def test_an_explanation_says_what_it_is_of() -> None:
    asked = asked_image()
    found = explain(asked, "integrated_gradients", baseline=0.5, options={"n_steps": 8})
    assert found.method == "integrated_gradients"
    assert found.index == 1
    assert found.target == 2
    assert found.layer is None
    assert found.baseline == "0.5 everywhere"
    assert found.inputs_shape == ((3, 12, 12),)
    assert found.seconds > 0
    # Eight steps forward and backward, and the two scores that the sum is compared to; one row is
    # measured first where the model is new.
    assert found.evaluations in (18, 20, 22)
    assert found.warnings == ()
    mapped = explain(asked, "grad_cam")
    assert mapped.layer == "4"
    assert np.shape(mapped.values) == (12, 12)
    assert mapped.baseline is None


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("method", ["smooth_grad", "gradient_shap", "lime", "kernel_shap"])
def test_the_seed_decides_and_nothing_else(method: str) -> None:
    asked = asked_image()
    torch.manual_seed(1)
    first = explain(asked, method, options={"seed": 3}).values
    torch.manual_seed(2)
    np.random.seed(5)
    np.testing.assert_array_equal(first, explain(asked, method, options={"seed": 3}).values)
    assert np.any(first != explain(asked, method, options={"seed": 4}).values) or method == "lime"
    np.testing.assert_array_equal(
        explain(asked, method).values, explain(asked, method, options={"seed": 0}).values
    )


def test_batches_change_nothing_but_rounding() -> None:
    asked = asked_image()
    for method, options in {
        "integrated_gradients": {"internal_batch_size": 3},
        "smooth_grad": {"nt_samples_batch_size": 2},
        "occlusion": {"perturbations_per_eval": 7},
        "feature_ablation": {"perturbations_per_eval": 7},
        "kernel_shap": {"perturbations_per_eval": 7},
    }.items():
        together = explain(asked, method)
        apart = explain(asked, method, options=options)
        scale = np.abs(together.values).max()
        np.testing.assert_allclose(apart.values, together.values, atol=2e-4 * scale, rtol=1e-3)


def test_cost_tells_quick_methods_from_slow_ones() -> None:
    asked = asked_image()
    assert cost(asked, "saliency") == 3
    assert cost(asked, "integrated_gradients") == 150
    assert cost(asked, "integrated_gradients", {"n_steps": 10}) == 30
    assert cost(asked, "occlusion") == explain(asked, "occlusion").details["windows"] + 1
    assert cost(asked, "lime", {"n_samples": 40, "seeds": 2}) == 80
    assert cost(asked, "grad_cam") == 3


@pytest.mark.usefixtures("unhurried")
def test_lime_says_how_well_it_fits_and_how_much_is_luck() -> None:
    asked = asked_image(side=16)
    model = methods_surrogate.LeastSquares()
    options = {"seeds": 4, "n_samples": 30, "interpretable_model": model}
    found = explain(asked, "lime", options=options)
    details = found.details
    assert details["seeds"] == 4
    assert details["features"] == 64
    assert np.shape(details["spread"]) == np.shape(found.values)
    runs = [
        explain(asked, "lime", options={**options, "seeds": 1, "seed": seed}).values
        for seed in range(4)
    ]
    np.testing.assert_allclose(details["spread"], np.std(runs, axis=0), atol=1e-6)
    np.testing.assert_array_equal(found.values, runs[0])
    # Thirty samples for 64 weights fit perfectly and say nothing.
    assert details["r2"] == pytest.approx(1.0, abs=1e-4)


def test_without_scikit_learn_least_squares_take_its_place(monkeypatch: Any) -> None:
    asked = asked_toy(4.0, 1.0)
    options = {"n_samples": 400}
    usual = explain(asked, "kernel_shap", options=options)
    monkeypatch.setattr(methods_surrogate, "_has_sklearn", lambda: False)
    own = explain(asked, "kernel_shap", options=options)
    np.testing.assert_allclose(own.values, usual.values, atol=1e-4)
    assert any("scikit-learn is not installed" in words for words in own.warnings)
    assert not usual.warnings
    assert explain(asked, "lime").warnings


def test_a_penalty_that_swallows_everything_is_named() -> None:
    asked = asked_image()
    net = asked.root
    with torch.no_grad():
        net[-1].weight *= 1e-4
    found = explain(asked, "lime")
    assert not np.any(found.values)
    assert len(found.warnings) == 1
    assert "penalty" in found.warnings[0]


# --- defaults -------------------------------------------------------------------------------------


def test_pictures_are_cut_into_squares_over_all_channels() -> None:
    asked = asked_image(side=32)
    (mask,) = feature_masks(asked, segments=8)
    assert mask.shape == (1, 3, 32, 32)
    expected = (torch.arange(32)[:, None] // 4) * 8 + torch.arange(32)[None] // 4
    assert torch.equal(mask[0, 0], expected)
    assert torch.equal(mask[0, 0], mask[0, 2])
    shapes, strides, count = windows(asked, None, None)
    assert shapes == ((3, 4, 4),)
    assert strides == ((1, 2, 2),)
    assert count == 15 * 15


@given(height=st.integers(1, 40), width=st.integers(1, 40), segments=st.integers(1, 16))
def test_segments_cover_and_are_numbered_without_gaps(
    height: int, width: int, segments: int
) -> None:
    class Mean(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values.mean((1, 2, 3), keepdim=True).flatten(1)

    asked = Question(Mean(), torch.randn(1, 2, height, width), output="regression").ask(0)
    (mask,) = feature_masks(asked, segments=segments)
    names = torch.unique(mask)
    assert len(names) == own_count(asked, segments=segments)
    assert names.tolist() == list(range(len(names)))
    if asked.slots[0].kind == "image":
        assert len(names) <= segments**2
        window, strides, _ = windows(asked, None, None)
        covered = torch.zeros(height, width)
        rows = sorted({min(i, height - window[0][1]) for i in range(0, height, strides[0][1])})
        columns = sorted({min(i, width - window[0][2]) for i in range(0, width, strides[0][2])})
        for row in rows:
            for column in columns:
                covered[row : row + window[0][1], column : column + window[0][2]] += 1
        assert bool((covered > 0).all())


def test_columns_tokens_and_stretches_of_time_are_the_features_of_the_others() -> None:
    table = Question(mlp(), torch.randn(2, 5)).ask(0)
    assert feature_count(feature_masks(table, segments=8)) == 5
    text = Question(Bag().eval(), text_ids()).ask(0)
    assert feature_count(feature_masks(text, segments=8)) == 6
    signal = Question(signal_net(), torch.randn(2, 2, 40)).ask(0)
    (mask,) = feature_masks(signal, segments=8)
    assert torch.equal(mask[0, 0], torch.arange(40) // 5)
    assert torch.equal(mask[0, 0], mask[0, 1])
    assert windows(signal, None, None)[0] == ((2, 2),)
    pair = Question(Pair().eval(), (torch.randn(2, 3), torch.randn(2, 2)))
    left, right = feature_masks(pair.ask(0, 0), segments=8)
    assert left.tolist() == [[0, 1, 2]]
    assert right.tolist() == [[3, 4]]
    assert [own_count(one, segments=8) for one in (table, text, signal)] == [5, 6, 8]
    assert own_count(pair.ask(0, 0), segments=8) == 5


def test_tokens_may_be_grouped_by_one_number_each() -> None:
    asked = Question(Bag().eval(), text_ids()).ask(1, 2)
    found = explain(asked, "feature_ablation", options={"feature_mask": [0, 0, 1, 1, 1, 2]})
    assert found.details["features"] == 3
    assert len(set(np.round(found.values, 6))) == 3
    assert found.values[0] == found.values[1]


def test_captum_is_imported_when_the_first_explanation_is_asked_for() -> None:
    code = (
        "import sys, nnwidgets, nnwidgets.explain.methods as m\n"
        "m.method_named('saliency')\n"
        "assert not [n for n in sys.modules if n.split('.')[0] in ('captum', 'sklearn')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
