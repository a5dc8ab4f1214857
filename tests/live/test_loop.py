"""``track()`` on a session without a widget: order, progress, stop, and every way to end."""

from __future__ import annotations

import gc
import itertools
import math
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from nnwidgets.live.loop import Loops, Progress, Tracked
from nnwidgets.live.session import Session
from tests.live.doubles import background, small, take_step, until


class Tracker:
    """What a widget is to the loop: one call between the program and `Loops`."""

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session()
        self.loops = Loops(self.session)

    def track(self, iterable: Iterable[Any], **options: Any) -> Tracked[Any]:
        return self.loops.track(iterable, **options)

    @property
    def state(self) -> str:
        return self.session.control.state

    @property
    def progress(self) -> Progress:
        return self.loops.progress


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


class Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(5))


# --- what is iterated --------------------------------------------------------------------

ITERABLES = {
    "range": lambda: range(5),
    "list": lambda: [0, 1, 2, 3, 4],
    "tuple": lambda: (0, 1, 2, 3, 4),
    "dict": lambda: dict.fromkeys(range(5)),
    "generator": lambda: (i for i in range(5)),
    "iterator": lambda: iter(range(5)),
    "map": lambda: map(int, "01234"),
    "zip": lambda: zip(range(5), strict=True),
    "text": lambda: "abcde",
    "tensor": lambda: torch.arange(5),
    "empty": lambda: [],
    "loader": lambda: DataLoader(TensorDataset(torch.arange(5))),
    "iterable dataset": lambda: DataLoader(Endless(), batch_size=None),
}


@pytest.mark.parametrize("name", ITERABLES)
def test_every_iterable_gives_its_own_items(tracker: Tracker, name: str) -> None:
    make = ITERABLES[name]
    assert [repr(item) for item in tracker.track(make())] == [repr(item) for item in make()]
    assert tracker.state == "finished"


def test_getitem_is_enough(tracker: Tracker) -> None:
    class Old:
        def __getitem__(self, place: int) -> int:
            if place > 3:
                raise IndexError
            return place

    assert list(tracker.track(Old())) == [0, 1, 2, 3]


def test_workers_deliver_through_it(tracker: Tracker) -> None:
    loader = DataLoader(TensorDataset(torch.arange(6)), batch_size=2, num_workers=2)
    seen = [batch.tolist() for (batch,) in tracker.track(loader)]
    assert seen == [[0, 1], [2, 3], [4, 5]]
    assert tracker.progress.total == 3


def test_a_stop_while_workers_run_leaves_none_behind(tracker: Tracker) -> None:
    loader = DataLoader(TensorDataset(torch.arange(40)), num_workers=1)
    for i, _ in enumerate(tracker.track(loader)):
        if i == 2:
            tracker.session.stop()
    assert tracker.state == "stopped"
    gc.collect()
    assert not torch.multiprocessing.active_children()


def test_epochs_go_through_it_again(tracker: Tracker) -> None:
    assert list(tracker.track("ab", epochs=3)) == list("ababab")
    assert [epoch for epoch, _, _ in tracker.loops.epoch_marks] == [0, 1, 2]


def test_its_length(tracker: Tracker) -> None:
    assert len(tracker.track("abc")) == 3
    assert len(tracker.track("abc", epochs=4)) == 12
    assert len(tracker.track((i for i in "abc"), total=3)) == 3
    for endless in (tracker.track(i for i in "abc"), tracker.track(DataLoader(Endless()))):
        with pytest.raises(TypeError, match="pass total="):
            len(endless)


def test_it_can_be_asked_for_one_item_at_a_time(tracker: Tracker) -> None:
    tracked = tracker.track("abc")
    assert next(tracked) == "a"
    assert next(tracked) == "b"
    assert tracker.state == "running"
    assert next(tracked) == "c"
    with pytest.raises(StopIteration):
        next(tracked)
    assert tracker.state == "finished"


def test_with_ends_what_next_began(tracker: Tracker) -> None:
    with tracker.track("abc") as tracked:
        next(tracked)
        assert tracker.state == "running"
    assert tracker.state == "stopped"


def test_it_goes_through_zip_and_enumerate(tracker: Tracker) -> None:
    assert list(enumerate(tracker.track("ab"))) == [(0, "a"), (1, "b")]
    assert list(zip(tracker.track("ab"), "xyz", strict=False)) == [("a", "x"), ("b", "y")]
    assert tracker.state == "finished"


