"""The picture of a DecisionBoundaryPlot: the surface, its lines, the points, the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from nnwidgets.export.blocks_colours import MARKS, Scale, codes_of, palette
from nnwidgets.export.blocks_sheet import Part, Sheet, Style
from nnwidgets.export.blocks_words import cut, properties, whole
from nnwidgets.export.boundary_reading import NO_LABEL, Dots, Field, Said, numbers_of
from nnwidgets.export.chart import PLAIN
from nnwidgets.export.class_colours import FLAT, class_colour, strengths, tinted
from nnwidgets.export.look import tick
from nnwidgets.probe.blocks import decode

__all__ = ["MARKERS", "picture_of", "shades_of", "surface_part"]

Floats = NDArray[np.float64]

MARKERS: Final = {"train": "o", "test": "^"}
"""Signs of the points that are learned from, and of those that are not."""

_LEFT: Final = 0.56  # room for the numbers beside the picture
_BELOW: Final = 0.38
_HIGHEST: Final = 4.5
_MARGIN: Final = 0.06  # of the picture: levels are not written so near to its edge
_FAINTEST: Final = 0.15  # points far from what is shown can still be found
_SIZES: Final = ((150, 5.2), (600, 4.2), (1500, 3.2))  # so many points, diameter in points
_SMALLEST: Final = 2.4


def picture_of(field: Field, dark: bool) -> Floats:
    """Return the colours of a surface, (rows, columns, 3) from 0 to 1, the bottom row first."""
    codes = field.value
    if field.palette in ("classes", "labels"):
        assert field.label is not None
        known = field.label != NO_LABEL
        labels = np.where(known, field.label, 0)
        low, high = field.ends
        strength = np.full(labels.shape, FLAT)
        if field.palette == "classes" and codes is not None:
            strength = strengths(decode(codes, low, high), low)
        colours = tinted(labels, np.nan_to_num(strength), dark)
        colours[~known] = to_rgb(MARKS["nan"][1])
    else:
        assert codes is not None
        scale = scale_of(field)
        colours = np.asarray(palette(scale.signed, dark)(codes_of(codes, scale)))[..., :3]
    if codes is not None:
        for code, colour, _ in MARKS.values():
            colours[codes == code] = to_rgb(colour)
    return colours


def scale_of(field: Field) -> Scale:
    """Return what the colours of a surface stand for, where they are not those of classes."""
    low, high = field.ends
    return Scale(low, high, field.palette == "diverging")


def shades_of(dots: Dots, field: Field, style: Style) -> Floats:
    """Return the colours of the points, (n, 4): of their class, or of their value.

    Values are coloured on the scale of the surface, so that a point that disappears in it is one
    that the model hits. Where the surface shows something else they have the colour of the ground.
    """
    look = style.look
    if field.of_classes:
        every = [to_rgba(class_colour(k, style.dark)) for k in range(NO_LABEL)]
        colours = np.array([*every, to_rgba(look.muted)])[dots.y.astype(np.uint8)]
    elif field.said.word("unit") == "value" and dots.y.size:
        scale = scale_of(field)
        codes = codes_of(dots.y.astype(np.float64), scale)
        colours = np.asarray(palette(scale.signed, style.dark)(codes))
    else:
        colours = np.tile(to_rgba(look.surface), (len(dots.y), 1))
    colours = np.array(colours.reshape(-1, 4), np.float64)
    colours[:, 3] = _opacity(dots)
    return colours


def _opacity(dots: Dots) -> Floats:
    return _FAINTEST + (1 - _FAINTEST) * dots.near


def surface_part(
    field: Field,
    dots: Dots,
    style: Style,
    width: float,
    *,
    point: Said,
    rules: Said,
) -> Part:
    """Draw the picture in a box that is `width` inches wide, its numbers and names included."""
    rows, columns = (field.label if field.label is not None else field.value).shape  # type: ignore[union-attr]
    across = width - _LEFT
    down = min(across * min(max(rows / columns, 0.4), 1.0), _HIGHEST)

    def draw(sheet: Sheet) -> None:
        axes = sheet.chart((_LEFT, 0.0, across, down))
        axes.grid(False)
        axes.set_label("surface")
        left, right, bottom, top = field.rectangle
        axes.set_autoscale_on(False)
        _image(axes, picture_of(field, style.dark), field.rectangle)
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        _lines(axes, field, style)
        if rules.state in ("ready", "stale"):
            _boxes(axes, rules, style)
        _points(axes, dots, field, style)
        if point.state in ("ready", "stale"):
            _chosen(axes, point, style)
        _name(axes, field, style, (across, down))
        sheet.frame((_LEFT, 0.0, across, down), style.look.line)
        sheet.finish(axes)

    return Part(down + _BELOW, draw)


def _image(axes: Axes, colours: Floats, rectangle: tuple[float, float, float, float]) -> None:
    """Draw each place as a cell around it: the outermost ones are in the middle of theirs."""
    left, right, bottom, top = rectangle
    rows, columns = colours.shape[:2]
    half = (right - left) / max(columns - 1, 1) / 2, (top - bottom) / max(rows - 1, 1) / 2
    drawn = AxesImage(
        axes,
        interpolation="none",
        origin="lower",
        extent=(left - half[0], right + half[0], bottom - half[1], top + half[1]),
    )
    drawn.set_label("surface")
    drawn.set_data(colours)
    drawn.set_clip_path(axes.patch)
    axes.add_image(drawn)


def _lines(axes: Axes, field: Field, style: Style) -> None:
    """Draw where classes meet, or where values reach a level, which is then written beside it."""
    if not field.lines:
        return
    look = style.look
    places = [points for points, _ in field.lines]
    # An edge of the ground's colour keeps a line apart from any surface.
    for colour, thick, strength, label in (
        (look.surface, 2.6, 0.55, "edge"),
        (look.text, 1.1, 0.9, "boundary" if field.of_classes else "levels"),
    ):
        drawn = LineCollection(
            places, colors=[to_rgba(colour, strength)], linewidths=thick, label=label, zorder=2
        )
        drawn.set_capstyle("round")
        axes.add_collection(drawn, autolim=False)
    if field.of_classes:
        return
    longest: dict[int, Floats] = {}
    left, right, bottom, top = field.rectangle
    margin = _MARGIN * (right - left), _MARGIN * (top - bottom)
    for points, of in field.lines:
        x, y = points.T
        within = (x > left + margin[0]) & (x < right - margin[0])
        within &= (y > bottom + margin[1]) & (y < top - margin[1])
        if within.sum() > len(longest.get(of, ())):
            longest[of] = points[within]
    for of, points in longest.items():
        if of < len(field.levels) and math.isfinite(field.levels[of]):
            x, y = points[len(points) // 2]
            words = axes.text(
                x, y, tick(field.levels[of]), ha="center", va="center", color=look.text,
                fontproperties=properties(7.5), clip_on=True, zorder=2.5, **PLAIN,
            )  # fmt: skip
            words.set_path_effects([Stroke(linewidth=2.4, foreground=look.surface), Normal()])


def _points(axes: Axes, dots: Dots, field: Field, style: Style) -> None:
    count = len(dots.xy)
    if not count:
        return
    size = next((points for most, points in _SIZES if count <= most), _SMALLEST)
    shades = shades_of(dots, field, style)
    look = style.look
    # Of classes the edge keeps a point apart from the surface; of values it is all that does.
    edge = look.surface if field.of_classes else look.text
    for name, chosen in (("train", ~dots.test), ("test", dots.test)):
        if chosen.any():
            grown = size * (1.2 if name == "test" else 1.0)  # a triangle fills less of its box
            _scatter(axes, dots.xy[chosen], grown, MARKERS[name], shades[chosen], edge, name)
    if dots.wrong is not None and dots.wrong.any():
        opacity = _opacity(dots)[dots.wrong]
        for colour, thick, label in ((look.surface, 2.2, "ring edge"), (look.text, 1.1, "wrong")):
            edges = _inked(colour, opacity)
            drawn = _scattered(axes, dots.xy[dots.wrong], size + 4.2, "o", edges, label)
            drawn.set(facecolor="none", linewidth=thick, zorder=4)


def _scatter(
    axes: Axes, xy: Floats, size: float, marker: str, faces: Floats, edge: str, label: str
) -> None:
    drawn = _scattered(axes, xy, size, marker, _inked(edge, faces[:, 3]), label)
    drawn.set(facecolor=faces, linewidth=min(0.9, size / 6), zorder=3)


def _scattered(
    axes: Axes, xy: Floats, size: float, marker: str, edges: Floats, label: str
) -> PathCollection:
    """Return signs of so many points across."""
    found = axes.scatter(xy[:, 0], xy[:, 1], size**2, marker=marker, label=label)
    found.set_edgecolor(edges.tolist())
    return found


def _inked(colour: str, opacity: Floats) -> Floats:
    """Return a colour as often as there are opacities, (n, 4)."""
    found = np.tile(to_rgba(colour), (len(opacity), 1))
    found[:, 3] = opacity
    return found


def _boxes(axes: Axes, rules: Said, style: Style) -> None:
    """Draw where each rule holds, with its number."""
    look = style.look
    for number, rule in enumerate(rules.items("rules"), 1):
        box = numbers_of(rule.get("box"), 4)
        if box is None:
            continue
        left, right, bottom, top = box
        patch = Rectangle(
            (left, bottom), right - left, top - bottom, fill=False, linewidth=0.9,
            edgecolor=look.text, linestyle=(0, (4, 3)), label="rule", zorder=2.2,
        )  # fmt: skip
        patch.set_path_effects([Stroke(linewidth=2.2, foreground=look.surface), Normal()])
        axes.add_patch(patch)
        bounds = (*axes.get_xlim(), *axes.get_ylim())
        x, y = max(left, bounds[0]), min(top, bounds[3])
        words = axes.annotate(
            whole(number), (x, y), (4, -4), textcoords="offset points", ha="left", va="top",
            color=look.text, fontproperties=properties(8, "bold"), annotation_clip=True, zorder=2.6,
            **PLAIN,
        )  # fmt: skip
        words.set_path_effects([Stroke(linewidth=2.4, foreground=look.surface), Normal()])


def _chosen(axes: Axes, point: Said, style: Style) -> None:
    """Mark the place that is explained, and where the smallest changes lead."""
    at = numbers_of(point.meta.get("at"), 2)
    if at is None:
        return
    look = style.look
    for change in point.items("changes"):
        to = numbers_of(change.get("at"), 2)
        if to is not None:
            axes.plot(
                [at[0], to[0]], [at[1], to[1]], color=look.text, linewidth=0.9,
                linestyle=(0, (1, 1.5)), marker="None", label="change", zorder=4.5,
            )  # fmt: skip
            _cross(axes, to, style, ("D", 3.5), "changed")
    _cross(axes, at, style, ("+", 13), "chosen")


def _cross(
    axes: Axes, at: Sequence[float], style: Style, sign: tuple[str, float], label: str
) -> None:
    marker, size = sign
    look = style.look
    for colour, thick, part in ((look.surface, 3.4, "edge"), (look.text, 1.5, label)):
        axes.plot(
            [at[0]], [at[1]], marker=marker, markersize=size, markeredgewidth=thick,
            markerfacecolor=look.surface, markeredgecolor=colour, linestyle="None", label=part,
            zorder=5,
        )  # fmt: skip


def _name(axes: Axes, field: Field, style: Style, size: tuple[float, float]) -> None:
    """Write what stands along the axes."""
    names: list[Any] = [*field.said.texts("labels"), "", ""]
    font = properties(8.5)
    for write, name, room in (
        (axes.set_xlabel, names[0], size[0]),
        (axes.set_ylabel, names[1], size[1]),
    ):
        write(cut(name, room), color=style.look.text, fontproperties=font, labelpad=3, **PLAIN)
