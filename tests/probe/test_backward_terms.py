"""Gradients told term by term, against plain autograd and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets.probe.backward_terms import BackwardTerms, backward_terms
from nnwidgets.probe.reach import ReachError
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.units import UnitError
from tests.probe.refilled import randn, refill
from tests.probe.test_arithmetic import chains, evaluated, lines


def autograd(
    model: nn.Module, x: Any, layer: str, index: tuple[int, ...], score: Any, call: int = 0
) -> float:
    """The gradient with respect to one element of a layer's output, by nothing but autograd."""
    kept: list[torch.Tensor] = []

    def hook(module: nn.Module, args: Any, output: Any) -> Any:
        tensor = output if isinstance(output, torch.Tensor) else output[0]
        leaf = tensor.detach().requires_grad_()
        kept.append(leaf)
        if len(kept) != call + 1:
            return None
        passed = leaf * 1
        return passed if isinstance(output, torch.Tensor) else (passed, *output[1:])

    handle = model.get_submodule(layer).register_forward_hook(hook)
    with torch.enable_grad():
        result = model(x.clone())
    handle.remove()
    (gradient,) = torch.autograd.grad(score(result), kept[call], allow_unused=True)
    return 0.0 if gradient is None else float(gradient[index])


def check(
    model: nn.Module, x: torch.Tensor, layer: str, sample: int, unit: Any, told: int, **more: Any
) -> BackwardTerms:
    """Total and parts agree with autograd; `told` consumers are written out term by term."""
    found = backward_terms(model, x, layer, sample, unit, **more)
    index = (sample, *unit) if isinstance(unit, tuple) else (sample, unit)
    loss = more.get("loss")
    where = found.target
    score = loss or (lambda result: result[(sample, *(where or ()))])
    expected = autograd(model, x, layer, index, score, more.get("call", 0))
    assert math.isclose(found.total, expected, rel_tol=1e-9, abs_tol=1e-12)
    parts = sum(consumer.gradient for consumer in found.consumers) + found.rest
    assert math.isclose(parts, expected, rel_tol=1e-9, abs_tol=1e-12)
    for consumer in found.consumers:
        if consumer.outputs is not None:
            assert math.isclose(
                consumer.product.sum(), consumer.gradient, rel_tol=1e-9, abs_tol=1e-12
            )
            np.testing.assert_array_equal(consumer.slope * consumer.delta, consumer.product)
            assert len(consumer.outputs) == len(consumer.product)
    assert sum(consumer.outputs is not None for consumer in found.consumers) == told
    read_again(found)
    return found


def read_again(found: BackwardTerms) -> None:
    """Every chain of the written lines holds, and the last number is the gradient."""
    block = found.block()
    assert block.meta["direction"] == "backward"
    for _, _, chain in chains(block):
        values = [evaluated(part) for part in chain]
        for value in values:
            assert math.isclose(value, values[-1], rel_tol=1e-3, abs_tol=1e-4), chain
    last = lines(block, "result")[-1]
    assert last.startswith("gradient of the unit: ")
    stated = evaluated(last.rsplit(": ", 1)[1].split(" = ")[-1])
    assert math.isclose(stated, found.total, rel_tol=1e-4, abs_tol=1e-12)
    assert len(found.block(language="zh").meta["lines"]) == len(block.meta["lines"])


def test_through_a_linear_layer_it_is_weights_times_their_gradients() -> None:
    model = refill(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3), nn.Linear(3, 2)))
    x = randn(6, 4)
    found = check(model, x, "0", 2, 4, told=1, target=1)
    (consumer,) = found.consumers
    assert (consumer.name, consumer.weighted) == ("1", True)
    assert consumer.outputs is not None
    assert consumer.outputs.tolist() == [[0], [1], [2]]
    np.testing.assert_array_equal(consumer.slope, model[1].weight.detach()[:, 4].numpy())
    np.testing.assert_array_equal(consumer.delta, model[2].weight.detach()[1].numpy())
    assert found.score == float(model(x)[2, 1].detach())
    assert not found.has_rest
    assert all(parameter.grad is None for parameter in model.parameters())


