"""Numbers in rows, beside their names: outputs, terms of a sum, calculations, sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_sheet import (
    LINE,
    ROOM,
    Box,
    Part,
    Sheet,
    Style,
    array_of,
    nothing,
    sentence,
    texts_of,
)
from nnwidgets.export.blocks_words import cut, even, flow, told, whole, width_of, wrapped
from nnwidgets.export.look import number
from nnwidgets.probe.blocks import Block

__all__ = [
    "Row",
    "arithmetic_part",
    "note_part",
    "numbers_part",
    "outputs_part",
    "rows_part",
    "terms_part",
]

_OUTPUTS: Final = 20
_TERMS: Final = 32
_LINES: Final = 40
_TRACK: Final = 3.4  # inches that bars in rows have


@dataclass(frozen=True)
class Row:
    """Something with a name, and one value or two: before and after."""

    name: str
    values: tuple[float, ...]


def rows_part(rows: Sequence[Row], style: Style, notes: tuple[str, ...] = ()) -> Part:
    """Draw a name, a bar from zero and the number in each row."""
    every = [value for row in rows for value in row.values]
    finite = [value for value in every if math.isfinite(value)]
    low, high = min(0.0, *finite, 0.0), max(0.0, *finite, 0.0)
    span = high - low or 1.0
    form = even(every)
    names = [cut(row.name, 2.2) for row in rows]
    left = max(map(width_of, names), default=0.0) + 0.12
    wide = max((width_of(form(value)) for value in every), default=0.0)
    two = any(len(row.values) > 1 for row in rows)
    look = style.look
    colours = (look.muted, look.series[0]) if two else (look.series[0],)
    step = 0.2
    top = LINE + 0.06 if two else 0.0

    def draw(sheet: Sheet) -> None:
        if two:
            x = 0.0
            for colour, key in zip(colours, ("before", "after"), strict=True):
                sheet.fill([(x, 0.04, 0.12, 0.1)], colour)
                words = say(f"ui.inspector.outputs.{key}", style.language)
                x += 0.17 + sheet.write(x + 0.17, 0.13, words, look.muted) + 0.2
        for which, colour in enumerate(colours):
            thick = 0.065 if two else 0.11
            boxes: list[Box] = []
            for i, row in enumerate(rows):
                value = row.values[which] if which < len(row.values) else math.nan
                value = value if math.isfinite(value) else 0.0
                y = top + i * step + (0.03 + which * 0.07 if two else 0.045)
                x = left + (min(0.0, value) - low) / span * _TRACK
                boxes.append((x, y, abs(value) / span * _TRACK, thick))
            sheet.fill(boxes, colour, f"bars {which}")
        zero = left - low / span * _TRACK
        sheet.axes.plot(
            [zero, zero], [top, top + len(rows) * step], color=look.muted, linewidth=0.6,
            linestyle="-", marker="None",
        )  # fmt: skip
        for i, (row, name) in enumerate(zip(rows, names, strict=True)):
            base = top + i * step + 0.135
            sheet.write(0, base, name, look.text)
            for which, value in enumerate(row.values):
                shade = look.text if math.isfinite(value) else look.error
                if two and which == 0 and math.isfinite(value):
                    shade = look.muted
                x = left + _TRACK + 0.15 + wide + which * (wide + 0.2)
                sheet.write(x, base, form(value), shade, align="right")

    return Part(top + len(rows) * step, draw, notes)


def outputs_part(block: Block, title: str, style: Style) -> Part:
    """Draw what the model gives for each class, before and after."""
    before, after = (array_of(block, name, 1).astype(np.float64) for name in ("before", "after"))
    columns = [values for values in (before, after) if values.size]
    if not columns or len({len(values) for values in columns}) > 1:
        return nothing(title, style)
    count = len(columns[0])
    labels = texts_of(block, "labels")
    # What is not finite must not be hidden.
    sizes = np.max([np.where(np.isfinite(values), values, np.inf) for values in columns], axis=0)
    listed = np.sort(np.argsort(-sizes, kind="stable")[:_OUTPUTS])
    notes: tuple[str, ...] = ()
    total = max(count, int(block.meta.get("count") or 0))
    if len(listed) < total:
        words = {"shown": whole(len(listed)), "all": whole(total)}
        notes = (say("ui.inspector.outputs.shown", style.language, **words),)
    rows = [
        Row(labels[i] if i < len(labels) else whole(i), tuple(float(c[i]) for c in columns))
        for i in listed.tolist()
    ]
    return rows_part(rows, style, notes)


def numbers_part(block: Block, title: str, style: Style) -> Part:
    """Write numbers with their names, in a line that wraps."""
    values = array_of(block, "values", 1)
    pairs = []
    for i, item in enumerate(block.meta.get("items") or []):
        key, form, given = (*item, None, None, None)[:3]
        value = float(values[i]) if i < len(values) else math.nan
        words = given if isinstance(given, str) else _formatted(str(form), value)
        bad = not isinstance(given, str) and not math.isfinite(value)
        name = told(str(key), style.language) or str(key)
        pairs.append((cut(name, 2.5), cut(words, 2.5), bad))
    if not pairs:
        return nothing(title, style)
    widths = [width_of(name) + 0.08 + width_of(words, weight="bold") for name, words, _ in pairs]
    places = flow(widths, ROOM, 0.3)
    look = style.look

    def draw(sheet: Sheet) -> None:
        for (name, words, bad), (row, x) in zip(pairs, places, strict=True):
            base = row * (LINE + 0.03) + 0.135
            x += sheet.write(x, base, name, look.muted) + 0.08
            sheet.write(x, base, words, look.error if bad else look.text, weight="bold")

    return Part((places[-1][0] + 1) * (LINE + 0.03), draw)


def _formatted(form: str, value: float) -> str:
    if form == "integer":
        return whole(value)
    if form == "percent" and math.isfinite(value):
        return f"{number(100 * value)} %"
    return number(value)


def terms_part(block: Block, title: str, style: Style) -> Part:
    """Draw activation × weight for each input, the largest first, and what they sum to."""
    product = array_of(block, "product", 1).astype(np.float64)
    meta, language, look = block.meta, style.language, style.look
    inputs = array_of(block, "inputs", 2)
    factors = [array_of(block, name, 1) for name in ("activation", "weight")]
    shown = min(len(product), _TERMS)
    total = _number(meta.get("total"), len(product))
    others = int(total) - shown
    rest = float(product[shown:].sum())
    if total > len(product):
        rest += _number(meta.get("rest"), math.nan)
    lines: list[tuple[str, float, tuple[float, ...]]] = []
    for i in range(shown):
        place = inputs[i].tolist() if i < len(inputs) else [i]
        both = tuple(float(f[i]) for f in factors if i < len(f))
        lines.append((_input_words(place), float(product[i]), both))
    foot: list[tuple[str, float, tuple[float, ...]]] = []
    if others > 0:
        words = say("ui.inspector.terms.others", language, count=whole(others))
        foot.append((words, rest, ()))
    if meta.get("bias") is not None:
        foot.append((say("ui.inspector.terms.bias", language), float(meta["bias"]), ()))
    result = _number(meta.get("sum"), math.nan)
    foot.append((say("ui.inspector.terms.total", language), result, ()))
    every = [value for _, value, _ in (*lines, *foot)]
    form = even(every, 4)
    largest = max((abs(value) for value in every if math.isfinite(value)), default=0.0) or 1.0
    heads = [say(f"ui.inspector.terms.{h}", language) for h in ("product", "activation", "weight")]
    left = max(width_of(cut(name, 1.8)) for name, _, _ in (*lines, *foot)) + 0.15
    middle = left + _TRACK / 2
    rights = [left + _TRACK + 0.95, left + _TRACK + 1.85, left + _TRACK + 2.75]
    step, top = 0.17, 0.2
    rows = [*lines, *foot]

    def draw(sheet: Sheet) -> None:
        if lines:
            sheet.write(0, 0.12, say("ui.inspector.terms.input", language), look.muted)
        for right, head in zip(rights, heads if lines else heads[:1], strict=False):
            sheet.write(right, 0.12, head, look.muted, align="right")
        places = [top + i * step + (0.06 if i >= len(lines) else 0) for i in range(len(rows))]
        kept = [value if math.isfinite(value) else 0.0 for _, value, _ in rows]
        sizes = [abs(value) / largest * _TRACK / 2 for value in kept]
        boxes: list[Box] = [
            (middle - size if value < 0 else middle, y + 0.035, size, 0.1)
            for value, size, y in zip(kept, sizes, places, strict=True)
        ]
        shades = [style.signs[0] if value < 0 else style.signs[1] for value in kept]
        sheet.fill(boxes, shades, "terms")
        sheet.axes.plot(
            [middle, middle], [top, places[-1] + step], color=look.muted, linewidth=0.6,
            linestyle="-", marker="None",
        )  # fmt: skip
        sheet.rule(places[len(lines)] - 0.02, 0, rights[-1])
        for i, ((name, value, both), y) in enumerate(zip(rows, places, strict=True)):
            base = y + 0.125
            last = "bold" if i == len(rows) - 1 else "normal"
            sheet.write(0, base, cut(name, 1.8), look.text, weight=last)
            words = [("+" if value > 0 else "") + form(value), *map(number, both)]
            for right, text, v in zip(rights, words, (value, *both), strict=False):
                shade = look.text if math.isfinite(v) else look.error
                sheet.write(right, base, text, shade, align="right", weight=last)

    return Part(top + len(rows) * step + 0.08, draw)


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) else default


def _input_words(place: Sequence[int]) -> str:
    """Write an index as inputs are counted: "17", "3 · 4, 7" for row 4, column 7 of channel 3."""
    first, *others = (str(i) for i in place) if place else ("",)
    return f"{first} · {', '.join(others)}" if others else first


def arithmetic_part(block: Block, title: str, style: Style) -> Part:
    """Write a calculation line by line, its first forty lines."""
    look = style.look
    looks = {
        "head": (look.text, "bold"),
        "term": (look.text, "normal"),
        "result": (look.series_text[0], "bold"),
        "note": (look.muted, "normal"),
    }
    lines: list[tuple[str, float, str, str]] = []
    for given in block.meta.get("lines") or []:
        text, kind = (*given, "term")[:2] if isinstance(given, (list, tuple)) else (given, "term")
        shade, weight = looks.get(str(kind), looks["term"])
        indent = 0.18 if kind == "term" else 0.0
        for i, line in enumerate(wrapped(text, ROOM - 0.4, 8, weight, mono=True)):
            lines.append((line, indent + 0.2 * (i > 0), shade, weight))
    if not lines:
        return nothing(title, style)
    notes: tuple[str, ...] = ()
    if len(lines) > _LINES:
        words = {"shown": whole(_LINES), "all": whole(len(lines))}
        notes = (say("ui.inspector.shown", style.language, **words),)

    def draw(sheet: Sheet) -> None:
        for i, (line, x, shade, weight) in enumerate(lines[:_LINES]):
            sheet.write(x, (i + 0.75) * LINE, line, shade, size=8, weight=weight, mono=True)

    return Part(min(len(lines), _LINES) * LINE, draw, notes)


def note_part(block: Block, title: str, style: Style) -> Part:
    """Write a sentence, with its weight."""
    look, level = style.look, block.meta.get("level")
    colour = {"warning": look.series_text[1], "error": look.error}.get(str(level), look.muted)
    words = title
    if level in ("warning", "error"):
        before = say(f"ui.severity.{level}", style.language)
        words = f"{before}{'' if before.endswith('：') else ' '}{title}"
    return sentence(wrapped(words, ROOM), colour)
