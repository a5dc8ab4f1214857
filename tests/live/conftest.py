"""What several tests of the link between a loop and a browser begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nnwidgets.live.session import Session
from tests.live.doubles import Browser, NoPublisher, install_browser
from tests.live.looping import Tracker
from tests.live.probe_widget import Probe


@pytest.fixture
def tracker() -> Tracker:
    """``track()`` on a session of its own."""
    return Tracker()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> NoPublisher:
    """No publisher thread, and a comm that remembers."""
    return install_browser(monkeypatch)


@pytest.fixture
def probe(quiet: NoPublisher) -> Iterator[Probe]:
    """A widget that sends only when a test says so."""
    widget = Probe(Session())
    yield widget
    widget.close()


@pytest.fixture
def browser(probe: Probe) -> Browser:
    """The other end of its comm."""
    return Browser(probe)
