"""The picture of a layer as a matplotlib figure: its blocks, one under the other.

Built on Figure and FigureCanvasAgg, never pyplot, as `nnwidgets.export.figures` is, and with its
look. Names are text: nothing in them is read as mathematics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_charts import bars_part, histogram_part, lines_part
from nnwidgets.export.blocks_fields import (
    attention_part,
    map_part,
    maps_part,
    matrix_part,
    ridge_part,
)
from nnwidgets.export.blocks_pictures import image_part, samples_part
from nnwidgets.export.blocks_rows import (
    arithmetic_part,
    note_part,
    numbers_part,
    outputs_part,
    terms_part,
)
from nnwidgets.export.blocks_sheet import LINE, ROOM, Part, Sheet, Style, sentence
from nnwidgets.export.blocks_words import cut, told, width_of, wrapped
from nnwidgets.export.chart import short
from nnwidgets.export.look import DARK, LIGHT, has_chinese
from nnwidgets.export.shown import ShownFigure
from nnwidgets.probe.blocks import Block

__all__ = ["blocks_figure"]

_WIDTH: Final = 9.0
_LEFT: Final = (_WIDTH - ROOM) / 2
_TITLE: Final = 0.36
_EDGE: Final = 0.22  # above and below everything
_GAP: Final = 0.22  # between two blocks
_NEAR: Final = 0.05  # between two sentences
_HIGHEST: Final = 30.0

_PARTS: Final[Mapping[str, Callable[[Block, str, Style], Part]]] = {
    "arithmetic": arithmetic_part,
    "attention": attention_part,
    "bars": bars_part,
    "histogram": histogram_part,
    "image": image_part,
    "lines": lines_part,
    "map": map_part,
    "maps": maps_part,
    "matrix": matrix_part,
    "note": note_part,
    "numbers": numbers_part,
    "outputs": outputs_part,
    "ridge": ridge_part,
    "samples": samples_part,
    "terms": terms_part,
}


@dataclass(frozen=True)
class _Words:
    """A line above a part."""

    x: float
    row: int
    text: str
    colour: str
    size: float
    weight: str = "normal"


@dataclass(frozen=True)
class _Placed:
    """A part, and what stands above it."""

    label: str
    part: Part
    head: tuple[_Words, ...] = ()

    @property
    def above(self) -> float:
        return (self.head[-1].row + 1) * LINE + 0.05 if self.head else 0.0

    @property
    def height(self) -> float:
        return self.above + self.part.height


def blocks_figure(
    blocks: Sequence[Block], *, title: str = "", dark: bool = False, language: str = "en"
) -> Figure:
    """Draw the blocks of a picture of a layer, one under the other.

    Parameters
    ----------
    blocks
        What to draw. A kind that is not known is named in a line.
    title
        Above everything.
    dark
        On a dark ground.
    language
        Of the words; English where no font for Chinese is installed.

    Returns
    -------
    Figure
        9 inches wide and as high as needed, at most 30: what would be lower is counted in its last
        line.
    """
    if not has_chinese():
        language = "en"
    style = Style(DARK if dark else LIGHT, dark, language)
    parts = [_part(block, style) for block in blocks]
    if not parts:
        lines = wrapped(say("ui.inspector.empty.nothing", language), ROOM)
        parts = [_Placed("empty", sentence(lines, style.look.muted))]
    top = _EDGE + (_TITLE if title else 0.0)
    parts = _fitting(parts, _HIGHEST - top - _EDGE, style)
    places, lowest = _places(parts)
    height = top + lowest + _EDGE
    figure = ShownFigure(figsize=(_WIDTH, height), facecolor=style.look.surface)
    figure.set_layout_engine("none")  # whatever rcParams say
    figure.suppressComposite = True  # else the small maps of an SVG become one coarse picture
    FigureCanvasAgg(figure)
    if title:
        head = Sheet(figure, style, (_LEFT, _EDGE - 0.06, ROOM, _TITLE), "title")
        line = cut(short(title, 200), ROOM, 12, "bold")
        head.write(0, 0.18, line, style.look.text, size=12, weight="bold")
    for part, down in zip(parts, places, strict=True):
        if part.head:
            head = Sheet(figure, style, (_LEFT, top + down, ROOM, part.above), "head")
            for words in part.head:
                base = (words.row + 0.72) * LINE
                head.write(
                    words.x, base, words.text, words.colour, size=words.size, weight=words.weight
                )
        body = (_LEFT, top + down + part.above, ROOM, part.part.height)
        part.part.draw(Sheet(figure, style, body, part.label))
    return figure


def _part(block: Block, style: Style) -> _Placed:
    """Prepare a block, with its title."""
    maker = _PARTS.get(block.kind)
    if maker is None:
        words = say("ui.inspector.block.unknown", style.language, kind=block.kind)
        return _Placed(block.kind, sentence(wrapped(words, ROOM), style.look.muted))
    title = ""
    if block.title is not None:
        key, params = block.title
        title = told(key, style.language, **params) or key
    name = title or told(f"ui.inspector.block.{block.kind}", style.language) or block.kind
    part = maker(block, name, style)
    return _Placed(block.kind, part, _head(part, title, style) if part.headed else ())


def _head(part: Part, title: str, style: Style) -> tuple[_Words, ...]:
    """Lay out a title, and the notes beside it or below."""
    look = style.look
    titles = wrapped(title, ROOM, 9, "bold") if title else []
    found = [_Words(0.0, i, line, look.text, 9, "bold") for i, line in enumerate(titles)]
    notes = " · ".join(note for note in part.notes if note)
    if not notes:
        return tuple(found)
    x = width_of(titles[-1], 9, "bold") + 0.15 if titles else 0.0
    if titles and x + width_of(notes, 8) <= ROOM:
        return (*found, _Words(x, len(titles) - 1, notes, look.muted, 8))
    for i, line in enumerate(wrapped(notes, ROOM, 8)):
        found.append(_Words(0.0, len(titles) + i, line, look.muted, 8))
    return tuple(found)


def _places(parts: Sequence[_Placed]) -> tuple[list[float], float]:
    """Return how far down each part begins, and the lowest ends."""
    places: list[float] = []
    lowest = 0.0
    for i, part in enumerate(parts):
        if i:
            sentences = not (part.part.headed or parts[i - 1].part.headed)
            lowest += _NEAR if sentences else _GAP
        places.append(lowest)
        lowest += part.height
    return places, lowest


def _fitting(parts: list[_Placed], room: float, style: Style) -> list[_Placed]:
    """Leave out what would be too low, and say how much that is."""
    if _places(parts)[1] <= room:
        return parts
    kept = list(parts)
    while kept and _places(kept)[1] + _GAP + LINE > room:
        kept.pop()
    words = say("figure.left_out", style.language, count=str(len(parts) - len(kept)))
    return [*kept, _Placed("left out", sentence(wrapped(words, ROOM), style.look.muted))]
