"""What layers showed over a run: how much is kept of it, and its pictures."""

from __future__ import annotations

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
from nnwidgets.probe.snapshots import LayerHistory, history_blocks


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
