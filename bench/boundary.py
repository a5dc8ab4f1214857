"""What a surface costs beside the bare forward pass over the same grid."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import torch

from bench.workloads import WORKLOADS
from nnwidgets.explain.answers import Answers, waiting
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.refine import refine
from nnwidgets.explain.surface import grid, lines, surface
from nnwidgets.explain.view_plane import Slice

__all__ = ["refinement", "surfaces"]

RESOLUTION = 100
FINE = 256


def in_turns(
    ours: Callable[[], object], bare: Callable[[], object], seconds: float
) -> tuple[float, float]:
    """Milliseconds of the bare call, and the median of ours ÷ bare, taken in turns."""
    for _ in range(5):
        ours(), bare()
    times: list[float] = []
    ratios: list[float] = []
    until = perf_counter() + seconds
    while perf_counter() < until or len(ratios) < 9:
        began = perf_counter()
        bare()
        between = perf_counter()
        ours()
        times.append(between - began)
        ratios.append((perf_counter() - between) / times[-1])
    return statistics.median(times) * 1e3, statistics.median(ratios)


class Kept:
    """Answers that were given before: what is left is the work around the model."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def answer(self, points: object, check: Callable[[], None] = waiting) -> Answers:
        """Return them."""
        return self.answers


class Clocked:
    """Answers as another does, and knows how long that took."""

    def __init__(self, other: Predictor) -> None:
        self.other = other
        self.seconds = 0.0

    def answer(self, points: object, check: Callable[[], None] = waiting) -> Answers:
        """Return the other's."""
        began = perf_counter()
        answers = self.other.answer(points, check)
        self.seconds += perf_counter() - began
        return answers


def surfaces(seconds: float) -> None:
    """Print the time of a surface of the MLP ÷ that of its bare forward pass."""
    model = WORKLOADS["MLP"]().model.eval()
    plane = Slice(torch.randn(200, 2))
    x, y = lines(plane.rectangle, RESOLUTION)
    points = torch.tensor(grid(x, y), dtype=torch.float32)
    predictor = Predictor(model)
    kept = Kept(predictor.answer(points.numpy()))

    def bare() -> None:
        with torch.no_grad():
            model(points)

    print(f"\n### A surface of {RESOLUTION} × {RESOLUTION} of the MLP\n")
    print("| what | bare forward | ÷ bare |\n|---|--:|--:|")
    for words, call in (
        ("surface", lambda: surface(predictor, plane, RESOLUTION)),
        ("of which around the model", lambda: surface(kept, plane, RESOLUTION)),
    ):
        milliseconds, ratio = in_turns(call, bare, seconds)
        print(f"| {words} | {milliseconds:.2f} ms | **{ratio:.2f}** |", flush=True)


def refinement(steps: int = 300) -> None:
    """Print what a picture of 256 × 256 takes when it is refined, on the MLP while it learns."""
    work = WORKLOADS["MLP"]()
    plane = Slice([[-1.5, -1.0], [2.5, 1.5]])
    predictor = Predictor(work.model.eval())
    print(f"\n### A picture of {FINE} × {FINE} of the MLP, refined\n")
    print("| steps trained | answers | labels that differ | answering | choosing | full grid |")
    print("|--:|--:|--:|--:|--:|--:|")
    trained = 0
    for until in (0, steps, 10 * steps):
        while trained < until:
            work.step()
            trained += 1
        began = perf_counter()
        full = surface(predictor, plane, FINE)
        whole = (perf_counter() - began) * 1e3
        clocked = Clocked(predictor)
        began = perf_counter()
        *_, state = refine(clocked, plane, FINE, most=0.35)
        passed = perf_counter() - began
        found = state.surface()
        assert found.label is not None
        assert full.label is not None
        wrong = float((found.label != full.label).mean())
        print(
            f"| {trained} | {100 * state.share:.1f} % | {100 * wrong:.2f} % "
            f"| {clocked.seconds * 1e3:.0f} ms | {(passed - clocked.seconds) * 1e3:.0f} ms "
            f"| {whole:.0f} ms |",
            flush=True,
        )
