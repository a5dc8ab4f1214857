"""A surface under way: what a slow model says, a few places at a time, all of the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from torch import Tensor

from nnwidgets._boundary_wish import Verdict, Wish
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.refine import Refinement

__all__ = ["Progress"]

_ENOUGH: Final = 0.35  # of the places: what is left is interpolated well, or will never be
_FEWEST: Final = 32  # places in a slice


@dataclass(eq=False)
class Progress:
    """Where a refinement stands.

    Attributes
    ----------
    wish, step, past, mark, era
        What it is of.
    weights
        A copy of those it is of, where the model's own go on to change; None: the model's own.
    plane, rectangle
        Of the picture.
    refinement
        The state of the picture.
    asked
        Whether somebody waits for it.
    began
        When, in seconds of ``time.perf_counter``.
    verdict
        What these weights say of the points; None before that was asked.
    """

    wish: Wish
    step: int
    past: bool
    mark: int
    era: int
    weights: Mapping[str, Tensor] | None
    plane: Plane
    rectangle: Rectangle
    refinement: Refinement
    asked: bool
    began: float
    verdict: Verdict | None = None

    def advance(self, predictor: Predictor, seconds: float) -> None:
        """Ask for about so many seconds; at least one slice.

        Parameters
        ----------
        predictor
            Of a module with these weights.
        seconds
            How long the loop, or whoever clicks, may be kept waiting.
        """
        until = perf_counter() + seconds
        while True:
            row = predictor.row_seconds
            left = until - perf_counter()
            most = None if row <= 0 else max(_FEWEST, int(left / row))
            points = self.refinement.next_points(most)
            if points is None:
                return
            self.refinement.put(predictor.answer(points))
            if perf_counter() >= until:
                return

    def over(self, *, training: bool) -> bool:
        """Whether the picture is as good as it is to become."""
        if training and self.refinement.share >= _ENOUGH:
            return True
        return self.refinement.done or (training and self.refinement.settled)
