"""Doing something with the model from any thread, and waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final, TypeVar

from nnwidgets.live.registry import loop_elsewhere
from nnwidgets.live.session import Session

__all__ = ["at_rest"]

R = TypeVar("R")

_PATIENCE: Final = 60.0  # seconds that one waits for a safe point
_LOOK_UP: Final = 0.2  # seconds between two looks whether the loop is still there


def at_rest(session: Session, work: Callable[[], R]) -> R:
    """Run `work` where the model is at rest, and wait for its result.

    In the thread that trains, or the main thread when nothing does, it runs at once; elsewhere it
    waits for the next safe point.

    Parameters
    ----------
    session
        Of the model.
    work
        Called without arguments, under the session's lock.

    Raises
    ------
    TimeoutError
        If there was no safe point in a minute; `work` will not run then.
    Exception
        What `work` raises.
    """
    # A command that asks for this has its hands free already; to wait for another moment, with
    # the lock in hand, would be to wait for itself.
    if session.hands_free or session.in_command:
        with session.lock:
            return work()
    ticket = session.submit(work)
    until = monotonic() + _PATIENCE
    while not ticket.wait(min(_LOOK_UP, _PATIENCE)):
        if monotonic() >= until:
            ticket.cancelled = True
            raise TimeoutError(_too_late(session))
        session.seek_rest()  # the loop may have ended without a word
    if ticket.problem is not None:
        raise ticket.problem
    result: R = ticket.result
    return result


def _too_late(session: Session) -> str:
    if session.training or session.control.waiting or loop_elsewhere(session) is None:
        return f"the training has not come to a safe point within {_PATIENCE:.0f} s; try again."
    return (
        "another model is being trained in another thread, and both draw from the random numbers "
        f"of this process: its loop has not come to a safe point within {_PATIENCE:.0f} s. Try "
        "again when it takes steps, or has ended."
    )
