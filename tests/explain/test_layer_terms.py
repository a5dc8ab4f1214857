"""Activation × weight: CAM where a linear layer stands at the end, and what is said elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.cam_by_hand import numpy_grad_cam, plainly_hooked, resized, seeded
from tests.explain.clock import Clock


def asked_of(model: nn.Module, inputs: Tensor, target: Any, layer: str, **more: Any) -> Explanation:
    asked = Question(model.eval(), inputs, **more).ask(0, target)
    return explain(asked, "activation_x_weight", layer=layer)


def pooled(head: int = 3, pool: Callable[[], nn.Module] = lambda: nn.AdaptiveAvgPool2d(1)) -> Any:
    def make() -> nn.Module:
        convolutions = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3))
        return nn.Sequential(convolutions, pool(), nn.Flatten(), nn.Linear(4, head))

    return seeded(0, make), seeded(1, lambda: torch.randn(1, 2, 12, 12))


def test_after_a_mean_over_the_places_it_is_cam() -> None:
    """Zhou et al. 2016: M_c(x, y) = Σ_k w_ck f_k(x, y); its mean is the logit less its bias."""
    model, inputs = pooled()
    found = asked_of(model, inputs, 1, "0")
    with torch.no_grad():
        maps, weights = model[0](inputs)[0].numpy(), model[3].weight[1].numpy()
        logit, bias = model(inputs)[0, 1].item(), model[3].bias[1].item()
    expected = np.einsum("k,kij->ij", weights, maps)
    np.testing.assert_allclose(found.details["layer_map"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.values, resized(expected, (12, 12)), rtol=1e-4, atol=1e-5)
    assert found.details["rule"] == "linear_mean"
    assert found.details["bias"] == pytest.approx(bias)
    assert found.details["layer_map"].mean() == pytest.approx(logit - bias, rel=1e-4)
    assert found.warnings == ()


def test_cam_is_grad_cam_times_the_number_of_places() -> None:
    """Selvaraju et al. 2017, section 3.1."""
    model, inputs = pooled()
    hooked = plainly_hooked(model, model[0], lambda: model(inputs)[:, 2])
    places = hooked[0][0].size
    found = asked_of(model, inputs, 2, "0").details["layer_map"]
    np.testing.assert_allclose(found, places * numpy_grad_cam(*hooked), rtol=1e-3, atol=1e-6)


def test_after_a_flatten_each_place_has_weights_of_its_own() -> None:
    model, inputs = pooled(pool=nn.Identity)
    model[3] = seeded(2, lambda: nn.Linear(4 * 64, 3))
    found = asked_of(model, inputs, 0, "0")
    with torch.no_grad():
        expected = (model[0](inputs)[0] * model[3].weight[0].reshape(4, 8, 8)).sum(0)
        rest = model(inputs)[0, 0].item() - model[3].bias[0].item()
    np.testing.assert_allclose(found.details["layer_map"], expected, atol=1e-5)
    assert found.details["rule"] == "linear_flatten"
    assert found.details["layer_map"].sum() == pytest.approx(rest, rel=1e-4)


def test_a_sum_over_the_places() -> None:
    class Sum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum((2, 3))

    model, inputs = pooled(pool=Sum)
    found = asked_of(model, inputs, 2, "0")
    rest = model(inputs)[0, 2].item() - model[3].bias[2].item()
    assert found.details["rule"] == "linear_sum"
    assert found.details["layer_map"].sum() == pytest.approx(rest, rel=1e-4)


@pytest.mark.parametrize("target", [0, 1])
def test_one_logit_speaks_for_both_classes(target: int) -> None:
    model, inputs = pooled(head=1)
    found = asked_of(model, inputs, target, "0", binary=True)
    sign = 1 if target == 1 else -1
    rest = sign * (model(inputs).item() - model[3].bias.item())
    assert found.details["rule"] == "linear_mean"
    assert found.details["layer_map"].mean() == pytest.approx(rest, rel=1e-4)


def test_everywhere_else_the_weight_is_the_gradient_and_that_is_said() -> None:
    model, inputs = pooled()
    model = nn.Sequential(model, nn.Tanh(), seeded(3, lambda: nn.Linear(3, 2)))
    hooked = plainly_hooked(model, model[0][0], lambda: model(inputs)[:, 1])
    found = asked_of(model, inputs, 1, "0.0")
    expected = (hooked[0] * hooked[1]).sum(0)
    np.testing.assert_allclose(found.details["layer_map"], expected, rtol=1e-3, atol=1e-6)
    assert found.details["rule"] == "gradient"
    assert "bias" not in found.details
    assert any("0.0" in warning and "gradient" in warning for warning in found.warnings)


@pytest.mark.parametrize("layer", ["0.0", "0.1"])
def test_a_layer_further_down_is_not_taken_for_the_last(layer: str) -> None:
    model, inputs = pooled()
    assert asked_of(model, inputs, 1, layer).details["rule"] == "gradient"


def test_probabilities_are_not_the_linear_layers_output() -> None:
    model, inputs = pooled()
    model.append(nn.Softmax(1))
    assert asked_of(model, inputs, 1, "0").details["rule"] == "gradient"


def test_a_largest_place_is_no_mean() -> None:
    model, inputs = pooled(pool=lambda: nn.AdaptiveMaxPool2d(1))
    found = asked_of(model, inputs, 1, "0")
    assert found.details["rule"] == "gradient"
    # The gradient goes to the largest places alone, so the terms still make up the logit.
    rest = model(inputs)[0, 1].item() - model[3].bias[1].item()
    assert found.details["layer_map"].sum() == pytest.approx(rest, rel=1e-4)


def test_halves_are_recognised_and_summed_wide() -> None:
    model, inputs = pooled()
    exact = asked_of(model, inputs, 1, "0").details["layer_map"]
    found = asked_of(model.bfloat16(), inputs.bfloat16(), 1, "0")
    assert found.details["rule"] == "linear_mean"
    assert found.details["layer_map"].dtype == np.float32
    np.testing.assert_allclose(found.details["layer_map"], exact, atol=0.05 * abs(exact).max())


METHODS = ("grad_cam", "grad_cam_plus_plus", "layer_cam", "activation_x_weight")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("asks", range(1, 6))
def test_cancelled_at_any_moment_nothing_is_left_behind(
    method: str, asks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    model, inputs = pooled()
    asked = Question(model.eval(), inputs).ask(0, 1)
    count = 0

    def cancelled() -> bool:
        nonlocal count
        count += 1
        clock.now += 0.011  # so that the next one is asked again, and not spared
        return count >= asks

    with contextlib.suppress(Cancelled):  # it may be over before so many questions
        explain(asked, method, layer="0", cancelled=cancelled)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    with pytest.raises(Cancelled):
        explain(asked, method, layer="0", cancelled=lambda: True)


def test_hooks_are_taken_off_when_the_model_fails() -> None:
    model, inputs = pooled()
    asked = Question(model.eval(), inputs).ask(0, 1)

    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no")

    model[3] = Broken()
    with pytest.raises(ValueError, match="no"):
        explain(asked, "activation_x_weight", layer="0")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
