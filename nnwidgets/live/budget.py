"""The governor: what watching may cost, and what it has cost.

Token buckets over wall time. Each second of training earns ``budget`` seconds of watching;
whatever watches charges what it took. Work that cannot be refused (a ``log()`` call) is
charged all the same, so that what can be refused thins out to make up for it; but sampling,
sending and looking (running a copy of the model for a picture) each have a share of their own
that nothing else can eat up, else a loop of very short steps would show nothing. The same figures
give ``overhead``, so the widget shows what was measured and not what was promised.
"""

from __future__ import annotations

import threading
from time import perf_counter, thread_time
from typing import Final, Literal

import torch

__all__ = ["Governor", "work_clock"]

Account = Literal["sampling", "sending", "looking", "other"]

_SHARES: Final[dict[Account, float]] = {
    "sampling": 0.1, "sending": 0.2, "looking": 0.33, "other": 0.0,
}  # fmt: skip
_CREDIT_SECONDS: Final = 2.0  # unused credit is kept this long: a pause must not buy a burst
_DEBT_SECONDS: Final = 10.0  # and one dear first look must not blind the widget for minutes


def work_clock() -> float:
    """Seconds of work in this thread, to charge a governor with.

    Processor time: another thread that holds the interpreter meanwhile (the publisher, most
    likely) charges its own. Where a GPU is in use its waits count too, so wall time.
    """
    in_use: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return perf_counter() if in_use else thread_time()


class _Bucket:
    """Credit that grows with time, within bounds."""

    def __init__(self) -> None:
        self.credit = 0.0

    def earn(self, amount: float, most: float) -> None:
        if self.credit < most:
            self.credit = min(most, self.credit + amount)

    def pay(self, amount: float, debt: float) -> None:
        self.credit = max(self.credit - amount, -debt)


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
        self._since: float | None = None
        self._whole = _Bucket()
        self._shares: dict[Account, _Bucket] = {name: _Bucket() for name in _SHARES}

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

    def charge(self, seconds: float, account: Account = "other") -> None:
        """Book `seconds` of watching."""
        with self._lock:
            self._spent += seconds
            self._whole.pay(seconds, _DEBT_SECONDS * self.budget)
            self._shares[account].pay(seconds, _DEBT_SECONDS * self.budget * _SHARES[account])

    def allows(self, seconds: float, account: Account, now: float | None = None) -> bool:
        """Say whether work that takes about `seconds` fits into what has been earned.

        What is dearer than the credit that can be saved up is allowed when all of it has been.
        """
        most = _CREDIT_SECONDS * self.budget
        share = most * _SHARES[account]
        with self._lock:
            self._advance(perf_counter() if now is None else now)
            own = self._shares[account].credit
            return self._whole.credit >= min(seconds, most) or (
                share > 0 and own >= min(seconds, share)
            )

    @property
    def overhead(self) -> float:
        """Fraction of the training's wall time that watching took; 0.0 before any training."""
        with self._lock:
            self._advance(perf_counter())
            return self._spent / self._wall if self._wall > 0 else 0.0

    @property
    def wall(self) -> float:
        """Seconds that training has run, pauses left out."""
        with self._lock:
            self._advance(perf_counter())
            return self._wall

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
        earned, most = passed * self.budget, _CREDIT_SECONDS * self.budget
        self._whole.earn(earned, most)
        for name, share in _SHARES.items():
            self._shares[name].earn(earned * share, most * share)
