"""Run the quickstart as a person would, in a headless browser, and leave pictures of it.

What is clicked here is clicked while the training cell runs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.browser.lab import PANEL, Chromium, Lab, Notebook

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "demo"
MONITOR = ".nnw-training-monitor"

# The last number of "epoch 3 of 30 · step 1,234".
STEP = f"""(least) => {{
    const said = document.querySelector("{MONITOR} .nnw-where")?.textContent ?? "";
    return Number(said.replaceAll(",", "").match(/\\d+/g)?.at(-1) ?? 0) >= least;
}}"""

ALL_RAN = f"""() => {PANEL}.content.widgets.every(
    ({{ model }}) =>
        model.type !== "code" || (model.executionCount && model.executionState === "idle"),
)"""
MINUTES = 60_000  # milliseconds


def wait_for_state(notebook: Notebook, state: str) -> None:
    """Wait until the widget says "running", "paused", "finished" …."""
    notebook.page.locator(f"{MONITOR} header[data-condition={state}]").wait_for()


def watch_and_steer(notebook: Notebook) -> list[Path]:
    """Let the quickstart train, click, and return the pictures taken on the way."""
    pictures: list[Path] = []

    def picture(name: str, widget: str | None = MONITOR) -> None:
        pictures.append(OUT / f"{name}.png")
        notebook.screenshot(pictures[-1], widget)

    def click(name: str) -> None:
        notebook.page.locator(MONITOR).get_by_role("button", name=name, exact=True).click()

    notebook.start_all()
    notebook.wait_for(STEP, 1500)
    picture("1-training")
    click("Pause")
    wait_for_state(notebook, "paused")
    picture("2-paused")
    click("Resume")
    wait_for_state(notebook, "running")
    picture("3-notebook", None)
    notebook.page.wait_for_function(ALL_RAN, timeout=5 * MINUTES)
    wait_for_state(notebook, "finished")
    picture("4-finished")
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    notebook.page.locator(f"{MONITOR}[data-theme=dark]").wait_for()
    picture("5-dark")
    return pictures


def main() -> None:
    """Take the pictures and print where they are."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    with Lab() as lab, Chromium() as chromium:
        shutil.copy2(ROOT / "notebooks" / "quickstart.ipynb", lab.root)
        with chromium.open(lab, "quickstart.ipynb", height=1300, scale=2) as notebook:
            pictures = watch_and_steer(notebook)
    for path in pictures:
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
