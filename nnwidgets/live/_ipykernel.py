"""Finding the running ipykernel, and the private parts that all its versions have.

ipykernel has no public way to say "this message must not wait for the running cell". What
`nnwidgets.live.kernel` does instead touches a few private parts. They all stand in the four
``_ipykernel*`` files, each is looked up before it is used, and each has a test that fails when
an installed ipykernel no longer has it. Where one is missing, clicks go the way that kernel
sends them, and the route shown in the widget says so.

Used here, besides public names:

- ``comm._reply_subshell_for`` (7.4): which shell a message of this comm is handed to
- ``comm._msg_callback`` (package ``comm``): what ``on_msg`` stored
- ``kernel._main_asyncio_lock`` (7.x): held while the main shell handles a message
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

__all__ = [
    "Claim",
    "CommRepair",
    "Messages",
    "current_message_id",
    "error_of",
    "has_subshells",
    "leave_for_main_thread",
    "main_shell_busy",
    "on_main_thread",
    "running_cell",
    "running_kernel",
    "supports_pump",
]

logger = logging.getLogger("nnwidgets")

CONTROL_TARGET: Final = "jupyter.widget.control"
"""The comm over which a reloaded page asks for the state of all widgets."""

_COMM_MESSAGES: Final = frozenset({"comm_open", "comm_msg", "comm_close"})
_INFO_REQUESTS: Final = frozenset({"kernel_info_request", "comm_info_request"})


def running_kernel() -> Any | None:
    """Return the ipykernel of this process, or None.

    Imports nothing: a process in which a kernel runs has loaded ipykernel already. A process
    forked from a kernel (a DataLoader worker) has the object but not the kernel, so it gets
    None, and so does a kernel without a socket for its shell (ipykernel's in-process one).
    """
    module = sys.modules.get("ipykernel.kernelbase")
    kernel_class = getattr(module, "Kernel", None)
    if kernel_class is None or not kernel_class.initialized():
        return None
    kernel = kernel_class.instance()
    session = getattr(kernel, "session", None)
    if session is None or getattr(session, "pid", os.getpid()) != os.getpid():
        return None
    return kernel if getattr(kernel, "shell_stream", None) is not None else None


def has_subshells(kernel: Any) -> bool:
    """Whether the kernel reads its shell socket in a thread of its own (ipykernel 7)."""
    return getattr(kernel, "shell_channel_thread", None) is not None


def supports_pump(kernel: Any) -> bool:
    """Whether waiting messages can be read from inside a cell (ipykernel 6)."""
    return not has_subshells(kernel) and all(
        hasattr(kernel, name) for name in ("msg_queue", "schedule_dispatch", "dispatch_shell")
    )


def main_shell_busy(kernel: Any) -> bool:
    """Whether the main shell handles a message now; False where that cannot be known."""
    lock = getattr(kernel, "_main_asyncio_lock", None)
    return bool(lock is not None and lock.locked())


class Claim(enum.Enum):
    """Why a message must not wait for the running cell."""

    NONE = enum.auto()
    OURS = enum.auto()  # it belongs to one of our comms
    RELOAD = enum.auto()  # a page that opens asks for the kernel and the widgets


class Messages:
    """Tells which shell messages must not wait.

    Widgets of other packages are left alone: their handlers may rely on running after the cell.
    Only what a page asks when it opens is answered for all, because it reads state and because
    no widget, ours or not, comes back without it.

    Parameters
    ----------
    kernel
        The running ipykernel.
    is_ours
        Tells from a comm's id whether it is attached.
    """

    def __init__(self, kernel: Any, is_ours: Callable[[str], bool]) -> None:
        self._kernel = kernel
        self._is_ours = is_ours
        # A page asks its question before the kernel's other thread has opened the comm for it.
        self._asking: set[object] = set()

    def comm(self, comm_id: object) -> Any | None:
        """Return the open comm of that id, without the log entry for an unknown one."""
        manager = getattr(self._kernel, "comm_manager", None)
        return getattr(manager, "comms", {}).get(comm_id)

    def claim(self, message_type: str, packed_content: bytes) -> tuple[Claim, str | None]:
        """Return the claim of a message, and the id of the comm that gets it.

        Raises whatever the session raises for content that cannot be unpacked.
        """
        if message_type in _INFO_REQUESTS:
            return Claim.RELOAD, None
        if message_type not in _COMM_MESSAGES:
            return Claim.NONE, None
        content = self._kernel.session.unpack(packed_content)
        comm_id = content.get("comm_id")
        if message_type == "comm_open":
            if content.get("target_name") != CONTROL_TARGET:
                return Claim.NONE, None
            self._asking.add(comm_id)
            return Claim.RELOAD, None
        if self._is_ours(comm_id):
            return Claim.OURS, comm_id
        data = content.get("data")
        asks_state = isinstance(data, dict) and data.get("method") == "request_state"
        target = getattr(self.comm(comm_id), "target_name", None)
        asking = comm_id in self._asking
        if message_type == "comm_close":
            self._asking.discard(comm_id)
        if asking or asks_state or target == CONTROL_TARGET:
            return Claim.RELOAD, comm_id
        return Claim.NONE, comm_id


class CommRepair:
    """Changes on one comm that let its messages through while a cell runs.

    Two things are set on the comm object itself, never on its class:

    - ``_reply_subshell_for``: ipykernel 7.4 hands every message to the shell from which the
      widget last published. A training cell publishes from the busy main shell, so clicks
      would wait for the end of the cell. The front end's own choice is kept instead.
    - ``handle_msg``: the ``comm`` package wraps each handler into IPython's ``pre_execute`` and
      ``post_execute`` events. In the middle of a cell the second one shows and closes the
      pyplot figures that the cell is still drawing. While a cell runs, the handler is therefore
      called without them.

    Parameters
    ----------
    comm
        A comm of ipykernel or of the ``comm`` package; it is not kept alive.
    in_cell
        Tells whether a cell runs now.
    route
        Whether to repair the choice of the shell as well.
    """

    def __init__(self, comm: Any, in_cell: Callable[[], bool], *, route: bool) -> None:
        self._comm = weakref.ref(comm)
        self._set: dict[str, Any] = {}
        if route and callable(getattr(comm, "_reply_subshell_for", None)):
            self._put("_reply_subshell_for", _keep_choice)
        if hasattr(comm, "_msg_callback") and callable(getattr(comm, "handle_msg", None)):
            self._put("handle_msg", _quiet_handler(self._comm, in_cell))

    def _put(self, name: str, value: Any) -> None:
        vars(self._comm())[name] = value
        self._set[name] = value

    def undo(self) -> None:
        """Take back what was set, except where somebody else has set it again since."""
        comm = self._comm()
        if comm is None:
            return
        for name, value in self._set.items():
            if vars(comm).get(name) is value:
                del vars(comm)[name]
        self._set.clear()


def _keep_choice(data: object, default: str | None) -> str | None:
    """Return the subshell that the front end named."""
    return default


def _quiet_handler(
    reference: weakref.ReferenceType[Any], in_cell: Callable[[], bool]
) -> Callable[[Any], None]:
    def handle_msg(message: Any) -> None:
        comm = reference()
        if comm is None:
            return
        if not in_cell():
            type(comm).handle_msg(comm, message)
        elif comm._msg_callback is not None:
            comm._msg_callback(message)

    return handle_msg


def on_main_thread() -> bool:
    """Whether the caller runs where cells run."""
    return threading.current_thread() is threading.main_thread()


def leave_for_main_thread(kernel: Any, call: Callable[[], None]) -> bool:
    """Have `call` run by the main thread's loop, between two cells; False where there is none.

    ``kernel.io_loop`` (tornado, from ipykernel 6 on) is the loop that runs cells.
    """
    add = getattr(getattr(kernel, "io_loop", None), "add_callback", None)
    if add is None:
        return False
    add(call)
    return True


def current_message_id(kernel: Any) -> str:
    """Return the id of the message that the calling thread's shell handles."""
    with contextlib.suppress(Exception):
        return str(kernel.get_parent("shell")["header"]["msg_id"])
    return ""


def running_cell(kernel: Any) -> tuple[str | None, str] | None:
    """Return (cell id, message id) of the cell that the calling main thread runs, or None.

    Used once, when the link is made in the middle of a cell and has seen no event for it.
    """
    if not on_main_thread():
        return None
    if hasattr(kernel, "_main_asyncio_lock") and not main_shell_busy(kernel):
        return None
    with contextlib.suppress(Exception):
        parent = kernel.get_parent("shell")
        if parent["header"]["msg_type"] == "execute_request":
            return parent["metadata"].get("cellId"), current_message_id(kernel)
    return None


def error_of(result: Any) -> BaseException | None:
    """Return what a cell raised, from IPython's result (None when an async cell was cancelled)."""
    if result is None:
        return sys.exc_info()[1]
    error: BaseException | None = result.error_before_exec or result.error_in_exec
    return error