def test_through_a_convolution_it_is_the_kernel_turned_around() -> None:
    model = refill(
        nn.Sequential(nn.Identity(), nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(48, 2))
    )
    x = randn(2, 2, 4, 4)
    found = check(model, x, "0", 1, (1, 2, 0), told=1, target=0)
    (consumer,) = found.consumers
    assert consumer.outputs is not None
    kernel = model[1].weight.detach()
    head = model[3].weight.detach()[0].reshape(3, 4, 4)
    assert len(consumer.outputs) == 3 * 3 * 2  # the window hangs over the left edge
    for (channel, row, column), slope, delta in zip(
        consumer.outputs, consumer.slope, consumer.delta, strict=True
    ):
        assert math.isclose(slope, float(kernel[channel, 1, 2 - row + 1, 0 - column + 1]))
        assert math.isclose(delta, float(head[channel, row, column]))


@pytest.mark.parametrize(
    ("following", "shape", "unit"),
    [
        (nn.ReLU(), (3, 6), 2),
        (nn.ReLU(inplace=True), (3, 6), 2),
        (nn.GELU(), (3, 6), 2),
        (nn.Softmax(dim=1), (3, 6), 5),
        (nn.LogSoftmax(dim=1), (3, 6), 5),
        (nn.BatchNorm1d(6), (3, 6), 1),
        (nn.LayerNorm(6), (3, 6), 1),
        (nn.Dropout(0.5), (3, 6), 1),
        (nn.Sequential(nn.MaxPool2d(2), nn.Flatten()), (3, 2, 4, 4), (1, 2, 3)),
        (nn.Sequential(nn.MaxPool2d(3, 1), nn.Flatten()), (3, 2, 4, 4), (1, 1, 2)),
        (nn.Sequential(nn.AvgPool2d(2), nn.Flatten()), (3, 2, 4, 4), (1, 2, 3)),
        (nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), (3, 6, 4, 4), (1, 2, 3)),
        (nn.Sequential(nn.BatchNorm2d(2), nn.Flatten()), (3, 2, 4, 4), (1, 2, 3)),
        (nn.Sequential(nn.GroupNorm(2, 4), nn.Flatten()), (3, 4, 4, 4), (1, 2, 3)),
        (nn.Sequential(nn.ConvTranspose2d(2, 3, 2, 2), nn.Flatten()), (3, 2, 4, 4), (1, 2, 3)),
        (nn.Flatten(), (3, 2, 4, 4), (1, 2, 3)),
    ],
    ids=repr,
)
def test_through_every_kind_of_layer(
    following: nn.Module, shape: tuple[int, ...], unit: Any
) -> None:
    x = randn(*shape)
    with torch.no_grad():
        width = following.double().eval()(x.clone()).shape[1]
    model = refill(nn.Sequential(nn.Identity(), following, nn.Linear(width, 4)))
    found = check(model, x, "0", 1, unit, told=1)
    assert not found.has_rest
    assert not found.consumers[0].weighted or "Conv" in found.consumers[0].type
    assert model(x.clone())[1].argmax() == found.target[0]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.data())
def test_through_any_convolution(
    kernel: int, stride: int, dilation: int, padding: int, data: st.DataObject
) -> None:
    size = dilation * (kernel - 1) + 3
    layer = nn.Conv1d(2, 2, kernel, stride, padding, dilation)
    model = refill(nn.Sequential(nn.Identity(), layer, nn.AdaptiveAvgPool1d(1), nn.Flatten()))
    place = data.draw(st.integers(0, size - 1))
    check(model, randn(2, 2, size), "0", 1, (1, place), told=1)


