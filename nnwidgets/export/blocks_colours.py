"""Colours of numbers, as in ``js/src/ui/colormap.ts``: one for each code of `probe.blocks.encode`.

What is not finite has colours that occur in no scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap, to_rgb
from numpy.typing import NDArray

from nnwidgets.probe.blocks import (
    INF_CODE,
    LEVELS,
    MINUS_INF_CODE,
    NAN_CODE,
    Block,
    decode,
    encode,
)

__all__ = ["MARKS", "Scale", "codes_of", "colours_of", "natural_of", "palette", "scale_of"]

Codes = NDArray[np.uint8]

# From the lowest to zero, zero once, and on to the highest.
_SIGNED_LIGHT: Final = (
    "0a3f86065bb52580e260a8faa1cbffd4e6fff7f7f7ffdbd5fcb2a3ef816ad24f39a52a2479191b"
)
_SIGNED_DARK: Final = (
    "a2d9fe69b9f83e96ea2974cd21579f213d6622252a602a2593342abe4839de6b51f29676fec2a3"
)
MARKS: Final = {
    "nan": (NAN_CODE, "#d62fd0", "x"),
    "plus": (INF_CODE, "#ff9500", "^"),
    "minus": (MINUS_INF_CODE, "#00c8b4", "v"),
}
"""Code, colour and sign of what is not finite, by the catalogue's names."""


@dataclass(frozen=True)
class Scale:
    """What colours stand for.

    Attributes
    ----------
    low, high
        The two ends.
    signed
        Coloured around zero.
    clipped
        Whether numbers beyond the upper end are drawn as that end.
    grey
        From black to white: the three parts of a natural colour.
    root
        Colours go with the square root of the distance from the lower end.
    """

    low: float
    high: float
    signed: bool = False
    clipped: bool = False
    grey: bool = False
    root: bool = False


def scale_of(block: Block) -> Scale:
    """Return the scale that a block states."""
    meta = block.meta
    low, high = float(meta.get("low") or 0.0), float(meta.get("high") or 0.0)
    return Scale(low, high, bool(meta.get("signed")))


def codes_of(values: NDArray[Any], scale: Scale) -> Codes:
    """Return a code for each number; numbers that are codes already stay."""
    if values.dtype == np.uint8:
        codes = values
    elif scale.root:
        part = np.maximum(values - scale.low, 0)  # NaN stays
        codes = encode(np.sqrt(part), 0.0, float(np.sqrt(max(scale.high - scale.low, 0.0))))
    else:
        codes = encode(values, scale.low, scale.high)
    if scale.signed and not scale.high > scale.low:  # all are zero: the middle, not an end
        codes = np.where(codes <= LEVELS, np.uint8(LEVELS // 2), codes)
    return codes


def natural_of(values: NDArray[Any], scale: Scale) -> NDArray[np.uint8]:
    """Return parts of natural colours, given from 0 to 1, from 0 to 255.

    A pixel with a part that is not finite has the colour for that.
    """
    parts = decode(values, scale.low, scale.high) if values.dtype == np.uint8 else values
    finite = np.clip(np.nan_to_num(parts, nan=0.0), 0, 1)
    result = np.asarray(np.rint(255 * finite)).astype(np.uint8)
    for test, name in ((np.isposinf, "plus"), (np.isneginf, "minus"), (np.isnan, "nan")):
        bad = test(parts).any(axis=-1)
        result[bad] = np.rint(255 * np.array(to_rgb(MARKS[name][1])))
    return result


@cache
def palette(scale_signed: bool, dark: bool, grey: bool = False) -> ListedColormap:
    """Return 256 colours, to be looked up by code.

    Parameters
    ----------
    scale_signed
        Blue below zero and red above, zero as the ground; else viridis.
    dark
        On a dark ground.
    grey
        From black to white.
    """
    colours = np.zeros((256, 3))
    part = np.arange(LEVELS + 1) / LEVELS
    if grey:
        colours[: LEVELS + 1] = part[:, np.newaxis]
    elif scale_signed:
        text = _SIGNED_DARK if dark else _SIGNED_LIGHT
        anchors = np.array([to_rgb(f"#{text[i : i + 6]}") for i in range(0, len(text), 6)])
        places = np.linspace(0, 1, len(anchors))
        for channel in range(3):
            colours[: LEVELS + 1, channel] = np.interp(part, places, anchors[:, channel])
    else:
        colours[: LEVELS + 1] = matplotlib.colormaps["viridis"](part)[:, :3]
    colours[LEVELS + 1 : NAN_CODE] = colours[LEVELS]
    for code, colour, _ in MARKS.values():
        colours[code] = to_rgb(colour)
    return ListedColormap(colours.tolist())


def colours_of(scale: Scale, dark: bool) -> ListedColormap:
    """Return the colours of a scale."""
    return palette(scale.signed, dark, scale.grey)