@pytest.mark.parametrize(
    ("iterable", "options", "error", "sentence"),
    [
        (5, {}, TypeError, "something to iterate over, not int; pass a DataLoader"),
        (None, {}, TypeError, "not NoneType"),
        ("ab", {"epochs": 0}, ValueError, "epochs must be a whole number of at least 1, not 0"),
        ("ab", {"epochs": 1.5}, ValueError, "not 1.5"),
        ("ab", {"epochs": True}, ValueError, "not True"),
        ("ab", {"total": -1}, ValueError, "total must be a whole number of items or None"),
        ("ab", {"total": "2"}, ValueError, "not '2'"),
        ((i for i in "ab"), {"epochs": 2}, ValueError, "iterate 2 times, and this generator can"),
    ],
)
def test_what_cannot_be_iterated_is_refused_at_once(
    tracker: Tracker, iterable: Any, options: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        tracker.track(iterable, **options)
    assert tracker.state == "idle"


# --- how it ends -------------------------------------------------------------------------


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


# --- pausing -----------------------------------------------------------------------------


def test_a_pause_holds_between_two_items(tracker: Tracker) -> None:
    source = iter(range(10))
    log: list[str] = []

    def loop() -> None:
        for item in tracker.track(source):
            log.append(f"begin {item}")
            if item == 2:
                tracker.session.control.pause()
            log.append(f"end {item}")

    with background(loop):
        until(lambda: tracker.session.control.waiting)
        assert tracker.state == "paused"
        assert log[-1] == "end 2"
        assert next(source) == 3  # no item was fetched ahead
        tracker.session.control.resume()
    assert log[-1] == "end 9"
    assert "begin 3" not in log


def test_a_pause_before_the_loop_holds_before_the_first_item(tracker: Tracker) -> None:
    tracker.session.control.pause()
    seen: list[int] = []

    def loop() -> None:
        for item in tracker.track(range(3)):
            seen.append(item)

    with background(loop):
        until(lambda: tracker.session.control.waiting)
        assert seen == []
        tracker.session.control.step()
        until(lambda: seen == [0] and tracker.session.control.waiting)
        tracker.session.control.resume()
    assert seen == [0, 1, 2]


def test_keyboard_interrupt_goes_through_a_pause(tracker: Tracker) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def loop() -> None:
        for item in tracker.track(range(5)):
            if item == 1:
                tracker.session.control.pause()
                tracker.session.submit(lambda: None)
                tracker.session.host.pump = interrupt  # type: ignore[method-assign]

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert tracker.state == "stopped"
    assert list(tracker.track("ab")) == ["a", "b"]  # nothing hangs


def press_step(tracker: Tracker, loop: Any, passed: list[Any]) -> list[int]:
    """Press Step until the loop has ended; return how much passed each time."""
    control = tracker.session.control
    counts = []
    control.pause()
    with background(loop) as thread:
        while True:
            until(lambda: control.waiting or thread.done)
            counts.append(len(passed))
            if thread.done:
                break
            control.step()
            until(lambda: len(passed) > counts[-1] or not control.pause_wanted or thread.done)
    return counts


def test_step_lets_one_step_pass_also_across_epochs() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    tracker = Tracker(session)
    passed: list[int] = []

    def loop() -> None:
        for _ in tracker.track(range(3)):
            for _ in tracker.track(range(2)):
                take_step(model, optimizer)
                passed.append(session.step)

    assert press_step(tracker, loop, passed) == [0, 1, 2, 3, 4, 5, 6, 6]


def test_step_lets_one_step_pass_with_epochs() -> None:
    tracker = Tracker()
    passed: list[int] = []

    def loop() -> None:
        for item in tracker.track(range(2), epochs=3):
            passed.append(item)

    assert press_step(tracker, loop, passed) == [0, 1, 2, 3, 4, 5, 6, 6]


def test_step_lets_one_step_pass_with_validation_in_between() -> None:
    """Validation is no step: one press goes through it, to the end of the next training step."""
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    tracker = Tracker(session)
    passed: list[str] = []

    def loop() -> None:
        for _ in tracker.track(range(2)):
            for _ in tracker.track(range(2)):
                take_step(model, optimizer)
                passed.append("train")
            for _ in tracker.track(range(3)):
                passed.append("val")

    counts = press_step(tracker, loop, passed)
    steps = [passed[:count].count("train") for count in counts]
    assert steps[:-1] == [0, 1, 2, 3, 4]


def test_step_lets_one_optimizer_step_pass_when_gradients_accumulate() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    tracker = Tracker(session)
    passed: list[int] = []

    def loop() -> None:
        for i in tracker.track(range(12)):
            model(torch.ones(4, 3)).square().sum().backward()
            if i % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
                passed.append(session.step)

    assert press_step(tracker, loop, passed) == [0, 1, 2, 3, 3]


def test_step_passes_one_item_of_a_loop_that_only_evaluates() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    take_step(model, optimizer)
    tracker = Tracker(session)
    passed: list[int] = []

    def loop() -> None:
        model.eval()
        for item in tracker.track(range(3)):
            passed.append(item)

    assert press_step(tracker, loop, passed) == [0, 1, 2, 3, 3]


def test_a_pause_in_a_validation_that_step_passes_holds_there() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    tracker = Tracker(session)
    control = session.control
    passed: list[str] = []

    def loop() -> None:
        for _ in tracker.track(range(2)):
            for _ in tracker.track(range(1)):
                take_step(model, optimizer)
                passed.append("train")
            for item in tracker.track(range(3)):
                passed.append(f"val {item}")
                if item == 1:
                    control.pause()

    control.step()
    with background(loop):
        until(lambda: control.waiting)
        assert passed == ["train"]
        control.step()
        until(lambda: control.waiting and len(passed) > 1)
        assert passed == ["train", "val 0", "val 1"]
        control.stop(ended=False)


# --- progress ----------------------------------------------------------------------------


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
