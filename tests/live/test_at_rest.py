"""Work that needs the model at rest: which thread does it, and that it is done at all.

Looks put the random number generators of the process aside and back. Another thread that draws
meanwhile would lose its numbers, so no thread but the one that draws may look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from torch import nn

from nnwidgets.live.at_rest import at_rest
from nnwidgets.live.commands import Ticket
from nnwidgets.live.session import Session
from tests.live.doubles import background, small, take_step, until


class Kernel:
    """A host whose main thread can be given work."""

    needs_pump = False
    in_cell = False

    def __init__(self) -> None:
        self.left: list[Callable[[], None]] = []

    def pump(self) -> None:
        """There are no messages."""

    def soon(self, call: Callable[[], None]) -> bool:
        self.left.append(call)
        return True


def test_at_rest_the_main_thread_does_it_at_once() -> None:
    session = Session(nn.Linear(1, 1))
    assert at_rest(session, threading.get_ident) == threading.get_ident()


def test_a_handler_leaves_it_to_the_main_thread() -> None:
    host = Kernel()
    session = Session(nn.Linear(1, 1), host=host)
    done: list[int] = []
    with background(lambda: done.append(at_rest(session, threading.get_ident))):
        until(lambda: host.left)
        host.left.pop(0)()
    assert done == [threading.get_ident()]


def test_a_problem_is_raised_where_it_was_asked() -> None:
    host = Kernel()
    session = Session(nn.Linear(1, 1), host=host)

    def wrong() -> None:
        raise ValueError("no such thing.")

    def ask() -> None:
        with pytest.raises(ValueError, match="no such thing"):
            at_rest(session, wrong)

    with background(ask):
        until(lambda: host.left)
        host.left.pop(0)()


def test_a_paused_loop_does_it_itself() -> None:
    """It may be resumed at any moment, and would then draw random numbers beside us."""
    model, optimizer = small()
    session = Session(model, host=Kernel())
    session.attach(optimizer)
    session.control.pause()
    with background(lambda: take_step(model, optimizer)) as loop:
        until(lambda: session.control.waiting)
        assert at_rest(session, threading.get_ident) == loop.ident
        session.control.resume()


def test_while_another_model_trains_elsewhere_that_loop_does_it() -> None:
    model, optimizer = small()
    busy = Session.of(model, [optimizer], host=Kernel())
    busy.attach(optimizer)
    idle_model = nn.Linear(1, 1)
    idle = Session.of(idle_model, host=Kernel())
    over = threading.Event()

    def train() -> None:
        while not over.wait(0.001):
            take_step(model, optimizer)

    with background(train) as loop:
        until(lambda: busy.training)
        assert at_rest(idle, threading.get_ident) == loop.ident
        ticket = idle.submit(threading.get_ident)
        assert ticket.wait(10)
        assert ticket.result == loop.ident
        over.set()
    assert at_rest(idle, threading.get_ident) == threading.get_ident()


def test_a_loop_may_ask_about_another_model_than_the_one_it_trains() -> None:
    """Who waits for that loop (``run().result()``) cannot answer in its place."""
    model, optimizer = small()
    busy = Session.of(model, [optimizer], host=Kernel())
    busy.attach(optimizer)
    idle_model = nn.Linear(1, 1)
    host = Kernel()
    idle = Session.of(idle_model, host=host)
    done: list[int] = []

    def train() -> None:
        take_step(model, optimizer)
        done.append(at_rest(idle, threading.get_ident))

    with background(train) as loop:
        pass
    assert done == [loop.ident]
    assert host.left == []


def test_whom_one_has_waited_for_in_vain_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnwidgets.live.at_rest._PATIENCE", 0.05)
    model, optimizer = small()
    busy = Session.of(model, [optimizer], host=Kernel())
    busy.attach(optimizer)
    idle_model = nn.Linear(1, 1)
    idle = Session.of(idle_model, host=Kernel())
    over = threading.Event()

    def train() -> None:
        busy.loop_began()
        busy.trains_in(threading.get_ident())
        take_step(model, optimizer)
        over.wait(10)  # a long evaluation: no safe point
        busy.loop_ended("finished")

    with background(train):
        until(lambda: busy.step == 1)
        with pytest.raises(TimeoutError, match="another model is being trained in another thread"):
            at_rest(idle, threading.get_ident)
        with pytest.raises(TimeoutError, match=r"^the training has not come"):
            at_rest(busy, threading.get_ident)
        over.set()
    assert at_rest(idle, threading.get_ident) == threading.get_ident()


def test_a_loop_whose_thread_has_ended_does_not_train() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    with background(lambda: take_step(model, optimizer)):
        pass
    assert session.control.state == "running"  # nobody has said that it ended
    assert not session.training
    assert at_rest(session, threading.get_ident) == threading.get_ident()


def test_a_thread_that_got_the_number_of_a_loops_is_another_one() -> None:
    model, optimizer = small()
    session = Session.of(model, [optimizer], host=Kernel())
    session.attach(optimizer)
    idle_model = nn.Linear(1, 1)
    idle = Session.of(idle_model, host=Kernel())
    seen: list[tuple[bool, ...]] = []

    def other() -> None:
        session._thread = threading.get_ident()  # as the system hands numbers out again
        seen.append((session.in_training_thread, session.training, idle.hands_free))

    with background(lambda: take_step(model, optimizer)):
        pass
    with background(other):
        pass
    assert seen == [(False, False, False)]


def test_commands_of_a_loop_that_fell_silent_are_left_to_the_main_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Kernel()
    model, optimizer = small()
    session = Session(model, host=host)
    session.attach(optimizer)
    take_step(model, optimizer)
    ticket = session.submit(lambda: "done")
    assert not ticket.wait(0)
    monkeypatch.setattr("nnwidgets.live.session.perf_counter", lambda: 1e9)
    session.check_rest()
    assert session.control.state == "idle"
    assert not ticket.wait(0)
    host.left.pop(0)()
    assert ticket.result == "done"


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnwidgets.live.at_rest._PATIENCE", 0.05)
    session = Session(nn.Linear(1, 1), host=Kernel())
    done: list[str] = []

    def ask() -> None:
        with pytest.raises(TimeoutError, match="safe point"):
            at_rest(session, lambda: done.append("too late"))

    with background(ask):
        pass
    session.submit(lambda: None)
    assert done == []


def test_a_command_has_its_hands_free_whatever_thread_runs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nnwidgets.live.at_rest._PATIENCE", 0.5)
    session = Session(nn.Linear(1, 1), host=Kernel())
    ticket = Ticket(lambda: at_rest(session, threading.get_ident))
    session._commands.put(ticket)
    ran_in: list[int] = []

    def run() -> None:
        ran_in.append(threading.get_ident())
        session._commands.run()

    with background(run):
        assert ticket.wait(10)
    assert ticket.problem is None
    assert ticket.result == ran_in[0]
    assert not session.in_command


def test_clicks_that_come_faster_than_they_are_answered_hold_no_loop_up() -> None:
    session = Session(nn.Linear(1, 1))
    answered: list[int] = []

    def another() -> None:
        answered.append(len(answered))
        if len(answered) < 5:
            session._commands.put(Ticket(another))

    session._commands.put(Ticket(another))
    session._commands.run()
    assert answered == [0]
    session._commands.run()
    assert answered == [0, 1]
