"""What a user may give to ``track()``: numbers of numpy's, lengths that fail, loops in loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from tests.live.looping import Tracker


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), torch.tensor(2)], ids=repr)
def test_whole_numbers_of_other_libraries(tracker: Tracker, number: Any) -> None:
    given = tracker.track([7, 8, 9], epochs=number)
    assert len(given) == 6
    assert list(given) == [7, 8, 9] * 2
    for _ in tracker.track(iter("ab"), total=number):
        assert tracker.progress.total == 2
        assert type(tracker.progress.total) is int  # it goes to the browser as JSON


@pytest.mark.parametrize(
    "number", [True, np.True_, 2.0, np.float64(2), "2", torch.tensor([2, 2]), torch.tensor(2.0)]
)
def test_what_is_no_whole_number_is_refused_at_once(tracker: Tracker, number: Any) -> None:
    with pytest.raises(ValueError, match="epochs must be a whole number of at least 1, not"):
        tracker.track([1], epochs=number)
    with pytest.raises(ValueError, match="total must be a whole number of items or None, not"):
        tracker.track([1], total=number)
    assert not tracker.session.looping


class Streaming:
    """A data set whose length cannot be had, said in one of the ways that libraries have."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2, 3])

    def __len__(self) -> int:
        if isinstance(self.problem, Exception):
            raise self.problem
        return self.problem  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "problem",
    [TypeError(), NotImplementedError(), AttributeError(), RuntimeError("streaming"), -1, "three"],
    ids=repr,
)
def test_a_length_that_fails_is_no_length(tracker: Tracker, problem: Any) -> None:
    seen = []
    for item in tracker.track(Streaming(problem), epochs=2):
        # The second round is taken to be as long as the first was.
        assert tracker.progress.total == (None if len(seen) < 3 else 6)
        seen.append(item)
    assert seen == [1, 2, 3] * 2


@pytest.mark.parametrize("kind", [list, Streaming])
def test_a_class_is_no_iterable(tracker: Tracker, kind: type) -> None:
    with pytest.raises(TypeError, match=f"not the class {kind.__name__}; pass a DataLoader"):
        tracker.track(kind)  # type: ignore[arg-type]


def test_three_loops_count_the_innermost_items_alone(tracker: Tracker) -> None:
    seen = []
    for _fold in tracker.track(range(2)):
        for _epoch in tracker.track(range(3)):
            for _batch in tracker.track(range(4)):
                progress = tracker.progress
                seen.append((progress.epoch, progress.done, progress.total))
    assert seen == [((1 + i // 12, 2), i, 24) for i in range(24)]
    assert (tracker.progress.done, tracker.progress.total) == (24, 24)


def test_a_validation_in_the_middle_loop(tracker: Tracker) -> None:
    seen = []
    for _fold in tracker.track(range(2)):
        for _epoch in tracker.track(range(3)):
            for _batch in tracker.track(range(4)):
                pass
            for _batch in tracker.track(range(2)):
                seen.append((tracker.progress.done, tracker.progress.total))
    assert [done for done, _ in seen] == [
        18 * fold + 6 * epoch + i for fold in range(2) for epoch in range(3) for i in (4, 5)
    ]
    assert seen[-1] == (35, 36)
    # from the first validation on it is known what an epoch takes
    assert [total for _, total in seen] == [36] * 12


def test_two_loops_side_by_side(tracker: Tracker) -> None:
    seen = []
    for a, b in zip(tracker.track(range(4)), tracker.track("abcd"), strict=True):
        seen.append((a, b))
        progress = tracker.progress
        assert progress.total is not None
        assert progress.done <= progress.total
    assert seen == list(zip(range(4), "abcd", strict=True))
    assert tracker.session.control.state == "finished"


def test_an_iterator_that_lasts_over_epochs(tracker: Tracker) -> None:
    """As endless loaders are used: so many batches make an epoch."""
    batches = iter(tracker.track(range(12)))
    seen = []
    for _epoch in range(2):
        for _ in range(6):
            next(batches)
            seen.append((tracker.progress.done, tracker.progress.total))
    assert seen == [(i, 12) for i in range(12)]
    assert list(batches) == []


def test_an_inner_loop_that_is_left_early_is_not_counted_whole(tracker: Tracker) -> None:
    totals = []
    for _epoch in tracker.track(range(3)):
        for i in tracker.track(range(100)):
            if i == 5:
                break
        for _ in tracker.track(range(5)):
            totals.append(tracker.progress.total)
    assert totals == [30] * 15
