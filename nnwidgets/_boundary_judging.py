"""What a model says of the points that are there: which are right, and how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_wish import Verdict
from nnwidgets.explain.answers import Answering, labels
from nnwidgets.explain.plane_base import Plane
from nnwidgets.explain.points_snapshot import Snapshot

__all__ = ["MOST_POINTS", "asked_places", "drawn_places", "evenly_chosen", "judged"]

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
    places = asked_places(points, most)
    rows = points.X[places].astype(np.float64)
    answers = asked.answer(rows, check)
    labelled = points.y
    wrong = None
    train = test = None
    if answers.probabilities is not None:
        said: NDArray[Any] = labels(answers.probabilities.T)
        if labelled is not None:
            wrong = said != labelled[places]
            train, test = _shares(~wrong, points.test[places])
    else:
        assert answers.values is not None
        said = answers.values[:, 0]
        if labelled is not None:
            held = points.test[places]
            y = labelled[places].astype(np.float64)
            train, test = _r2(said, y, ~held), _r2(said, y, held)
    xy = plane.to_plane(rows)
    return Verdict(points, places, xy, plane.distance(rows), said, wrong, train, test)


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


def _shares(right: NDArray[np.bool_], held: NDArray[np.bool_]) -> tuple[float | None, float | None]:
    train, test = right[~held], right[held]
    return (
        float(train.mean()) if len(train) else None,
        float(test.mean()) if len(test) else None,
    )


def _r2(said: NDArray[Any], y: Floats, chosen: NDArray[np.bool_]) -> float | None:
    """Return 1 − Σ (y − ŷ)² ÷ Σ (y − ȳ)²; None where nothing varies."""
    true, given = y[chosen], said[chosen].astype(np.float64)
    if len(true) < 2 or np.ptp(true) == 0:
        return None
    varies = np.square(true - true.mean()).sum()
    if varies == 0:  # squares of tiny numbers vanish
        return None
    return float(1 - np.square(true - given).sum() / varies)
