"""A surface that becomes finer: a full picture from few answers, the unsure places asked next.

The places of the grid form levels: a coarse lattice, and between its lines ever finer ones. A cell
of a level is refined by asking at the places of the next level that lie on it. Which cells are
refined first follows from the answers at their corners: those that a boundary runs through, then
those whose lead of one class over the next is small beside how much it changes there, and, of
values, those that are curved. In between, the picture is interpolated (bilinearly, from each level
to the next), so that there is a full one at any time; once every place was asked, it is the full
grid's.

A region narrower than the coarsest lattice may be missed until its turn comes; where boundaries
run through more than a fifth of all places, a third of them cannot tell the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.answers import Answering, Answers, labels, margins, waiting
from nnwidgets.explain.levels import levels
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.surface import Resolution, Surface, lines, surface_of

__all__ = ["LATTICE", "Refinement", "refine"]

_SLICE: Final = 2048  # places asked at once
LATTICE: Final = 8
"""Places from one line of the coarsest lattice to the next."""
# Risks are compared, so that their scale is free; these were tried on generated networks, smooth
# and crinkled, with 2 to 10 classes. A boundary through a cell comes before everything else.
_CROSSED: Final = 1000.0
_CAP: Final = 100.0  # of what is inferred from leads
_NEAR: Final = 1.0  # added beside a boundary
_BEND: Final = 40.0  # of values: how far one is from its interpolation, the range being one
_SLOPE: Final = 0.5  # of values: the range in a cell, where nothing is known of their curvature
_WEIGHT: Final = 0.5  # of a level, for that of the next coarser one: a cell there covers more
_CALM: Final = 0.03  # below this a cell is taken to be interpolated well

Floats = NDArray[np.floating[Any]]


class Refinement:
    """The state of a surface that becomes finer.

    Parameters
    ----------
    plane
        What the two axes mean.
    resolution
        Places along each axis, or (columns, rows).
    rectangle
        Left, right, bottom, top; None: around the data.
    slice_size
        Places that are asked at once, at most; the first time, all of the coarsest lattice.

    Attributes
    ----------
    x, y
        The places along each axis.
    asked
        How many places have an answer.

    Raises
    ------
    Refusal, TypeError, ValueError
        As `nnwidgets.explain.surface.lines`, and if the slices are empty.

    Notes
    -----
    Choosing takes about 2 ms a slice at 256 × 256. For a model that answers the full grid in less
    than some 50 ms, `nnwidgets.explain.surface.surface` is therefore sooner done.

    Whoever has the model asks for `next_points`, answers them and hands the answers to `put`; all
    of them must come from the same weights. `refine` does so for a predictor.
    """

    def __init__(
        self,
        plane: Plane,
        resolution: Resolution = 256,
        rectangle: Rectangle | None = None,
        *,
        slice_size: int = _SLICE,
    ) -> None:
        if slice_size < 1:
            raise ValueError(f"slice_size must be at least 1, not {slice_size}")
        self.x, self.y = lines(plane.rectangle if rectangle is None else rectangle, resolution)
        self.asked = 0
        self._plane = plane
        self._slice = slice_size
        self._shape = (len(self.y), len(self.x))
        self._levels = levels(self._shape, LATTICE)
        self._known = np.zeros(self._shape, dtype=bool)
        self._pending: NDArray[np.int64] | None = None
        self._rest: NDArray[np.int64] | None = None  # places chosen, but not asked yet
        self._given: dict[str, Floats] = {}  # by field of `Answers`, (numbers, rows, columns)
        self._exclusive = True
        self._lead = np.zeros(self._shape)  # of the most probable class
        self._label: NDArray[np.int64] | None = None
        self._calm = False

    @property
    def share(self) -> float:
        """Which part of the places has an answer."""
        return self.asked / self._known.size

    @property
    def done(self) -> bool:
        """Whether every place has an answer."""
        return self.asked == self._known.size

    @property
    def settled(self) -> bool:
        """Whether what is left seems to be interpolated well."""
        return self.done or self._calm

    def next_points(self, most: int | None = None) -> NDArray[np.float64] | None:
        """Return the points that should be asked next, (n, features); None if there are none.

        Called again without an answer in between, it returns the same ones.

        Parameters
        ----------
        most
            How many, at most, after the first time; None: a slice.
        """
        if self.done:
            return None
        if self._pending is None:
            if self._rest is None or not len(self._rest):
                self._rest = self._chosen()
            size = self._slice if most is None else min(self._slice, max(most, 1))
            size = size if self._given else len(self._rest)
            self._pending, self._rest = self._rest[:size], self._rest[size:]
        rows, columns = np.divmod(self._pending, self._shape[1])
        places = np.column_stack([self.x[columns], self.y[rows]])
        return self._plane.to_inputs(places)

    def put(self, answers: Answers) -> None:
        """Take the answers for the points of `next_points`.

        Parameters
        ----------
        answers
            In their order.

        Raises
        ------
        ValueError
            If none were asked for, or if these are of another number or kind.
        """
        found = _fields(answers)
        places = self._pending
        if places is None or any(len(rows) != len(places) for rows in found.values()):
            raise ValueError("put() takes the answers for the points that next_points() gave")
        if not self._given:
            for name, rows in found.items():
                width = 1 if rows.ndim == 1 else rows.shape[1]
                self._given[name] = np.zeros((width, *self._shape), dtype=rows.dtype)
            self._exclusive = answers.exclusive
        if found.keys() != self._given.keys():
            raise ValueError("answers must have the same fields each time")
        for name, rows in found.items():
            flat = self._given[name].reshape(len(self._given[name]), -1)
            flat[:, places] = rows.reshape(len(rows), -1).T
        if answers.probabilities is not None:
            shares = answers.probabilities.T
            if self._label is None:
                self._label = np.zeros(self._shape, dtype=np.int64)
            self._lead.reshape(-1)[places] = np.nan_to_num(margins(shares))
            self._label.reshape(-1)[places] = labels(shares)
        self._known.reshape(-1)[places] = True
        self.asked += len(places)
        self._pending = None

    def surface(self) -> Surface:
        """Return the picture as far as it is known, interpolated in between.

        Raises
        ------
        ValueError
            If nothing was answered yet.
        """
        if not self._given:
            raise ValueError("nothing was asked yet: put() the answers for next_points() first")
        full = {name: self._filled(values) for name, values in self._given.items()}
        rows = {name: values.reshape(len(values), -1).T for name, values in full.items()}
        classes = "probabilities" in rows
        for name in ("epistemic", "aleatoric"):
            if classes and name in rows:
                rows[name] = rows[name][:, 0]
        answers = Answers(
            rows.get("probabilities"),
            rows.get("values"),
            rows.get("epistemic"),
            rows.get("aleatoric"),
            self._exclusive,
        )
        return surface_of(self.x, self.y, answers)

    # --- inside -----------------------------------------------------------------------------------

    def _filled(self, values: Floats) -> Floats:
        """Return a field with its unknown places interpolated, level by level."""
        if self.done:
            return values
        first, *finer = self._levels
        found = first.of(values)
        for level in finer:
            found = np.where(level.of(self._known), level.of(values), level.from_coarser(found))
        return found

    def _chosen(self) -> NDArray[np.int64]:
        """Return the unknown places that matter most, about a slice of them."""
        first = self._levels[0]
        if not self._given:
            return (first.rows[:, None] * self._shape[1] + first.columns).ravel()
        risks, cells = self._risks()
        self._calm = bool(risks.max() < _CALM)
        chosen = np.zeros(self._shape, dtype=bool)
        wanted = min(self._slice, self._known.size - self.asked)
        order = np.argsort(-risks, kind="stable")
        # A cell has up to five places to ask, and shares most of them with its neighbours.
        step = max(wanted // 3, 1)
        for start in range(0, len(order), step):
            part = cells[order[start : start + step]]
            for number in np.unique(part[:, 0]):
                mine = part[part[:, 0] == number]
                self._levels[number].mark(chosen, mine[:, 1], mine[:, 2])
            chosen &= ~self._known
            if int(chosen.sum()) >= wanted:
                break
        return np.flatnonzero(chosen.ravel())

    def _risks(self) -> tuple[Floats, NDArray[np.int64]]:
        """Return the risk of each cell that can be refined, and where it is.

        The place of a cell is the number of the level that refines it, and its row and column on
        the level before.
        """
        field, label = self._field()
        risks: list[Floats] = []
        cells: list[NDArray[np.int64]] = []
        values = self._levels[0].of(field)
        bend = bends(values)
        for number, finer in enumerate(self._levels[1:], start=1):
            level = self._levels[number - 1]
            known = level.of(self._known)
            marks = None if label is None else level.of(label)
            risk = risk_of(values, bend, marks) * _WEIGHT**number
            ready = corners(known, np.minimum) & finer.unfinished(self._known)
            rows, columns = np.nonzero(ready)
            risks.append(risk[rows, columns])
            cells.append(np.column_stack([np.full(len(rows), number), rows, columns]))
            if finer is self._levels[-1]:  # nothing lies between its lines
                break
            guess = finer.from_coarser(values)
            known = finer.of(self._known)
            values = np.where(known, finer.of(field), guess)
            bend = np.abs(values - guess)
        return np.concatenate(risks), np.concatenate(cells)

    def _field(self) -> tuple[Floats, NDArray[np.int64] | None]:
        """Return what is to be got right: the lead of the first class, or the values."""
        if self._label is not None:
            return self._lead, self._label
        values = np.nan_to_num(self._given["values"])
        size = np.ptp(values[:, self._known], axis=1)
        scaled: Floats = (values / np.where(size > 0, size, 1)[:, None, None]).sum(0)
        return scaled, None


def refine(
    predictor: Answering,
    plane: Plane,
    resolution: Resolution = 256,
    rectangle: Rectangle | None = None,
    *,
    most: float = 1.0,
    slice_size: int = _SLICE,
    check: Callable[[], None] = waiting,
) -> Iterator[Refinement]:
    """Refine a surface slice by slice.

    Parameters
    ----------
    predictor
        Answers for points.
    plane, resolution, rectangle, slice_size
        As for `Refinement`.
    most
        Which part of all places may be asked. Below 1 the work also ends once the picture is
        `Refinement.settled`.
    check
        Called between batches; what it raises ends the work.

    Yields
    ------
    Refinement
        The same one after each slice, ready to give its `Refinement.surface`. Stop whenever the
        picture is good enough.

    Raises
    ------
    Refusal, TypeError, ValueError
        As `Refinement`, the predictor and the plane.
    """
    state = Refinement(plane, resolution, rectangle, slice_size=slice_size)
    limit = int(most * len(state.x) * len(state.y))
    while (points := state.next_points(limit - state.asked)) is not None:
        state.put(predictor.answer(points, check))
        yield state
        if state.asked >= limit or (most < 1 and state.settled):
            return


def corners(values: NDArray[Any], join: Callable[..., Any]) -> NDArray[Any]:
    """Join the four corners of each cell: (rows, columns) give (rows − 1, columns − 1)."""
    tall = join(values[:-1], values[1:])
    return np.asarray(join(tall[:, :-1], tall[:, 1:]))


def risk_of(values: Floats, bend: Floats, marks: NDArray[np.int64] | None) -> Floats:
    """Return the risk that a cell is interpolated wrongly.

    Parameters
    ----------
    values
        (rows, columns) at the corners: leads, or values scaled to a range of one.
    bend
        By how much each of them differs from its interpolation from the coarser lattice.
    marks
        The labels at the corners; None for values.

    Returns
    -------
    ndarray
        (rows − 1, columns − 1).
    """
    low, high = corners(values, np.minimum), corners(values, np.maximum)
    curved = around_cells(corners(bend, np.maximum))
    if marks is None:
        return np.asarray(_BEND * curved + _SLOPE * (high - low))
    crossed = corners(marks, np.minimum) != corners(marks, np.maximum)
    risk = (high - low + 2 * curved) / (2 * low + 1e-6)
    near = around_cells(crossed)
    return np.where(crossed, _CROSSED, np.minimum(risk, _CAP) + _NEAR * near)


def bends(values: Floats) -> Floats:
    """Return how far each value is from the mean of its neighbours along either axis.

    Where there is no coarser lattice, that is what is known of the curvature.
    """
    found = np.zeros_like(values)
    across = np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2)
    along = np.abs(values[:, 1:-1] - (values[:, :-2] + values[:, 2:]) / 2)
    found[1:-1] = across
    found[:, 1:-1] = np.maximum(found[:, 1:-1], along)
    return found


def around_cells(values: NDArray[Any]) -> NDArray[Any]:
    """Return the largest value among a cell and its eight neighbours."""
    padded = np.pad(values, 1, mode="edge")
    tall = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.asarray(np.maximum(np.maximum(tall[:, :-2], tall[:, 1:-1]), tall[:, 2:]))


def _fields(answers: Answers) -> dict[str, Floats]:
    fields = {
        "probabilities": answers.probabilities,
        "values": answers.values,
        "epistemic": answers.epistemic,
        "aleatoric": answers.aleatoric,
    }
    return {name: rows for name, rows in fields.items() if rows is not None}
