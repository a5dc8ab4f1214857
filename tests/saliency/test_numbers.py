"""The numbers are those of captum, called plainly on the user's own model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import captum.attr as ca
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.probe.blocks import LEVELS
from tests.saliency.conftest import Make, decoded, part, summed

Plain = Callable[[nn.Module, Tensor, int], Tensor]


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 3),
    )  # fmt: skip


PLAIN: dict[str, tuple[Plain, dict[str, Any]]] = {
    "saliency": (lambda m, x, t: ca.Saliency(m).attribute(x, target=t), {}),
    "input_x_gradient": (lambda m, x, t: ca.InputXGradient(m).attribute(x, target=t), {}),
    "integrated_gradients": (
        lambda m, x, t: ca.IntegratedGradients(m).attribute(x, target=t, n_steps=20),
        {"n_steps": 20},
    ),
    "deep_lift": (lambda m, x, t: ca.DeepLift(m).attribute(x, target=t), {}),
    "guided_backprop": (lambda m, x, t: ca.GuidedBackprop(m).attribute(x, target=t), {}),
    "occlusion": (
        lambda m, x, t: ca.Occlusion(m).attribute(
            x, sliding_window_shapes=(3, 4, 4), strides=(3, 2, 2), target=t
        ),
        {"sliding_window_shapes": (3, 4, 4), "strides": (3, 2, 2)},
    ),
}


@pytest.mark.filterwarnings("ignore:Setting .*hooks")
@pytest.mark.parametrize("method", PLAIN)
def test_what_captum_says(make: Make, method: str) -> None:
    plain, options = PLAIN[method]
    model = net().eval()
    x = torch.randn(3, 3, 12, 12)
    expected = plain(model, x[1:2].clone().requires_grad_(), 2).detach()[0].numpy()
    model.train()
    viewer = make(model, x)
    found = viewer.explain(1, method=method, target=2, **options)
    np.testing.assert_allclose(found.arrays[0], expected, rtol=1e-4, atol=1e-6)
    assert (found.method, found.target, found.index) == (method, 2, 1)
    assert model.training


def test_captums_option_that_has_the_name_of_our_argument(make: Make) -> None:
    """`method` of integrated gradients is called `integration`."""
    model = net().eval()
    x = torch.randn(3, 3, 12, 12)
    viewer = make(model, x)
    rules = ("riemann_left", "riemann_trapezoid", "gausslegendre")
    found = {}
    for rule in rules:
        expected = ca.IntegratedGradients(model).attribute(x[:1], target=2, n_steps=4, method=rule)
        found[rule] = viewer.explain(
            0, method="integrated_gradients", target=2, n_steps=4, integration=rule
        ).arrays[0]
        np.testing.assert_allclose(found[rule], expected[0].detach(), rtol=1e-4, atol=1e-6)
    assert not np.allclose(found["riemann_left"], found["gausslegendre"], rtol=1e-3)
    with pytest.raises(ValueError, match="integration is one of gausslegendre, riemann_left"):
        viewer.explain(0, method="integrated_gradients", integration="simpson")
    asked = Question(model, x).ask(0, 2)
    with pytest.raises(ValueError, match="one of them, not both"):
        explain(
            asked,
            "integrated_gradients",
            options={"integration": rules[0], "method": rules[1]},
        )


def test_grad_cam(make: Make) -> None:
    """By hand: channels weighted by their mean gradient; signed, as captum has it."""
    model = net().eval()
    x = torch.randn(2, 3, 12, 12)
    activation = model[:4](x[:1]).detach().requires_grad_()
    model[4:](activation)[0, 1].backward()
    assert activation.grad is not None
    weights = activation.grad.mean((2, 3), keepdim=True)
    expected = (weights * activation.detach()).sum(1)[0].numpy()
    found = make(model, x).explain(0, method="grad_cam", target=1, layer="3")
    np.testing.assert_allclose(np.squeeze(found.arrays[0]), expected, rtol=1e-4, atol=1e-6)
    assert found.layer == "3"


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "grad_cam"])
@pytest.mark.parametrize("side", [24, 160])
def test_what_is_drawn_is_what_was_answered(make: Make, method: str, side: int) -> None:
    """A small map exactly, a large one within half a step of its 250 levels."""
    model = net()
    x = torch.randn(2, 3, side, side)
    viewer = make(model, x, method=method, targets=1)
    viewer._have_answers()
    meta, arrays = part(viewer, "_picture")
    values = np.asarray(viewer.explain().arrays[0], np.float64)
    expected = summed(values) if values.ndim == 3 else values
    coded = arrays["0.map"].dtype == np.uint8
    assert coded == (side == 160)
    step = (meta["high"] - meta["low"]) / LEVELS if coded else 0.0
    shown = decoded(arrays["0.map"], meta["low"], meta["high"])
    np.testing.assert_allclose(shown, expected, rtol=1e-5, atol=step / 2 + 1e-7)
    assert meta["panes"][0]["sum"] == pytest.approx(values.sum(), rel=1e-4, abs=1e-5)


def test_a_map_larger_than_the_screen_is_averaged(make: Make) -> None:
    model = net()
    x = torch.randn(1, 3, 300, 520)
    viewer = make(model, x, method="saliency", targets=0)
    meta, arrays = part(viewer, "_picture")
    plane = summed(viewer.explain().values)
    side = -(-520 // 256)
    rows, columns = (len(range(0, size, side)) for size in plane.shape)
    slow = np.zeros((rows, columns))
    for r in range(rows):
        for c in range(columns):
            square = plane[r * side : (r + 1) * side, c * side : (c + 1) * side]
            slow[r, c] = square.mean()
    shown = decoded(arrays["0.map"], meta["low"], meta["high"])
    step = (meta["high"] - meta["low"]) / LEVELS
    np.testing.assert_allclose(shown, slow, atol=step / 2 + 1e-7)
    assert arrays["0.input"].shape == (rows, columns, 3)


def test_the_bars_are_the_probabilities(make: Make) -> None:
    model = net().eval()
    x = torch.randn(2, 3, 12, 12)
    viewer = make(model, x, method="saliency")
    meta, arrays = part(viewer, "_picture")
    with torch.no_grad():
        expected = model(x[:1])[0].softmax(0).numpy()
        highest = float(model(x[:1])[0].max())
    np.testing.assert_allclose(arrays["0.probabilities"], expected, rtol=1e-5)
    assert meta["panes"][0]["target"] == expected.argmax()
    assert meta["panes"][0]["score"] == pytest.approx(highest, rel=1e-4)
