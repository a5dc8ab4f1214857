"""TrainingMonitor in a synchronous cell of a real JupyterLab, on every host."""

from __future__ import annotations

import json
import re

import pytest

from nnwidgets.catalogue import text
from tests.browser.hosts import HOSTS, Host
from tests.browser.lab import Chromium, Lab, Notebook

SHOW = """
import json
from pathlib import Path
import torch
from nnwidgets import TrainingMonitor

weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
optimizer = torch.optim.SGD([weight], lr=0.5)
monitor = TrainingMonitor(optimizer=optimizer)
monitor
"""

# The gradient is one, so a step moves the weight by the learning rate in force. The fifth step
# takes as long as the file lies there.
TRAIN = """
moved = []
def train():
    for _ in monitor.track(range(10**9)):
        optimizer.zero_grad()
        weight.sum().backward()
        before = weight.item()
        optimizer.step()
        moved.append(before - weight.item())
        monitor.log(loss=len(moved))
        while len(moved) == 5 and Path("hold").exists():
            pass
"""
FACTS = "print(json.dumps([monitor.state, moved, monitor._session.host.route.key]))"

STEP = "Number(document.querySelector('.nnw-where')?.textContent.replace(/\\D/g, '') || 0)"


class Monitor:
    """The monitor in a page, as a user sees it."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self.page = notebook.page

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def wait_for_state(self, state: str) -> None:
        self.page.locator(f".nnw-pill[data-condition={state}]").first.wait_for()

    def wait_for_step(self, comparison: str) -> int:
        self._notebook.wait_for(f"() => {STEP} {comparison}")
        return int(self.page.evaluate(f"() => {STEP}"))

    def set_learning_rate(self, decades: float) -> None:
        slider = self.page.get_by_role("slider", name="Learning rate")
        slider.fill(str(decades))
        slider.dispatch_event("change")


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param]


def facts(printed: str) -> tuple[str, list[float], str]:
    state, moved, route = json.loads(printed)
    return state, moved, route


def test_steered_while_the_cell_trains(lab: Lab, chromium: Chromium, host: Host):
    hold = lab.root / "hold"
    hold.touch()
    lab.write("steer.ipynb", [SHOW, TRAIN, f"train()\n{FACTS}"], kernel=host.kernel)
    with chromium.open(lab, "steer.ipynb", settings=host.settings) as notebook:
        monitor = Monitor(notebook)
        notebook.run(0)
        notebook.run(1)
        notebook.start(2)

        # A click during a long step says what it waits for, and acts right after that step.
        monitor.wait_for_step("=== 5")
        monitor.click("Pause")
        queued = notebook.page.locator(".nnw-queued:visible")
        queued.wait_for()
        assert "Pause" in queued.inner_text()
        hold.unlink()
        monitor.wait_for_state("paused")
        queued.wait_for(state="hidden")
        assert monitor.wait_for_step(">= 5") == 5

        monitor.click("Step")
        monitor.wait_for_step("=== 6")
        monitor.click("Step")
        monitor.wait_for_step("=== 7")

        monitor.set_learning_rate(1)
        monitor.click("Resume")
        monitor.wait_for_state("running")
        notebook.page.locator(".nnw-newest", has_text=re.compile("^5.00$")).wait_for()
        monitor.wait_for_step("> 20")
        monitor.click("Pause")
        monitor.wait_for_state("paused")
        stopped_at = monitor.wait_for_step("> 20")
        shown = notebook.page.locator(".nnw-header-cost").text_content() or ""
        assert text(host.route) in shown
        assert text(f"{host.route}.hint") in shown
        monitor.click("Stop")
        state, moved, route = facts(notebook.finished(2))

    assert state == "stopped"
    assert route == host.route
    # No step without a click while it was paused; the slider, which waits until it has come to
    # rest, acts from some step on.
    assert len(moved) == stopped_at
    slow = moved.index(pytest.approx(5.0))
    assert slow >= 7
    assert moved == pytest.approx([0.5] * slow + [5.0] * (stopped_at - slow))


def test_reloaded_while_the_cell_trains(lab: Lab, chromium: Chromium, host: Host):
    lab.write("again.ipynb", [SHOW, TRAIN, "train()", FACTS], kernel=host.kernel)
    with chromium.open(lab, "again.ipynb", settings=host.settings) as notebook:
        monitor = Monitor(notebook)
        notebook.run(0)
        notebook.run(1)
        notebook.start(2)
        before = monitor.wait_for_step("> 20")
        notebook.reload()
        # The picture that the notebook was saved with is not enough: it has to go on.
        here = monitor.wait_for_step(f"> {before}")
        monitor.wait_for_step(f"> {here}")
        monitor.click("Pause")
        monitor.wait_for_state("paused")
        stopped_at = monitor.wait_for_step(f"> {here}")
        monitor.click("Stop")
        # The page that was reloaded knows nothing of the running cell; the next one waits for it.
        state, moved, _ = facts(notebook.run(3))
    assert state == "stopped"
    assert len(moved) == stopped_at


@pytest.mark.parametrize("kernel", ["python3", "nnwidgets-ipykernel6"])
def test_training_in_the_background_leaves_the_kernel_free(
    lab: Lab, chromium: Chromium, kernel: str
):
    cells = [SHOW, TRAIN, "run = monitor.run(train)", FACTS, f"run.result()\n{FACTS}"]
    lab.write("background.ipynb", cells, kernel=kernel)
    with chromium.open(lab, "background.ipynb") as notebook:
        monitor = Monitor(notebook)
        for cell in range(3):
            notebook.run(cell)
        monitor.wait_for_state("running")
        state, moved, _ = facts(notebook.run(3))
        assert state == "running"
        monitor.wait_for_step(f"> {len(moved)}")
        monitor.click("Pause")
        monitor.wait_for_state("paused")
        stopped_at = monitor.wait_for_step("> 0")
        monitor.click("Stop")
        state, moved, _ = facts(notebook.run(4))
    assert state == "stopped"
    assert len(moved) == stopped_at


def test_second_view_is_live_and_steers(lab: Lab, chromium: Chromium):
    lab.write("views.ipynb", [SHOW, TRAIN, f"train()\n{FACTS}"])
    with chromium.open(lab, "views.ipynb", width=1600) as notebook:
        monitor = Monitor(notebook)
        notebook.run(0)
        notebook.second_view(0)
        notebook.run(1)
        notebook.start(2)
        monitor.wait_for_step("> 20")
        second = notebook.page.locator(".jp-LinkedOutputView .nnw")
        second.get_by_role("button", name="Pause", exact=True).click()
        first = notebook.page.locator(".jp-Notebook .nnw")
        for view in (first, second):
            view.locator(".nnw-pill[data-condition=paused]").wait_for()
        where = [view.locator(".nnw-where").inner_text() for view in (first, second)]
        assert where[0] == where[1]
        first.get_by_role("button", name="Stop", exact=True).click()
        state, moved, _ = facts(notebook.finished(2))
    assert state == "stopped"
    assert len(moved) == int(re.sub(r"\D", "", where[0]))
