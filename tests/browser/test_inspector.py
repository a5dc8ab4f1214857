"""LayerInspector in a real JupyterLab, on the digits CNN while a plain cell trains it.

The tests share one notebook whose cell goes on training all the time; each says which layer and
tab it looks at, and leaves the inspector live.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.browser.inspector import DIGITS, SHAPES, SHOW, TRAIN, Inspector
from tests.browser.lab import Chromium, Lab, Notebook, failure_picture
from tests.browser.test_accessible import PLANT, violations

MONITOR = "monitor = TrainingMonitor(model, optimizer)\nmonitor"


@pytest.fixture(scope="module")
def notebook(lab: Lab, chromium: Chromium) -> Iterator[Notebook]:
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    lab.write("digits.ipynb", [DIGITS, SHOW, MONITOR, TRAIN, "print(inspector.selected)"])
    with chromium.open(lab, "digits.ipynb", width=1300, height=2400) as opened:
        for cell in range(3):
            opened.run(cell)
        opened.start(3)
        yield opened
        stop.touch()


@pytest.fixture
def inspector(notebook: Notebook, request: pytest.FixtureRequest) -> Iterator[Inspector]:
    failed = request.session.testsfailed
    yield Inspector(notebook)
    if request.session.testsfailed > failed:
        notebook.screenshot(failure_picture())


def test_every_layer_opens_while_the_cell_trains(inspector: Inspector) -> None:
    for name, (_, shape) in SHAPES.items():
        inspector.select(name)
        shown = inspector.wait_for_layer(name)
        assert shown["tab"] == "Activations"
        channels = shape.split("×")[1]
        if shape.count("×") == 3:
            assert shown["kinds"] == ["maps", "numbers", "histogram"]
            assert inspector.root.locator(".nnw-map-tile").count() == int(channels)
        else:
            assert shown["kinds"] == ["bars", "numbers", "histogram"]
            assert f"{int(channels):,} values" in str(
                inspector.block("bars").locator(".nnw-stage").get_attribute("aria-label")
            )


def test_the_picture_goes_on_changing(inspector: Inspector) -> None:
    for name, kind in (("4", "maps"), ("12", "bars")):
        inspector.select(name)
        shown = inspector.wait_for_layer(name)
        before = inspector.pixels(kind)
        for _ in range(3):
            shown = inspector.wait_for_later(shown)
        inspector.wait_for_other_pixels(kind, before)
