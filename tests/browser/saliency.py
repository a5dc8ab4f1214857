"""A SaliencyViewer in a page, as a user sees it, and the cells that show one."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.inspector import focused
from tests.browser.lab import PATIENCE, Notebook
from tests.browser.tidy import assert_tidy, troubles

__all__ = ["SHOW", "Viewer", "painted"]

# The model of `tests.browser.inspector`, which takes its time for explanations (it is trained as
# fast as ever) as long as a file lies there: slow work can be looked at, whatever the machine.
SHOW: Final = """
import time
from nnwidgets import SaliencyViewer

class Patient(nn.Sequential):
    def forward(self, x):
        if not self.training and Path("slow").exists():
            time.sleep(0.05)
        return super().forward(x)

model = Patient(*model)
names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
viewer = SaliencyViewer(model, images[:8], class_names=names)
viewer.keep("the beginning")
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
    where
        A notebook, or a page without one.
    selector
        Of the widget; the first one of the notebook by default.
    """

    def __init__(self, where: Notebook | Page, selector: str = _VIEWER) -> None:
        self.page = where if isinstance(where, Page) else where.page
        self.selector = selector
        self.root = self.page.locator(selector).first

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
        # A page that scrolls closes its menus: first there, then the click.
        self.button("More").scroll_into_view_if_needed()
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame("
            "() => requestAnimationFrame(() => done())))"
        )
        self.button("More").click()
        item = self.root.locator(".nnw-methods-menu [role=menuitemradio]")
        named = item.filter(has=self.page.get_by_text(name, exact=True))
        named.click()

    def ask(self, *, sample: int | None = None, method: str | None = None) -> None:
        """Show one live map of a sample (counted from 1), of the class that is predicted."""
        if sample is not None:
            self.sample(sample).click()
            self.wait("p.sample === x", sample - 1)
        predicted = self.button("Predicted class")
        if predicted.is_visible():
            predicted.click()
            predicted.wait_for(state="hidden")
        if method is not None:
            self.method(method)
            self.wait(
                "p.method === x && p.caption.startsWith(`${x}, `) && p.state === 'ready'", method
            )

    def go_back(self) -> dict[str, Any]:
        """Go back to the first step that is kept."""
        self.wait_until_past_steps()
        self.root.get_by_role("slider", name="film").focus()
        self.page.keyboard.press("Home")
        return self.wait("p.caption.includes('weights kept at step')")

    def start_over(self) -> None:
        """Show one live map, whatever a test has left behind."""
        self.page.keyboard.press("Escape")
        if self.choice("Compare").input_value() != "":
            self.choice("Compare").select_option("")
        self.button("Live").click()
        self.button("Side by side").click()
        self.ask(sample=1, method="Grad-CAM")

    def focused(self) -> dict[str, Any]:
        """Return what has the focus: role, name, classes, and whether that can be seen."""
        return focused(self.page)

    # -- waits -----------------------------------------------------------------------------

    def wait_for(self, predicate: str, argument: Any = None) -> Any:
        """Wait until a JavaScript function of the page returns something true; return that."""
        return self.page.wait_for_function(predicate, arg=argument, timeout=PATIENCE).json_value()

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

    def wait_for_other_pixels(self, than: str, place: int = 0) -> None:
        """Wait until something else stands on the canvas of a map."""
        self.wait_for(
            """([selector, place, than]) => {
                const panes = document.querySelectorAll(`${selector} section.nnw-pane`);
                const canvas = panes[place]?.querySelector('canvas');
                return canvas && canvas.toDataURL() !== than;
            }""",
            [self.selector, place, than],
        )

    def wait_for_run(self, step: int) -> None:
        """Wait until the loop has come to a step, whatever is shown of it."""
        self.wait_for(
            """([selector, step]) => {
                const where = document.querySelector(selector)?.textContent ?? '';
                return Number(where.replace(/\\D/g, '')) >= step;
            }""",
            [f"{self.selector} .nnw-header-step", step],
        )

    def wait_until_past_steps(self) -> None:
        """Wait until there are steps that can be gone back to."""
        self.wait_for(
            "selector => document.querySelector(selector)?.disabled === false",
            f"{self.selector} .nnw-when .nnw-slider",
        )

    def numbers(self) -> dict[str, str]:
        """Wait for the numbers behind a place, and return them by their names."""
        opened = self.root.get_by_role("dialog", name="The numbers here")
        opened.wait_for()
        names = opened.locator("dt").all_inner_texts()
        return dict(zip(names, opened.locator("dd").all_inner_texts(), strict=True))

    def assert_tidy(self) -> None:
        """Wait until nothing is cut, hangs out of the widget or lies over something else."""
        assert_tidy(self.page, self.selector)

    def troubles(self) -> list[str]:
        """Say what is cut, hangs out of the widget or lies over something else."""
        return troubles(self.page, self.selector)

    def assert_one_scale(self) -> list[float]:
        """Hold what is said of each map against the one scale; return their strongest values."""
        ends, strongest = [], []
        for place in range(2):
            said = str(self.stage(place).get_attribute("aria-label"))
            found = re.search(r"colours from (\S+) to (\S+)\..*: (\S+?)( · .*)?\.$", said)
            assert found is not None, said
            ends.append((found[1], found[2]))
            strongest.append(float(found[3].replace("−", "-")))
        shown = self.wait()["scale"]
        assert ends == [tuple(shown)] * 2
        assert max(map(abs, strongest)) == pytest.approx(float(shown[1]), rel=0.02)
        return strongest


def painted(viewer: Viewer, place: int = 0) -> bool:
    """Whether there is anything on the canvas of a map."""
    canvas = viewer.pane(place).locator("canvas").first
    return bool(
        canvas.evaluate(
            """async canvas => {
                // It is drawn in a frame of its own, soon after the words.
                for (const end = performance.now() + 30_000; performance.now() < end; ) {
                    const { width, height } = canvas;
                    if (width > 0 && height > 0) {
                        const context = canvas.getContext('2d');
                        const { data } = context.getImageData(0, 0, width, height);
                        if (new Set(new Uint32Array(data.buffer)).size > 4) return true;
                    }
                    await new Promise(done => requestAnimationFrame(done));
                }
                return false;
            }"""
        )
    )
