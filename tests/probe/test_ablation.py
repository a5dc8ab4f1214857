"""Ablation against models whose layers are called one by one, with zeros put in by hand."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nnwidgets.probe.ablation import Ablation, ablate
from nnwidgets.probe.reach import ReachError
from nnwidgets.probe.readout import model_output, read_out, score_index
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.units import UnitError
from tests.probe.refilled import randn, refill


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.conv(x)).flatten(1))


@pytest.fixture
def net() -> Net:
    model = Net()
    refill(model)
    return model


X = randn(5, 1, 8, 8)


def by_hand(net: Net, change: Any) -> np.ndarray:
    with torch.no_grad():
        maps = net.conv(X)
        change(maps)
        return F.softmax(net.head(F.relu(maps).flatten(1)), 1).numpy()


def test_channels_of_a_convolution(net: Net) -> None:
    def change(maps: torch.Tensor) -> None:
        maps[:, [1, 3]] = 0

    found = ablate(net, X, "conv", [1, 3])
    np.testing.assert_allclose(found.before, by_hand(net, lambda maps: None), rtol=1e-12)
    np.testing.assert_allclose(found.after, by_hand(net, change), rtol=1e-12)
    assert not np.allclose(found.before, found.after)
    assert found.units == (1, 3)
    assert found.readout.how == "softmax"


def test_single_units_of_a_convolution(net: Net) -> None:
    def change(maps: torch.Tensor) -> None:
        maps[:, 2, 0, 5] = 0
        maps[:, 0, 1, 1] = 0

    found = ablate(net, X, "conv", [(2, 0, -1), (0, 1, 1)])
    np.testing.assert_allclose(found.after, by_hand(net, change), rtol=1e-12)


def test_a_whole_layer(net: Net) -> None:
    found = ablate(net, X, "act")
    with torch.no_grad():
        expected = F.softmax(net.head.bias, 0).numpy()
    np.testing.assert_allclose(found.after, np.tile(expected, (5, 1)), rtol=1e-12)
    assert found.units is None


def test_nothing_of_the_model_changes(net: Net) -> None:
    before = copy.deepcopy(net.state_dict())
    x = X.clone()
    ablate(net, x, "act", [0])
    assert torch.equal(x, X)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_flips_are_the_samples_whose_class_changes(net: Net) -> None:
    found = ablate(net, X, "conv", [0])
    changed = found.before.argmax(1) != found.after.argmax(1)
    assert found.flips.tolist() == np.flatnonzero(changed).tolist()
    with torch.no_grad():  # let the head prefer a class for the maps it loses
        net.head.weight[2].fill_(1.0)
        net.head.weight[:2].fill_(0.0)
        net.head.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
    assert ablate(net, X, "act").flips.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("layer", "shape", "axis"),
    [
        (nn.Linear(6, 6), (2, 6), -1),
        (nn.Linear(6, 6), (2, 5, 6), -1),
        (nn.LayerNorm(6), (2, 5, 6), -1),
        (nn.Conv1d(6, 6, 1), (2, 6, 5), -2),
        (nn.BatchNorm1d(6), (2, 6, 5), -2),
        (nn.BatchNorm2d(6), (2, 6, 3, 4), -3),
        (nn.GroupNorm(2, 6), (2, 6, 3, 4), -3),
        (nn.MaxPool2d(1), (2, 6, 3, 4), -3),
        (nn.AvgPool1d(1), (2, 6, 4), -2),
        (nn.Sigmoid(), (2, 6, 3, 4), -3),
        (nn.Conv3d(6, 6, 1), (2, 6, 3, 4, 2), -4),
        (nn.Sequential(nn.Conv1d(6, 6, 1), nn.Sigmoid()), (2, 6, 4), -2),
        (nn.Sequential(nn.Linear(6, 6), nn.Sigmoid()), (2, 4, 6), -1),
    ],
    ids=repr,
)
def test_which_dimension_counts_the_channels(
    layer: nn.Module, shape: tuple[int, ...], axis: int
) -> None:
    model = refill(nn.Sequential(layer, nn.Flatten()))
    x = randn(*shape)
    name = "0.1" if isinstance(layer, nn.Sequential) else "0"
    found = ablate(model, x, name, [2])
    with torch.no_grad():
        expected = layer(x)
    expected.select(axis, 2).zero_()
    assert found.readout.how == ("given" if shape == expected.flatten(1).shape else "softmax")
    if found.readout.how == "softmax":
        expected = F.softmax(expected.flatten(1), 1)
    np.testing.assert_allclose(found.after, expected.numpy(), rtol=1e-12)


def test_a_layer_that_is_called_twice_is_off_both_times() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Linear(3, 3)
            self.alias = self.shared

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.shared(x), self.alias(x + 1)], 1)

    model = refill(Twice())
    for name in ("shared", "alias"):
        found = ablate(model, randn(2, 3), name, [1])
        with torch.no_grad():
            expected = model(randn(2, 3))
        expected[:, [1, 4]] = 0
        np.testing.assert_allclose(found.after, F.softmax(expected, 1).numpy(), rtol=1e-12)


class Recurrent(nn.Module):
    def __init__(self, kind: Any, last: str, **options: Any) -> None:
        super().__init__()
        self.rnn = kind(3, 4, **options)
        self.last = last
        self.head = nn.Linear(8 if options.get("bidirectional") else 4, 3)

    def forward(self, x: Any) -> torch.Tensor:
        output, state = self.rnn(x)
        if self.last == "output":
            return self.head(output[:, -1])
        state = state[0] if isinstance(state, tuple) else state
        directions = 2 if self.rnn.bidirectional else 1
        return self.head(torch.cat(list(state[-directions:]), dim=-1))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("last", ["output", "state"])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}])
def test_recurrent_layers_lose_a_channel_in_their_state_too(
    kind: Any, last: str, options: dict[str, Any]
) -> None:
    model = refill(Recurrent(kind, last, batch_first=True, **options))
    found = ablate(model, randn(2, 5, 3), "rnn", [1])
    seen: list[torch.Tensor] = []
    with model.head.register_forward_pre_hook(lambda m, args: seen.append(args[0])):
        model(randn(2, 5, 3))
    with torch.no_grad():
        hidden = seen[0].clone()
        hidden[:, 1] = 0
        expected = F.softmax(model.head(hidden), 1).numpy()
    np.testing.assert_allclose(found.after, expected, rtol=1e-9)


def test_packed_sequences_and_attention() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)
            self.attention = nn.MultiheadAttention(4, 2)
            self.head = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3]))
            x, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0])
            return self.head(self.attention(x, x, x)[0].sum(0))

    model = refill(Packed())
    x = randn(5, 2, 3)
    with torch.no_grad():
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3]))
        hidden, _ = nn.utils.rnn.pad_packed_sequence(model.rnn(packed)[0])
        hidden[..., 2] = 0
        attended = model.attention(hidden, hidden, hidden)[0]
        expected = F.softmax(model.head(attended.sum(0)), 1)
        np.testing.assert_allclose(ablate(model, x, "rnn", [2]).after, expected, rtol=1e-9)
        hidden, _ = nn.utils.rnn.pad_packed_sequence(model.rnn(packed)[0])
        attended = model.attention(hidden, hidden, hidden)[0]
        attended[..., 0] = 0
        expected = F.softmax(model.head(attended.sum(0)), 1)
    np.testing.assert_allclose(ablate(model, x, "attention", [0]).after, expected, rtol=1e-9)


@dataclasses.dataclass
class Result:
    hidden: torch.Tensor
    logits: torch.Tensor


def test_results_that_are_dataclasses() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> Result:
            return Result(self.fc(x), self.fc(x) * 2)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, x: torch.Tensor) -> Result:
            found = self.inner(x)
            return Result(found.hidden, found.hidden + found.logits)

    model = refill(Outer())
    found = ablate(model, randn(2, 3), "inner", [1])
    with torch.no_grad():
        hidden = model.inner.fc(randn(2, 3))
    cut = hidden.clone()
    cut[:, 1] = 0
    np.testing.assert_allclose(found.before, F.softmax(3 * hidden, 1).numpy(), rtol=1e-9)
    np.testing.assert_allclose(found.after, F.softmax(cut + 2 * hidden, 1).numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    ("layer", "units", "problem"),
    [
        ("nowhere", [0], "no layer nowhere"),
        ("conv", [4], "no channel 4: the layer has 4"),
        ("conv", [(0, 9, 0)], r"no unit \(0, 9, 0\)"),
        ("conv", [(0, 0)], r"no unit \(0, 0\)"),
        ("conv", ["a"], "whole number"),
        ("conv", 1.5, "whole number"),
    ],
)
def test_what_cannot_be_switched_off(net: Net, layer: str, units: Any, problem: str) -> None:
    with pytest.raises(Refusal, match=problem):
        ablate(net, X, layer, units)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_models_that_fail() -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)
            self.idle = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not self.fc(x).any():
                raise ValueError("all zero")
            return self.fc(x)

    model = Picky()
    with pytest.raises(ReachError, match=r"Without these units the model fails .*all zero"):
        ablate(model, torch.ones(2, 3), "fc")
    with pytest.raises(ReachError, match="did not call idle"):
        ablate(model, torch.ones(2, 3), "idle")
    with pytest.raises(ReachError, match="failed on this input"):
        ablate(model, torch.ones(2, 7), "fc")


# ---- in words


def sentences(found: Ablation, sample: int = 0, **options: Any) -> dict[str, dict[str, str]]:
    return {b.title[0]: b.title[1] for b in found.blocks(sample, **options) if b.title}


def test_blocks_of_a_classifier(net: Net) -> None:
    found = ablate(net, X, "act")
    outputs, *_ = found.blocks(3, labels=["cat", "dog", "bird"])
    assert outputs.kind == "outputs"
    assert outputs.meta["labels"] == ["cat", "dog", "bird"]
    np.testing.assert_allclose(outputs.arrays["before"], found.before[3], rtol=1e-6)
    np.testing.assert_allclose(outputs.arrays["after"], found.after[3], rtol=1e-6)
    words = sentences(found, 3)
    assert "probe.readout.softmax" in words
    assert words["probe.ablation.flips"] == {"count": str(len(found.flips)), "total": "5"}
    for sample in range(5):
        flipped = sample in found.flips
        assert ("probe.ablation.flip" in sentences(found, sample)) == flipped
        assert ("probe.ablation.same" in sentences(found, sample)) != flipped
    with pytest.raises(UnitError):
        found.blocks(5)


def test_units_that_do_nothing_are_said_to_do_nothing(net: Net) -> None:
    with torch.no_grad():
        net.head.weight[:, :36] = 0
    assert "probe.ablation.none" in sentences(ablate(net, X, "conv", [0]))


def test_of_very_many_classes_the_likely_ones_are_listed() -> None:
    model = refill(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2000)))
    found = ablate(model, randn(2, 3), "0", [1])
    block = found.blocks(1)[0]
    assert len(block.arrays["before"]) == len(block.meta["labels"]) == 256
    assert int(found.before[1].argmax()) in block.arrays["units"]
    assert int(found.after[1].argmax()) in block.arrays["units"]
    assert block.meta["labels"] == [str(i) for i in block.arrays["units"]]


def test_an_output_that_is_no_longer_finite() -> None:
    class Log(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 1 / super().forward(x)

    model = refill(Log(nn.Linear(3, 4)))
    found = ablate(model, randn(2, 3), "0", [1])
    assert "probe.ablation.not_finite" in sentences(found)
    assert found.flips.tolist() == []


# ---- what a model's output is taken for


@pytest.mark.parametrize(
    ("output", "inputs", "how", "where"),
    [
        (randn(3, 4), None, "softmax", ""),
        (F.softmax(randn(3, 4), 1), None, "probabilities", ""),
        (F.log_softmax(randn(3, 4), 1), None, "log_softmax", ""),
        (randn(3, 4), randn(3, 4, seed=1), "given", ""),  # an autoencoder
        (randn(3, 1), None, "given", ""),
        (randn(3), None, "given", ""),
        (randn(3, 7, 4), None, "softmax", "last"),
        (randn(3, 2, 5, 5), None, "given", "mean"),
        (torch.full((3, 4), math.nan), None, "given", ""),
    ],
)
def test_kinds_of_outputs(output: torch.Tensor, inputs: Any, how: str, where: str) -> None:
    found = read_out(output, inputs=inputs)
    assert (found.how, found.where) == (how, where)
    key, params = found.words()
    assert params == {}
    table = {"": output, "last": output[:, -1] if output.dim() > 2 else None}.get(where)
    if where == "mean":
        table = output.mean((2, 3))
    assert table is not None
    expected = F.softmax(table, 1) if how in ("softmax", "log_softmax") else table.reshape(3, -1)
    np.testing.assert_allclose(found.values, expected.numpy(), rtol=1e-12)
    assert key.startswith(f"probe.readout.{how}")


def test_the_tensor_a_result_is_about() -> None:
    a, b = randn(2, 3), randn(2, 4)
    assert model_output({"loss": torch.tensor(1.0), "hidden": a, "logits": b}) is b
    assert model_output(Result(a, b)) is b
    assert model_output((torch.tensor(1.0), a)) is a
    assert model_output((torch.tensor([1]), a)) is a
    with pytest.raises(Refusal):
        model_output({"ids": torch.tensor([1])})


def test_where_a_score_stands() -> None:
    output = torch.arange(24.0).reshape(2, 3, 4)
    assert score_index(output, 1, None) == (1, 2, 3)
    assert score_index(output, 1, 2) == (1, 2, 2)
    assert score_index(output, 0, (0, -1)) == (0, 0, 3)
    assert score_index(output[:, 0], 0, None) == (0, 3)
    assert score_index(output[:, 0, 0], 1, None) == (1,)
    assert score_index(output[0, 0, 0], 0, None) == ()
    for wrong in (4, (3, 0), (0, 0, 0), "a"):
        with pytest.raises(UnitError):
            score_index(output, 0, wrong)  # type: ignore[arg-type]
