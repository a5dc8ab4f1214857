"""Make the pictures of README and docs from widgets that run: none shows what is not there."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image
from playwright.sync_api import Locator

from scripts.demo import (
    ALL_RAN,
    ATTENTION,
    CNN,
    MINUTES,
    MONITOR,
    PATIENTS,
    ROOT,
    SPIRAL,
    STEP,
    SURE,
    SUSPECT,
    WHOLE,
    WINES,
    check_map,
    name_cells,
    press,
)
from tests.browser.inspector import Inspector
from tests.browser.lab import Chromium, Lab, Notebook, Theme

OUT: Final = ROOT / "docs" / "pictures"
WIDTH: Final = 1180  # of the window; the widget has what JupyterLab leaves of it
THEMES: Final[tuple[Theme, ...]] = ("light", "dark")

Prepare = Callable[[Notebook, Theme], Locator]


class Scene(NamedTuple):
    """A moment of a notebook's run: from when on, and what then brings a widget into view."""

    notebook: str
    when: str
    argument: int | None
    widgets: dict[str, Prepare]
    """By the name of the picture."""


def monitor(title: str, state: str) -> Prepare:
    """Return what brings the monitor of that title into view, in that state."""

    def prepare(notebook: Notebook, theme: Theme) -> Locator:
        found = notebook.page.locator(f"{MONITOR}[data-theme={theme}]").filter(has_text=title)
        found.scroll_into_view_if_needed()
        found.locator(f".nnw-header[data-condition={state}]").wait_for()
        return found

    return prepare


def inspector(selector: str, layer: str, tab: str, *, sample: int, **more: str) -> Prepare:
    """Return what brings an inspector into view, and clicks its way to a layer.

    Parameters
    ----------
    selector
        Of the inspector.
    layer, tab
        What to show.
    sample
        Of which sample, from 1.
    **more
        ``sort`` (a choice of *Sort*), ``unit`` (as typed), ``shape`` (*Graph*; else *Tree*).
    """

    def prepare(notebook: Notebook, theme: Theme) -> Locator:
        found = Inspector(notebook, selector)
        notebook.page.locator(f"{selector}[data-theme={theme}]").scroll_into_view_if_needed()
        found.button("Tree").click()
        found.select(layer)
        found.tab("Activations")
        found.root.get_by_role("radio", name=f"Sample {sample}", exact=True).click()
        if "sort" in more:
            found.root.get_by_label("Sort").select_option(label=more["sort"])
        found.tab(tab)
        if "unit" in more:
            found.root.get_by_label("Unit", exact=True).fill(more["unit"])
            notebook.page.keyboard.press("Enter")
        found.button(more.get("shape", "Tree")).click()
        found.wait("p.tab === x[0] && p.title.startsWith(x[1]) && p.kinds.length", [tab, layer])
        return found.root

    return prepare


def viewer(selector: str, *, sample: int) -> Prepare:
    """Return what brings a viewer into view, with the map of a sample (from 1) checked."""

    def prepare(notebook: Notebook, theme: Theme) -> Locator:
        found = notebook.page.locator(f"{selector}[data-theme={theme}]")
        found.scroll_into_view_if_needed()
        found.get_by_role("radio", name=f"Sample {sample}", exact=False).first.click()
        check_map(found)
        return found

    return prepare


