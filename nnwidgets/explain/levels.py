"""The lattices of a grid, from coarse to fine, and how one follows from the one before.

Lines of a lattice are lines of the grid. The next finer lattice has all of them, and one more in
the middle of each gap, until every line of the grid is there; so a lattice need not be regular, and
a grid may have any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Between", "Level", "levels"]

Indices = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Between:
    """Where the lines of a lattice lie among those of the coarser one, along one axis.

    Attributes
    ----------
    lower, upper
        Which coarser lines are on either side; the same one where the line is itself coarser.
    part
        How far it is from the lower to the upper one, 0 to 1.
    place
        Of each coarser line: which line it is here.
    """

    lower: Indices
    upper: Indices
    part: NDArray[np.float32]
    place: Indices


@dataclass(frozen=True, eq=False)
class Level:
    """One lattice.

    Attributes
    ----------
    rows, columns
        Which lines of the grid it has.
    above, beside
        How its rows and columns follow from the coarser level's; None for the coarsest.
    gap
        The largest distance of neighbouring lines, in lines of the grid.
    """

    rows: Indices
    columns: Indices
    above: Between | None
    beside: Between | None
    gap: int

    def of(self, field: NDArray[Any]) -> NDArray[Any]:
        """Return the values of a field of the grid, (…, rows, columns), on this lattice."""
        return field[..., self.rows[:, None], self.columns]

    def from_coarser(self, values: Floats) -> Floats:
        """Interpolate bilinearly what is known on the coarser lattice.

        Parameters
        ----------
        values
            (…, rows, columns) of the coarser lattice.
        """
        assert self.above is not None
        assert self.beside is not None
        part = self.above.part[:, None].astype(values.dtype)
        low, high = values[..., self.above.lower, :], values[..., self.above.upper, :]
        with np.errstate(invalid="ignore", over="ignore"):  # what is infinite stays unknown
            tall = low + part * (high - low)
            part = self.beside.part.astype(values.dtype)
            low, high = tall[..., self.beside.lower], tall[..., self.beside.upper]
            found: Floats = low + part * (high - low)
        return found

    def unfinished(self, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say of each cell of the coarser lattice whether a place of this one in it is unknown.

        Parameters
        ----------
        known
            Of the grid.
        """
        missing = ~self.of(known)
        rows, columns = self._cells()
        found = np.zeros((rows.shape[1], columns.shape[1]), dtype=bool)
        for row in rows:
            for column in columns:
                found |= missing[row[:, None], column]
        return found

    def mark(self, chosen: NDArray[np.bool_], row: Indices, column: Indices) -> None:
        """Mark in the grid all places of this lattice in some cells of the coarser one.

        Parameters
        ----------
        chosen
            Of the grid; changed.
        row, column
            The cells.
        """
        rows, columns = self._cells()
        for lines in rows:
            for across in columns:
                chosen[self.rows[lines[row]], self.columns[across[column]]] = True

    def _cells(self) -> tuple[Indices, Indices]:
        """Return the first, middle and last line here of each coarser cell, along both axes."""
        assert self.above is not None
        assert self.beside is not None
        return _lines(self.above.place), _lines(self.beside.place)


def _lines(place: Indices) -> Indices:
    first, last = place[:-1], place[1:]
    return np.stack([first, (first + last) // 2, last])


def levels(shape: tuple[int, int], coarse: int) -> tuple[Level, ...]:
    """Return the lattices of a grid, the coarsest first, the grid itself last.

    Parameters
    ----------
    shape
        Rows and columns, at least two each.
    coarse
        Distance of the lines of the coarsest lattice, at most.
    """
    axes = []
    for size in shape:
        count = -(-(size - 1) // coarse) + 1
        axes.append(np.unique(np.linspace(0, size - 1, max(count, 2)).round().astype(np.int64)))
    rows, columns = axes
    found = [Level(rows, columns, None, None, _gap(rows, columns))]
    while found[-1].gap > 1:
        rows, above = _finer(found[-1].rows)
        columns, beside = _finer(found[-1].columns)
        found.append(Level(rows, columns, above, beside, _gap(rows, columns)))
    return tuple(found)


def _gap(rows: Indices, columns: Indices) -> int:
    return int(max(np.diff(rows).max(), np.diff(columns).max()))


def _finer(lines: Indices) -> tuple[Indices, Between]:
    middles = (lines[:-1] + lines[1:]) // 2
    finer = np.union1d(lines, middles)
    place = np.searchsorted(finer, lines)
    lower = np.searchsorted(lines, finer, side="right") - 1
    upper = np.searchsorted(lines, finer, side="left")
    size = np.maximum(lines[upper] - lines[lower], 1)
    part = ((finer - lines[lower]) / size).astype(np.float32)
    return finer, Between(lower, upper, part, place)
