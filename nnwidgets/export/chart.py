"""One chart of a figure: curves, marks and axes, drawn on matplotlib axes.

Every property is set on its artist, whatever the user's rcParams say. Names are text: nothing in
them is read as mathematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from nnwidgets.export.lines import Lines
from nnwidgets.export.look import Look, families, tick
from nnwidgets.live.pyramid import clamp

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PLAIN", "PLOT_INCHES", "Chart", "Curve", "draw", "font", "grouped", "short"]

PLAIN: Final[dict[str, Any]] = {"parse_math": False, "usetex": False}
PLOT_INCHES: Final = (4.84, 1.75)  # width and height of the plot area

_EVENT_CHARACTER_INCHES = 0.07
_NAME_CHARACTERS = 32
_SPARSE = 40  # so few points get dots


@dataclass(frozen=True)
class Curve:
    """A series on a panel, prepared."""

    name: str
    label: str
    role: str
    colour: str
    text_colour: str
    lines: Lines
    last: float
    bad: int
    stepped: bool  # a value holds until the next one, and the last one until the end


@dataclass(frozen=True)
class Chart:
    """What stands on one pair of axes.

    Attributes
    ----------
    curves
        Drawn in this order.
    best
        The curve with the best point worth a mark, and the point; None if there is none.
    log
        Whether the y axis is logarithmic.
    """

    curves: Sequence[Curve]
    best: tuple[Curve, tuple[float, float]] | None
    log: bool


def draw(
    axes: Axes,
    chart: Chart,
    marks: Sequence[tuple[float, str]],
    extent: tuple[float, float],
    look: Look,
    *,
    words: bool,
) -> None:
    """Draw a chart.

    Parameters
    ----------
    axes
        Empty axes of `PLOT_INCHES`.
    chart
        What to draw.
    marks
        Steps and texts of what happened, from `grouped`.
    extent
        First and last step of the x axis.
    look
        Colours.
    words
        Whether to write the texts of the marks.
    """
    axes.set_facecolor(look.surface)
    if chart.log:
        axes.set_yscale("log", nonpositive="mask")
    for curve in chart.curves:
        _draw_curve(axes, curve, extent[1], look)
    if chart.best is not None:
        curve, (step, value) = chart.best
        axes.plot(
            [step],
            clamp(np.array([value])),
            linestyle="None",
            marker="o",
            markersize=6,
            markerfacecolor=look.surface,
            markeredgecolor=curve.colour,
            markeredgewidth=1.6,
            zorder=7,
        )
    _mark(axes, marks, extent, look, words)
    _dress(axes, look, extent)
    if not any(np.isfinite(curve.lines.y).any() for curve in chart.curves):
        axes.yaxis.set_major_locator(NullLocator())


def _draw_curve(axes: Axes, curve: Curve, end: float, look: Look) -> None:
    lines = curve.lines
    x, y = lines.x, lines.y
    if curve.stepped:
        x, y = np.append(x, end), np.append(y, y[-1])
    smooth = len(lines.smooth_x) > 0
    if len(lines.band_x):
        axes.fill_between(
            lines.band_x,
            lines.band_lo,
            lines.band_hi,
            color=curve.colour,
            alpha=0.16,
            linewidth=0,
            zorder=2,
        )
    axes.plot(
        x,
        y,
        color=curve.colour,
        linestyle="-",
        linewidth=0.8 if smooth else 1.3,
        alpha=0.38 if smooth else 1.0,
        marker="." if lines.points <= _SPARSE and not curve.stepped else "None",
        markersize=4,
        zorder=3,
    )
    if smooth:
        axes.plot(
            lines.smooth_x,
            lines.smooth_y,
            color=curve.colour,
            linestyle="-",
            linewidth=1.8,
            marker="None",
            zorder=4,
        )
    edges = ((lines.nan, "x", 0.03), (lines.inf, "^", 0.97), (lines.negative_inf, "v", 0.03))
    for steps, marker, height in edges:
        axes.plot(
            steps,
            np.full(len(steps), height),
            transform=axes.get_xaxis_transform(),
            linestyle="None",
            marker=marker,
            markersize=4,
            color=look.error,
            zorder=6,
        )


def _mark(
    axes: Axes,
    marks: Sequence[tuple[float, str]],
    extent: tuple[float, float],
    look: Look,
    words: bool,
) -> None:
    """Draw what happened as dashed lines, with its words on one of the charts."""
    first, last = extent
    for step, text in marks:
        axes.axvline(
            step, color=look.muted, linewidth=0.7, linestyle=(0, (3, 3)), alpha=0.7, zorder=1
        )
        if not words:
            continue
        inches = (last - step) / (last - first or 1.0) * PLOT_INCHES[0]
        fits = inches > _EVENT_CHARACTER_INCHES * len(text)
        axes.annotate(
            text,
            (step, 0.985),
            xycoords=axes.get_xaxis_transform(),
            xytext=(3 if fits else -3, 0),
            textcoords="offset points",
            ha="left" if fits else "right",
            va="top",
            color=look.muted,
            fontproperties=font(7.5),
            zorder=8,
            **PLAIN,
        )


def _dress(axes: Axes, look: Look, extent: tuple[float, float]) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.grid(False)
    axes.grid(True, axis="y", color=look.line, linewidth=0.8, linestyle="-")
    axes.set_axisbelow(True)
    axes.margins(y=0.06)
    first, last = extent
    margin = 0.01 * (last - first) or 0.5
    axes.set_xlim(first - margin, last + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _step(value)))
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        low, high = axes.get_ylim()
        if high / low < 100:  # too few powers of ten to read anything from
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(
        length=0,
        colors=look.muted,
        pad=4,
        labelleft=True,
        labelbottom=True,
        labelright=False,
        labeltop=False,
        labelrotation=0,
    )
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_fontproperties(font(8))
        label.set(**PLAIN)


def grouped(
    events: Sequence[tuple[float | None, str]], extent: tuple[float, float]
) -> list[tuple[float, str]]:
    """Join events whose words would be written over one another."""
    first, last = extent
    inch = (last - first) / PLOT_INCHES[0]
    groups: list[tuple[float, str, int]] = []
    free_from = -np.inf
    for step, text in sorted((float(step), text) for step, text in events if step is not None):
        if not first <= step <= last:
            continue
        if step < free_from:
            groups[-1] = (*groups[-1][:2], groups[-1][2] + 1)
        else:
            groups.append((step, short(text), 0))
            free_from = step + (_EVENT_CHARACTER_INCHES * len(groups[-1][1]) + 0.3) * inch
    return [(step, f"{text} +{more}" if more else text) for step, text, more in groups]


def _step(value: float) -> str:
    return f"{value:,.0f}".replace("-", "−") if abs(value) < 1e6 else tick(value)


def font(size: float, weight: str = "normal") -> FontProperties:
    """Return the font of all figures, `size` in points."""
    return FontProperties(family=list(families()), size=size, weight=weight)


def short(text: str, most: int = _NAME_CHARACTERS) -> str:
    """Return one line of at most so many characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"
