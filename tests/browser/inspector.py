"""A LayerInspector in a page, as a user sees it, and the cells that show one."""

from __future__ import annotations

import re
from typing import Any, Final

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.lab import PATIENCE, Notebook

__all__ = ["DIGITS", "MONITOR", "SHAPES", "SHOW", "TRAIN", "Inspector", "focused", "painted"]

# The data and the model of notebooks/quickstart.ipynb, and a synchronous loop that goes on until a
# file says otherwise: a page that was reloaded can no longer interrupt it.
DIGITS: Final = """
import torch
from pathlib import Path
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from nnwidgets import LayerInspector, TrainingMonitor

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
images = F.interpolate(images, size=28, mode="bilinear")
labels = torch.tensor(digits.target)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 7 * 7, 64),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(64, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
"""
SHOW: Final = """
inspector = LayerInspector(model, images[:8], optimizer=optimizer)
inspector
"""
MONITOR: Final = """
monitor = TrainingMonitor(model, optimizer)
monitor
"""
TRAIN: Final = """
while not Path("stop").exists():
    chosen = torch.randint(len(images), (8,))
    loss = F.cross_entropy(model(images[chosen]), labels[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
# Type and output shape of each layer for eight samples, as the cell above defines them.
SHAPES: Final = {
    "0": ("Conv2d", "8×16×28×28"),
    "1": ("BatchNorm2d", "8×16×28×28"),
    "2": ("ReLU", "8×16×28×28"),
    "3": ("MaxPool2d", "8×16×14×14"),
    "4": ("Conv2d", "8×32×14×14"),
    "5": ("BatchNorm2d", "8×32×14×14"),
    "6": ("ReLU", "8×32×14×14"),
    "7": ("MaxPool2d", "8×32×7×7"),
    "8": ("Flatten", "8×1568"),
    "9": ("Linear", "8×64"),
    "10": ("ReLU", "8×64"),
    "11": ("Dropout", "8×64"),
    "12": ("Linear", "8×10"),
}

_INSPECTOR: Final = ".jp-Notebook .nnw-layer-inspector"
# What the panel shows, once it is what was asked for.
_PANEL: Final = """(selector) => {
    const root = document.querySelector(selector);
    if (root?.querySelector('.nnw-layer')?.getAttribute('aria-busy') !== 'false') return null;
    const title = root.querySelector('.nnw-layer-title').textContent;
    const blocks = [...root.querySelectorAll('.nnw-blocks > *')];
    return {
        title,
        tab: root.querySelector('.nnw-tab[aria-selected=true]')?.textContent ?? '',
        step: Number(/step ([\\d,]+)/.exec(title)?.[1].replaceAll(',', '') ?? NaN),
        kinds: blocks.map(block => /nnw-block-(\\w+)/.exec(block.className)[1]),
        titles: blocks.map(block => (block.querySelector('.nnw-block-title') ?? block).textContent),
    };
}"""


class Inspector:
    """One inspector of a notebook.

    Parameters
    ----------
    notebook
        Where it is.
    selector
        Of the widget; the first one of the notebook by default.
    """

    def __init__(self, notebook: Notebook, selector: str = _INSPECTOR) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.selector = selector
        self.root = notebook.page.locator(selector).first

    # -- parts -----------------------------------------------------------------------------

    def row(self, name: str) -> Locator:
        """Return the row of a layer in the tree."""
        return self.root.locator(f".nnw-tree-row[data-name='{name}']")

    def button(self, name: str) -> Locator:
        """Return the button of that name."""
        return self.root.get_by_role("button", name=name, exact=True)

    def block(self, kind: str) -> Locator:
        """Return the first block of a kind."""
        return self.root.locator(f".nnw-block-{kind}").first

    def rows(self) -> list[str]:
        """Return the names of the layers that the tree lists."""
        names: list[str] = self.root.locator(".nnw-tree-row").evaluate_all(
            "rows => rows.map(row => row.dataset.name)"
        )
        return names

    def readout(self, kind: str) -> str:
        """Return what a block writes of the place that is looked at."""
        return self.block(kind).locator(".nnw-readout").inner_text()

    # -- acts ------------------------------------------------------------------------------

    def select(self, name: str) -> None:
        """Click a layer in the tree."""
        self.row(name).click()

    def tab(self, name: str) -> None:
        """Click a tab."""
        self.root.get_by_role("tab", name=name, exact=True).click()

    def search(self, text: str) -> None:
        """Write into the search field."""
        self.root.get_by_role("searchbox", name="Search layers").fill(text)

    def open(self, name: str, tab: str) -> None:
        """Show a tab of a layer of the digits CNN."""
        self.select(name)
        self.wait_for_layer(name)
        self.tab(tab)
        self.wait("p.tab === x && p.kinds.length > 0", tab)

    def focused(self) -> dict[str, Any]:
        """Return what has the focus, as the function of that name says it."""
        return focused(self.page)

    def tab_to(self, role: str) -> None:
        """Press the tab key until something of a role has the focus."""
        for _ in range(20):
            if self.focused()["role"] == role:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the tab key does not lead to a {role}")

    # -- waits -----------------------------------------------------------------------------

    def wait(self, condition: str = "true", argument: Any = None) -> dict[str, Any]:
        """Wait until the panel shows what was asked for, and a condition on it (`p`) holds.

        `p` has `title` (heading), `tab`, `step` and, of the blocks, `kinds` and `titles`;
        `argument` is `x`.
        """
        try:
            found: dict[str, Any] = self.notebook.wait_for(
                f"""([selector, x]) => {{
                    const p = ({_PANEL})(selector);
                    return p !== null && ({condition}) ? p : null;
                }}""",
                [self.selector, argument],
            )
        except PlaywrightTimeout:
            shown = self.page.evaluate(_PANEL, self.selector)
            raise AssertionError(f"{condition} ({argument!r}) never came: {shown}") from None
        return found

    def wait_for_layer(self, name: str) -> dict[str, Any]:
        """Wait until a layer of the digits CNN is shown: heading and shape."""
        kind, shape = SHAPES[name]
        return self.wait("p.title.startsWith(x)", f"{name} · {kind} {shape}")

    def wait_for_later(self, than: dict[str, Any]) -> dict[str, Any]:
        """Wait until a later step of the same layer is shown."""
        return self.wait("p.title.split(',')[0] === x[0] && p.step > x[1]", [
            than["title"].split(",")[0], than["step"],
        ])  # fmt: skip

    def wait_for_run(self, step: int) -> None:
        """Wait until the loop has come to a step, whatever is shown of it."""
        self.notebook.wait_for(
            """([selector, step]) => {
                const totals = document.querySelector(selector)?.textContent ?? '';
                return Number(totals.replace(/\\D/g, '')) >= step;
            }""",
            [".jp-Notebook .nnw-where", step],
        )

    def wait_for_attribute(self, element: Locator, name: str, value: str) -> None:
        """Wait until an attribute of an element has a value."""
        expect(element).to_have_attribute(name, value, timeout=PATIENCE)

    def wait_until_past_steps(self) -> None:
        """Wait until there are steps that can be gone back to."""
        self.notebook.wait_for(
            "selector => document.querySelector(selector)?.disabled === false",
            f"{self.selector} .nnw-foot .nnw-slider",
        )

    def pixels(self, kind: str) -> str:
        """Return what stands on the first canvas of a block."""
        canvas = self.block(kind).locator("canvas").first
        return str(canvas.evaluate("canvas => canvas.toDataURL()"))

    def wait_for_other_pixels(self, kind: str, than: str) -> None:
        """Wait until something else stands on the first canvas of a block."""
        self.notebook.wait_for(
            """([selector, than]) => {
                const canvas = document.querySelector(selector);
                return canvas !== null && canvas.toDataURL() !== than;
            }""",
            [f"{self.selector} .nnw-block-{kind} canvas", than],
        )

    def unit(self) -> list[int]:
        """Return the unit that the field shows; empty without one."""
        field = self.root.get_by_label("Unit", exact=True)
        return [int(part) for part in re.findall(r"\d+", field.input_value())]


def painted(inspector: Inspector, kind: str) -> bool:
    """Whether there is anything on the canvas of a block."""
    canvas = inspector.block(kind).locator("canvas").first
    return bool(
        canvas.evaluate(
            """canvas => {
                const { width, height } = canvas;
                if (width === 0 || height === 0) return false;
                const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
                return new Set(new Uint32Array(data.buffer)).size > 2;
            }"""
        )
    )


def focused(page: Page) -> dict[str, Any]:
    """Return what has the focus: role, name, classes, and whether that can be seen."""
    found: dict[str, Any] = page.evaluate(
        """() => {
            const seen = at => ['outlineStyle', 'boxShadow'].some(
                name => getComputedStyle(at)[name] !== 'none');
            const { activeElement: at } = document;
            const role = at.getAttribute('role') ?? at.type ?? at.tagName.toLowerCase();
            return { role, name: at.getAttribute('aria-label') ?? at.textContent,
                     classes: at.className, ring: seen(at) };
        }"""
    )
    return found
