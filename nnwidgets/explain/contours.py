"""Lines on a surface: where one class gives way to another, and where values reach a level.

A boundary is where two classes are equally probable and no third one is more so. Each is found
once: class k is held against the classes after it alone, and of the line where it is as probable
as the best of them, the parts are kept on which no class before it is ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.surface import Surface
from nnwidgets.probe.refusal import Refusal

__all__ = ["Contour", "boundaries", "level_lines", "ticks"]

_LEVELS: Final = 7  # of a regression, about
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)

Floats = NDArray[np.floating[Any]]
Line = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contour:
    """Lines of one kind.

    Attributes
    ----------
    level
        The value along them: 0 for boundaries (the lead of a class), a level of a regression.
    of
        Of boundaries: the class on one side, the one on the other having a higher number. Of values
        the output.
    lines
        (points, 2) each, in the coordinates of the surface. A closed line ends where it begins.
    """

    level: float
    of: int
    lines: tuple[Line, ...]


def boundaries(surface: Surface) -> tuple[Contour, ...]:
    """Return where the most probable class changes.

    Parameters
    ----------
    surface
        Of classes.

    Returns
    -------
    tuple of Contour
        One for each class that has such a boundary with a class after it.

    Raises
    ------
    Refusal
        If the surface is one of values.

    Notes
    -----
    Lines are found by marching squares on the grid (contourpy), so that they are as fine as that
    is: linear between neighbouring places. Where a probability is not finite there is no line.
    """
    shares = surface.probabilities
    if shares is None:
        raise Refusal("explain.predict.no_classes")
    shares = shares.astype(np.float64)
    best = [shares[-1]]  # of the classes from each one on
    for share in shares[-2::-1]:
        best.append(np.maximum(share, best[-1]))
    best.reverse()
    ahead = shares[0]  # the best of the classes before
    trace = _Tracer(surface, clean=_all_finite(shares))
    found = []
    for number in range(len(shares) - 1):
        before = None
        if number:
            before = ahead - best[number]
            ahead = np.maximum(ahead, shares[number])
        if before is not None and not (before < 0).any():
            continue
        lines = trace.lines(shares[number] - best[number + 1], (0.0,))[0]
        if before is not None:
            lines = _below_zero(lines, before, surface)
        if lines:
            found.append(Contour(0.0, number, tuple(lines)))
    return tuple(found)


def level_lines(
    surface: Surface, levels: Sequence[float] | None = None, *, output: int = 0
) -> tuple[Contour, ...]:
    """Return where the values of a regression reach some levels.

    Parameters
    ----------
    surface
        Of values.
    levels
        Which; None: about seven round ones (see `ticks`).
    output
        Of several outputs, which.

    Returns
    -------
    tuple of Contour
        One for each level that is reached, lowest first.

    Raises
    ------
    Refusal
        If the surface is one of classes, or if there is no such output.
    """
    if surface.values is None:
        raise Refusal("explain.predict.no_values")
    values = surface.view("value", output).astype(np.float64)
    clean = _all_finite(values)
    if levels is None:
        finite = values if clean else values[np.isfinite(values)]
        levels = ticks(float(finite.min()), float(finite.max())) if finite.size else ()
    wanted = sorted(float(value) for value in levels)
    lines = _Tracer(surface, clean=clean).lines(values, wanted)
    return tuple(
        Contour(level, output, tuple(one)) for level, one in zip(wanted, lines, strict=True) if one
    )


def ticks(low: float, high: float, count: int = _LEVELS) -> tuple[float, ...]:
    """Return round numbers between two values, about so many, in equal steps.

    Parameters
    ----------
    low, high
        Finite; there are none if they are equal.
    count
        How many at most.
    """
    if not high > low:
        return ()
    rough = (high - low) / count
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(size for size in _STEPS if size * power >= rough * (1 - 1e-9))
    found = np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step
    return tuple(float(tick) for tick in found[(found > low) & (found < high)])


def _all_finite(field: Floats) -> bool:
    return isfinite(field.min()) and isfinite(field.max())  # NaN comes through both


class _Tracer:
    """Finds lines of fields on the places of one surface."""

    def __init__(self, surface: Surface, *, clean: bool) -> None:
        shape = (len(surface.y), len(surface.x))
        self._x = np.broadcast_to(surface.x, shape)
        self._y = np.broadcast_to(surface.y[:, None], shape)
        self._clean = clean  # nothing in it is infinite or NaN

    def lines(self, field: NDArray[np.float64], levels: Sequence[float]) -> list[list[Line]]:
        """Return the lines of each level."""
        # Comes with matplotlib; asked for when first needed. Its `contour_generator` takes longer
        # over its arguments than the lines take.
        from contourpy import FillType, LineType, SerialContourGenerator, ZInterp

        mask: Any = None
        if not self._clean:
            finite = np.isfinite(field)
            mask = None if finite.all() else ~finite
        maker = SerialContourGenerator(
            self._x,
            self._y,
            field,
            mask,
            corner_mask=True,
            line_type=LineType.ChunkCombinedOffset,
            fill_type=FillType.OuterOffset,
            quad_as_tri=False,
            z_interp=ZInterp.Linear,
        )
        return [_apart(*maker.lines(level)) for level in levels]


def _apart(points: list[Any], offsets: list[Any]) -> list[Line]:
    """Return each line by itself; of the one chunk, where there may be nothing."""
    if points[0] is None:
        return []
    all_of_them, edges = points[0], offsets[0].astype(np.intp)
    # A field that is the level all over a region has no line there, but points of one.
    low = np.minimum.reduceat(all_of_them, edges[:-1])
    long = np.asarray(low < np.maximum.reduceat(all_of_them, edges[:-1])).any(1)
    ends = edges.tolist()
    return [all_of_them[ends[n] : ends[n + 1]] for n in np.flatnonzero(long).tolist()]


def _below_zero(lines: list[Line], field: Floats, surface: Surface) -> list[Line]:
    """Return the parts of lines on which a field, interpolated, is not above zero."""
    if not lines:
        return []
    values = _at(np.concatenate(lines), field, surface)
    found: list[Line] = []
    end = 0
    for line in lines:
        begin, end = end, end + len(line)
        found += _parts(line, values[begin:end])
    return found


def _parts(line: Line, values: Floats) -> list[Line]:
    inside = values <= 0  # NaN is not
    turns = np.flatnonzero(inside[1:] != inside[:-1])  # the last point before it is otherwise
    if not turns.size:
        return [line] if inside[0] else []
    a, b = values[turns], values[turns + 1]
    with np.errstate(invalid="ignore"):
        part = np.where(np.isfinite(a) & np.isfinite(b), a / (a - b), 0.0)
    crossings = line[turns] + part[:, None] * (line[turns + 1] - line[turns])
    edges = [0, *(turns + 1).tolist(), len(line)]
    pieces = [
        np.concatenate(
            [crossings[max(n - 1, 0) : n], line[edges[n] : edges[n + 1]], crossings[n : n + 1]]
        )
        for n in range(0 if inside[0] else 1, len(edges) - 1, 2)
    ]
    closed = len(pieces) > 1 and inside[0] and np.array_equal(line[0], line[-1])
    if closed:  # the seam of a closed line is no end of a boundary
        last = pieces.pop()
        pieces[0] = np.concatenate([last, pieces[0][1:]])
    return [piece for piece in pieces if len(piece) > 1]


def _at(points: Line, field: Floats, surface: Surface) -> Floats:
    """Return a field at points, bilinear between the places of the grid."""
    right, column = _between(surface.x, points[:, 0])
    up, row = _between(surface.y, points[:, 1])
    width = field.shape[1]
    flat, place = field.reshape(-1), row * width + column
    left = 1 - right
    with np.errstate(invalid="ignore"):  # 0 times infinity
        below = flat.take(place) * left + flat.take(place + 1) * right
        place += width
        above = flat.take(place) * left + flat.take(place + 1) * right
        found: Floats = below * (1 - up) + above * up
    return found


def _between(lines: NDArray[np.float64], at: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return how far each number is from one of some lines to the next, and from which."""
    place = lines[1:-1].searchsorted(at, side="right")  # beyond the ends: the cells there
    start = lines.take(place)
    part = (at - start) / (lines.take(place + 1) - start)
    return np.minimum(np.maximum(part, 0, out=part), 1, out=part), place
