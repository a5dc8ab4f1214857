"""How a surface is coloured: one view of it, as codes with a scale, and the lines in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_wish import Shown, Verdict, levels_of, lines_of
from nnwidgets.explain.contours import Contour
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.surface import Surface
from nnwidgets.probe.blocks import encode

__all__ = [
    "Colouring",
    "colouring_of",
    "finite_or_none",
    "not_finite",
    "point_arrays",
    "surface_arrays",
    "verdict_arrays",
]

_NONE: Final = 255  # no class, no label
_BALANCED: Final = 0.2  # of the larger side: values lie on both sides of zero


@dataclass(frozen=True, eq=False)
class Colouring:
    """What a view shows of a surface.

    Attributes
    ----------
    palette
        "classes" (the class, stronger where it is more probable), "labels" (the class alone),
        "sequential", or "diverging" around zero.
    values
        (rows, columns); None where the class says all.
    low, high
        The ends of the scale.
    unit
        What is counted.
    """

    palette: str
    values: NDArray[Any] | None
    low: float
    high: float
    unit: str


def colouring_of(
    surface: Surface,
    view: str,
    interest: int | None,
    *,
    exclusive: bool = True,
    labels: NDArray[Any] | None = None,
) -> Colouring:
    """Say how a view of a surface is coloured.

    Parameters
    ----------
    surface
        Of classes or values.
    view
        One that the surface has.
    interest
        The class or the output that is looked at alone; None: the most probable one, the first.
    exclusive
        Whether the classes' probabilities add up to one.
    labels
        Of the points, where they are values: drawn on the same scale.
    """
    if surface.probabilities is not None:
        return _of_classes(surface, surface.probabilities, view, interest, exclusive)
    if view == "value":
        values = surface.view("value", interest)
        low, high = _ends(values, labels)
        if low < 0 < high and min(-low, high) >= _BALANCED * max(-low, high):
            high = max(-low, high)
            return Colouring("diverging", values, -high, high, "value")
        return Colouring("sequential", values, low, high, "value")
    values = surface.view(view, interest)
    return Colouring("sequential", values, 0.0, _ends(values, None)[1], "variance")


def _of_classes(
    surface: Surface,
    shares: NDArray[Any],
    view: str,
    interest: int | None,
    exclusive: bool,
) -> Colouring:
    count = len(shares)
    if view == "label":
        return Colouring("labels", None, 0.0, 1.0, "probability")
    if view == "probability":
        if interest is None:
            least = 1 / count if exclusive and count > 1 else 0.0
            return Colouring("classes", shares.max(0), least, 1.0, "probability")
        return Colouring("sequential", shares[interest], 0.0, 1.0, "probability")
    values = surface.margin if view == "margin" else surface.view(view)
    assert values is not None
    if view == "margin":
        return Colouring("sequential", values, 0.0, 1.0, "difference")
    if view == "entropy":
        most = log(count) if exclusive else count * log(2)
        return Colouring("sequential", values, 0.0, max(most, 1e-9), "nats")
    return Colouring("sequential", values, 0.0, max(_ends(values, None)[1], 1e-9), "nats")


def _ends(values: NDArray[Any], more: NDArray[Any] | None) -> tuple[float, float]:
    finite = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if more is not None and len(more):
        low, high = min(low, float(more.min())), max(high, float(more.max()))
    return low, high if high > low else low + 1e-9 * max(1.0, abs(low))


def surface_arrays(
    shown: Shown, colouring: Colouring, interest: int | None
) -> tuple[dict[str, NDArray[Any]], tuple[float, ...]]:
    """Return the arrays of a surface, and the levels that its lines are of.

    Parameters
    ----------
    shown
        With a surface.
    colouring
        Of it.
    interest
        Of a regression, the output that is shown.
    """
    surface = shown.surface
    assert surface is not None
    arrays: dict[str, NDArray[Any]] = {}
    if surface.label is not None:
        arrays["label"] = surface.label.astype(np.uint8)  # −1 becomes 255: none
    if colouring.values is not None:
        arrays["value"] = encode(colouring.values, colouring.low, colouring.high)
    output = (interest or 0) if surface.values is not None else 0
    lines = shown.lines if output == 0 else lines_of(surface, output)
    levels = shown.levels if output == 0 else levels_of(surface, output)
    arrays.update(_laid_out(lines, levels))
    return arrays, levels


def _laid_out(lines: Sequence[Contour], levels: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Return all lines one after another; of levels, `line_of` says which level it is."""
    parts = [
        (levels.index(contour.level) if levels else contour.of, line)
        for contour in lines
        for line in contour.lines
    ]
    ends = np.cumsum([len(line) for _, line in parts], dtype=np.int32)
    points = np.concatenate([line for _, line in parts]) if parts else np.zeros((0, 2))
    return {
        "lines": points.astype(np.float32),
        "line_ends": ends.astype(np.int32),
        "line_of": np.array([of for of, _ in parts], np.int32),
    }


def verdict_arrays(
    verdict: Verdict | None, places: NDArray[np.intp], points: Snapshot
) -> dict[str, NDArray[Any]]:
    """Return what is said of the points that are drawn: unknown for those that were not asked.

    Parameters
    ----------
    verdict
        Of the points at `points`.
    places
        The points that are drawn.
    points
        Of which these are.
    """
    if verdict is None or verdict.points.version != points.version:
        return {}
    classes = verdict.said.dtype.kind == "i"
    said = np.full(len(points.X), _NONE if classes else np.nan, np.uint8 if classes else np.float32)
    said[verdict.places] = verdict.said
    wrong = np.full(len(points.X), 2, np.uint8)
    if verdict.wrong is not None:
        wrong[verdict.places] = verdict.wrong
    return {"said": said[places], "wrong": wrong[places]}


def point_arrays(
    points: Snapshot,
    places: NDArray[np.intp],
    xy: NDArray[np.float64],
    away: NDArray[np.float64],
) -> dict[str, NDArray[Any]]:
    """Return the points that are drawn.

    Parameters
    ----------
    points
        All.
    places
        Which are drawn, m of them.
    xy, away
        (m, 2) and (m,): where in the picture, and how far from what is shown there.
    """
    y = points.y
    if y is None:
        labels: NDArray[Any] = np.full(len(places), _NONE, np.uint8)
    else:
        labels = y[places].astype(np.uint8 if y.dtype.kind == "i" else np.float32)
    # At the distance of the data's own spread a point is half as strong.
    fade = np.nan_to_num(1 - 1 / (1 + away), nan=1.0)
    return {
        "xy": xy.astype(np.float32),
        "id": points.ids[places].astype(np.float64),
        "y": labels,
        "test": points.test[places].astype(np.uint8),
        "fade": np.rint(255 * fade).astype(np.uint8),
    }


def finite_or_none(value: float | None) -> float | None:
    """Return what JSON can hold."""
    return value if value is not None and isfinite(value) else None


def not_finite(surface: Surface) -> int:
    """Return at how many places there is no finite answer."""
    said = surface.values if surface.probabilities is None else surface.probabilities
    assert said is not None
    total = said.sum(0)
    if np.isfinite(total.sum()):  # one number tells that all is well, which it nearly always is
        return 0
    return int((~np.isfinite(total)).sum())
