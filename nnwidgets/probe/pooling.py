"""Making pictures smaller than they are, by averaging, and choosing the channels to draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["MAPS", "SIDE", "Ranking", "cell_starts", "fitted", "pooled", "ranked", "side_for"]

_CHUNK: Final = 1 << 20  # so many numbers are held as float64 at a time
MAPS: Final = 64
"""At most so many maps are drawn."""
SIDE: Final = 64
"""A small map has at most so many cells a side."""


def pooled(values: Tensor, rows: int, columns: int) -> tuple[Tensor, bool]:
    """Average the last two dimensions down to at most `rows` and `columns` cells.

    Returns
    -------
    tuple
        The cells, and whether any was averaged. A cell that holds NaN or both infinities is NaN.
    """
    height, width = values.shape[-2:]
    if height <= rows and width <= columns:
        return values, False
    shape = values.shape[:-2]
    flat = values.reshape(-1, 1, height, width)
    small = F.adaptive_avg_pool2d(flat, (min(height, rows), min(width, columns)))
    return small.reshape(*shape, *small.shape[-2:]), True


def cell_starts(size: int, cells: int) -> NDArray[np.int64]:
    """Return the first of the numbers 0 … size − 1 that each cell of `pooled` averages."""
    cells = min(size, cells)
    return np.arange(cells, dtype=np.int64) * size // max(cells, 1)


def fitted(height: int, width: int, cells: int) -> tuple[int, int]:
    """Return rows and columns of the same proportions with at most `cells` cells."""
    if height * width <= cells:
        return height, width
    scale = math.sqrt(cells / (height * width))
    rows = max(1, min(height, int(height * scale), cells))
    return rows, max(1, min(width, cells // rows))


def side_for(count: int, cells: int) -> int:
    """Return the cells a side of `count` square maps that together have at most `cells`."""
    return max(1, min(SIDE, math.isqrt(cells // max(count, 1))))


@dataclass(frozen=True, eq=False)
class Ranking:
    """In which order channels are shown.

    Attributes
    ----------
    order
        Numbers of the channels, int64.
    numbers
        What each channel was ordered by, float32, one for each channel in order of their numbers.
    caption
        What that is: ``"activity"``, ``"variance"`` or ``"contribution"``.
    """

    order: NDArray[np.int64]
    numbers: NDArray[np.float32]
    caption: str


def _ranks(values: Tensor, sort: str) -> Tensor:
    wide = values.to(torch.float64)
    if sort == "variance":
        return (wide - wide.mean(1, keepdim=True)).square_().mean(1)
    return wide.abs_().mean(1) if wide is not values else wide.abs().mean(1)


def ranked(
    values: Tensor, sort: str, scores: Sequence[float] | NDArray[np.floating] | None = None
) -> Ranking:
    """Order channels.

    Parameters
    ----------
    values
        (channels, observations); what `nnwidgets.probe.summary.plain_values` returns.
    sort
        ``"index"``; or, largest first, ``"activity"`` (mean absolute value), ``"variance"`` (over
        the observations, the population's) or ``"contribution"`` (size of the score).
    scores
        One number for each channel, for ``"contribution"``.

    Raises
    ------
    ValueError
        For another `sort`, or scores that are missing or not as many as the channels.
    """
    if sort not in ("index", "activity", "variance", "contribution"):
        raise ValueError(f"channels cannot be sorted by {sort!r}.")
    if sort == "contribution":
        numbers = np.asarray([] if scores is None else scores, np.float64).reshape(-1)
        if len(numbers) != len(values):
            raise ValueError(f"{len(values)} channels need as many scores, not {len(numbers)}.")
        caption = "contribution"
    else:
        caption = "variance" if sort == "variance" else "activity"
        several = max(1, _CHUNK // max(values.shape[1], 1))
        numbers = np.concatenate(
            [_ranks(part, sort).cpu().numpy() for part in torch.split(values, several)]
        )
    order = np.arange(len(numbers))
    if sort != "index":
        # NaN first: that is what one looks for.
        order = np.argsort(-np.nan_to_num(np.abs(numbers), nan=np.inf), kind="stable")
    with np.errstate(over="ignore"):
        return Ranking(order, numbers.astype(np.float32), caption)
