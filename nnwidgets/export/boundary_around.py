"""What stands below the picture of a DecisionBoundaryPlot: rules, hidden units, the loss around."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import Scale, codes_of
from nnwidgets.export.blocks_sheet import LINE, SCALE, Part, Sheet, Style
from nnwidgets.export.blocks_words import cut, flow, whole, width_of, wrapped
from nnwidgets.export.boundary_point import Piece, percent, stacked, words_part
from nnwidgets.export.boundary_reading import Field, Said, as_number
from nnwidgets.export.class_colours import class_colour
from nnwidgets.export.look import number, tick
from nnwidgets.probe.blocks import decode

__all__ = ["landscape_part", "rules_part", "units_part"]

_RULES: Final = 24
_INDENT: Final = 0.42  # of a rule, behind its number and colour
_SIDE: Final = 0.62  # of a hidden unit's picture
_GAP: Final = 0.1
_UNITS: Final = 64
_PLAIN: Final = 2.5  # side of the loss around the weights
_LEVELS: Final = 9


def state_of(said: Said, style: Style) -> Part | None:
    """Say what became of something that is not there; None where it is, or was not asked for."""
    language, look = style.language, style.look
    if said.state == "failed":
        words = said.word("problem") or say("figure.boundary.failed", language)
        return words_part([(line, look.error) for line in wrapped(words, 8.0)])
    if said.state == "working":
        words = say("figure.boundary.working", language)
        return words_part([(line, look.muted) for line in wrapped(words, 8.0)])
    return None


def rules_part(rules: Said, field: Field | None, style: Style, width: float) -> Part | None:
    """Write the rules, how many points each applies to, and how well they follow the model."""
    language, look = style.language, style.look
    title = say("figure.boundary.rules", language)
    found = state_of(rules, style)
    if found is not None:
        return stacked([Piece(title, found)], style)
    if rules.state not in ("ready", "stale"):
        return None
    lines: list[tuple[str, str]] = []
    if rules.state == "stale":
        lines.append((say("figure.boundary.stale", language), look.series_text[1]))
    fidelity = rules.number("fidelity")
    if fidelity is not None:
        key = "r2" if rules.word("score") == "own_r2" else "agreement"
        shown = number(fidelity) if key == "r2" else percent(fidelity)
        words = say(f"figure.boundary.fidelity.{key}", language, value=shown)
        lines += [(line, look.muted) for line in wrapped(words, width)]
    every = rules.items("rules")
    rows = [_row(rule, language, width - _INDENT) for rule in every[:_RULES]]
    of_classes = field is None or field.of_classes
    notes = [line for note in rules.texts("notes") for line in wrapped(note, width, 8)]
    if len(every) > _RULES:
        notes.append(say("figure.left_out", language, count=whole(len(every) - _RULES)))

    def draw(sheet: Sheet) -> None:
        top = 0.0
        for place, (rule, row) in enumerate(zip(every, rows, strict=False), 1):
            base = top + 0.72 * LINE
            sheet.write(0.16, base, whole(place), look.muted, align="right", weight="bold")
            answer = as_number(rule.get("answer"))
            if of_classes and answer is not None and answer >= 0:
                colour = class_colour(int(answer), style.dark)
                sheet.fill([(0.24, base - 0.085, 0.1, 0.1)], colour, "answer")
            for i, line in enumerate(row.texts):
                x = _INDENT + sheet.write(_INDENT, base + i * LINE, line, look.text)
            top += row.lines * LINE
            at = x + _GAP if row.beside else _INDENT
            sheet.write(at, top - 0.28 * LINE, row.after, look.muted, size=8)
        for i, line in enumerate(notes):
            sheet.write(0, top + (i + 0.72) * LINE, line, look.muted, size=8)

    height = sum(row.lines for row in rows) * LINE + len(notes) * LINE
    return stacked([Piece(title, words_part(lines)), Piece("", Part(height, draw))], style)


@dataclass(frozen=True)
class _Row:
    """A rule: its lines, and what is known of it, beside the last of them or below."""

    texts: list[str]
    after: str
    beside: bool

    @property
    def lines(self) -> int:
        return len(self.texts) + (bool(self.after) and not self.beside)


def _row(rule: Mapping[str, Any], language: str, width: float) -> _Row:
    said = []
    for name in ("coverage", "fidelity"):
        share = as_number(rule.get(name))
        if share is not None:
            said.append(say(f"figure.boundary.rule.{name}", language, share=percent(share)))
    texts, after = wrapped(str(rule.get("text") or "–"), width)[:4], " · ".join(said)
    return _Row(texts, after, width_of(texts[-1]) + _GAP + width_of(after, 8) <= width)


def units_part(units: Said, style: Style, width: float) -> Part | None:
    """Draw what each hidden unit says all over the picture, each on its own scale."""
    language, look = style.language, style.look
    layer = units.word("layer")
    title = say("figure.boundary.units", language, layer=layer)
    found = state_of(units, style)
    if found is not None:
        return stacked([Piece(title, found)], style)
    codes = units.arrays.get("values")
    if units.state not in ("ready", "stale") or codes is None or codes.ndim != 3:
        return None
    numbers = units.meta.get("units")
    names = list(numbers) if isinstance(numbers, (list, tuple)) else []
    low, high = units.floats("low"), units.floats("high")
    count = min(len(codes), _UNITS)
    places = flow([_SIDE] * count, width, _GAP)
    lines = places[-1][0] + 1 if places else 0
    step = _SIDE + 2 * 0.13 + _GAP
    total = units.whole("count") or count
    words = [say("figure.boundary.units.own", language)]
    if total > count:
        shown = {"shown": whole(count), "all": whole(total)}
        words.insert(0, say("ui.saliency.classes.shown", language, **shown))
    about = [(cut(" · ".join(words), width, 8), look.muted)]
    if units.state == "stale":
        about.append((say("figure.boundary.stale", language), look.series_text[1]))
    ends = low.size >= count and high.size >= count

    def draw(sheet: Sheet) -> None:
        for i in range(count):
            row, x = places[i]
            top = row * step
            # Coloured around zero where the unit has both signs: there the answer tips over.
            own = (float(low[i]), float(high[i])) if ends else (0.0, 1.0)
            scale = _own_scale(*own)
            own_codes = codes_of(decode(codes[i], *own), scale)
            sheet.image(own_codes[::-1], scale, (x, top, _SIDE, _SIDE), "unit")
            name = str(names[i]) if i < len(names) else str(i)
            middle = x + _SIDE / 2
            sheet.write(middle, top + _SIDE + 0.12, name, look.text, size=7.5, align="center")
            if ends:
                room = f"{tick(float(f'{own[0]:.2g}'))} … {tick(float(f'{own[1]:.2g}'))}"
                sheet.write(
                    middle, top + _SIDE + 0.25, cut(room, _SIDE + _GAP - 0.04, 6.5), look.muted,
                    size=6.5, align="center",
                )  # fmt: skip

    return stacked(
        [
            Piece(title, words_part(about, 8)),
            Piece("", Part(max(lines * step - _GAP, 0.0), draw)),
        ],
        style,
    )


def _own_scale(low: float, high: float) -> Scale:
    if low < 0 < high:
        most = max(-low, high)
        return Scale(-most, most, True)
    return Scale(low, high)


def landscape_part(landscape: Said, style: Style, width: float) -> Part | None:
    """Draw the loss on a plane through the weights, which are in its middle."""
    language, look = style.language, style.look
    title = say("figure.boundary.landscape", language)
    found = state_of(landscape, style)
    if found is not None:
        return stacked([Piece(title, found)], style)
    codes = landscape.arrays.get("loss")
    if (
        landscape.state not in ("ready", "stale")
        or codes is None
        or codes.ndim != 2
        or min(codes.shape) < 2
    ):
        return None
    log = landscape.meta.get("log") is True
    low, high = landscape.number("low") or 0.0, landscape.number("high") or 0.0
    alpha, beta = (landscape.floats(name) for name in ("alpha", "beta"))
    fits = (beta.size, alpha.size) == codes.shape
    x, y = (alpha, beta) if fits else (np.arange(codes.shape[1]), np.arange(codes.shape[0]))
    room = width - _PLAIN - 0.9
    texts: list[tuple[str, str]] = []
    if landscape.state == "stale":
        texts.append((say("figure.boundary.stale", language), look.series_text[1]))
    centre = landscape.number("centre")
    if centre is not None:
        words = say("figure.boundary.landscape.centre", language, value=number(centre))
        texts += [(line, look.text) for line in wrapped(words, room)]
    step = landscape.whole("step")
    about = [landscape.word("loss_name"), *landscape.texts("notes")]
    if step is not None:
        about.append(say("ui.step_at", language, step=whole(step)))
    about.append(say("figure.boundary.landscape.axes", language))
    texts += [(line, look.muted) for words in about if words for line in wrapped(words, room)]

    def draw(sheet: Sheet) -> None:
        left = 0.5
        axes = sheet.chart((left, 0.0, _PLAIN, _PLAIN))
        axes.grid(False)
        axes.set_label("landscape")
        sheet.image(codes[::-1], Scale(low, high), (left, 0.0, _PLAIN, _PLAIN), "loss")
        axes.patch.set_visible(False)
        half = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
        axes.set_xlim(x[0] - half[0], x[-1] + half[0])
        axes.set_ylim(y[0] - half[1], y[-1] + half[1])
        values = decode(codes, low, high)
        if math.isfinite(high - low) and high > low:
            axes.contour(
                x, y, np.where(np.isfinite(values), values, np.nan),
                np.linspace(low, high, _LEVELS + 2)[1:-1], colors=look.surface, linewidths=0.6,
                linestyles="solid", alpha=0.7,
            )  # fmt: skip
        for colour, thick in ((look.surface, 3.4), (look.text, 1.5)):
            axes.plot(
                [0.0 if fits else x.mean()], [0.0 if fits else y.mean()], marker="+",
                markersize=11, markeredgewidth=thick, color=colour, linestyle="None",
                label="centre",
            )  # fmt: skip
        sheet.finish(axes)
        beside = left + _PLAIN + 0.35
        words = say("figure.boundary.landscape.log" if log else "figure.boundary.loss", language)
        sheet.write(beside, 0.11, cut(words, room, 8), look.muted, size=8)
        sheet.scale(beside, 0.1, Scale(low, high), codes)
        for i, (line, colour) in enumerate(texts):
            sheet.write(beside, 0.1 + SCALE + 0.16 + (i + 0.72) * LINE, line, colour)

    high_words = 0.1 + SCALE + 0.16 + len(texts) * LINE
    return stacked([Piece(title, Part(max(_PLAIN + 0.24, high_words), draw))], style)
