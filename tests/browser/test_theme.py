"""What is painted follows JupyterLab's theme, at once and with no new data."""

from __future__ import annotations

from tests.browser.lab import Chromium, Lab

CELL = """
from nnwidgets import TrainingMonitor
monitor = TrainingMonitor()
for step in range(20):
    monitor.log(loss=0.5, step=step)
monitor
"""

# --nnw-series-1 of the two themes; a level line has pixels of just that colour.
LIGHT, DARK = [47, 114, 196], [108, 171, 242]
PAINTED = """([r, g, b]) => {
    const canvas = document.querySelector('.nnw-panel canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4)
        if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255)
            return true;
    return false;
}"""

# JupyterLab stumbles over a switch that comes while its splash screen of the one before fades.
SETTLED = "() => document.querySelector('#jupyterlab-splash') === null"


def test_a_switch_of_the_theme_repaints_the_curves(lab: Lab, chromium: Chromium) -> None:
    lab.write("theme.ipynb", [CELL])
    with chromium.open(lab, "theme.ipynb") as notebook:
        notebook.run(0)
        notebook.page.locator(".nnw-panel canvas").wait_for()
        notebook.wait_for(PAINTED, LIGHT)
        for name, new, old in (("Dark", DARK, LIGHT), ("Light", LIGHT, DARK)):
            notebook.command("apputils:change-theme", {"theme": f"JupyterLab {name}"})
            notebook.wait_for(PAINTED, new)
            assert not notebook.page.evaluate(PAINTED, old)
            notebook.wait_for(SETTLED)
