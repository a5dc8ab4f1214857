"""A subshell of our own, and the relay that sends messages to it (ipykernel 7).

ipykernel 7 reads its shell socket in a thread and hands each message to the main shell or to the
subshell that the message names. Front ends other than JupyterLab name none, and JupyterLab names
none in its first questions after a reload. While a cell runs, such a message waits for its end.

`OwnSubshell` asks the kernel for one more subshell, over the public control channel. `Relay`
writes its id into the headers of those messages that must not wait (`Messages.claim`), in the
thread that reads them, before the kernel looks at them. The kernel compares the id in the header
with the subshell, so the message is packed and signed again; its own signature is checked first.

Private parts: ``ZMQStream._recv_callback`` and ``_recv_copy`` (pyzmq), to put back what was there;
``kernel.shell_stream``, ``kernel.shell_channel_thread.io_loop`` (ipykernel, undocumented).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

from nnwidgets.live._ipykernel import Claim, CommRepair, Messages, main_shell_busy

__all__ = ["OwnSubshell", "Relay"]

logger = logging.getLogger("nnwidgets")

_ANSWER_WITHIN: Final = 5.0  # seconds for the control thread, which a busy GIL slows down
_LOOKS: Final = 50  # for a comm that is being opened, 10 ms apart
_CELL_ON_ITS_WAY: Final = 0.2  # seconds from the relay to the lock of the main shell, at most


def control_request(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """Send a request to this process's own kernel on its control channel; return the reply.

    Not from the control or the shell-channel thread, which have to answer it.

    Raises
    ------
    queue.Empty
        When no answer comes.
    OSError
        When the connection file is gone.
    """
    import zmq
    from ipykernel.connect import get_connection_file
    from jupyter_client.blocking.client import BlockingKernelClient

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    client = BlockingKernelClient(context=context, connection_file=get_connection_file())
    try:
        client.load_connection_file()
        channel = client.control_channel
        message = client.session.msg(kind, content)
        channel.send(message)
        deadline = time.monotonic() + _ANSWER_WITHIN
        while True:
            reply = channel.get_msg(timeout=max(0.0, deadline - time.monotonic()))
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                answer: dict[str, Any] = reply["content"]
                return answer
    finally:
        client.stop_channels()
        context.destroy(linger=0)


class OwnSubshell:
    """One subshell, made when it is wanted and deleted when it is not, in a short-lived thread.

    Parameters
    ----------
    settled
        Called from that thread each time when there is nothing more to wait for.
    """

    def __init__(self, settled: Callable[[], None]) -> None:
        self._settled = settled
        self._lock = threading.Lock()
        self._wanted = False
        self._failed = False
        self._id: str | None = None

    @property
    def id(self) -> str | None:
        """The subshell's id; None until it exists, and when it cannot be made."""
        return self._id if self._wanted else None

    @property
    def pending(self) -> bool:
        """Whether it is worth waiting for the id."""
        return self._wanted and not self._failed and self._id is None

    def want(self, wanted: bool) -> None:
        """Ask for the subshell, or give it back; returns at once."""
        if self._wanted is not wanted:
            self._wanted = wanted
            threading.Thread(target=self._settle, name="nnwidgets-subshell", daemon=True).start()

    def _settle(self) -> None:
        with self._lock:
            while not self._failed and self._wanted is not (self._id is not None):
                try:
                    self._change()
                except Exception:
                    self._failed = True
                    logger.warning("The kernel made no subshell for nnwidgets", exc_info=True)
        self._settled()

    def _change(self) -> None:
        if self._id is None:
            reply = control_request("create_subshell_request", {})
            self._id = reply["subshell_id"]
        else:
            # Forgotten first: if the kernel does not answer, there is nothing to try again.
            subshell, self._id = self._id, None
            control_request("delete_subshell_request", {"subshell_id": subshell})


