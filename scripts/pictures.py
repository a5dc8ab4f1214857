"""Make the pictures of the README from widgets that run, so that none shows what is not there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from scripts.demo import ALL_RAN, MINUTES, MONITOR, ROOT, STEP
from tests.browser.lab import Chromium, Lab, Notebook, Theme

OUT = ROOT / "docs" / "pictures"
WIDTH = 1180  # of the window; the widget has what JupyterLab leaves of it
# All cells in the page, also those that are far from what is in view.
WHOLE = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
THEMES: tuple[Theme, ...] = ("light", "dark")


class Scene(NamedTuple):
    """A moment of a notebook's run: from when on, in which state, which widget."""

    notebook: str
    title: str
    when: str
    argument: int | None
    state: str


SCENES = {
    "quickstart": Scene("quickstart", "Digits CNN", STEP, 1800, "running"),
    "overfitting": Scene("training_monitor", "Overfitting", ALL_RAN, None, "finished"),
}


def picture(notebook: Notebook, scene: Scene, theme: Theme, path: Path) -> None:
    """Save a picture of the scene's widget in one of JupyterLab's themes."""
    notebook.command("apputils:change-theme", {"theme": f"JupyterLab {theme.title()}"})
    monitor = notebook.page.locator(f"{MONITOR}[data-theme={theme}]").filter(has_text=scene.title)
    # A widget that nobody sees is told nothing: it catches up when it comes into view.
    monitor.scroll_into_view_if_needed()
    monitor.locator(f"header[data-condition={scene.state}]").wait_for()
    # No pointer on it, no focus in it.
    notebook.page.mouse.move(0, 0)
    notebook.screenshot(path, monitor)
    # A widget has few colours: a palette makes the file a third as large and looks the same.
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)
    print(path.relative_to(ROOT), f"{path.stat().st_size // 1024} kB")


def main() -> None:
    """Replace the pictures of the README."""
    OUT.mkdir(parents=True, exist_ok=True)
    with Lab() as lab, Chromium() as chromium:
        for name, scene in SCENES.items():
            file = f"{scene.notebook}.ipynb"
            shutil.copy2(ROOT / "notebooks" / file, lab.root)
            with chromium.open(
                lab, file, width=WIDTH, height=1400, scale=2, settings=WHOLE
            ) as notebook:
                notebook.start_all()
                notebook.page.wait_for_function(scene.when, arg=scene.argument, timeout=5 * MINUTES)
                for theme in THEMES:
                    picture(notebook, scene, theme, OUT / f"{name}-{theme}.png")


if __name__ == "__main__":
    main()
