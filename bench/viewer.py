"""What a SaliencyViewer costs a training, and how often its map is made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from bench.conditions import After
from bench.front_end import shown
from bench.inspector import VIEW, nothing, probe_batch
from bench.timing import block, ratios
from bench.workloads import WORKLOADS, Workload
from nnwidgets import SaliencyViewer

__all__ = ["watched_by_viewer"]

_WATCHES = {"viewer, not shown": False, "viewer, shown": True}


def watching(
    name: str, in_view: bool, told: list[tuple[float, float]]
) -> Callable[[Workload], AbstractContextManager[After]]:
    """Make a condition (see `bench.conditions`) that notes maps a second and the overhead said."""

    @contextmanager
    def condition(work: Workload) -> Iterator[After]:
        with ExitStack() as stack:
            if in_view:
                stack.enter_context(shown())
            samples = probe_batch(name)
            # A model that answers at each place is asked about one of them.
            target = (0, 0) if name == "transformer" else None
            viewer = stack.enter_context(SaliencyViewer(work.model, samples, method="saliency"))
            viewer.target = target
            viewer.session.attach(work.optimizer)
            if in_view:
                viewer._receive(VIEW, [])
                viewer.flush()
            looks, began = viewer._view.number, viewer.session.governor.wall
            yield nothing
            passed = viewer.session.governor.wall - began  # bare turns left out
            told.append(((viewer._view.number - looks) / passed, viewer.session.governor.overhead))

    return condition


def watched_by_viewer(trainings: list[str], seconds: float, pairs: int) -> None:
    """Print what a viewer costs a training."""
    print("\n### Time a step, with a viewer ÷ bare\n")
    print("| training | bare | watched by | wall | error | processor | maps/s | said |")
    print("|---|--:|---|--:|---|--:|--:|--:|")
    for name in trainings:
        work = WORKLOADS[name]()
        block(work, seconds, None)
        for words, in_view in _WATCHES.items():
            told: list[tuple[float, float]] = []
            ratio = ratios(work, watching(name, in_view, told), seconds, pairs)
            maps, said = told[0]
            print(
                f"| {name} | {ratio.bare:.2f} ms | {words} | {ratio} "
                f"| {maps:.1f} | {100 * said:.1f} % |",
                flush=True,
            )
