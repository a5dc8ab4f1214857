"""What a picture of a layer is made of: blocks of numbers that any view can draw.

A block has a kind, words (strict JSON) and arrays, and knows nothing of widgets or messages.
Pictures that hold many numbers are rounded to 250 levels between two stated ends; what is not
finite keeps a code of its own, so that it can be drawn as what it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Block", "Words", "bars", "decode", "encode", "note", "picture", "span"]

Words = tuple[str, dict[str, str]]
"""A key of the catalogue and what stands in its gaps."""

LEVELS: Final = 250
NAN_CODE: Final = 253
INF_CODE: Final = 254
MINUS_INF_CODE: Final = 255
EXACT: Final = 16_384  # so many numbers still travel as float32
_LARGEST: Final = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Block:
    """One part of a picture.

    Attributes
    ----------
    kind
        What it is, and with that how it is drawn.
    meta
        Strict JSON: no NaN, no infinity.
    arrays
        float64, float32, int32 or uint8.
    title
        What stands above it, if anything.
    """

    kind: str
    meta: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    title: Words | None = None


def span(values: ArrayLike, *, signed: bool = False) -> tuple[float, float]:
    """Return the ends of a colour scale over the finite values.

    Parameters
    ----------
    values
        Any shape.
    signed
        Centre the scale on zero.

    Returns
    -------
    tuple of float
        Finite, the first not above the second; (0, 0) if nothing is finite.
    """
    array = np.asarray(values)
    finite = array[np.isfinite(array)]
    if not finite.size:
        return 0.0, 0.0
    low, high = float(finite.min()), float(finite.max())
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    return low, high


def encode(values: ArrayLike, low: float, high: float) -> NDArray[np.uint8]:
    """Round to codes 0 … 250 between `low` and `high`; beyond the ends, to the ends.

    NaN is 253, +inf 254, -inf 255.
    """
    array = np.asarray(values, dtype=np.float64)
    if 0 < high - low < math.inf and array.ndim and array.size and _all_finite(array):
        # Nearly always so; in place, and so in half the time.
        kept = np.minimum(np.maximum(array, low), high)
        kept -= low
        kept /= high - low
        kept *= LEVELS
        return np.rint(kept, out=kept).astype(np.uint8)
    half = 1.0 if math.isfinite(high - low) else 0.5  # a width beyond all floats
    bad = ~np.isfinite(array)
    width = high * half - low * half
    # Clipped first, so that no difference overflows.
    kept = np.clip(np.where(bad, low, array), low, high)
    place = (kept * half - low * half) / width if width > 0 else np.zeros_like(array)
    result = np.asarray(np.rint(place * LEVELS)).astype(np.uint8)
    result[np.isnan(array)] = NAN_CODE
    result[np.isposinf(array)] = INF_CODE
    result[np.isneginf(array)] = MINUS_INF_CODE
    return result


def _all_finite(array: NDArray[np.float64]) -> bool:
    return math.isfinite(array.min()) and math.isfinite(array.max())  # NaN comes through both


def decode(codes: NDArray[np.uint8], low: float, high: float) -> NDArray[np.float64]:
    """Return what `encode` kept of the values."""
    part = np.minimum(codes, LEVELS) / LEVELS
    values = np.asarray(low * (1 - part) + high * part)  # the difference of the ends may overflow
    values[codes == NAN_CODE] = np.nan
    values[codes == INF_CODE] = np.inf
    values[codes == MINUS_INF_CODE] = -np.inf
    return values


def picture(
    kind: str,
    values: ArrayLike,
    *,
    signed: bool,
    title: Words | None = None,
    ends: tuple[float, float] | None = None,
    exact: int = EXACT,
    meta: Mapping[str, Any] | None = None,
    arrays: Mapping[str, ArrayLike] | None = None,
) -> Block:
    """Make a block of coloured fields: ``"maps"``, ``"matrix"``, ``"ridge"``, ``"image"``.

    Parameters
    ----------
    kind
        Of the block.
    values
        Shape as the kind wants it (maps: units × height × width; matrix: rows × columns).
    signed
        Coloured around zero; else from low to high.
    title
        Above it.
    ends
        Of the colour scale; by default those of the finite values, around zero if `signed`.
    exact
        So many numbers at most are sent as float32.
    meta, arrays
        More words and numbers.

    Returns
    -------
    Block
        With ``meta["low"]``, ``meta["high"]``, ``meta["signed"]`` and the array ``"pixels"``:
        float32, or codes of `encode` (uint8) when there are many or float32 cannot hold them.
    """
    array = np.asarray(values)
    low, high = span(array, signed=signed) if ends is None else ends
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"the ends of a scale must be finite, not {low!r} and {high!r}.")
    few = array.size <= exact and max(abs(low), abs(high)) <= _LARGEST
    pixels: NDArray[Any] = _as_float32(array) if few else encode(array, low, high)
    return Block(
        kind,
        {"low": low, "high": high, "signed": signed, **(meta or {})},
        {"pixels": pixels, **{name: np.asarray(a) for name, a in (arrays or {}).items()}},
        title,
    )


def _as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Round; what is finite but too large becomes the largest there is, not an infinity."""
    if array.dtype != np.float64:
        return array.astype(np.float32)
    kept = np.where(np.isfinite(array), np.clip(array, -_LARGEST, _LARGEST), array)
    return kept.astype(np.float32)


def note(key: str, /, level: str = "info", **params: str) -> Block:
    """Make a block that is a sentence of the catalogue."""
    return Block("note", {"level": level}, {}, (key, params))


def bars(
    values: ArrayLike,
    *,
    units: Sequence[int] | None = None,
    labels: Sequence[str] | None = None,
    title: Words | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Block:
    """Make a block of signed bars, one for each of `values` (1-d).

    Parameters
    ----------
    values
        Numbers, NaN and infinities included.
    units
        Number of the unit that each belongs to, when they are not 0, 1, 2, …
    labels
        Name of each, for a few that have one (classes).
    title, meta
        As in `picture`.
    """
    array = _as_float32(np.asarray(values)).reshape(-1)
    numbers = np.arange(len(array)) if units is None else np.asarray(units)
    words: dict[str, Any] = dict(meta or {})
    if labels is not None:
        words["labels"] = list(labels)
    return Block("bars", words, {"values": array, "units": numbers.astype(np.int32)}, title)
