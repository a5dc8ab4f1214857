"""What axe-core, a keyboard and a narrow notebook say about the monitor in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import ROOT, Chromium, Lab, Notebook, Theme

AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"

# A run with everything on show: pairs, layers, a finding, a message, a mark of the slider.
SHOW = """
import torch
from torch import nn
from nnwidgets import TrainingMonitor

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
monitor = TrainingMonitor(model, optimizer, title="Accessible")
monitor
"""
TRAIN = """
for epoch in monitor.track(range(40)):
    for _ in monitor.track(range(10)):
        x = torch.randn(32, 8)
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        monitor.log(loss=loss)
    monitor.log(val_loss=0.3 + abs(epoch - 15) / 50, odd="no number" if epoch == 3 else 1.0)
"""
WAITS = """
monitor.pause()
for _ in monitor.track(range(10**9)):
    monitor.log(other=0.5)
"""

# JupyterLab's body has no height, and axe then takes everything for hidden and checks no contrast;
# what is scrolled out of sight it does not check either, so the pages here are tall.
CHECK = """async (selector) => {
    document.body.style.height = "100vh";
    const found = await axe.run(selector, { resultTypes: ["violations"] });
    return found.violations.flatMap((v) => v.nodes.map((n) => [v.id, n.target.join(" "), n.html]));
}"""
PLANT = """(selector) => {
    const plant = document.createElement("div");
    plant.innerHTML =
        '<button></button><p style="color:#999;background:#aaa;font-size:12px">hardly legible</p>';
    document.querySelector(selector).prepend(plant);
}"""
ROOT_OF_VIEW = ".nnw"


def violations(notebook: Notebook, root: str = ROOT_OF_VIEW) -> list[list[str]]:
    if not notebook.page.evaluate("() => 'axe' in window"):
        notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[list[str]] = notebook.page.evaluate(CHECK, root)
    return found


@pytest.fixture(params=["light", "dark"])
def trained(request: pytest.FixtureRequest, lab: Lab, chromium: Chromium) -> Iterator[Notebook]:
    theme: Theme = request.param
    lab.write("accessible.ipynb", [SHOW, TRAIN, WAITS])
    with chromium.open(lab, "accessible.ipynb", theme=theme, width=1000, height=2000) as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.page.locator(".nnw-pill[data-condition=finished]").first.wait_for()
        yield notebook


def test_axe_finds_nothing_but_what_is_planted(trained: Notebook) -> None:
    trained.page.get_by_text("Overfitting since").first.wait_for()
    found = violations(trained)
    assert not found, "\n".join(map(str, found))
    trained.page.evaluate(PLANT, ROOT_OF_VIEW)
    assert {rule for rule, *_ in violations(trained)} >= {"button-name", "color-contrast"}


def test_the_keyboard_is_enough_while_a_cell_trains(lab: Lab, chromium: Chromium) -> None:
    lab.write("keyboard.ipynb", [SHOW, WAITS])
    with chromium.open(lab, "keyboard.ipynb", width=700, height=2000) as notebook:
        page: Any = notebook.page
        notebook.run(0)
        notebook.start(1)
        page.locator(".nnw-pill[data-condition=paused]").first.wait_for()
        assert violations(notebook) == []
        # nothing of the widget is wider than the notebook
        wide = (
            "(s) => { const e = document.querySelector(s); return e.scrollWidth - e.clientWidth }"
        )
        assert page.evaluate(wide, ROOT_OF_VIEW) <= 0

        page.get_by_role("button", name="Resume", exact=True).first.focus()
        ring = "() => getComputedStyle(document.activeElement).outlineStyle"
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(ring) != "none"
        page.keyboard.press("Enter")
        page.locator(".nnw-pill[data-condition=running]").first.wait_for()
        page.keyboard.press("Space")
        page.locator(".nnw-pill[data-condition=paused]").first.wait_for()

        page.get_by_role("slider", name="Learning rate").first.focus()
        page.keyboard.press("ArrowRight")
        notebook.wait_for(
            "() => document.querySelector('.nnw').textContent.match(/×1\\.[1-9]/) !== null"
        )
        page.get_by_role("button", name="Stop", exact=True).first.focus()
        page.keyboard.press("Enter")
        notebook.finished(1)
