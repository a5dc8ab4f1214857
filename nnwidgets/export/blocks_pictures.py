"""Pictures in natural colours: samples, and an input that was made."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_rows import Row, rows_part
from nnwidgets.export.blocks_sheet import ROOM, Part, Sheet, Style, array_of, nothing
from nnwidgets.export.blocks_words import whole, width_of
from nnwidgets.export.look import number
from nnwidgets.probe.blocks import Block

__all__ = ["image_part", "samples_part"]

_SIDE: Final = 0.85
_GAP: Final = 0.1
_MOST: Final = 48


def image_part(block: Block, title: str, style: Style) -> Part:
    """Draw a picture."""
    given = block.arrays.get("pixels")
    pixels = None if given is None else _coloured(np.asarray(given), 2)
    if pixels is None or not pixels.size:
        return nothing(title, style)
    width, height = _fitted(pixels, 2.6)

    def draw(sheet: Sheet) -> None:
        sheet.image(pixels, None, (0, 0, width, height), "image")

    return Part(height + 0.04, draw)


def samples_part(block: Block, title: str, style: Style) -> Part:
    """Draw samples in their order, each with its number, from one, and its value below."""
    values = array_of(block, "values", 1).astype(np.float64)
    indices = block.meta.get("indices")
    numbers = list(indices) if isinstance(indices, (list, tuple)) else [*range(len(values))]
    count = min(len(numbers), _MOST)
    if not count:
        return nothing(title, style)
    notes: tuple[str, ...] = ()
    if count < len(numbers):
        words = {"shown": whole(count), "all": whole(len(numbers))}
        notes = (say("ui.inspector.shown", style.language, **words),)
    given = block.arrays.get("thumbs")
    thumbs = None if given is None else _coloured(np.asarray(given), 3)
    if thumbs is None or not thumbs.size or len(thumbs) < count:
        rows = [
            Row(
                say("ui.inspector.sample", style.language, index=whole(numbers[i] + 1)),
                (float(values[i]) if i < len(values) else math.nan,),
            )
            for i in range(count)
        ]
        return rows_part(rows, style, notes)
    return _thumbs(thumbs[:count], numbers, values, block.meta.get("chosen"), notes, style)


def _thumbs(
    thumbs: np.ndarray,
    numbers: list[int],
    values: np.ndarray,
    chosen: object,
    notes: tuple[str, ...],
    style: Style,
) -> Part:
    names = [whole(n + 1) for n in numbers]
    words = [number(float(v)) for v in values]
    width, height = _fitted(thumbs[0], _SIDE)
    tile = max(
        width,
        *(
            width_of(a, 7.5) + width_of(b, 7.5) + 0.08
            for a, b in zip(names, words or [""] * len(names), strict=False)
        ),
    )
    across = max(1, int((ROOM + _GAP) / (tile + _GAP)))
    step = height + 0.24
    look = style.look

    def draw(sheet: Sheet) -> None:
        for i, thumb in enumerate(thumbs):
            x, y = i % across * (tile + _GAP), i // across * step
            box = (x, y + 0.02, width, height)
            sheet.image(thumb, None, box, "sample")
            if chosen is not None and chosen == numbers[i]:
                sheet.frame(box, look.series[0], 2.0, "chosen")
            sheet.write(x, y + height + 0.15, names[i], look.muted, size=7.5)
            if i < len(words):
                shade = look.text if math.isfinite(values[i]) else look.error
                sheet.write(x + tile, y + height + 0.15, words[i], shade, size=7.5, align="right")

    return Part(-(-len(thumbs) // across) * step, draw, notes)


def _coloured(pixels: np.ndarray, dims: int) -> np.ndarray | None:
    """Return three parts for each pixel, from 0 to 255; None if these are no pictures."""
    if pixels.ndim == dims:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != dims + 1 or pixels.shape[-1] not in (1, 3, 4):
        return None
    parts = np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3]
    return np.asarray(np.clip(np.nan_to_num(parts), 0, 255)).astype(np.uint8)


def _fitted(pixels: np.ndarray, side: float) -> tuple[float, float]:
    rows, columns = pixels.shape[:2]
    return side * columns / max(rows, columns), side * rows / max(rows, columns)
