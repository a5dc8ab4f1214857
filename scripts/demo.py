"""Run the notebooks of ``make demo`` as a person would, headless, and leave pictures of them.

What is clicked here is clicked while the training cells run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from playwright.sync_api import Locator

from tests.browser.inspector import Inspector
from tests.browser.lab import PANEL, Chromium, Lab, Notebook

__all__ = [
    "ALL_RAN",
    "ATTENTION",
    "CNN",
    "MINUTES",
    "MONITOR",
    "PATIENTS",
    "ROOT",
    "SPIRAL",
    "STEP",
    "SURE",
    "SUSPECT",
    "WHOLE",
    "WINES",
    "check_map",
    "name_cells",
    "press",
]

ROOT: Final = Path(__file__).resolve().parents[1]
OUT: Final = ROOT / "build" / "demo"
MONITOR: Final = ".nnw-training-monitor"
# The three of its notebook, by the id of the cell that each stands below.
CNN, DEAD, ATTENTION = (
    f"[data-cell={cell}] .nnw-layer-inspector" for cell in ("inspector", "dead", "rows")
)
# The five of its notebook, likewise.
DIGITS, MISTAKES, SUSPECT, PATIENTS, TEXT = (
    f"[data-cell={cell}] .nnw-saliency-viewer"
    for cell in ("viewer", "compare", "suspect", "table", "text")
)
# Five of its notebook, likewise.
WINES, PIXELS, LAYER, SPIRAL, SURE = (
    f"[data-cell={cell}] .nnw-decision-boundary"
    for cell in ("model", "digits", "layer", "canvas", "sure")
)
# All cells in the page, also those that are far from what is in view.
WHOLE: Final = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}

# The last number of "epoch 3 of 30 · step 1,234".
STEP: Final = f"""(least) => {{
    const said = document.querySelector("{MONITOR} .nnw-where")?.textContent ?? "";
    return Number(said.replaceAll(",", "").match(/\\d+/g)?.at(-1) ?? 0) >= least;
}}"""

ALL_RAN: Final = f"""() => {PANEL}.content.widgets.every(
    ({{ model }}) =>
        model.type !== "code" || (model.executionCount && model.executionState === "idle"),
)"""
# The cell of that id runs; JupyterLab scrolls to each cell that begins.
RUNS: Final = f"""(id) => {PANEL}.content.widgets.some(
    ({{ model }}) => model.id === id && model.executionState === "running",
)"""
# A run has gone so far, and the scores above its picture are of now and all so good.
LEARNED: Final = """([selector, step, least]) => {
    const seen = name => document.querySelector(`${selector} ${name}`)?.textContent ?? "";
    const now = seen(".nnw-accuracy-name:not(.nnw-of-old)") !== "";
    const scores = seen(".nnw-accuracy").match(/\\d+\\.\\d(?=\\s%)/g) ?? [];
    return now && Number(seen(".nnw-header-step").replace(/\\D/g, "")) >= step
        && scores.length > 0 && scores.every(score => Number(score) >= least);
}"""
MINUTES: Final = 60_000  # milliseconds

_NAME_CELLS: Final = f"""() => {{
    for (const cell of {PANEL}.content.widgets) cell.node.dataset.cell = cell.model.id;
}}"""

# What is said of a place is of the weights that the picture shows.
ANSWERED: Final = ".nnw-point-facts:not(.nnw-outdated) .nnw-bar-row"

Picture = Callable[[str, str | Locator | None], None]


def wait_for_state(notebook: Notebook, state: str) -> None:
    """Wait until the monitor says "running", "paused", "finished" …."""
    notebook.page.locator(f"{MONITOR} .nnw-header[data-condition={state}]").wait_for()


def name_cells(notebook: Notebook) -> None:
    """Write the id of each cell where a selector finds it."""
    notebook.page.evaluate(_NAME_CELLS)


def watch_and_steer(notebook: Notebook, picture: Picture) -> None:
    """Let the quickstart train, and click on the monitor meanwhile."""

    def click(name: str) -> None:
        notebook.page.locator(MONITOR).get_by_role("button", name=name, exact=True).click()

    notebook.start_all()
    notebook.wait_for(STEP, 1500)
    picture("1-training", MONITOR)
    click("Pause")
    wait_for_state(notebook, "paused")
    picture("2-paused", MONITOR)
    click("Resume")
    wait_for_state(notebook, "running")
    picture("3-notebook", None)
    notebook.page.wait_for_function(ALL_RAN, timeout=5 * MINUTES)
    wait_for_state(notebook, "finished")
    picture("4-finished", MONITOR)
    darken(notebook, MONITOR)
    picture("5-dark", MONITOR)


def look_inside(notebook: Notebook, picture: Picture) -> None:
    """Let the networks of the other notebook train, and look into their layers meanwhile."""
    name_cells(notebook)
    notebook.start_all()
    notebook.wait_for(RUNS, "train")
    cnn = Inspector(notebook, CNN)
    cnn.root.scroll_into_view_if_needed()  # what nobody sees is told nothing
    cnn.wait("p.step >= x", 150)
    cnn.select("conv2")
    cnn.wait("p.title.startsWith(x) && p.step >= 150", "conv2")
    picture("6-maps", cnn.root)
    cnn.tab("Contributions")
    cnn.wait("p.tab === x && p.kinds.includes('terms')", "Contributions")
    picture("7-contributions", cnn.root)
    notebook.page.wait_for_function(ALL_RAN, timeout=5 * MINUTES)
    for name, selector, layer in (
        ("8-head", CNN, "head"),
        ("9-dead", DEAD, "0"),
        ("10-attention", ATTENTION, "block.self_attn"),
    ):
        inspector = Inspector(notebook, selector)
        inspector.root.scroll_into_view_if_needed()
        inspector.row(layer).wait_for()
        inspector.wait("p.title.startsWith(x) && p.kinds.length > 0", layer)
        picture(name, inspector.root)
    darken(notebook, ATTENTION)
    picture("11-dark", ATTENTION)


def check_map(viewer: Locator) -> None:
    """Have a viewer's map checked, unless it is, and wait for the verdict."""
    checked = viewer.locator(".nnw-trust:not(.nnw-outdated) .nnw-verdict:not([hidden])")
    if checked.count() == 0:
        viewer.get_by_role("button", name="Check this map").or_(
            viewer.get_by_role("button", name="Check again")
        ).click()
    # While a map is checked again, the verdict on the one before still stands there.
    checked.wait_for(timeout=MINUTES)
    viewer.locator(".nnw-trust-work").wait_for(state="hidden", timeout=MINUTES)
    checked.wait_for(timeout=MINUTES)


