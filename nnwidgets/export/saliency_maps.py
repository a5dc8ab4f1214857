"""Maps in colours: over the plane of an image, along a signal, over a sequence."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import Scale, codes_of
from nnwidgets.export.blocks_sheet import Part, Sheet, Style
from nnwidgets.export.blocks_words import cut, stride, whole, width_of
from nnwidgets.export.saliency_reading import Pane, feature_name

__all__ = ["image_part", "sequence_part", "signal_part", "strongest"]

Floats = NDArray[np.float64]

_LARGEST: Final = 2.7  # inches, a side of a picture
_GAP: Final = 0.16
_ROW: Final = 0.62  # of a signal's channel
_CHANNELS: Final = 16
_COLUMNS: Final = 480  # of a signal: as many as a figure can show
_ROWS: Final = 96  # of a sequence
_NAMES: Final = 1.3


def image_part(pane: Pane, scale: Scale, style: Style, width: float) -> Part:
    """Draw an input, and its map beside it."""
    assert pane.map is not None
    values = pane.map.reshape(pane.map.shape[0], -1) if pane.map.ndim != 2 else pane.map
    picture = None if pane.input is None else _natural(pane.input)
    count = 1 if picture is None else 2
    side = min(_LARGEST, (width - (count - 1) * _GAP) / count)
    shape = values.shape if picture is None else picture.shape[:2]
    across, down = (side * shape[i] / max(shape) for i in (1, 0))
    across, down = max(across, 0.05), max(down, 0.05)
    codes = codes_of(values, scale)
    words = [
        say("ui.saliency.input", style.language),
        say("ui.saliency.display.map", style.language),
    ]

    def draw(sheet: Sheet) -> None:
        x = 0.0
        if picture is not None:
            sheet.write(x, 0.11, cut(words[0], side, 8), style.look.muted, size=8)
            sheet.image(picture, None, (x, 0.17, across, down), "input")
            x += side + _GAP
            sheet.write(x, 0.11, cut(words[1], side, 8), style.look.muted, size=8)
        sheet.image(codes, scale, (x, 0.17, across, down), "map")

    return Part(down + 0.2, draw)


def _natural(pixels: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Return three parts for each pixel, from 0 to 255; None if this is no picture."""
    planes = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    if planes.ndim != 3 or planes.shape[-1] not in (1, 3):
        return None
    parts = np.clip(np.nan_to_num(np.broadcast_to(planes, (*planes.shape[:2], 3))), 0, 255)
    return np.asarray(parts).astype(np.uint8)


def signal_part(pane: Pane, scale: Scale, style: Style, width: float) -> Part:
    """Draw a line for each channel, with the map as a coloured band behind it."""
    assert pane.map is not None
    values = np.atleast_2d(pane.map)
    language, look = style.language, style.look
    shown = min(len(values), _CHANNELS)
    names = [
        cut(feature_name(pane.texts("features"), i, language), _NAMES, 8) for i in range(shown)
    ]
    left = max((width_of(name, 8) for name in names), default=0.0) + 0.1
    room = width - left
    length = values.shape[1]
    small, taken = strongest(values[:shown], shown, _COLUMNS)
    codes = codes_of(small, scale)
    given = pane.input if pane.input is not None and pane.input.shape == values.shape else None
    ends = stride(room / max(length, 1), width_of(whole(length), 7.5) + 0.15)
    notes = _told(taken[1], shown, len(values), language)

    def draw(sheet: Sheet) -> None:
        for i in range(shown):
            box = (left, i * _ROW, room, _ROW - 0.1)
            sheet.image(codes[i : i + 1], scale, box, "map")
            sheet.write(left - 0.1, i * _ROW + 0.3, names[i], look.text, size=8, align="right")
            if given is not None:
                _line(sheet, given[i].astype(np.float64), box)
        for place in range(0, length, ends):
            x = left + (place + 0.5) / length * room
            sheet.write(x, shown * _ROW + 0.08, whole(place), look.muted, size=7.5, align="center")
        for i, words in enumerate(notes):
            base = shown * _ROW + 0.28 + i * 0.16
            sheet.write(left, base, cut(words, room, 8), look.muted, size=8)

    return Part(shown * _ROW + 0.14 + len(notes) * 0.16, draw)


