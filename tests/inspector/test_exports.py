"""The files that a click on Export gives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inspector.conftest import Make
from tests.live.doubles import Browser, install_browser, until
from tests.training import Training


def answered(browser: Browser, **args: Any) -> dict[str, Any]:
    """Ask for a file, and return the last word on it."""
    number = browser.ask("export", **args)
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    return browser.answers(number)[-1]


@pytest.fixture
def browser(training: Training, make: Make, monkeypatch: pytest.MonkeyPatch) -> Browser:
    install_browser(monkeypatch)
    inspector = make(training.model, training.x[:5])
    inspector.selected, inspector.tab = "6", "weights"
    return Browser(inspector)


@pytest.mark.parametrize(
    ("format", "mime", "begins"),
    [
        ("png", "image/png", b"\x89PNG"),
        ("svg", "image/svg+xml", b"<?xml"),
        ("html", "text/html", b"<!doctype html>"),
    ],
)
def test_a_file_for_the_browser(browser: Browser, format: str, mime: str, begins: bytes) -> None:
    answer = answered(browser, format=format)
    assert answer["meta"] == {"name": f"6-weights.{format}", "mime": mime}
    assert answer["arrays"]["file"].tobytes().startswith(begins)


@pytest.mark.parametrize("args", [{}, {"format": "exe"}, {"format": "../x"}, {"format": None}])
def test_a_file_of_another_kind_is_refused(browser: Browser, args: dict[str, Any]) -> None:
    answer = answered(browser, **args)
    assert answer["type"] == "error"
    assert "format" in answer["error"]
