"""What a DecisionBoundaryPlot shows as a matplotlib figure.

Built on Figure and FigureCanvasAgg, never pyplot, as `nnwidgets.export.saliency_figure` is, and
with its look. Names are text: nothing in them is read as mathematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.backends.backend_agg import FigureCanvasAgg

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_sheet import ROOM, Part, Sheet, Style
from nnwidgets.export.blocks_words import cut, told, whole, wrapped
from nnwidgets.export.boundary_around import landscape_part, rules_part, units_part
from nnwidgets.export.boundary_legend import legend_part
from nnwidgets.export.boundary_point import Piece, percent, point_parts, stacked, words_part
from nnwidgets.export.boundary_reading import Dots, Field, Said, Sent, dots_of, field_of, read
from nnwidgets.export.boundary_surface import surface_part
from nnwidgets.export.look import DARK, LIGHT, has_chinese, number
from nnwidgets.export.shown import ShownFigure

__all__ = ["boundary_figure"]

_WIDTH: Final = 9.0
_LEFT: Final = (_WIDTH - ROOM) / 2
_TITLE: Final = 0.36
_EDGE: Final = 0.22  # above and below everything
_GAP: Final = 0.2  # between two rows
_PICTURE: Final = 5.2
_BESIDE: Final = 0.32  # between the picture and what stands beside it
_WORTH: Final = 0.5  # so much shorter a figure has to become for its parts to be spread


def boundary_figure(
    surface: Sent | None,
    points: Sent | None,
    *,
    choices: Sent | None = None,
    units: Sent | None = None,
    point: Sent | None = None,
    rules: Sent | None = None,
    landscape: Sent | None = None,
    title: str = "",
    dark: bool = False,
    language: str = "en",
) -> ShownFigure:
    """Draw what a plot shows: the surface and the points, and what was asked about them.

    Parameters
    ----------
    surface, points, choices, units, point, rules, landscape
        Words and arrays of the traits ``_surface``, ``_points`` and so on; None for one that is
        empty. `choices` holds the names of the classes.
    title
        Above everything; empty for the catalogue's.
    dark
        On a dark ground.
    language
        Of the words; English where no font for Chinese is installed. Sentences that came with the
        traits are in the language in which they were sent.

    Returns
    -------
    ShownFigure
        9 inches wide and as high as needed.
    """
    if not has_chinese():
        language = "en"
    style = Style(DARK if dark else LIGHT, dark, language)
    said, chosen, asked = read(surface), read(choices), read(point)
    found = read(rules)
    field = field_of(said, chosen)
    rows: list[Part | None]
    if field is None:
        rows = [_missing(said, style), rules_part(found, field, style, ROOM)]
    else:
        rows = [*_rows(field, dots_of(read(points), said), style, asked, found)]
    rows += [
        units_part(read(units), style, ROOM),
        landscape_part(read(landscape), style, ROOM),
    ]
    every = [row for row in rows if row is not None]
    top = _EDGE + _TITLE
    height = top + _height(every) + _EDGE
    figure = ShownFigure(figsize=(_WIDTH, height), facecolor=style.look.surface)
    figure.set_layout_engine("none")  # whatever rcParams say
    figure.suppressComposite = True  # else the small pictures of an SVG become one coarse one
    FigureCanvasAgg(figure)
    head = Sheet(figure, style, (_LEFT, _EDGE - 0.06, ROOM, _TITLE), "title")
    name = cut(title or say("ui.boundary.title", language), 0.6 * ROOM, 12, "bold")
    x = head.write(0, 0.18, name, style.look.text, size=12, weight="bold") + 0.15
    rest = "" if field is None else _headline(field, language)
    head.write(x, 0.18, cut(rest, ROOM - x, 9), style.look.muted, size=9)
    for row in every:
        row.draw(Sheet(figure, style, (_LEFT, top, ROOM, row.height), "row"))
        top += row.height + _GAP
    return figure


def _headline(field: Field, language: str) -> str:
    """Return what is shown and how well the model does: "Probability · step 12 · train 97.0 %"."""
    said = field.said
    view = said.word("view")
    words = [told(f"figure.boundary.view.{view}", language) or view]
    if name := said.word("interest_name"):
        words.append(name)
    step = said.whole("step")
    if step is not None:
        past = said.meta.get("past") is True
        key = "ui.saliency.of.past" if past else "ui.step_at"
        words.append(say(key, language, step=whole(step)))
    accuracy = said.part("accuracy")
    for name in ("train", "test"):
        found = accuracy.number(name)
        if found is not None:
            value = percent(found) if field.of_classes else f"R² {number(found)}"
            words.append(f"{say(f'figure.boundary.{name}', language)} {value}")
    return " · ".join(word for word in words if word)


def _missing(surface: Said, style: Style) -> Part:
    """Say why there is no picture."""
    language, look = style.language, style.look
    problem = surface.word("problem")
    if problem or surface.state == "failed":
        words, colour = problem or say("figure.boundary.failed", language), look.error
    else:
        key = "working" if surface.state == "working" else "empty"
        words, colour = say(f"figure.boundary.{key}", language), look.muted
    lines = [(line, colour) for line in wrapped(words, ROOM)]
    lines += [(line, look.muted) for note in surface.texts("notes") for line in wrapped(note, ROOM)]
    return words_part(lines)


def _rows(field: Field, dots: Dots, style: Style, point: Said, rules: Said) -> list[Part]:
    """Lay the picture out with what stands beside and below it, so that little room stays empty.

    Its legend is on the right. What is known of a place follows there, and goes on below the
    picture where that makes the figure much shorter; the rules stand there too or have a row of
    their own.
    """
    width = ROOM - _PICTURE - _BESIDE
    picture = [
        surface_part(field, dots, style, _PICTURE, point=point, rules=rules),
        _below(field, dots, style),
    ]
    legend = legend_part(field, dots, style, width)
    wide, narrow = (
        [] if point.state == "none" else point_parts(point, style, room, field.classes)
        for room in (_PICTURE, width)
    )
    row, below = (rules_part(rules, field, style, room) for room in (ROOM, _PICTURE))
    ways: list[list[Part]] = []
    for count in range(len(narrow), min(1, len(narrow)) - 1, -1):
        left, right = [*picture, *wide[count:]], [legend, *narrow[:count]]
        if row is None or below is None:
            ways.append([_beside(left, right, style)])
        else:
            ways += [[_beside([*left, below], right, style)], [_beside(left, right, style), row]]
    # Of those that are about as high the first one: it keeps together what belongs together.
    least = min(map(_height, ways))
    return next(way for way in ways if _height(way) <= least + _WORTH)


def _height(rows: Sequence[Part]) -> float:
    return sum(row.height + _GAP for row in rows) - _GAP


def _beside(left: Sequence[Part], right: Sequence[Part], style: Style) -> Part:
    """Return two columns."""
    columns = _column(left, style), _column(right, style)
    places = (0.0, _PICTURE), (_PICTURE + _BESIDE, ROOM - _PICTURE - _BESIDE)

    def draw(sheet: Sheet) -> None:
        x, top, _, _ = sheet.box
        for column, (at, width) in zip(columns, places, strict=True):
            if column.height > 0:
                box = (x + at, top, width, column.height)
                column.draw(Sheet(sheet.figure, style, box, "column"))

    return Part(max(column.height for column in columns), draw)


def _column(parts: Sequence[Part], style: Style) -> Part:
    return stacked([Piece("", part) for part in parts], style)


def _below(field: Field, dots: Dots, style: Style) -> Part:
    """Write how much of the space the picture shows, and what else has to be borne in mind."""
    language, look, said = style.language, style.look, field.said
    warning = look.series_text[1]
    words = [(said.word("quality"), look.text)]
    if problem := said.word("problem"):
        words.append((problem, look.error))
    if said.state in ("stale", "failed", "working"):
        words.append((say("figure.boundary.stale", language), warning))
    elif said.state == "refining":
        words.append((say("figure.boundary.refining", language), warning))
    if dots.older:
        words.append((say("figure.boundary.older", language), warning))
    asked, members = said.number("asked"), said.whole("members") or 0
    if asked is not None and asked < 1:
        words.append((say("figure.boundary.asked", language, share=percent(asked)), look.muted))
    if members:
        said_of = say("figure.boundary.members", language, count=whole(members))
        words.append((said_of, look.muted))
    words += [(note, look.muted) for note in said.texts("notes")]
    return words_part(
        [(line, colour) for text, colour in words if text for line in wrapped(text, _PICTURE, 8)],
        size=8,
    )
