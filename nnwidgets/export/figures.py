"""The curves of a run as a matplotlib figure.

Built on Figure and FigureCanvasAgg, never pyplot, and with every property set on its artist, never
through rcParams: a figure may be drawn on any thread while the user's notebook draws its own.
Names are text: nothing in them is read as mathematics.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, OffsetBox, TextArea, VPacker
from matplotlib.transforms import Transform

from nnwidgets.catalogue import text as say
from nnwidgets.export.chart import PLAIN, PLOT_INCHES, Chart, Curve, draw, font, grouped, short
from nnwidgets.export.lines import lines_of, weight_for
from nnwidgets.export.look import DARK, LIGHT, Look, has_chinese, number, series_colours
from nnwidgets.export.shown import ShownFigure
from nnwidgets.live.history import CurveView, History

__all__ = ["Panel", "curves_figure", "to_png", "to_svg"]

_BUCKETS = 600
# Inches around the plot area of a chart, and the title of the figure.
_LEFT, _RIGHT, _BELOW, _GAP, _TITLE = 0.62, 0.14, 0.36, 0.16, 0.42
_COLUMN = _LEFT + PLOT_INCHES[0] + _RIGHT
_HEADER_LINE = 0.2
_HEADER_SEPARATOR = 0.11
_CHARACTER = {"normal": 0.078, "bold": 0.088}


@dataclass(frozen=True)
class Panel:
    """One chart: series that share a y axis.

    Attributes
    ----------
    title
        Above the chart.
    names
        Series, in the order in which they are drawn.
    roles
        ``"train"``, ``"val"``, ``"test"`` or ``""`` for each; decides the colour.
    higher
        Whether higher values are better; None if that is unknown, and no best is marked.
    kind
        ``"metric"``, ``"grad"`` or ``"lr"`` (drawn as steps).
    """

    title: str
    names: tuple[str, ...]
    roles: tuple[str, ...] = ()
    higher: bool | None = None
    kind: str = "metric"


def curves_figure(
    history: History,
    *,
    panels: Sequence[Panel],
    events: Sequence[tuple[float | None, str]] = (),
    title: str = "",
    smoothing: float = 0.0,
    log_y: bool = False,
    dark: bool = False,
    language: str = "en",
) -> Figure:
    """Draw the curves of a run as small multiples.

    Parameters
    ----------
    history
        Where the series are. A million points draw as fast as a thousand, and no extreme is
        lost.
    panels
        What to draw, see `Panel`.
    events
        Step and text of what happened; one without a step is left out.
    title
        Above everything.
    smoothing
        Weight of the past in the moving average, from 0 (none) to below 1. The raw curve stays,
        faint.
    log_y
        Logarithmic y axes, where a panel has positive values.
    dark
        On a dark ground.
    language
        Of the few words in the figure.

    Raises
    ------
    ValueError
        If `smoothing` is not from 0 to below 1.
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be at least 0 and below 1, not {smoothing!r}.")
    if not has_chinese():
        language = "en"
    look = DARK if dark else LIGHT
    charts = _charts(history, panels, smoothing, log_y, look)
    heads = [
        _header(panel.title, chart, look, language)
        for panel, chart in zip(panels, charts, strict=True)
    ]
    extent = _extent(charts)
    marks = grouped(events, extent)

    columns = min(2, max(1, len(panels)))
    head_heights = [
        max(map(len, heads[first : first + columns])) * _HEADER_LINE
        for first in range(0, len(panels), columns)
    ]
    top = _TITLE if title else _GAP
    row_heights = [head + PLOT_INCHES[1] + _BELOW + _GAP for head in head_heights]
    width, height = columns * _COLUMN, top + (sum(row_heights) or 1.0)
    figure = ShownFigure(figsize=(width, height), facecolor=look.surface)
    figure.set_layout_engine("none")  # whatever rcParams say
    FigureCanvasAgg(figure)
    if title:
        words = _text(short(title, 90), look.text, 12, "bold")
        place = (_LEFT / width, 1 - 0.1 / height)
        figure.add_artist(_anchored(words, "upper left", place, figure.transFigure))
    if not panels:
        words = _text(say("figure.empty", language), look.muted, 10)
        figure.add_artist(_anchored(words, "center", (0.5, 0.5), figure.transFigure))
    for i, (chart, head) in enumerate(zip(charts, heads, strict=True)):
        row, column = divmod(i, columns)
        bottom = height - top - sum(row_heights[:row]) - head_heights[row] - PLOT_INCHES[1]
        left = column * _COLUMN + _LEFT
        axes = figure.add_axes(
            (left / width, bottom / height, PLOT_INCHES[0] / width, PLOT_INCHES[1] / height)
        )
        draw(axes, chart, marks, extent, look, words=i == 0)
        box = VPacker(children=head, pad=0, sep=2)
        axes.add_artist(_anchored(box, "lower left", (0, 1.03), axes.transAxes))
    return figure


