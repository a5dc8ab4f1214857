"""A script that has watched a model ends when it has nothing more to do."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.live.kernel_process import front_end, running_kernel
from tests.repo.tree import ROOT

# What is registered first runs last, after everything that the package does at the end.
SCRIPT = """
import atexit, threading
atexit.register(lambda: print([t.name for t in threading.enumerate()]))
import nnwidgets
monitors = [nnwidgets.TrainingMonitor() for _ in range(3)]
for step in range(100):
    for monitor in monitors:
        monitor.log(loss=1.0 / (step + 1))
print([t.name for t in threading.enumerate()])
"""

# A kernel ends with its widgets open: ipywidgets keeps them until the modules are taken apart.
KERNEL = """
import comm
from tests.live.doubles import RecordingComm
comm.create_comm = RecordingComm
import nnwidgets
monitor = nnwidgets.TrainingMonitor()
monitor._views["v1"] = True
monitor.log(loss=1.0)
"""


# A thread that the interpreter stops inside torch takes the process down: exit code 134.
WORKING = """
import atexit, threading
atexit.register(lambda: print([t.name for t in threading.enumerate()]))
import torch
from nnwidgets.live.jobs import Job
model = torch.nn.Sequential(*[torch.nn.Linear(500, 500) for _ in range(8)])
def work(job):
    while True:
        job.check()
        model(torch.ones(500, 500))
jobs = [Job(work, lambda job: None, lambda *_: None) for _ in range(3)]
for job in jobs:
    job.start()
print([t.name for t in threading.enumerate()])
"""

# What is registered first runs last: by then nothing may begin any more.
LATE = """
import atexit
late = []
atexit.register(lambda: late[0].start())
from nnwidgets.live.jobs import Job
late.append(Job(print, lambda job: print("cancelled:", job.cancelled, job.wait(1)), print))
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def test_no_thread_is_left_to_the_interpreter() -> None:
    """A daemon thread caught with the lock would let the collected widgets wait for ever."""
    before, after = run(SCRIPT).stdout.splitlines()
    assert "nnwidgets publisher" in before
    assert "nnwidgets publisher" not in after


def test_what_is_worked_on_at_the_end_is_cancelled_and_waited_for() -> None:
    before, after = run(WORKING).stdout.splitlines()
    assert "nnwidgets job" in before
    assert "nnwidgets job" not in after


def test_nothing_begins_after_the_end() -> None:
    assert run(LATE).stdout.splitlines() == ["cancelled: True True"]


def test_a_widget_that_is_open_at_the_end_goes_without_a_word() -> None:
    """Nothing can be built any more when the interpreter collects what is left."""
    assert run(KERNEL).stderr == ""


@pytest.mark.parametrize("kernel", ["python3", "nnwidgets-ipykernel6"])
def test_a_kernel_that_is_shut_down_in_mid_training_sends_the_last_picture(kernel: str) -> None:
    """Nobody looks, so nothing was sent; but the notebook may be saved with what is sent now."""
    code = """
import json, time, nnwidgets
monitor = nnwidgets.TrainingMonitor()
monitor._receive({"type": "view", "view": "v", "visible": False, "language": "en"}, [])
def train():
    for step in monitor.track(range(10**9)):
        monitor.log(loss=1.0)
        time.sleep(0.001)
run = monitor.run(train)
while monitor.history.count("loss") < 500:
    time.sleep(0.001)
print(json.dumps(monitor.comm.comm_id))
"""
    with running_kernel(kernel) as manager, front_end(manager, names_subshell=False) as page:
        comm_id = page.finish(code)

        def steps() -> list[Any]:
            """Return the steps of the pictures that have come."""
            sent = [m["content"] for m in page.iopub if m["msg_type"] == "comm_msg"]
            data = [content["data"] for content in sent if content["comm_id"] == comm_id]
            states = [d["state"] for d in data if d.get("method") == "update"]
            return [state["_live"]["meta"]["step"] for state in states if "_live" in state]

        page.client.control_channel.send(page.client.session.msg("shutdown_request", {}))
        page.wait(lambda: steps() and steps()[-1] >= 499)
