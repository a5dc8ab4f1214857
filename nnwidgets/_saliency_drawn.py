"""Making an explanation small enough to be drawn and sent, without changing what it says."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._saliency_wish import Drawn

__all__ = ["LARGEST", "drawn", "pooled", "slot_of"]

LARGEST: Final = 256  # pixels a side of a map; a larger one is averaged over squares
_LONGEST: Final = 4_096  # values of a table, tokens, places of a signal
_SHORTEST: Final = 256  # … of which so many are left however many channels there are
_WIDEST: Final = 128  # channels or features beside an axis of places
_MOST: Final = 32_768  # values of all channels

Floats = NDArray[np.float64]


def slot_of(values: Any, slot: int) -> NDArray[Any]:
    """Return the values of one of several inputs.

    Parameters
    ----------
    values
        An array, a tuple of them or a dictionary, as of an `Explanation`.
    slot
        Position among them.
    """
    if isinstance(values, dict):
        values = tuple(values.values())
    if isinstance(values, tuple):
        return np.asarray(values[min(slot, len(values) - 1)])
    return np.asarray(values)


def drawn(
    kind: str,
    values: NDArray[Any],
    given: NDArray[Any] | None,
    picture: NDArray[np.uint8] | None = None,
    spread: NDArray[Any] | None = None,
) -> Drawn:
    """Bring a map and its input into the layout in which they are drawn.

    Parameters
    ----------
    kind
        ``"image"``: values (height, width) or (channels, height, width), which are summed over the
        channels. ``"table"``: (features,). ``"tokens"``: (tokens,) or (tokens, features), summed.
        ``"signal"``: (channels, length). ``"sequence"``: (time, features); of these two also
        (length,), for all channels. ``"other"``: any. Of a long or a wide one the strongest
        value of every few places is kept.
    values
        Attributions of one sample.
    given
        The sample itself, in its own shape; None if that cannot be drawn.
    picture
        The sample in natural colours, of an image.
    spread
        In the shape of `values`.
    """
    values = np.asarray(values, dtype=np.float64)
    if kind == "image" and values.ndim in (2, 3):
        plane = _summed(values)
        small, reduced = pooled(plane)
        wide = None if spread is None else pooled(_root_of_squares(spread))[0]
        return Drawn(kind, small, _shrunk(picture, reduced), wide, reduced)
    if kind == "tokens":
        line = values if values.ndim <= 1 else values.reshape(len(values), -1).sum(1)
        wide = None if spread is None else np.asarray(spread, np.float64).reshape(len(line), -1)
        spreads = None if wide is None else np.sqrt((wide**2).sum(1))
        return Drawn(kind, line[:_LONGEST], None, None if spreads is None else spreads[:_LONGEST])
    if kind in ("signal", "sequence") and values.ndim in (1, 2):
        axis = 1 if kind == "signal" else 0
        # A map of the places alone (of a layer, or of attention) holds for all channels.
        own = None if given is None else _as_table(np.asarray(given, np.float32), axis)
        table = _as_table(values, axis)
        if own is not None:
            table = np.broadcast_to(table, own.shape)
        wide = None if spread is None else _as_table(np.asarray(spread, np.float64), axis)
        if wide is not None:
            wide = np.broadcast_to(wide, table.shape)
        table, own, wide = _strongest_of(table, own, wide, 1 - axis, _WIDEST)
        others = max(1, table.shape[1 - axis])
        longest = max(_SHORTEST, min(_LONGEST, _MOST // others))
        step = max(1, -(-table.shape[axis] // longest))
        return Drawn(kind, *_strongest_of(table, own, wide, axis, longest), step)
    flat = values.reshape(-1)[:_LONGEST]
    own = None
    if given is not None and np.asarray(given).size == values.size:
        own = np.asarray(given, np.float32).reshape(-1)[:_LONGEST]
    wide = None if spread is None else np.asarray(spread, np.float64).reshape(-1)[:_LONGEST]
    return Drawn("table" if kind == "table" else "other", flat, own, wide)


def pooled(plane: Floats, largest: int = LARGEST) -> tuple[Floats, int]:
    """Average a plane over squares until no side is longer than `largest`.

    Returns
    -------
    plane : ndarray
        What is left over at the right and the lower edge is averaged over fewer pixels. A square
        with a NaN in it is NaN.
    size : int
        Side of the squares.
    """
    size = max(1, -(-max(plane.shape) // largest)) if plane.size else 1
    if size == 1:
        return plane, 1
    rows = np.arange(0, plane.shape[0], size)
    columns = np.arange(0, plane.shape[1], size)
    with np.errstate(invalid="ignore"):
        sums = np.add.reduceat(np.add.reduceat(plane, rows, axis=0), columns, axis=1)
    heights = np.diff(np.append(rows, plane.shape[0]))
    widths = np.diff(np.append(columns, plane.shape[1]))
    return sums / np.outer(heights, widths), size


def _as_table(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return (channels, length) or, for `axis` 0, (time, features)."""
    return np.expand_dims(values, 1 - axis) if values.ndim == 1 else values


def _strongest_of(
    table: Floats, own: NDArray[Any] | None, wide: Floats | None, axis: int, most: int
) -> tuple[Floats, NDArray[Any] | None, Floats | None]:
    """Leave `most` places of an axis, of each few the one where `table` is strongest."""
    size = max(1, -(-table.shape[axis] // most))
    if size == 1:
        return table, own, wide
    places = _strongest(table, size, axis)
    return (
        np.take_along_axis(table, places, axis),
        None if own is None else np.take_along_axis(own, places, axis),
        None if wide is None else np.take_along_axis(wide, places, axis),
    )


def _strongest(table: Floats, size: int, axis: int) -> NDArray[np.intp]:
    """Return where, in each window of `size` places, the largest value by size is: kept peaks.

    What is not finite is larger than anything.
    """
    sizes = np.where(np.isfinite(table), np.abs(table), np.inf)
    sizes = np.moveaxis(sizes, axis, -1)
    length = sizes.shape[-1]
    padded = np.pad(sizes, ((0, 0), (0, -length % size)), constant_values=-1.0)
    windows = padded.reshape(len(padded), -1, size)
    places = windows.argmax(-1) + np.arange(windows.shape[1]) * size
    return np.moveaxis(places, -1, axis)


def _summed(values: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        plane: Floats = values if values.ndim == 2 else values.sum(0)
    return plane


def _root_of_squares(spread: NDArray[Any]) -> Floats:
    spread = np.asarray(spread, np.float64)
    plane: Floats = spread if spread.ndim == 2 else np.sqrt((spread**2).sum(0))
    return plane


def _shrunk(picture: NDArray[np.uint8] | None, size: int) -> NDArray[np.uint8] | None:
    if picture is None or size == 1:
        return picture
    planes = picture[..., None] if picture.ndim == 2 else picture
    channels = range(planes.shape[-1])
    largest = -(-max(planes.shape[:2]) // size)
    small = [pooled(planes[..., c].astype(np.float64), largest)[0] for c in channels]
    levels = np.rint(np.stack(small, axis=-1)).astype(np.uint8)
    return levels[..., 0] if picture.ndim == 2 else levels
