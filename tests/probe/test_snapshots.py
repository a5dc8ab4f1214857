"""Copies of weights over a run: which, how many, and in how much memory and time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.probe.snapshots import WeightSnapshots, state_of


def tiny() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_copies_are_those_of_the_state_dict_and_do_not_change() -> None:
    model, kept = tiny(), WeightSnapshots()
    assert kept.nearest(0) is None
    model(torch.randn(8, 3))
    expected = {k: v.clone() for k, v in model.state_dict().items()}
    assert kept.take(model, 5)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1)
    assert kept.take(model, 9)
    found = kept.nearest(8)
    assert found is not None
    step, weights = found
    assert step == 5
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        assert torch.equal(value, expected[name])
        assert not value.requires_grad
    assert kept.steps == (5, 9)
    assert kept.nbytes == 2 * sum(v.nbytes for v in expected.values())
    model.load_state_dict(dict(weights))


def test_tied_shared_and_passing_tensors() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)
            self.b.weight = self.a.weight
            self.again = self.a
            self.register_buffer("passing", torch.ones(500), persistent=False)
            self.register_buffer("absent", None)

    model, kept = Tied(), WeightSnapshots()
    assert state_of(model).keys() == model.state_dict().keys()
    assert kept.take(model, 0)
    assert kept.nbytes == 64 * 64 * 4
    found = kept.nearest(0)
    assert found is not None
    assert found[1]["a.weight"] is found[1]["b.weight"]
    wrapped = WeightSnapshots()
    assert wrapped.take(nn.DataParallel(model), 0)
    assert wrapped.nearest(0)[1].keys() == model.state_dict().keys()  # type: ignore[index]


def test_nothing_grows_with_the_number_of_steps() -> None:
    model, kept = nn.Linear(2, 1), WeightSnapshots(limit_bytes=40 * 12)
    for step in range(100_000):
        kept.take(model, step)
    assert kept.nbytes <= 40 * 12
    assert 20 <= len(kept.steps) <= 40
    assert (kept.steps[0], kept.steps[-1]) == (0, 99_999)
    gaps = np.diff(kept.steps)[:-1]
    assert gaps.max() <= 2 * gaps.min()


def test_by_default_copies_fit_into_their_memory() -> None:
    model, kept = nn.Linear(1000, 1000), WeightSnapshots()
    for step in range(40):
        assert kept.take(model, step)
        assert kept.nbytes <= 48 << 20
    assert len(kept.steps) >= 6


def test_a_model_too_large_to_keep_is_not_kept_and_said_so() -> None:
    kept = WeightSnapshots(limit_bytes=3 * 12)
    assert kept.due(0, 0.0)
    assert not kept.take(nn.Linear(2, 1), 0)
    assert kept.steps == ()
    assert kept.nbytes == 0
    assert "four copies" in kept.status
    assert not kept.due(1, 1e9), "and not tried again"
    four = WeightSnapshots(limit_bytes=4 * 12)
    for step in range(50):
        assert four.take(nn.Linear(2, 1), step)
        assert four.nbytes <= 4 * 12
    assert len(four.steps) >= 3


def test_weights_that_cannot_be_copied_are_not_half_copied() -> None:
    kept = WeightSnapshots()
    assert not kept.take(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, device="meta")), 0)
    assert "cannot be copied" in kept.status
    lazy = WeightSnapshots()
    assert not lazy.take(nn.Sequential(nn.LazyLinear(2)), 0)
    assert lazy.status == ""
    assert lazy.due(1, 1e9), "tried again once it has its shape"


def test_due_says_when_a_copy_would_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("nnwidgets.probe.snapshots.perf_counter", lambda: clock[0])
    model, kept = nn.Linear(2, 1), WeightSnapshots(limit_bytes=16 * 12)
    taken = []
    for step in range(1, 10_001):
        clock[0] += 0.01
        if kept.due(step, clock[0]):
            assert kept.take(model, step)
            taken.append(step)
    assert taken[:16] == list(range(1, 17))
    assert len(taken) <= 16 + 8 * math.ceil(math.log2(10_000 / 16)) + 1
    assert kept.steps[-1] == taken[-1]


def test_copies_take_one_percent_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def slow() -> float:
        clock[0] += 0.5  # read before and after: half a second a copy
        return clock[0]

    monkeypatch.setattr("nnwidgets.probe.snapshots.perf_counter", slow)
    model, kept = nn.Linear(2, 1), WeightSnapshots()
    spent = 0.0
    for step in range(20_000):
        clock[0] += 0.1
        if kept.due(step, clock[0]):
            kept.take(model, step)
            spent += 0.5
    assert spent <= 0.011 * clock[0] + 0.5
    assert len(kept.steps) > 10
