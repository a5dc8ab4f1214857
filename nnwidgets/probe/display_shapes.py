"""Pictures of one sample of a layer's output, by how many dimensions it has.

All of them are of real numbers (see `nnwidgets.probe.summary.plain_values`), maps with the channels
first, and together take no more than `PICTURE` bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.blocks import EXACT, Block, bars, note, picture
from nnwidgets.probe.pooling import MAPS, Ranking, cell_starts, fitted, pooled, side_for

__all__ = ["BARS", "MATRIX", "PICTURE", "Order", "map_blocks", "matrix_blocks", "unit_blocks"]

PICTURE: Final = 240_000
"""Bytes that one picture of a layer takes at most."""
BARS: Final = 4096
"""At most so many bars are drawn."""
MATRIX: Final = 256
"""A matrix has at most so many cells a side."""
_MAPS_CELLS: Final = 128_000  # of all small maps together, a byte each
_MAP_CELLS: Final = 25_000  # of a large one, four bytes each
_STRIP: Final = 256  # cells of a map that is one cell high


@dataclass(frozen=True, eq=False)
class Order:
    """In which order channels stand, what was asked for, and which unit is chosen.

    Attributes
    ----------
    sort
        What they are sorted by.
    ranking
        Which one comes when.
    channel
        The chosen one, if any.
    place
        Where in the channel, if that was chosen: an index for each further dimension.
    """

    sort: str
    ranking: Ranking
    channel: int | None = None
    place: tuple[int, ...] = ()


def finite(value: float) -> float | None:
    """Return a number as strict JSON can hold it."""
    return value if math.isfinite(value) else None


def finite_ends(values: Tensor) -> tuple[float, float]:
    """Return the smallest and largest finite value; zeros where there is none."""
    if values.numel():
        low, high = (float(end) for end in values.aminmax())
        if math.isfinite(low) and math.isfinite(high):
            return low, high
    kept = values[values.isfinite()]
    if not kept.numel():
        return 0.0, 0.0
    low, high = (float(end) for end in kept.aminmax())
    return low, high


def ends_of(values: Tensor) -> tuple[tuple[float, float], bool]:
    """Return the ends of a colour scale, and whether it is centred on zero.

    It is where a value is negative. All values count, also those not drawn, so that sorting and
    choosing change no colour.
    """
    low, high = finite_ends(values)
    if low < 0:
        high = max(-low, high)
        return (-high, high), True
    return (low, high), False


def unit_blocks(values: Tensor, order: Order) -> list[Block]:
    """Return bars, one for each of `values` (features)."""
    numbers = values.cpu().numpy()
    shown = order.ranking.order[:BARS]
    meta: dict[str, Any] = {"count": len(numbers), "sort": order.sort}
    if order.channel is not None:
        meta |= {"unit": order.channel, "value": finite(float(numbers[order.channel]))}
    blocks = [bars(numbers[shown], units=shown.tolist(), meta=meta)]
    if len(shown) < len(numbers):
        blocks.append(
            note("probe.display.some_units", shown=f"{len(shown):,}", count=f"{len(numbers):,}")
        )
    return blocks


def matrix_blocks(
    values: Tensor,
    order: Order | None,
    *,
    rows: str = "token",
    columns: str = "feature",
    first: int = 0,
    ends: tuple[float, float] | None = None,
    title: tuple[str, dict[str, str]] | None = None,
    cells: int = MATRIX * MATRIX,
) -> list[Block]:
    """Return a matrix of `values` (tokens, features), with the numbers of the chosen unit.

    Parameters
    ----------
    values
        Tokens × features.
    order
        Of the features; None for the order of their numbers. Where there are too many to draw,
        those in front are drawn, or, in the order of their numbers, neighbours are averaged.
    rows, columns
        Names of the axes.
    first
        Number of the first feature.
    ends
        Of the colour scale, around zero; by default those of the values.
    title
        Above it.
    cells
        How many it may have, and bytes it may take.
    """
    tokens, count = values.shape
    ends, signed = ends_of(values) if ends is None else (ends, True)
    high, wide = min(MATRIX, tokens), min(MATRIX, count)
    if high * wide > cells:
        high, wide = fitted(high, wide, cells)
    by_number = order is None or order.sort == "index"
    if by_number:
        numbers = cell_starts(count, wide)
        drawn = values
    else:
        assert order is not None
        numbers = order.ranking.order[:wide]
        drawn = values[:, numbers.tolist()]
    small, reduced = pooled(drawn, high, wide)
    meta: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "reduced": reduced,
        "count": count,
        "sort": "index" if order is None else order.sort,
        "shape": [tokens, count],
    }
    curve: list[Block] = []
    if order is not None and order.channel is not None:
        channel = values[:, order.channel]
        meta["unit"] = [*order.place, order.channel + first]
        if order.place:
            meta["value"] = finite(float(channel[order.place[0]]))
        curve = [_curve(channel, order.channel + first, rows)]
    arrays: dict[str, NDArray[Any]] = {"column_numbers": (numbers + first).astype(np.int32)}
    if small.shape[0] < tokens:
        arrays["row_numbers"] = cell_starts(tokens, high).astype(np.int32)
    pixels = small.cpu().numpy()
    return [
        picture(
            "matrix",
            pixels,
            signed=signed,
            ends=ends,
            exact=min(EXACT, cells // 4),
            meta=meta,
            arrays=arrays,
            title=title,
        ),
        *curve,
    ]


def _curve(values: Tensor, unit: int, axis: str) -> Block:
    """Draw a unit over the tokens, or a channel over its length, exactly."""
    numbers = values.cpu().numpy()
    places = np.arange(len(numbers))
    reduced = len(numbers) > _MAP_CELLS // 3
    if reduced:
        places = cell_starts(len(numbers), _MAP_CELLS // 3)
    with np.errstate(over="ignore"):
        arrays: dict[str, NDArray[Any]] = {
            "steps": places.astype(np.float64),
            "values": numbers[places].astype(np.float32)[np.newaxis],
        }
    title = ("ui.inspector.display.over", {"unit": str(unit)})
    return Block("lines", {"names": [str(unit)], "x": axis, "thinned": reduced}, arrays, title)


def map_blocks(values: Tensor, order: Order) -> list[Block]:
    """Return small maps of `values` (channels, rows, columns), and the chosen one large.

    A signal (channels, length) has maps that are one cell high.
    """
    signal = values.dim() == 2
    maps = values.unsqueeze(1) if signal else values
    ends, signed = ends_of(maps)
    ranking = order.ranking
    shown = ranking.order[:MAPS]
    rows, columns = maps.shape[-2:]
    side = side_for(len(shown), _MAPS_CELLS)
    if signal:
        small, reduced = pooled(maps[shown.tolist()], 1, _STRIP)
    else:
        shrink = min(1.0, side / max(rows, columns))
        small, reduced = pooled(
            maps[shown.tolist()],
            max(1, round(rows * shrink)),
            max(1, round(columns * shrink)),
        )
    meta: dict[str, Any] = {
        "count": len(maps),
        "sort": order.sort,
        "rgb": False,
        "caption": ranking.caption,
        "reduced": reduced,
        "shape": [rows, columns],
    }
    if order.channel is not None:
        meta["unit"] = order.channel
    arrays = {"units": shown.astype(np.int32), "values": ranking.numbers[shown]}
    blocks = [
        picture("maps", small.cpu().numpy(), signed=signed, ends=ends, meta=meta, arrays=arrays)
    ]
    if order.channel is not None:
        blocks.append(_large(maps[order.channel], order, ends, signed))
        if signal:
            blocks.append(_curve(values[order.channel], order.channel, "position"))
    return blocks


def _large(values: Tensor, order: Order, ends: tuple[float, float], signed: bool) -> Block:
    """Draw one channel as float32: exact, unless it is too large to be sent so."""
    rows, columns = values.shape
    small, reduced = pooled(values, *fitted(rows, columns, _MAP_CELLS))
    meta: dict[str, Any] = {
        "low": ends[0],
        "high": ends[1],
        "signed": signed,
        "unit": order.channel,
        "reduced": reduced,
        "shape": [rows, columns],
    }
    place = order.place[-values.dim() :] if rows > 1 else (0, *order.place[-1:])
    if len(place) == 2:
        meta |= {"place": list(place), "value": finite(float(values[place]))}
    with np.errstate(over="ignore"):
        pixels = small.cpu().numpy().astype(np.float32)
    title = ("ui.inspector.display.channel", {"unit": str(order.channel)})
    return Block("map", meta, {"pixels": pixels}, title)
