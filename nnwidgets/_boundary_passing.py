"""A surface in passing: the places of the last time, and the points with them, in one call.

Beside a training nothing that a look needs is in the caches, and each call of a model costs as much
as a thousand places more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_judging import asked_places, judged
from nnwidgets._boundary_wish import Verdict
from nnwidgets.explain.answers import Answering, Answers, waiting
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.surface import Surface, grid, lines, surface_of

__all__ = ["Passing"]

_BYTES: Final = 4_000_000  # of places that are kept

Floats = NDArray[np.float64]


class Passing:
    """Asks for surfaces of the same places again and again."""

    def __init__(self) -> None:
        self._of: tuple[Plane, Rectangle, int] | None = None
        self._places: tuple[Floats, Floats, Floats] | None = None

    def forget(self) -> None:
        """Keep no places."""
        self._of = self._places = None

    def ask(
        self,
        asked: Answering,
        plane: Plane,
        rectangle: Rectangle,
        side: int,
        points: Snapshot,
        most: int,
    ) -> tuple[Surface, Verdict | None]:
        """Return a surface and what is said of the points, as `surface` and `judged` do.

        Parameters
        ----------
        asked
            Who answers.
        plane, rectangle, side
            The picture, and the places along each axis of it.
        points
            Of which at most so many are asked:
        most
            How many.
        """
        x, y, inputs = self._inputs(plane, rectangle, side)
        chosen = points.X[asked_places(points, most)].astype(np.float64)
        answers = asked.answer(np.concatenate([inputs, chosen]) if len(chosen) else inputs)
        drawn = surface_of(x, y, _part(answers, slice(None, len(inputs))))
        rest = _Told(_part(answers, slice(len(inputs), None)))
        return drawn, judged(points, rest, plane, most, waiting)

    def _inputs(
        self, plane: Plane, rectangle: Rectangle, side: int
    ) -> tuple[Floats, Floats, Floats]:
        known = self._of
        if known is not None and known[0] is plane and known[1:] == (rectangle, side):
            assert self._places is not None
            return self._places
        x, y = lines(rectangle, side)
        places = x, y, np.asarray(plane.to_inputs(grid(x, y)), dtype=np.float64)
        if places[2].nbytes <= _BYTES:
            self._of, self._places = (plane, rectangle, side), places
        return places


class _Told:
    """Answers that are there already."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
        return self._answers


def _part(answers: Answers, rows: slice) -> Answers:
    def part(array: Any) -> Any:
        return None if array is None else array[rows]

    return replace(
        answers,
        probabilities=part(answers.probabilities),
        values=part(answers.values),
        epistemic=part(answers.epistemic),
        aleatoric=part(answers.aleatoric),
    )
