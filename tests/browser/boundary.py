"""A DecisionBoundaryPlot in a page, as a user sees it, and the cells that show one."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.boundary_parts import Boundary
from tests.browser.lab import CELL, Notebook

__all__ = ["LEARN", "PLOT", "POINTS", "TWO_SIDES", "Loop", "Plot"]

# Two classes beside each other, of which the upper right corner is free: no two of the points are
# so near to each other in the picture that a click could mean both.
POINTS: Final = [
    *((x, y, 0) for x in (-1.6, -1.1, -0.6) for y in (-0.9, -0.3, 0.3, 0.9)),
    *((x, y, 1) for x in (0.6, 1.1, 1.6) for y in (-0.9, -0.3, 0.3)),
    (0.6, 0.9, 1),
]
HELD_OUT: Final = [(-1.3, -0.6, 0), (-0.8, 0.6, 0), (0.8, -0.6, 1), (1.3, 0.0, 1)]

# The model takes its time for questions (it is trained as fast as ever) as long as a file lies
# there: slow work can be looked at, whatever the machine.
TWO_SIDES: Final = f"""
import json
import time
from pathlib import Path
import torch
from torch import nn
from torch.nn import functional as F
from nnwidgets import DecisionBoundaryPlot, TrainingMonitor

def columns(points):
    table = torch.tensor(points)
    return table[:, :2], table[:, 2].long()

class Patient(nn.Sequential):
    def forward(self, x):
        if not self.training and Path("slow").exists():
            time.sleep(0.02)
        return super().forward(x)

torch.manual_seed(0)
points, held_out = columns({POINTS}), columns({HELD_OUT})
model = Patient(
    nn.Linear(2, 16),
    nn.Tanh(),
    nn.Dropout(0.1),
    nn.Linear(16, 16),
    nn.Tanh(),
    nn.Linear(16, 2),
)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
"""
PLOT: Final = """
plot = DecisionBoundaryPlot(model, *points, test=held_out, class_names=["A", "B"])
plot
"""
# A synchronous loop that goes on until a file says otherwise. It prints what `plot.X` holds, and
# what the loader gave it in the epoch before, whenever either is something else than before.
LEARN: Final = """
def plain(x, y):
    rows = zip(torch.as_tensor(x).tolist(), torch.as_tensor(y).tolist())
    return sorted([round(a, 3), round(b, 3), label] for (a, b), label in rows)

known, loader = None, plot.loader(batch_size=8)
while not Path("stop").exists():
    x, y = torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)
    for xb, yb in loader:
        loss = F.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        x, y = torch.cat([x, xb]), torch.cat([y, yb])
    now = {"X": plain(plot.X, plot.y), "batches": plain(x, y)}
    if now != known:
        print(json.dumps(now))
    known = now
