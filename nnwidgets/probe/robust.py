"""Robust statistics over windows that are counted in points.

Medians and ranks throughout: a single wild batch must neither hide a trend nor make one, and
nothing may depend on the unit of the metric or on how steps are numbered. Arrays are float64,
one-dimensional and finite.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MAD = 1.4826  # makes the median absolute deviation of a normal sample its standard deviation
_TINY = 1e-12  # what rounding may add to values between −1 and 1


def noise(y: Floats) -> float:
    """Return the standard deviation from point to point, whatever the trend.

    From the median size of second differences, which a straight trend does not touch and a few
    outliers do not move (von Neumann 1941's idea of successive differences, made robust). Slow
    wandering is not included.
    """
    if len(y) < 4:
        # Two differences say nothing robust; their largest is on the safe side.
        return float(np.max(np.abs(np.diff(y)))) if len(y) > 1 else 0.0
    second = y[2:] - 2 * y[1:-1] + y[:-2]
    return _MAD * float(np.median(np.abs(second))) / math.sqrt(6) + _TINY


def middle(y: Floats) -> float:
    """Return the median."""
    return float(np.median(y))


def median_error(sigma: float, *counts: int) -> float:
    """Return the standard error of a median, or of a difference of medians, of normal points."""
    return 1.2533 * sigma * math.sqrt(sum(1 / max(1, c) for c in counts))


def blocks(y: Floats, count: int) -> Floats:
    """Return the medians of ``count`` equal stretches (fewer if there are fewer points)."""
    count = max(1, min(count, len(y)))
    size = len(y) // count
    # The oldest points are left out where the length does not divide: the newest matter most.
    rest = len(y) - size * count
    if size == 1:
        return y[rest:]
    return np.asarray(np.median(y[rest:].reshape(count, size), axis=1))


def smooth(y: Floats, width: int) -> Floats:
    """Return the running median of an odd width, with the ends repeated.

    A wide window is represented by some twenty of its points, evenly spread: enough for a median,
    at a fraction of the cost.
    """
    width = min(width, len(y))
    width -= 1 - width % 2
    if width < 3:
        return y
    padded = np.pad(y, width // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    # The middle one among them, so that nothing shifts.
    spread = max(1, width // 21)
    return np.asarray(np.median(windows[:, width // 2 % spread :: spread], axis=1))


def trend(y: Floats, count: int = 24) -> float:
    """Return the z score of Kendall's rank test for a trend (Mann 1945), negative when falling.

    Taken over block medians, so that the cost is bounded and short-range correlation of the noise
    does not pass for significance. About standard normal without a trend.
    """
    b = blocks(y, count)
    n = len(b)
    if n < 4:
        return 0.0
    signs = np.sign(b[None, :] - b[:, None])
    s = float(np.triu(signs, 1).sum())
    spread = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return (s - math.copysign(1.0, s)) / spread if s else 0.0


def recovered_rise(y: Floats) -> float:
    """Return the largest rise above a running minimum that was made good again later.

    The run's own measure of a harmless setback: what it has climbed back down from before is no
    alarm when it happens again (warm restarts, unlucky validations).
    """
    if len(y) < 3:
        return 0.0
    lowest = np.minimum.accumulate(y)
    # A rise has recovered once a new minimum, or as good as one, comes after it.
    last = int(np.flatnonzero(y <= lowest + _TINY)[-1])
    return float(np.max(y[: last + 1] - lowest[: last + 1]))
