"""A view loses no extreme, against a slow and obvious oracle."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nnwidgets.live import curves
from nnwidgets.live.curves import grid
from nnwidgets.live.history import History
from nnwidgets.live.pyramid import FLOAT32_MAX, HIGH_LAST, INF, NAN, NEGATIVE_INF, Pyramid

ODD = np.array([np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e-40, -0.0, 0.0])


def random_values(rng, size, odd):
    values = rng.normal(size=size) * 10.0 ** rng.integers(-3, 4, size=size)
    places = rng.random(size) < odd
    values[places] = rng.choice(ODD, size=int(places.sum()))
    return values


def random_steps(rng, size, kind):
    if kind == "count":
        return np.arange(size)
    if kind == "repeated":
        return np.sort(rng.integers(0, max(1, size // 4), size))
    if kind == "gaps":
        return np.cumsum(np.where(rng.random(size) < 0.01, 10_000, 1))
    if kind == "restarts":
        return np.arange(size) % max(1, size // 3)
    if kind == "floats":
        return np.sort(rng.normal(size=size) * 10.0 ** rng.integers(-9, 9))
    return rng.integers(-1000, 1000, size)


def logged(steps, values, rng=None):
    """A history of one series; with `rng`, rows of another one lie between its rows."""
    history = History()
    for i, (step, value) in enumerate(zip(steps.tolist(), values.tolist(), strict=True)):
        if rng is not None and rng.random() < 0.3:
            history.append(step, i / 4, {"other": 0.0})
        history.append(step, i / 4, {"loss": value})
    return history


def oracle(values):
    """lo, hi, mean and flags (without HIGH_LAST) of some points."""
    finite = np.clip(values[np.isfinite(values)], -FLOAT32_MAX, FLOAT32_MAX)
    flags = NAN * np.isnan(values).any() | INF * (values == np.inf).any()
    flags |= NEGATIVE_INF * (values == -np.inf).any()
    if len(finite) == 0:
        return np.nan, np.nan, np.nan, flags
    return np.float32(finite.min()), np.float32(finite.max()), finite.mean(), flags


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 6000),
    odd=st.sampled_from([0.0, 0.01, 0.9, 1.0]),
    stretches=st.integers(1, 300),
    shuffled=st.booleans(),
)
def test_a_pyramid_sums_up_any_stretches(seed, size, odd, stretches, shuffled):
    rng = np.random.default_rng(seed)
    values = random_values(rng, size, odd)
    order = rng.permutation(size).astype(np.uint32) if shuffled else None
    drawn = values if order is None else values[order]
    pyramid = Pyramid()
    if not shuffled:
        for end in sorted(rng.integers(0, size + 1, 3)):
            pyramid.update(values[:end])
    pyramid.update(values, order)
    edges = np.unique(rng.integers(0, size + 1, stretches + 1))
    got = pyramid.summarise(values, edges, order)
    assert len(got.lo) == len(edges) - 1
    for i, (a, b) in enumerate(pairwise(edges)):
        lo, hi, mean, flags = oracle(drawn[a:b])
        np.testing.assert_array_equal([got.lo[i], got.hi[i]], [lo, hi])
        scale = np.nanmax(np.abs([lo, hi, 1e-30]))
        np.testing.assert_allclose(got.mean[i] / scale, mean / scale, atol=1e-6)
        assert int(got.flags[i]) & ~HIGH_LAST == flags
        if not np.isnan(lo):
            single = np.clip(drawn[a:b], -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
            single[~np.isfinite(drawn[a:b])] = np.nan
            first_low, first_high = np.nanargmin(single), np.nanargmax(single)
            if lo != 0 and hi != 0:  # -0.0 and 0.0 are one number and two keys
                assert bool(got.flags[i] & HIGH_LAST) == (first_low < first_high)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 3000),
    kind=st.sampled_from(["count", "repeated", "gaps", "restarts", "floats", "any"]),
    buckets=st.integers(1, 120),
    ends=st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2)) | st.none(),
    by_time=st.booleans(),
    between=st.booleans(),
    gathered=st.sampled_from([0, curves._GATHERED]),  # long series are searched where they lie
)
def test_the_buckets_hold_every_point_of_the_range(
    seed, size, kind, buckets, ends, by_time, between, gathered
):
    rng = np.random.default_rng(seed)
    values = random_values(rng, size, 0.02)
    steps = random_steps(rng, size, kind)
    history = logged(steps, values, rng if between else None)
    if not size:
        return
    series = history["loss"]
    x = series.times if by_time else series.steps.astype(np.float64)
    x0, x1 = (None, None)
    if ends is not None:
        x0, x1 = sorted(float(x.min() + end * np.ptp(x)) for end in ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "_GATHERED", gathered)
        view = history.view(["loss"], x0, x1, buckets, "time" if by_time else "step")

    order = np.argsort(x, kind="stable")
    inside = np.ones(size, dtype=bool) if ends is None else (x[order] >= x0) & (x[order] <= x1)
    order = order[inside]
    assert len(view.x) == view.count[0] <= buckets
    assert bool(len(order)) == bool(len(view.x))
    assert view.part(0) == slice(0, len(view.x))
    if not len(order):
        return
    xs = series.steps[order].astype(np.float64)
    ts = series.times[order].astype(np.float32)
    # Where a bucket begins is told by x (and t). Only if points share it can that be too early;
    # then the buckets that share it are taken together.
    if len(xs) <= buckets:
        bounds = np.arange(len(xs) + 1)
        np.testing.assert_array_equal(view.t, ts)
    else:
        bounds = np.searchsorted(ts, view.t) if by_time else np.searchsorted(xs, view.x)
        bounds = np.append(bounds, len(xs))
    np.testing.assert_array_equal(view.x, xs[bounds[:-1]])
    assert view.x1[-1] == xs[-1]
    joined = [0] + [k for k in range(1, len(view.x)) if by_time or view.x[k] > view.x1[k - 1]]
    for k, last in zip(joined, [*joined[1:], len(view.x)], strict=True):
        lo, hi, _, flags = oracle(values[order][bounds[k] : bounds[last]])
        if np.isnan(lo):
            assert np.isnan(view.lo[k:last]).all()
            assert np.isnan(view.mean[k:last]).all()
        else:
            assert np.nanmin(view.lo[k:last]) == lo
            assert np.nanmax(view.hi[k:last]) == hi
        assert view.x1[last - 1] == xs[bounds[last] - 1]
        together = int(np.bitwise_or.reduce(view.flags[k:last])) & ~HIGH_LAST
        assert together == flags


@pytest.fixture(scope="module")
def million():
    history = History()
    spike = 654_321
    for step in range(1_000_000):
        history.append(step, step * 1e-3, {"loss": 100.0 if step == spike else step % 7 / 7})
    return history, spike


@given(before=st.integers(0, 654_321), behind=st.integers(0, 345_678), buckets=st.integers(1, 2000))
def test_a_spike_in_a_million_is_seen_at_every_zoom(million, before, behind, buckets):
    history, spike = million
    view = history.view(["loss"], spike - before, spike + behind, buckets)
    (at,) = np.flatnonzero(view.hi == 100)
    assert view.x[at] <= spike <= view.x1[at]
    assert len(view.x) <= buckets
    # A zoom into the bucket that holds it finds it again.
    again = history.view(["loss"], view.x[at], view.x1[at], buckets)
    assert again.hi.max() == 100


def test_a_view_is_small_however_long_the_run(million):
    history, _ = million
    assert history.view(["loss"] * 8, buckets=400).nbytes <= 8 * 400 * 33 + 8 * 16


def test_buckets_that_are_complete_do_not_change_while_a_run_grows():
    history = History()
    rng = np.random.default_rng(0)
    before = None
    kept = 0
    for step in range(20_000):
        history.append(step, 0.0, {"loss": rng.normal()})
        if step % 500 == 499:
            view = history.view(["loss"], buckets=100)
            if before is not None and len(view.x) > len(before.x) > 2:
                # The width did not double: all but the last two are as they were.
                kept += 1
                for name in ("x", "x1", "lo", "hi", "mean", "flags"):
                    old, new = getattr(before, name)[:-2], getattr(view, name)[: len(before.x) - 2]
                    np.testing.assert_array_equal(old, new)
            before = view
    assert kept > 10


def test_sparse_points_beside_dense_ones_keep_their_own_buckets():
    history = History()
    for step in range(100_000):
        history.append(step, 0.0, {"loss": 0.0})
    late = list(range(101_000, 200_000, 1000))
    for step in late:
        history.append(step, 0.0, {"loss": 1.0})
    view = history.view(["loss"], buckets=400)
    assert view.x[view.hi == 1].tolist() == late


def test_many_points_at_one_step_are_one_bucket():
    history = History()
    for value in range(1000):
        history.append(3, 0.0, {"loss": value})
    view = history.view(["loss"], buckets=10)
    assert (view.x.tolist(), view.lo.tolist(), view.hi.tolist()) == ([3], [0], [999])
    assert len(history["loss"]) == 1000


def test_a_margin_adds_the_neighbours_as_points():
    history = logged(np.arange(1000), np.arange(1000.0))
    view = history.view(["loss"], 100, 899, 50, margin=2)
    assert view.x[:3].tolist() == [98, 99, 100]
    assert view.x1[-3:].tolist() == [899, 900, 901]
    assert history.view(["loss"], 0, 999, 1000, margin=2).count[0] == 1000
    # Between two points there is nothing but them.
    assert history.view(["loss"], 10.2, 10.8, margin=1).x.tolist() == [10, 11]


def test_several_series_lie_behind_one_another():
    history = History()
    history.append(0, 0.0, {"a": 1.0, "b": 2.0})
    history.append(1, 0.5, {"a": 3.0})
    view = history.view(["b", "a", "b"])
    assert view.count.tolist() == [1, 2, 1]
    assert view.start.tolist() == [0, 1, 3]
    assert view.mean.tolist() == [2.0, 1.0, 3.0, 2.0]
    assert view.mean[view.part(1)].tolist() == [1.0, 3.0]
    assert history.view([]).x.shape == (0,)


def test_the_arrays_have_the_types_of_the_wire():
    view = logged(np.arange(50), np.arange(50.0)).view(["loss"], buckets=7)
    types = [getattr(view, name).dtype.name for name in ("x", "x1", "t", "lo", "hi", "mean")]
    assert types == ["float64", "float64", "float32", "float32", "float32", "float32"]
    assert view.flags.dtype == np.uint8


def test_epochs_are_stretches_of_steps():
    history = logged(np.arange(100), np.zeros(100))
    epochs = [0, 20, 60]
    assert history.view(["loss"], 1, 2, axis="epoch", epochs=epochs).x[[0, -1]].tolist() == [20, 60]
    half = history.view(["loss"], 0.5, 1.5, axis="epoch", epochs=epochs)
    assert half.x[[0, -1]].tolist() == [10, 40]
    assert history.view(["loss"], 2.5, 9, axis="epoch", epochs=epochs).x[0] == 80
    assert history.view(["loss"], -1, None, axis="epoch", epochs=epochs).count[0] == 100
    assert history.view(["loss"], 0.2, 0.4, axis="epoch", epochs=[0]).count[0] == 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"axis": "x"}, "axis must be"), ({"buckets": 0}, "at least 1"), ({"x0": np.nan}, "NaN")],
)
def test_a_view_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        logged(np.arange(5), np.zeros(5)).view(["loss"], **arguments)


def test_numpy_set_to_raise_changes_nothing():
    with np.errstate(all="raise"):
        history = logged(np.arange(3000), np.tile([1e308, 5e-324, np.nan], 1000))
        view = history.view(["loss"], buckets=10)
    assert view.hi.max() == np.float32(FLOAT32_MAX)


@given(
    ends=st.tuples(
        st.floats(allow_nan=False, allow_infinity=False),
        st.floats(allow_nan=False, allow_infinity=False),
    ).map(sorted),
    buckets=st.integers(1, 1000),
)
@example(ends=[-1.0, -5e-324], buckets=2)  # the quarter of this end is no number of its own
def test_a_grid_has_no_more_cells_than_asked_for(ends, buckets):
    first, last = ends
    inner = grid(first, last, buckets)
    assert len(inner) < buckets
    assert (np.diff(inner) > 0).all()
    assert ((inner > first) & (inner <= last)).all()


@given(start=st.integers(-(10**9), 10**9), span=st.integers(1, 10**9), buckets=st.integers(4, 1000))
def test_a_grid_is_no_coarser_than_it_must_be(start, span, buckets):
    assert len(grid(start, start + span, buckets)) + 1 >= buckets / 4
