"""Monitors that talk to a recording comm and send only when a test says so."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from nnwidgets import TrainingMonitor
from tests.live.doubles import FakeLink, NoPublisher, install_browser, install_link

Make = Callable[..., TrainingMonitor]


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    """Forget what an earlier test has compiled: layers would be seen by their gradients alone."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> NoPublisher:
    """No publisher thread, and a comm that remembers."""
    return install_browser(monkeypatch)


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch, quiet: NoPublisher) -> FakeLink:
    """A kernel whose cells the test begins and ends."""
    return install_link(monkeypatch)


@pytest.fixture
def make(quiet: NoPublisher) -> Iterator[Make]:
    """Make monitors that are closed at the end of the test."""
    made: list[TrainingMonitor] = []

    def make_one(*args: Any, **options: Any) -> TrainingMonitor:
        made.append(TrainingMonitor(*args, **options))
        return made[-1]

    yield make_one
    for monitor in made:
        monitor.close()


@pytest.fixture
def monitor(make: Make) -> TrainingMonitor:
    """One that only logs."""
    return make()
