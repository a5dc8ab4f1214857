"""What a model says of one place: how sure it is, what it goes by, what would change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_sheet import LINE, Part, Sheet, Style
from nnwidgets.export.blocks_words import SIZE, cut, even, whole, width_of, wrapped
from nnwidgets.export.boundary_reading import Said, name_of
from nnwidgets.export.class_colours import class_colour
from nnwidgets.export.look import number

__all__ = ["Piece", "percent", "point_parts", "stacked"]

_BAR: Final = 0.19
_HEAD: Final = 0.22
_GAP: Final = 0.09
_CLASSES: Final = 8
_FEATURES: Final = 8
_CHANGES: Final = 5
_NEAREST: Final = 5
_LINES: Final = 6  # of one sentence


@dataclass(frozen=True)
class Piece:
    """A heading, and what stands below it."""

    title: str
    part: Part


def percent(share: float) -> str:
    """Write a share: 97.0 %."""
    return f"{100 * share:.1f} %"


def stacked(pieces: Sequence[Piece], style: Style) -> Part:
    """Draw pieces below each other, each with its heading; nothing of those that hold nothing."""
    pieces = [piece for piece in pieces if piece.part.height > 0]
    heights = [(_HEAD if piece.title else 0.0) + piece.part.height for piece in pieces]

    def draw(sheet: Sheet) -> None:
        top = 0.0
        left, above, width, _ = sheet.box
        for piece, height in zip(pieces, heights, strict=True):
            if piece.title:
                title = cut(piece.title, width, 9, "bold")
                sheet.write(0, top + 0.12, title, style.look.text, size=9, weight="bold")
            inner = top + height - piece.part.height
            box = (left, above + inner, width, piece.part.height)
            piece.part.draw(Sheet(sheet.figure, style, box, sheet.label))
            top += height + _GAP

    return Part(max(sum(heights) + _GAP * (len(heights) - 1), 0.0), draw)


def words_part(lines: Sequence[tuple[str, str]], size: float = SIZE) -> Part:
    """Write lines, each in its colour."""

    def draw(sheet: Sheet) -> None:
        for i, (line, colour) in enumerate(lines):
            sheet.write(0, (i + 0.72) * LINE, line, colour, size=size)

    return Part(len(lines) * LINE, draw)


def point_parts(point: Said, style: Style, width: float, classes: Sequence[str]) -> list[Part]:
    """Return everything that is known of a place, one part for each thing that was asked.

    The first says which place it is and what the model says there.
    """
    language, look = style.language, style.look
    names = point.texts("classes") or list(classes)

    def told(said: str, colour: str = look.text, title: str = "") -> Piece:
        return Piece(title, words_part(_lines(said, width, colour) if said else []))

    head = [_place(point, style, width)]
    if point.state in ("failed", "working"):
        failed = point.state == "failed"
        words = point.word("problem") if failed else ""
        words = words or say(f"figure.boundary.{point.state}", language)
        return [stacked([*head, told(words, look.error if failed else look.muted)], style)]
    if point.state == "stale":
        head.append(told(say("figure.boundary.stale", language), look.series_text[1]))
    if point.floats("probabilities").size:
        head.append(Piece("", _bars(point, style, width, names)))
    else:
        head.append(told(_value(point, language)))
    weights, rule = point.floats("weights"), point.word("rule")
    holds = point.number("rule_fidelity")
    slopes = _weights(point, style, width) if weights.size else words_part([])
    groups = [
        head,
        [told(point.part("uncertainty").word("text"), title=say("figure.boundary.sure", language))],
        [
            Piece(say("figure.boundary.weights", language), slopes),
            told(point.word("weights_text"), look.muted),
        ],
        [
            told(rule, title=say("figure.boundary.rule", language)),
            told(
                say("figure.boundary.rule_holds", language, share=percent(holds))
                if rule and holds is not None
                else "",
                look.muted,
            ),
        ],
    ]
    for name, most in (("changes", _CHANGES), ("nearest", _NEAREST)):
        texts = [str(item.get("text") or "") for item in point.items(name)]
        rows = [row for one in texts[:most] if one for row in _lines(one, width, look.text)]
        if len(texts) > most:
            shown = {"shown": whole(most), "all": whole(len(texts))}
            rows.append((say("ui.saliency.classes.shown", language, **shown), look.muted))
        groups.append([Piece(say(f"figure.boundary.{name}", language), words_part(rows))])
    groups[-1] += [told(note, look.muted) for note in point.texts("notes")]
    return [part for part in (stacked(group, style) for group in groups) if part.height > 0]


def _place(point: Said, style: Style, width: float) -> Piece:
    """Return the features of a place, as many as three lines hold."""
    given = point.meta.get("point")
    pairs = given if isinstance(given, (list, tuple)) else []
    features = [pair for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2]
    words = " · ".join(f"{name} {value}" for name, value in features)
    lines = _lines(words, width, style.look.muted, most=3) if words else [("", style.look.muted)]
    return Piece(say("figure.boundary.point", style.language), words_part(lines))


def _value(point: Said, language: str) -> str:
    value, right = point.number("value"), point.number("true")
    if value is None:
        return ""
    words = say("figure.boundary.says", language, value=number(value))
    if right is None:
        return words
    return f"{words} · {say('figure.boundary.truth', language, value=number(right))}"


def _lines(said: str, width: float, colour: str, most: int = _LINES) -> list[tuple[str, str]]:
    found = wrapped(said, width)
    if len(found) > most:
        found = [*found[: most - 1], cut(f"{found[most - 1]} …", width)]
    return [(line, colour) for line in found]


def _bars(point: Said, style: Style, width: float, names: Sequence[str]) -> Part:
    """Draw the probability of each class, and how far the models differ about it."""
    look, language = style.look, style.language
    outputs, spread = point.floats("probabilities"), point.floats("spread")
    spread = spread if spread.size == outputs.size else np.zeros(outputs.size)
    said, right = point.whole("label"), point.whole("true")
    listed = list(range(outputs.size))
    if len(listed) > _CLASSES:
        # What it says and what is right are never left out, however improbable.
        first = [-math.inf if k in (said, right) else -outputs[k] for k in listed]
        listed = sorted(sorted(listed, key=lambda k: first[k])[:_CLASSES])
    rows = [cut(name_of(names, k, language), 0.4 * width) for k in listed]
    values = [_share(outputs[k], spread[k]) for k in listed]
    left = max(map(width_of, rows)) + 0.1
    right_ = max(width_of(value, weight="bold") for value in values)
    track = max(0.3, width - left - right_ - 0.1)
    notes = []
    if right is not None:
        name = name_of(names, right, language)
        notes.append(say("figure.boundary.truth", language, value=name))
    if len(listed) < outputs.size:
        shown = {"shown": whole(len(listed)), "all": whole(outputs.size)}
        notes.append(say("ui.saliency.classes.shown", language, **shown))
    below = wrapped(" · ".join(notes), width, 8) if notes else []

    def draw(sheet: Sheet) -> None:
        for row, k in enumerate(listed):
            base = row * _BAR + 0.135
            weight = "bold" if k == said else "normal"
            sheet.write(0, base, rows[row], look.text, weight=weight)
            sheet.write(width, base, values[row], look.text, align="right", weight=weight)
            sheet.fill([(left, base - 0.08, track, 0.09)], look.line, "track")
            if not math.isfinite(outputs[k]):
                continue
            part = min(max(outputs[k], 0.0), 1.0) * track
            box = (left, base - 0.08, part, 0.09)
            sheet.fill([box], class_colour(k, style.dark), "probability")
            if math.isfinite(spread[k]) and spread[k] > 0:
                ends = [
                    left + min(max(outputs[k] + s, 0), 1) * track for s in (-spread[k], spread[k])
                ]
                sheet.axes.plot(
                    ends, [base - 0.035] * 2, color=look.text, linewidth=1.0, linestyle="-",
                    marker="|", markersize=4, label="spread",
                )  # fmt: skip
        for i, line in enumerate(below):
            base = len(listed) * _BAR + (i + 0.72) * LINE
            sheet.write(0, base, line, look.muted, size=8)

    return Part(len(listed) * _BAR + len(below) * LINE, draw)


def _share(value: float, spread: float) -> str:
    if not math.isfinite(value):
        return number(value)
    words = f"{100 * value:.1f}"
    if math.isfinite(spread) and spread > 0:
        words = f"{words} ± {100 * spread:.1f}"
    return f"{words} %"


def _weights(point: Said, style: Style, width: float) -> Part:
    """Draw the slopes for the features, those that matter most, from zero to either side."""
    look, language = style.look, style.language
    weights, names = point.floats("weights"), point.texts("features")
    sizes = np.where(np.isfinite(weights), np.abs(weights), np.inf)
    listed = sorted(np.argsort(-sizes, kind="stable")[:_FEATURES].tolist())
    shown = weights[listed]
    form = even(shown.tolist())
    values = [("+" if value > 0 else "") + form(value) for value in shown]
    rows = [cut(names[i] if i < len(names) else f"x{i + 1}", 0.4 * width) for i in listed]
    left = max(map(width_of, rows)) + 0.1
    track = max(0.3, width - left - max(map(width_of, values)) - 0.1)
    largest = float(np.max(np.abs(shown[np.isfinite(shown)]), initial=0.0)) or 1.0
    both = bool((shown < 0).any() and (shown > 0).any())
    zero = left + (track / 2 if both else track if (shown < 0).any() else 0.0)
    reach = track / 2 if both else track
    more = len(weights) - len(listed)
    count = {"shown": whole(len(listed)), "all": whole(len(weights))}
    below = [say("ui.saliency.classes.shown", language, **count)] if more else []

    def draw(sheet: Sheet) -> None:
        for row, value in enumerate(shown.tolist()):
            base = row * _BAR + 0.135
            sheet.write(0, base, rows[row], look.text)
            shade = look.text if math.isfinite(value) else look.error
            sheet.write(width, base, values[row], shade, align="right")
            if math.isfinite(value):
                end = zero + value / largest * reach
                box = (min(zero, end), base - 0.08, max(abs(end - zero), 0.006), 0.09)
                sheet.fill([box], style.signs[value > 0], "weight")
        sheet.axes.plot(
            [zero, zero], [0.02, len(shown) * _BAR], color=look.muted, linewidth=0.6,
            linestyle="-", marker="None", zorder=0.5,
        )  # fmt: skip
        for i, line in enumerate(below):
            base = len(shown) * _BAR + (i + 0.72) * LINE
            sheet.write(0, base, line, look.muted, size=8)

    return Part(len(shown) * _BAR + len(below) * LINE, draw)
