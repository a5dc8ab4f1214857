"""What any plane of view has: two axes, a rectangle around the data, and how much it shows.

A plane leads points of the space of the inputs to the picture, and places of the picture back to
points. `nnwidgets.explain.view_plane` has the plane of two features, `nnwidgets.explain.projection`
planes that mix them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import text
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = [
    "FARTHEST",
    "Plane",
    "Quality",
    "Rectangle",
    "around",
    "as_rows",
    "default_names",
    "usable_rows",
]

Floats = NDArray[np.float64]
Rectangle = tuple[float, float, float, float]
"""Left, right, bottom, top."""

_MARGIN: Final = 0.08  # of the data's extent, on each side
_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
FARTHEST: Final = float(np.finfo(np.float32).max) / 4
"""What is drawn lies within: most models compute in single precision."""


@dataclass(frozen=True)
class Quality:
    """How much of the space a picture shows.

    Attributes
    ----------
    words
        The sentence, as a key of the catalogue with its parameters.
    share
        Of the variance of the data, from 0 to 1: of a projection, what is left of it after going
        to the plane and back (negative where the mean alone would do better); of a slice, the
        share of the two features, each scaled to unit variance. None where nothing varies.
    error
        Of a projection, how far a point is from where it went and came back: root mean square over
        points and features, in the features' units. Of a slice, how far the points lie from it in
        standard deviations of the features held fixed: root mean square.
    """

    words: Words
    share: float | None
    error: float

    def __str__(self) -> str:
        key, params = self.words
        return text(key, **params)


class Plane(Protocol):
    """What the two axes of a picture mean."""

    @property
    def features(self) -> int:
        """How many numbers a point has."""

    @property
    def labels(self) -> tuple[str, str]:
        """What stands at the axes."""

    @property
    def quality(self) -> Quality:
        """How much of the space the picture shows."""

    @property
    def rectangle(self) -> Rectangle:
        """Where the data is, with a margin."""

    def to_plane(self, points: Any) -> Floats:
        """Return where points are in the picture, (n, 2)."""

    def to_inputs(self, xy: Any) -> Floats:
        """Return the points that places of the picture stand for, (n, features)."""

    def distance(self, points: Any) -> Floats:
        """Return how far points are from what is shown where they are, (n,); see each plane."""


def default_names(count: int) -> tuple[str, ...]:
    """Return names for features that have none: x₁, x₂ and so on."""
    return tuple(f"x{str(number + 1).translate(_SUBSCRIPTS)}" for number in range(count))


def usable_rows(X: Any) -> Floats:
    """Return data as rows of numbers, without those that hold NaN or infinite ones.

    Parameters
    ----------
    X
        (n, …); images and the like are flattened.

    Raises
    ------
    Refusal
        If no row is left, or if there are fewer than two features.
    TypeError
        If they are not numbers.
    """
    rows = as_rows(X, "X")
    if rows.shape[1] < 2:
        raise Refusal("explain.plane.features", count=str(rows.shape[1]))
    rows = rows[np.isfinite(rows).all(1)]
    if not len(rows):
        raise Refusal("explain.plane.empty")
    return rows


def as_rows(points: Any, what: str) -> Floats:
    """Return points as rows of floating numbers, (n, numbers).

    Raises
    ------
    TypeError
        If they are not numbers, or not one row a point.
    """
    if hasattr(points, "detach"):
        points = points.detach().cpu()
    try:
        rows = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"{what} must be numbers, one row a point; turn texts and categories into numbers"
        ) from None
    if rows.ndim < 2:
        raise TypeError(f"{what} must have one row a point, not the shape {rows.shape}")
    return rows.reshape(len(rows), int(np.prod(rows.shape[1:])))


def around(xy: Any, margin: float = _MARGIN) -> Rectangle:
    """Return a rectangle around points of a picture.

    Parameters
    ----------
    xy
        (n, 2); rows that are not finite do not count.
    margin
        Share of the extent that is added on each side.

    Returns
    -------
    Rectangle
        Left, right, bottom, top. An axis along which nothing varies extends by 0.5, or by a tenth
        of the value where that is more, in both directions.
    """
    places = np.asarray(xy, dtype=np.float64)
    places = np.clip(places[np.isfinite(places).all(1)], -FARTHEST, FARTHEST)
    if not len(places):
        return (-1.0, 1.0, -1.0, 1.0)
    low, high = places.min(0), places.max(0)
    size = np.maximum(np.abs(low), np.abs(high))
    flat = high - low <= 1e-9 * size
    more = np.where(flat, np.maximum(0.5, 0.1 * size), margin * (high - low))
    left, bottom = (float(value) for value in low - more)
    right, top = (float(value) for value in high + more)
    return (left, right, bottom, top)
