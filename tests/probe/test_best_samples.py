"""The samples that drive a unit most, by brute force, and what a unit's value is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from nnwidgets.probe.best_samples import best_samples, samples_block, thumbnails
from nnwidgets.probe.reach import ReachError, reach
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.units import UnitError, strongest, unit_values
from tests.probe.refilled import randn, refill
from tests.probe.test_features import convolutional


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_largest_of_a_set(batch: int) -> None:
    model = convolutional()
    x = randn(23, 1, 8, 8)
    with torch.no_grad():
        logits = model(x)
        maps = model[0](x)
    cases: list[tuple[str, Any, torch.Tensor]] = [
        ("3", 1, logits[:, 1]),
        ("0", (2, 3, 4), maps[:, 2, 3, 4]),
        ("0", 2, maps[:, 2].amax((1, 2))),
        ("1", -1, maps[:, 3].clamp(min=0).amax((1, 2))),
    ]
    for layer, unit, values in cases:
        found = best_samples(model, x, layer, unit, count=5, batch=batch)
        order = np.argsort(-values.numpy(), kind="stable")[:5]
        assert found.indices.tolist() == order.tolist()
        np.testing.assert_allclose(found.values, values.numpy()[order], rtol=1e-12)
        assert (found.seen, found.total, found.not_finite) == (23, 23, 0)


def test_inputs_by_name_and_several_of_them() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, a: torch.Tensor, b: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
            return self.fc(a + b) @ table

    model = refill(Two())
    a, b = randn(9, 4), randn(9, 4, seed=1)
    with torch.no_grad():
        values = model.fc(a + b)[:, 2].numpy()
    inputs = {"a": a, "b": b, "table": randn(3, 3)}
    for given_inputs in (inputs, tuple(inputs.values())):
        found = best_samples(model, given_inputs, "fc", 2, batch=4)
        assert found.indices.tolist() == np.argsort(-values, kind="stable").tolist()


def test_token_ids_and_recurrent_layers() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(20, 5)
            self.rnn = nn.LSTM(5, 6, batch_first=True)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.rnn(self.table(ids))[0]

    model = refill(Reader())
    ids = torch.randint(0, 20, (11, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        values = model(ids)[:, :, 4].amax(1).numpy()
    found = best_samples(model, ids, "rnn", 4, batch=3)
    assert found.indices.tolist() == np.argsort(-values, kind="stable").tolist()


def test_values_that_are_not_finite_are_left_out_and_counted() -> None:
    model = nn.Sequential(nn.Identity())
    x = torch.tensor([[1.0], [np.nan], [3.0], [np.inf], [-np.inf], [2.0]])
    found = best_samples(model, x, "0", 0)
    assert found.indices.tolist() == [2, 5, 0]
    assert found.not_finite == 3
    keys = [block.title[0] for block in samples_block(found, x) if block.title]
    assert "probe.samples.not_finite" in keys


def test_ties_are_in_the_order_of_the_set() -> None:
    found = best_samples(nn.Sequential(nn.Identity()), torch.zeros(100, 2), "0", 1, batch=16)
    assert found.indices.tolist() == list(range(12))


def test_progress_and_cancelling() -> None:
    told: list[float] = []
    model = convolutional()
    x = randn(10, 1, 8, 8)
    best_samples(model, x, "3", 0, batch=4, progress=told.append)
    assert told == [0.4, 0.8, 1.0]
    found = best_samples(
        model, x, "3", 0, batch=4, cancelled=lambda: len(told) >= 4, progress=told.append
    )
    assert (found.seen, found.total) == (4, 10)
    assert sorted(found.indices.tolist()) == [0, 1, 2, 3]
    assert samples_block(found, x)[1].title[0] == "probe.samples.cancelled"  # type: ignore[index]
    nothing = best_samples(model, x, "3", 0, cancelled=lambda: True)
    assert (nothing.seen, len(nothing.indices)) == (0, 0)
    assert samples_block(nothing, x)[0].meta["indices"] == []


class Folded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.reshape(-1, 4)).reshape(len(x), -1)


@pytest.mark.parametrize(
    ("inputs", "layer", "unit", "problem"),
    [
        (torch.ones(0, 8), "fc", 0, "no samples"),
        ("text", "fc", 0, "no samples"),
        (torch.ones(3, 8), "fc", 0, "returns 6 rows for 3 samples"),
        (torch.ones(3, 8), "gone", 0, "no layer gone"),
        (torch.ones(3, 8), "fc", 2, "no unit 2"),
        (torch.ones(3, 7), "fc", 0, "failed before fc"),
    ],
)
def test_sets_that_cannot_be_searched(inputs: Any, layer: str, unit: int, problem: str) -> None:
    with pytest.raises(Refusal, match=problem):
        best_samples(Folded(), inputs, layer, unit)


def test_what_comes_after_the_layer_is_not_run() -> None:
    class Ends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.idle = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.first(x)
            raise RuntimeError("never reached")

    model = Ends()
    x = torch.ones(2, 3)
    assert torch.equal(reach(model, x, "first"), model.first(x))
    with pytest.raises(ReachError, match="never reached"):
        reach(model, x, "idle")
    with pytest.raises(ReachError, match="never reached"):
        reach(model, x, "first", call=1)
    assert not model.first._forward_hooks


def test_thumbnails() -> None:
    x = torch.zeros(5, 1, 8, 8)
    x[3, 0, 0, 0] = 2.0
    x[1] = 1.0
    small = thumbnails(x, np.array([3, 1]))
    assert small is not None
    assert (small.shape, small.dtype) == ((2, 8, 8), np.uint8)
    assert (small[0, 0, 0], small[0, 1, 1], small[1, 4, 4]) == (255, 0, 128)
    colours = thumbnails(torch.rand(3, 3, 200, 100, generator=torch.Generator()), np.arange(2))
    assert colours is not None
    assert colours.shape == (2, 64, 64, 3)
    assert thumbnails(torch.ones(3, 2, 8, 8), np.arange(2)) is None
    assert thumbnails(torch.ones(3, 8), np.arange(2)) is None
    assert thumbnails("text", np.arange(2)) is None


# ---- values of a unit


def test_the_value_of_a_unit_and_of_a_channel() -> None:
    conv, linear = nn.Conv2d(1, 3, 1), nn.Linear(2, 3)
    maps, tokens = randn(2, 3, 4, 5), randn(2, 6, 3)
    assert torch.equal(unit_values(conv, maps, (1, 2, 3)), maps[:, 1, 2, 3])
    assert torch.allclose(unit_values(conv, maps, 1), maps[:, 1].mean((1, 2)))
    assert torch.equal(unit_values(conv, maps, 1, largest=True), maps[:, 1].amax((1, 2)))
    assert torch.allclose(unit_values(linear, tokens, 2), tokens[..., 2].mean(1))
    assert torch.equal(unit_values(linear, tokens, (5, 2)), tokens[:, 5, 2])
    assert torch.equal(unit_values(linear, tokens[:, 0], -1), tokens[:, 0, 2])
    rnn = nn.LSTM(2, 3)  # time first
    assert torch.equal(unit_values(rnn, tokens, (1, 2)), tokens[1, :, 2])
    for wrong in (3, (3, 0, 0), (0, 0)):
        with pytest.raises(UnitError):
            unit_values(conv, maps, wrong)


@given(st.integers(0, 2), st.integers(0, 1))
def test_the_strongest_unit_of_a_channel(channel: int, sample: int) -> None:
    maps = randn(2, 3, 4, 5)
    unit = strongest(nn.Conv2d(1, 3, 1), maps, sample, channel, -3)
    assert unit[0] == channel
    assert maps[(sample, *unit)] == maps[sample, channel].max()
    assert strongest(nn.Linear(1, 3), maps[:, :, 0, 0], sample, channel, -1) == (channel,)
    tokens = randn(2, 6, 3)
    unit = strongest(nn.Linear(1, 3), tokens, sample, channel, -1)
    assert tokens[(sample, *unit)] == tokens[sample, :, channel].max()


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(3, 4, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, _ = self.memory(packed)
        return out.data.sum()


@pytest.mark.parametrize("batch", [2, 64])
@pytest.mark.parametrize("unit", [0, 5, -1])
def test_packed_sequences_count_over_their_own_length(batch: int, unit: int) -> None:
    torch.manual_seed(0)
    model = Packed().eval()
    x, lengths = torch.randn(7, 9, 3), torch.tensor([4, 9, 1, 7, 2, 9, 3])
    found = best_samples(model, (x, lengths), "memory", unit, batch=batch)
    with torch.no_grad():  # each sequence by itself, cut to its length
        alone = [model.memory(x[i : i + 1, :n])[0][0, :, unit].max() for i, n in enumerate(lengths)]
    truth = np.array([float(value) for value in alone])
    np.testing.assert_array_equal(found.indices, np.argsort(-truth))
    np.testing.assert_allclose(found.values, np.sort(truth)[::-1], rtol=1e-5)
    assert found.not_finite == 0


@pytest.mark.parametrize(("unit", "problem"), [((0, 1), "packed"), (8, "no channel 8")])
def test_units_that_packed_sequences_do_not_have(unit: Any, problem: str) -> None:
    inputs = torch.randn(2, 5, 3), torch.tensor([5, 2])
    with pytest.raises(Refusal, match=problem):
        best_samples(Packed().eval(), inputs, "memory", unit)
