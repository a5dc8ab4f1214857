"""Sending pictures: one thread for all widgets, latest wins, never more than a browser takes.

The training thread only leaves numbers behind; this thread asks each widget now and then
whether it has something new to show. What is not sent in time is replaced by what is newer,
so a slow browser or a fast loop costs detail and never a backlog (platform: 300 messages a
second leave a browser seconds behind).
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from time import monotonic, thread_time
from typing import Final, Protocol

__all__ = ["DOZE", "TICK", "Paced", "Publisher", "Publishes", "publisher"]

log = logging.getLogger("nnwidgets")

TICK: Final = 0.1  # seconds between two rounds while something happens
DOZE: Final = 1.0  # and while nothing does
_PATIENCE: Final = 5.0  # seconds that the interpreter's end waits for a message being sent


class Publishes(Protocol):
    """A widget, as the publisher sees it."""

    def publish(self, now: float) -> float:
        """Send what is due, and return the seconds until something may be due again.

        From `TICK` to `DOZE`, which says that nothing has happened lately.
        """

    def spent(self, seconds: float) -> None:
        """So much processor time went into `publish`."""

    def send_last(self) -> None:
        """Send the last picture: the interpreter is about to end."""


class Paced:
    """When one part of a picture may be sent again.

    Parameters
    ----------
    seconds
        The least time between two messages.
    bytes_per_second
        Large messages wait longer, so that this rate is kept.
    share
        Parts that are dear to build wait longer, so that building takes at most this fraction
        of the session's budget.
    slowest
        But not longer than so many seconds on that account.
    along
        The least time between two messages if another part is sent anyway: one message is less
        than two. As long as `seconds` if not given.
    """

    def __init__(
        self,
        seconds: float,
        bytes_per_second: float,
        share: float = 0.25,
        slowest: float = 2.0,
        along: float | None = None,
    ) -> None:
        self.seconds = seconds
        self.along = seconds if along is None else along
        self.bytes_per_second = bytes_per_second
        self.share = share
        self.slowest = slowest
        self._next = self._next_along = 0.0
        self._sent_at = float("-inf")
        self._hurries = 0
        self._seen = 0  # hurries that the picture in the making takes account of

    def due(self, now: float, *, at_least: float = 0.0) -> bool:
        """Whether the time has come; `at_least` asks for a longer pause than usual."""
        self._seen = self._hurries
        return now >= self._next and now - self._sent_at >= at_least

    def may_come_along(self, now: float, *, at_least: float = 0.0) -> bool:
        """Whether it may be sent with another part; as in `due`."""
        self._seen = self._hurries
        return now >= self._next_along and now - self._sent_at >= at_least

    def done(self, now: float, size: int, cost: float = 0.0, budget: float = 1.0) -> None:
        """Note that `size` bytes have been sent, or 0 if there was nothing to send.

        Parameters
        ----------
        now
            The time.
        size
            Bytes of the message.
        cost
            Processor seconds that building it has taken.
        budget
            Fraction of wall time that watching may take.
        """
        if self._hurries != self._seen:
            return  # a click came while this was built, and is perhaps not in it
        if size:
            self._sent_at = now
        dear = min(self.slowest, cost / (self.share * budget))
        least = max(size / self.bytes_per_second, dear)
        self._next = now + max(self.seconds, least)
        self._next_along = now + max(self.along, least)

    def hurry(self) -> None:
        """Send at the next opportunity: a click has changed something."""
        self._next = self._next_along = 0.0
        self._sent_at = float("-inf")
        self._hurries += 1


class Publisher:
    """One daemon thread that lets widgets send; widgets are held weakly.

    The end of the interpreter is the delicate part: it stops daemon threads wherever they are,
    and a lock that one of them holds is never free again, while widgets that are still to be
    collected go on to close themselves. So the thread is asked to end before that, and joined
    while everything still works: at ``atexit``, after threads that are no daemons have ended and
    before ipykernel, which was there first, takes its sockets down. The wait is bounded, so that
    nothing that hangs in there keeps a script from ending, and from then on `remove` takes no
    lock.
    """

    def __init__(self) -> None:
        self._targets: list[weakref.ref[Publishes]] = []
        # Whoever holds the lock may drop the last reference to a widget, which then removes itself.
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._over = False
        self.dozing = False
        atexit.register(self.end)
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._forked)

    def add(self, target: Publishes) -> None:
        """Let `target` send from now on."""
        with self._lock:
            self._targets.append(weakref.ref(target))
            if self._over:
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._work, name="nnwidgets publisher", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def remove(self, target: Publishes) -> None:
        """Forget `target`; without targets the thread ends."""
        if self._over:
            return
        with self._lock:
            self._targets = [ref for ref in self._targets if ref() not in (None, target)]
        self._wake.set()

    def end(self) -> None:
        """Let every widget send its last picture, and wait for the thread to end."""
        with self._lock:
            self._over = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE)

    def wake(self) -> None:
        """Something has happened: look at once."""
        self._wake.set()

    def _forked(self) -> None:
        """Begin anew in the worker of a DataLoader.

        There is no thread there that would ever release the lock, and nothing may be sent: the
        sockets are the parent's.
        """
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._targets, self._thread = [], None

    def _work(self) -> None:
        while True:
            with self._lock:
                self._targets = [ref for ref in self._targets if ref() is not None]
                refs, over = list(self._targets), self._over
                if not refs:
                    self._thread = None
                    return
            pause = min([self._serve(ref, last=over) for ref in refs])
            if over:
                return
            self.dozing = pause >= DOZE
            self._wake.wait(pause)
            self._wake.clear()

    @staticmethod
    def _serve(ref: weakref.ref[Publishes], *, last: bool) -> float:
        target = ref()
        if target is None:
            return DOZE
        begun = thread_time()
        try:
            if last:
                target.send_last()
                return DOZE
            try:
                return target.publish(monotonic())
            finally:
                target.spent(thread_time() - begun)
        except Exception:
            log.exception("nnwidgets could not send to the notebook; training goes on")
            return DOZE


publisher: Final = Publisher()
