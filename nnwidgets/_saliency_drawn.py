"""Making an explanation small enough to be drawn and sent, without changing what it says."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._saliency_wish import Drawn

__all__ = ["LARGEST", "drawn", "pooled", "slot_of"]

LARGEST: Final = 256  # pixels a side of a map; a larger one is averaged over squares
_LONGEST: Final = 4_096  # values of a table, tokens, places of a signal

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
        ``"signal"``: (channels, length). ``"sequence"``: (time, features). ``"other"``: any.
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
        table = values[None] if values.ndim == 1 else values
        own = None if given is None else np.asarray(given, np.float32).reshape(table.shape)
        axis = 1 if kind == "signal" else 0
        step = max(1, -(-table.shape[axis] // _LONGEST))
        cut = (slice(None), slice(None, None, step)) if axis else (slice(None, None, step),)
        wide = None if spread is None else np.asarray(spread, np.float64).reshape(table.shape)[cut]
        return Drawn(kind, table[cut], None if own is None else own[cut], wide, step)
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
