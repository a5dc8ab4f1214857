"""The harness itself: what it must notice, and what others rely on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Error

from tests.browser.lab import Chromium, Lab

SLIDER = "import ipywidgets\nslider = ipywidgets.IntSlider(value=3)\nslider"


def test_error_in_the_console_fails_the_test(chromium: Chromium):
    with pytest.raises(AssertionError, match="planted"), chromium.page() as page:
        page.evaluate("() => console.error('planted')")


def test_uncaught_error_fails_the_test(chromium: Chromium):
    with pytest.raises(AssertionError, match="planted"), chromium.page() as page:
        page.evaluate("() => { queueMicrotask(() => { throw new Error('planted') }) }")


def test_request_to_another_machine_fails_the_test(chromium: Chromium):
    with pytest.raises(AssertionError, match=r"example\.org"), chromium.page() as page:
        page.evaluate("() => fetch('https://example.org/').catch(() => null)")


def test_failing_test_keeps_its_own_error(chromium: Chromium):
    with pytest.raises(Error, match="its own"), chromium.page() as page:
        page.evaluate("() => { console.error('planted'); throw new Error('its own') }")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_width_and_outputs(lab: Lab, chromium: Chromium, theme):
    lab.write("outputs.ipynb", ["print('one')\n1 / 0", "print('two')"], text="# A title")
    with chromium.open(lab, "outputs.ipynb", theme=theme, width=700) as notebook:
        light = notebook.page.evaluate("() => document.body.dataset.jpThemeLight")
        assert light == ("true" if theme == "light" else "false")
        assert notebook.page.evaluate("() => window.innerWidth") == 700
        assert notebook.run(2) == "two\n"
        notebook.start(1)
        assert notebook.finished(1) == "one\nZeroDivisionError: division by zero\n"
        with pytest.raises(AssertionError, match="division by zero"):
            notebook.run(1)


def test_second_view_of_an_output(lab: Lab, chromium: Chromium):
    lab.write("views.ipynb", [SLIDER, "slider.value = 8"])
    with chromium.open(lab, "views.ipynb") as notebook:
        notebook.run(0)
        notebook.second_view(0)
        notebook.run(1)
        notebook.wait_for(
            "() => [...document.querySelectorAll('.widget-readout')]"
            ".map(r => r.textContent).join() === '8,8'"
        )
