"""The page in which a decision boundary runs without Python, as a user sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.boundary_parts import Boundary
from tests.browser.lab import PATIENCE, ROOT, Chromium
from tests.browser.pages import built

__all__ = ["BoundaryPage", "open_boundary"]

_AXE: Final = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
# axe would fetch the style sheets again, which a page from the disk may not.
_CHECK: Final = """async () => {
    const options = { resultTypes: ["violations"], preload: false };
    const found = await axe.run(".nnw", options);
    return found.violations.flatMap(v => v.nodes.map(n => [v.id, n.target.join(" "), n.html]));
}"""


class BoundaryPage(Boundary):
    """One decision boundary, and the kernel in the page behind it."""

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

    def violations(self) -> list[list[str]]:
        """Return what axe finds."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: list[list[str]] = self.page.evaluate(_CHECK)
        return found


_KERNEL: Final = """(x) => {{
    const model = window.model;
    const world = model.world;
    const points = world.points;
    const meta = name => model.get(name).meta ?? {{}};
    return {};
}}"""


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
    folder = built()
    with chromium.page(width=width, height=height, allowed=folder.as_uri()) as page:
        page.goto(f"{(folder / 'boundary.html').as_uri()}?{query}")
        opened = BoundaryPage(page)
        opened.root.wait_for()
        yield opened
