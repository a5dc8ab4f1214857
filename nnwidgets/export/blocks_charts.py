"""Numbers as charts: bars, a histogram, curves."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_rows import Row, rows_part
from nnwidgets.export.blocks_sheet import (
    LINE,
    ROOM,
    Part,
    Sheet,
    Style,
    array_of,
    nothing,
    texts_of,
)
from nnwidgets.export.blocks_words import cut, flow, named, stride, told, whole, width_of
from nnwidgets.export.look import number, tick
from nnwidgets.probe.blocks import Block

__all__ = ["bars_part", "histogram_part", "lines_part", "step_ticks", "value_ticks"]

_LEFT: Final = 0.5
_WIDTH: Final = ROOM - _LEFT - 0.1
_BELOW: Final = 0.24
_ROWS: Final = 24  # so many named bars are rows
_APART: Final = 160  # so many bars are drawn one by one
_LARGEST: Final = 1e300  # beyond this matplotlib's own arithmetic overflows


def value_ticks(edges: np.ndarray, most: int) -> tuple[list[float], list[str]]:
    """Return round values between the first and last of evenly spaced edges.

    Returns
    -------
    tuple of list
        Where they are, counted in bins, and how they are written.
    """
    low, high = (float(end) for end in np.clip(edges[[0, -1]], -_LARGEST, _LARGEST))
    bins = len(edges) - 1
    if not low < high:
        return ([bins / 2], [tick(low)]) if np.isfinite(low) else ([], [])
    locator = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10])
    values = [v for v in locator.tick_values(low, high) if low <= v <= high]
    # Rounding leaves a hair where zero is meant.
    values = [0.0 if abs(v) < (high / 2 - low / 2) * 1e-9 else float(v) for v in values]
    return [(v / 2 - low / 2) / (high / 2 - low / 2) * bins for v in values], [*map(tick, values)]


def step_ticks(first: float, last: float) -> tuple[list[float], list[str]]:
    """Return round steps between two of them, and how they are written."""
    locator = MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10], integer=True)
    shown = [float(v) for v in locator.tick_values(first, last) if first <= v <= last]
    return shown, [whole(v) if abs(v) < 1e6 else tick(v) for v in shown]


def bars_part(block: Block, title: str, style: Style) -> Part:
    """Draw a bar for each value, up from zero or down; a few with names as rows."""
    values = array_of(block, "values", 1).astype(np.float64)
    if not values.size:
        return nothing(title, style)
    labels = texts_of(block, "labels")
    if labels and len(values) <= _ROWS:
        names = [labels[i] if i < len(labels) else whole(i) for i in range(len(values))]
        rows = [Row(name, (float(v),)) for name, v in zip(names, values, strict=True)]
        return rows_part(rows, style)
    units = array_of(block, "units", 1)
    numbers = (units if len(units) == len(values) else np.arange(len(values))).tolist()
    high = 1.5

    def draw(sheet: Sheet) -> None:
        axes = sheet.chart((_LEFT, 0.04, _WIDTH, high))
        _draw_bars(axes, values, style)
        chosen = block.meta.get("unit")
        if isinstance(chosen, int) and chosen in numbers:
            place = numbers.index(chosen)
            axes.axvspan(
                place, place + 1, facecolor=style.look.series[1], alpha=0.3, linewidth=0,
                zorder=1, label="chosen",
            )  # fmt: skip
        every = stride(_WIDTH / len(values), max(width_of(whole(n), 7.5) for n in numbers) + 0.14)
        places = range(0, len(values), every)
        sheet.ticks(axes, [p + 0.5 for p in places], [whole(numbers[p]) for p in places])
        sheet.finish(axes)

    return Part(high + 0.04 + _BELOW, draw, _bars_notes(block, len(values), style))


def _bars_notes(block: Block, count: int, style: Style) -> tuple[str, ...]:
    notes = []
    total = block.meta.get("count")
    if isinstance(total, int) and total > count:
        shown = {"shown": whole(count), "all": whole(total)}
        notes.append(say("ui.inspector.shown", style.language, **shown))
    if block.meta.get("sort") not in (None, "index"):
        notes.append(told(f"ui.inspector.sort.{block.meta['sort']}", style.language) or "")
    return tuple(note for note in notes if note)


def _draw_bars(axes: Axes, values: np.ndarray, style: Style) -> None:
    finite = np.where(np.isfinite(values), values, np.nan)
    colour = style.look.series[0]
    count = len(values)
    if count <= _APART:
        axes.bar(np.arange(count) + 0.5, finite, width=0.84, color=colour, linewidth=0, zorder=2)
    else:  # the line makes a single bar among thousands visible
        axes.stairs(
            finite, np.arange(count + 1), fill=True, facecolor=colour, edgecolor=colour,
            linewidth=0.5, zorder=2,
        )  # fmt: skip
    axes.axhline(0, color=style.look.muted, linewidth=0.7, linestyle="-", marker="None", zorder=3)
    axes.set_xlim(0, count)
    _mark(axes, np.arange(count) + 0.5, values, style)
    if np.isnan(finite).all():
        axes.yaxis.set_major_locator(NullLocator())


def _mark(axes: Axes, places: np.ndarray, values: np.ndarray, style: Style) -> None:
    """Mark at the edge what has no place between the others."""
    kinds = (
        ("nan", np.isnan(values), "x", 0.04),
        ("plus", np.isposinf(values), "^", 0.96),
        ("minus", np.isneginf(values), "v", 0.04),
    )
    for name, bad, marker, height in kinds:
        if bad.any():
            axes.plot(
                places[bad],
                np.full(int(bad.sum()), height),
                transform=axes.get_xaxis_transform(),
                linestyle="None",
                marker=marker,
                markersize=4,
                color=style.look.error,
                label=name,
                zorder=6,
            )


def histogram_part(block: Block, title: str, style: Style) -> Part:
    """Draw how many numbers lie between two edges."""
    counts, edges = array_of(block, "counts", 1), array_of(block, "edges", 1)
    if not counts.size or len(edges) != len(counts) + 1:
        return nothing(title, style)
    high = 1.3

    def draw(sheet: Sheet) -> None:
        axes = sheet.chart((_LEFT, 0.04, _WIDTH, high))
        colour = style.look.series[0]
        # Counted in bins, so that edges at the ends of all floats can be drawn as well.
        places = np.arange(len(counts) + 1)
        drawn = counts.astype(np.float64)
        axes.stairs(drawn, places, fill=True, facecolor=colour, alpha=0.22, linewidth=0)
        axes.stairs(drawn, places, color=colour, linewidth=1.1)
        axes.set_xlim(0, len(counts))
        axes.set_ylim(0, max(1.0, float(drawn.max())) * 1.06)
        sheet.ticks(axes, *value_ticks(edges, 8))
        sheet.finish(axes)

    return Part(high + 0.04 + _BELOW, draw)


def lines_part(block: Block, title: str, style: Style) -> Part:
    """Draw curves that share their axes, each named with its last value."""
    values, steps = array_of(block, "values", 2).astype(np.float64), array_of(block, "steps", 1)
    if not values.size or values.shape[1] != len(steps):
        return nothing(title, style)
    given = texts_of(block, "names")
    axis = block.meta.get("x")
    names = [given[i] if i < len(given) else str(i) for i in range(len(values))]
    # The last place of a sequence is no newest value, and one line needs no name.
    legend = [
        cut(name if axis else f"{name}  {number(float(row[-1]))}", 3.0, weight="bold")
        for name, row in zip(names, values, strict=True)
    ]
    if axis and len(values) == 1:
        legend = []
    places = flow([width_of(words, weight="bold") for words in legend], ROOM, 0.2)
    top = (places[-1][0] + 1) * LINE + 0.04 if places else 0.0
    high = 1.5
    look = style.look

    def draw(sheet: Sheet) -> None:
        for i, (words, (row, x)) in enumerate(zip(legend, places, strict=True)):
            shade = look.series_text[i % len(look.series_text)]
            sheet.write(x, (row + 0.75) * LINE, words, shade, weight="bold")
        axes = sheet.chart((_LEFT, top + 0.04, _WIDTH, high))
        for i, row in enumerate(values):
            finite = np.where(np.isfinite(row), row, np.nan)
            axes.plot(
                steps,
                finite,
                color=look.series[i % len(look.series)],
                linestyle="-",
                linewidth=1.4,
                # A point without neighbours would be no line at all.
                marker="." if len(steps) <= 40 else "None",
                markersize=4,
                label=names[i] if not names[i].startswith("_") else f" {names[i]}",
            )
            _mark(axes, steps, row, style)
        first, last = float(steps.min()), float(steps.max())
        margin = 0.01 * (last - first) or 0.5
        axes.set_xlim(first - margin, last + margin)
        sheet.ticks(axes, *step_ticks(first, last))
        if not np.isfinite(values).any():
            axes.yaxis.set_major_locator(NullLocator())
        sheet.finish(axes)

    note = f"→ {named('axis', str(axis or 'step'), style.language)}"
    return Part(top + 0.04 + high + _BELOW, draw, (note,))
