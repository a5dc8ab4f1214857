"""Commands from the browser, waiting for a moment at which the model is at rest."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["CommandQueue", "Ticket"]

log = logging.getLogger("nnwidgets")


class Ticket:
    """A queued command and, later, what became of it.

    Attributes
    ----------
    result
        What the command returned.
    problem
        The exception that it raised, if any.
    """

    def __init__(
        self, command: Callable[[], Any], then: Callable[[Ticket], None] | None = None
    ) -> None:
        self._command = command
        self._then = then
        self._done = threading.Event()
        self.cancelled = False
        self.result: Any = None
        self.problem: Exception | None = None

    def run(self) -> None:
        """Run the command unless it was cancelled; never raises an Exception."""
        try:
            if not self.cancelled:
                self.result = self._command()
        except Exception as problem:
            self.problem = problem
        finally:
            self._done.set()
        if self._then is not None:
            try:
                self._then(self)
            except Exception:  # a browser that is gone must not end the loop
                log.exception("the answer to a command could not be given")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the command has run; False if `timeout` seconds passed first."""
        return self._done.wait(timeout)


class CommandQueue:
    """First in, first out, one at a time under one lock; any thread may put.

    Attributes
    ----------
    waiting
        The tickets; looked at after every step, so it is a plain attribute.
    running_in
        The thread that runs one now; None while none does.
    """

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self.waiting: deque[Ticket] = deque()
        self.running_in: int | None = None

    def __len__(self) -> int:
        return len(self.waiting)

    def put(self, ticket: Ticket) -> None:
        """Queue `ticket`."""
        self.waiting.append(ticket)

    def run(self) -> None:
        """Run everything that is queued, here and now.

        What is queued meanwhile waits for the next time: clicks that come faster than they are
        answered would hold a loop up for good.
        """
        for _ in range(len(self.waiting)):
            with self._lock:
                try:
                    ticket = self.waiting.popleft()
                except IndexError:  # another thread was quicker
                    return
                outside, self.running_in = self.running_in, threading.get_ident()
                try:
                    ticket.run()
                finally:
                    self.running_in = outside
