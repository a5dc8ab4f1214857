"""Clicks on real kernels while a cell runs, sent the way each front end sends them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.kernel_process import FrontEnd, front_end, running_kernel

# One process tests all hosts, each with one kernel.
pytestmark = pytest.mark.xdist_group("kernels")

ROOT = Path(__file__).resolve().parents[2]

# (kernelspec, whether the front end names a subshell) -> route of a click while a cell runs
HOSTS = {
    ("python3", True): "route.subshell",
    ("python3", False): "route.own_subshell",
    ("nnwidgets-ipykernel71", True): "route.subshell",
    ("nnwidgets-ipykernel71", False): "route.own_subshell",
    ("nnwidgets-ipykernel6", False): "route.pump",
}
NAMES = [f"{name}-{'subshell' if names else 'none'}" for name, names in HOSTS]

IMPORTS = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import comm, json, threading, time
from IPython import get_ipython
from nnwidgets.live.kernel import kernel_link
link = kernel_link()
kernel = get_ipython().kernel
"""

# A comm that writes down what comes, and a loop like that of a training cell: it publishes from
# the main thread, looks for messages at its safe points, and ends when it is told to.
COMM = """
clicks, seen_routes = [], []
def on_click(message):
    seen_routes.append(link.route.key)
    clicks.append(message["content"]["data"])
    if clicks[-1] == "fail":
        raise RuntimeError("the handler failed")
ours = comm.create_comm(target_name="nnwidgets-test")
ours.on_msg(on_click)
link.attach(ours)
def train(until="stop"):
    give_up = time.monotonic() + 30
    publish = 0
    while until not in clicks and time.monotonic() < give_up:
        sum(range(5000))
        if time.monotonic() > publish:
            ours.send({"kind": "a trait"})
            publish = time.monotonic() + 0.1
        if link.needs_pump:
            link.pump()
    return until in clicks
print(json.dumps(ours.comm_id))
"""
CLEAN_UP = """
link.close()
ours.close()
"""


@pytest.fixture(scope="module", params=HOSTS, ids=NAMES)
def host(request: pytest.FixtureRequest) -> Iterator[tuple[FrontEnd, str]]:
    name, names_subshell = request.param
    with running_kernel(name) as manager, front_end(manager, names_subshell=names_subshell) as end:
        end.finish(IMPORTS)
        yield end, HOSTS[request.param]


@pytest.fixture
def page(host: tuple[FrontEnd, str]) -> Iterator[FrontEnd]:
    yield host[0]
    host[0].finish(CLEAN_UP)


@pytest.fixture
def comm_id(page: FrontEnd) -> str:
    return str(page.finish(COMM))


def test_click_acts_while_the_cell_runs(host, page, comm_id):
    cell = page.run("print('started', flush=True); print(json.dumps([train(), seen_routes]))")
    page.wait_for_print(cell, "started")
    page.click(comm_id, "first")
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)
    heard, routes = cell.result
    assert heard
    # The first click shows the link what this front end sends.
    assert routes[-1] == host[1]


def test_clicks_keep_their_order(page, comm_id):
    cell = page.run("print('started', flush=True); train(); print(json.dumps(clicks))")
    page.wait_for_print(cell, "started")
    for number in range(20):
        page.click(comm_id, number)
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)
    assert cell.result == [*range(20), "stop"]


def test_click_is_answered_between_busy_and_idle(page, comm_id):
    cell = page.run("print('started', flush=True); train(); print('null')")
    page.wait_for_print(cell, "started")
    message = page.click(comm_id, "stop")
    page.wait(lambda: cell.done and "idle" in page.statuses(message))
    assert page.statuses(message) == ["busy", "idle"]


def test_click_between_cells_acts_at_once(page, comm_id):
    message = page.click(comm_id, "idle click")
    page.wait(lambda: "idle" in page.statuses(message))
    assert page.finish("print(json.dumps([clicks, seen_routes]))") == [
        ["idle click"],
        ["route.thread"],
    ]


