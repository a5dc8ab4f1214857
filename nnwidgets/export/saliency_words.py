"""What a model answers, class by class, and a text as coloured tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import Scale, codes_of, colours_of
from nnwidgets.export.blocks_sheet import LINE, Part, Sheet, Style
from nnwidgets.export.blocks_words import clean, cut, even, flow, whole, width_of
from nnwidgets.export.saliency_reading import Pane

__all__ = ["classes_part", "token_text", "tokens_part"]

Floats = NDArray[np.float64]

_MOST: Final = 12  # classes
_STEP: Final = 0.2
_TOKEN: Final = 0.23
_TOKENS: Final = 40  # lines


def classes_part(pane: Pane, style: Style, width: float) -> Part:
    """Draw what the model answers, the class that was asked about in colour."""
    values, names = pane.outputs, pane.texts("classes")
    language, look = style.language, style.look
    count = max(len(values), len(names))
    every = np.full(count, np.nan)
    every[: len(values)] = values
    target = pane.meta.get("target")
    asked = target if isinstance(target, int) and 0 <= target < count else -1
    listed = _listed(every, asked)
    shares = _is_distribution(every) and pane.word("target_unit") in (
        "logit",
        "probability",
        "log_probability",
    )
    shown = every[listed]
    if shares:
        words = [f"{100 * value:.1f}" for value in shown]
    else:
        form = even(shown.tolist())
        words = [form(value) for value in shown.tolist()]
    labels = [cut(names[i] if i < len(names) else whole(i), 0.4 * width) for i in listed]
    title = say("ui.saliency.classes" if count > 1 else "ui.saliency.output", language)
    notes = ["%"] if shares else []
    if len(listed) < count:
        params = {"shown": whole(len(listed)), "all": whole(count)}
        notes.append(say("ui.saliency.classes.shown", language, **params))
    finite = shown[np.isfinite(shown)].tolist()
    low = 0.0 if shares else min(0.0, *finite, 0.0)
    high = 1.0 if shares else max(0.0, *finite, 0.0)
    span = high - low or 1.0
    left = max(map(width_of, labels), default=0.0) + 0.12
    right = max((width_of(w, weight="bold") for w in words), default=0.0) + 0.1
    track = max(0.3, width - left - right)

    def draw(sheet: Sheet) -> None:
        x = sheet.write(0, 0.12, title, look.text, size=9, weight="bold") + 0.12
        sheet.write(x, 0.12, cut(" · ".join(notes), width - x, 8), look.muted, size=8)
        for i, place in enumerate(listed):
            top = 0.22 + i * _STEP
            value = float(shown[i])
            weight = "bold" if place == asked else "normal"
            sheet.write(0, top + 0.135, labels[i], look.text, weight=weight)
            if math.isfinite(value):
                begin, end = (min(0.0, value) - low) / span, (max(0.0, value) - low) / span
                box = (left + begin * track, top + 0.05, (end - begin) * track, 0.1)
                colour = look.series[0] if place == asked else look.series[-1]
                sheet.fill([box], colour, "asked" if place == asked else "class")
            shade = look.text if math.isfinite(value) else look.error
            sheet.write(width, top + 0.135, words[i], shade, align="right", weight=weight)

    return Part(0.22 + len(listed) * _STEP, draw)


def _listed(values: Floats, asked: int) -> list[int]:
    """Return the places that are listed, in their own order; what is not finite is not hidden."""
    if len(values) <= _MOST:
        return list(range(len(values)))
    sizes = np.where(np.isfinite(values), values, np.inf)
    if asked >= 0:
        sizes[asked] = np.inf
    order = np.argsort(-sizes, kind="stable")[:_MOST]
    return [int(place) for place in sorted(order)]


def _is_distribution(values: Floats) -> bool:
    finite = values[np.isfinite(values)]
    return bool(finite.size) and bool(((finite >= 0) & (finite <= 1.0001)).all())


def tokens_part(pane: Pane, scale: Scale, style: Style, width: float) -> Part:
    """Draw a text as coloured tokens."""
    values = np.zeros(0) if pane.map is None else pane.map.reshape(-1)
    texts = pane.texts("tokens")
    words = [
        cut(token_text(texts[i] if i < len(texts) else f"#{i}"), width - 0.14)
        for i in range(len(values))
    ]
    widths = [width_of(word) + 0.12 for word in words]
    places = flow(widths, width, 0.04)
    kept = [i for i, (row, _) in enumerate(places) if row < _TOKENS]
    lines = places[kept[-1]][0] + 1 if kept else 0
    codes = codes_of(values, scale)
    colours = [str(_hex(colour)) for colour in colours_of(scale, style.dark)(np.arange(256))]
    notes = _left_out(len(kept), len(values), style.language)

    def draw(sheet: Sheet) -> None:
        boxes = [(places[i][1], places[i][0] * _TOKEN, widths[i], _TOKEN - 0.03) for i in kept]
        sheet.fill(boxes, [colours[codes[i]] for i in kept], "tokens")
        for i, box in zip(kept, boxes, strict=True):
            sheet.write(box[0] + 0.06, box[1] + 0.145, words[i], _ink(colours[codes[i]]))
        for words_left in notes:
            sheet.write(0, lines * _TOKEN + 0.14, words_left, style.look.muted, size=8)

    return Part(max(lines, 1) * _TOKEN + len(notes) * LINE, draw)


def token_text(token: str) -> str:
    """Write a token so that white space can be seen."""
    if token == "":
        return "∅"
    if token.strip() == "":
        return "".join("↵" if c == "\n" else "␣" for c in token)
    return clean(token)


def _left_out(shown: int, total: int, language: str) -> Sequence[str]:
    if shown >= total:
        return ()
    return (say("ui.saliency.classes.shown", language, shown=whole(shown), all=whole(total)),)


def _hex(colour: Sequence[float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])


def _ink(ground: str) -> str:
    """Return the ink, dark or light, that stands out more from a colour (WCAG's luminance)."""
    parts = [int(ground[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Against white (1.05) and against #111418 (0.007 + 0.05).
    return "#ffffff" if 1.05 / (light + 0.05) > (light + 0.05) / 0.057 else "#111418"
