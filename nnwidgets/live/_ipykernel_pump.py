"""Answering clicks from inside a running cell (ipykernel 6, which has one shell and no subshells).

While a cell runs, messages lie in the shell socket. `Pump.pump`, called by the training thread
at safe points, lets the kernel move them to its own queue, takes out those that must not wait
(`Messages.claim`), answers them, and puts all others back in their order, to run after the cell.

Private parts: ``kernel.msg_queue``, ``schedule_dispatch`` and ``dispatch_shell`` (undocumented),
``kernel._parent_ident`` and ``kernel._publish_status``; ``comm._msg_callback``.
"""

from __future__ import annotations

import inspect
import logging
import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from nnwidgets.live._ipykernel import Claim, Messages

__all__ = ["Pump"]

logger = logging.getLogger("nnwidgets")

_PERIOD: Final = 0.02  # seconds; a look costs ~30 µs, so that the loop may call at every step


class Pump:
    """Reads the shell socket of an ipykernel 6 from inside a cell.

    Parameters
    ----------
    kernel
        A running ipykernel for which `supports_pump` holds.
    messages
        Tells which messages must not wait.
    """

    def __init__(self, kernel: Any, messages: Messages) -> None:
        self._kernel = kernel
        self._messages = messages
        self._next = 0.0
        self._pumping = False

    def pump(self) -> None:
        """Answer what must not wait; at most every 20 ms, and not from inside an answer."""
        now = time.monotonic()
        if self._pumping or now < self._next:
            return
        self._pumping = True
        taken: deque[list[Any]] = deque()
        try:
            with _interrupts_held():
                self._take(taken)
            while taken:
                try:
                    self._answer(taken.popleft())
                except Exception:
                    logger.exception("A widget message could not be answered")
        finally:
            # Only after a KeyboardInterrupt is anything left: it runs after the cell.
            for frames in taken:
                self._kernel.schedule_dispatch(self._kernel.dispatch_shell, frames)
            self._pumping = False
            self._next = time.monotonic() + _PERIOD

    def _take(self, taken: deque[list[Any]]) -> None:
        """Move what must not wait from the kernel's socket and queue to ``taken``."""
        import zmq

        kernel = self._kernel
        # The kernel's own path from the socket to the queue, so that order is its business.
        kernel.shell_stream.flush(zmq.POLLIN)
        queue = kernel.msg_queue
        entries = [queue.get_nowait() for _ in range(queue.qsize())]
        for entry in entries:
            frames = self._frames_if_urgent(entry)
            if frames is None:
                queue.put_nowait(entry)
            else:
                taken.append(frames)

    def _frames_if_urgent(self, entry: Any) -> list[Any] | None:
        """Return the message of a queue entry if it must not wait."""
        try:
            _, dispatch, arguments = entry
            if dispatch != self._kernel.dispatch_shell or len(arguments) != 1:
                return None
            frames: list[Any] = arguments[0]
            session = self._kernel.session
            _, body = session.feed_identities(frames, copy=False)
            peeked = session.deserialize(body, content=False, copy=False)
            claim, _ = self._messages.claim(peeked["msg_type"], peeked["content"])
        except Exception:
            return None  # the kernel reports what cannot be read, in its own words
        return None if claim is Claim.NONE else frames

    def _answer(self, frames: list[Any]) -> None:
        """Handle one message as ``dispatch_shell`` does, leaving the running cell as it was."""
        import zmq

        kernel = self._kernel
        idents, body = kernel.session.feed_identities(frames, copy=False)
        message = kernel.session.deserialize(body, content=True, copy=False)
        cell, cell_idents = kernel.get_parent("shell"), kernel._parent_ident["shell"]
        _set_parent(kernel, idents, message)
        try:
            kernel._publish_status("busy", "shell")
            try:
                self._handle(idents, message)
            finally:
                kernel._publish_status("idle", "shell")
        finally:
            _set_parent(kernel, cell_idents, cell)
            # A front end shows the last status it got, and the cell still runs.
            kernel._publish_status("busy", "shell")
            kernel.shell_stream.flush(zmq.POLLOUT)  # the loop that sends replies is waiting

    def _handle(self, idents: list[bytes], message: dict[str, Any]) -> None:
        kind = message["header"]["msg_type"]
        comm = self._messages.comm(message["content"].get("comm_id"))
        if kind == "comm_msg" and comm is not None and hasattr(comm, "_msg_callback"):
            # Not handle_msg, which closes the cell's figures (see CommRepair).
            if comm._msg_callback is not None:
                comm._msg_callback(message)
            return
        handler = self._kernel.shell_handlers[kind]
        result = handler(self._kernel.shell_stream, idents, message)
        if inspect.isawaitable(result):
            _run_at_once(result)


def _set_parent(kernel: Any, idents: Any, parent: Any) -> None:
    """Set whom the kernel answers, but not whose output is printed: that stays the cell."""
    from ipykernel.kernelbase import Kernel

    base: Any = Kernel
    base.set_parent(kernel, idents, parent, channel="shell")


def _run_at_once(awaitable: Any) -> None:
    """Run a coroutine that never waits; the event loop is busy with the cell."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration:
        return
    steps.close()
    raise RuntimeError("the kernel's handler waits for something, so it cannot run in a cell")


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back for some microseconds, so that no message is dropped in mid-move."""
    previous = signal.getsignal(signal.SIGINT)
    if previous is None:  # not set from Python, so it could not be put back
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if held and callable(previous):
        previous(*held[0])
