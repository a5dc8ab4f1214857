"""A decision boundary in any page: its parts, how it is pointed at, and what it says and paints."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from playwright.sync_api import Locator, Page, expect

from tests.browser import tidy
from tests.browser.lab import PATIENCE, ROOT

__all__ = ["Boundary", "sentence"]

_SENTENCES: Final = json.loads((ROOT / "nnwidgets" / "catalogue" / "en.json").read_text("utf-8"))

_READOUT: Final = ".nnw-plane-part .nnw-readout"
# Numbers as they are written for reading: with a true minus sign.
_NUMBER: Final = r"(−?\d[\d.]*)"


def sentence(key: str) -> re.Pattern[str]:
    """Return a pattern for a sentence of the catalogue, whatever stands in its gaps."""
    words = re.escape(_SENTENCES[key])
    return re.compile(re.sub(r"\\{\w+\\}", "(.+?)", words), re.IGNORECASE)


class Boundary:
    """A decision boundary in a page, whatever answers it.

    Parameters
    ----------
    page
        Where it is.
    selector
        Of the widget.

    Attributes
    ----------
    root
        The widget.
    picture
        What is pointed at, and has the keys.
    """

    def __init__(self, page: Page, selector: str = ".nnw-decision-boundary") -> None:
        self.page = page
        self.selector = selector
        self.root = page.locator(selector).first
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

    def slider(self, name: str) -> Locator:
        """Return the slider of that name."""
        return self.root.get_by_role("slider", name=name, exact=True)

    def part(self, title: str) -> Locator:
        """Return the part of the panel below that heading."""
        return self.root.get_by_role("region", name=title, exact=True)

    def readout(self) -> str:
        """Return what is written of the place that is looked at."""
        return self.root.locator(_READOUT).first.inner_text()

    # -- pointing --------------------------------------------------------------------------

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Return where a place of the plane is on the screen.

        Found by pointing: what the picture writes of two places tells where all others are.
        """
        self.picture.scroll_into_view_if_needed()
        box = self.picture.bounding_box()
        assert box is not None
        corners: list[tuple[float, float, float, float]] = []
        for share in (0.25, 0.75):
            # Whole pixels: those are what the browser tells the picture.
            across = round(box["x"] + share * box["width"])
            down = round(box["y"] + (1 - share) * box["height"])
            self.page.mouse.move(across, down)
            told = re.match(rf".*? {_NUMBER} · .*? {_NUMBER}( · |$)", self.readout(), re.M)
            assert told is not None, self.readout()
            x_there, y_there = (float(told[place].replace("−", "-")) for place in (1, 2))
            corners.append((across, down, x_there, y_there))
        (left, bottom, x0, y0), (right, top, x1, y1) = corners
        return (
            left + (x - x0) / (x1 - x0) * (right - left),
            bottom + (y - y0) / (y1 - y0) * (top - bottom),
        )

    def point_at(self, x: float, y: float) -> str:
        """Move the pointer to a place of the plane, and return what is written of it."""
        self.page.mouse.move(*self.pixel(x, y))
        return self.readout()

    def click(self, x: float, y: float) -> None:
        """Click a place of the plane."""
        self.page.mouse.click(*self.pixel(x, y))

    # -- waits -----------------------------------------------------------------------------

    def wait_for(self, predicate: str, argument: Any = None) -> Any:
        """Wait until a JavaScript function of the page returns something true; return that."""
        return self.page.wait_for_function(predicate, arg=argument, timeout=PATIENCE).json_value()

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait until the widget says something; tips that are not open do not count."""
        self.root.get_by_text(text).filter(visible=True).first.wait_for()

    def pressed(self, button: Locator, *, now: bool = True) -> None:
        """Wait until a button is pressed, or not."""
        expect(button).to_have_attribute("aria-pressed", str(now).lower(), timeout=PATIENCE)

    def painted(self, canvas: int = 0) -> str:
        """Return what stands on the picture: 0 the surface, 1 the points and marks over it."""
        found = self.picture.locator("canvas").nth(canvas)
        return str(found.evaluate("canvas => canvas.toDataURL()"))

    def wait_for_other(self, than: str, canvas: int = 0) -> None:
        """Wait until something else is painted."""
        self._wait_for_painted("!==", than, canvas)

    def wait_for_same(self, than: str, canvas: int = 0) -> None:
        """Wait until something is painted again."""
        self._wait_for_painted("===", than, canvas)

    def _wait_for_painted(self, how: str, than: str, canvas: int) -> None:
        self.wait_for(
            f"""([selector, place, than]) => document.querySelectorAll(
                `${{selector}} .nnw-plane canvas`)[place]?.toDataURL() {how} than""",
            [self.selector, canvas, than],
        )

    # -- judgements ------------------------------------------------------------------------

    def assert_tidy(self) -> None:
        """Wait until nothing is cut, hangs out of the widget or lies over something else."""
        tidy.assert_tidy(self.page, self.selector)

    def troubles(self) -> list[str]:
        """Say what is cut, hangs out of the widget or lies over something else."""
        return tidy.troubles(self.page, self.selector)
