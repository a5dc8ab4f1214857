"""The points at one moment."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.probe.blocks import Words

__all__ = ["Snapshot", "freeze", "held_out", "places_of", "taken"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The points at one moment; the arrays cannot be written to.

    Attributes
    ----------
    version
        Counts edits.
    X
        (n, features).
    y
        (n,) classes (int64) or values (floating); None where there are no labels.
    test
        (n,) bool: held out, so no loader gives them.
    ids
        (n,) int64, ascending: stay with a point as long as it exists.
    left_out
        What was given with these points and could not be taken, as keys of the catalogue.
    """

    version: int
    X: NDArray[Any]
    y: NDArray[Any] | None
    test: NDArray[np.bool_]
    ids: NDArray[np.int64]
    left_out: tuple[Words, ...] = ()

    @property
    def train(self) -> NDArray[np.intp]:
        """Places of the points that are learned from."""
        return np.flatnonzero(~self.test)

    @property
    def nbytes(self) -> int:
        """Memory the arrays take."""
        return sum(a.nbytes for a in (self.X, self.y, self.test, self.ids) if a is not None)


def taken(now: Snapshot, keep: NDArray[np.bool_]) -> Snapshot:
    """Return some of the points, by a mask of shape (n,)."""
    return replace(
        now,
        X=now.X[keep],
        y=None if now.y is None else now.y[keep],
        test=now.test[keep],
        ids=now.ids[keep],
    )


def freeze(points: Snapshot) -> None:
    """Let nobody write to the arrays any more."""
    for array in (points.X, points.y, points.test, points.ids):
        if array is not None:
            array.flags.writeable = False


def held_out(
    count: int, classes: NDArray[Any] | None, share: float, seed: int
) -> NDArray[np.bool_]:
    """Choose a share of the points at random, of each class alike; a mask of shape (n,)."""
    generator = np.random.default_rng(seed)
    held = np.zeros(count, bool)
    groups = np.zeros(count, np.int64) if classes is None else classes
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        size = int(np.floor(share * len(members) + 0.5))
        held[generator.permutation(members)[:size]] = True
    return held


def places_of(points: Snapshot, ids: Sequence[int]) -> NDArray[np.intp]:
    """Return in which rows points are.

    Raises
    ------
    KeyError
        If there is no such point.
    TypeError
        If an id is no whole number.
    """
    known = {int(name): place for place, name in enumerate(points.ids)}
    for name in ids:
        if _whole(name) not in known:
            raise KeyError(f"there is no point {name}: it may have been deleted")
    return np.array([known[_whole(name)] for name in ids], np.intp)


def _whole(name: object) -> int:
    try:
        return operator.index(name)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"a point is named by its id, a whole number, not {name!r}") from None
