"""Lines on a surface: where one class gives way to another, and where values reach a level.

A boundary is where two classes are equally probable and no third one is more so. Each is found
once: class k is held against the classes after it alone, and of the line where it is as probable
as the best of them, the parts are kept on which no class before it is ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    found = []
    for number in range(len(shares) - 1):
        rest = shares[number + 1 :].max(0)
        lead = shares[number] - rest
        before = shares[:number].max(0) - np.maximum(shares[number], rest) if number else None
        if before is not None and not (before < 0).any():
            continue
        lines = _lines(surface, lead, 0.0)
        if before is not None:
            lines = [piece for line in lines for piece in _below_zero(line, before, surface)]
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
    if levels is None:
        finite = values[np.isfinite(values)]
        levels = ticks(float(finite.min()), float(finite.max())) if len(finite) else ()
    found = []
    for level in sorted(float(value) for value in levels):
        lines = _lines(surface, values, level)
        if lines:
            found.append(Contour(level, output, tuple(lines)))
    return tuple(found)


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


def _lines(surface: Surface, field: Floats, level: float) -> list[Line]:
    from contourpy import contour_generator  # comes with matplotlib; asked for when first needed

    masked = np.ma.masked_invalid(field)
    generator = contour_generator(surface.x, surface.y, masked, corner_mask=True)
    # A field that is the level all over a region has no line there, but points of one.
    lines = (np.asarray(line, dtype=np.float64) for line in generator.lines(level))
    return [line for line in lines if len(line) > 1 and np.ptp(line, axis=0).any()]


def _below_zero(line: Line, field: Floats, surface: Surface) -> list[Line]:
    """Return the parts of a line on which a field, interpolated, is not above zero."""
    values = _at(line, field, surface)
    inside = values <= 0  # NaN is not
    if inside.all() or not inside.any():
        return [line] if inside.all() else []
    pieces: list[Line] = []
    current: list[Line] = []
    for number, point in enumerate(line):
        if number and inside[number] != inside[number - 1]:
            a, b = values[number - 1], values[number]
            part = a / (a - b) if np.isfinite(a) and np.isfinite(b) else 0.0
            current.append(line[number - 1] + part * (point - line[number - 1]))
        if inside[number]:
            current.append(point)
        elif current:
            pieces.append(np.array(current))
            current = []
    if current:
        pieces.append(np.array(current))
    closed = len(pieces) > 1 and np.array_equal(line[0], line[-1]) and inside[0]
    if closed:  # the seam of a closed line is no end of a boundary
        last = pieces.pop()
        pieces[0] = np.concatenate([last, pieces[0][1:]])
    return [piece for piece in pieces if len(piece) > 1]


def _at(points: Line, field: Floats, surface: Surface) -> Floats:
    """Return a field at points, bilinear between the places of the grid."""
    right, column = _between(surface.x, points[:, 0])
    up, row = _between(surface.y, points[:, 1])
    with np.errstate(invalid="ignore"):
        below = field[row, column] * (1 - right) + field[row, column + 1] * right
        above = field[row + 1, column] * (1 - right) + field[row + 1, column + 1] * right
        found: Floats = below * (1 - up) + above * up
    return found


def _between(lines: NDArray[np.float64], at: Floats) -> tuple[Floats, NDArray[np.int64]]:
    place = np.clip(np.searchsorted(lines, at, side="right") - 1, 0, len(lines) - 2)
    part = (at - lines[place]) / (lines[place + 1] - lines[place])
    return np.clip(part, 0, 1), place