def _line(sheet: Sheet, values: Floats, box: tuple[float, float, float, float]) -> None:
    """Draw one channel between its lowest and its highest value; a gap where it is not finite."""
    left, top, width, height = box
    kept = np.where(np.isfinite(values), values, np.nan)
    if np.isnan(kept).all():
        return
    low, high = float(np.nanmin(kept)), float(np.nanmax(kept))
    part = (high - kept) / (high - low) if high > low else np.where(np.isnan(kept), np.nan, 0.5)
    x = left + (np.arange(len(values)) + 0.5) / len(values) * width
    look = sheet.style.look
    # An edge of the ground's colour keeps the line apart from any band.
    for colour, thick, label in ((look.surface, 2.4, "edge"), (look.text, 1.0, "input")):
        sheet.axes.plot(
            x, top + 0.05 + part * (height - 0.1), color=colour, linewidth=thick, linestyle="-",
            marker="None", label=label,
        )  # fmt: skip


def sequence_part(pane: Pane, scale: Scale, style: Style, width: float) -> Part:
    """Draw a sequence of feature vectors: time from left to right, a row for each feature."""
    assert pane.map is not None
    values = np.atleast_2d(pane.map).T  # features, time
    language, look = style.language, style.look
    features = len(values)
    small, (down, across) = strongest(values, _ROWS, _COLUMNS)
    codes = codes_of(small, scale)
    every = [
        cut(feature_name(pane.texts("features"), i, language), _NAMES, 7.5) for i in range(features)
    ]
    names = every[::down] if down > 1 else every
    words = say("ui.saliency.time", language)
    left = max(width_of(name, 7.5) for name in (*names, words)) + 0.1
    cell = min(0.3, (width - left) / max(1, codes.shape[1]))
    box = (left, 0.0, cell * codes.shape[1], min(0.24, max(0.03, cell)) * codes.shape[0])
    if box[3] < 0.3:
        box = (*box[:3], max(box[3], 0.12 * codes.shape[0]))
    times = [whole(place * across) for place in range(codes.shape[1])]
    notes = _told(max(across, down), features, features, language)

    def draw(sheet: Sheet) -> None:
        sheet.image(codes, scale, box, "map")
        sheet.beside(box, names, times)
        sheet.write(0.0, box[3] + 0.14, words, look.muted, size=7.5)
        for i, sentence in enumerate(notes):
            base = box[3] + 0.32 + i * 0.16
            sheet.write(left, base, cut(sentence, width - left, 8), look.muted, size=8)

    return Part(box[3] + 0.2 + len(notes) * 0.16, draw)


def _told(taken: int, shown: int, total: int, language: str) -> list[str]:
    """Say what had no room."""
    notes = []
    if taken > 1:
        notes.append(say("figure.saliency.strongest", language, count=whole(taken)))
    if shown < total:
        words = {"shown": whole(shown), "all": whole(total)}
        notes.append(say("ui.saliency.classes.shown", language, **words))
    return notes


def strongest(values: Floats, rows: int, columns: int) -> tuple[Floats, tuple[int, int]]:
    """Keep of each rectangle of cells the value that is furthest from zero, so that none is lost.

    Parameters
    ----------
    values
        (rows, columns). What is not finite is further from zero than any number, NaN furthest.
    rows, columns
        So many at most.

    Returns
    -------
    values : ndarray
        At most (rows, columns).
    size : tuple of int
        Rows and columns of the rectangles.
    """
    sizes = -(-values.shape[0] // rows), -(-values.shape[1] // columns)
    sizes = max(sizes[0], 1), max(sizes[1], 1)
    for axis, size in enumerate(sizes):
        if size == 1:
            continue
        spare = -values.shape[axis] % size
        wide = [(0, 0), (0, 0)]
        wide[axis] = (0, spare)
        filled = np.pad(values, wide)  # zeros never win
        shape = list(filled.shape)
        shape[axis : axis + 1] = [shape[axis] // size, size]
        parts = filled.reshape(shape)
        rank = np.where(np.isnan(parts), np.inf, np.abs(parts))
        rank = np.where(np.isinf(parts), np.finfo(np.float64).max, rank)
        best = rank.argmax(axis + 1)
        values = np.take_along_axis(parts, np.expand_dims(best, axis + 1), axis + 1).squeeze(
            axis + 1
        )
    return values, sizes
