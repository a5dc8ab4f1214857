"""The link where there is no kernel, where parts of it are missing, and how it is guarded."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nnwidgets.live import _ipykernel as private
from nnwidgets.live.kernel import KernelLink, Route
from tests.live.kernel_process import front_end, running_kernel

ROOT = Path(__file__).resolve().parents[2]

# What each kernel must still have for clicks to come through. When one of these goes, the widget
# falls back to a slower route and says so; this test says it first.
EVERYWHERE = (
    "kernel.shell_stream",
    "kernel.session.pid",
    "kernel.comm_manager.comms",
    "kernel.get_parent",
    "kernel.shell.events",
    "comm._msg_callback",
    "comm.handle_msg",
)
SUBSHELLS = (
    "kernel.shell_channel_thread.io_loop",
    "kernel._main_asyncio_lock",
    "kernel.shell_stream._recv_callback",
    "kernel.shell_stream._recv_copy",
)
PRIVATE_PARTS = {
    "python3": (*EVERYWHERE, *SUBSHELLS, "comm._reply_subshell_for"),
    "nnwidgets-ipykernel71": (
        *EVERYWHERE,
        *SUBSHELLS,
        "kernel.shell_channel_thread._manager._shell_socket",
    ),
    "nnwidgets-ipykernel6": (
        *EVERYWHERE,
        "kernel.msg_queue.get_nowait",
        "kernel.schedule_dispatch",
        "kernel.dispatch_shell",
        "kernel._parent_ident",
        "kernel._publish_status",
        "kernel.shell_handlers",
    ),
}


@pytest.mark.parametrize("name", PRIVATE_PARTS)
def test_private_parts_are_there(name: str):
    code = """
import comm, json, operator
from IPython import get_ipython
names = dict(kernel=get_ipython().kernel, comm=comm.create_comm(target_name="probe"))
def has(path):
    first, _, rest = path.partition(".")
    try: operator.attrgetter(rest)(names[first])
    except AttributeError: return False
    return True
"""
    with running_kernel(name) as manager, front_end(manager, names_subshell=False) as page:
        page.finish(code)
        parts = page.finish(
            f"print(json.dumps({{part: has(part) for part in {PRIVATE_PARTS[name]!r}}}))"
        )
    assert parts == dict.fromkeys(PRIVATE_PARTS[name], True)


def test_the_repair_is_still_needed():
    # The unrepaired comm: a click on ipykernel 7.4 waits for the cell, although the front end
    # names a subshell. When this fails, ipykernel has changed and CommRepair may go.
    code = """
import comm, time, json
clicks, done = [], []
plain = comm.create_comm(target_name="plain")
plain.on_msg(clicks.append)
print(json.dumps(plain.comm_id))
"""
    with running_kernel("python3") as manager, front_end(manager, names_subshell=True) as page:
        comm_id = page.finish(code)
        busy = page.run(
            "plain.send({}); print('started', flush=True)\n"
            "give_up = time.monotonic() + 30\n"
            "while not (clicks or done) and time.monotonic() < give_up: time.sleep(0.01)\n"
            "print(json.dumps(len(clicks)))"
        )
        page.wait_for_print(busy, "started")
        click = page.click(comm_id, "late")
        # A second subshell tells the cell to end, once the click has had its chance: the shell
        # channel hands messages on in their order.
        other = page.control("create_subshell_request")["subshell_id"]
        content: dict[str, Any] = {"code": "done.append(1)", "silent": False}
        content |= {"store_history": False, "user_expressions": {}, "allow_stdin": False}
        page.send("execute_request", content, subshell=other)
        page.wait(lambda: busy.done and "idle" in page.statuses(click))
        assert busy.result == 0


def test_plain_script_imports_and_does_nothing():
    code = """
import sys, nnwidgets
from nnwidgets.live.kernel import kernel_link
before = set(sys.modules)
link = kernel_link()
calls = []
undo = link.on_cell_start(calls.append)
link.attach(object()); link.pump(); link.detach(object()); undo(); link.close()
loaded = sorted(m for m in set(sys.modules) - before if not m.startswith("nnwidgets"))
print(link.route.key, link.route.live, link.in_cell, link.cell_id, link.needs_pump, calls, loaded)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "route.none False False None False [] []"


class Loop:
    """Runs at once what the kernel's thread would run."""

    def add_callback(self, callback: Any) -> None:
        callback()


class Stream:
    def __init__(self) -> None:
        self._recv_callback: Any = lambda frames: None
        self._recv_copy = False

    def on_recv(self, callback: Any, copy: bool = True) -> None:
        self._recv_callback = callback


def bare_kernel(**parts: Any) -> Any:
    """Return something that looks like an ipykernel with just these parts."""
    events = SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
    return SimpleNamespace(
        shell=SimpleNamespace(events=events), session=None, shell_stream=Stream(), **parts
    )


def in_a_cell(link: KernelLink) -> KernelLink:
    link._started(SimpleNamespace(cell_id="c"))
    return link


def test_kernel_with_neither_subshells_nor_queue_says_so():
    link = in_a_cell(KernelLink(bare_kernel()))
    assert link.route == Route("route.cell_end", live=False)
    assert not link.needs_pump
    link.pump()


