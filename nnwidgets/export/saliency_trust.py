"""How far a map can be trusted: the sentences of its checks, their curves and similarities."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter
from numpy.typing import NDArray

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_sheet import LINE, Part, Sheet, Style
from nnwidgets.export.blocks_words import cut, whole, width_of, wrapped
from nnwidgets.export.look import number
from nnwidgets.export.saliency_reading import Pane, Trust, method_name

__all__ = ["cascade_part", "curve_part", "paragraph", "sentences_part"]

_SIGNS: Final = {"good": "✓", "warn": "!", "bad": "✕"}
_CHUNK: Final = 500  # characters that are wrapped at once
_CHUNKS: Final = 16
_LAYERS: Final = 10
_HIGH: Final = 1.0


def paragraph(text: str, room: float, size: float, weight: str = "normal") -> list[str]:
    """Break a long text into lines of at most so many inches."""
    lines: list[str] = []
    rest = text
    for _ in range(_CHUNKS):
        if len(rest) <= _CHUNK:
            break
        space = rest.rfind(" ", _CHUNK // 2, _CHUNK)
        cut_at = _CHUNK if space < 0 else space
        *full, last = wrapped(rest[:cut_at], room, size, weight)
        lines += full
        rest = last + rest[cut_at:]
    return lines + wrapped(rest, room, size, weight)


def sentences_part(trust: Trust, pane: Pane | None, style: Style, width: float) -> Part:
    """Write what was tried and what follows; or that nothing was."""
    language, look = style.language, style.look
    colours = {
        "good": look.series_text[2],
        "warn": look.series_text[1],
        "bad": look.error,
    }
    above = _said_of(trust, pane, language)
    head = wrapped(above, width, 8.5) if above else []
    rows: list[tuple[str, str, str, str]] = [("", line, look.muted, "normal") for line in head]
    for level, words in trust.checks:
        shade = colours.get(level, look.muted)
        for i, line in enumerate(paragraph(words, width - 0.2, 8.5)):
            rows.append((_SIGNS.get(level, "?") if i == 0 else " ", line, shade, "normal"))
    verdict = trust.meta.get("verdict")
    last: list[str] = []
    if isinstance(verdict, str) and verdict:
        last = paragraph(verdict, width, 8.5, "bold")
    title = say("ui.saliency.trust", language)

    def draw(sheet: Sheet) -> None:
        sheet.write(0, 0.12, title, look.text, size=9, weight="bold")
        top = 0.22
        for i, (sign, line, shade, weight) in enumerate(rows):
            base = top + (i + 0.72) * LINE
            sheet.write(0, base, sign, shade, weight="bold")
            ink = look.text if sign else shade
            sheet.write(0.2 if sign else 0, base, line, ink, weight=weight)
        top += len(rows) * LINE + 0.06
        for i, line in enumerate(last):
            sheet.write(0, top + (i + 0.72) * LINE, line, look.text, weight="bold")

    high = 0.22 + len(rows) * LINE + (0.06 + len(last) * LINE if last else 0.0)
    return Part(high, draw)


def _said_of(trust: Trust, pane: Pane | None, language: str) -> str:
    """Say what the checks themselves do not: that there are none, or that they are of another."""
    state = trust.meta.get("state")
    if state == "failed":
        problem = trust.meta.get("problem")
        return str(problem) if problem else say("ui.saliency.trust.failed", language)
    if state == "working" and not trust.checks:
        return say("ui.saliency.trust.working", language)
    if not trust.checks:
        return say("ui.saliency.trust.none", language)
    if state != "stale" and trust.is_of(pane):
        return ""
    step, index = trust.meta.get("step"), trust.meta.get("index")
    return say(
        "ui.saliency.trust.stale",
        language,
        method=method_name(str(trust.meta.get("method") or ""), language),
        number=whole(index + 1) if isinstance(index, int) else "–",
        step=whole(step) if isinstance(step, int) else "–",
    )


def curve_part(trust: Trust, kind: str, style: Style, width: float) -> Part | None:
    """Draw a deletion or insertion curve and that of random maps; None where there is none."""
    fractions, curve = (trust.curves.get(name, np.zeros(0)) for name in ("fraction", kind))
    random = trust.curves.get(f"random_{kind}", np.zeros(0))
    if not 2 <= len(curve) == len(fractions):
        return None
    random = random if len(random) == len(curve) else np.full(len(curve), np.nan)
    language, look = style.language, style.look
    areas = [area_under(fractions, values) for values in (curve, random)]
    title = say(f"ui.saliency.curve.{kind}", language)
    low, high = _ends(np.concatenate([curve, random]))
    colour = look.series[0 if kind == "deletion" else 2]
    key = (
        (colour, "-", f"{say('ui.saliency.curve.map', language)} {number(areas[0])}"),
        (look.muted, "--", f"{say('ui.saliency.curve.random', language)} {number(areas[1])}"),
    )

    def draw(sheet: Sheet) -> None:
        sheet.write(0, 0.11, cut(title, width, 8), look.text, size=8)
        axes = sheet.chart((0.34, 0.2, width - 0.44, _HIGH))
        axes.set_label(kind)
        axes.set_xlim(0, 1)
        margin = 0.04 * (high - low)
        axes.set_ylim(low - margin, high + margin)
        for values, (shade, dash, _) in ((random, key[1]), (curve, key[0])):
            axes.plot(
                fractions, values, color=shade, linestyle=dash, linewidth=1.3, marker="None",
                label="random" if dash == "--" else "map",
            )  # fmt: skip
        axes.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda part, _: f"{100 * part:.0f} %"))
        sheet.finish(axes)
        x = 0.0
        base = _HIGH + 0.52
        for shade, dash, words in key:
            sheet.axes.plot(
                [x, x + 0.2], [base - 0.04] * 2, color=shade, linestyle=dash, linewidth=1.3,
                marker="None",
            )  # fmt: skip
            x += 0.26 + sheet.write(
                x + 0.26, base, cut(words, width / 2, 7.5), look.muted, size=7.5
            )
            x += 0.12

    return Part(_HIGH + 0.58, draw)


def area_under(fractions: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Return the area under a curve, by trapezia."""
    return float(np.sum(np.diff(fractions) * (values[1:] + values[:-1]) / 2))


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    # Probabilities are shown whole, so that two curves can be compared.
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def cascade_part(trust: Trust, style: Style, width: float) -> Part | None:
    """Draw how alike the map and those of randomised models are, layer by layer."""
    rows = trust.cascade[:_LAYERS]
    if not rows:
        return None
    look = style.look
    title = wrapped(say("ui.saliency.cascade", style.language), width, 8)
    names = [cut(layer, 0.35 * width, 8) for layer, _ in rows]
    left = max(width_of(name, 8) for name in names) + 0.1
    track = width - left - 0.4
    top = len(title) * 0.155 + 0.06
    if len(trust.cascade) > len(rows):
        words = {"shown": whole(len(rows)), "all": whole(len(trust.cascade))}
        title.append(say("ui.saliency.classes.shown", style.language, **words))
        top += 0.155

    def draw(sheet: Sheet) -> None:
        for i, line in enumerate(title):
            sheet.write(0, 0.11 + i * 0.155, line, look.text, size=8)
        for i, (_, value) in enumerate(rows):
            y = top + i * 0.17
            sheet.write(0, y + 0.12, names[i], look.muted, size=8)
            size = min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0
            sheet.fill([(left, y + 0.04, track, 0.09)], look.line, "track")
            sheet.fill([(left, y + 0.04, size * track, 0.09)], look.series[0], "similarity")
            sheet.write(width, y + 0.12, number(value), look.text, size=8, align="right")

    return Part(top + len(rows) * 0.17, draw)
