"""Columns that grow at their end, and the rows of a table that one series occupies.

A write is *published* by one assignment, after the data is in place. Whoever is interrupted in the
middle (Ctrl-C in the training thread) leaves the old length behind and can write the same batch
again at the same place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Column", "Rows"]

_FIRST_CAPACITY = 256
# A quarter of slack bounds the memory at 1.25 times the data; each value is copied about four
# times over the life of a column, which is still nothing beside making it.
_GROWTH = 1.25


class Column:
    """A one-dimensional array with room at its end."""

    __slots__ = ("_data", "_size")

    def __init__(self, dtype: DTypeLike) -> None:
        self._data: NDArray[Any] = np.empty(0, dtype=dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> NDArray[Any]:
        """The values written so far: a view, valid until the next `write`."""
        return self._data[: self._size]

    @property
    def nbytes(self) -> int:
        """Bytes held, the room at the end included."""
        return self._data.nbytes

    def write(self, at: int, values: NDArray[Any]) -> None:
        """Put `values` at position `at` (at most the present length) and end behind them."""
        end = at + len(values)
        if end > len(self._data):
            self._grow(end)
        self._data[at:end] = values
        self._size = end

    def retype(self, dtype: DTypeLike) -> None:
        """Convert what is there to another dtype."""
        self._data = self._data.astype(dtype)

    def _grow(self, needed: int) -> None:
        grown = np.empty(
            max(needed, int(len(self._data) * _GROWTH), _FIRST_CAPACITY), dtype=self._data.dtype
        )
        grown[: self._size] = self.values
        self._data = grown


class Rows:
    """Strictly growing row numbers: one start while they are consecutive, a column after that.

    A series that is logged in every step, which is nearly every series, pays nothing for them.
    """

    __slots__ = ("_column", "_start")

    def __init__(self) -> None:
        self._start = 0
        self._column: Column | None = None

    @property
    def start(self) -> int | None:
        """The first row if the rows are consecutive, None if they are not."""
        return self._start if self._column is None else None

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return 0 if self._column is None else self._column.nbytes

    def of(self, size: int) -> NDArray[np.uint32]:
        """Return the first `size` rows as an array."""
        if self._column is None:
            return np.arange(self._start, self._start + size, dtype=np.uint32)
        return self._column.values[:size]

    def write(self, at: int, rows: NDArray[Any]) -> None:
        """Put `rows` (strictly growing, at least one) at position `at`."""
        if self._column is None:
            if at == 0:
                self._start = int(rows[0])
            first = self._start + at
            if rows[0] == first and rows[-1] == first + len(rows) - 1:
                return
            column = Column(np.uint32)
            column.write(0, self.of(at))
            self._column = column
        self._column.write(at, rows)
