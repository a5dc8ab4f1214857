"""Wishes and what the loop does about them, with a real thread that waits."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import pytest

from nnwidgets.live.control import Control
from tests.live.doubles import background, until


class Loop:
    """A loop of twelve rounds, each with one place at which it may be held."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.control = Control(lambda: self.states.append(self.control.state))
        self.rounds = 0
        self.work: list[str] = []

    def run(self) -> None:
        self.control.begin()
        for _ in range(12):
            self.rounds += 1
            self.control.hold(lambda: self.work.append("nap"))
            if self.control.stopping:
                self.control.end("stopped")
                return
        self.control.end("finished")


def test_it_runs_through_when_nobody_asks_for_anything() -> None:
    loop = Loop()
    assert loop.control.state == "idle"
    loop.run()
    assert (loop.rounds, loop.control.state) == (12, "finished")
    assert loop.states == ["running", "finished"]
    assert not loop.work


def test_pause_step_resume() -> None:
    loop = Loop()
    control = loop.control
    control.pause()
    assert control.state == "paused"  # asked for before the loop has begun
    with background(loop.run):
        until(lambda: control.waiting)
        assert (control.state, loop.rounds) == ("paused", 1)
        for expected in (2, 3, 4):
            control.step()
            until(lambda n=expected: loop.rounds == n and control.waiting)
        until(lambda: len(loop.work) > 2)  # it works between naps
        control.resume()
    assert (loop.rounds, control.state) == (12, "finished")
    assert not control.pause_wanted


def test_a_pause_asked_for_reads_running_until_it_is_reached() -> None:
    control = Control(lambda: None)
    control.begin()
    control.pause()
    assert control.pause_wanted
    assert control.state == "running"


def test_step_while_running_waits_after_this_step() -> None:
    control = Control(lambda: None)
    control.begin()
    control.step()
    with background(lambda: control.hold(lambda: None)):
        until(lambda: control.waiting)
        control.resume()


def test_step_before_anything_runs_lets_one_step_pass() -> None:
    loop = Loop()
    loop.control.step()
    with background(loop.run):
        until(lambda: loop.control.waiting)
        assert loop.rounds == 2
        loop.control.resume()


def test_two_steps_at_once_are_one_step() -> None:
    loop = Loop()
    loop.control.pause()
    with background(loop.run):
        until(lambda: loop.control.waiting)
        with loop.control._condition:  # both clicks arrive before the loop gets to look
            loop.control.step()
            loop.control.step()
        until(lambda: loop.rounds == 2 and loop.control.waiting)
        loop.control.resume()


def test_a_pause_takes_back_a_step_that_has_not_begun() -> None:
    control = Control(lambda: None)
    control.step()
    control.pause()
    control.begin()
    with background(lambda: control.hold(lambda: None)):
        until(lambda: control.waiting)
        control.resume()


def test_stop_releases_a_pause() -> None:
    loop = Loop()
    loop.control.pause()
    with background(loop.run):
        until(lambda: loop.control.waiting)
        loop.control.stop(ended=False)
    assert (loop.rounds, loop.control.state) == (1, "stopped")


def test_resume_takes_back_a_stop_that_has_not_ended_the_loop() -> None:
    control = Control(lambda: None)
    control.begin()
    control.stop(ended=False)
    assert control.state == "running"
    control.resume()
    assert not control.stop_wanted
    assert not control.stopping


def test_a_stopped_or_finished_loop_cannot_be_paused() -> None:
    control = Control(lambda: None)
    for ending in ("stopped", "finished"):
        control.begin()
        control.end(ending)  # type: ignore[arg-type]
        control.pause()
        control.step()
        assert not control.pause_wanted
        assert control.state == ending


def test_a_loop_that_is_stopping_cannot_be_paused() -> None:
    control = Control(lambda: None)
    control.begin()
    control.stop(ended=False)
    control.pause()
    control.step()
    assert not control.pause_wanted


def test_wishes_lapse_with_the_loop() -> None:
    control = Control(lambda: None)
    control.begin()
    control.pause()
    control.end("finished")
    control.begin()
    control.hold(lambda: pytest.fail("the pause belonged to the loop before"))


def test_a_loop_may_outlive_a_stop_but_not_the_next() -> None:
    control = Control(lambda: None)
    control.begin()
    control.stop(ended=False)
    control.end("stopped")
    control.begin(forget=False)
    assert control.stop_wanted
    assert not control.stopping
    control.pause()
    assert control.pause_wanted
    control.stop(ended=False)
    assert control.stopping


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), RuntimeError("planted"), SystemExit()])
def test_what_interrupts_a_pause_ends_it(problem: BaseException) -> None:
    loop = Loop()
    loop.control.pause()
    loop.control.begin()

    def meanwhile() -> None:
        assert loop.control.state == "paused"
        raise problem

    with pytest.raises(type(problem)):
        loop.control.hold(meanwhile)
    assert not loop.control.waiting
    assert loop.control.state == "running"
    loop.control.hold(lambda: pytest.fail("the next run of the loop hangs on it"))


def test_close_releases_a_waiting_loop_and_makes_none_wait() -> None:
    loop = Loop()
    loop.control.pause()
    with background(loop.run):
        until(lambda: loop.control.waiting)
        loop.control.close()
    assert loop.control.state == "finished"
    loop.control.begin()
    loop.control.pause()
    loop.control.step()
    loop.control.hold(lambda: pytest.fail("closed, and yet it waits"))


def test_rest_is_only_for_a_loop_that_runs() -> None:
    control = Control(lambda: None)
    control.active()
    assert control.state == "running"
    control.rest()
    assert control.state == "idle"
    control.end("finished")
    control.rest()
    assert control.state == "finished"


def test_a_paused_loop_does_not_come_to_rest() -> None:
    loop = Loop()
    loop.control.pause()
    with background(loop.run):
        until(lambda: loop.control.waiting)
        loop.control.rest()
        assert loop.control.state == "paused"
        loop.control.resume()
    assert loop.control.state == "finished"


def test_every_change_is_told() -> None:
    loop = Loop()
    loop.control.pause()
    with background(loop.run):
        until(lambda: loop.control.waiting)
        until(lambda: loop.states[-1] == "paused")
        loop.control.resume()
    assert [state for state, _ in itertools.groupby(loop.states)] == [
        "paused",
        "running",
        "paused",
        "running",
        "finished",
    ]


def test_clicks_from_many_threads_never_hang_the_loop() -> None:
    loop = Loop()
    over = threading.Event()

    def click(wish: Callable[[], None]) -> None:
        while not over.is_set():
            wish()

    control = loop.control
    with (
        background(lambda: click(control.pause)),
        background(lambda: click(control.resume)),
        background(lambda: click(control.step)),
        background(loop.run) as thread,
    ):
        until(lambda: thread.done)
        over.set()
    assert loop.rounds == 12
