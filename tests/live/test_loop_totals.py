"""What is said to come and what comes are not always the same: as in tqdm, the total then goes."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from tests.live.looping import Tracker

tqdm = pytest.importorskip("tqdm").tqdm


class Rounds:
    """Gives another number of items in each round."""

    def __init__(self, *lengths: int) -> None:
        self.lengths = iter(lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(range(next(self.lengths)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("nnwidgets.live.loop.perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize("total", [0, 1, 3, 8, 9, 20])
def test_a_total_goes_when_tqdm_lets_it_go(
    tracker: Tracker, clock: list[float], total: int
) -> None:
    for item in tracker.track(iter(range(9)), total=total):
        clock[0] += 1.0
        now = tracker.progress
        # tqdm knows of an item when it is over, we know when it comes.
        meter = tqdm.format_meter(item + 1, total, elapsed=1.0)
        assert (now.total is not None) == ("%" in meter)
        assert now.done == item
        if now.total is None:
            assert math.isnan(now.eta)
        else:
            assert now.done < now.total == total
            assert not now.eta < 0
    ended = tracker.progress
    assert (ended.done, ended.total) == (9, total if total >= 9 else None)


def test_a_loader_that_says_too_little(tracker: Tracker) -> None:
    """As len() of a DataLoader over an IterableDataset does with several workers."""

    class Loader:
        def __len__(self) -> int:
            return 2

        def __iter__(self) -> Iterator[int]:
            return iter(range(5))

    seen = [(tracker.progress.done, tracker.progress.total) for _ in tracker.track(Loader())]
    assert seen == [(0, 2), (1, 2), (2, None), (3, None), (4, None)]


def test_rounds_to_come_are_taken_to_be_as_long_as_the_last_one(tracker: Tracker) -> None:
    seen = []
    for _ in tracker.track(Rounds(4, 3, 3), epochs=3, total=3):
        now = tracker.progress
        seen.append((now.epoch, now.done, now.total))
    assert seen == [
        *((((1, 3)), i, 9) for i in range(3)),
        ((1, 3), 3, None),
        *(((2, 3), i, 12) for i in range(4, 7)),  # 4 were, and 4 each are to come
        *(((3, 3), i, 10) for i in range(7, 10)),  # 4 and 3 were, and 3 are to come
    ]
    assert (tracker.progress.done, tracker.progress.total) == (10, 10)


def test_more_epochs_than_there_should_be(tracker: Tracker) -> None:
    seen = []
    for _ in tracker.track(iter(range(3)), total=2):
        for _ in tracker.track(range(2)):
            now = tracker.progress
            seen.append((now.epoch, now.done, now.total))
    assert seen == [
        ((1, 2), 0, 4),
        ((1, 2), 1, 4),
        ((2, 2), 2, 4),
        ((2, 2), 3, 4),
        ((3, None), 4, None),
        ((3, None), 5, None),
    ]


def test_more_batches_in_an_epoch_than_there_should_be(tracker: Tracker) -> None:
    seen = []
    for _ in tracker.track(range(2)):
        for _ in tracker.track(iter(range(4)), total=3):
            now = tracker.progress
            seen.append((now.epoch, now.done, now.total))
    assert seen == [
        *(((1, 2), i, 6) for i in range(3)),
        ((1, 2), 3, None),
        *(((2, 2), i, 8) for i in range(4, 8)),  # it is known from the first epoch
    ]


def test_batches_of_unknown_number_are_not_taken_for_half_of_all(tracker: Tracker) -> None:
    """In the first of two epochs "3 of 6", then "4 of 8", would say nothing that is so."""
    seen = []
    for epoch in tracker.track(range(3)):
        for _ in tracker.track(iter(range((3, 3, 5)[epoch]))):
            seen.append((tracker.progress.done, tracker.progress.total))
    assert seen == [
        *((i, None) for i in range(3)),
        *((3 + i, 9) for i in range(3)),
        *((6 + i, 9) for i in range(4)),
        (10, None),  # beyond what an epoch held before
    ]


@pytest.mark.parametrize("line", range(12))
def test_a_total_may_go_while_another_thread_asks(tracker: Tracker, line: int) -> None:
    """The publisher asks at any moment, also at that of one item too many."""
    lines = iter(range(1000))

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and next(lines) == line:
            tracker.loops.begin_item(level)
        return trace

    for item in tracker.track(iter(range(2)), total=2):
        if item == 1:
            (level,) = tracker.loops._levels
            level.done = 2  # what comes next is one too many
            before = sys.gettrace()
            sys.settrace(trace)
            try:
                now = tracker.progress
            finally:
                sys.settrace(before)
            assert (now.done, now.total) in [(2, 2), (2, None)]
