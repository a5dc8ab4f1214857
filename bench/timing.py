"""Time of a step, bare and watched, in turns."""

from __future__ import annotations

import gc
import statistics
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Final

from torch import Tensor

from bench.conditions import After, Condition
from bench.turns import turns
from bench.workloads import Workload

__all__ = ["Ratio", "block", "ratios"]

_TURN: Final = 0.1  # seconds, and at least …
_STEPS: Final = 4  # … so many steps
_KEPT: Final = 0.8  # of the groups: the machine itself makes the others the slowest and quickest


@dataclass(frozen=True)
class Ratio:
    """Time of a watched step over that of a bare one.

    Attributes
    ----------
    bare
        Milliseconds of a bare step, the median.
    wall, error
        The mean over groups of turns, and its standard error. A mean, because what happens a few
        times a second, a picture sent, is paid all the same.
    processor
        The same of processor time, summed over all threads.
    """

    bare: float
    wall: float
    error: float
    processor: float

    def __str__(self) -> str:
        """Return three cells of a table: wall, its error, processor."""
        return f"**{self.wall:.3f}** | ± {self.error:.3f} | {self.processor:.3f}"


def block(
    work: Workload, seconds: float, after: After | None, *, steps: int = 10
) -> tuple[float, float]:
    """Train for about so long, and whole rounds of so many steps; wall and processor seconds."""
    wall, processor, taken = perf_counter(), process_time(), 0
    while True:
        for _ in range(steps):
            loss = work.step()
            if after is not None:
                after(taken, loss)
            taken += 1
        passed = perf_counter() - wall
        if passed >= seconds:
            return passed / taken, (process_time() - processor) / taken


def ratios(
    work: Workload,
    condition: Condition,
    seconds: float,
    pairs: int,
) -> Ratio:
    """Hold watched turns against bare ones for ``seconds * pairs`` of each.

    Parameters
    ----------
    work, condition
        What is trained, and how it is watched.
    seconds, pairs
        Their product is the time; `seconds` are trained beforehand.
    """
    bare_ms: list[float] = []
    wall: list[float] = []
    processor: list[float] = []
    gc.collect()
    with turns(work) as turn, condition(work) as after:
        block(work, seconds, after)
        began, over = turn.watched_seconds, False
        while not over:
            took: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
            # Each group begins with the other kind, so that no drift favours one.
            first = len(wall) % 2 == 0
            for watched in (first, not first, not first, first):
                turn.watch(watched)
                took[watched].append(
                    block(work, _TURN, after if watched else _nothing, steps=_STEPS)
                )
            for of, into in enumerate((wall, processor)):
                with_it, without = (sum(one[of] for one in took[kind]) for kind in (True, False))
                into.append(with_it / without)
            bare_ms.append(statistics.mean(one[0] for one in took[False]) * 1e3)
            over = turn.watched_seconds - began >= seconds * pairs and len(wall) >= 10
        turn.watch(True)
    middle = _middle(wall)
    error = statistics.stdev(middle) / len(middle) ** 0.5
    return Ratio(
        statistics.median(bare_ms),
        statistics.mean(middle),
        error,
        statistics.mean(_middle(processor)),
    )


def _nothing(i: int, loss: Tensor) -> None:
    """Stand in for what is called after a watched step: the call itself is the bench's."""


def _middle(values: list[float]) -> list[float]:
    cut = int((1 - _KEPT) / 2 * len(values))
    return sorted(values)[cut : len(values) - cut]
