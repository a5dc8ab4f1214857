"""What a SaliencyViewer shows as a matplotlib figure.

Built on Figure and FigureCanvasAgg, never pyplot, as `nnwidgets.export.blocks_figure` is, and with
its look. Names are text: nothing in them is read as mathematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import codes_of
from nnwidgets.export.blocks_sheet import LINE, ROOM, SCALE, Part, Sheet, Style, sentence
from nnwidgets.export.blocks_words import cut, whole, width_of, wrapped
from nnwidgets.export.look import DARK, LIGHT, has_chinese, number
from nnwidgets.export.saliency_maps import image_part, sequence_part, signal_part
from nnwidgets.export.saliency_reading import (
    Pane,
    Picture,
    Sent,
    caption_of,
    heading_of,
    notes_of,
    read_picture,
    read_trust,
    units_of,
)
from nnwidgets.export.saliency_rows import (
    Axis,
    axis_of,
    table_part,
)
from nnwidgets.export.saliency_trust import cascade_part, curve_part, sentences_part
from nnwidgets.export.saliency_words import classes_part, tokens_part

__all__ = ["saliency_figure"]

_WIDTH: Final = 9.0
_LEFT: Final = (_WIDTH - ROOM) / 2
_TITLE: Final = 0.36
_EDGE: Final = 0.22  # above and below everything
_GAP: Final = 0.16  # between two rows
_BETWEEN: Final = 0.3  # between two columns
_CLASSES: Final = 2.3  # width of the classes beside a single pane

_COLOURED: Final = ("image", "tokens", "signal", "sequence")


@dataclass(frozen=True)
class _Cell:
    """A part, and where in its row it stands."""

    x: float
    width: float
    label: str
    part: Part


def saliency_figure(
    picture: Sent | None,
    trust: Sent | None,
    *,
    dark: bool = False,
    language: str = "en",
) -> Figure:
    """Draw what a viewer shows: inputs, maps, classes, and how far to trust that.

    Parameters
    ----------
    picture, trust
        Words and arrays of the traits ``_picture`` and ``_trust``; None for one that is empty.
    dark
        On a dark ground.
    language
        Of the words; English where no font for Chinese is installed. Sentences that came with the
        traits are in the language in which they were sent.

    Returns
    -------
    Figure
        9 inches wide and as high as needed. All maps of it have one scale, which is stated below
        them.
    """
    if not has_chinese():
        language = "en"
    style = Style(DARK if dark else LIGHT, dark, language)
    shown, found = read_picture(picture), read_trust(trust)
    rows = _panes(shown, style)
    if shown.panes:
        rows += _trust(found, shown.panes[0], style)
    top = _EDGE + _TITLE
    height = top + sum(_high(row) + _GAP for row in rows) - _GAP + _EDGE
    figure = Figure(figsize=(_WIDTH, height), facecolor=style.look.surface)
    figure.set_layout_engine("none")  # whatever rcParams say
    figure.suppressComposite = True  # else the small maps of an SVG become one coarse picture
    FigureCanvasAgg(figure)
    head = Sheet(figure, style, (_LEFT, _EDGE - 0.06, ROOM, _TITLE), "title")
    title, rest = _title(shown, language)
    x = head.write(0, 0.18, title, style.look.text, size=12, weight="bold") + 0.15
    head.write(x, 0.18, cut(rest, ROOM - x, 9), style.look.muted, size=9)
    for row in rows:
        for cell in row:
            box = (_LEFT + cell.x, top, cell.width, cell.part.height)
            cell.part.draw(Sheet(figure, style, box, cell.label))
        top += _high(row) + _GAP
    return figure


def _high(row: Sequence[_Cell]) -> float:
    return max(cell.part.height for cell in row)


def _title(picture: Picture, language: str) -> tuple[str, str]:
    title = say("ui.saliency.title", language)
    if not picture.panes:
        return title, ""
    pane = picture.panes[0]
    sample = whole((pane.number("index") or 0) + 1)
    words = [say("ui.inspector.sample", language, index=sample)]
    slots, slot = pane.texts("slots"), int(pane.number("slot") or 0)
    if 0 <= slot < len(slots):
        words.append(f"{say('ui.saliency.slot', language)} {slots[slot]}")
    return title, " · ".join(words)


def _panes(picture: Picture, style: Style) -> list[list[_Cell]]:
    """Lay the panes out: one with the classes beside it, two side by side."""
    panes = picture.panes[:2]
    if not panes:
        lines = wrapped(say("ui.saliency.flaw.empty", style.language), ROOM)
        return [[_Cell(0, ROOM, "empty", sentence(lines, style.look.muted))]]
    two = len(panes) > 1
    width = (ROOM - _BETWEEN) / 2 if two else ROOM - _BETWEEN - _CLASSES
    columns = [i * (width + _BETWEEN) for i in range(len(panes))]
    axis = axis_of([pane for pane in panes if pane.kind not in _COLOURED], style, width)
    heads: list[_Cell] = []
    maps: list[_Cell] = []
    classes: list[_Cell] = []
    notes: list[_Cell] = []
    for pane, x in zip(panes, columns, strict=True):
        heads.append(_Cell(x, width if two else ROOM, "head", _head(pane, style, two)))
        maps.append(_Cell(x, width, pane.kind, _map(pane, picture, axis, style, width)))
        if pane.outputs.size and not (classes and _same_answer(pane, panes[0])):
            left, room = (x, width) if two else (x + width + _BETWEEN, _CLASSES)
            classes.append(_Cell(left, room, "classes", classes_part(pane, style, room)))
        found = _notes(pane, style, width if two else ROOM)
        if found is not None:
            notes.append(_Cell(x, width if two else ROOM, "notes", found))
    scale = _scale(picture, panes, style)
    rows = [heads, [*maps, *([] if two else classes)], scale, classes if two else [], notes]
    return [row for row in rows if row]


def _same_answer(pane: Pane, first: Pane) -> bool:
    """Whether two panes have the same classes to show: they differ by their method only."""
    same = pane.meta.get("target") == first.meta.get("target")
    return same and np.array_equal(pane.outputs, first.outputs, equal_nan=True)


def _head(pane: Pane, style: Style, two: bool) -> Part:
    """Say whose evidence a map shows, and how it was made."""
    room = (ROOM - _BETWEEN) / 2 if two else ROOM
    title = wrapped(heading_of(pane, style.language), room, 9, "bold")[:3]
    caption = caption_of(pane, style.language)
    x = width_of(title[-1], 9, "bold") + 0.12
    beside = not two and len(title) == 1 and x + width_of(caption, 8) <= room
    lines = [] if beside else wrapped(caption, room, 8)[:4]
    look = style.look

    def draw(sheet: Sheet) -> None:
        for i, line in enumerate(title):
            sheet.write(0, (i + 0.72) * LINE, line, look.text, size=9, weight="bold")
        if beside:
            sheet.write(x, 0.72 * LINE, caption, look.muted, size=8)
        for i, line in enumerate(lines):
            sheet.write(0, (len(title) + i + 0.72) * LINE, line, look.muted, size=8)

    return Part((len(title) + len(lines)) * LINE, draw)


def _map(pane: Pane, picture: Picture, axis: Axis, style: Style, width: float) -> Part:
    if pane.map is None:
        words = say("ui.saliency.flaw.empty", style.language)
        return sentence(wrapped(words, width), style.look.muted)
    if pane.kind == "image":
        return image_part(pane, picture.scale, style, width)
    if pane.kind == "tokens":
        return tokens_part(pane, picture.scale, style, width)
    if pane.kind == "signal":
        return signal_part(pane, picture.scale, style, width)
    if pane.kind == "sequence":
        return sequence_part(pane, picture.scale, style, width)
    return table_part(pane, axis, style, width)


def _scale(picture: Picture, panes: Sequence[Pane], style: Style) -> list[_Cell]:
    """State what the colours stand for."""
    coloured = [pane.map for pane in panes if pane.kind in _COLOURED and pane.map is not None]
    if not coloured:
        return []
    codes = np.concatenate([codes_of(m, picture.scale).reshape(-1) for m in coloured])
    words = [units_of(panes, style.language)]
    if len(coloured) > 1:
        words.append(say("figure.saliency.one_scale", style.language))
    lines = wrapped(" · ".join(words), ROOM, 8)

    def draw(sheet: Sheet) -> None:
        sheet.scale(0, -0.06, picture.scale, codes)
        for i, line in enumerate(lines):
            base = SCALE + 0.08 + i * 0.155
            sheet.write(0, base, line, style.look.muted, size=8)

    return [_Cell(0, ROOM, "scale", Part(SCALE - 0.04 + len(lines) * 0.155, draw))]


def _notes(pane: Pane, style: Style, width: float) -> Part | None:
    """Write what has to be borne in mind, and what the map took."""
    look, language = style.look, style.language
    shades = {"warning": look.series_text[1], "error": look.error}
    lines: list[tuple[str, str]] = []
    for level, words in notes_of(pane, language):
        before = say(f"ui.severity.{level}", language) if level in shades else ""
        gap = "" if not before or before.endswith("：") else " "
        shade = shades.get(level, look.muted)
        lines += [(line, shade) for line in wrapped(f"{before}{gap}{words}", width, 8)]
    seconds = pane.number("seconds")
    if seconds is not None:
        count = pane.number("evaluations") or 0
        time = say(
            "ui.saliency.took.short" if seconds < 0.0995 else "ui.saliency.took.time",
            language,
            seconds=number(seconds),
            milliseconds=number(1000 * seconds),
        )
        cost = time
        if count > 0:
            cost = say("ui.saliency.took", language, time=time, count=whole(count))
        lines += [(line, look.muted) for line in wrapped(cost, width, 8)]
    if not lines:
        return None

    def draw(sheet: Sheet) -> None:
        for i, (line, shade) in enumerate(lines):
            sheet.write(0, (i + 0.72) * 0.16, line, shade, size=8)

    return Part(len(lines) * 0.16, draw)


def _trust(trust: Any, pane: Pane, style: Style) -> list[list[_Cell]]:
    """Lay out what was found about the first map: sentences, and the curves below them."""
    rows = [[_Cell(0, ROOM, "trust", sentences_part(trust, pane, style, ROOM))]]
    width = (ROOM - 2 * _BETWEEN) / 3
    parts = [
        ("deletion", curve_part(trust, "deletion", style, width)),
        ("insertion", curve_part(trust, "insertion", style, width)),
        ("cascade", cascade_part(trust, style, width)),
    ]
    drawn = [(label, part) for label, part in parts if part is not None]
    if drawn:
        rows.append(
            [
                _Cell(i * (width + _BETWEEN), width, label, part)
                for i, (label, part) in enumerate(drawn)
            ]
        )
    return rows
