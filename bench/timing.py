"""Time of a step, bare and watched, in turns."""

from __future__ import annotations

import gc
import statistics
from time import perf_counter, process_time

from bench.conditions import After, Condition
from bench.workloads import Workload

__all__ = ["block", "ratios"]


def block(work: Workload, seconds: float, after: After | None) -> tuple[float, float]:
    """Train for about so long; wall and processor seconds a step."""
    wall, processor, steps = perf_counter(), process_time(), 0
    while True:
        for _ in range(10):
            loss = work.step()
            if after is not None:
                after(steps, loss)
            steps += 1
        passed = perf_counter() - wall
        if passed >= seconds:
            return passed / steps, (process_time() - processor) / steps


def ratios(
    work: Workload, condition: Condition, seconds: float, pairs: int
) -> tuple[float, list[float], list[float]]:
    """Bare milliseconds a step, and the ratios of wall and processor time of each pair."""
    bare_ms, wall, processor = [], [], []
    for _ in range(pairs):
        gc.collect()
        bare = block(work, seconds, None)
        with condition(work) as after:
            block(work, seconds / 4, after)
            watched = block(work, seconds, after)
        bare_ms.append(bare[0] * 1e3)
        wall.append(watched[0] / bare[0])
        processor.append(watched[1] / bare[1])
    return statistics.median(bare_ms), wall, processor
