"""A pause holds a tracked loop between two items; Step lets one step pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nnwidgets.live.session import Session
from tests.live.doubles import background, small, take_step, until
from tests.live.looping import Tracker


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