def test_a_page_that_opens_is_answered_while_the_cell_runs(page, comm_id):
    page.finish("import ipywidgets; slider = ipywidgets.IntSlider(value=7)")
    cell = page.run("print('started', flush=True); train(); print('null')")
    page.wait_for_print(cell, "started")
    # What JupyterLab sends after a reload, none of it with a subshell.
    info = page.send("kernel_info_request", {})
    comms = page.send("comm_info_request", {"target_name": "nnwidgets-test"})
    page.wait(lambda: info in page.replies and comms in page.replies)
    assert page.replies[info]["content"]["status"] == "ok"
    assert comm_id in page.replies[comms]["content"]["comms"]
    control = "c0ffee"
    opening = {"target_name": "jupyter.widget.control", "comm_id": control, "data": {}}
    page.send("comm_open", opening, metadata={"version": "1.0.0"})
    page.send("comm_msg", {"comm_id": control, "data": {"method": "request_states"}})

    def states() -> list[dict]:
        contents = [m["content"] for m in page.iopub if m["msg_type"] == "comm_msg"]
        return [c["data"]["states"] for c in contents if c["data"].get("method") == "update_states"]

    page.wait(lambda: bool(states()))
    assert 7 in [model["state"].get("value") for model in states()[0].values()]
    assert cell.reply is None
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)


def test_queued_cells_run_afterwards_in_order(page, comm_id):
    cell = page.run("print('started', flush=True); train(); order = []; print('null')")
    page.wait_for_print(cell, "started")
    queued = [page.run(f"order.append({n}); print(json.dumps(order))") for n in range(3)]
    page.click(comm_id, "a")
    queued.append(page.run("order.append(3); print(json.dumps(order))"))
    page.click(comm_id, "stop")
    page.wait(lambda: queued[-1].done)
    assert queued[-1].result == [0, 1, 2, 3]
    assert page.order[-5:] == [c.message_id for c in [cell, *queued]]


def test_output_stays_with_the_cell(page, comm_id):
    page.finish("ours.on_msg(lambda m: (ours.send({'echo': 1}), on_click(m)))")
    cell = page.run(
        "print('started', flush=True); print('before'); train('a'); print('between')\n"
        "train(); print('after'); get_ipython().display_pub.publish({'text/plain': 'shown'})"
    )
    page.wait_for_print(cell, "started")
    page.click(comm_id, "a")
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)
    assert cell.printed.split() == ["started", "before", "between", "after"]
    assert [m["msg_type"] for m in cell.messages].count("display_data") == 1


def test_click_leaves_the_events_of_the_cell_alone(page, comm_id):
    # matplotlib's inline backend shows and closes figures at post_execute.
    page.finish(
        "executed = []\n"
        "def note(): executed.append(1)\n"
        "get_ipython().events.register('post_execute', note)"
    )
    cell = page.run(
        "print('started', flush=True); executed.clear(); train(); print(json.dumps(executed))"
    )
    page.wait_for_print(cell, "started")
    control = {"target_name": "jupyter.widget.control", "comm_id": "c1", "data": {}}
    page.send("comm_open", control, metadata={"version": "1.0.0"})
    page.send("comm_msg", {"comm_id": "c1", "data": {"method": "request_states"}})
    page.click(comm_id, "a")
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)
    page.finish("get_ipython().events.unregister('post_execute', note)")
    assert cell.result == []


def test_widgets_of_others_are_left_alone(page, comm_id):
    if page.names_subshell:
        pytest.skip("the front end itself sends them to a subshell")
    other = page.finish(
        "others = []\n"
        "other = comm.create_comm(target_name='other')\n"
        "other.on_msg(lambda m: others.append(link.in_cell))\n"
        "print(json.dumps(other.comm_id))"
    )
    cell = page.run("print('started', flush=True); train(); print(json.dumps(others))")
    page.wait_for_print(cell, "started")
    late = page.click(other, "waits")
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done and "idle" in page.statuses(late))
    assert cell.result == []
    assert page.finish("print(json.dumps(others))") == [False]


