"""Whether everything of a widget has its place: nothing is cut, hangs out or lies over another."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.lab import PATIENCE

__all__ = ["assert_tidy", "troubles"]

# What is wider than its place, hangs out of the widget, or lies over something else.
_TROUBLES: Final = """(selector) => {
    const root = document.querySelector(selector);
    const edge = root.getBoundingClientRect();
    // What is scrolled out of a row of samples has its place all the same; and over a picture lie
    // the canvas on which its points move, and the words that say which step it is of.
    const seen = e => !e.matches('.nnw-pick, .nnw-plane-front, [data-past]')
        && e.checkVisibility({ visibilityProperty: true, opacityProperty: true })
        && e.closest('.nnw-spoken, .nnw-menu, .nnw-frame, .nnw-tip') === null;
    const name = e => `${e.tagName}.${e.className} ${e.textContent.slice(0, 30)}`;
    const troubles = root.scrollWidth > root.clientWidth ? ['the widget scrolls sideways'] : [];
    const parts = [...root.querySelectorAll(
        'button, select, input, canvas, h2, h3, h4, li, dd, p, .nnw-value, .nnw-readout')];
    const boxes = parts.filter(seen).map(e => [e, e.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0 && box.height > 0);
    for (const [e, box] of boxes) {
        if (box.left < edge.left - 1 || box.right > edge.right + 1)
            troubles.push(`out of the widget: ${name(e)}`);
        if (e.matches('button, h2, h3, h4') && e.scrollWidth > e.clientWidth + 1)
            troubles.push(`cut: ${name(e)}`);
    }
    for (const [a, one] of boxes) for (const [b, other] of boxes) {
        if (a === b || a.contains(b) || b.contains(a)
            || !(a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
        const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const down = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        if (across > 1.5 && down > 1.5) troubles.push(`${name(a)} lies over ${name(b)}`);
    }
    return troubles;
}"""


def troubles(page: Page, selector: str) -> list[str]:
    """Say what is cut, hangs out of the widget or lies over something else."""
    found: list[str] = page.evaluate(_TROUBLES, selector)
    return found


def assert_tidy(page: Page, selector: str) -> None:
    """Wait until nothing is cut, hangs out of the widget or lies over something else."""
    tidy = f"selector => ({_TROUBLES})(selector).length === 0"
    try:
        page.wait_for_function(tidy, arg=selector, timeout=PATIENCE)
    except PlaywrightTimeout:
        raise AssertionError("\n".join(troubles(page, selector))) from None