class Relay:
    """Sends messages that must not wait to a subshell, before the kernel dispatches them.

    What is private here runs in the kernel's shell-channel thread.

    Parameters
    ----------
    kernel
        A running ipykernel with subshells.
    messages
        Tells which messages must not wait.
    in_cell
        Tells whether the main thread runs a cell.
    """

    def __init__(self, kernel: Any, messages: Messages, in_cell: Callable[[], bool]) -> None:
        self._kernel = kernel
        self._messages = messages
        self._in_cell = in_cell
        self._loop = kernel.shell_channel_thread.io_loop
        self._own = OwnSubshell(lambda: self._loop.add_callback(self._go_on))
        self._settled = asyncio.Event()
        self._in_order = asyncio.Lock()  # whoever waits for the subshell is not overtaken
        self._original: Callable[[Any], Any] | None = None
        self._active = False
        self._last_cell = float("-inf")
        self._hushed: weakref.WeakKeyDictionary[Any, CommRepair] = weakref.WeakKeyDictionary()
        self.names_subshell: bool | None = None
        """Whether the front end named a subshell in its last message to a widget of ours."""

    @staticmethod
    def possible(kernel: Any) -> bool:
        """Whether the kernel has the parts that the relay needs."""
        loop = getattr(getattr(kernel, "shell_channel_thread", None), "io_loop", None)
        stream = getattr(kernel, "shell_stream", None)
        return (
            callable(getattr(loop, "add_callback", None))
            and callable(getattr(stream, "on_recv", None))
            and getattr(stream, "_recv_callback", None) is not None
            and getattr(stream, "_recv_copy", None) is False
        )

    @property
    def installed(self) -> bool:
        """Whether the relay works, or will as soon as the kernel's thread comes to it."""
        return self._active

    @property
    def working(self) -> bool:
        """Whether messages that name no subshell get through, maybe after a moment."""
        return self._active and (self._own.id is not None or self._own.pending)

    def install(self) -> None:
        """Put the relay in front of the kernel's own dispatcher."""
        self._active = True
        self._own.want(True)
        self._loop.add_callback(self._install)

    def remove(self) -> None:
        """Take the relay out again, and give its subshell back."""
        self._active = False
        self._loop.add_callback(self._remove)
        self._own.want(False)

    def _install(self) -> None:
        stream = self._kernel.shell_stream
        if self._active and self._original is None:
            self._original = stream._recv_callback
            stream.on_recv(self._receive, copy=False)

    def _remove(self) -> None:
        stream = self._kernel.shell_stream
        for repair in list(self._hushed.values()):
            repair.undo()
        self._hushed.clear()
        # Somebody who wrapped the callback after us keeps a reference to ours: then it stays and
        # only passes messages on.
        ours = stream._recv_callback == self._receive
        if ours and not self._active and self._original is not None:
            stream.on_recv(self._original, copy=False)
            self._original = None

    def _go_on(self) -> None:
        """Release the message that waits for the subshell, and those behind it."""
        self._settled.set()
        self._settled = asyncio.Event()

    async def _receive(self, frames: list[Any]) -> None:
        claim, comm_id, named = Claim.NONE, None, False
        if self._active:
            try:
                claim, comm_id, named = self._read(frames)
            except Exception:
                # The kernel reports a message that cannot be read, in its own words.
                logger.debug("nnwidgets left a shell message as it was", exc_info=True)
        if claim is Claim.RELOAD and not self._busy():
            claim = Claim.NONE
        if claim is Claim.NONE:
            await self._dispatch(frames)
            return
        async with self._in_order:
            if claim is Claim.RELOAD and comm_id is not None:
                await self._hush(comm_id)
            if not named:
                frames = await self._moved(frames)
            await self._dispatch(frames)

    async def _dispatch(self, frames: list[Any]) -> None:
        dispatch = self._original
        assert dispatch is not None
        result = dispatch(frames)
        if inspect.isawaitable(result):
            await result

    def _read(self, frames: list[Any]) -> tuple[Claim, str | None, bool]:
        """Return a message's claim, the id of its comm, and whether it names a subshell."""
        session = self._kernel.session
        _, body = session.feed_identities(frames, copy=False)
        header = session.unpack(body[1].bytes)
        named = header.get("subshell_id") is not None
        if header["msg_type"] == "execute_request" and not named:
            self._last_cell = time.monotonic()
        claim, comm_id = self._messages.claim(header["msg_type"], body[4].bytes)
        if claim is Claim.OURS:
            self.names_subshell = named
        return claim, comm_id, named

    async def _moved(self, frames: list[Any]) -> list[Any]:
        """Return the frames of the same message for our subshell, once that is there."""
        while self._own.pending:
            await self._settled.wait()
        subshell = self._own.id
        if subshell is None:
            return frames
        try:
            return self._readdressed(frames, subshell)
        except Exception:
            logger.debug("nnwidgets left a shell message as it was", exc_info=True)
            return frames

    def _readdressed(self, frames: list[Any], subshell: str) -> list[Any]:
        """Return the frames of the same message, addressed to the subshell and signed."""
        import zmq

        session = self._kernel.session
        _, body = session.feed_identities(frames, copy=False)
        session.deserialize(body, content=False, copy=False)  # raises if the client has no key
        header, *others = (frame.bytes for frame in body[1:5])
        header = session.pack({**session.unpack(header), "subshell_id": subshell})
        new = [zmq.Frame(session.sign([header, *others])), zmq.Frame(header)]
        return [*frames[: len(frames) - len(body)], *new, *body[2:]]

    def _busy(self) -> bool:
        """Whether the main shell would keep a message waiting, or is about to."""
        on_its_way = time.monotonic() - self._last_cell < _CELL_ON_ITS_WAY
        return self._in_cell() or main_shell_busy(self._kernel) or on_its_way

    async def _hush(self, comm_id: str) -> None:
        """Keep a comm that answers in mid-cell from closing the cell's figures."""
        for _ in range(_LOOKS):
            comm = self._messages.comm(comm_id)
            if comm is not None:
                if comm not in self._hushed:
                    self._hushed[comm] = CommRepair(comm, self._in_cell, route=False)
                return
            # Its opening went to a subshell a moment ago.
            await asyncio.sleep(0.01)
