"""A real kernel in a process of its own, spoken to as a front end speaks to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import zmq
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import KernelManager

PATIENCE = 60.0  # seconds until a test gives up; no test's result depends on it
MISSING = "The kernel {name!r} is missing: run `.venv/bin/python scripts/kernels.py`."


@dataclass
class Cell:
    """A cell that was sent; filled as its messages come in."""

    message_id: str
    printed: str = ""
    reply: dict[str, Any] | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether the cell has ended and its output has come, which goes another way."""
        return self.reply is not None and any(_is_idle(message) for message in self.messages)

    @property
    def result(self) -> Any:
        """What the cell printed last, read as JSON."""
        assert self.reply is not None
        assert self.reply["content"]["status"] == "ok", self.reply["content"]
        return json.loads(self.printed.strip().splitlines()[-1])


class FrontEnd:
    """One front end: JupyterLab names a subshell in comm messages, others name none.

    Parameters
    ----------
    client
        A blocking client of the kernel.
    names_subshell
        Whether comm messages name a subshell, which is made when it is first needed.
    """

    def __init__(self, client: Any, *, names_subshell: bool) -> None:
        self.client = client
        self.names_subshell = names_subshell
        self.subshell: str | None = None
        self.cells: dict[str, Cell] = {}
        self.order: list[str] = []  # message ids of execute replies, as they came
        self.replies: dict[str, dict[str, Any]] = {}
        self.iopub: list[dict[str, Any]] = []

    # -- sending -------------------------------------------------------------------------

    def run(self, code: str, cell_id: str | None = None) -> Cell:
        """Send a cell, without waiting for anything."""
        content = {"code": code, "silent": False, "stop_on_error": False, "allow_stdin": False}
        content["store_history"] = True
        metadata = {} if cell_id is None else {"cellId": cell_id}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        cell = Cell(message["header"]["msg_id"])
        self.cells[cell.message_id] = cell
        self.client.shell_channel.send(message)
        return cell

    def finish(self, code: str, cell_id: str | None = None) -> Any:
        """Run a cell to its end and return its last printed line, read as JSON."""
        cell = self.run(code, cell_id)
        self.wait(lambda: cell.done)
        assert cell.reply is not None
        assert cell.reply["content"]["status"] == "ok", cell.reply["content"]
        return cell.result if cell.printed.strip() else None

    def send(
        self,
        kind: str,
        content: dict[str, Any],
        *,
        metadata: dict[str, Any] | None = None,
        subshell: str | None = None,
    ) -> str:
        """Send any shell message; return its id."""
        message = self.client.session.msg(kind, content, metadata=metadata)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def click(self, comm_id: str, data: Any = None) -> str:
        """Send a custom message to a comm, as this front end would."""
        if self.names_subshell and self.subshell is None:
            self.subshell = self.control("create_subshell_request")["subshell_id"]
        return self.send("comm_msg", {"comm_id": comm_id, "data": data}, subshell=self.subshell)

    def control(self, kind: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a control request and return the content of its reply."""
        message = self.client.session.msg(kind, content or {})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])

    # -- receiving -----------------------------------------------------------------------

    def wait(self, done: Callable[[], bool]) -> None:
        """Read messages until ``done``."""
        deadline = time.monotonic() + PATIENCE
        poller = zmq.Poller()
        poller.register(self.client.iopub_channel.socket, zmq.POLLIN)
        poller.register(self.client.shell_channel.socket, zmq.POLLIN)
        while not done():
            assert time.monotonic() < deadline, self._story()
            for channel in (self.client.iopub_channel, self.client.shell_channel):
                while channel.socket.poll(0):
                    self._receive(channel)
            if not done():
                poller.poll(100)

    def wait_for_print(self, cell: Cell, text: str) -> None:
        """Read messages until the cell has printed the text, while it still runs."""
        self.wait(lambda: text in cell.printed)
        assert cell.reply is None, cell

    def _receive(self, channel: Any) -> None:
        message = channel.get_msg(timeout=0)
        if channel is self.client.iopub_channel:
            self._on_iopub(message)
        else:
            self._on_shell(message)

    def _on_iopub(self, message: dict[str, Any]) -> None:
        self.iopub.append(message)
        cell = self.cells.get(message["parent_header"].get("msg_id"))
        if cell is None:
            return
        cell.messages.append(message)
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            cell.printed += message["content"]["text"]

    def _on_shell(self, message: dict[str, Any]) -> None:
        parent = message["parent_header"].get("msg_id")
        self.replies[parent] = message
        if parent in self.cells:
            self.order.append(parent)
            self.cells[parent].reply = message

    def statuses(self, message_id: str) -> list[str]:
        """Return the states that the kernel published for a message."""
        return [
            m["content"]["execution_state"]
            for m in self.iopub
            if m["msg_type"] == "status" and m["parent_header"].get("msg_id") == message_id
        ]

    def _story(self) -> str:
        cell = list(self.cells.values())[-1]
        reply = cell.reply and cell.reply["content"]
        return f"waited {PATIENCE:g} s in vain; the last cell printed {cell.printed!r}, {reply=}"


def _is_idle(message: dict[str, Any]) -> bool:
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"


@contextmanager
def running_kernel(name: str) -> Iterator[KernelManager]:
    """Start the kernel of that kernelspec and shut it down afterwards."""
    manager = KernelManager(kernel_name=name)
    try:
        manager.start_kernel()
    except NoSuchKernel:
        pytest.fail(MISSING.format(name=name), pytrace=False)
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


@contextmanager
def front_end(manager: KernelManager, *, names_subshell: bool) -> Iterator[FrontEnd]:
    """Connect a front end to a running kernel."""
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield FrontEnd(client, names_subshell=names_subshell)
    finally:
        client.stop_channels()
