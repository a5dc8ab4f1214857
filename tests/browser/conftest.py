"""One JupyterLab and one browser for all browser tests, and a notebook in which a model trains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.boundary import LEARN, PLOT, TWO_SIDES, Plot
from tests.browser.inspector import DIGITS, MONITOR, SHOW, TRAIN, Inspector
from tests.browser.lab import Chromium, Lab, Notebook, failure_picture
from tests.browser.saliency import SHOW as SHOW_VIEWER
from tests.browser.saliency import Viewer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab() as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def notebook(lab: Lab, chromium: Chromium) -> Iterator[Notebook]:
    """A notebook with an inspector and a monitor, whose last cell trains all the time."""
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    lab.write("digits.ipynb", [DIGITS, SHOW, MONITOR, TRAIN])
    with chromium.open(lab, "digits.ipynb", width=1300, height=2400) as opened:
        for cell in range(3):
            opened.run(cell)
        opened.start(3)
        yield opened
        stop.touch()


@pytest.fixture
def inspector(notebook: Notebook, request: pytest.FixtureRequest) -> Iterator[Inspector]:
    """The inspector in it; a test that fails leaves its picture, and a tree to search in."""
    failed = request.session.testsfailed
    inspector = Inspector(notebook)
    yield inspector
    if request.session.testsfailed > failed:
        notebook.screenshot(failure_picture())
        inspector.search("")
        inspector.button("Tree").click()


@pytest.fixture(scope="module")
def asking(lab: Lab, chromium: Chromium) -> Iterator[Notebook]:
    """A notebook with a saliency viewer and a monitor, whose last cell trains all the time."""
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    lab.write("asking.ipynb", [DIGITS, SHOW_VIEWER, MONITOR, TRAIN])
    with chromium.open(lab, "asking.ipynb", width=1400, height=2400) as opened:
        for cell in range(3):
            opened.run(cell)
        opened.start(3)
        yield opened
        stop.touch()


@pytest.fixture
def viewer(lab: Lab, asking: Notebook, request: pytest.FixtureRequest) -> Iterator[Viewer]:
    """The viewer in it; a test that fails leaves its picture, and one live map for the next."""
    failed = request.session.testsfailed
    viewer = Viewer(asking)
    yield viewer
    (lab.root / "slow").unlink(missing_ok=True)
    if request.session.testsfailed > failed:
        asking.screenshot(failure_picture())
        viewer.start_over()


@pytest.fixture(scope="module")
def drawing(lab: Lab, chromium: Chromium) -> Iterator[Notebook]:
    """A notebook with a decision boundary and a monitor, whose last cell trains all the time."""
    stop = lab.root / "stop"
    stop.unlink(missing_ok=True)
    lab.write("drawing.ipynb", [TWO_SIDES, PLOT, MONITOR, LEARN])
    with chromium.open(lab, "drawing.ipynb", width=1400, height=2400) as opened:
        for cell in range(3):
            opened.run(cell)
        opened.start(3)
        yield opened
        stop.touch()


@pytest.fixture
def plot(drawing: Notebook, request: pytest.FixtureRequest) -> Iterator[Plot]:
    """The plot in it; a test that fails leaves its picture, and nothing drawn or open."""
    failed = request.session.testsfailed
    plot = Plot(drawing)
    yield plot
    if request.session.testsfailed > failed:
        drawing.screenshot(failure_picture())
        plot.start_over()
