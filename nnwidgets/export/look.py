"""Colours, fonts and numbers of figures, as in ``js/src/ui/theme.css`` and ``format.ts``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

__all__ = ["DARK", "LIGHT", "Look", "families", "has_chinese", "number", "series_colours", "tick"]


@dataclass(frozen=True)
class Look:
    """Colours of one theme."""

    surface: str
    text: str
    muted: str
    line: str
    error: str
    series: tuple[str, ...]
    series_text: tuple[str, ...]  # the same, dark enough to be read as text


LIGHT = Look(
    surface="#ffffff",
    text="#1d2127",
    muted="#68707c",
    line="#e8eaed",
    error="#b3261e",
    series=(
        *("#2f72c4", "#d9772b", "#2b9a77", "#8d5bc9"),
        *("#c2456b", "#2a8fa8", "#8a7a1f", "#6b7280"),
    ),
    series_text=(
        *("#2567b5", "#a9540f", "#1b7557", "#7b46ba"),
        *("#ac2f56", "#14708a", "#6d6011", "#565e6b"),
    ),
)
_DARK_SERIES = (
    *("#6cabf2", "#f0a264", "#5cc7a3", "#b899ea"),
    *("#ee8aa6", "#66c3dc", "#cbbb5d", "#a3abb8"),
)
DARK = Look(
    surface="#16181c",
    text="#e4e7eb",
    muted="#98a1ad",
    line="#282b31",
    error="#ff8f85",
    series=_DARK_SERIES,
    series_text=_DARK_SERIES,
)

_BY_ROLE = {"train": 0, "val": 1, "test": 2}
_BY_KIND = {"metric": 0, "grad": 2, "lr": 3}
_CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC"),
    *("Microsoft YaHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei"),
)


def series_colours(roles: tuple[str, ...], kind: str) -> list[int]:
    """Give each series of a panel its place in the palette: by role, then the next free one."""
    places: list[int] = []
    size = len(LIGHT.series)
    for role in roles:
        wanted = _BY_ROLE.get(role, _BY_KIND.get(kind, 0))
        free = [(wanted + i) % size for i in range(size) if (wanted + i) % size not in places]
        places.append(free[0] if free else wanted)
    return places


@cache
def families() -> tuple[str, ...]:
    """Return the fonts to draw with, those for Chinese behind matplotlib's own."""
    return ("DejaVu Sans", *_chinese_fonts())


def has_chinese() -> bool:
    """Whether a font with Chinese characters is installed."""
    return bool(_chinese_fonts())


@cache
def _chinese_fonts() -> tuple[str, ...]:
    from matplotlib import font_manager

    installed = set(font_manager.fontManager.get_font_names())
    return tuple(name for name in _CHINESE if name in installed)[:1]


def number(value: float) -> str:
    """Write a measured value with three significant digits: 0.104, 1.42, 3,412, 1.20e−4."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0.00"
    if not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    size = abs(float(f"{value:.2e}"))
    decimals = max(0, 2 - math.floor(math.log10(size)))
    return f"{value:,.{decimals}f}".replace("-", "−")


def tick(value: float) -> str:
    """Write a value beside an axis with as few digits as it needs: 0.05, 1.5, 20k, 1e−5."""
    size = abs(value)
    if size == 0:
        return "0"
    if not 1e-3 <= size < 1e15:
        mantissa, exponent = f"{value:.3e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "−")
    if size >= 1e4:
        for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
            if size >= unit:
                return f"{value / unit:.4g}{letter}".replace("-", "−")
    return f"{value:.5g}".replace("-", "−")
