"""What the units of a layer say all over a picture: a small surface of each, as in a playground."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.answers import waiting
from nnwidgets.explain.layer_rows import unit_rows
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.surface import Resolution, grid, lines

__all__ = ["UnitSurfaces", "unit_surfaces"]

_SMALL: Final = 24  # places along each axis


@dataclass(frozen=True, eq=False)
class UnitSurfaces:
    """Surfaces of some units of a layer.

    Attributes
    ----------
    layer
        Its name.
    x, y
        (columns,) and (rows,): the places along each axis, increasing.
    units
        Which units, in order.
    count
        How many the layer has.
    values
        (units, rows, columns): ``values[u, i, j]`` is what unit ``units[u]`` says at
        ``(x[j], y[i])``; of feature maps and of sequences the mean over places or tokens.
    """

    layer: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    units: tuple[int, ...]
    count: int
    values: NDArray[np.floating[Any]]

    @property
    def idle(self) -> NDArray[np.bool_]:
        """Which units say the same all over the picture, (units,): dead ones are among them."""
        flat = self.values.reshape(len(self.units), -1)
        return np.asarray(flat.max(1) == flat.min(1))


def unit_surfaces(
    predictor: Predictor,
    plane: Plane,
    layer: str,
    *,
    units: Sequence[int] | None = None,
    resolution: Resolution = _SMALL,
    rectangle: Rectangle | None = None,
    most: int | None = 64,
    check: Callable[[], None] = waiting,
) -> UnitSurfaces:
    """Ask what the units of a layer say at every place of a small grid, all of them in one go.

    Parameters
    ----------
    predictor
        Knows the model and how points get in.
    plane
        What the two axes mean.
    layer
        Name of a module in the model. Of one that is called several times, its last call.
    units
        Which channels; None: the first ones.
    resolution
        Places along each axis, or (columns, rows); a large one for a unit that is looked at
        closely.
    rectangle
        Left, right, bottom, top; None: around the data.
    most
        How many units at most, where `units` does not say which; None: all.
    check
        Called between batches; what it raises ends the work.

    Raises
    ------
    Refusal
        As the predictor and the plane, and if there is no such layer or unit, if the layer is not
        called, or if it does not give one row a point.
    """
    x, y = lines(plane.rectangle if rectangle is None else rectangle, resolution)
    points = plane.to_inputs(grid(x, y))
    count = unit_rows(predictor, layer, points[:1], check=check).shape[1]
    if units is None:
        chosen = tuple(range(count if most is None else min(count, most)))
    else:
        chosen = tuple(_whole(unit) for unit in units)
    rows = unit_rows(predictor, layer, points, chosen, check)
    values = np.ascontiguousarray(rows.T).reshape(len(chosen), len(y), len(x))
    return UnitSurfaces(layer, x, y, chosen, count, values)


def _whole(unit: object) -> int:
    try:
        return operator.index(unit)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a unit is the number of a channel, not {unit!r}") from None
