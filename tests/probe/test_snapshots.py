"""What is kept of a run: how evenly, in how much memory, and as what pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets.catalogue import text
from nnwidgets.probe.activity import ActivitySample, ActivityWatch
from nnwidgets.probe.bins import BINS, edges
from nnwidgets.probe.layer_history import KINDS, LINES, spread
from nnwidgets.probe.ridge import common_range
from nnwidgets.probe.snapshots import (
    LayerHistory,
    Thinning,
    WeightSnapshots,
    history_blocks,
    state_of,
)

# -- thinning --------------------------------------------------------------------------------------


@given(st.integers(2, 40), st.integers(0, 10_000), st.integers(1, 50), st.integers(1, 600))
def test_regular_items_stay_evenly_spaced(capacity: int, first: int, gap: int, count: int) -> None:
    kept: Thinning[int] = Thinning(capacity)
    offered = [first + gap * i for i in range(count)]
    for step in offered:
        kept.add(step, -step)
        assert len(kept.items) <= capacity
    steps = kept.steps
    assert [item for _, item in kept.items] == [-step for step in steps]
    assert set(steps) <= set(offered)
    assert list(steps) == sorted(set(steps))
    assert steps[0] == offered[0]
    assert steps[-1] == offered[-1]
    gaps = np.diff(steps)
    if len(gaps) > 1:  # but for the last, up to the newest
        assert gaps[:-1].max() <= 2 * gaps[:-1].min()
        assert gaps[-1] <= 2 * gaps[:-1].max()
    if count >= capacity >= 4:
        assert len(steps) >= capacity // 2 - 1, "half of it is used"


@given(st.integers(2, 20), st.lists(st.integers(1, 1000), min_size=1, max_size=200))
def test_irregular_items_are_the_first_of_each_stretch(capacity: int, gaps: list[int]) -> None:
    kept: Thinning[None] = Thinning(capacity)
    offered = np.cumsum(gaps).tolist()
    for step in offered:
        kept.add(step, None)
    # The plain definition, from all that was offered: the finest stretches that fit.
    stride = 1
    while True:
        cells: dict[int, int] = {}
        for step in offered:
            cells.setdefault((step - offered[0]) // stride, step)
        wanted = sorted({*cells.values(), offered[-1]})
        if len(wanted) <= capacity:
            break
        stride *= 2
    assert len(kept.steps) <= capacity
    assert {kept.steps[0], kept.steps[-1]} == {offered[0], offered[-1]}
    # Doubled when it was full, it may be coarser than what would fit in the end, by one.
    coarser: dict[int, int] = {}
    for step in offered:
        coarser.setdefault((step - offered[0]) // (2 * stride), step)
    assert list(kept.steps) in (wanted, sorted({*coarser.values(), offered[-1]}))


def test_an_item_of_the_same_step_replaces_it_and_time_does_not_go_back() -> None:
    kept: Thinning[str] = Thinning(4)
    kept.add(3, "a")
    kept.add(3, "b")
    assert kept.items == ((3, "b"),)
    with pytest.raises(ValueError, match="step 2 comes after step 3"):
        kept.add(2, "c")
    kept.clear()
    kept.add(2, "c")
    assert kept.items == ((2, "c"),)
    with pytest.raises(ValueError, match="at least 2"):
        Thinning(1)


def test_the_item_that_was_current_at_a_step() -> None:
    kept: Thinning[str] = Thinning(4)
    assert kept.nearest(5) is None
    for step in (10, 20, 30):
        kept.add(step, str(step))
    assert [kept.nearest(s) for s in (0, 10, 19, 20, 99)] == [
        (10, "10"), (10, "10"), (10, "10"), (20, "20"), (30, "30"),
    ]  # fmt: skip


def test_a_lower_capacity_thins_at_once() -> None:
    kept: Thinning[int] = Thinning(64)
    for step in range(60):
        kept.add(step, step)
    kept.capacity = 8
    assert len(kept.steps) <= 8
    assert (kept.steps[0], kept.steps[-1]) == (0, 59)
    kept.add(60, 60)
    assert kept.steps[-1] == 60
    assert 59 not in kept.steps


def test_the_next_step_is_the_one_that_would_stay() -> None:
    kept: Thinning[int] = Thinning(8)
    taken = 0
    for step in range(1, 100_001):
        if step >= kept.next_step:
            kept.add(step, step)
            taken += 1
    # Powers of two between them: each doubling costs half a set.
    assert taken <= 8 + 4 * math.ceil(math.log2(100_000 / 8)) + 1
    gaps = np.diff(kept.steps)
    assert gaps.max() <= 2 * gaps.min()


# -- weights ---------------------------------------------------------------------------------------


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


# -- histories -------------------------------------------------------------------------------------


def run(model: nn.Module, x: torch.Tensor, steps: int, every: int = 1) -> list[ActivitySample]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch, samples = ActivityWatch(model), []
    for step in range(steps):
        if step % every == 0:
            watch.arm()
        optimizer.zero_grad()
        model(x).square().mean().backward()
        watch.before_update()
        optimizer.step()
        watch.after_update()
        if step % every == 0:
            samples.append(watch.finish(step))
    assert all(sample is not None for sample in samples)
    return samples  # type: ignore[return-value]


@pytest.fixture(scope="module")
def samples() -> list[ActivitySample]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    return run(model, torch.randn(64, 3), 40, every=3)


@pytest.fixture
def history(samples: list[ActivitySample]) -> LayerHistory:
    history = LayerHistory()
    for sample in samples:
        history.add(sample)
    return history


def test_what_is_kept_of_a_sample(samples: list[ActivitySample], history: LayerHistory) -> None:
    assert history.steps == tuple(s.step for s in samples)
    for (step, moment), sample in zip(history.moments, samples, strict=True):
        assert step == sample.step
        for kind in KINDS:
            of = getattr(sample, kind)
            for row in range(3):
                found = moment.histogram(row, kind)
                if not of.known[row]:
                    assert found is None
                    assert np.isnan(moment.line(row, kind)).all()
                    continue
                assert found is not None
                counts, low, high = found
                assert counts.sum() == pytest.approx(of.size[row])
                assert np.abs(counts - of.counts[row]).max() < 0.001 * of.size[row]
                assert (low, high) == (np.float32(of.min[row]), np.float32(of.max[row]))
                summary = of.summary(row)
                expected = {
                    "mean": summary.mean, "std": summary.std, "min": summary.min,
                    "max": summary.max, "q05": summary.quantiles[1], "q50": summary.quantiles[3],
                    "q95": summary.quantiles[5], "zero_fraction": summary.zero_fraction,
                    "nan": 0, "inf": 0,
                }  # fmt: skip
                line = dict(zip(LINES, moment.line(row, kind).tolist(), strict=True))
                assert line == pytest.approx(expected, rel=1e-6)


def test_sparks_are_one_row_a_layer(samples: list[ActivitySample], history: LayerHistory) -> None:
    steps, values = history.sparks("activation_std")
    assert steps.tolist() == [s.step for s in samples]
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, np.array([s.activation.std for s in samples]).T, rtol=1e-6)
    _, norms = history.sparks("grad_norm")
    expected = np.array([s.of_layers(s.layers.grad_norm) for s in samples]).T
    np.testing.assert_allclose(norms, expected, rtol=1e-6)
    assert np.isnan(norms[1]).all(), "a ReLU has no gradient of its own"
    few, thinned = history.sparks("weight_mean", points=4, names=["2", "gone", "0"])
    assert len(few) <= 4
    assert (few[0], few[-1]) == (samples[0].step, samples[-1].step)
    assert thinned.shape == (3, len(few))
    assert np.isnan(thinned[1]).all()
    assert thinned[0, -1] == np.float32(samples[-1].weight.mean[2])
    for wrong in ("activation", "grad_std", "", "activation_grad"):
        with pytest.raises(ValueError, match="no statistic"):
            history.sparks(wrong)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=80), st.integers(2, 30))
def test_a_spread_is_even_and_has_both_ends(gaps: list[int], points: int) -> None:
    items: Any = [(step, None) for step in np.cumsum(gaps).tolist()]
    chosen = spread(items, points)
    assert len(chosen) <= max(points, 2)
    assert chosen[0] == items[0]
    assert chosen[-1] == items[-1]
    assert [step for step, _ in chosen] == sorted({step for step, _ in chosen})


def test_memory_is_bounded_however_long_the_run(samples: list[ActivitySample]) -> None:
    history = LayerHistory(limit_bytes=50_000)
    sizes = set()
    for step in range(5000):
        sample = samples[step % len(samples)]
        moved = {f: getattr(sample, f) for f in sample.__dataclass_fields__ if f[0] != "_"}
        history.add(ActivitySample(**{**moved, "step": step}))
        if step % 100 == 0:
            assert history.nbytes <= 50_000
            sizes.add(len(history.steps))
    assert (history.steps[0], history.steps[-1]) == (0, 4999)
    assert max(sizes) > 10
    for stored in (history.moments[0][1], history.moments[-1][1]):
        assert stored.nbytes == sum(
            getattr(table, part).nbytes
            for table in stored._tables.values()
            for part in table.__slots__
        ) + stored._layers.nbytes  # fmt: skip


def test_a_thousand_layers_fit_into_the_default() -> None:
    model = nn.Sequential(*[nn.Sequential(nn.Linear(2, 2)) for _ in range(500)])
    (sample,) = run(model, torch.randn(4, 2), 1)
    history = LayerHistory()
    fields = {f: getattr(sample, f) for f in sample.__dataclass_fields__ if f[0] != "_"}
    for step in range(60):
        history.add(ActivitySample(**{**fields, "step": step}))
        assert history.nbytes <= 16 << 20
    assert len(history.steps) >= 30


def test_layers_may_come_and_go(samples: list[ActivitySample]) -> None:
    history = LayerHistory()
    history.add(samples[0])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1), nn.Tanh())
    (later,) = run(model, torch.randn(8, 3), 1)
    fields = {f: getattr(later, f) for f in later.__dataclass_fields__ if f[0] != "_"}
    history.add(ActivitySample(**{**fields, "step": 50}))
    _, values = history.sparks("activation_mean")
    assert values.shape == (4, 2)
    assert np.isnan(values[3, 0])
    assert not np.isnan(values[0]).any()
    assert history_blocks(history, "3")[0].arrays["steps"].tolist() == [50]


@pytest.mark.parametrize("kind", KINDS)
def test_a_ridge_keeps_every_count_over_common_edges(
    samples: list[ActivitySample], history: LayerHistory, kind: str
) -> None:
    ridge, lines = history_blocks(history, "0", kind)[:2]
    assert (ridge.kind, lines.kind) == ("ridge", "lines")
    assert ridge.arrays["steps"].tolist() == [s.step for s in samples]
    counts, onto = ridge.arrays["counts"], ridge.arrays["edges"]
    assert counts.shape == (len(samples), BINS)
    assert onto.shape == (BINS + 1,)
    sizes = [getattr(s, kind).size[0] for s in samples]
    np.testing.assert_allclose(counts.sum(1), sizes, rtol=1e-5)
    if not ridge.meta["clipped"]:
        assert onto[0] == pytest.approx(min(getattr(s, kind).min[0] for s in samples))
        assert onto[-1] == pytest.approx(max(getattr(s, kind).max[0] for s in samples))
    # Where the mass is, stays: the mean of the rebinned histogram is the mean, within a bin.
    middles = (onto[1:] + onto[:-1]) / 2
    means = (counts * middles).sum(1) / counts.sum(1)
    expected = [getattr(s, kind).mean[0] for s in samples]
    tolerance = (onto[-1] - onto[0]) / BINS + max(
        (getattr(s, kind).max[0] - getattr(s, kind).min[0]) / BINS for s in samples
    )
    np.testing.assert_allclose(means, expected, atol=tolerance)
    values = lines.arrays["values"]
    assert values.shape == (len(lines.meta["names"]), len(samples))
    np.testing.assert_allclose(values[0], expected, rtol=1e-5)
    assert ridge.title is not None
    assert text(ridge.title[0], "zh") != text(ridge.title[0], "en")


def test_nothing_known_is_said(history: LayerHistory) -> None:
    for layer, kind in (("1", "weight"), ("nowhere", "activation"), ("1", "gradient")):
        (note,) = history_blocks(history, layer, kind)
        assert note.kind == "note"
        assert text(note.title[0], "en")  # type: ignore[index]


def test_a_rare_outlier_does_not_squeeze_the_picture() -> None:
    usual = np.zeros(BINS)
    usual[:] = 1000
    far = np.zeros(BINS)
    far[0], far[-1] = 64_000, 1  # nearly all near zero, one number far away
    found = [(usual, -1.0, 1.0)] * 20 + [(far, -1.0, 1000.0)]
    low, high = common_range(found)
    assert low == pytest.approx(-1, abs=0.2)
    assert high < 100
    spread_out = [(usual, -1.0, 1.0)] * 20 + [(usual, -1.0, 1000.0)]
    assert common_range(spread_out) == (-1.0, 1000.0), "a twentieth of all is not rare"


def test_what_lies_beyond_the_edges_is_counted_and_said(samples: list[ActivitySample]) -> None:
    history = LayerHistory()
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(1, 1)), torch.rand(4000, 1)
    x[0] = 1e6
    watch = ActivityWatch(model)
    watch.arm()
    model(x)
    sample = watch.finish(0)
    assert sample is not None
    history.add(sample)
    ridge, _, note = history_blocks(history, "0")
    assert ridge.meta["clipped"]
    assert 0 < ridge.arrays["outside"][0] < 0.01
    assert ridge.arrays["counts"].sum() == pytest.approx(4000)
    assert "%" in text(note.title[0], "en", **note.title[1])  # type: ignore[index]


def test_edges_hold_what_they_are_made_of() -> None:
    assert edges(2.0, 2.0).tolist()[0::64] == [1.5, 2.5]
    assert (np.diff(edges(-3.0, 7.0)) > 0).all()
