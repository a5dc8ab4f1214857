"""How the monitor's page looks: at each width, in both languages and themes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.browser.lab import Chromium
from tests.browser.pages import built
from tests.browser.tidy import assert_tidy

ROOT_OF_VIEW = ".nnw"

# On how many lines the controls stand: those whose middles are less than half a button apart share.
LINES = """() => {
    const controls = [...document.querySelectorAll('.nnw-toolbar :is(button, input, select)')];
    const boxes = controls.map(e => e.getBoundingClientRect()).filter(box => box.height > 0);
    const middles = boxes.map(box => (box.top + box.bottom) / 2).sort((a, b) => a - b);
    return middles.filter((y, i) => i === 0 || y - middles[i - 1] > 12).length;
}"""
# Of what is written beside the legends: shown whole, not shown, or cut.
BEST = """() => [...document.querySelectorAll('.nnw-best:not([hidden])')].map(e => {
    const room = e.getBoundingClientRect();
    return [...e.children].map(part => {
        const box = part.getBoundingClientRect();
        if (box.top >= room.bottom - 1) return 'away';
        const whole = box.right <= room.right + 0.5 && box.bottom <= room.bottom + 1;
        return whole ? 'whole' : 'cut';
    });
})"""


LINES_AT = {480: 3, 600: 2, 700: 2, 1000: 1, 1400: 1}


@contextmanager
def monitor(chromium: Chromium, query: str) -> Iterator[Any]:
    folder = built()
    with chromium.page(width=1000, height=1600, allowed=folder.as_uri()) as page:
        page.goto(f"{(folder / 'index.html').as_uri()}?move=0&{query}")
        page.locator(".nnw-layers tbody tr").first.wait_for()
        yield page


def resize(page: Any, width: int) -> None:
    """Give the page another width, and the widget the time to follow."""
    page.set_viewport_size({"width": width, "height": 1600})
    page.evaluate("() => new Promise(d => requestAnimationFrame(() => requestAnimationFrame(d)))")


@pytest.mark.parametrize("query", ["language=en", "language=zh", "state=paused&theme=dark"])
def test_nothing_is_cut_and_the_bar_takes_few_lines(chromium: Chromium, query: str) -> None:
    with monitor(chromium, query) as page:
        for width, lines in LINES_AT.items():
            resize(page, width)
            assert_tidy(page, ROOT_OF_VIEW)
            assert page.evaluate(LINES) <= lines, width
            best = page.evaluate(BEST)
            assert len(best) == 2
            for value, step in best:
                assert (value, step) in (("whole", "whole"), ("whole", "away")), width


def test_at_no_width_is_a_best_value_cut_or_the_cost_left_behind(chromium: Chromium) -> None:
    with monitor(chromium, "state=finished") as page:
        for width in range(480, 1240, 20):
            resize(page, width)
            assert "cut" not in {part for parts in page.evaluate(BEST) for part in parts}, width
            # What watching costs stands at the right; in the narrowest it has a line to itself.
            ends = page.evaluate(
                "() => ['.nnw-header', '.nnw-header-cost']"
                ".map(s => document.querySelector(s).getBoundingClientRect().right)"
            )
            assert width < 640 or 0 <= ends[0] - ends[1] <= 24, width