class Residual(nn.Module):
    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.stem = nn.Linear(5, 5)
        self.a = nn.Linear(5, 5)
        self.b = nn.Linear(5, 5)
        self.act = nn.ReLU(inplace=in_place)
        self.head = nn.Linear(5, 3)
        self.in_place = in_place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        out = self.b(self.act(self.a(x)))
        if self.in_place:
            out += x
        else:
            out = out + x
        return self.head(self.act(out) + 0.5 * self.b(x))


@pytest.mark.parametrize("in_place", [False, True])
def test_a_skip_is_the_rest_beside_the_layers(in_place: bool) -> None:
    model = refill(Residual(in_place))
    with torch.no_grad():
        model.b.bias.add_(3.0)  # so that the last ReLU lets the skip through
    x = randn(3, 5)
    found = check(model, x, "stem", 1, 2, told=2, target=2)
    assert [consumer.name for consumer in found.consumers] == ["a", "b"]
    assert found.has_rest
    # What goes around both layers: the ReLU's slope times the head's weight.
    with torch.no_grad():
        stem = model.stem(x)
        added = model.b(F.relu(model.a(stem))) + stem
        assert added[1, 2] > 0
        expected = model.head.weight.detach()[2, 2]
    assert math.isclose(found.rest, float(expected), rel_tol=1e-9)
    assert any("operations that are no layers" in line for line in lines(found.block(), "term"))


def test_the_second_call_of_a_layer() -> None:
    model = refill(Residual(False))
    x = randn(3, 5)
    first = check(model, x, "b", 0, 1, told=0, target=0)
    second = check(model, x, "b", 0, 1, told=0, target=0, call=1)
    assert first.total != second.total
    with pytest.raises(ReachError, match="did not call b"):
        backward_terms(model, x, "b", 0, 1, call=2)


def test_an_operation_in_place_after_the_layer_is_not_overlooked() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x).mul_(3.0))

    model = refill(Scaled())
    found = check(model, randn(2, 4), "a", 0, 1, told=0, target=1)
    assert found.consumers == ()
    assert math.isclose(found.total, 3 * float(model.b.weight.detach()[1, 1]))


