"""Colours of classes, as in ``js/src/decision_boundary/picture/palette.ts``.

``tests/golden/class_colours.json`` holds the same numbers, and the tests of both sides read it.

The first three are the series colours of the look; its purple is darker here, since beside its blue
it is the same colour to who sees no green. The rest were searched for so that any two stay apart in
CIELAB, also as seen with protanopia, deuteranopia and tritanopia (the tests state how far, and by
whose model of sight). Twenty colours cannot be told apart by everyone at a glance: from the ninth
class on the eye also needs the boundary line, the legend, and the name under the pointer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from nnwidgets.export.look import DARK, LIGHT

__all__ = ["CLASSES", "FLAT", "STRENGTHS", "class_colour", "strengths", "tinted"]

Floats = NDArray[np.float64]

_LIGHT: Final = (
    *("#2f72c4", "#d9772b", "#2b9a77", "#563280", "#b3202e"),
    *("#235b60", "#bfbb66", "#db8fc8", "#93a5ea", "#d8359c"),
    *("#8f1a55", "#ae6ae6", "#623f0f", "#db7885", "#d8bfa2"),
    *("#76904a", "#d0a61e", "#7ee58a", "#8c6551", "#791526"),
)
_DARK: Final = (
    *("#6cabf2", "#f0a264", "#5cc7a3", "#7b63e0", "#d0324f"),
    *("#86ecfb", "#f3ca3d", "#b5428f", "#aef285", "#f7bcd8"),
    *("#4f7fd8", "#b9e2b8", "#8a68bd", "#ba865c", "#fb917f"),
    *("#c9dc8c", "#8c8567", "#f660b5", "#de5a35", "#9e4c06"),
)
CLASSES: Final = len(_LIGHT)
"""How many classes have a colour of their own; after that they come again."""

STRENGTHS: Final = (0.08, 0.62)
"""How much of a class's colour covers the ground where it is least and most probable."""
FLAT: Final = 0.5
"""How much where only the label is shown."""


def class_colour(k: int, dark: bool) -> str:
    """Return the colour of class `k`, ``"#rrggbb"``."""
    return (_DARK if dark else _LIGHT)[k % CLASSES]


def strengths(probability: Floats, least: float) -> Floats:
    """Return how much of its class's colour covers the ground.

    Parameters
    ----------
    probability
        Of the most probable class, any shape.
    least
        What stands at the lower end: 1 ÷ classes, below which nothing can be the most probable of
        classes that exclude each other.

    Returns
    -------
    ndarray
        From the first of `STRENGTHS`, at `least`, to the second, at 1; NaN stays.
    """
    span = max(1 - least, 1e-12)
    part = np.clip((np.asarray(probability, np.float64) - least) / span, 0, 1)
    return np.asarray(STRENGTHS[0] + (STRENGTHS[1] - STRENGTHS[0]) * part)


def tinted(labels: NDArray[np.integer], strength: Floats, dark: bool) -> Floats:
    """Return the ground with the colours of classes on it.

    Parameters
    ----------
    labels
        (rows, columns) numbers of classes, none of them below zero.
    strength
        Like `labels`: 0 the ground alone, 1 the colour alone.
    dark
        Which ground, and which colours.

    Returns
    -------
    ndarray
        (rows, columns, 3) from 0 to 1, mixed in sRGB.
    """
    ground = np.array(to_rgb((DARK if dark else LIGHT).surface))
    every = np.array([to_rgb(class_colour(k, dark)) for k in range(CLASSES)])
    colours = every[np.asarray(labels) % CLASSES]
    part = np.asarray(strength)[..., np.newaxis]
    return np.asarray(ground * (1 - part) + colours * part)
