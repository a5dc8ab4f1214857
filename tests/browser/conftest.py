"""One JupyterLab and one browser for all browser tests; see `tests.browser.lab`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.lab import Chromium, Lab


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
