"""``run()``: a function in a thread, and every way it may end."""

from __future__ import annotations

import contextvars
import threading

import pytest

from nnwidgets.live.background import Run
from nnwidgets.live.session import Session
from nnwidgets.live.stopping import StopTraining
from tests.live.doubles import small, take_step, until


@pytest.fixture
def session() -> Session:
    return Session()


def test_it_returns_what_the_function_returns(session: Session) -> None:
    run = Run(session, lambda a, b: a + b, (2, 3))
    assert run.result(30) == 5
    assert run.done
    assert session.control.state == "finished"
    assert run.result() == 5  # as often as one likes


def test_it_runs_elsewhere_and_reads_running_from_the_start(session: Session) -> None:
    go = threading.Event()
    run = Run(session, lambda: go.wait() and threading.get_ident(), ())
    assert session.control.state == "running"
    assert session.training
    assert not run.done
    go.set()
    assert run.result(30) not in (None, threading.get_ident())


@pytest.mark.parametrize("problem", [ValueError("planted"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_function_raises_comes_out_of_result(
    session: Session, problem: BaseException
) -> None:
    def train() -> None:
        raise problem

    run = Run(session, train, ())
    for _ in range(2):
        with pytest.raises(type(problem)) as raised:
            run.result(30)
        assert raised.value is problem
    assert session.control.state == "stopped"


def test_result_does_not_wait_for_ever(session: Session) -> None:
    go = threading.Event()
    run = Run(session, go.wait, ())
    with pytest.raises(TimeoutError, match=r"not ended after 0\.01 s; it goes on.*stop\(\) first"):
        run.result(0.01)
    assert session.control.state == "running"
    go.set()
    assert run.result(30) is True


def test_what_it_prints_goes_where_it_was_called(session: Session) -> None:
    """ipykernel finds the cell of a print() through a context variable."""
    cell = contextvars.ContextVar("cell", default="none")
    token = cell.set("cell 7")
    run = Run(session, cell.get, ())
    cell.reset(token)
    assert run.result(30) == "cell 7"


def test_stop_ends_a_loop_that_asks(session: Session) -> None:
    def train() -> str:
        while not session.should_stop:
            session.logged()
        return "ended by itself"

    run = Run(session, train, ())
    run.stop()
    assert run.result(30) == "ended by itself"
    assert session.control.state == "stopped"


def test_stop_ends_a_loop_that_does_not_ask(session: Session) -> None:
    model, optimizer = small()
    session.attach(optimizer)
    cleaned: list[str] = []

    def train() -> None:
        try:
            while True:
                try:
                    take_step(model, optimizer)
                except Exception:  # what many loops do about a bad batch
                    continue
        finally:
            cleaned.append("finally")

    run = Run(session, train, ())
    until(lambda: session.step > 3)
    run.stop()
    assert run.result(30) is None
    assert cleaned == ["finally"]
    assert session.control.state == "stopped"


def test_a_loop_that_asks_now_and_then_is_not_cut_short(session: Session) -> None:
    """It has shown that it listens: nothing is raised into the middle of its round."""

    def train() -> int:
        rounds = 0
        while not session.should_stop:
            for _ in range(50):
                session.logged()
            rounds += 1
            if rounds == 2:
                session.stop()
        return rounds

    assert Run(session, train, ()).result(30) in (2, None)


def test_stop_releases_a_pause(session: Session) -> None:
    def train() -> None:
        while True:
            session.logged()

    session.control.pause()
    run = Run(session, train, ())
    until(lambda: session.control.waiting)
    run.stop()
    assert run.result(30) is None


def test_stopping_what_has_ended_does_nothing(session: Session) -> None:
    run = Run(session, lambda: 1, ())
    run.result(30)
    run.stop()
    assert session.control.state == "finished"
    assert not session.should_stop


def test_a_stop_is_for_one_run(session: Session) -> None:
    def train() -> int:
        for i in range(100):
            session.logged()
            if session.should_stop:
                return i
        return 100

    session.logged()
    session.stop()
    assert Run(session, train, ()).result(30) == 100
    assert session.control.state == "finished"


def test_the_thread_alone_is_ended_by_a_stop(session: Session) -> None:
    """Another thread that logs to the same session must not be hit by the exception."""
    go = threading.Event()
    run = Run(session, go.wait, ())
    session.stop()
    for _ in range(10):
        session.logged()
    go.set()
    assert run.result(30) is True


@pytest.mark.parametrize("problem", [None, ValueError("in another cell"), KeyboardInterrupt()])
def test_the_end_of_a_cell_is_none_of_its_business(
    session: Session, problem: BaseException | None
) -> None:
    go = threading.Event()
    run = Run(session, go.wait, ())
    session.cell_ended(problem)
    session.cell_began()
    session.cell_ended(problem)
    assert session.control.state == "running"
    assert session.looping
    go.set()
    run.result(30)
    assert session.control.state == "finished"


def test_two_at_once_would_train_one_model_twice(session: Session) -> None:
    go = threading.Event()
    run = Run(session, go.wait, ())
    with pytest.raises(RuntimeError, match=r"in the background already; call stop\(\)"):
        Run(session, lambda: pytest.fail("ran"), ())
    go.set()
    run.result(30)
    assert Run(session, lambda: "again", ()).result(30) == "again"


def test_stop_training_is_no_exception_that_a_loop_would_swallow() -> None:
    assert not issubclass(StopTraining, Exception)
