"""Lines of a surface the long way: contourpy as it is meant to be used, then point after point."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from contourpy import contour_generator


def traced(x: Any, y: Any, field: Any, level: float) -> list[Any]:
    """The lines on which a field reaches a level, without those that are one point."""
    generator = contour_generator(x, y, np.ma.masked_invalid(field), corner_mask=True)
    lines = [np.asarray(line, dtype=np.float64) for line in generator.lines(level)]
    return [line for line in lines if len(line) > 1 and np.ptp(line, axis=0).any()]


def boundaries_by_hand(x: Any, y: Any, probabilities: Any) -> list[tuple[int, list[Any]]]:
    """Each class against those after it, where none before it is ahead."""
    shares = probabilities.astype(np.float64)
    found = []
    for number in range(len(shares) - 1):
        rest = shares[number + 1 :].max(0)
        lines = traced(x, y, shares[number] - rest, 0.0)
        if number:
            before = shares[:number].max(0) - np.maximum(shares[number], rest)
            if not (before < 0).any():
                continue
            lines = [piece for line in lines for piece in kept_of(line, before, x, y)]
        if lines:
            found.append((number, lines))
    return found


def kept_of(line: Any, field: Any, x: Any, y: Any) -> list[Any]:
    """The parts of a line on which a field is not above zero."""
    values = [value_at(point, field, x, y) for point in line]
    pieces: list[list[Any]] = []
    current: list[Any] = []
    for number, (point, value) in enumerate(zip(line, values, strict=True)):
        if number and (value <= 0) != (values[number - 1] <= 0):
            a = values[number - 1]
            part = a / (a - value) if isfinite(a) and isfinite(value) else 0.0
            current.append(line[number - 1] + part * (point - line[number - 1]))
        if value <= 0:
            current.append(point)
        elif current:
            pieces.append(current)
            current = []
    if current:
        pieces.append(current)
    if len(pieces) > 1 and values[0] <= 0 and (line[0] == line[-1]).all():
        last = pieces.pop()
        pieces[0] = last + pieces[0][1:]
    return [np.array(piece) for piece in pieces if len(piece) > 1]


def value_at(point: Any, field: Any, x: Any, y: Any) -> float:
    """A field at one point, between the four places around it."""
    i = max(n for n in range(len(x) - 1) if n == 0 or x[n] <= point[0])
    j = max(n for n in range(len(y) - 1) if n == 0 or y[n] <= point[1])
    right = min(max((point[0] - x[i]) / (x[i + 1] - x[i]), 0), 1)
    up = min(max((point[1] - y[j]) / (y[j + 1] - y[j]), 0), 1)
    below = field[j, i] * (1 - right) + field[j, i + 1] * right
    above = field[j + 1, i] * (1 - right) + field[j + 1, i + 1] * right
    return float(below * (1 - up) + above * up)
