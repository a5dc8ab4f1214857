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

    def __len__(self) -> int:
        return len(self.y)

    @property
    def best(self) -> int:
        """Index of the best point; of several equal ones the first."""
        return int(np.argmin(self.y))

    def shown(self, y: float) -> float:
        """Return a level of ``y`` in the units in which the metric was logged."""
        return math.ldexp(-y if self.higher else y, self.exponent)


def arrays(series: SeriesLike | tuple[ArrayLike, ArrayLike]) -> tuple[Floats, Floats]:
    """Return steps and values as two float64 arrays of one length.

    Raises
    ------
    ValueError
        If they are not one-dimensional and of the same length.
    """
    pair: tuple[Any, Any]
    pair = (series[0], series[1]) if isinstance(series, tuple) else (series.steps, series.values)
    steps, values = (np.asarray(part, dtype=np.float64) for part in pair)
    if steps.ndim != 1 or steps.shape != values.shape:
        raise ValueError(
            f"a series needs one step for each value, got shapes {steps.shape} and {values.shape}"
        )
    return steps, values


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
    all_steps = np.asarray(steps, dtype=np.float64)
    all_values = np.asarray(values, dtype=np.float64)
    n = len(all_values)
    if n <= limit:
        return all_steps, all_values
    stretches = limit - 5
    # Golden-ratio offsets are evenly spread, the same at every call, and in step with no period.
    offsets = (np.arange(stretches) * 0.6180339887498949) % 1.0
    taken = ((np.arange(stretches) + offsets) * (n / stretches)).astype(np.int64)
    finite = np.isfinite(all_values)
    kept = [0, n - 1]
    if finite.any():
        kept.append(int(np.argmin(np.where(finite, all_values, np.inf))))
        kept.append(int(np.argmax(np.where(finite, all_values, -np.inf))))
    if not finite.all():
        kept.append(int(np.argmin(finite)))
    index = np.union1d(np.minimum(taken, n - 1), kept)
    return all_steps[index], all_values[index]


def curve(name: str, steps: Floats, values: Floats) -> Curve:
    """Make a curve of a series; the direction of an unknown metric is taken to be down."""
    base, role = split_name(name)
    higher = bool(higher_is_better(base))
    finite = np.isfinite(values) & np.isfinite(steps)
    if not finite.all():
        steps, values = steps[finite], values[finite]
    tail = values[-TAIL:]
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
    )
