"""Histograms of equal bins: where the edges are, and how counts move to other edges."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BINS", "edges", "rebin"]

BINS: Final = 64

_LARGEST: Final = float(np.finfo(np.float64).max)

Floats = NDArray[np.float64]


def edges(low: float, high: float, bins: int = BINS) -> Floats:
    """Return the edges of equal bins from `low` to `high`.

    Parameters
    ----------
    low, high
        Finite. Where they are the same, half a unit on either side, as numpy's histogram does
        (more where that would be lost in rounding).
    bins
        How many.

    Returns
    -------
    ndarray
        float64 (bins + 1,).
    """
    if not low < high:
        half = max(0.5, abs(low) * 1e-6)
        low, high = max(low - half, -_LARGEST), min(high + half, _LARGEST)
    part = np.arange(bins + 1) / bins
    return np.asarray(np.minimum(np.maximum.accumulate(low * (1 - part) + high * part), high))


def rebin(counts: ArrayLike, low: float, high: float, onto: Floats) -> Floats:
    """Move counts to other bins, each in proportion to its overlap with them.

    Within a bin the counts are taken to be spread evenly. What lies beyond the new edges goes to
    the first and last new bin, so the sum stays the same. A single value (``low == high``) stays
    in one bin.

    Parameters
    ----------
    counts
        (k,), of `k` equal bins from `low` to `high`.
    low, high
        Smallest and largest value that was counted.
    onto
        (m + 1,): the new edges, increasing.

    Returns
    -------
    ndarray
        float64 (m,), with the sum of `counts`.
    """
    counts = np.asarray(counts, np.float64)
    result = np.zeros(len(onto) - 1)
    total = float(counts.sum())
    if total == 0:
        return result
    if not low < high:
        place = int(np.searchsorted(onto, low, "right")) - 1
        result[min(max(place, 0), len(result) - 1)] = total
        return result
    below = np.concatenate([[0.0], np.cumsum(counts)])
    up_to = np.interp(onto, edges(low, high, len(counts)), below)
    up_to[0], up_to[-1] = 0.0, below[-1]
    return np.diff(up_to)
