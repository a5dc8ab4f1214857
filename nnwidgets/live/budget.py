"""The governor: what watching may cost, and what it has cost.

A token bucket over wall time. Each second of training earns ``budget`` seconds of
watching; whatever watches charges what it took. Sampling asks before it starts; work that
cannot be refused (a ``log()`` call) is charged all the same, so that sampling thins out to
make up for it. The same figures give ``overhead``, so the widget shows what was measured
and not what was promised.
"""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Final

__all__ = ["Governor"]

_CREDIT_SECONDS: Final = 2.0  # unused credit is kept this long: a pause must not buy a burst
_DEBT_SECONDS: Final = 10.0  # and one dear first look must not blind the widget for minutes


class Governor:
    """Account of the time spent on watching.

    Parameters
    ----------
    budget
        Fraction of wall time that watching may take, above 0 and at most 1.

    Notes
    -----
    Time counts between `start` and `stop` only: a paused or finished training does not make
    the overhead look smaller than it was. Thread-safe.
    """

    def __init__(self, budget: float = 0.02) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._spent = 0.0
        self._wall = 0.0
        self._credit = 0.0
        self._since: float | None = None

    def start(self, now: float | None = None) -> None:
        """Training runs from now on."""
        with self._lock:
            if self._since is None:
                self._since = perf_counter() if now is None else now

    def stop(self, now: float | None = None) -> None:
        """Training rests (paused, finished, stopped)."""
        with self._lock:
            self._advance(perf_counter() if now is None else now)
            self._since = None

    def charge(self, seconds: float) -> None:
        """Book `seconds` of watching."""
        with self._lock:
            self._spent += seconds
            self._credit = max(self._credit - seconds, -_DEBT_SECONDS * self.budget)

    def allows(self, seconds: float, now: float | None = None) -> bool:
        """Say whether work that takes about `seconds` fits into what has been earned."""
        with self._lock:
            self._advance(perf_counter() if now is None else now)
            return self._credit >= min(seconds, _CREDIT_SECONDS * self.budget)

    @property
    def overhead(self) -> float:
        """Fraction of the training's wall time that watching took; 0.0 before any training."""
        with self._lock:
            self._advance(perf_counter())
            return self._spent / self._wall if self._wall > 0 else 0.0

    @property
    def seconds(self) -> float:
        """Seconds spent on watching so far."""
        return self._spent

    def _advance(self, now: float) -> None:
        if self._since is None:
            return
        passed = max(0.0, now - self._since)
        self._since = now
        self._wall += passed
        limit = _CREDIT_SECONDS * self.budget
        if self._credit < limit:
            self._credit = min(limit, self._credit + passed * self.budget)
