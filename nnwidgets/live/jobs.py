"""Long answers to clicks: worked out in a thread of their own, with progress, to be cancelled.

At the end of the interpreter daemon threads are stopped wherever they are; one that is inside torch
takes the process down with it. So what still runs by then is cancelled, and waited for a moment.
"""

from __future__ import annotations

import atexit
import logging
import threading
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

__all__ = ["CancelledError", "Job"]

log = logging.getLogger("nnwidgets")

_TELL_SECONDS: Final = 0.1  # between two reports of progress
_END_SECONDS: Final = 5.0  # that the interpreter's end waits for what was cancelled, at most

_running: weakref.WeakSet[Job] = weakref.WeakSet()
_over = threading.Event()


class CancelledError(Exception):
    """Whoever asked wants no answer any more."""


class Job:
    """One long answer.

    Parameters
    ----------
    work
        Called with the job, in its thread; asks `cancelled` or calls `progress` now and then.
    then
        Called with the job afterwards, in its thread, whatever came of it.
    tell
        Called with ``(fraction, note)``, at most ten times a second.
    name
        What is worked on: the action.

    Attributes
    ----------
    fraction, note
        What was reported last.
    cancelled
        Set by whoever wants no answer any more.
    result
        What `work` returned.
    problem
        The exception that it raised, if any; a `CancelledError` is none.
    """

    def __init__(
        self,
        work: Callable[[Job], Any],
        then: Callable[[Job], None],
        tell: Callable[[float, str], None],
        name: str = "",
    ) -> None:
        self.name = name
        self.cancelled = False
        self.result: Any = None
        self.problem: Exception | None = None
        self._work = work
        self._then = then
        self.fraction: float | None = None
        self.note = ""
        self._tell = tell
        self._told = 0.0
        self._thread = threading.Thread(target=self._run, name="nnwidgets job", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. When the interpreter ends, it is cancelled instead."""
        if _over.is_set():
            self.cancelled = True
            self._then(self)
            return
        _running.add(self)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over; False if `timeout` seconds passed first."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise CancelledError if nobody waits for the answer any more."""
        if self.cancelled:
            raise CancelledError

    def progress(self, fraction: float, note: str = "") -> None:
        """Report how far the work is, from 0 to 1.

        Raises
        ------
        CancelledError
            If nobody waits for the answer any more.
        """
        self.check()
        self.fraction, self.note = fraction, note
        now = monotonic()
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            self._tell(fraction, note)

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except CancelledError:
            self.cancelled = True
        except Exception as problem:
            self.problem = problem
        try:
            self._then(self)
        except Exception:
            log.exception("the answer to a click could not be given")


def _end() -> None:
    """Cancel what runs, and wait until it has ended."""
    _over.set()
    left = list(_running)
    for job in left:
        job.cancelled = True
    until = monotonic() + _END_SECONDS
    for job in left:
        job.wait(max(0.0, until - monotonic()))


atexit.register(_end)
