"""The link to the Jupyter kernel: how a click reaches Python while a cell runs.

A widget's messages normally wait until the running cell ends. Which way round exists depends on
the kernel and on the front end:

=====================  ============================================================================
``route.thread``       no cell runs (the loop runs in a background thread, or not at all)
``route.subshell``     the front end names a subshell (JupyterLab with ipykernel 7)
``route.own_subshell`` it names none, so the kernel is given a subshell of ours for such messages
``route.pump``         the kernel has no subshells (ipykernel 6): the loop reads its messages
``route.cell_end``     none of these: a click acts when the cell ends
``route.none``         no kernel runs in this process
=====================  ============================================================================

What is done to ipykernel for it stands in ``_ipykernel.py``, ``_ipykernel_subshell.py``,
``_ipykernel_replies.py`` and ``_ipykernel_pump.py``; ``docs`` and tests name each private part. In
a plain script every method does nothing and nothing is imported.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from nnwidgets.live import _ipykernel as private

__all__ = ["KernelLink", "Route", "kernel_link"]

logger = logging.getLogger("nnwidgets")

RouteKey = Literal[
    "route.thread",
    "route.subshell",
    "route.own_subshell",
    "route.pump",
    "route.cell_end",
    "route.none",
]

StartCallback = Callable[["str | None"], None]
EndCallback = Callable[["BaseException | None"], None]


@dataclass(frozen=True)
class Route:
    """How a click would reach Python now.

    Attributes
    ----------
    key
        Key of the short text in the catalogue; the longer one has ``.hint`` behind it.
    live
        Whether a click acts now, not at the end of the cell.
    """

    key: RouteKey
    live: bool


THREAD: Final = Route("route.thread", True)
SUBSHELL: Final = Route("route.subshell", True)
OWN_SUBSHELL: Final = Route("route.own_subshell", True)
PUMP: Final = Route("route.pump", True)
CELL_END: Final = Route("route.cell_end", False)
NONE: Final = Route("route.none", False)


class KernelLink:
    """Keeps clicks on attached comms from waiting for the running cell.

    One per process, from `kernel_link`. Every method may be called from any thread, except
    `pump`, which does nothing off the main thread.

    Parameters
    ----------
    kernel
        The running ipykernel; None makes a link that does nothing.
    """

    def __init__(self, kernel: Any | None = None) -> None:
        self._kernel = kernel
        self._lock = threading.RLock()
        self._repairs: dict[str, tuple[weakref.ReferenceType[Any], private.CommRepair]] = {}
        self._on_start: list[StartCallback] = []
        self._on_end: list[EndCallback] = []
        self._cells: list[tuple[str | None, str]] = []  # (cell id, message id), innermost last
        self._pumped = False
        self._listening = False
        self._relay: Any = None
        self._pump: Any = None
        self._replies: Any = None
        if kernel is None:
            return
        messages = private.Messages(kernel, self._is_attached)
        if private.has_subshells(kernel):
            from nnwidgets.live._ipykernel_replies import Replies
            from nnwidgets.live._ipykernel_subshell import Relay

            self._replies = Replies(kernel)
            if Relay.possible(kernel):
                self._relay = Relay(kernel, messages, lambda: self.in_cell)
        elif private.supports_pump(kernel):
            from nnwidgets.live._ipykernel_pump import Pump

            self._pump = Pump(kernel, messages)
        self._listen()

    # -- comms ---------------------------------------------------------------------------

    def attach(self, comm: Any) -> None:
        """Let messages of this comm through while a cell runs. Idempotent; never raises."""
        if self._kernel is None:
            return
        try:
            comm_id = comm.comm_id
            with self._lock:
                if self._is_attached(comm_id):
                    return
                repair = private.CommRepair(comm, lambda: self.in_cell, route=True)
                gone = weakref.ref(comm, lambda _: self._forget(comm_id))
                self._repairs[comm_id] = (gone, repair)
                self._settle()
        except Exception:
            logger.warning("Clicks on a widget may wait for the end of a cell", exc_info=True)

    def detach(self, comm: Any) -> None:
        """Put back what `attach` changed. Idempotent; never raises."""
        self._forget(getattr(comm, "comm_id", ""))

    def _forget(self, comm_id: str) -> None:
        try:
            with self._lock:
                _, repair = self._repairs.pop(comm_id, (None, None))
                if repair is not None:
                    repair.undo()
                    self._settle()
        except Exception:
            logger.warning("A widget's comm could not be restored", exc_info=True)

    def _is_attached(self, comm_id: str) -> bool:
        return comm_id in self._repairs

    def _settle(self) -> None:
        """Hold as much of the kernel as the attached comms need."""
        attached = bool(self._repairs)
        if attached:
            self._listen()
        if self._replies is not None:
            if attached:
                self._replies.mend()
            else:
                self._replies.undo()
        if self._relay is not None and self._relay.installed is not attached:
            if attached:
                self._relay.install()
            else:
                self._relay.remove()

    # -- how a click comes ---------------------------------------------------------------

    @property
    def route(self) -> Route:
        """How a click would reach Python right now."""
        if self._kernel is None:
            return NONE
        if not self.in_cell:
            return THREAD
        if private.has_subshells(self._kernel):
            if self._relay is None or self._relay.names_subshell is not False:
                return SUBSHELL
            return OWN_SUBSHELL if self._relay.working else CELL_END
        # Before the loop has called pump() in this cell, nobody reads the messages.
        return PUMP if self._pumped else CELL_END

    @property
    def needs_pump(self) -> bool:
        """Whether the training loop has to call `pump` for clicks to come while a cell runs."""
        return self._pump is not None

    def pump(self) -> None:
        """Answer waiting messages, from the main thread at a safe point.

        Cheap enough for every step: it looks at most every 20 ms. Lets KeyboardInterrupt
        through; everything else is logged.
        """
        if self._pump is None or not private.on_main_thread() or not self.in_cell:
            return
        self._pumped = True
        try:
            self._pump.pump()
        except Exception:
            logger.exception("Waiting clicks could not be read")

    def soon(self, call: Callable[[], None]) -> bool:
        """Have the main thread run `call` as soon as it runs no cell; False without a kernel."""
        return self._kernel is not None and private.leave_for_main_thread(self._kernel, call)

    # -- cells ---------------------------------------------------------------------------

    @property
    def in_cell(self) -> bool:
        """Whether the main thread runs a cell."""
        return bool(self._cells)

    @property
    def cell_id(self) -> str | None:
        """The id of the notebook cell that runs; None outside and where the front end has none."""
        cells = self._cells
        return cells[0][0] if cells else None

    def on_cell_start(self, callback: StartCallback) -> Callable[[], None]:
        """Call ``callback(cell_id)`` when the main thread starts a cell; return its removal."""
        return self._subscribe(self._on_start, callback)

    def on_cell_end(self, callback: EndCallback) -> Callable[[], None]:
        """Call ``callback(error)`` when a cell ends, with what it raised; return its removal."""
        return self._subscribe(self._on_end, callback)

    def _subscribe(self, callbacks: list[Any], callback: Any) -> Callable[[], None]:
        def unsubscribe() -> None:
            with self._lock:
                if callback in callbacks:
                    callbacks.remove(callback)

        if self._kernel is not None:
            with self._lock:
                callbacks.append(callback)
                self._listen()
        return unsubscribe

    def _listen(self) -> None:
        events = getattr(getattr(self._kernel, "shell", None), "events", None)
        if self._listening or events is None:
            return
        self._listening = True
        cell = private.running_cell(self._kernel)
        self._cells = [cell] if cell is not None else []
        events.register("pre_run_cell", self._started)
        events.register("post_run_cell", self._ended)

    def _started(self, info: Any) -> None:
        """IPython starts a cell: on the main thread, in a subshell, or inside a cell (%%time)."""
        if not private.on_main_thread():
            return
        message = private.current_message_id(self._kernel)
        if self._cells and self._cells[0][1] != message:
            self._finish(None)  # the end of the last cell was never told
        self._cells.append((getattr(info, "cell_id", None), message))
        if len(self._cells) == 1:
            self._pumped = False
            _call_all(self._on_start, self.cell_id)

    def _ended(self, result: Any) -> None:
        if not private.on_main_thread() or not self._cells:
            return
        if len(self._cells) > 1:
            self._cells.pop()
        else:
            self._finish(private.error_of(result))

    def _finish(self, error: BaseException | None) -> None:
        self._cells.clear()
        _call_all(self._on_end, error)

    # ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Undo every change to the kernel and to comms. `attach` starts anew."""
        with self._lock:
            for comm_id in list(self._repairs):
                self._forget(comm_id)
            self._on_start.clear()
            self._on_end.clear()
            if self._listening and self._kernel is not None:
                self._listening = False
                self._cells.clear()
                events = self._kernel.shell.events
                events.unregister("pre_run_cell", self._started)
                events.unregister("post_run_cell", self._ended)


def _call_all(callbacks: list[Any], argument: Any) -> None:
    for callback in list(callbacks):
        try:
            callback(argument)
        except Exception:
            logger.exception("A listener to notebook cells failed")


_link: KernelLink | None = None
_link_lock = threading.Lock()


def kernel_link() -> KernelLink:
    """Return the link of this process; one that does nothing where no kernel runs.

    A process forked from a kernel gets such a link as well.
    """
    global _link
    kernel = private.running_kernel()
    with _link_lock:
        # The link of another kernel is dropped, not closed: after a fork its threads are gone.
        if _link is None or _link._kernel is not kernel:
            _link = KernelLink(kernel)
        return _link