def ask_why(notebook: Notebook, picture: Picture) -> None:
    """Let the networks of the third notebook train, and ask one of them meanwhile."""
    name_cells(notebook)
    notebook.start_all()
    notebook.wait_for(RUNS, "train")
    digits = notebook.page.locator(DIGITS)
    digits.scroll_into_view_if_needed()
    digits.get_by_role("button", name="Grad-CAM", exact=True).click()
    # Of a step of the run, not of the network before it.
    learned = re.compile(r"Grad-CAM.*step [1-9]")
    digits.locator(".nnw-pane-heading", has_text=learned).wait_for()
    picture("12-asked", digits)
    digits.get_by_role("button", name="Integrated gradients", exact=True).click()
    notebook.page.wait_for_function(ALL_RAN, timeout=5 * MINUTES)
    for name, selector in (
        ("13-untrained", DIGITS),
        ("14-mistakes", MISTAKES),
        ("15-suspect", SUSPECT),
        ("16-table", PATIENTS),
        ("17-words", TEXT),
    ):
        viewer = notebook.page.locator(selector)
        viewer.scroll_into_view_if_needed()
        viewer.locator(".nnw-pane[data-state=ready]").first.wait_for()
        if selector == SUSPECT:
            check_map(viewer)
        picture(name, viewer)
    darken(notebook, TEXT)
    picture("18-dark", TEXT)


def press(widget: Locator, across: float, up: float) -> None:
    """Click into the picture of a decision boundary, at shares of its width and height."""
    plane = widget.get_by_role("application").first
    box = plane.bounding_box()
    assert box is not None
    plane.click(position={"x": box["width"] * across, "y": box["height"] * (1 - up)})


def see_the_space(notebook: Notebook, picture: Picture) -> None:
    """Let the networks of the fourth notebook train; ask one meanwhile, and draw for another."""
    name_cells(notebook)
    notebook.start_all()
    notebook.wait_for(RUNS, "train")
    wines = notebook.page.locator(WINES)
    wines.scroll_into_view_if_needed()
    notebook.page.wait_for_function(LEARNED, arg=[WINES, 4000, 90], timeout=MINUTES)
    press(wines, 0.6, 0.6)
    wines.locator(ANSWERED).first.wait_for()
    notebook.page.wait_for_function(LEARNED, arg=[WINES, 4000, 90], timeout=MINUTES)
    picture("19-wines", wines)
    notebook.wait_for(RUNS, "draw")
    spiral = notebook.page.locator(SPIRAL)
    spiral.scroll_into_view_if_needed()
    notebook.page.wait_for_function(LEARNED, arg=[SPIRAL, 1000, 90], timeout=MINUTES)
    spiral.get_by_role("button", name="orange", exact=True).last.click()
    for across, up in ((0.2, 0.85), (0.24, 0.82), (0.2, 0.78)):
        press(spiral, across, up)
    # 240 points are given; a picture with these three has been learned from them.
    spiral.locator(".nnw-legend-key", has_text="train 243").wait_for()
    picture("20-drawn", spiral)
    notebook.page.wait_for_function(ALL_RAN, timeout=5 * MINUTES)
    for name, selector in (
        ("21-spiral", SPIRAL),
        ("22-pixels", PIXELS),
        ("23-layer", LAYER),
        ("24-unsure", SURE),
    ):
        widget = notebook.page.locator(selector)
        widget.scroll_into_view_if_needed()
        picture(name, widget)
    darken(notebook, WINES)
    notebook.page.locator(WINES).scroll_into_view_if_needed()
    picture("25-dark", WINES)


def darken(notebook: Notebook, widget: str) -> None:
    """Switch JupyterLab to its dark theme."""
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    notebook.page.locator(f"{widget}[data-theme=dark]").wait_for()


def main() -> None:
    """Take the pictures and print where they are."""
    for old in OUT.glob("*.png"):
        old.unlink()
    OUT.mkdir(parents=True, exist_ok=True)
    with Lab() as lab, Chromium() as chromium:
        for name, story, height in (
            ("quickstart", watch_and_steer, 1300),
            ("layer_inspector", look_inside, 1300),
            # A picture of what is taller than the window would be cut by JupyterLab's own bars.
            ("saliency_viewer", ask_why, 1800),
            ("decision_boundary", see_the_space, 2000),
        ):
            shutil.copy2(ROOT / "notebooks" / f"{name}.ipynb", lab.root)
            with chromium.open(
                lab, f"{name}.ipynb", height=height, scale=2, settings=WHOLE
            ) as notebook:

                def picture(
                    name: str, widget: str | Locator | None, notebook: Notebook = notebook
                ) -> None:
                    path = OUT / f"{name}.png"
                    notebook.screenshot(path, widget)
                    print(path.relative_to(ROOT))

                story(notebook, picture)


if __name__ == "__main__":
    main()
