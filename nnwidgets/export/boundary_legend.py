"""What the colours and signs of a DecisionBoundaryPlot stand for."""

from __future__ import annotations

from typing import Final

import numpy as np

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import MARKS
from nnwidgets.export.blocks_sheet import LINE, SCALE, Part, Sheet, Style
from nnwidgets.export.blocks_words import cut, told, whole, width_of, wrapped
from nnwidgets.export.boundary_point import Piece, stacked
from nnwidgets.export.boundary_reading import NO_LABEL, Dots, Field, name_of
from nnwidgets.export.boundary_surface import MARKERS, scale_of
from nnwidgets.export.class_colours import FLAT, STRENGTHS, class_colour, tinted
from nnwidgets.export.look import number

__all__ = ["legend_part"]

_STEP: Final = 0.19
_MOST: Final = 20  # classes
_RAMP: Final = 0.62  # inches, from the least probable to certain
_SHADES: Final = 24
_HEAD: Final = 0.24
_UNITS: Final = {
    "probability": "figure.boundary.unit.probability",
    "nats": "figure.boundary.unit.nats",
    "value": "figure.boundary.unit.value",
    "variance": "figure.boundary.unit.variance",
    "difference": "figure.boundary.unit.difference",
}


def legend_part(field: Field, dots: Dots, style: Style, width: float) -> Part:
    """Draw the classes with their counts, the scale with its unit, and the signs of points."""
    coloured = field.palette in ("classes", "labels") or bool((dots.y != NO_LABEL).any())
    parts = [_classes_part(field, dots, style, width)] if field.of_classes and coloured else []
    if field.palette in ("sequential", "diverging"):
        parts.append(_scale_part(field, style, width))
    parts.append(_signs_part(field, dots, style, width))
    return stacked([Piece("", part) for part in parts], style)


def _classes_part(field: Field, dots: Dots, style: Style, width: float) -> Part:
    """Draw a row for each class: its colour, its name, and how many points have it."""
    look, language = style.look, style.language
    y = dots.y.astype(np.int64)
    found = set(y[y != NO_LABEL].tolist())
    if field.label is not None:
        found |= set(np.unique(field.label[field.label != NO_LABEL]).tolist())
    count = max(len(field.classes), max(found, default=-1) + 1)
    every = [*range(count)][:_MOST]
    counts = [[int((y[dots.test == test] == k).sum()) for k in every] for test in (False, True)]
    shown = (0, 1 + bool(dots.test.any()))[bool((y != NO_LABEL).any())]
    heads = [say("figure.boundary.train", language), say("figure.boundary.test", language)]
    columns = [
        max(width_of(words, 7.5) for words in (head, *map(whole, column))) + 0.12
        for head, column in zip(heads, counts, strict=True)
    ][:shown]
    ramp = _RAMP if field.palette == "classes" else 0.22
    left = ramp + 0.1
    names = [
        cut(name_of(field.classes, k, language), width - left - sum(columns) - 0.05) for k in every
    ]
    more = count - len(every)
    low = field.ends[0]
    scaled = field.palette == "classes"
    # Where the surface shows something else, the colours are those of the points alone.
    key = {"classes": "figure.boundary.unit.probability", "labels": "figure.boundary.said"}
    title = say(key.get(field.palette, "figure.boundary.labelled"), language)

    def draw(sheet: Sheet) -> None:
        right = width
        for head, column in reversed(list(zip(heads, columns, strict=False))):
            sheet.write(right, 0.11, head, look.muted, size=7.5, align="right")
            right -= column
        room = right - 0.05
        if scaled:
            sheet.write(0, 0.11, number(low), look.muted, size=7.5)
            sheet.write(ramp, 0.11, "1", look.muted, size=7.5, align="right")
            sheet.write(left, 0.11, cut(title, room - left, 7.5), look.muted, size=7.5)
        else:
            sheet.write(0, 0.11, cut(title, room, 7.5), look.muted, size=7.5)
        for row, k in enumerate(every):
            top = 0.17 + row * _STEP
            _swatch(sheet, k, field.palette, (0.0, top + 0.03, ramp, _STEP - 0.06))
            sheet.write(left, top + 0.135, names[row], look.text)
            right = width
            for column, values in reversed(list(zip(columns, counts, strict=False))):
                words = whole(values[row])
                sheet.write(right, top + 0.135, words, look.muted, size=8, align="right")
                right -= column
        if more > 0:
            words = say("figure.boundary.more_classes", language, count=whole(more))
            top = 0.17 + len(every) * _STEP
            sheet.write(left, top + 0.12, cut(words, width - left, 8), look.muted, size=8)

    return Part(0.17 + (len(every) + (more > 0)) * _STEP, draw)


