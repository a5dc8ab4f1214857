"""A surface in passing: the places of the last time, and the points with them, in one call.

Beside a training nothing that a look needs is in the caches, and each call of a model costs as much
as a thousand places more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_judging import Judging
from nnwidgets._boundary_wish import Verdict
from nnwidgets.explain.answers import Answers
from nnwidgets.explain.known_rows import KnownRows
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.surface import Surface, grid, lines, surface_of

__all__ = ["Passing"]

_BYTES: Final = 4_000_000  # of places that are kept

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Places:
    """What is asked: places of a picture, and the points behind them."""

    x: Floats
    y: Floats
    rows: KnownRows
    count: int  # of the places
    judging: Judging


class Passing:
    """Asks for surfaces of the same places again and again."""

    def __init__(self) -> None:
        self._of: tuple[Plane, Snapshot, Rectangle, int, int] | None = None
        self._places: _Places | None = None

    def forget(self) -> None:
        """Keep no places."""
        self._of = self._places = None

    def ask(
        self,
        asked: Predictor,
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
        known = self._asked(asked, plane, rectangle, side, points, most)
        answers = asked.answer(known.rows)
        drawn = surface_of(known.x, known.y, _part(answers, slice(None, known.count)))
        if not len(points.X):
            return drawn, None
        return drawn, known.judging.verdict(_part(answers, slice(known.count, None)))

    def _asked(
        self,
        asked: Predictor,
        plane: Plane,
        rectangle: Rectangle,
        side: int,
        points: Snapshot,
        most: int,
    ) -> _Places:
        of = self._of
        rest = rectangle, side, min(most, len(points.X))
        if of is not None and of[0] is plane and of[1] is points and of[2:] == rest:
            assert self._places is not None
            return self._places
        x, y = lines(rectangle, side)
        inputs = np.asarray(plane.to_inputs(grid(x, y)), dtype=np.float64)
        judging = Judging(points, plane, most)
        chosen = judging.rows
        rows = asked.known(np.concatenate([inputs, chosen]) if len(chosen) else inputs)
        places = _Places(x, y, rows, len(inputs), judging)
        if rows.array.nbytes <= _BYTES:
            self._of, self._places = (plane, points, *rest), places
        return places


def _part(answers: Answers, rows: slice) -> Answers:
    """Return the answers for some of the rows of one model."""
    shares, values = answers.probabilities, answers.values
    return Answers(
        None if shares is None else shares[rows],
        None if values is None else values[rows],
        exclusive=answers.exclusive,
    )
