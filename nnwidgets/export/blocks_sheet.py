"""What the parts of a blocks figure are drawn on: a sheet measured in inches, from its top left.

Text stands on its baseline. Everything is set on the artists, whatever rcParams say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import NoNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import MARKS, Scale, codes_of, colours_of
from nnwidgets.export.blocks_words import (
    SIZE,
    clean,
    properties,
    signed,
    stride,
    whole,
    width_of,
    wrapped,
)
from nnwidgets.export.chart import PLAIN, font
from nnwidgets.export.look import Look, number, tick
from nnwidgets.probe.blocks import Block

__all__ = [
    "LINE",
    "ROOM",
    "SCALE",
    "Box",
    "Part",
    "Sheet",
    "Style",
    "array_of",
    "nothing",
    "sentence",
    "texts_of",
]

ROOM: Final = 8.2
"""Width of a sheet, in inches."""
LINE: Final = 0.175
"""Height of a line of words."""
SCALE: Final = 0.24
"""Height of a colour scale, the space above it included."""

_BAR: Final = 1.3  # width of a colour scale
_SMALLEST_MARK: Final = 0.07  # cells that have a sign of their own are at least so large
_MOST_MARKS: Final = 2000
_GAP: Final = 0.16

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


@dataclass(frozen=True)
class Style:
    """How a figure is drawn."""

    look: Look
    dark: bool
    language: str

    @property
    def signs(self) -> tuple[str, str]:
        """Colours of bars below zero and above."""
        return ("#6cabf2", "#f08066") if self.dark else ("#2f72c4", "#c8442f")


@dataclass(frozen=True)
class Part:
    """One block, ready to be drawn.

    Attributes
    ----------
    height
        In inches.
    draw
        Draws on a sheet of that height.
    notes
        A few words beside the title.
    headed
        Whether the title of the block stands above it.
    """

    height: float
    draw: Callable[[Sheet], None]
    notes: tuple[str, ...] = ()
    headed: bool = True


class Sheet:
    """A part of a figure.

    Parameters
    ----------
    figure
        Where it is.
    style
        Of the figure.
    box
        Where it is, in inches from the top left of the figure.
    label
        Of its axes.
    """

    def __init__(self, figure: Figure, style: Style, box: Box, label: str) -> None:
        self.figure, self.style, self.box, self.label = figure, style, box, label
        self.axes = self._axes(box, label)
        self.axes.set_axis_off()
        self.axes.set_autoscale_on(False)
        self.axes.set_xlim(0, box[2])
        self.axes.set_ylim(box[3], 0)

    def _axes(self, box: Box, label: str) -> Axes:
        left, top, width, height = box
        across, high = self.figure.get_size_inches()
        place = (left / across, 1 - (top + height) / high, width / across, height / high)
        axes: Axes = self.figure.add_axes(place, label=label)
        return axes

    def write(
        self,
        x: float,
        y: float,
        text: object,
        colour: str,
        *,
        size: float = SIZE,
        weight: str = "normal",
        align: str = "left",
        mono: bool = False,
        turned: bool = False,
    ) -> float:
        """Write a line on a baseline, and return how wide it is."""
        line = clean(text)
        if line:
            self.axes.text(
                x,
                y,
                line,
                ha=align,
                va="top" if turned else "baseline",
                rotation=90 if turned else 0,
                color=colour,
                fontproperties=properties(size, weight, mono),
                **PLAIN,
            )
        return width_of(line, size, weight, mono)

    def fill(self, boxes: Sequence[Box], colours: Sequence[str] | str, label: str = "") -> None:
        """Fill rectangles, as one collection."""
        patches = [Rectangle((x, y), width, height) for x, y, width, height in boxes]
        drawn = PatchCollection(patches, facecolors=colours, linewidths=0, label=label)
        self.axes.add_collection(drawn, autolim=False)

    def frame(self, box: Box, colour: str, width: float = 0.6, label: str = "") -> None:
        """Draw a rectangle around a box; `width` in points."""
        x, y, across, down = box
        patch = Rectangle(
            (x, y), across, down, fill=False, edgecolor=colour, linewidth=width, label=label
        )
        patch.set_clip_on(False)
        self.axes.add_patch(patch)

    def rule(self, y: float, left: float, right: float) -> None:
        """Draw a hair line across."""
        self.axes.plot(
            [left, right], [y, y], color=self.style.look.line, linewidth=0.8, linestyle="-",
            marker="None",
        )  # fmt: skip

    def image(self, pixels: np.ndarray, scale: Scale | None, box: Box, label: str) -> None:
        """Draw codes as colours, or natural colours (without a scale), each a sharp rectangle.

        Cells that are not finite also have signs, if they are large enough.
        """
        x, y, width, height = box
        drawn = AxesImage(
            self.axes,
            cmap=None if scale is None else colours_of(scale, self.style.dark),
            norm=NoNorm(),
            interpolation="none",
            origin="upper",
            extent=(x, x + width, y + height, y),
        )
        drawn.set_label(label)
        drawn.set_data(pixels)
        self.axes.add_image(drawn)
        self.frame(box, self.style.look.line)
        if scale is not None:
            self._sign(pixels, box)

    def _sign(self, codes: np.ndarray, box: Box) -> None:
        x, y, width, height = box
        rows, columns = codes.shape
        cell = min(width / columns, height / rows)
        if cell < _SMALLEST_MARK:
            return
        for name, (code, _, marker) in MARKS.items():
            at = np.argwhere(codes == code)[:_MOST_MARKS]
            if len(at):
                self.axes.plot(
                    x + (at[:, 1] + 0.5) * width / columns,
                    y + (at[:, 0] + 0.5) * height / rows,
                    linestyle="None",
                    marker=marker,
                    markersize=min(cell * 72 * 0.5, 8),
                    markeredgewidth=max(0.6, min(cell * 72 / 9, 1.4)),
                    color="#000000",
                    label=name,
                )

    def scale(self, x: float, y: float, scale: Scale, codes: np.ndarray) -> None:
        """State a colour scale, and how many numbers have no place on it, below `y`."""
        look = self.style.look
        ends = _ends(scale)
        base, bar = y + SCALE - 0.06, (SCALE - 0.15, 0.09)
        x += self.write(x, base, ends[0], look.muted, size=8) + 0.06
        steps = np.arange(251, dtype=np.uint8)[np.newaxis]
        if not scale.high > scale.low:  # one number has one colour
            steps = codes_of(np.array([[scale.low]]), scale)
        self.image(steps, scale, (x, y + bar[0], _BAR, bar[1]), "scale")
        x += _BAR + 0.06
        x += self.write(x, base, ends[1], look.muted, size=8) + _GAP
        if scale.root:
            middle = number(scale.low + (scale.high - scale.low) / 4)
            words = say("ui.inspector.scale.root", self.style.language, middle=middle)
            x += self.write(x, base, words, look.muted, size=8) + _GAP
        for name, (code, colour, marker) in MARKS.items():
            count = int((codes == code).sum())
            if not count:
                continue
            side = 0.12
            self.fill([(x, y + bar[0] - 0.015, side, side)], colour, f"scale {name}")
            self.axes.plot(
                [x + side / 2], [y + bar[0] - 0.015 + side / 2], marker=marker, markersize=4,
                color="#000000", markeredgewidth=0.8, linestyle="None",
            )  # fmt: skip
            words = say(f"ui.inspector.mark.{name}", self.style.language, count=whole(count))
            x += side + 0.05
            x += self.write(x, base, words, look.text, size=8) + _GAP

    def chart(self, box: Box) -> Axes:
        """Return axes with a grid for values, in a box whose margins hold their numbers."""
        look = self.style.look
        left, top, width, height = box
        axes = self._axes((self.box[0] + left, self.box[1] + top, width, height), self.label)
        axes.set_facecolor(look.surface)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.grid(False)
        axes.grid(True, axis="y", color=look.line, linewidth=0.8, linestyle="-")
        axes.set_axisbelow(True)
        axes.margins(x=0, y=0.06)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
        axes.tick_params(
            length=0,
            colors=look.muted,
            pad=3,
            labelleft=True,
            labelbottom=True,
            labelright=False,
            labeltop=False,
            labelrotation=0,
        )
        return axes

    @staticmethod
    def ticks(axes: Axes, places: Sequence[float], words: Sequence[str]) -> None:
        """Write words at places of the x axis."""
        axes.xaxis.set_major_locator(FixedLocator(list(places)))
        axes.set_xticklabels(list(words))

    @staticmethod
    def finish(axes: Axes) -> None:
        """Give the numbers beside the axes their font, once all is drawn."""
        for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            label.set_fontproperties(font(7.5))
            label.set(**PLAIN)

    def beside(self, box: Box, rows: Sequence[str], columns: Sequence[str]) -> None:
        """Name the rows and columns of a field, as many as there is room for."""
        x, y, width, height = box
        muted = self.style.look.muted
        if rows:
            size = height / len(rows)
            for row in range(0, len(rows), stride(size, 0.13)):
                at = y + (row + 0.5) * size + 0.037
                self.write(x - 0.06, at, rows[row], muted, size=7.5, align="right")
        if not columns:
            return
        size = width / len(columns)
        numbers = all(name.replace(",", "").isdigit() for name in columns)
        if not numbers:
            for column in range(0, len(columns), stride(size, 0.13)):
                middle = x + (column + 0.5) * size
                self.write(
                    middle, y + height + 0.05, columns[column], muted,
                    size=7.5, align="center", turned=True,
                )  # fmt: skip
            return
        needed = max(width_of(name, 7.5) for name in columns) + 0.1
        for column in range(0, len(columns), stride(size, needed)):
            middle = x + (column + 0.5) * size
            self.write(middle, y + height + 0.14, columns[column], muted, size=7.5, align="center")


def _ends(scale: Scale) -> tuple[str, str]:
    form = signed if scale.signed or scale.low < 0 else number
    return form(scale.low), ("≥ " if scale.clipped else "") + form(scale.high)


def array_of(block: Block, name: str, dims: int) -> np.ndarray:
    """Return an array of a block; an empty one where it is missing or of other dimensions."""
    found = block.arrays.get(name)
    if found is None or np.ndim(found) != dims:
        return np.zeros((0,) * dims, np.float32)
    return np.asarray(found)


def texts_of(block: Block, name: str) -> list[str]:
    """Return a list of words of a block; an empty one where it is missing."""
    found = block.meta.get(name)
    return [str(text) for text in found] if isinstance(found, (list, tuple)) else []


def nothing(title: str, style: Style) -> Part:
    """Say that a block holds no numbers."""
    lines = wrapped(say("ui.inspector.bars.none", style.language, title=title), ROOM)
    return sentence(lines, style.look.muted)


def sentence(lines: Sequence[str], colour: str) -> Part:
    """Write lines of words, without a title."""

    def draw(sheet: Sheet) -> None:
        for i, line in enumerate(lines):
            sheet.write(0, (i + 0.75) * LINE, line, colour)

    return Part(len(lines) * LINE, draw, headed=False)
