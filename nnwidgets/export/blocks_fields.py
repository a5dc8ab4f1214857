"""Fields of numbers as colours: maps, matrices, attention, histograms over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from matplotlib.colors import NoNorm
from matplotlib.image import PcolorImage
from matplotlib.ticker import FixedFormatter, FixedLocator

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_charts import step_ticks, value_ticks
from nnwidgets.export.blocks_colours import (
    Scale,
    codes_of,
    colours_of,
    natural_of,
    scale_of,
)
from nnwidgets.export.blocks_sheet import (
    LINE,
    ROOM,
    SCALE,
    Box,
    Part,
    Sheet,
    Style,
    array_of,
    nothing,
    texts_of,
)
from nnwidgets.export.blocks_words import cut, named, signed, told, whole, width_of
from nnwidgets.export.look import number
from nnwidgets.probe.blocks import Block

__all__ = ["attention_part", "map_part", "maps_part", "matrix_part", "ridge_part"]

_GAP: Final = 0.1
_MOST: Final = 64  # maps, and heads
_TILES: Final = 4.6  # inches that all maps together should not exceed by much


def maps_part(block: Block, title: str, style: Style) -> Part:
    """Draw small maps, each with its unit's number and its value below."""
    colour = bool(block.meta.get("rgb"))
    pixels = array_of(block, "pixels", 4 if colour else 3)[:_MOST]
    if not pixels.size or (colour and pixels.shape[-1] != 3):
        return nothing(title, style)
    scale = scale_of(block)
    drawn = natural_of(pixels, scale) if colour else codes_of(pixels, scale)
    count, rows, columns = pixels.shape[:3]
    units, values = array_of(block, "units", 1), array_of(block, "values", 1)
    names = [whole(units[i] if i < len(units) else i) for i in range(count)]
    numbers = [number(float(values[i])) if i < len(values) else "" for i in range(count)]
    across, width, height = _tiles(count, rows, columns)
    size = 7.0
    widest = max(width_of(a, size) + width_of(b, size) for a, b in zip(names, numbers, strict=True))
    two = widest + 0.06 > width  # lines below each map
    below = 0.15 + 0.12 * two
    chosen = _channel(block.meta.get("unit"))
    high = -(-count // across) * (height + below + _GAP) - _GAP
    look = style.look

    def draw(sheet: Sheet) -> None:
        for i in range(count):
            x = i % across * (width + _GAP)
            y = i // across * (height + below + _GAP)
            box = (x, y, width, height)
            sheet.image(drawn[i], None if colour else scale, box, "map")
            if i < len(units) and chosen == units[i]:
                sheet.frame(box, look.series[0], 2.0, "chosen")
            sheet.write(x, y + height + 0.115, names[i], look.muted, size=size)
            at = y + height + (0.235 if two else 0.115)
            bad = i < len(values) and not np.isfinite(values[i])
            shade = look.error if bad else look.text
            sheet.write(x + width, at, numbers[i], shade, size=size, align="right")
        if not colour:
            sheet.scale(0, high, scale, drawn)
            return
        ends = block.meta.get("ends") or (scale.low, scale.high)
        three = Scale(float(ends[0]), float(ends[1]), grey=True)
        sheet.scale(0, high, three, codes_of(pixels, scale))

    return Part(high + SCALE, draw, _maps_notes(block, count, style))


def _tiles(count: int, rows: int, columns: int) -> tuple[int, float, float]:
    """Return how many maps stand side by side, and how large each is."""
    largest = 2.6 if columns >= 4 * rows else 1.2
    across, width, height = 1, largest, largest
    for width in np.arange(largest, 0.6, -0.02).tolist():
        across = max(1, int((ROOM + _GAP) / (width + _GAP)))
        height = min(max(width * rows / columns, 0.18), width * 1.5)
        if -(-count // across) * (height + 0.22) <= _TILES:
            break
    if count > across:
        width = (ROOM - _GAP * (across - 1)) / across
        height = min(max(width * rows / columns, 0.18), width * 1.5)
    return across, width, height


def _maps_notes(block: Block, count: int, style: Style) -> tuple[str, ...]:
    meta, language = block.meta, style.language
    notes = _notes(block, count, style)
    if isinstance(meta.get("input"), int):
        notes.append(f"{named('axis', 'input', language)} {meta['input']}")
    caption = meta.get("caption")
    if caption:
        words = named("caption", str(caption), language)
        notes.append(say("figure.caption", language, caption=words))
    return tuple(notes)


def _notes(block: Block, count: int, style: Style) -> list[str]:
    """Return words on what of the whole is drawn, and in which order."""
    meta, language = block.meta, style.language
    notes = []
    total = meta.get("count")
    if isinstance(total, int) and total > count:
        shown = {"shown": whole(count), "all": whole(total)}
        notes.append(say("ui.inspector.shown", language, **shown))
    if meta.get("sort") not in (None, "index"):
        notes.append(told(f"ui.inspector.sort.{meta['sort']}", language) or "")
    if isinstance(meta.get("depths"), int) and isinstance(meta.get("depth"), int):
        where = {"depth": whole(meta["depth"]), "depths": whole(meta["depths"])}
        notes.append(say("ui.inspector.slice", language, **where))
    if meta.get("reduced"):
        notes.append(say("ui.inspector.reduced", language))
    return [note for note in notes if note]


def _channel(unit: Any) -> int | None:
    first = unit[0] if isinstance(unit, (list, tuple)) and unit else unit
    return first if isinstance(first, int) else None


def map_part(block: Block, title: str, style: Style) -> Part:
    """Draw one map, large, with the chosen place framed."""
    pixels = array_of(block, "pixels", 2)
    if not pixels.size:
        return nothing(title, style)
    scale = scale_of(block)
    codes = codes_of(pixels, scale)
    rows, columns = pixels.shape
    side = min(3.0 / max(rows, columns), 0.35)
    # A strip of one row would be a hair: squareness gives way to what can be seen.
    width = max(side, 0.25 / columns) * columns
    height = max(side, 0.25 / rows) * rows
    place = _place(block, (rows, columns))
    words = _place_words(block, pixels, style)

    def draw(sheet: Sheet) -> None:
        sheet.image(codes, scale, (0, 0, width, height), "map")
        if place is not None:
            x, y, w, h = place
            box = (x * width, y * height, w * width, h * height)
            sheet.frame(box, style.look.series[1], 1.6, "chosen")
        sheet.scale(0, height, scale, codes)
        if words:
            sheet.write(0, height + SCALE + 0.75 * LINE, words, style.look.text)

    return Part(height + SCALE + LINE * bool(words), draw, tuple(_notes(block, 1 << 62, style)))


def _place(block: Block, drawn: tuple[int, int]) -> Box | None:
    """Return where the chosen place is, as shares of the map."""
    place, shape = block.meta.get("place"), block.meta.get("shape") or drawn
    if not isinstance(place, (list, tuple)) or len(place) != 2 or len(shape) != 2:
        return None
    rows, columns = shape
    return place[1] / columns, place[0] / rows, 1 / columns, 1 / rows


def _place_words(block: Block, pixels: np.ndarray, style: Style) -> str:
    place, value = block.meta.get("place"), block.meta.get("value")
    if not isinstance(place, (list, tuple)) or len(place) != 2:
        return ""
    row, column = (int(i) for i in place)
    if value is None and pixels.dtype != np.uint8 and not block.meta.get("reduced"):
        inside = row < pixels.shape[0] and column < pixels.shape[1]
        value = float(pixels[row, column]) if inside else None
    where = say("ui.inspector.place", style.language, row=whole(row), column=whole(column))
    if len(pixels) == 1:
        where = say("ui.inspector.position", style.language, column=whole(column))
    if value is None:
        return where
    form = signed if block.meta.get("signed") else number
    return say("ui.inspector.at", style.language, place=where, value=form(value))


def matrix_part(block: Block, title: str, style: Style) -> Part:
    """Draw a matrix, its rows and columns named."""
    pixels = array_of(block, "pixels", 2)
    if not pixels.size:
        return nothing(title, style)
    scale = scale_of(block)
    axes = [str(block.meta.get(axis) or axis[:-1]) for axis in ("rows", "columns")]
    return _matrix(
        codes_of(pixels, scale),
        scale,
        _names(block, "row", pixels.shape[0]),
        _names(block, "column", pixels.shape[1]),
        (_axes_words(axes, style), *_notes(block, 1 << 62, style)),
        style,
    )


def _matrix(
    codes: np.ndarray,
    scale: Scale,
    rows: Sequence[str],
    columns: Sequence[str],
    notes: tuple[str, ...],
    style: Style,
    *,
    square: bool = False,
) -> Part:
    rows, columns = [cut(n, 1.1, 7.5) for n in rows], [cut(n, 1.1, 7.5) for n in columns]
    left = max(width_of(name, 7.5) for name in rows) + 0.08
    numbers = all(name.replace(",", "").isdigit() for name in columns)
    below = 0.2 if numbers else max(width_of(name, 7.5) for name in columns) + 0.1
    across = min(0.24, (ROOM - left - 0.05) / len(columns))
    down = min(0.24, 3.8 / len(rows))
    if square:
        across = down = min(across, down)
    else:
        words = not all(name.replace(",", "").isdigit() for name in rows)
        down = min(down, max(across, 0.14 if words else 0.09))
    box = (left, 0.01, across * len(columns), down * len(rows))

    def draw(sheet: Sheet) -> None:
        sheet.image(codes, scale, box, "matrix")
        sheet.beside(box, rows, columns)
        sheet.scale(left, box[3] + below, scale, codes)

    return Part(box[3] + below + SCALE, draw, notes)


def _names(block: Block, axis: str, count: int) -> list[str]:
    labels = texts_of(block, f"{axis}_labels") or texts_of(block, "labels")
    numbers = array_of(block, f"{axis}_numbers", 1)
    return [
        labels[i] if i < len(labels) else whole(numbers[i] if i < len(numbers) else i)
        for i in range(count)
    ]


def _axes_words(axes: Sequence[str], style: Style) -> str:
    down, across = (named("axis", axis, style.language) for axis in axes)
    return f"↓ {down}   → {across}"


def attention_part(block: Block, title: str, style: Style) -> Part:
    """Draw how much each query looks at each key, head by head."""
    pixels = array_of(block, "pixels", 3)
    if not pixels.size:
        return nothing(title, style)
    scale = scale_of(block)
    codes = codes_of(pixels, scale)
    notes = (_axes_words(("query", "key"), style), *_notes(block, 1 << 62, style))
    heads, queries, keys = codes.shape
    if heads == 1:
        names = _names(block, "row", queries), _names(block, "column", keys)
        return _matrix(codes[0], scale, *names, notes, style, square=True)
    shown = min(heads, _MOST)
    if shown < heads:
        words = {"shown": whole(shown), "all": whole(heads)}
        notes = (*notes, say("ui.inspector.shown", style.language, **words))
    across = min(shown, 4 if shown <= 8 else 8)
    width = min((ROOM - _GAP * (across - 1)) / across, 2.6)
    height = min(max(width * queries / keys, 0.2), 1.5 * width)
    step = height + 0.2
    lines = -(-shown // across)

    def draw(sheet: Sheet) -> None:
        for head in range(shown):
            x, y = head % across * (width + _GAP), head // across * step
            sheet.image(codes[head], scale, (x, y, width, height), "head")
            name = say("ui.inspector.head", style.language, head=str(head))
            sheet.write(x, y + height + 0.125, name, style.look.muted, size=7.5)
        sheet.scale(0, lines * step, scale, codes)

    return Part(lines * step + SCALE, draw, notes)


def ridge_part(block: Block, title: str, style: Style) -> Part:
    """Draw histograms over the steps: upwards the value, as colour the share of the numbers."""
    counts = array_of(block, "counts", 2).astype(np.float64)
    steps, edges = array_of(block, "steps", 1), array_of(block, "edges", 1)
    if not counts.size or len(steps) != len(counts) or len(edges) != counts.shape[1] + 1:
        return nothing(title, style)
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0).T
    scale = _ridge_scale(shares)
    codes = codes_of(shares, scale)
    down, across = (named("axis", axis, style.language) for axis in ("value", "step"))
    high = 2.2

    def draw(sheet: Sheet) -> None:
        axes = sheet.chart((0.5, 0.02, ROOM - 0.6, high))
        axes.grid(False)
        x = _column_edges(steps)
        y = np.arange(len(codes) + 1.0)
        drawn = PcolorImage(axes, x, y, codes, cmap=colours_of(scale, style.dark), norm=NoNorm())
        drawn.set_label("ridge")
        axes.add_image(drawn)
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(0, len(codes))
        sheet.ticks(axes, *step_ticks(float(steps[0]), float(steps[-1])))
        places, words = value_ticks(edges, 5)
        axes.yaxis.set_major_locator(FixedLocator(places))
        axes.yaxis.set_major_formatter(FixedFormatter(words))
        sheet.finish(axes)
        sheet.scale(0.5, high + 0.24, scale, codes)

    return Part(high + 0.24 + SCALE, draw, (f"↑ {down}   → {across}",))


def _ridge_scale(shares: np.ndarray) -> Scale:
    bins = np.sort(shares, axis=0)  # of each step
    highest = float(bins[-1].max())
    following = float(bins[-2].max()) if len(bins) > 1 else 0.0
    # All the zeros behind a ReLU stand in one bin of each step: on a scale that reaches there,
    # little else can be seen.
    scale = Scale(0.0, highest, root=True)
    clips = following > 0 and highest > 4 * following
    return replace(scale, high=following, clipped=True) if clips else scale


def _column_edges(steps: np.ndarray) -> np.ndarray:
    """Each column reaches half-way to its neighbours, so that the axis is true to the steps."""
    places: np.ndarray = np.asarray(steps, np.float64)
    if len(places) == 1:
        return np.array([places[0] - 0.5, places[0] + 0.5])
    return np.concatenate([places[:1], (places[:-1] + places[1:]) / 2, places[-1:]])
