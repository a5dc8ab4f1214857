"""What a surface costs beside the bare forward pass over the same grid."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter

import torch

from bench.workloads import WORKLOADS
from nnwidgets.explain.answers import Answers, waiting
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.surface import grid, lines, surface
from nnwidgets.explain.view_plane import Slice

__all__ = ["surfaces"]

RESOLUTION = 100


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
