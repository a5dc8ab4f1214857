"""Every way in which a tracked loop ends, and what a stop holds for."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from tests.live.doubles import background, until
from tests.live.looping import Tracker


def test_break_is_a_stop(tracker: Tracker) -> None:
    source = iter(range(10))
    for item in tracker.track(source):
        assert tracker.state == "running"
        if item == 3:
            break
    assert tracker.state == "stopped"
    assert next(source) == 4


@pytest.mark.parametrize("problem", [ValueError("planted"), KeyboardInterrupt(), SystemExit()])
def test_what_the_body_raises_is_a_stop(tracker: Tracker, problem: BaseException) -> None:
    def loop() -> None:
        for item in tracker.track(range(10)):
            if item == 3:
                raise problem

    with pytest.raises(type(problem)):
        loop()
    assert tracker.state == "stopped"
    assert not tracker.session.looping


def test_a_return_out_of_it_is_a_stop(tracker: Tracker) -> None:
    def first() -> int:
        for item in tracker.track(range(7, 9)):
            return int(item)
        return -1

    assert first() == 7
    assert tracker.state == "stopped"


def test_what_the_iterable_raises_goes_through(tracker: Tracker) -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("no such file")

    tracked = iter(tracker.track(source()))
    assert next(tracked) == 1
    with pytest.raises(OSError, match="no such file"):
        next(tracked)
    assert tracker.state == "stopped"


def test_an_iterable_that_cannot_begin(tracker: Tracker) -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(tracker.track(Broken()))
    assert (tracker.state, tracker.session.looping) == ("stopped", False)


def test_the_iterator_is_where_the_stop_came(tracker: Tracker) -> None:
    source = iter(range(10))
    seen = []
    for item in tracker.track(source):
        seen.append(item)
        if item == 3:
            tracker.session.stop()
    assert (seen, tracker.state) == ([0, 1, 2, 3], "stopped")
    assert next(source) == 4


def test_a_stop_from_another_thread(tracker: Tracker) -> None:
    seen: list[int] = []

    def loop() -> None:
        for item in tracker.track(itertools.count()):
            seen.append(item)

    with background(loop):
        until(lambda: len(seen) > 10)
        assert tracker.state == "running"
        tracker.session.stop()
    assert tracker.state == "stopped"
    assert seen == list(range(len(seen)))


def test_a_stop_ends_all_nested_loops(tracker: Tracker) -> None:
    seen = []
    for epoch in tracker.track(range(3)):
        for item in tracker.track(range(4)):
            seen.append((epoch, item))
            if (epoch, item) == (1, 1):
                tracker.session.stop()
    assert seen[-1] == (1, 1)
    assert tracker.state == "stopped"


def test_a_stop_ends_all_epochs(tracker: Tracker) -> None:
    seen = []
    for item in tracker.track(range(4), epochs=5):
        seen.append(item)
        if len(seen) == 6:
            tracker.session.stop()
    assert (len(seen), tracker.state) == (6, "stopped")


def test_a_stop_holds_for_an_inner_loop_that_is_begun_again(tracker: Tracker) -> None:
    seen = []
    for _ in range(3):
        for item in tracker.track(range(4)):
            seen.append(item)
            if item == 1:
                tracker.session.stop()
    assert (seen, tracker.state) == ([0, 1], "stopped")


def test_a_stop_holds_through_a_validation_loop(tracker: Tracker) -> None:
    """The first validation may still run (it comes after the stop); no epoch follows."""
    seen = []
    for epoch in range(4):
        for item in tracker.track(range(3)):
            seen.append(f"t{epoch}{item}")
            if seen == ["t00", "t01"]:
                tracker.session.stop()
        for item in tracker.track(range(2)):
            seen.append(f"v{epoch}{item}")
    assert seen == ["t00", "t01", "v00", "v01"]
    assert (tracker.state, tracker.session.should_stop) == ("stopped", True)


def test_a_stop_in_a_later_epoch_ends_the_validation_too(tracker: Tracker) -> None:
    seen = []
    for epoch in range(4):
        for item in tracker.track(range(2)):
            seen.append(f"t{epoch}{item}")
            if seen[-1] == "t10":
                tracker.session.stop()
        for item in tracker.track(range(1)):
            seen.append(f"v{epoch}{item}")
    assert seen == ["t00", "t01", "v00", "t10"]
    assert tracker.state == "stopped"


def test_an_outer_loop_that_asks_should_stop_ends_although_others_were_tracked(
    tracker: Tracker,
) -> None:
    rounds = 0
    while not tracker.session.should_stop:
        rounds += 1
        assert rounds < 5
        for item in tracker.track(range(3)):
            if rounds == 2 and item == 1:
                tracker.session.stop()
        list(tracker.track(range(2)))
    assert rounds == 2


def test_an_evaluation_after_a_stop_runs(tracker: Tracker) -> None:
    for item in tracker.track(range(4)):
        if item == 1:
            tracker.session.stop()
    assert list(tracker.track("xyz")) == ["x", "y", "z"]
    assert tracker.state == "finished"


def test_such_an_evaluation_can_be_stopped_by_a_click_of_its_own(tracker: Tracker) -> None:
    for item in tracker.track(range(4)):
        if item == 1:
            tracker.session.stop()
    seen = []
    for item in tracker.track("xyz"):
        seen.append(item)
        if item == "y":
            tracker.session.stop()
    assert (seen, tracker.state) == (["x", "y"], "stopped")


def test_a_stop_holds_for_a_function_that_a_plain_loop_calls_again(tracker: Tracker) -> None:
    seen: list[int] = []

    def train_one_epoch() -> None:
        for item in tracker.track(range(4)):
            seen.append(item)
            if item == 1:
                tracker.session.stop()

    for _ in range(3):
        train_one_epoch()
    assert (seen, tracker.state) == ([0, 1], "stopped")


def test_training_again_further_down_is_another_loop(tracker: Tracker) -> None:
    seen: list[int] = []

    def train(stop_at: int) -> None:
        for item in tracker.track(range(3)):
            seen.append(item)
            if item == stop_at:
                tracker.session.stop()

    train(1)
    assert (seen, tracker.state) == ([0, 1], "stopped")
    train(-1)
    assert (seen, tracker.state) == ([0, 1, 0, 1, 2], "finished")


def test_a_new_cell_forgets_the_stop(tracker: Tracker) -> None:
    def train() -> list[int]:
        return list(tracker.track(range(4)))

    for item in tracker.track(range(4)):
        if item == 1:
            tracker.session.stop()
    tracker.session.cell_ended(None)
    tracker.session.cell_began()
    assert train() == [0, 1, 2, 3]
    assert tracker.state == "finished"


def test_resume_forgets_the_stop(tracker: Tracker) -> None:
    seen = []
    for round_ in range(2):
        for item in tracker.track(range(3)):
            seen.append(item)
            if round_ == 0 and item == 1:
                tracker.session.stop()
        tracker.session.control.resume()
    assert seen == [0, 1, 0, 1, 2]


def test_a_kept_iterator_of_a_broken_loop_does_not_hold_the_state(tracker: Tracker) -> None:
    kept = iter(tracker.track(range(5)))
    next(kept)
    tracker.session._thread = threading.main_thread().ident
    tracker.session.cell_ended(ValueError("planted"))
    tracker.loops.abandon()
    assert tracker.state == "stopped"
    assert list(tracker.track("ab")) == ["a", "b"]
    assert tracker.progress.epoch is None  # not taken for an inner loop of the broken one
    assert list(kept) == [1, 2, 3, 4]  # and using it after all harms nobody
    assert not tracker.session.looping
