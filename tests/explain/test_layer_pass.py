"""One pass that is cut open at a layer: what the layer gave, and its gradient."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.layer_pass import layer_pass
from nnwidgets.explain.question import Question
from nnwidgets.probe.refusal import Refusal
from tests.explain.cam_by_hand import Two, seeded


class InPlace(nn.Module):
    """What the layer gives is changed in place afterwards, by two others."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x += 1
        x = self.relu(x)
        return self.head(x.mean((2, 3)))


def test_what_is_changed_in_place_later_is_seen_as_it_was() -> None:
    model = seeded(0, lambda: InPlace().eval())
    inputs = seeded(1, lambda: torch.randn(1, 2, 6, 6))
    found = layer_pass(Question(model, inputs).ask(0, 1), "conv")
    with torch.no_grad():
        torch.testing.assert_close(found.activation, model.conv(inputs))
        passed = (model.conv(inputs) + 1 > 0).float()
        expected = passed * model.head.weight[1][None, :, None, None] / 16
    torch.testing.assert_close(found.gradient, expected)
    assert found.score == pytest.approx(model(inputs)[0, 1].item(), rel=1e-6)


def test_what_goes_into_a_layer_can_be_asked_for() -> None:
    model = seeded(0, lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten()).eval())
    inputs = seeded(1, lambda: torch.randn(1, 1, 4, 4))
    found = layer_pass(Question(model, inputs).ask(0, 5), "1", of_input=True)
    with torch.no_grad():
        given = model[0](inputs)
    torch.testing.assert_close(found.activation, given)
    expected = torch.zeros(8)
    expected[5] = 1 - given.flatten()[5].tanh() ** 2
    torch.testing.assert_close(found.gradient.flatten(), expected)


@pytest.mark.parametrize("form", ["tuple", "dict", "named"])
def test_the_first_tensor_of_what_a_layer_gives(form: str) -> None:
    Named = namedtuple("Named", ["n", "x"])

    class Layer(nn.Module):
        def forward(self, x: Tensor) -> Any:
            doubled = x * 2
            if form == "tuple":
                return (3, doubled, x)
            return {"n": 3, "x": doubled} if form == "dict" else Named(3, doubled)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Layer()

        def forward(self, x: Tensor) -> Tensor:
            given = self.layer(x)
            value = given[1] if form == "tuple" else given["x"] if form == "dict" else given.x
            return value**2

    found = layer_pass(Question(Model().eval(), torch.tensor([[1.0, 2.0]])).ask(0, 1), "layer")
    np.testing.assert_allclose(found.activation, [[2, 4]])
    np.testing.assert_allclose(found.gradient, [[0, 8]])


def test_which_inputs_a_layer_looks_at() -> None:
    model = Two().eval()
    asked = Question(model, (torch.randn(1, 1, 5, 5), torch.randn(1, 3))).ask(0)
    assert layer_pass(asked, "conv").reached == (True, False)
    assert layer_pass(asked, "line").reached == (False, True)


class Again(nn.Module):
    """One convolution over two pictures in turn, or over its own output."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.own = own
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        first = self.conv(one)
        second = self.conv(first if self.own else other)
        return torch.stack([first.sum((1, 2, 3)), (2 * second + other).sum((1, 2, 3))], 1)


@pytest.mark.parametrize(("own", "reached"), [(True, (True, False)), (False, (False, True))])
def test_of_a_layer_that_is_called_again_the_last_call_counts(
    own: bool, reached: tuple[bool, bool]
) -> None:
    """… with the inputs that this call looks at, through the calls before."""
    model = Again(own).eval()
    one, other = torch.randn(2, 1, 1, 4, 4)
    found = layer_pass(Question(model, (one, other)).ask(0, 1), "conv")
    with torch.no_grad():
        expected = model.conv(model.conv(one) if own else other)
    torch.testing.assert_close(found.activation, expected)
    torch.testing.assert_close(found.gradient, torch.full_like(expected, 2))
    assert found.reached == reached


def test_features_that_are_used_inside_the_layer_that_gives_them() -> None:
    """A backbone hands out its maps beside their mean, and only the mean is used outside."""

    class Backbone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            maps = self.conv(x)
            return {"maps": maps, "mean": maps.mean((2, 3))}

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = Backbone()

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x)["mean"]

    model = seeded(0, lambda: Model().eval())
    asked = Question(model, torch.randn(1, 2, 6, 6)).ask(0, 1)
    outer, inner = layer_pass(asked, "body"), layer_pass(asked, "body.conv")
    torch.testing.assert_close(outer.activation, inner.activation)
    torch.testing.assert_close(outer.gradient, inner.gradient)
    assert outer.reached == (True,)


def test_layers_without_an_answer_are_refused_and_left_alone() -> None:
    model = Two().eval()
    asked = Question(model, (torch.randn(1, 1, 5, 5), torch.randn(1, 3))).ask(0)
    with pytest.raises(Refusal, match="not called"):
        layer_pass(asked, "idle")
    with pytest.raises(Refusal, match="does not depend"):
        layer_pass(asked, "cut")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
