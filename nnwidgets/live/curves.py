"""What a chart of some series needs: at most a given number of buckets each, with every extreme.

Buckets lie on a grid of x whose width is a power of two. While a run grows the buckets that are
complete therefore stay exactly as they are, and the picture does not shimmer; when the grid becomes
too fine its width doubles. Up to the number of buckets, every point is a bucket of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pyramid import Pyramid, Summary

__all__ = ["Curve", "CurveView", "Points", "draw", "join"]

# The largest float64 that is still an int64.
_INT64_END = float(2**63 - 1024)
# Points whose x are quicker copied together than searched in place.
_GATHERED = 2**17

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CurveView:
    """Buckets of several series, behind one another: those of series i are ``part(i)``.

    Attributes
    ----------
    x, x1
        Step of the bucket's first and of its last point; float64.
    t
        Seconds since the start at its first point; float32.
    lo, hi, mean
        Of its finite points, NaN if there is none; float32. Finite values beyond ±3.4e38, the
        largest float32, are shown there.
    flags
        uint8: 1 NaN, 2 inf and 4 -inf in the bucket, 8 if its lowest point comes before its
        highest.
    start, count
        First bucket and number of buckets of each series; int64.
    """

    x: Floats
    x1: Floats
    t: NDArray[np.float32]
    lo: NDArray[np.float32]
    hi: NDArray[np.float32]
    mean: NDArray[np.float32]
    flags: NDArray[np.uint8]
    start: Ints
    count: Ints

    def part(self, series: int) -> slice:
        """Where the buckets of the `series`-th name lie in the arrays."""
        start = int(self.start[series])
        return slice(start, start + int(self.count[series]))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(int(getattr(self, field.name).nbytes) for field in fields(self))


@dataclass(frozen=True)
class Curve:
    """The buckets of one series; attributes as in `CurveView`."""

    x: Floats
    x1: Floats
    t: NDArray[np.float32]
    summary: Summary


class Points:
    """The points of one series in the order in which they are drawn, read in place.

    Parameters
    ----------
    size
        How many points there are.
    rows
        The rows of the table in which they stand.
    values, pyramid
        Of the series. The pyramid is over the points in drawing order, and up to date.
    order
        Where the k-th point in drawing order stands in `values`; None if in the same order.
    """

    def __init__(
        self,
        size: int,
        rows: slice | NDArray[np.uint32],
        values: Floats,
        pyramid: Pyramid,
        order: NDArray[np.uint32] | None = None,
    ) -> None:
        self.size = size
        self.rows = rows
        self.values = values
        self.pyramid = pyramid
        self.order = order

    def at(self, column: NDArray[Any], places: Ints) -> NDArray[Any]:
        """Read a column of the table at some points."""
        if isinstance(self.rows, slice):
            return column[self.rows][places]
        return column[self.rows[places]]

    def search(self, column: NDArray[Any], wanted: Floats, *, after: bool = False) -> Ints:
        """Find the first point at or beyond each wanted x (beyond only, with `after`)."""
        if isinstance(self.rows, slice) or self.size <= _GATHERED:
            x = column[self.rows]
            if x.dtype.kind == "i":
                # Mixed types would make searchsorted convert the whole column.
                wanted = np.floor(wanted) if after else np.ceil(wanted)
                wanted = np.clip(wanted, -_INT64_END, _INT64_END).astype(np.int64)
            return np.searchsorted(x, wanted, side="right" if after else "left")
        # Their x need not lie in one array, so bisect by hand, all that is wanted at once.
        low = np.zeros(len(wanted), dtype=np.int64)
        high = np.full(len(wanted), self.size, dtype=np.int64)
        compare = np.less_equal if after else np.less
        for _ in range(self.size.bit_length()):
            middle = (low + high) >> 1
            # Where low == high already, the clipped read decides nothing.
            open_ = low < high
            right = compare(self.at(column, np.minimum(middle, self.size - 1)), wanted) & open_
            low = np.where(right, middle + 1, low)
            high = np.where(right | ~open_, high, middle)
        return low


def draw(
    points: Points,
    steps: NDArray[Any],
    times: Floats,
    by_time: bool,
    x0: float,
    x1: float,
    buckets: int,
    margin: int,
) -> Curve:
    """Summarise the points of a series with x from `x0` to `x1`, both included.

    Parameters
    ----------
    points
        In the order of x.
    steps, times
        The table's columns.
    by_time
        Whether x is the time.
    x0, x1
        The range of x.
    buckets
        At most this many, the margin not counted.
    margin
        Points on either side of the range that are added, each a bucket of its own, so that a
        line can run out of the picture.
    """
    column = times if by_time else steps
    first = int(points.search(column, np.array([x0]))[0])
    last = int(points.search(column, np.array([x1]), after=True)[0])
    if last - first <= buckets:
        edges = np.arange(first, last + 1)
    else:
        ends = points.at(column, np.array([first, last - 1]))
        inner = points.search(column, grid(float(ends[0]), float(ends[1]), buckets))
        edges = np.concatenate(([first], np.clip(inner, first, last), [last]))
        edges = points.pyramid.align(edges[np.append(True, np.diff(edges) > 0)])
    before = np.arange(max(0, first - margin), first)
    behind = np.arange(last + 1, min(points.size, last + margin) + 1)
    edges = np.concatenate((before, edges, behind))
    starts = edges[:-1]
    return Curve(
        points.at(steps, starts).astype(np.float64),
        points.at(steps, edges[1:] - 1).astype(np.float64),
        points.at(times, starts).astype(np.float32),
        points.pyramid.summarise(points.values, edges, points.order),
    )


def grid(first: float, last: float, buckets: int) -> Floats:
    """Inner bounds of at most `buckets` cells between `first` and `last`, multiples of 2^k."""
    if buckets == 1 or not first < last:
        return np.empty(0)
    # In quarters, so that the distance between ±1.8e308 is a number too.
    least, most = first, last
    first, last = first / 4, last / 4
    exponent = math.frexp((last - first) / buckets)[1]
    cells = math.floor(math.ldexp(last, -exponent)) - math.floor(math.ldexp(first, -exponent)) + 1
    if cells > buckets:
        exponent += 1
    lowest = math.floor(math.ldexp(first, -exponent))
    highest = math.floor(math.ldexp(last, -exponent))
    bounds: Floats = np.arange(lowest + 1, highest + 1, dtype=np.float64)
    bounds = np.ldexp(bounds, exponent)
    # The last one can be an underflow above a tiny negative end, and so can its quarter.
    bounds = bounds[bounds <= last] * 4
    return bounds[(bounds > least) & (bounds <= most)]


def join(curves: Iterable[Curve]) -> CurveView:
    """Put the curves behind one another."""
    all_ = list(curves)
    count = np.array([len(curve.x) for curve in all_], dtype=np.int64)

    def joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
        return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)

    return CurveView(
        x=joined([curve.x for curve in all_], np.float64),
        x1=joined([curve.x1 for curve in all_], np.float64),
        t=joined([curve.t for curve in all_], np.float32),
        lo=joined([curve.summary.lo for curve in all_], np.float32),
        hi=joined([curve.summary.hi for curve in all_], np.float32),
        mean=joined([curve.summary.mean for curve in all_], np.float32),
        flags=joined([curve.summary.flags for curve in all_], np.uint8),
        start=np.cumsum(count) - count,
        count=count,
    )
