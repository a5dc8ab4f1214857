"""What the drawn points tell of one point: its neighbours, and how far a feature reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.point import nearest
from nnwidgets.explain.points_snapshot import Snapshot, taken
from nnwidgets.explain.view_plane import Slice

__all__ = ["label_of", "nearest_rows", "range_of", "spread_of_values", "training_rows"]

Floats = NDArray[np.float64]

_CHUNK: Final = 8192  # points whose distances are worked out at once


def training_rows(
    snapshot: Snapshot | None,
) -> tuple[NDArray[Any] | None, NDArray[np.int64], NDArray[Any] | None]:
    """Return the points that are learned from, finite ones, with their ids and labels."""
    if snapshot is None:
        return None, np.zeros(0, np.int64), None
    keep = ~snapshot.test & np.isfinite(snapshot.X).all(1)
    if not keep.all():
        snapshot = taken(snapshot, keep)
    return snapshot.X if len(snapshot.X) else None, snapshot.ids, snapshot.y


def range_of(
    rows: NDArray[Any] | None, at: Floats, plane: Plane, rectangle: Rectangle | None
) -> tuple[Floats, Floats]:
    """Return between which values of each feature a change is looked for."""
    if rows is None:
        low, high = at - 4, at + 4
    else:
        low, high = rows.min(0).astype(np.float64), rows.max(0).astype(np.float64)
    if isinstance(plane, Slice) and rectangle is not None:
        axes = list(plane.axes)
        left, right, bottom, top = rectangle
        if rows is None:
            low[axes], high[axes] = (left, bottom), (right, top)
        low[axes] = np.minimum(low[axes], (left, bottom))
        high[axes] = np.maximum(high[axes], (right, top))
    return low, high


def nearest_rows(
    rows: NDArray[Any] | None,
    at: Floats,
    units: Floats,
    count: int,
    check: Callable[[], None],
) -> tuple[NDArray[np.intp], Floats]:
    """Return which rows are nearest to a point, and how far, each feature in its unit.

    Of equally near ones the first comes first. `check` is called now and then.
    """
    places, distances = np.zeros(0, np.intp), np.zeros(0)
    for start in range(0, 0 if rows is None else len(rows), _CHUNK):
        check()
        assert rows is not None
        part, away = nearest(rows[start : start + _CHUNK], at, units, count)
        places = np.concatenate([places, part + start])
        distances = np.concatenate([distances, away])
        order = np.argsort(distances, kind="stable")[:count]
        places, distances = places[order], distances[order]
    return places, distances


def spread_of_values(snapshot: Snapshot | None) -> float | None:
    """Return the standard deviation of the training points' values; None where there is none."""
    if snapshot is None or snapshot.y is None or snapshot.y.dtype.kind != "f":
        return None
    values = snapshot.y[~snapshot.test].astype(np.float64)
    spread = float(values.std()) if len(values) else 0.0
    return spread if np.isfinite(spread) and spread > 0 else None


def label_of(snapshot: Snapshot | None, drawn: int | None) -> int | float | None:
    """Return the label of a drawn point, by its id; None where there is no such point or label."""
    if snapshot is None or snapshot.y is None or drawn is None:
        return None
    found = snapshot.y[snapshot.ids == drawn]
    return found[0].item() if len(found) else None
