"""What a model says of the points that are there: which are right, and how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_wish import Verdict
from nnwidgets.explain.answers import Answering, Answers, labels
from nnwidgets.explain.plane_base import Plane
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.view_plane import Slice

__all__ = ["MOST_POINTS", "Judging", "asked_places", "drawn_places", "evenly_chosen", "judged"]

MOST_POINTS: Final = 2_000  # that are drawn and asked; of more, as many, evenly chosen

Floats = NDArray[np.float64]


def judged(
    points: Snapshot, asked: Answering, plane: Plane, most: int, check: Callable[[], None]
) -> Verdict | None:
    """Return what is said of points; None if there are none.

    Parameters
    ----------
    points
        Which.
    asked
        Who answers.
    plane
        Of the picture.
    most
        How many points are asked at most.
    check
        Called between batches.
    """
    if not len(points.X):
        return None
    judging = Judging(points, plane, most)
    return judging.verdict(asked.answer(judging.rows, check))


class Judging:
    """Points that are asked about, and all that can be said of them before they are.

    Parameters
    ----------
    points
        Which.
    plane
        Of the picture.
    most
        How many points are asked at most.

    Attributes
    ----------
    rows
        What is to be asked, (m, features).
    """

    def __init__(self, points: Snapshot, plane: Plane, most: int) -> None:
        self._points = points
        self._plane = plane
        self._chosen = asked_places(points, most)
        self.rows = points.X[self._chosen].astype(np.float64)
        self._xy: tuple[Floats, Floats] | None = None
        held = points.test[self._chosen]
        self._train, self._test = np.flatnonzero(~held), np.flatnonzero(held)
        self._y = None if points.y is None else points.y[self._chosen]

    def verdict(self, answers: Answers) -> Verdict:
        """Return what answers for `rows` say."""
        labelled, wrong = self._y, None
        train = test = None
        if answers.probabilities is not None:
            said: NDArray[Any] = labels(answers.probabilities.T)
            if labelled is not None:
                wrong = said != labelled
                train, test = _right(wrong, self._train), _right(wrong, self._test)
        else:
            assert answers.values is not None
            said = answers.values[:, 0]
            if labelled is not None:
                y = labelled.astype(np.float64)
                train, test = _r2(said, y, self._train), _r2(said, y, self._test)
        xy, away = self._where()
        return Verdict(self._points, self._chosen, xy, away, said, wrong, train, test)

    def _where(self) -> tuple[Floats, Floats]:
        """Return where the points are in the picture, and how far from what is shown there."""
        if self._xy is not None:
            return self._xy
        found = self._plane.to_plane(self.rows), self._plane.distance(self.rows)
        if isinstance(self._plane, Slice):  # others may say something else with every step
            self._xy = found
        return found


def drawn_places(points: Snapshot) -> NDArray[np.intp]:
    """Return which points are drawn."""
    return evenly_chosen(np.arange(len(points.X)), MOST_POINTS)


def asked_places(points: Snapshot, most: int) -> NDArray[np.intp]:
    """Return which points are asked, if that may be so many."""
    return evenly_chosen(drawn_places(points), most)


def evenly_chosen(places: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most so many of some places, evenly chosen."""
    if len(places) <= most:
        return places
    chosen: NDArray[np.intp] = places[np.linspace(0, len(places) - 1, most).round().astype(int)]
    return chosen


def _right(wrong: NDArray[np.bool_], chosen: NDArray[np.intp]) -> float | None:
    """Return the share of right answers; None where there is nothing to go by."""
    count = len(chosen)
    return (count - int(np.count_nonzero(wrong[chosen]))) / count if count else None


def _r2(said: NDArray[Any], y: Floats, chosen: NDArray[np.intp]) -> float | None:
    """Return 1 − Σ (y − ŷ)² ÷ Σ (y − ȳ)²; None where nothing varies."""
    true, given = y[chosen], said[chosen].astype(np.float64)
    if len(true) < 2 or np.ptp(true) == 0:
        return None
    varies = np.square(true - true.mean()).sum()
    if varies == 0:  # squares of tiny numbers vanish
        return None
    return float(1 - np.square(true - given).sum() / varies)
