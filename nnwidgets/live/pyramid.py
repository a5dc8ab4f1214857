"""Lowest, highest and mean value of any stretch of a series, without reading all of it.

Each block of 16 points is reduced to one entry, each 16 entries to one entry of the next level,
and so on. A stretch is then the few entries that lie whole within it, plus the loose ends on the
level below: about ``32 log16(n)`` entries instead of ``n`` points.

An extreme is kept together with its place, as one 64-bit integer: the upper half holds the bits of
the float32 value in an order-preserving form, the lower half the position. The minimum of such keys
is the lowest value *and* where it stands first, in a single vectorised reduction.

Only finite points count; where the others are is kept in three lists of positions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Column

__all__ = ["FLOAT32_MAX", "HIGH_LAST", "INF", "NAN", "NEGATIVE_INF", "Pyramid", "Summary", "clamp"]

FLOAT32_MAX = float(np.finfo(np.float32).max)
# The bits of a summary's flags.
NAN, INF, NEGATIVE_INF, HIGH_LAST = 1, 2, 4, 8

_FAN = 16
# A boundary between two buckets that both hold this many blocks is moved to the nearest block. It
# moves by at most an eighth of a bucket, and nothing below the block's level needs to be read.
_MANY = 4
_CHUNK = 1 << 16
_POSITION = np.int64(0xFFFFFFFF)
_NO_LOW = np.iinfo(np.int64).max
_NO_HIGH = np.iinfo(np.int64).min

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Summary(NamedTuple):
    """What neighbouring stretches of a series hold; one entry a stretch."""

    lo: NDArray[np.float32]  # NaN where no point is finite
    hi: NDArray[np.float32]
    mean: NDArray[np.float32]
    flags: NDArray[np.uint8]


def clamp(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return float32 in which what is finite stays finite: beyond ±3.4e38 it stops there."""
    clipped: NDArray[np.float32] = np.clip(values, -FLOAT32_MAX, FLOAT32_MAX).astype(np.float32)
    return clipped


class _Level:
    """One entry per block of the level below."""

    def __init__(self) -> None:
        self.low = Column(np.int64)
        self.high = Column(np.int64)
        self.total = Column(np.float64)

    def __len__(self) -> int:
        return len(self.total)

    def write(self, at: int, low: Ints, high: Ints, total: Floats) -> None:
        self.low.write(at, low)
        self.high.write(at, high)
        self.total.write(at, total)


