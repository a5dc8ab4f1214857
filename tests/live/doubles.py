"""Stand-ins for what surrounds a session: a browser, a kernel, a loop in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import comm
import pytest
import torch
from ipywidgets.widgets.widget import _put_buffers
from torch import nn

from nnwidgets.live import wire
from nnwidgets.live.kernel import Route

_PATIENCE = 30.0  # seconds until a state that does not come fails the test


def small(lr: float = 0.1) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(3, 2)
    return model, torch.optim.SGD(model.parameters(), lr=lr)


def take_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(4, 3)).square().sum().backward()
    optimizer.step()


def until(condition: Callable[[], Any]) -> None:
    """Wait for a state that another thread brings about."""
    end = monotonic() + _PATIENCE
    nap = threading.Event()
    while not condition():
        assert monotonic() < end, "this state never came"
        nap.wait(0.002)


class Background:
    """A function in a thread; whatever it raises is raised by `join`."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.problem: BaseException | None = None
        self._function = function
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._function()
        except BaseException as problem:
            self.problem = problem

    @property
    def ident(self) -> int | None:
        return self._thread.ident

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(_PATIENCE)
        assert self.done, "the thread hangs"
        if self.problem is not None:
            raise self.problem


@contextmanager
def background(function: Callable[[], Any]) -> Iterator[Background]:
    thread = Background(function)
    yield thread
    thread.join()


class RecordingComm(comm.base_comm.BaseComm):
    """A comm that keeps what would have gone to the browser."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any], list[bytes]]] = []
        super().__init__(*args, **kwargs)

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        self.sent.append((msg_type, data or {}, [bytes(b) for b in buffers or []]))


class Browser:
    """The other end of one widget's comm."""

    def __init__(self, widget: Any) -> None:
        self.comm: RecordingComm = widget.comm
        self._next_id = 0
        self._read = len(self.comm.sent)

    def say(self, content: object) -> None:
        """Send any custom message."""
        message = {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
        self.comm.handle_msg(message)

    def look(self, visible: bool = True, view: str = "v1", language: str = "") -> None:
        """Report a view."""
        self.say({"type": "view", "view": view, "visible": visible, "language": language})

    def ask(self, action: str, **args: Any) -> int:
        """Send a request; returns its id."""
        self._next_id += 1
        self.say({"type": "request", "id": self._next_id, "action": action, "args": args})
        return self._next_id

    def answers(self, number: int) -> list[dict[str, Any]]:
        """All answers to a request; a packed result is unpacked into ``meta`` and ``arrays``."""
        found = []
        for kind, data, buffers in self.comm.sent:
            content = data.get("content", {})
            if kind == "comm_msg" and data.get("method") == "custom" and content["id"] == number:
                answer = dict(content)
                if content.get("packed"):
                    packed = {**content["packed"], "data": buffers[0]}
                    answer["meta"], answer["arrays"] = wire.unpack(packed)
                found.append(answer)
        return found

    def answer(self, number: int) -> dict[str, Any]:
        """The one answer to a request."""
        (only,) = self.answers(number)
        return only

    def updates(self) -> list[dict[str, Any]]:
        """State messages since the last call, binary data put back in place."""
        new, self._read = self.comm.sent[self._read :], len(self.comm.sent)
        found = []
        for kind, data, buffers in new:
            if kind == "comm_msg" and data.get("method") == "update":
                state = dict(data["state"])
                _put_buffers(state, data["buffer_paths"], buffers)
                found.append(state)
        return found


class FakeLink:
    """A kernel as the widgets see it."""

    def __init__(self) -> None:
        self.route = Route("route.thread", True)
        self.needs_pump = False
        self.cell_id: str | None = None
        self.in_cell = False
        self.attached: list[Any] = []
        self.pumped: list[int] = []
        self.waiting: list[Callable[[], None]] = []  # clicks that only a pump delivers
        self._starts: list[Callable[[str | None], None]] = []
        self._ends: list[Callable[[BaseException | None], None]] = []

    def attach(self, comm: Any) -> None:
        self.attached.append(comm)

    def detach(self, comm: Any) -> None:
        self.attached.remove(comm)

    def pump(self) -> None:
        self.pumped.append(threading.get_ident())
        while self.waiting:
            self.waiting.pop(0)()

    def soon(self, call: Callable[[], None]) -> bool:
        """There is no main loop."""
        return False

    def on_cell_start(self, callback: Callable[[str | None], None]) -> Callable[[], None]:
        self._starts.append(callback)
        return lambda: self._starts.remove(callback)

    def on_cell_end(self, callback: Callable[[BaseException | None], None]) -> Callable[[], None]:
        self._ends.append(callback)
        return lambda: self._ends.remove(callback)

    def begin(self, cell: str | None) -> None:
        self.cell_id, self.in_cell = cell, True
        for callback in list(self._starts):
            callback(cell)

    def end(self, problem: BaseException | None = None) -> None:
        for callback in list(self._ends):
            callback(problem)
        self.cell_id, self.in_cell = None, False

    @contextmanager
    def cell(self, cell: str | None = "cell") -> Iterator[None]:
        """Run the body as a cell.

        As in Jupyter an error ends the cell and no more: ValueError and KeyboardInterrupt, which
        tests plant, are swallowed.
        """
        self.begin(cell)
        try:
            yield
        except (ValueError, KeyboardInterrupt) as problem:
            self.end(problem)
        else:
            self.end()


class NoPublisher:
    """Instead of the publisher thread: tests call ``publish(now)`` themselves."""

    def __init__(self) -> None:
        self.targets: list[Any] = []
        self.woken = 0

    def add(self, target: Any) -> None:
        self.targets.append(target)

    def remove(self, target: Any) -> None:
        self.targets = [other for other in self.targets if other is not target]

    def wake(self) -> None:
        self.woken += 1


def install_browser(patch: pytest.MonkeyPatch) -> NoPublisher:
    """Let widgets talk to `RecordingComm`, and only when told to."""
    quiet = NoPublisher()
    patch.setattr(comm, "create_comm", RecordingComm)
    patch.setattr("nnwidgets.live.widget.publisher", quiet)
    return quiet


def install_link(patch: pytest.MonkeyPatch) -> FakeLink:
    """Let widgets believe that they live in a kernel."""
    link = FakeLink()
    for module in ("live.widget", "live.cells", "training_monitor"):
        patch.setattr(f"nnwidgets.{module}.kernel_link", lambda: link)
    return link