def test_pump_kernel_is_live_once_the_loop_reads(monkeypatch: pytest.MonkeyPatch):
    kernel = bare_kernel(msg_queue=None, schedule_dispatch=None, dispatch_shell=None)
    link = in_a_cell(KernelLink(kernel))
    assert link.route == Route("route.cell_end", live=False)
    monkeypatch.setattr(link._pump, "pump", lambda: None)
    link.pump()
    assert link.route == Route("route.pump", live=True)
    link._ended(None)
    assert link.route == Route("route.thread", live=True)
    assert in_a_cell(link).route.live is False  # the next cell may have no loop


def test_error_while_reading_clicks_is_logged(monkeypatch, caplog):
    kernel = bare_kernel(msg_queue=None, schedule_dispatch=None, dispatch_shell=None)
    link = in_a_cell(KernelLink(kernel))
    with caplog.at_level(logging.ERROR, logger="nnwidgets"):
        link.pump()  # msg_queue is None
    assert "could not be read" in caplog.text

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(link._pump, "pump", interrupted)
    with pytest.raises(KeyboardInterrupt):
        link.pump()


@pytest.mark.parametrize("missing", ["io_loop", "_recv_callback", "_recv_copy"])
def test_subshell_kernel_without_a_private_part_still_attaches(missing: str):
    kernel = bare_kernel(shell_channel_thread=SimpleNamespace(io_loop=Loop()))
    owner = kernel.shell_channel_thread if missing == "io_loop" else kernel.shell_stream
    delattr(owner, missing)
    link = KernelLink(kernel)
    comm = FakeComm()
    link.attach(comm)
    link.detach(comm)
    assert in_a_cell(link).route == Route("route.subshell", live=True)


class FakeComm:
    comm_id = "1"

    def __init__(self) -> None:
        self._msg_callback = None
        self.heard: list[Any] = []

    def _reply_subshell_for(self, data: Any, default: Any) -> Any:
        return "main"

    def handle_msg(self, message: Any) -> None:
        self.heard.append(message)


def test_comm_is_as_before_after_detach():
    comm = FakeComm()
    before = dict(vars(comm))
    link = KernelLink(bare_kernel())
    link.attach(comm)
    link.attach(comm)
    assert comm._reply_subshell_for({}, "front end's choice") == "front end's choice"
    comm.handle_msg("outside a cell")
    assert comm.heard == ["outside a cell"]
    link.detach(comm)
    link.detach(comm)
    assert vars(comm) == {**before, "heard": comm.heard}
    assert comm._reply_subshell_for({}, "front end's choice") == "main"


def test_what_others_set_on_the_comm_is_kept():
    comm = FakeComm()
    link = KernelLink(bare_kernel())
    link.attach(comm)
    theirs = comm._reply_subshell_for = lambda data, default: "theirs"  # type: ignore[method-assign]
    link.close()
    assert comm._reply_subshell_for is theirs
    assert "handle_msg" not in vars(comm)


def test_comm_that_cannot_be_repaired_is_no_error(caplog: pytest.LogCaptureFixture):
    link = KernelLink(bare_kernel())
    link.attach(object())
    assert "may wait" in caplog.text


def test_collected_comm_is_forgotten():
    link = KernelLink(bare_kernel())
    comm = FakeComm()
    link.attach(comm)
    assert link._repairs
    del comm
    assert not link._repairs


def test_listener_that_fails_is_logged(caplog: pytest.LogCaptureFixture):
    link = KernelLink(bare_kernel())
    told: list[Any] = []
    link.on_cell_start(lambda cell: 1 / 0)
    link.on_cell_start(told.append)
    in_a_cell(link)
    assert told == ["c"]
    assert "listener" in caplog.text


def test_cell_whose_end_was_never_told(monkeypatch: pytest.MonkeyPatch):
    ids = iter(["first", "second"])
    monkeypatch.setattr(private, "current_message_id", lambda kernel: next(ids))
    link = KernelLink(bare_kernel())
    told: list[Any] = []
    link.on_cell_start(lambda cell: told.append("start"))
    link.on_cell_end(lambda error: told.append("end"))
    in_a_cell(in_a_cell(link))
    assert told == ["start", "end", "start"]


def test_messages_of_others_have_no_claim():
    session = SimpleNamespace(unpack=lambda content: content)
    comms = {"theirs": SimpleNamespace(target_name="jupyter.widget")}
    kernel = SimpleNamespace(session=session, comm_manager=SimpleNamespace(comms=comms))
    messages = private.Messages(kernel, {"ours"}.__contains__)

    def claim(kind: str, **content: Any) -> private.Claim:
        return messages.claim(kind, content)[0]  # type: ignore[arg-type]

    assert claim("comm_msg", comm_id="ours") is private.Claim.OURS
    assert claim("comm_msg", comm_id="theirs", data={"method": "update"}) is private.Claim.NONE
    assert claim("comm_msg", comm_id="theirs", data=[]) is private.Claim.NONE
    asks = {"method": "request_state"}
    assert claim("comm_msg", comm_id="theirs", data=asks) is private.Claim.RELOAD
    assert claim("comm_open", comm_id="x", target_name="jupyter.widget") is private.Claim.NONE
    assert claim("execute_request") is private.Claim.NONE
    # The question of a page may be read before its comm is open, and its end closes the matter.
    assert claim("comm_msg", comm_id="x") is private.Claim.NONE
    opening = {"comm_id": "x", "target_name": "jupyter.widget.control"}
    assert claim("comm_open", **opening) is private.Claim.RELOAD
    assert claim("comm_msg", comm_id="x") is private.Claim.RELOAD
    assert claim("comm_close", comm_id="x") is private.Claim.RELOAD
    assert claim("comm_msg", comm_id="x") is private.Claim.NONE