"""

_PLOT: Final = ".jp-Notebook .nnw-decision-boundary"
# What is shown, once it is what was asked for.
_SHOWN: Final = """(selector) => {
    const root = document.querySelector(selector);
    const part = root?.querySelector('.nnw-boundary-picture');
    if (!part || root.querySelector('.nnw-boundary').hidden) return null;
    const seen = which => {
        const found = root.querySelector(which);
        return found?.checkVisibility() ? found.textContent : '';
    };
    const number = words => Number(/\\d[\\d.,]*/.exec(words)?.[0].replaceAll(',', '') ?? NaN);
    const pressed = group => root.querySelector(
        `[role=group][aria-label='${group}'] [aria-pressed=true]`)?.textContent ?? '';
    const [train, test] = ['train', 'test'].map(
        name => number(new RegExp(`${name} (\\\\S+)`).exec(seen('.nnw-accuracy'))?.[1]));
    const [trained, tested] = ['train', 'test'].map(
        name => number(new RegExp(`${name} ([\\\\d,]+)`).exec(seen('.nnw-legend-key'))?.[1] ?? 0));
    const state = seen('.nnw-picture-state');
    const asked = seen('.nnw-point-state');
    return {
        loading: part.classList.contains('nnw-loading'),
        step: number(seen('.nnw-header-step')),
        train, test, trained, tested,
        view: pressed('View'),
        tool: pressed('What a click on the picture does'),
        state,
        past: /kept then/.test(state) ? number(state) : null,
        label: root.querySelector('.nnw-plane').getAttribute('aria-label'),
        readout: seen('.nnw-plane-part .nnw-readout'),
        scale: seen('.nnw-plane-scale'),
        place: seen('.nnw-point h3'),
        told: seen('.nnw-point-facts') !== '' && !/being asked/.test(asked),
        quality: seen('.nnw-picture-quality'),
    };
}"""


class Plot(Boundary):
    """One decision boundary of a notebook.

    Parameters
    ----------
    where
        A notebook, or a page without one.
    selector
        Of the widget; the first one of the notebook by default.
    """

    def __init__(self, where: Notebook | Page, selector: str = _PLOT) -> None:
        super().__init__(where if isinstance(where, Page) else where.page, selector)

    # -- acts ------------------------------------------------------------------------------

    def view(self, name: str) -> dict[str, Any]:
        """Choose a view, and wait until the picture is in it."""
        self.button(name, "View").click()
        return self.wait("p.view === x", name)

    def tool(self, name: str) -> None:
        """Choose what a click on the picture does."""
        self.button(name, "What a click on the picture does").click()
        self.wait("p.tool === x", name)

    def lift(self, x: float, y: float, to: tuple[float, float]) -> None:
        """Drag from one place of the plane to another, and hold on."""
        last = self.pixel(*to)
        self.page.mouse.move(*self.pixel(x, y))
        self.page.mouse.down()
        self.page.mouse.move(*last, steps=10)

    def drag(self, x: float, y: float, to: tuple[float, float]) -> None:
        """Drag from one place of the plane to another."""
        self.lift(x, y, to)
        self.page.mouse.up()

    def go_back(self) -> dict[str, Any]:
        """Go back to the first step that is kept."""
        self.wait_for(
            "selector => document.querySelector(selector)?.disabled === false",
            f"{self.selector} .nnw-when .nnw-slider",
        )
        self.slider("film").focus()
        self.page.keyboard.press("Home")
        return self.wait("p.past !== null")

    def start_over(self) -> None:
        """Show the probability, live, without anything open or drawn, whatever was before."""
        self.page.mouse.up()
        self.page.keyboard.press("Escape")
        self.button("Live").click()
        for name in ("Close", "Hide", "Stop"):
            # What is there: it may go by itself at any moment.
            self.button(name).evaluate_all("all => all.forEach(button => button.click())")
        rules = self.part("Rules").get_by_role("checkbox")
        if rules.is_checked():
            rules.click()
        self.choice("Hidden units").select_option("")
        self.choice("How sure").select_option("")
        self.view("Probability")
        self.choice("Show").select_option("")
        self.tool("Ask")
        self.undo_all()

    def undo_all(self) -> None:
        """Take back whatever was done to the points."""
        self.button("Undo").evaluate("undo => undo.classList.add('undo-all')")
        self.wait_for(
            """() => {
                const undo = document.querySelector('.undo-all');
                undo.click();
                return undo.disabled;
            }"""
        )

    # -- waits -----------------------------------------------------------------------------

    def shown(self) -> dict[str, Any] | None:
        """Return what is shown now."""
        found: dict[str, Any] | None = self.page.evaluate(_SHOWN, self.selector)
        return found

    def wait(self, condition: str = "true", argument: Any = None) -> dict[str, Any]:
        """Wait until what was asked for is shown, and a condition on it (`p`) holds.

        `argument` is `x`.
        """
        try:
            found: dict[str, Any] = self.wait_for(
                f"""([selector, x]) => {{
                    const p = ({_SHOWN})(selector);
                    return p !== null && !p.loading && ({condition}) ? p : null;
                }}""",
                [self.selector, argument],
            )
        except PlaywrightTimeout:
            raise AssertionError(f"{condition} ({argument!r}) never came: {self.shown()}") from None
        return found


class Loop:
    """The cell that trains, and what it prints of the points it learns from.

    Parameters
    ----------
    notebook
        Where it is.
    cell
        Its number.
    """

    def __init__(self, notebook: Notebook, cell: int) -> None:
        self._notebook = notebook
        self._cell = cell

    def wait(self, condition: str, argument: Any = None) -> dict[str, Any]:
        """Wait until a condition holds on what it has printed last.

        `X` is what `plot.X` and `plot.y` hold, `batches` what the loader gave; `near(points, x, y,
        label)` counts the points near a place; `argument` is `x`.
        """
        try:
            found: dict[str, Any] = self._notebook.wait_for(
                f"""([cell, x]) => {{
                    const said = ({_SAID})(cell);
                    if (said === null) return null;
                    const {{ X, batches }} = said;
                    const near = (points, x, y, label) => points.filter(
                        ([a, b, c]) => Math.hypot(a - x, b - y) < 0.08 && c === label).length;
                    return ({condition}) ? said : null;
                }}""",
                [self._cell, argument],
            )
        except PlaywrightTimeout:
            last = self._notebook.page.evaluate(_SAID, self._cell)
            raise AssertionError(f"{condition} ({argument!r}) never came: {last}") from None
        return found


# The last line of a cell, if it is whole.
_SAID: Final = f"""cell => {{
    const text = {CELL}.model.outputs.toJSON().flatMap(output => output.text ?? []).join('');
    const line = text.slice(0, text.lastIndexOf('\\n')).split('\\n').at(-1);
    return line.startsWith('{{"X"') ? JSON.parse(line) : null;
}}"""
