"""The page in which a decision boundary runs without Python, as a user sees it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser import tidy
from tests.browser.lab import PATIENCE, ROOT, Chromium

__all__ = ["BoundaryPage", "open_boundary"]

_AXE: Final = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
# axe would fetch the style sheets again, which a page from the disk may not.
_CHECK: Final = """async () => {
    const options = { resultTypes: ["violations"], preload: false };
    const found = await axe.run(".nnw", options);
    return found.violations.flatMap(v => v.nodes.map(n => [v.id, n.target.join(" "), n.html]));
}"""


class BoundaryPage:
    """One decision boundary, and the kernel in the page behind it.

    Attributes
    ----------
    page
        Playwright's page.
    root
        The widget.
    picture
        What is pointed at, and has the keys.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".nnw-decision-boundary").first
        self.picture = self.root.locator(".nnw-plane")

    # -- parts -----------------------------------------------------------------------------

    def button(self, name: str, within: str | None = None) -> Locator:
        """Return the button of that name, of a group of buttons if that is told."""
        where = self.root if within is None else self.group(within)
        return where.get_by_role("button", name=name, exact=True)

    def group(self, name: str) -> Locator:
        """Return a group of controls."""
        return self.root.get_by_role("group", name=name, exact=True)

    def choice(self, label: str) -> Locator:
        """Return the list of that name."""
        return self.root.get_by_role("combobox", name=label, exact=True)

    def readout(self) -> str:
        """Return what is written of the place that is looked at."""
        return self.root.locator(".nnw-plane-part .nnw-readout").first.inner_text()

    # -- the kernel ------------------------------------------------------------------------

    def kernel(self, expression: str, argument: Any = None) -> Any:
        """Return something that the kernel (`model`, its `world`, its `points`) knows."""
        return self.page.evaluate(_KERNEL.format(expression), argument)

    def wait(self, expression: str, argument: Any = None) -> Any:
        """Wait until something of the kernel (as in `kernel`; the argument is `x`) is true."""
        try:
            return self.page.wait_for_function(
                _KERNEL.format(expression), arg=argument, timeout=PATIENCE
            ).json_value()
        except PlaywrightTimeout:
            raise AssertionError(f"{expression} ({argument!r}) never came") from None

    def place(self, number: int) -> tuple[float, float]:
        """Return where a point lies, counted from 0."""
        x, y = self.kernel("world.plane.toPlane(points.all[x].x)", number)
        return x, y

    # -- the picture -----------------------------------------------------------------------

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Return where a place of the plane is on the screen.

        Found by pointing: what the picture writes of two places tells where all others are.
        """
        box = self.picture.bounding_box()
        assert box is not None
        corners = []
        for share in (0.3, 0.7):
            pixel = (box["x"] + share * box["width"], box["y"] + (1 - share) * box["height"])
            self.page.mouse.move(*pixel)
            corners.append((pixel, self._told()))
        ((left, bottom), (x0, y0)), ((right, top), (x1, y1)) = corners
        return (
            left + (x - x0) / (x1 - x0) * (right - left),
            bottom + (y - y0) / (y1 - y0) * (top - bottom),
        )

    def _told(self) -> tuple[float, float]:
        numbers = re.findall(r" (−?\d[\d.]*)", self.readout())
        assert len(numbers) >= 2, self.readout()
        x, y = (float(number.replace("−", "-")) for number in numbers[:2])
        return x, y

    def drag(
        self, start: tuple[float, float], end: tuple[float, float], *, drop: bool = True
    ) -> None:
        """Drag from one place of the plane to another."""
        first, last = self.pixel(*start), self.pixel(*end)
        self.page.mouse.move(*first)
        self.page.mouse.down()
        self.page.mouse.move(*last, steps=8)
        if drop:
            self.page.mouse.up()

    def click(self, x: float, y: float) -> None:
        """Click a place of the plane."""
        self.page.mouse.click(*self.pixel(x, y))

    def painted(self, canvas: int = 0) -> str:
        """Return what stands on the picture: 0 the surface, 1 the points and marks over it."""
        found = self.picture.locator("canvas").nth(canvas)
        return str(found.evaluate("canvas => canvas.toDataURL()"))

    def wait_for_other(self, than: str, canvas: int = 0) -> None:
        """Wait until something else is painted."""
        self.page.wait_for_function(
            """([place, than]) => document.querySelectorAll('.nnw-plane canvas')[place]
                .toDataURL() !== than""",
            arg=[canvas, than],
            timeout=PATIENCE,
        )

    def wait_for_same(self, than: str, canvas: int = 0) -> None:
        """Wait until something is painted again."""
        self.page.wait_for_function(
            """([place, than]) => document.querySelectorAll('.nnw-plane canvas')[place]
                .toDataURL() === than""",
            arg=[canvas, than],
            timeout=PATIENCE,
        )

    # -- judgements ------------------------------------------------------------------------

    def says(self, text: str) -> None:
        """Wait until the widget says something."""
        self.root.get_by_text(text).locator("visible=true").first.wait_for()

    def pressed(self, button: Locator, *, now: bool = True) -> None:
        """Wait until a button is pressed, or not."""
        expect(button).to_have_attribute("aria-pressed", str(now).lower(), timeout=PATIENCE)

    def violations(self) -> list[list[str]]:
        """Return what axe finds."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: list[list[str]] = self.page.evaluate(_CHECK)
        return found

    def assert_tidy(self) -> None:
        """Wait until nothing is cut, hangs out of the widget or lies over something else."""
        tidy.assert_tidy(self.page, ".nnw-decision-boundary")


_KERNEL: Final = """(x) => {{
    const model = window.model;
    const world = model.world;
    const points = world.points;
    const meta = name => model.get(name).meta ?? {{}};
    return {};
}}"""


@cache
def _built() -> Path:
    """Build the pages without Python, and return where they are."""
    subprocess.run(["node", "build.mjs", "--demo"], cwd=ROOT / "js", check=True)
    return ROOT / "js" / "demo" / "dist"


@contextmanager
def open_boundary(
    chromium: Chromium, query: str = "", *, width: int = 1200, height: int = 1400
) -> Iterator[BoundaryPage]:
    """Open the page; leaving it fails if it logged an error or asked for anything else.

    Parameters
    ----------
    query
        What the page is to show: see `js/demo/boundary.ts`.
    """
    folder = _built()
    with chromium.page(width=width, height=height, allowed=folder.as_uri()) as page:
        page.goto(f"{(folder / 'boundary.html').as_uri()}?{query}")
        opened = BoundaryPage(page)
        opened.root.wait_for()
        yield opened