def _swatch(sheet: Sheet, k: int, palette: str, box: tuple[float, float, float, float]) -> None:
    """Show the colour of a class as it is on the surface; elsewhere as it is on the points."""
    dark = sheet.style.dark
    if palette not in ("classes", "labels"):
        sheet.fill([box], class_colour(k, dark), "class")
        return
    parts = np.linspace(*STRENGTHS, _SHADES) if palette == "classes" else np.full(1, FLAT)
    colours = tinted(np.full((1, len(parts)), k), parts[np.newaxis], dark)
    sheet.image(colours, None, box, "class")


def _scale_part(field: Field, style: Style, width: float) -> Part:
    """State what the colours of the surface stand for."""
    assert field.value is not None
    codes, scale = field.value, scale_of(field)
    lines = wrapped(_scaled(field, style.language), width, 8)

    def draw(sheet: Sheet) -> None:
        for i, line in enumerate(lines):
            sheet.write(0, 0.11 + i * LINE, line, style.look.muted, size=8)
        sheet.scale(0, len(lines) * LINE - 0.06, scale, codes)

    return Part(len(lines) * LINE + SCALE - 0.04, draw)


def _silent(field: Field) -> int:
    """Return how many places have no class; where there is a scale, that says it."""
    if field.label is None or field.palette not in ("classes", "labels"):
        return 0
    return int((field.label == NO_LABEL).sum())


def _scaled(field: Field, language: str) -> str:
    """Return what is coloured, of which class or output, and in which unit."""
    view, unit = field.said.word("view"), field.said.word("unit")
    words = [told(f"figure.boundary.view.{view}", language) or view]
    if name := field.said.word("interest_name"):
        words.append(name)
    known = _UNITS.get(unit)
    if known is not None and unit != view:
        words.append(say(known, language))
    return " · ".join(word for word in words if word)


def _signs_part(field: Field, dots: Dots, style: Style, width: float) -> Part:
    """Say which sign is which, and how many points there are."""
    look, language = style.look, style.language
    counts = field.said.part("counts")
    ink = look.muted if field.of_classes else look.surface
    rows: list[tuple[str, str, str]] = []
    for name in ("train", "test"):
        count = counts.whole(name) or 0
        if count:
            words = say(f"figure.boundary.points.{name}", language, count=whole(count))
            rows.append((MARKERS[name], ink, words))
    if dots.wrong is not None and dots.wrong.any():
        words = say("figure.boundary.points.wrong", language, count=whole(int(dots.wrong.sum())))
        rows.append(("o", "none", words))
    if (dots.y.dtype == np.uint8) and (dots.y == NO_LABEL).any():
        rows.append(("s", look.muted, say("figure.boundary.points.unlabelled", language)))
    silent = _silent(field)
    if silent:
        words = say("ui.inspector.mark.nan", language, count=whole(silent))
        rows.append(("s", MARKS["nan"][1], words))
    if (dots.near < 0.5).any():
        rows.append(("", "none", say("figure.boundary.points.faded", language)))
    if not field.of_classes and field.said.word("unit") == "value" and len(dots.y):
        rows.append(("", "none", say("figure.boundary.points.values", language)))
    every = counts.whole("train") or 0, counts.whole("test") or 0
    if 0 < len(dots.y) < sum(every):
        words = say(
            "figure.boundary.points.some", language, count=whole(len(dots.y)), all=whole(sum(every))
        )
        rows.append(("", "none", words))
    lines = [
        (sign if i == 0 else "", face, line)
        for sign, face, words in rows
        for i, line in enumerate(wrapped(words, width - 0.22, 8))
    ]

    def draw(sheet: Sheet) -> None:
        for i, (sign, face, line) in enumerate(lines):
            base = (i + 0.72) * LINE
            if sign:
                sheet.axes.plot(
                    [0.08], [base - 0.035], marker=sign, markersize=5.5 if face == "none" else 5,
                    markerfacecolor=face, markeredgecolor=look.text, linestyle="None",
                    markeredgewidth=1.0 if face == "none" else 0.6, label="sign",
                )  # fmt: skip
            sheet.write(0.22, base, line, look.muted, size=8)

    return Part(len(lines) * LINE, draw)
