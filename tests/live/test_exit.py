"""A script that has watched a model ends when it has nothing more to do."""

from __future__ import annotations

import subprocess
import sys

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


def test_a_widget_that_is_open_at_the_end_goes_without_a_word() -> None:
    """Nothing can be built any more when the interpreter collects what is left."""
    assert run(KERNEL).stderr == ""
