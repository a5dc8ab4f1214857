"""Rank correlation: how alike two maps are in what they call more and less important.

Maps of two methods, or of one method on two models, have different units; only the order of their
values can be compared (Spearman 1904). Adebayo et al. 2018 compare maps in this way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ranks", "similarity"]


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Return the ranks, from 1 up, of all values; equal ones share the mean of their ranks.

    Parameters
    ----------
    values
        Of any shape; finite.

    Returns
    -------
    ndarray
        One dimension, float64, in the order of ``values.ravel()``.
    """
    plain = np.asarray(values).ravel()
    _, group, counts = np.unique(plain, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means = last - (counts - 1) / 2
    return np.asarray(means[group.ravel()], dtype=np.float64)


def similarity(a: ArrayLike, b: ArrayLike) -> float | None:
    """Return Spearman's rank correlation of two arrays of one size.

    Parameters
    ----------
    a, b
        Of any shape, with as many elements each.

    Returns
    -------
    float or None
        Between −1 and 1: Pearson's correlation of the ranks, ties sharing their mean rank. None
        where it is not defined: fewer than two elements, all values equal, or one not finite.

    Raises
    ------
    ValueError
        If the sizes differ.
    """
    left, right = np.asarray(a).ravel(), np.asarray(b).ravel()
    if left.size != right.size:
        raise ValueError(f"two maps of {left.size} and {right.size} values cannot be compared")
    if left.size < 2 or not (np.isfinite(left).all() and np.isfinite(right).all()):
        return None
    x, y = ranks(left), ranks(right)
    x, y = x - x.mean(), y - y.mean()
    # Ranks are halves of integers: a spread of zero is exactly zero.
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip((x @ y) / spread, -1.0, 1.0)) if spread else None
