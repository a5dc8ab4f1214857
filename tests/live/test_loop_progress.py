"""How far a tracked loop is, how fast, and where its epochs begin."""

from __future__ import annotations

import math

import pytest

from nnwidgets.live.loop import Progress
from nnwidgets.live.session import Session
from tests.live.doubles import small, take_step
from tests.live.looping import Tracker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("nnwidgets.live.loop.perf_counter", lambda: now[0])
    return now


def test_progress_of_one_loop(tracker: Tracker, clock: list[float]) -> None:
    assert tracker.progress == Progress(
        None, 0, None, pytest.approx(math.nan, nan_ok=True), pytest.approx(math.nan, nan_ok=True)
    )
    seen = []
    for _ in tracker.track(range(8)):
        progress = tracker.progress
        seen.append((progress.epoch, progress.done, progress.total))
        clock[0] += 0.5
    assert seen == [(None, i, 8) for i in range(8)]
    assert (tracker.progress.done, tracker.progress.total) == (8, 8)


def test_rate_and_time_left(tracker: Tracker, clock: list[float]) -> None:
    for item in tracker.track(range(40)):
        if item == 20:
            assert tracker.progress.rate == pytest.approx(2.0)
            assert tracker.progress.eta == pytest.approx(10.0)
        clock[0] += 0.5


def test_pauses_do_not_count_into_the_rate(tracker: Tracker, clock: list[float]) -> None:
    for item in tracker.track(range(40)):
        if item == 10:  # as the session books a pause of an hour
            clock[0] += 3600
            tracker.session.paused_seconds += 3600
        if item == 20:
            assert tracker.progress.rate == pytest.approx(2.0)
        clock[0] += 0.5


def test_without_a_length_no_time_left_is_told(tracker: Tracker, clock: list[float]) -> None:
    for item in tracker.track(i for i in range(9)):
        if item == 5:
            progress = tracker.progress
            assert (progress.done, progress.total) == (5, None)
            assert progress.rate == pytest.approx(1.0)
            assert math.isnan(progress.eta)
        clock[0] += 1.0


def test_total_gives_a_generator_a_length(tracker: Tracker, clock: list[float]) -> None:
    for item in tracker.track((i for i in range(9)), total=9):
        if item == 5:
            assert tracker.progress.total == 9
            assert tracker.progress.eta == pytest.approx(4.0)
        clock[0] += 1.0


def test_a_total_that_was_too_small_never_gives_a_negative_time(
    tracker: Tracker, clock: list[float]
) -> None:
    for _ in tracker.track((i for i in range(9)), total=3):
        clock[0] += 1.0
        assert not tracker.progress.eta < 0


def test_epochs_of_one_loop(tracker: Tracker) -> None:
    seen = []
    for _ in tracker.track(range(2), epochs=3):
        progress = tracker.progress
        seen.append((progress.epoch, progress.done, progress.total))
    assert seen == [((e, 3), 2 * (e - 1) + i, 6) for e in (1, 2, 3) for i in (0, 1)]


def test_nested_loops_are_epoch_and_batch(tracker: Tracker) -> None:
    seen = []
    for _ in tracker.track(range(2)):
        for _ in tracker.track(range(3)):
            progress = tracker.progress
            seen.append((progress.epoch, progress.done, progress.total))
    assert seen == [((e, 2), 3 * (e - 1) + i, 6) for e in (1, 2) for i in range(3)]
    assert [epoch for epoch, _, _ in tracker.loops.epoch_marks] == [0, 1]
    progress = tracker.progress
    assert (progress.epoch, progress.done, progress.total) == ((2, 2), 6, 6)


def test_nested_loops_of_unknown_length(tracker: Tracker) -> None:
    seen = []
    for _ in tracker.track(i for i in range(2)):
        for _ in tracker.track(i for i in range(3)):
            progress = tracker.progress
            seen.append((progress.epoch, progress.done, progress.total))
    assert seen == [((e, None), 3 * (e - 1) + i, None) for e in (1, 2) for i in range(3)]


def test_training_and_validation_inside_an_epoch(tracker: Tracker) -> None:
    seen = []
    for _ in tracker.track(range(2)):
        for _ in tracker.track(range(3)):
            seen.append((tracker.progress.done, tracker.progress.total))
        for _ in tracker.track(range(2)):
            seen.append((tracker.progress.done, tracker.progress.total))
    assert seen[5:] == [(5 + i, 10) for i in range(5)]  # from the second epoch on it is known
    assert [done for done, _ in seen] == list(range(10))


def test_a_plain_inner_loop_makes_the_outer_one_epochs() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    tracker = Tracker(session)
    epochs = []
    for _ in tracker.track(range(3)):
        for _ in range(4):
            take_step(model, optimizer)
        epochs.append(tracker.progress.epoch)
    assert epochs == [None, (2, 3), (3, 3)]
    assert [(epoch, step) for epoch, step, _ in tracker.loops.epoch_marks] == [
        (0, 0),
        (1, 4),
        (2, 8),
    ]


def test_epoch_marks_stand_at_the_step_where_an_epoch_begins() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    tracker = Tracker(session)
    for _ in tracker.track(range(3)):
        for _ in tracker.track(range(4)):
            take_step(model, optimizer)
        for _ in tracker.track(range(2)):
            pass
    assert [(epoch, step) for epoch, step, _ in tracker.loops.epoch_marks] == [
        (0, 0),
        (1, 4),
        (2, 8),
    ]


def test_progress_stays_when_the_loop_has_ended(tracker: Tracker) -> None:
    for item in tracker.track(range(10)):
        if item == 3:
            break
    assert (tracker.progress.done, tracker.progress.total) == (3, 10)


def test_marks_of_very_many_epochs_are_bounded(tracker: Tracker) -> None:
    for _ in tracker.track([0], epochs=25_000):
        pass
    marks = tracker.loops.epoch_marks
    assert len(marks) <= 10_001
    assert marks[0][0] == 0
    assert [epoch for epoch, _, _ in marks] == sorted(epoch for epoch, _, _ in marks)
