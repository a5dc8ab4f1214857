"""Words and numbers of a blocks figure: how wide they are, how they wrap, what they say."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from nnwidgets.catalogue import catalogue
from nnwidgets.catalogue import text as say
from nnwidgets.export.chart import font
from nnwidgets.export.look import families, number

__all__ = [
    "SIZE",
    "clean",
    "cut",
    "even",
    "flow",
    "named",
    "properties",
    "signed",
    "stride",
    "told",
    "whole",
    "width_of",
    "wrapped",
]

SIZE: Final = 8.5
"""Of most words, in points."""
_HINTED: Final = 1.04  # characters drawn on whole pixels are wider than their outlines
_LONGEST: Final = 600  # characters: nobody reads on, and measuring them costs time


def told(key: str, language: str, **params: object) -> str | None:
    """Return a sentence of the catalogue; None if it has no such key."""
    if key in catalogue(language) or key in catalogue("en"):
        return say(key, language, **params)
    return None


def named(family: str, name: str, language: str) -> str:
    """Return what the catalogue calls something that blocks name in short: an axis, a caption."""
    return told(f"ui.inspector.{family}.{name.rsplit('.', 1)[-1]}", language) or name


def clean(text: object) -> str:
    """Return one line, in which each character can be drawn."""
    line = "".join(c if c.isprintable() else " " for c in str(text)[:_LONGEST])
    return line.rstrip()


def properties(size: float, weight: str = "normal", mono: bool = False) -> FontProperties:
    """Return a font; if `mono`, one in which all characters are equally wide."""
    if not mono:
        return font(size, weight)
    return FontProperties(family=["DejaVu Sans Mono", *families()], size=size, weight=weight)


@lru_cache(maxsize=8192)
def width_of(text: str, size: float = SIZE, weight: str = "normal", mono: bool = False) -> float:
    """Return how wide a line is, in inches."""
    if not text:
        return 0.0
    found = text_to_path.get_text_width_height_descent(
        text, properties(size, weight, mono), ismath=False
    )
    return float(found[0]) / 72 * _HINTED


def cut(text: object, room: float, size: float = SIZE, weight: str = "normal") -> str:
    """Return a line shortened so that it fits into so many inches."""
    line = clean(text)
    if width_of(line, size, weight) <= room:
        return line
    low, high = 0, len(line)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        fits = width_of(f"{line[:middle]}…", size, weight) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return f"{line[:low].rstrip()}…"


def wrapped(
    text: object, room: float, size: float = SIZE, weight: str = "normal", *, mono: bool = False
) -> list[str]:
    """Break a text into lines of at most so many inches: at spaces, or between characters."""
    lines = [""]
    for piece in _PIECE.findall(clean(text)):
        if width_of(lines[-1] + piece.rstrip(), size, weight, mono) <= room:
            lines[-1] += piece
            continue
        if lines[-1].strip():
            lines.append("")
        for character in piece:
            if lines[-1] and width_of(lines[-1] + character, size, weight, mono) > room:
                lines.append("")
            lines[-1] += character
    return [line.rstrip() for line in lines]


_STOPS: Final = "，。：；、！？）”"
_PIECE: Final = re.compile(
    # A Chinese character with the stops behind it, or a word with the spaces behind it.
    rf"[\u2e80-\u9fff\uff00-\uffef][{_STOPS}]*\s*|[^\s\u2e80-\u9fff\uff00-\uffef]*[{_STOPS}]*\s+"
    rf"|[^\s\u2e80-\u9fff\uff00-\uffef]+[{_STOPS}]*"
)


def flow(widths: Sequence[float], room: float, gap: float) -> list[tuple[int, float]]:
    """Lay things side by side in as many rows as they need.

    Returns
    -------
    list of tuple
        The row of each, and where it begins in it.
    """
    places: list[tuple[int, float]] = []
    row, x = 0, 0.0
    for width in widths:
        if x > 0 and x + width > room:
            row, x = row + 1, 0.0
        places.append((row, x))
        x += width + gap
    return places


def whole(value: float) -> str:
    """Write a whole number: 3,412."""
    return f"{value:,.0f}".replace("-", "−") if math.isfinite(value) else number(value)


def signed(value: float) -> str:
    """Write a measured value with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def even(values: Iterable[float], digits: int = 3) -> Callable[[float], str]:
    """Return how to write numbers that stand below each other: all with as many decimals."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if not 1e-4 <= largest < 1e5:
        return number
    decimals = max(0, digits - 1 - math.floor(math.log10(largest)))

    def write(value: float) -> str:
        if not math.isfinite(value):
            return number(value)
        size = f"{abs(value):.{decimals}f}"
        return f"−{size}" if value < 0 and float(size) != 0 else size

    return write


def stride(size: float, needed: float) -> int:
    """Return every how-manieth label there is room for: 1, 2, 5, 10, and so on."""
    if size >= needed:
        return 1
    least = needed / max(size, 1e-6)
    power = 10 ** math.floor(math.log10(least))
    return next((int(m * power) for m in (1, 2, 5) if m * power >= least), int(10 * power))