def to_png(figure: Figure, dpi: float = 160) -> bytes:
    """Return the figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor=figure.get_facecolor())
    return buffer.getvalue()


def to_svg(figure: Figure) -> bytes:
    """Return the figure as an SVG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", facecolor=figure.get_facecolor())
    return buffer.getvalue()


# --- preparing ---------------------------------------------------------------------------


def _charts(
    history: History, panels: Sequence[Panel], smoothing: float, log_y: bool, look: Look
) -> list[Chart]:
    views = [history.view(panel.names, buckets=_BUCKETS) for panel in panels]
    densest = max((int(count) for view in views for count in view.count), default=1)
    charts = []
    for panel, view in zip(panels, views, strict=True):
        log = log_y and bool((view.hi > 0).any())
        weights = [weight_for(int(count), densest, smoothing) for count in view.count]
        curves = _curves(history, panel, view, weights, log, look)
        charts.append(Chart(curves, _best(history, panel, curves), log))
    return charts


def _curves(
    history: History, panel: Panel, view: CurveView, weights: list[float], log: bool, look: Look
) -> list[Curve]:
    roles = panel.roles or ("",) * len(panel.names)
    colours = series_colours(roles, panel.kind)
    # Beside "loss", the pair is called train and val, unless that would name two series alike.
    distinct = len(set(roles)) == len(roles) and "" not in roles
    curves = []
    for i, (name, role, colour) in enumerate(zip(panel.names, roles, colours, strict=True)):
        label = "" if panel.names == (panel.title,) else short(role if distinct else name)
        stepped = panel.kind == "lr"
        lines = lines_of(view, view.part(i), weight=weights[i], log=log, stepped=stepped)
        last, bad = history.last(name)[1], history.bad(name)
        shades = look.series[colour], look.series_text[colour]
        curves.append(Curve(name, label, role, *shades, lines, last, bad, stepped))
    return curves


def _best(
    history: History, panel: Panel, curves: list[Curve]
) -> tuple[Curve, tuple[float, float]] | None:
    """Find the best point worth a mark: validation's, where there is one; never training's."""
    if panel.higher is None or panel.kind != "metric":
        return None
    for roles in (("val", "test"), ("",)):
        for curve in curves:
            if curve.role in roles:
                step, value = history.best(curve.name, panel.higher)
                return None if np.isnan(step) else (curve, (step, value))
    return None


def _header(title: str, chart: Chart, look: Look, language: str) -> list[Artist]:
    """Lines of coloured words above a chart."""
    words = [(short(title), look.text, "normal")]
    for curve in chart.curves:
        words.append((f"{curve.label} {number(curve.last)}", curve.text_colour, "bold"))
    if chart.best is not None:
        _, (step, value) = chart.best
        sentence = say("figure.best", language, value=number(value), step=f"{step:,}")
        words.append((sentence, look.muted, "normal"))
    for curve in chart.curves:
        if curve.bad:
            sentence = say("figure.bad", language, count=f"{curve.bad:,}", name=curve.label)
            words.append((sentence, look.error, "normal"))
    lines: list[list[Artist]] = []
    used = 0.0
    for string, colour, weight in words:
        string = string.strip()
        inches = len(string) * _CHARACTER[weight]
        if not lines or used + inches > PLOT_INCHES[0]:
            lines.append([])
            used = 0.0
        lines[-1].append(_text(string, colour, 9, weight))
        used += inches + _HEADER_SEPARATOR
    separator = _HEADER_SEPARATOR * 72
    return [HPacker(children=line, pad=0, sep=separator, align="baseline") for line in lines]


def _extent(charts: list[Chart]) -> tuple[float, float]:
    """First and last step of everything."""
    ends = [
        end for chart in charts for curve in chart.curves for end in curve.lines.x[[0, -1]].tolist()
    ]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def _text(string: str, colour: str, size: float, weight: str = "normal") -> TextArea:
    properties = {"color": colour, "fontproperties": font(size, weight), **PLAIN}
    return TextArea(string, textprops=properties)


def _anchored(
    child: OffsetBox, location: str, at: tuple[float, float], transform: Transform
) -> AnchoredOffsetbox:
    return AnchoredOffsetbox(
        location,
        child=child,
        pad=0,
        borderpad=0,
        frameon=False,
        bbox_to_anchor=at,
        bbox_transform=transform,
    )
