"""Rows of the same names, which a training loop appends without a call and a reader folds at once.

A tuple for each row would be three new objects a step, in memory that the loop has not touched
before, to be taken apart one by one later on. Numbers in one growing array are neither.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.live.pending import Batch, Part
from nnwidgets.live.pulse import Pulse

__all__ = ["OpenRows"]

_STILL: Final = Pulse()  # in which nothing is quick


class OpenRows:
    """A table that grows by ``rows.write([time, step, value, ...])``.

    Under the global interpreter lock that call is one piece, and so is a slice: a reader finds
    whole rows only, and takes what is there without anybody waiting.

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
        float64: time, step and the values of each row, one row after another.
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
        self.cells = array("d")
        self.write = self.cells.fromlist
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

    def batch(self, folded: int, first_row: int) -> Batch:
        """Prepare the rows that wait; `taken` is for whoever stores them to move on.

        Parameters
        ----------
        folded, first_row
            As in `nnwidgets.live.pending.take`.
        """
        width, first, end = self.width, self.taken, self.count
        table = np.frombuffer(self.cells[first * width : end * width]).reshape(-1, width)
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
