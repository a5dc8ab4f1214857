"""LayerInspector in a real JupyterLab: large and broken models, no sample, older kernels."""

from __future__ import annotations

import pytest

from tests.browser.hosts import HOSTS, Host
from tests.browser.inspector import DIGITS, SHOW, TRAIN, Inspector
from tests.browser.lab import Chromium, Lab, Notebook

IMPORTS = """
import torch
from torch import nn
from nnwidgets import LayerInspector
"""
LARGE = """
block = lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout())
large = nn.Sequential(*(block() for _ in range(250)))
LayerInspector(large, torch.zeros(2, 4))
"""
BROKEN = """
class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 8), nn.Linear(9, 3), nn.ReLU()

    def forward(self, x):
        return self.third(self.second(self.first(x)))

broken = Broken()
LayerInspector(broken, torch.ones(2, 4))
"""
UNFED = """
unfed = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
optimizer = torch.optim.SGD(unfed.parameters(), 0.1)
LayerInspector(unfed, optimizer=optimizer)
"""
FED = """
for _ in range(300):
    optimizer.zero_grad()
    unfed(torch.ones(5, 4)).sum().backward()
    optimizer.step()
"""


def of_cell(notebook: Notebook, cell: int) -> Inspector:
    """Run a cell, and return the inspector that it shows."""
    notebook.run(cell)
    shown = Inspector(notebook, f".jp-Notebook .jp-Cell:nth-child({cell + 1} of .jp-Cell) .nnw")
    shown.root.scroll_into_view_if_needed()
    return shown


def test_a_thousand_modules_broken_ones_and_no_sample(lab: Lab, chromium: Chromium) -> None:
    lab.write("models.ipynb", [IMPORTS, LARGE, BROKEN, UNFED, FED])
    with chromium.open(lab, "models.ipynb", height=2400) as notebook:
        notebook.run(0)

        large = of_cell(notebook, 1)
        large.root.get_by_text("1,000 modules").wait_for()
        tree = large.root.get_by_role("tree")
        large.row("0").wait_for()
        assert large.rows()[:5] == ["0", "0.0", "0.1", "0.2", "1"]  # open as far as what is shown
        large.row("0.0").focus()
        large.page.keyboard.press("*")  # all of it
        large.row("1.0").wait_for()
        rows = tree.locator(".nnw-tree-rows")
        assert int(rows.evaluate("rows => rows.offsetHeight")) == 26 * 1000
        assert len(large.rows()) < 60
        tree.evaluate("tree => { tree.scrollTop = tree.scrollHeight }")
        large.select("249.2")
        large.wait("p.title.startsWith('249.2 · Dropout')")
        assert len(large.rows()) < 60
        assert large.row("0").count() == 0
        large.page.keyboard.press("Home")
        large.row("0").wait_for()

        broken = of_cell(notebook, 2)
        broken.root.get_by_text("The forward pass failed in second: ").wait_for()
        assert broken.rows() == ["first", "second", "third"]
        assert "failed" in broken.row("second").inner_text()
        broken.wait("p.title.startsWith('first · Linear 2×8') && p.kinds[0] === 'bars'")
        broken.button("Show the layer").click()
        shown = broken.wait("p.title.startsWith('second · Linear')")
        assert shown["kinds"][0] == "note"
        assert "mat1 and mat2" in shown["titles"][0]
        broken.tab("Weights")
        broken.wait("p.kinds[0] === 'matrix'")

        unfed = of_cell(notebook, 3)
        shown = unfed.wait("p.kinds.length > 0")
        assert "There is no probe batch yet" in shown["titles"][0]
        unfed.tab("Weights")
        unfed.wait("p.kinds[0] === 'matrix'")
        unfed.tab("Activations")
        notebook.run(4)
        # At the end of the cell the last step is shown, whatever there was time for in between.
        unfed.wait("p.kinds[0] === 'bars' && p.step === 300")
        shown = unfed.wait("p.title.startsWith('0 · Linear 5×3, probe sample 1 of 5')")
        assert unfed.root.get_by_role("radio").count() == 5


@pytest.mark.parametrize("which", ["ipykernel 7.1", "ipykernel 6.31"])
def test_clicks_act_while_the_cell_trains(lab: Lab, chromium: Chromium, which: str) -> None:
    host: Host = HOSTS[which]
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    lab.write("host.ipynb", [DIGITS, SHOW, TRAIN + "\nprint(inspector.selected, inspector.tab)"],
              kernel=host.kernel)  # fmt: skip
    with chromium.open(lab, "host.ipynb", settings=host.settings) as notebook:
        notebook.run(0)
        notebook.run(1)
        notebook.start(2)
        inspector = Inspector(notebook)
        inspector.select("4")
        inspector.wait_for_later(inspector.wait_for_layer("4"))
        inspector.tab("Weights")
        inspector.wait_for_later(inspector.wait("p.tab === 'Weights' && p.kinds[0] === 'maps'"))
        inspector.select("9")
        inspector.wait("p.title.startsWith('9 · Linear') && p.kinds[0] === 'matrix'")
        stop.touch()
        assert notebook.finished(2) == "9 weights\n"