class Pyramid:
    """Levels of block summaries over a series that grows at its end."""

    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._odd = (Column(np.uint32), Column(np.uint32), Column(np.uint32))
        # Points read so far, and how many of each odd kind were among them: one assignment
        # publishes all four.
        self._read = (0, 0, 0, 0)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(column.nbytes for column in self._odd) + sum(
            level.low.nbytes + level.high.nbytes + level.total.nbytes for level in self._levels
        )

    def update(self, values: Floats, order: NDArray[np.uint32] | None = None) -> None:
        """Take in the points that came since the last call.

        Parameters
        ----------
        values
            All points of the series; those taken in before have not changed.
        order
            Where the k-th point stands in `values`; None for the order they are in.
        """
        size = len(values)
        while self._read[0] < size:
            start = self._read[0]
            chunk = _points(values, order, np.arange(start, min(size, start + _CHUNK)))
            self._note_odd(start, chunk)
        depth, below = 0, size
        while below // _FAN:
            if depth == len(self._levels):
                self._levels.append(_Level())
            level = self._levels[depth]
            while len(level) < below // _FAN:
                start = len(level)
                end = min(below // _FAN, start + _CHUNK // _FAN)
                low, high, total = self._entries(
                    depth, values, order, np.arange(start * _FAN, end * _FAN)
                )
                level.write(
                    start,
                    low.reshape(-1, _FAN).min(axis=1),
                    high.reshape(-1, _FAN).max(axis=1),
                    total.reshape(-1, _FAN).sum(axis=1),
                )
            depth, below = depth + 1, len(level)

    def align(self, edges: Ints) -> Ints:
        """Move inner edges to the nearest block where the buckets on both sides are large."""
        edges = edges.copy()
        size = _FAN
        for _ in self._levels:
            large = np.diff(edges) >= _MANY * size
            both = large[1:] & large[:-1]
            if not both.any():
                break
            inner = edges[1:-1]
            inner[both] = (inner[both] + size // 2) // size * size
            size *= _FAN
        return edges

    def summarise(
        self, values: Floats, edges: Ints, order: NDArray[np.uint32] | None = None
    ) -> Summary:
        """Summarise the points from each edge up to the next.

        Parameters
        ----------
        values, order
            As in `update`, which has been called with them.
        edges
            Strictly growing positions, one more than there are stretches.
        """
        a, b = edges[:-1], edges[1:]
        if not len(a):
            nothing = np.empty(0, dtype=np.float32)
            return Summary(nothing, nothing, nothing, np.empty(0, dtype=np.uint8))
        low = np.full(len(a), _NO_LOW)
        high = np.full(len(a), _NO_HIGH)
        total = np.zeros(len(a))
        for depth in range(len(self._levels) + 1):
            if depth == len(self._levels):
                inner_a = inner_b = left_end = right_start = b
            else:
                inner_a = -(-a // _FAN)
                inner_b = np.maximum(b // _FAN, inner_a)
                left_end = np.minimum(inner_a * _FAN, b)
                right_start = np.maximum(inner_b * _FAN, left_end)
                # A stretch within one block has no right end: it is all on the left.
                right_start = np.minimum(right_start, b)
            touched, starts, places = _ends(a, left_end, right_start, b)
            if len(places):
                part = self._entries(depth, values, order, places)
                low[touched] = np.minimum(low[touched], np.minimum.reduceat(part[0], starts))
                high[touched] = np.maximum(high[touched], np.maximum.reduceat(part[1], starts))
                total[touched] += np.add.reduceat(part[2], starts)
            a, b = inner_a, inner_b
        return self._decode(edges, low, high, total)

    def _decode(self, edges: Ints, low: Ints, high: Ints, total: Floats) -> Summary:
        flags = np.zeros(len(low), dtype=np.uint8)
        finite = np.diff(edges)
        for bit, column in zip((NAN, INF, NEGATIVE_INF), self._odd, strict=True):
            if len(column):
                inside = np.diff(np.searchsorted(column.values, edges))
                flags[inside > 0] |= bit
                finite = finite - inside
        later = (low & _POSITION) < (_POSITION - (high & _POSITION))
        flags[later & (finite > 0)] |= HIGH_LAST
        lo, hi = _value(low), _value(high)
        mean = clamp(total / np.maximum(finite, 1))
        # The float64 mean of values that round to one float32 may round to its neighbour.
        mean = np.clip(mean, np.minimum(lo, hi), hi)
        for array in (lo, hi, mean):
            array[finite == 0] = np.nan
        return Summary(lo, hi, mean, flags)

    def _entries(
        self, depth: int, values: Floats, order: NDArray[np.uint32] | None, places: Ints
    ) -> tuple[Ints, Ints, Floats]:
        """Low key, high key and sum of a level's entries at `places`; level 0 is the points."""
        if depth:
            level = self._levels[depth - 1]
            return level.low.values[places], level.high.values[places], level.total.values[places]
        points = _points(values, order, places)
        finite = np.isfinite(points)
        single = clamp(points)
        bits = single.view(np.int32)
        # Flipping the lower bits of negative floats makes their order that of the integers.
        upper = (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).astype(np.int64) << 32
        low = upper | places
        high = upper | (_POSITION - places)
        total = single.astype(np.float64)
        if not finite.all():
            low[~finite], high[~finite], total[~finite] = _NO_LOW, _NO_HIGH, 0.0
        return low, high, total

    def _note_odd(self, start: int, chunk: Floats) -> None:
        counts = list(self._read[1:])
        if not np.isfinite(chunk).all():
            kinds = (np.isnan(chunk), chunk == np.inf, chunk == -np.inf)
            for i, (column, kind) in enumerate(zip(self._odd, kinds, strict=True)):
                places = np.flatnonzero(kind) + start
                column.write(counts[i], places)
                counts[i] += len(places)
        self._read = (start + len(chunk), counts[0], counts[1], counts[2])


def _points(values: Floats, order: NDArray[np.uint32] | None, places: Ints) -> Floats:
    return values[places] if order is None else values[order[places]]


def _value(key: Ints) -> NDArray[np.float32]:
    bits = (key >> 32).astype(np.int32)
    value: NDArray[np.float32] = (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)
    return value


def _ends(a: Ints, left_end: Ints, right_start: Ints, b: Ints) -> tuple[Ints, Ints, Ints]:
    """List the places in ``[a, left_end)`` and ``[right_start, b)`` of each stretch.

    Returns
    -------
    touched, starts, places
        Which stretches have any, where each of those begins in `places`, and the places.
    """
    starts = np.column_stack((a, right_start)).ravel()
    lengths = np.column_stack((left_end - a, b - right_start)).ravel()
    ends = np.cumsum(lengths)
    places = np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)
    per_stretch = lengths[::2] + lengths[1::2]
    touched = np.flatnonzero(per_stretch)
    first = np.cumsum(per_stretch) - per_stretch
    return touched, first[touched], places
