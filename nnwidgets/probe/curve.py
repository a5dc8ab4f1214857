"""One logged series, made ready for judging: finite, thinned, scaled, lower is better.

The rules in ``curve_*.py`` never see units. A curve is divided by a power of two near its largest
size, so multiplying a metric by a constant changes nothing; what counts as much or little is
measured against the curve's own *travel* (how far it has come) and its own *noise*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnwidgets.probe.metrics import higher_is_better, split_name

Floats = NDArray[np.float64]
Numbers = NDArray[Any]
"""Steps: integers or floats."""

LIMIT = 2000
"""Points of a series that are judged; longer ones are thinned to this many."""

TAIL = 256
"""Newest points that are also kept without gaps, for what happens from point to point."""


class SeriesLike(Protocol):
    """Anything with the steps and values of a series, for example ``history["loss"]``."""

    @property
    def steps(self) -> ArrayLike:
        """Step of each point."""

    @property
    def values(self) -> ArrayLike:
        """Value of each point; NaN and ±inf are allowed."""


@dataclass(frozen=True)
class Curve:
    """The finite points of a series.

    Attributes
    ----------
    name, base, role
        The logged name and its two parts (see `metrics.split_name`).
    higher
        Whether higher is better (and ``y`` therefore upside down).
    steps, values
        The judged points as they were logged, float64.
    y
        The same, lower is better, between −1 and 1.
    exponent
        ``values`` are ``±y * 2**exponent``.
    tail
        The newest points of ``y`` without gaps.
    positive
        Whether every value is above zero, so that ratios mean something.
    logged
        How many finite points there are in all; `y` holds fewer where it was thinned.
    """

    name: str
    base: str
    role: str
    higher: bool
    steps: Floats
    values: Floats
    y: Floats
    exponent: int
    tail: Floats
    positive: bool
    logged: int

    def __len__(self) -> int:
        return len(self.y)

    @property
    def best(self) -> int:
        """Index of the best point; of several equal ones the first."""
        return int(np.argmin(self.y))

    def points(self, judged: int) -> int:
        """Return how many logged points a number of judged ones stands for."""
        return round(judged * self.logged / max(1, len(self)))

    def shown(self, y: float) -> float:
        """Return a level of ``y`` in the units in which the metric was logged."""
        return math.ldexp(-y if self.higher else y, self.exponent)


def arrays(series: SeriesLike | tuple[ArrayLike, ArrayLike]) -> tuple[Numbers, Floats]:
    """Return steps and values (as float64) of a series.

    Raises
    ------
    ValueError
        If they are not one-dimensional and of the same length.
    """
    pair: tuple[Any, Any]
    pair = (series[0], series[1]) if isinstance(series, tuple) else (series.steps, series.values)
    steps, values = np.asarray(pair[0]), np.asarray(pair[1], dtype=np.float64)
    if steps.ndim != 1 or steps.shape != values.shape:
        raise ValueError(
            f"a series needs one step for each value, got shapes {steps.shape} and {values.shape}"
        )
    return steps, values


def all_finite(numbers: Numbers) -> bool:
    """Say whether there is no NaN and no infinity, without a mask where a sum can tell."""
    if numbers.dtype.kind in "iub":
        return True
    with np.errstate(all="ignore"):
        # The sum of finite numbers may overflow, so only its being finite is an answer.
        return bool(np.isfinite(np.sum(numbers))) or bool(np.isfinite(numbers).all())


def thin(steps: ArrayLike, values: ArrayLike, limit: int = LIMIT) -> tuple[Floats, Floats]:
    """Keep at most ``limit`` points of a series, spread evenly over it.

    One point is taken from each of ``limit`` equal stretches, at a place that changes from stretch
    to stretch: a fixed stride would turn a loss that alternates from step to step into a calm one.
    Unlike means or extremes, single points keep the distribution, and so medians and noise, as
    they were. The first and last point, the first lowest and highest finite value and the first
    value that is not finite always stay.

    Parameters
    ----------
    steps, values
        Arrays of one length.
    limit
        At least 16.

    Returns
    -------
    steps, values : ndarray
        In the order in which they were logged.
    """
    limit = max(16, limit)
    all_steps, all_values = np.asarray(steps), np.asarray(values, dtype=np.float64)
    n = len(all_values)
    if n > limit:
        stretches = limit - 5
        # Golden-ratio offsets: evenly spread, the same at every call, in step with no period.
        offsets = (np.arange(stretches) * 0.6180339887498949) % 1.0
        taken = ((np.arange(stretches) + offsets) * (n / stretches)).astype(np.int64)
        index = np.sort(np.append(np.minimum(taken, n - 1), _landmarks(all_values)))
        index = index[np.append(True, index[1:] != index[:-1])]
        all_steps, all_values = all_steps[index], all_values[index]
    return all_steps.astype(np.float64), all_values


def _landmarks(values: Floats) -> list[int]:
    """Return where the points are that must not get lost."""
    ends = [0, len(values) - 1]
    if all_finite(values):
        return [*ends, int(np.argmin(values)), int(np.argmax(values))]
    finite = np.isfinite(values)
    lowest = int(np.argmin(np.where(finite, values, np.inf)))
    highest = int(np.argmax(np.where(finite, values, -np.inf)))
    return [*ends, lowest, highest, int(np.argmin(finite))]


def curve(name: str, steps: Numbers, values: Floats) -> Curve:
    """Make a curve of a series; the direction of an unknown metric is taken to be down."""
    base, role = split_name(name)
    higher = bool(higher_is_better(base))
    if not (all_finite(values) and all_finite(steps)):
        finite = np.isfinite(values) & np.isfinite(steps)
        steps, values = steps[finite], values[finite]
    tail, logged = values[-TAIL:], len(values)
    steps, values = thin(steps, values)
    largest = float(np.max(np.abs(values))) if len(values) else 0.0
    exponent = math.frexp(largest)[1] if largest > 0 else 0
    sign = -1.0 if higher else 1.0
    return Curve(
        name=name,
        base=base.lower(),
        role=role,
        higher=higher,
        steps=steps,
        values=values,
        y=np.ldexp(values, -exponent) * sign,
        exponent=exponent,
        tail=np.ldexp(tail, -exponent) * sign,
        positive=bool(len(values)) and bool(values.min() > 0),
        logged=logged,
    )
