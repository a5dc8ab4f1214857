"""Planes whose axes mix the features: principal components, or any pair of functions.

What a projection leaves out is said in numbers: how much of the data's variance survives the way to
the plane and back, and how far a point is then from where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.plane_base import (
    Quality,
    Rectangle,
    around,
    as_rows,
    usable_rows,
)
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number

__all__ = ["Projection", "evenly", "pca", "percent", "principal_axes"]

Floats = NDArray[np.float64]
Function = Callable[[Floats], Any]

_ROWS: Final = 5000  # of the data, evenly chosen, that principal components are taken from


class Projection:
    """A plane that two functions lead to and back from.

    Parameters
    ----------
    forward
        Takes points, (n, features), and returns places, (n, 2).
    inverse
        Takes places and returns points.
    X
        (n, …) data; rows with NaN or infinite numbers do not count.
    labels
        What stands at the axes.
    words
        Makes the sentence on the quality from the share of the variance that is left and the root
        mean square error, as a key of the catalogue with its parameters; None: a general one.
    returned
        Where the rows of the data come back to, (n, features), if this is not simply the inverse of
        where they went; see `nnwidgets.explain.layer_plane`.

    Raises
    ------
    Refusal
        If X holds nothing to go by, or if a function raises, returns something of another shape,
        or has no finite numbers: `forward` for any row, `inverse` for a place.
    TypeError
        If something is of the wrong type.
    """

    def __init__(
        self,
        forward: Function,
        inverse: Function,
        X: Any,
        *,
        labels: tuple[str, str] = ("axis 1", "axis 2"),
        words: Callable[[float | None, float], Words] | None = None,
        returned: Floats | None = None,
    ) -> None:
        if not all(map(callable, (forward, inverse))):
            raise TypeError("a projection is a pair of callables: to the plane, and back")
        rows = usable_rows(X)
        self.features = rows.shape[1]
        self.labels = (str(labels[0]), str(labels[1]))
        self._forward = forward
        self._inverse = inverse
        places = self.to_plane(rows)
        placed = np.isfinite(places).all(1)
        if not placed.any():
            raise _not_finite("forward", len(rows), len(rows))
        self.rectangle: Rectangle = around(places)
        if returned is None:
            returned = self.to_inputs(places)
        # What cannot be placed is not shown, so it does not count for how well the rest is.
        rows, returned = rows[placed], returned[placed]
        lost = float(np.square(rows - returned).mean())
        varies = np.ptp(rows, axis=0) > 0
        total = float(np.where(varies, rows.var(0), 0).mean())
        self._scale = np.sqrt(total * self.features) or 1.0
        share = 1 - lost / total if total > 0 else None
        error = float(np.sqrt(lost))
        said = (words or _general)(share, error)
        self.quality = Quality(said, share, error)

    def to_plane(self, points: Any) -> Floats:
        """Return where points are in the picture.

        Parameters
        ----------
        points
            (n, …).

        Returns
        -------
        ndarray
            (n, 2).

        Raises
        ------
        Refusal
            If they have another width than the data, or if the function does not do its part.
        """
        rows = as_rows(points, "points")
        if rows.shape[1] != self.features:
            width, wanted = str(rows.shape[1]), str(self.features)
            raise Refusal("explain.predict.width", width=width, wanted=wanted)
        return _called(self._forward, "forward", rows, 2)

    def to_inputs(self, xy: Any) -> Floats:
        """Return the points that places stand for.

        Parameters
        ----------
        xy
            (n, 2).

        Returns
        -------
        ndarray
            (n, features).

        Raises
        ------
        Refusal
            If the function does not do its part.
        """
        places = as_rows(xy, "places")
        found = _called(self._inverse, "inverse", places, self.features)
        lost = np.isfinite(places).all(1) & ~np.isfinite(found).all(1)
        if lost.any():
            raise _not_finite("inverse", int(lost.sum()), len(places))
        return found

    def distance(self, points: Any) -> Floats:
        """Return how far points are from what is shown where they are.

        Parameters
        ----------
        points
            (n, …).

        Returns
        -------
        ndarray
            (n,): distance between a point and where it comes back to, in units of the root mean
            square distance of the data from its mean. A point at 1 is as far from the plane as the
            data is from its middle.
        """
        rows = as_rows(points, "points")
        away = rows - self.to_inputs(self.to_plane(rows))
        distances: Floats = np.sqrt(np.square(away).sum(1)) / self._scale
        return distances


def pca(X: Any, *, standardise: bool = False) -> Projection:
    """Make the plane of the first two principal components.

    Parameters
    ----------
    X
        (n, …) data; rows with NaN or infinite numbers do not count. Of more than 5,000 rows, as
        many are taken, evenly chosen.
    standardise
        Scale each feature to unit variance first, for features in different units.

    Returns
    -------
    Projection
        Its inverse gives the point of the plane itself, with nothing along the other components.

    Raises
    ------
    Refusal, TypeError
        As `Projection`.

    Notes
    -----
    The components are the right singular vectors of the centred data. Of each, the entry that is
    largest in size is positive, so that pictures made again are not mirrored.
    """
    rows = evenly(usable_rows(X), _ROWS)
    spread = rows.std(0)
    # The mean of equal numbers differs from them by rounding, which would be all the variance.
    same = (np.ptp(rows, axis=0) == 0) | (spread == 0)  # or so tiny that squares vanish
    middle = np.where(same, rows[0], rows.mean(0))
    scale = np.where(same, 1.0, spread) if standardise else np.ones(rows.shape[1])
    axes, shares = principal_axes((rows - middle) / scale)

    def words(share: float | None, error: float) -> Words:
        return "explain.plane.pca", {
            "first": percent(shares[0]),
            "second": percent(shares[1]),
            "error": number(error),
        }

    return Projection(
        lambda points: (points - middle) / scale @ axes.T,
        lambda places: places @ axes * scale + middle,
        rows,
        labels=(f"PC 1 ({percent(shares[0])} %)", f"PC 2 ({percent(shares[1])} %)"),
        words=words,
    )


def principal_axes(centred: Floats) -> tuple[Floats, Floats]:
    """Return the first two principal axes of centred data, and the share of the variance of each.

    Parameters
    ----------
    centred
        (n, features), at least two features.

    Returns
    -------
    axes, shares
        (2, features), orthonormal, also where the data has fewer dimensions; (2,), NaN where
        nothing varies.
    """
    scale = np.abs(centred).max() or 1.0  # squares of huge numbers would overflow
    # Rows of zeros change nothing, and give two axes where there is only one sample.
    padded = centred / scale
    if len(padded) < 2:
        padded = np.vstack([padded, np.zeros((2, padded.shape[1]))])
    _, sizes, axes = np.linalg.svd(padded, full_matrices=False)
    axes = axes[:2]
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(1)])
    power = np.square(sizes)
    total = power.sum()
    shares = power[:2] / total if total > 0 else np.full(2, np.nan)
    return axes * signs[:, None], shares


# --- inside ---------------------------------------------------------------------------------------


def _called(function: Function, name: str, rows: Floats, width: int) -> Floats:
    try:
        made = function(rows.copy())
    except Refusal:
        raise
    except Exception as problem:
        why = f"{type(problem).__name__}: {problem}".strip().splitlines()[0][:200]
        raise Refusal("explain.plane.function", name=name, problem=why) from problem
    try:
        found = as_rows(made, name)
    except TypeError:
        found = np.empty((0, 0))
    if found.shape != (len(rows), width):
        wanted = f"({len(rows)}, {width})"
        got = str(getattr(made, "shape", type(made).__name__))
        raise Refusal("explain.plane.function_shape", name=name, got=got, wanted=wanted)
    return found


def _not_finite(name: str, count: int, total: int) -> Refusal:
    words = {"name": name, "count": f"{count:,}", "total": f"{total:,}"}
    return Refusal("explain.plane.function_nan", **words)


def evenly(rows: Floats, most: int) -> Floats:
    """Return at most so many rows, evenly chosen."""
    if len(rows) <= most:
        return rows
    chosen: Floats = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    return chosen


def percent(share: float) -> str:
    """Write a share for a sentence, without the sign."""
    return f"{100 * share:.0f}" if np.isfinite(share) else "–"


def _general(share: float | None, error: float) -> Words:
    said = "–" if share is None else f"{100 * share:.0f}"
    return "explain.plane.pair", {"share": said, "error": number(error)}
