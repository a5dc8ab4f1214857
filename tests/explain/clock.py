"""The clock by which an explanation asks whether anybody still waits, moved by the test."""

from __future__ import annotations

import pytest


class Clock:
    """Stands still, however slow the machine is, until somebody adds to `now`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("nnwidgets.explain.cancelling.perf_counter", lambda: self.now)
