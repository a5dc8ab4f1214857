"""What a DecisionBoundaryPlot shows, read out of the parts that it sends.

As in ``js/src/decision_boundary/state.ts``: forgiving of what is missing, so that whatever was sent
can be drawn. Row 0 of every picture is its bottom row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_words import whole

__all__ = ["NO_LABEL", "Dots", "Field", "Said", "Sent", "dots_of", "field_of", "read"]

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]
Sent = tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]
"""Words and arrays of a trait, as they were packed."""

NO_LABEL: Final = 255
_PALETTES: Final = ("classes", "labels", "sequential", "diverging")


@dataclass(frozen=True, eq=False)
class Said:
    """Words and arrays of one trait; all empty where nothing was sent."""

    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def word(self, name: str) -> str:
        """Return a word or a sentence; empty where there is none."""
        found = self.meta.get(name)
        return found if isinstance(found, str) else ""

    def number(self, name: str) -> float | None:
        """Return a number; None where there is none."""
        return as_number(self.meta.get(name))

    def whole(self, name: str) -> int | None:
        """Return a whole number; None where there is none."""
        found = self.number(name)
        return None if found is None or found != int(found) else int(found)

    def texts(self, name: str) -> list[str]:
        """Return a list of words; empty where there is none."""
        found = self.meta.get(name)
        return [str(item) for item in found] if isinstance(found, (list, tuple)) else []

    def items(self, name: str) -> list[Mapping[str, Any]]:
        """Return a list of entries; empty where there is none."""
        found = self.meta.get(name)
        every = found if isinstance(found, (list, tuple)) else []
        return [item for item in every if isinstance(item, Mapping)]

    def part(self, name: str) -> Said:
        """Return an entry that has words of its own."""
        found = self.meta.get(name)
        return Said(found if isinstance(found, Mapping) else {}, {})

    def floats(self, name: str) -> Floats:
        """Return numbers one after another; empty where there are none."""
        found = self.arrays.get(name)
        return np.zeros(0) if found is None else found.astype(np.float64).reshape(-1)

    @property
    def state(self) -> str:
        """Of the part: "ready", "stale", "working", "failed"; "none" where nothing was sent."""
        return self.word("state") or "none"


def read(sent: Sent | None) -> Said:
    """Read a trait."""
    meta, arrays = sent or ({}, {})
    return Said(meta, arrays)


def as_number(value: object) -> float | None:
    """Return a finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def numbers_of(value: object, count: int) -> tuple[float, ...] | None:
    """Return so many finite numbers; None if there are not."""
    if not isinstance(value, (list, tuple)) or len(value) != count:
        return None
    found = [as_number(item) for item in value]
    return None if None in found else tuple(one for one in found if one is not None)


def name_of(classes: Sequence[str], k: int, language: str) -> str:
    """Return what a class is called."""
    if 0 <= k < len(classes) and classes[k]:
        return classes[k]
    return say("figure.boundary.class", language, number=whole(k))


@dataclass(frozen=True, eq=False)
class Field:
    """The picture itself.

    Attributes
    ----------
    said
        All that was sent with it.
    rectangle
        Left, right, bottom, top: where the outermost places are.
    palette
        "classes", "labels", "sequential" or "diverging".
    label
        (rows, columns), 255 where there is none; None of values.
    value
        (rows, columns) codes; None where only labels are shown.
    lines
        (points, 2) each, with the class on one side, or the place among `levels`.
    levels
        What the lines of a regression are of.
    classes
        Names.
    """

    said: Said
    rectangle: tuple[float, float, float, float]
    palette: str
    label: Codes | None
    value: Codes | None
    lines: tuple[tuple[Floats, int], ...]
    levels: tuple[float, ...]
    classes: tuple[str, ...]

    @property
    def of_classes(self) -> bool:
        """Whether the model says classes; else values."""
        return self.said.word("kind") != "values"

    @property
    def ends(self) -> tuple[float, float]:
        """What the lowest and the highest code stand for."""
        return self.said.number("low") or 0.0, self.said.number("high") or 0.0


def field_of(surface: Said, choices: Said) -> Field | None:
    """Return the picture; None if there is nothing to draw."""
    rectangle = numbers_of(surface.meta.get("rectangle"), 4)
    shape = surface.whole("rows") or 0, surface.whole("columns") or 0
    label, value = (_grid(surface.arrays.get(name), shape) for name in ("label", "value"))
    palette = surface.word("palette")
    palette = palette if palette in _PALETTES else "sequential"
    missing = label is None if palette in ("classes", "labels") else value is None
    if missing or rectangle is None or min(shape) < 1:
        return None
    left, right, bottom, top = rectangle
    if not (right > left and top > bottom):
        return None
    if palette == "classes" and value is None:
        palette = "labels"
    levels = surface.meta.get("levels")
    found = [as_number(one) for one in levels] if isinstance(levels, (list, tuple)) else []
    return Field(
        said=surface,
        rectangle=(left, right, bottom, top),
        palette=palette,
        label=label,
        value=value,
        lines=_lines(surface),
        levels=tuple(math.nan if one is None else one for one in found),
        classes=tuple(choices.texts("classes")),
    )


def _grid(array: NDArray[Any] | None, shape: tuple[int, int]) -> Codes | None:
    if array is None or array.dtype != np.uint8 or array.size != shape[0] * shape[1]:
        return None
    return array.reshape(shape)


def _lines(surface: Said) -> tuple[tuple[Floats, int], ...]:
    points = surface.floats("lines")
    points = points[: points.size // 2 * 2].reshape(-1, 2)
    ends, of = surface.floats("line_ends"), surface.floats("line_of")
    found, begin = [], 0
    for place, end in enumerate(ends.astype(int)):
        if not begin <= end <= len(points):
            break
        if end - begin > 1:
            found.append((points[begin:end], int(of[place]) if place < len(of) else 0))
        begin = end
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Dots:
    """The points that are drawn.

    Attributes
    ----------
    xy
        (n, 2).
    y
        (n,) classes, 255 for none; or values.
    test
        (n,) bool.
    near
        (n,) from 1, on what is shown, to 0, far from it.
    wrong
        (n,) bool; None where that is not known of these points.
    older
        Whether what was said is of points that have been edited since.
    low, high
        Of the values.
    """

    xy: Floats
    y: NDArray[Any]
    test: NDArray[np.bool_]
    near: Floats
    wrong: NDArray[np.bool_] | None
    older: bool
    low: float
    high: float


def dots_of(points: Said, surface: Said) -> Dots:
    """Return the points, with what the model says of them if that is of the same points."""
    xy = points.floats("xy")
    y = points.arrays.get("y", np.zeros(0))
    count = y.size if xy.size == 2 * y.size else 0
    test, fade = points.floats("test"), points.floats("fade")
    wrong = surface.arrays.get("wrong")
    version = surface.whole("points_version")
    of_these = version == points.whole("version")
    known = of_these and wrong is not None and wrong.size == count
    return Dots(
        xy=xy[: 2 * count].reshape(-1, 2),
        y=y.reshape(-1)[:count],
        test=test == 1 if test.size == count else np.zeros(count, bool),
        near=1 - fade / 255 if fade.size == count else np.ones(count),
        wrong=np.asarray(wrong).reshape(-1) == 1 if known else None,
        older=count > 0 and version is not None and not of_these,
        low=points.number("low") or 0.0,
        high=points.number("high") or 0.0,
    )
