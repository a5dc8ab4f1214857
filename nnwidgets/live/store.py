"""One series inside a history: its values, its rows, and what is known of them at all times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Column, Rows
from .curves import Points
from .pyramid import Pyramid

if TYPE_CHECKING:
    from .pending import Batch

__all__ = ["State", "Store"]


class State(NamedTuple):
    """What is kept up to date with every batch, and published at once."""

    size: int = 0
    bad: int = 0
    lowest: int = -1  # place of the first lowest finite value; -1 if none is finite
    highest: int = -1
    step_grows: bool = True  # never goes back
    time_grows: bool = True
    last_step: float = -np.inf
    last_time: float = -np.inf


class _Sorted(NamedTuple):
    """A series brought into the order of x, as it was when it had `size` points."""

    size: int
    order: NDArray[np.uint32]
    rows: NDArray[np.uint32]
    pyramid: Pyramid

    @property
    def nbytes(self) -> int:
        return self.order.nbytes + self.rows.nbytes + self.pyramid.nbytes


class Store:
    """Values and rows of one series."""

    def __init__(self) -> None:
        self.state = State()
        self._values = Column(np.float64)
        self._rows = Rows()
        self._pyramid = Pyramid()
        self._sorted: dict[bool, _Sorted] = {}

    @property
    def size(self) -> int:
        """The number of points."""
        return self.state.size

    @property
    def values(self) -> NDArray[np.float64]:
        """All values; a view, valid while the history's lock is held."""
        return self._values.values[: self.size]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ordered = sum(part.nbytes for part in self._sorted.values())
        return self._values.nbytes + self._rows.nbytes + self._pyramid.nbytes + ordered

    def rows_from(self, first: int) -> slice | NDArray[np.uint32]:
        """Where the points from place `first` on stand in the table."""
        start = self._rows.start
        if start is not None:
            return slice(start + first, start + self.size)
        return self._rows.of(self.size)[first:]

    def write(self, rows: NDArray[Any], values: NDArray[np.float64], batch: Batch) -> None:
        """Add points (at least one) that stand in `rows` of the table, which `batch` wrote."""
        old = self.state
        self._rows.write(old.size, rows)
        self._values.write(old.size, values)
        # Last, and at once: what an interrupt leaves half written is written again.
        self.state = self._advance(old, values, rows - batch.first_row, batch)

    def _advance(
        self, old: State, values: NDArray[np.float64], in_batch: NDArray[Any], batch: Batch
    ) -> State:
        bad, lowest, highest = old.bad, old.lowest, old.highest
        low, high = values.argmin(), values.argmax()
        finite = np.isfinite(values[low]) and np.isfinite(values[high])
        if not finite:
            good = np.isfinite(values)
            bad += len(values) - int(np.count_nonzero(good))
            low = np.where(good, values, np.inf).argmin()
            high = np.where(good, values, -np.inf).argmax()
            finite = bool(good[low] and good[high])
        if finite:
            stored = self._values.values
            if lowest < 0 or values[low] < stored[lowest]:
                lowest = old.size + int(low)
            if highest < 0 or values[high] > stored[highest]:
                highest = old.size + int(high)
        steps, times = batch.steps, batch.times
        first, last = in_batch[0], in_batch[-1]
        return State(
            old.size + len(values),
            bad,
            lowest,
            highest,
            old.step_grows and bool(steps[first] >= old.last_step) and batch.step_grows(in_batch),
            old.time_grows and bool(times[first] >= old.last_time) and batch.time_grows(in_batch),
            steps[last],
            times[last],
        )

    def points(self, x: NDArray[Any], by_time: bool) -> Points:
        """Return the points in the order of `x`, the table's column of steps or times."""
        if self.state.time_grows if by_time else self.state.step_grows:
            self._pyramid.update(self.values)
            return Points(self.size, self.rows_from(0), self.values, self._pyramid)
        ordered = self._sorted.get(by_time)
        if ordered is None or ordered.size != self.size:
            rows = self._rows.of(self.size)
            order = np.argsort(x[rows], kind="stable").astype(np.uint32)
            ordered = _Sorted(self.size, order, rows[order], Pyramid())
            ordered.pyramid.update(self.values, order)
            self._sorted[by_time] = ordered
        return Points(self.size, ordered.rows, self.values, ordered.pyramid, ordered.order)