class Views(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(2, 3, 3)
        self.flat = nn.Linear(27, 4)
        self.turned = nn.Linear(3, 4)
        self.row = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.body(x)
        tokens = self.turned(x.flatten(2).transpose(1, 2)).sum(1)
        return self.flat(torch.flatten(x, 1)) + tokens + self.row(x[:, 1, 2])


@pytest.mark.parametrize("unit", [(1, 2, 0), (0, 1, 1)])
def test_layers_that_are_given_views(unit: tuple[int, int, int]) -> None:
    model = refill(Views())
    x = randn(2, 2, 5, 5)
    in_row = unit[:2] == (1, 2)
    found = check(model, x, "body", 1, unit, told=3 if in_row else 2, target=3)
    names = [consumer.name for consumer in found.consumers]
    assert names == (["turned", "flat", "row"] if in_row else ["turned", "flat"])
    assert not found.has_rest
    flat = found.consumers[1]
    place = int(np.ravel_multi_index(unit, (3, 3, 3)))
    np.testing.assert_array_equal(flat.slope, model.flat.weight.detach()[:, place].numpy())


def test_channels_last() -> None:
    model = refill(Views())
    x = randn(2, 2, 5, 5).to(memory_format=torch.channels_last)
    model.to(memory_format=torch.channels_last)
    check(model, x, "body", 1, (1, 2, 0), told=2, target=3)  # flatten has to copy here


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(4, 6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.recurrent = nn.LSTM(6, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        x = self.attention(x, x, x)[0]
        return self.head(self.recurrent(x)[0][:, -1])


def test_layers_that_return_several_tensors_give_autograds_total() -> None:
    model = refill(Mixed())
    found = check(model, randn(2, 7, 4), "embed", 1, (3, 2), told=0, target=1)
    (consumer,) = found.consumers
    assert (consumer.name, consumer.outputs) == ("attention", None)
    assert not found.has_rest
    assert any("MultiheadAttention" in line for line in lines(found.block(), "note"))
    found = check(model, randn(2, 7, 4), "recurrent", 1, (6, 2), told=1, target=1)
    assert found.consumers[0].name == "head"


def test_fused_attention_between_layers() -> None:
    class Fused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(4, 12)
            self.out = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
            return self.out(F.scaled_dot_product_attention(q, k, v)[:, 0])

    found = check(refill(Fused()), randn(2, 5, 4), "qkv", 0, (1, 7), told=0, target=1)
    assert found.has_rest


def test_a_loss_in_place_of_an_output() -> None:
    model = refill(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)))
    y = torch.tensor([0, 2, 1])
    loss = lambda result: F.cross_entropy(result, y)  # noqa: E731
    x = randn(3, 4)
    found = check(model, x, "1", 2, 3, told=1, loss=loss)
    assert found.target is None
    with torch.no_grad():
        probability = F.softmax(model(x), 1)[2] - F.one_hot(y[2], 3)
    np.testing.assert_allclose(found.consumers[0].delta, probability.numpy() / 3, rtol=1e-9)
    last = check(model, x, "2", 2, 1, told=0, loss=loss)
    assert any(line.startswith("straight from the loss") for line in lines(last.block(), "term"))


def test_the_output_layer_is_the_score_itself() -> None:
    model = refill(nn.Sequential(nn.Linear(4, 3)))
    x = randn(2, 4)
    chosen = int(model(x)[1].argmax())
    found = check(model, x, "0", 1, chosen, told=0)
    assert (found.total, found.direct) == (1.0, True)
    other = check(model, x, "0", 1, (chosen + 1) % 3, told=0)
    assert other.total == 0.0
    assert lines(other.block(), "note") == ["The score does not depend on this unit."]


def test_a_unit_of_another_sample_or_a_dead_one_has_no_gradient() -> None:
    model = refill(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    with torch.no_grad():
        model[0].bias.fill_(-100.0)
    found = check(model, randn(2, 4), "0", 1, 3, told=1)
    assert found.total == 0.0
    assert len(found.consumers[0].product) == 0


def test_frozen_weights_and_no_grad_around_it_make_no_difference() -> None:
    model = refill(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    x = randn(2, 4)
    expected = backward_terms(model, x, "0", 1, 3).total
    model.requires_grad_(False)
    with torch.no_grad():
        assert backward_terms(model, x, "0", 1, 3).total == expected


def test_half_precision() -> None:
    model = refill(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))).to(torch.bfloat16)
    found = backward_terms(model, randn(2, 4).to(torch.bfloat16), "0", 1, 3, target=2)
    assert math.isclose(found.total, float(model[1].weight.detach()[2, 3]))
    assert found.consumers[0].outputs is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"layer": "nowhere"}, "no layer nowhere"),
        ({"unit": 5}, "no unit 5"),
        ({"sample_index": 2}, "no sample 2"),
        ({"target": 3}, "no output 3"),
        ({"sample": randn(2, 7)}, "failed on this input"),
        ({"loss": lambda result: result}, "single real number"),
        ({"loss": lambda result: 3.0}, "single real number"),
        ({"loss": lambda result: result.detach().sum()}, "No gradient"),
    ],
)
def test_what_cannot_be_asked(change: dict[str, Any], problem: str) -> None:
    model = refill(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    asked = {"sample": randn(2, 4), "layer": "0", "sample_index": 0, "unit": 0, **change}
    with pytest.raises(Refusal, match=problem):
        backward_terms(model, **asked)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_model_that_returns_no_tensor() -> None:
    class Text(nn.Sequential):
        def forward(self, x: torch.Tensor) -> Any:
            super().forward(x)
            return "text"

    with pytest.raises(Refusal, match="no tensor"):
        backward_terms(Text(nn.Linear(2, 2)), torch.ones(1, 2), "0", 0, 0)
    with pytest.raises(UnitError):
        backward_terms(nn.Sequential(nn.Linear(2, 2)), torch.ones(1, 2), "0", 0, (0, 0))
