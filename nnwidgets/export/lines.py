"""From the buckets of a view to what is drawn: the raw line, the band, the smoothed line, marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.live.curves import CurveView

__all__ = ["Lines", "averaged", "lines_of", "weight_for"]

Floats = NDArray[np.float64]

_FEW = 30  # of fewer points each is shown as one, as in the widget
_LEAST_WEIGHT = 0.1  # an average with less on the past is the points themselves

_NAN, _INF, _NEGATIVE_INF, _HIGH_LAST = 1, 2, 4, 8


@dataclass(frozen=True)
class Lines:
    """One series, ready to be drawn.

    Attributes
    ----------
    x, y
        The raw curve: one vertex for a point, two for a bucket, in the order in which its
        extremes came. NaN lifts the pen.
    band_x, band_lo, band_hi
        The area between the extremes; empty if every bucket holds one value.
    smooth_x, smooth_y
        The smoothed curve; empty if nothing is smoothed.
    nan, inf, negative_inf
        Steps at which buckets with such values begin.
    points
        The number of buckets.
    """

    x: Floats
    y: Floats
    band_x: Floats
    band_lo: Floats
    band_hi: Floats
    smooth_x: Floats
    smooth_y: Floats
    nan: Floats
    inf: Floats
    negative_inf: Floats
    points: int


def lines_of(
    view: CurveView, part: slice, *, weight: float, log: bool, stepped: bool = False
) -> Lines:
    """Prepare the series whose buckets are ``part`` of `view`.

    Parameters
    ----------
    view, part
        See `CurveView.part`.
    weight
        Of the past in the moving average; 0 for none.
    log
        Whether the axis is logarithmic: what is not positive has no place on it.
    stepped
        Whether a value holds until the next point.
    """
    start, end = view.x[part], view.x1[part]
    low, high = _shown(view.lo[part], log), _shown(view.hi[part], log)
    flags = view.flags[part]
    upward = (flags & _HIGH_LAST) > 0
    # If only one of the two can be shown, it is both.
    first = np.where(upward, low, high)
    second = np.where(upward, high, low)
    first, second = (
        np.where(np.isnan(first), second, first),
        np.where(np.isnan(second), first, second),
    )
    x, y = _interleaved(start, end), _interleaved(first, second)
    if stepped and len(x):
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    spread = bool((high > low).any())
    nothing = np.empty(0)
    smoothed = weight > 0 and not stepped and len(start) > 1
    return Lines(
        x,
        y,
        _interleaved(start, end) if spread else nothing,
        _interleaved(low, low) if spread else nothing,
        _interleaved(high, high) if spread else nothing,
        (start + end) / 2 if smoothed else nothing,
        _shown(averaged(view.mean[part], weight), log) if smoothed else nothing,
        start[(flags & _NAN) > 0],
        start[(flags & _INF) > 0],
        start[(flags & _NEGATIVE_INF) > 0],
        len(start),
    )


def weight_for(count: int, densest: int, smoothing: float) -> float:
    """Return the weight of the past for one of several series.

    A sparser series looks equally far back along x as the densest one, or ten validation points
    beside six hundred buckets would be averaged over most of the run.

    Parameters
    ----------
    count, densest
        Points of this series, and of the one that has most.
    smoothing
        The weight for that one, from 0 to below 1.

    Returns
    -------
    float
        0 where that leaves nothing to average, and where even the densest has few points.
    """
    if densest < _FEW:
        return 0.0
    weight = float(smoothing ** max(1.0, densest / max(1, count)))
    return 0.0 if count < _FEW and weight < _LEAST_WEIGHT else weight


def averaged(values: NDArray[Any], weight: float) -> Floats:
    """Debiased exponential moving average.

    The running mean begins at 0 and is divided by ``1 - weight**n`` (Kingma & Ba 2015, §3), so
    that nothing lags behind an invented start. NaN stays NaN and leaves the mean alone.

    Parameters
    ----------
    values : (n,)
    weight
        Of the past, from 0 to below 1.
    """
    result = np.full(len(values), np.nan)
    mean, correction = 0.0, 1.0
    for i, value in enumerate(values.tolist()):
        if value == value:
            mean = mean * weight + (1 - weight) * value
            correction *= weight
            result[i] = mean / (1 - correction)
    return result


def _shown(values: NDArray[Any], log: bool) -> Floats:
    shown = values.astype(np.float64)
    if log:
        shown[~(shown > 0)] = np.nan
    return shown


def _interleaved(first: NDArray[Any], second: NDArray[Any]) -> Floats:
    return np.column_stack((first, second)).ravel()