def boundary(
    selector: str,
    *,
    ask: tuple[float, float] | None = None,
    rules: bool | None = None,
    units: str = "",
) -> Prepare:
    """Return what brings a decision boundary into view.

    Parameters
    ----------
    selector
        Of the widget.
    ask
        A place of the picture to have explained, as shares of its width and height.
    rules
        Whether the rules that the notebook has asked for stay; None: it has asked for none.
    units
        Name of a layer whose units are to be shown.
    """
    hidden = False

    def prepare(notebook: Notebook, theme: Theme) -> Locator:
        nonlocal hidden
        found = notebook.page.locator(f"{selector}[data-theme={theme}]")
        found.scroll_into_view_if_needed()
        shown = found.locator(".nnw-part:has(.nnw-rules) input:checked")
        if rules is not None and not hidden:
            shown.wait_for()
        if rules is False and not hidden:
            shown.click()
            shown.wait_for(state="detached")
            hidden = True
        if units:
            found.locator(".nnw-units select").select_option(units)
            found.locator(".nnw-units canvas").first.wait_for()
        close = found.get_by_role("button", name="Close", exact=True)
        if ask is not None:
            press(found, *ask)
            found.locator(".nnw-point:not(.nnw-outdated) .nnw-bar-row").first.wait_for()
        elif close.is_visible():
            close.click()
            close.wait_for(state="hidden")
        return found

    return prepare


SCENES: Final = (
    Scene("quickstart", STEP, 1800, {"quickstart": monitor("Digits CNN", "running")}),
    Scene("training_monitor", ALL_RAN, None, {"overfitting": monitor("Overfitting", "finished")}),
    Scene(
        "layer_inspector",
        ALL_RAN,
        None,
        {
            "layer_inspector": inspector(CNN, "relu2", "Activations", sample=4, sort="by activity"),
            "layer_inspector-contributions": inspector(
                CNN, "head", "Contributions", sample=4, unit="3"
            ),
            "layer_inspector-graph": inspector(CNN, "conv1", "Weights", sample=4, shape="Graph"),
            "layer_inspector-attention": inspector(
                ATTENTION, "block.self_attn", "Activations", sample=3
            ),
        },
    ),
    Scene(
        "saliency_viewer",
        ALL_RAN,
        None,
        {
            "saliency_viewer": viewer(SUSPECT, sample=1),
            "saliency_viewer-table": viewer(PATIENTS, sample=1),
        },
    ),
    Scene(
        "decision_boundary",
        ALL_RAN,
        None,
        {
            "decision_boundary": boundary(SPIRAL, ask=(0.7, 0.3), rules=False, units="3"),
            "decision_boundary-rules": boundary(WINES, rules=True),
            "decision_boundary-unsure": boundary(SURE),
        },
    ),
)


def picture(notebook: Notebook, prepare: Prepare, theme: Theme, path: Path) -> None:
    """Save a picture of a widget in one of JupyterLab's themes."""
    notebook.command("apputils:change-theme", {"theme": f"JupyterLab {theme.title()}"})
    # A widget that nobody sees is told nothing: it catches up when it comes into view.
    widget = prepare(notebook, theme)
    # No pointer on it, no focus in it.
    notebook.page.mouse.move(0, 0)
    notebook.page.evaluate("() => document.activeElement?.blur()")
    notebook.screenshot(path, widget)
    # A widget has few colours: a palette makes the file a third as large and looks the same.
    Image.open(path).convert("RGB").quantize(256, kmeans=1).save(path, optimize=True)
    print(path.relative_to(ROOT), f"{path.stat().st_size // 1024} kB")


def main() -> None:
    """Replace the pictures, or only those from the notebooks named on the command line."""
    OUT.mkdir(parents=True, exist_ok=True)
    named = sys.argv[1:]
    with Lab() as lab, Chromium() as chromium:
        for scene in SCENES:
            if named and scene.notebook not in named:
                continue
            file = f"{scene.notebook}.ipynb"
            shutil.copy2(ROOT / "notebooks" / file, lab.root)
            with chromium.open(
                lab, file, width=WIDTH, height=1400, scale=2, settings=WHOLE
            ) as notebook:
                name_cells(notebook)
                notebook.start_all()
                notebook.page.wait_for_function(scene.when, arg=scene.argument, timeout=5 * MINUTES)
                for theme in THEMES:
                    for name, prepare in scene.widgets.items():
                        picture(notebook, prepare, theme, OUT / f"{name}-{theme}.png")


if __name__ == "__main__":
    main()
