"""Items of a run of unknown length, of which a few are kept: how evenly, and which."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.probe.thinning import Thinning


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
