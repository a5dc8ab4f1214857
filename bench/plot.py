"""What a DecisionBoundaryPlot costs a training, how often its surface moves, and how soon."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from time import perf_counter
from typing import Any

import numpy as np

from bench.conditions import After
from bench.front_end import shown
from bench.inspector import VIEW, nothing, request
from bench.timing import block, ratios
from bench.workloads import WORKLOADS, Workload
from nnwidgets import DecisionBoundaryPlot
from nnwidgets.explain.toy_data import toy

__all__ = ["dragging", "watched_by_plot"]

_WATCHES = {"plot, not shown": False, "plot, shown": True}
_DRAGS = 40


def plotted(name: str, work: Workload) -> DecisionBoundaryPlot:
    """Return a plot of a workload's model: of points in the plane, or of pictures by components."""
    if name == "MLP":
        points = toy("moons", 300)
        return DecisionBoundaryPlot(work.model, points.X, points.y)
    generator = np.random.default_rng(0)
    images = generator.random((200, 1, 28, 28), dtype=np.float32)
    return DecisionBoundaryPlot(work.model, images, generator.integers(0, 10, 200))


def watching(
    name: str, in_view: bool, told: list[tuple[float, float]]
) -> Callable[[Workload], AbstractContextManager[After]]:
    """Make a condition (see `bench.conditions`) that notes surfaces a second and what is said."""

    @contextmanager
    def condition(work: Workload) -> Iterator[After]:
        with ExitStack() as stack:
            if in_view:
                stack.enter_context(shown())
            plot = stack.enter_context(plotted(name, work))
            plot.session.attach(work.optimizer)
            if in_view:
                plot._receive(VIEW, [])
                plot.flush()
            looks, began = plot._now.number, plot.session.governor.wall
            yield nothing
            passed = plot.session.governor.wall - began  # bare turns left out
            told.append(((plot._now.number - looks) / passed, plot.overhead))

    return condition


def watched_by_plot(trainings: list[str], seconds: float, pairs: int) -> None:
    """Print what a plot costs a training."""
    print("\n### Time a step, with a plot ÷ bare\n")
    print("| training | bare | watched by | wall | error | processor | surfaces/s | said |")
    print("|---|--:|---|--:|---|--:|--:|--:|")
    for name in trainings:
        if name == "transformer":  # its inputs are tokens, which span no plane
            continue
        work = WORKLOADS[name]()
        block(work, seconds, None)
        for words, in_view in _WATCHES.items():
            told: list[tuple[float, float]] = []
            ratio = ratios(work, watching(name, in_view, told), seconds, pairs)
            surfaces, said = told[0]
            print(
                f"| {name} | {ratio.bare:.2f} ms | {words} | {ratio} "
                f"| {surfaces:.1f} | {100 * said:.1f} % |",
                flush=True,
            )


def dragging(seconds: float) -> None:
    """Print the time from a dragged point to the message with the surface of what it changed."""
    print("\n### A point is dragged while the MLP trains: to the message with a new surface\n")
    print("| drags | median | 95 % | slowest |\n|--:|--:|--:|--:|")
    work = WORKLOADS["MLP"]()
    sent: list[tuple[float, int]] = []
    with shown(), plotted("MLP", work) as plot:
        plot.session.attach(work.optimizer)
        send = plot.send_state

        def noting(keys: Any = None) -> None:
            send(keys)
            if keys and "_surface" in keys:
                sent.append((perf_counter(), plot._surface["meta"]["points_version"]))

        plot.send_state = noting
        plot._receive(VIEW, [])
        over = threading.Event()
        began: dict[int, float] = {}

        def drag() -> None:
            for turn in range(_DRAGS):
                if over.wait(seconds / _DRAGS):
                    return
                at = perf_counter()
                plot._receive(
                    request("move", ids=[3], at=[[0.01 * turn, 0.5]], gesture="bench"), []
                )
                began[plot._space.points.snapshot().version] = at

        hand = threading.Thread(target=drag)
        hand.start()
        while hand.is_alive():
            work.step()
        over.set()
    took = []
    for version, at in began.items():
        seen = [when for when, of in sent if of >= version and when >= at]
        if seen:
            took.append((min(seen) - at) * 1e3)
    took.sort()
    last = took[min(len(took) - 1, int(0.95 * len(took)))]
    print(f"| {len(took)} | {statistics.median(took):.0f} ms | {last:.0f} ms | {took[-1]:.0f} ms |")