def test_failing_handler_stops_nothing(page, comm_id):
    cell = page.run("print('started', flush=True); print(json.dumps(train()))")
    page.wait_for_print(cell, "started")
    page.click(comm_id, "fail")
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)
    assert cell.result is True


def test_interrupt_reaches_the_loop(page, comm_id):
    cell = page.run("print('started', flush=True); train()")
    page.wait_for_print(cell, "started")
    page.control("interrupt_request")
    page.wait(lambda: cell.done)
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"
    # and the next cell is steered as the first was
    again = page.run("print('started', flush=True); print(json.dumps(train()))")
    page.wait_for_print(again, "started")
    page.click(comm_id, "stop")
    page.wait(lambda: again.done)
    assert again.result is True


def test_cells_are_announced(page, comm_id):
    page.finish(
        "told = []\n"
        "undo = [link.on_cell_start(lambda cell: told.append(['start', cell])),\n"
        "        link.on_cell_end(lambda error: told.append(['end', type(error).__name__]))]"
    )
    page.finish("get_ipython().run_cell('1 + 1'); assert link.in_cell", cell_id="one")
    failing = page.run("1 / 0", cell_id="two")
    page.wait(lambda: failing.done)
    told = page.finish("print(json.dumps([told, link.cell_id]))", cell_id="three")
    page.finish("for u in undo: u()")
    assert told == [
        [
            ["end", "NoneType"],
            ["start", "one"],
            ["end", "NoneType"],
            ["start", "two"],
            ["end", "ZeroDivisionError"],
            ["start", "three"],
        ],
        "three",
    ]


def test_asynchronous_cell_is_steered(page, comm_id):
    cell = page.run(
        "import asyncio; print('started', flush=True)\n"
        "while 'stop' not in clicks:\n"
        "    link.pump(); await asyncio.sleep(0.001)\n"
        "print(json.dumps(link.in_cell))"
    )
    page.wait_for_print(cell, "started")
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)
    assert cell.result is True


def test_nothing_is_left_behind(page, comm_id):
    page.finish("link.close(); before = vars(kernel.shell_stream)['_recv_callback']")
    events = page.finish(
        "names = [getattr(f, '__qualname__', '') for l in get_ipython().events.callbacks.values()"
        " for f in l]\nprint(json.dumps(names))"
    )
    assert not [name for name in events if name.startswith("KernelLink")]
    assert page.finish("print(json.dumps(sorted(vars(ours))))") == page.finish(
        "plain = comm.create_comm(target_name='plain'); plain.close()\n"
        "print(json.dumps(sorted(vars(plain))))"
    )
    subshells = [page.subshell] if page.subshell else []
    if page.finish("print(json.dumps(hasattr(kernel, 'shell_channel_thread')))"):
        page.wait(lambda: page.control("list_subshell_request")["subshell_id"] == subshells)
    callback = page.finish("print(json.dumps(repr(kernel.shell_stream._recv_callback)))")
    assert "nnwidgets" not in callback
    assert "Relay" not in callback


def test_attached_again_after_close(page, comm_id):
    page.finish("link.close(); link.attach(ours)")
    cell = page.run("print('started', flush=True); print(json.dumps(train()))")
    page.wait_for_print(cell, "started")
    page.click(comm_id, "stop")
    page.wait(lambda: cell.done)
    assert cell.result is True


def test_forked_process_has_no_link(page, comm_id):
    route = page.finish(
        "import os\n"
        "reading, writing = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try: os.write(writing, kernel_link().route.key.encode())\n"
        "    finally: os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(json.dumps(os.read(reading, 100).decode()))"
    )
    assert route == "route.none"
