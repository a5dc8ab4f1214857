"""Rows of the same names, which a training loop appends without a call and a reader folds at once.

A queue of single numbers, because that is what costs the loop least: a tuple for each row is one
more object that stays, and an array of float64 takes every number apart, and moves all of them as
it grows (together 0.8 µs of the 5 µs that a ``log()`` costs a step of 0.2 ms, measured).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.live.pending import Batch, Part
from nnwidgets.live.pulse import Pulse

__all__ = ["OpenRows"]

_STILL: Final = Pulse()  # in which nothing is quick


class OpenRows:
    """A table that grows by ``rows.write([time, step, value, ...])``.

    Under the global interpreter lock that call is one piece, and so is reading the newest: a reader
    finds whole rows only, and takes what is there without anybody waiting.

    Parameters
    ----------
    names
        Of the series, in the order of the values.
    began
        Subtracted from the times.
    after
        Where nobody else counts steps: that of the row before the first, from which each row
        counts one on, whatever step it says. By their places, so that rows of two threads never
        get the same one.

    Attributes
    ----------
    cells
        Numbers: time, step and the values of each row, one row after another.
    write
        Appends a row to them.
    size
        How many names; −1 without and at the end, which no call has.
    attend, pulse
        Of whoever writes, who has no time to look elsewhere: that he is to see after the table,
        and when.
    width
        Numbers in a row; −1 without names, which is no row.
    taken
        Rows that have been folded.
    """

    __slots__ = (
        "_began",
        "after",
        "attend",
        "cells",
        "names",
        "pulse",
        "size",
        "taken",
        "width",
        "write",
    )

    def __init__(self, names: tuple[str, ...], began: float, after: float | None = None) -> None:
        self.names = names
        self.cells: deque[float] = deque()
        self.write = self.cells.extend
        self.size = len(names) or -1
        self.attend = False
        self.pulse = _STILL
        self.taken = 0
        self._began = began
        self.after = after
        self.width = 2 + len(names) if names else -1

    def __len__(self) -> int:
        """Rows that wait."""
        return self.count - self.taken

    @property
    def count(self) -> int:
        """Rows that have come."""
        return len(self.cells) // self.width

    @property
    def newest(self) -> float | None:
        """The step of the newest row, None if none has come."""
        cells = self.cells
        if not cells:
            return None
        return cells[1 - self.width] if self.after is None else self.after + self.count

    def rest(self) -> None:
        """Let the next row be no quick one: whoever writes it sets `pulse` again."""
        self.pulse = _STILL

    def end(self) -> None:
        """Let nobody write here any more, but for those who are in the middle of it."""
        self.size = -1

    def _waiting(self) -> tuple[int, NDArray[np.float64]]:
        """Return how many rows have come, and those that wait.

        From the end on, where a queue is quick to read.
        """
        width, first = self.width, self.taken
        while True:
            newest_first = reversed(self.cells)
            end = self.count
            numbers = (end - first) * width
            try:
                return end, np.fromiter(newest_first, np.float64, numbers)[::-1].reshape(-1, width)
            except RuntimeError:  # a row has come since `reversed`, by another thread: again
                continue

    def batch(self, folded: int, first_row: int) -> Batch:
        """Prepare the rows that wait; `taken` is for whoever stores them to move on.

        Parameters
        ----------
        folded, first_row
            As in `nnwidgets.live.pending.take`.
        """
        first = self.taken
        end, table = self._waiting()
        at = np.arange(first_row, first_row + len(table), dtype=np.int64)
        steps: NDArray[Any] = table[:, 1].astype(np.int64)
        if self.after is not None:
            steps = self.after + np.arange(first + 1, end + 1)
        return Batch(
            first_row,
            steps,
            table[:, 0] - self._began,
            [Part(name, at, table[:, 2 + i].copy()) for i, name in enumerate(self.names)],
            [],
            self,
            end,
            folded + len(table),
        )
