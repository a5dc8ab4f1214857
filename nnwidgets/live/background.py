"""``run()``: training in a thread of its own, so that the notebook stays free.

With the main thread free every front end can deliver every click at once; this works in
hosts where nothing else does.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from nnwidgets.live.session import Session
from nnwidgets.live.stopping import StopTraining

__all__ = ["Run"]

R = TypeVar("R")


class Run(Generic[R]):
    """A function that trains in the background.

    Parameters
    ----------
    session
        The session whose stop reaches the function.
    function, args
        What to call.

    Raises
    ------
    RuntimeError
        If an earlier run of this session is still under way: two would train one model.
    """

    def __init__(self, session: Session, function: Callable[..., R], args: tuple[Any, ...]) -> None:
        earlier = session.background
        if earlier is not None and earlier.is_alive():
            raise RuntimeError(
                "this model is being trained in the background already; call stop() on that run, "
                "or wait for its result(), first."
            )
        self._session = session
        self._result: R | None = None
        self._problem: BaseException | None = None
        context = contextvars.copy_context()  # print() goes to the cell that called run()
        self._thread = threading.Thread(
            target=context.run, args=(self._work, function, args), name="nnwidgets run", daemon=True
        )
        session.loop_began()
        try:
            self._thread.start()
        except BaseException:  # no thread to be had: nothing trains, and nobody would say so
            session.loop_ended("stopped")
            raise
        session.background = self._thread
        session.trains_in(self._thread.ident)  # cells that end meanwhile are none of its business

    @property
    def done(self) -> bool:
        """Whether the function has returned or raised."""
        return not self._thread.is_alive()

    def result(self, timeout: float | None = None) -> R | None:
        """Wait for the function and return what it returned; None if it was stopped.

        Raises
        ------
        TimeoutError
            If it has not ended after `timeout` seconds; it goes on.
        BaseException
            Whatever the function raised.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError(
                f"the training function has not ended after {timeout} s; it goes on. "
                "Call stop() first to end it."
            )
        if self._problem is not None:
            raise self._problem
        return self._result

    def stop(self) -> None:
        """Ask the function's loop to end at its next safe point."""
        if not self.done:
            self._session.stop()

    def _work(self, function: Callable[..., R], args: tuple[Any, ...]) -> None:
        self._session.insist_in = threading.get_ident()
        complete = False
        try:
            self._result = function(*args)
            complete = True
        except StopTraining:
            pass
        except BaseException as problem:
            self._problem = problem
            self._session.broke_off(problem)
        finally:
            self._session.insist_in = None
            self._session.loop_ended("finished" if complete else "stopped")
