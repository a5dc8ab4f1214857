"""The plane of two features: a slice through the space of the inputs, all others held fixed."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.plane_base import (
    Plane,
    Quality,
    Rectangle,
    around,
    as_rows,
    default_names,
    usable_rows,
)
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number

__all__ = ["Plane", "Quality", "Rectangle", "Slice", "around"]

Floats = NDArray[np.float64]


class Slice:
    """Two features as the axes, all others held fixed.

    Parameters
    ----------
    X
        (n, …) data; rows with NaN or infinite numbers do not count.
    features
        Which two: columns or names.
    fixed
        At which value other features are held: ``{column or name: value}``, where the value may
        also be "median" or "mean".
    others
        At which value those are held that `fixed` does not name: "median", "mean", or the number
        of a sample of `X` whose values are taken.
    feature_names
        One for each column; None: x₁, x₂, ….

    Attributes
    ----------
    axes
        The two columns.
    held
        Columns held fixed, in order.
    names
        Of all columns.

    Raises
    ------
    Refusal
        If X holds no row to go by or too few features, or if a column, name, sample or value does
        not exist or does not fit.
    TypeError
        If something is of the wrong type.
    """

    def __init__(
        self,
        X: Any,
        features: Sequence[int | str] = (0, 1),
        fixed: Mapping[Any, float | str] | None = None,
        *,
        others: str | int = "median",
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self._rows = usable_rows(X)
        self.names = _checked_names(feature_names, self._rows.shape[1])
        chosen = _pair(features)
        first, second = (self.column(name) for name in chosen)
        if first == second:
            raise Refusal("explain.plane.same", name=self.names[first])
        self.axes = (first, second)
        self.held = tuple(n for n in range(self.features) if n not in self.axes)
        base = self._base(X, others)
        for name, value in _checked_fixed(fixed).items():
            column = self.column(name)
            if column in self.axes:
                raise Refusal("explain.plane.fixed_axis", name=self.names[column])
            base[column] = self._value(value, column)
        self._point = base
        spread = self._rows.std(0)
        # Rounding leaves a hair of spread where all rows are the same; squares of tiny ones vanish.
        same = (np.ptp(self._rows, axis=0) == 0) | (spread == 0)
        self._scale = np.where(same, 1.0, spread)
        self._varies = ~same

    @property
    def features(self) -> int:
        """How many numbers a point has."""
        return int(self._rows.shape[1])

    @property
    def labels(self) -> tuple[str, str]:
        """Names of the two features."""
        return (self.names[self.axes[0]], self.names[self.axes[1]])

    @property
    def fixed(self) -> dict[int, float]:
        """The value at which each other column is held."""
        return {column: float(self._point[column]) for column in self.held}

    @property
    def rectangle(self) -> Rectangle:
        """Where the data is, with a margin."""
        return around(self.to_plane(self._rows))

    @property
    def quality(self) -> Quality:
        """How much of the space the picture shows."""
        varying = int(self._varies.sum())
        share = float(self._varies[list(self.axes)].sum() / varying) if varying else None
        if not self.held:
            return Quality(("explain.plane.whole", {}), share, 0.0)
        error = float(np.sqrt(np.square(self.distance(self._rows)).mean()))
        words = {
            "count": str(len(self.held)),
            "features": str(self.features),
            "share": "–" if share is None else f"{100 * share:.0f}",
            "error": number(error),
        }
        return Quality(("explain.plane.slice", words), share, error)

    def column(self, name: int | str) -> int:
        """Return the column of a feature.

        Raises
        ------
        Refusal
            If there is none, with the nearest name.
        TypeError
            If it is neither a column nor a name.
        """
        if isinstance(name, str):
            if name in self.names:
                return self.names.index(name)
            near = difflib.get_close_matches(name, self.names, 1, 0.0)[0]
            raise Refusal("explain.plane.name", name=name, nearest=near)
        try:
            number = -1 if isinstance(name, bool) else operator.index(name)
        except TypeError:
            raise TypeError(f"a feature must be a column or a name, not {name!r}") from None
        if not 0 <= number < self.features:
            last = str(self.features - 1)
            raise Refusal("explain.plane.column", column=str(name), last=last)
        return number

    def holding(self, fixed: Mapping[Any, float | str]) -> Slice:
        """Return the same slice with some features held elsewhere.

        Parameters
        ----------
        fixed
            As for the class.

        Raises
        ------
        Refusal, TypeError
            As the class.
        """
        changed = {self.column(name): value for name, value in _checked_fixed(fixed).items()}
        held: dict[int, float | str] = {**self.fixed, **changed}
        return Slice(self._rows, self.axes, held, feature_names=self.names)

    def extent(self, column: int) -> tuple[float, float]:
        """Return the smallest and largest value of a column: the ends of its slider."""
        values = self._rows[:, column]
        return (float(values.min()), float(values.max()))

    def to_plane(self, points: Any) -> Floats:
        """Return the two features of points.

        Parameters
        ----------
        points
            (n, …).

        Returns
        -------
        ndarray
            (n, 2).
        """
        return self._fitting(points)[:, self.axes]

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
        """
        places = as_rows(xy, "places")
        if not self.held and self.axes == (0, 1):
            return places
        points = np.repeat(self._point[None], len(places), axis=0)
        points[:, self.axes] = places
        return points

    def distance(self, points: Any) -> Floats:
        """Return how far points lie from the slice.

        Parameters
        ----------
        points
            (n, …).

        Returns
        -------
        ndarray
            (n,): root mean square, over the features held fixed that vary in the data, of the
            difference in standard deviations. Constant ones count where a point differs from them,
            in their own units.
        """
        rows = self._fitting(points)
        away = ((rows - self._point) / self._scale)[:, self.held]
        count = int(self._varies[list(self.held)].sum())
        distances: Floats = np.sqrt(np.square(away).sum(1) / max(count, 1))
        return distances

    # --- inside -----------------------------------------------------------------------------------

    def _fitting(self, points: Any) -> Floats:
        rows = as_rows(points, "points")
        if rows.shape[1] != self.features:
            width, wanted = str(rows.shape[1]), str(self.features)
            raise Refusal("explain.predict.width", width=width, wanted=wanted)
        return rows

    def _base(self, X: Any, others: str | int) -> Floats:
        """Return the point that gives the values of what is not named."""
        if isinstance(others, str):
            return np.array([self._value(others, column) for column in range(self.features)])
        try:
            number = operator.index(others)
        except TypeError:
            raise TypeError(
                f"others must be 'median', 'mean' or the number of a sample, not {others!r}"
            ) from None
        rows = as_rows(X, "X")
        if not 0 <= number < len(rows):
            last = str(len(rows) - 1)
            raise Refusal("explain.plane.sample", sample=str(number), last=last)
        if not np.isfinite(rows[number]).all():
            raise Refusal("explain.plane.sample_nan", sample=str(number))
        chosen: Floats = rows[number].copy()
        return chosen

    def _value(self, value: float | str, column: int) -> float:
        if isinstance(value, str):
            if value not in ("median", "mean"):
                raise Refusal("explain.plane.held", value=value, name=self.names[column])
            values = self._rows[:, column]
            return float(np.median(values) if value == "median" else values.mean())
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise TypeError(
                f"a feature is held at a number, 'median' or 'mean', not at {value!r}"
            ) from None
        if not np.isfinite(number):
            raise Refusal("explain.plane.held", value=str(value), name=self.names[column])
        return number


def _checked_names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return default_names(count)
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise TypeError(f"feature_names must be a sequence of names, not {type(names).__name__}")
    known = tuple(str(name) for name in names)
    if len(known) != count:
        raise Refusal("explain.plane.names", given=str(len(known)), count=str(count))
    return known


def _pair(features: Any) -> tuple[Any, Any]:
    chosen = () if isinstance(features, str) or not hasattr(features, "__iter__") else features
    chosen = tuple(chosen)
    if len(chosen) != 2:
        raise TypeError(f"features must be two columns or names, not {features!r}")
    return chosen


def _checked_fixed(fixed: Any) -> Mapping[Any, float | str]:
    if fixed is None:
        return {}
    if not isinstance(fixed, Mapping):
        raise TypeError(f"fixed must map columns or names to values, not {type(fixed).__name__}")
    return dict(fixed)
