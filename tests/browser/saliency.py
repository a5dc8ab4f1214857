"""A SaliencyViewer in a page, as a user sees it, and the cells that show one."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Locator, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.inspector import DIGITS, TRAIN
from tests.browser.lab import PATIENCE, Notebook

__all__ = ["DIGITS", "SHOW", "TRAIN", "Viewer"]

# Of the cell that `tests.browser.inspector` trains.
SHOW: Final = """
from nnwidgets import SaliencyViewer

names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
viewer = SaliencyViewer(model, images[:8], class_names=names)
viewer
"""

_VIEWER: Final = ".jp-Notebook .nnw-saliency-viewer"
# What is shown, once it is what was asked for.
_SHOWN: Final = """(selector) => {
    const root = document.querySelector(selector);
    const part = root?.querySelector('.nnw-panes-part');
    if (!part || root.querySelector('.nnw-why').hidden) return null;
    const text = (at, which) => at.querySelector(which)?.textContent ?? '';
    const number = (words) => Number(
        /step ([\\d,]+)/.exec(words)?.[1].replaceAll(',', '') ?? NaN);
    const panes = [...part.querySelectorAll('section.nnw-pane')].map(pane => ({
        title: text(pane, '.nnw-pane-title'),
        caption: text(pane, '.nnw-pane-heading > .nnw-muted'),
        step: number(text(pane, '.nnw-pane-heading > .nnw-muted')),
        state: pane.dataset.state,
        kind: pane.dataset.kind,
        notes: [...pane.querySelectorAll('.nnw-note')].map(note => note.textContent),
        drawn: pane.querySelector('.nnw-pane-map')?.hidden === false,
    }));
    const pressed = root.querySelector('.nnw-question-methods [aria-pressed=true]');
    const asked = root.querySelector('.nnw-classes [aria-pressed=true]');
    const scale = [...root.querySelectorAll('.nnw-legend-part .nnw-scale-end')];
    return {
        loading: part.getAttribute('aria-busy') !== 'false',
        panes,
        ...panes[0],
        method: pressed?.textContent ?? '',
        asked: asked === null ? '' : text(asked, '.nnw-class-name'),
        sample: [...root.querySelectorAll('.nnw-pick')].findIndex(
            pick => pick.getAttribute('aria-checked') === 'true'),
        busy: root.querySelector('.nnw-busy')?.hidden === false,
        scale: scale.map(end => end.textContent),
    };
}"""


class Viewer:
    """One viewer of a notebook.

    Parameters
    ----------
    notebook
        Where it is.
    selector
        Of the widget; the first one of the notebook by default.
    """

    def __init__(self, notebook: Notebook, selector: str = _VIEWER) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.selector = selector
        self.root = notebook.page.locator(selector).first

    # -- parts -----------------------------------------------------------------------------

    def button(self, name: str) -> Locator:
        """Return the button of that name."""
        return self.root.get_by_role("button", name=name, exact=True)

    def choice(self, label: str) -> Locator:
        """Return the list of that name."""
        return self.root.get_by_role("combobox", name=label, exact=True)

    def sample(self, number: int) -> Locator:
        """Return the thumbnail of a sample, counted from 1."""
        return self.root.get_by_role("radio").nth(number - 1)

    def bar(self, name: str) -> Locator:
        """Return the row of a class."""
        return self.root.locator(".nnw-class", has=self.page.get_by_text(name, exact=True))

    def pane(self, place: int = 0) -> Locator:
        """Return a map with its heading."""
        return self.root.locator("section.nnw-pane").nth(place)

    def stage(self, place: int = 0) -> Locator:
        """Return what is pointed at of a map."""
        return self.pane(place).locator(".nnw-stage")

    def readout(self, place: int = 0) -> str:
        """Return what a map writes of the place that is looked at."""
        return self.pane(place).locator(".nnw-readout").inner_text()

    # -- acts ------------------------------------------------------------------------------

    def method(self, name: str) -> None:
        """Choose a method, wherever it is offered."""
        inside = self.root.get_by_role("group", name="Method", exact=True)
        button = inside.get_by_role("button", name=name, exact=True)
        if button.count():
            button.click()
            return
        self.button("More").click()
        item = self.root.locator(".nnw-methods-menu [role=menuitemradio]")
        named = item.filter(has=self.page.get_by_text(name, exact=True))
        named.click()

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
            found: dict[str, Any] = self.notebook.wait_for(
                f"""([selector, x]) => {{
                    const p = ({_SHOWN})(selector);
                    return p !== null && !p.loading && ({condition}) ? p : null;
                }}""",
                [self.selector, argument],
            )
        except PlaywrightTimeout:
            raise AssertionError(
                f"{condition} ({argument!r}) never came: {self.shown()}"
            ) from None
        return found

    def wait_for_later(self, than: dict[str, Any]) -> dict[str, Any]:
        """Wait until the same question is answered at a later step."""
        return self.wait(
            "p.caption.split(', step')[0] === x[0] && p.state === 'ready' && p.step > x[1]",
            [than["caption"].split(", step")[0], than["step"]],
        )

    def wait_for_attribute(self, element: Locator, name: str, value: str) -> None:
        """Wait until an attribute of an element has a value."""
        expect(element).to_have_attribute(name, value, timeout=PATIENCE)

    def pixels(self, place: int = 0) -> str:
        """Return what stands on the canvas of a map."""
        canvas = self.pane(place).locator("canvas").first
        return str(canvas.evaluate("canvas => canvas.toDataURL()"))
