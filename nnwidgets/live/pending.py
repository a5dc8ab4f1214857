"""From rows as they were appended to arrays that a history can store.

The usual batch, plain numbers under the same names in every row, is converted column by column in a
handful of numpy calls. Any other row is first made plain: values that were not known yet are
resolved, numbers of other kinds converted, and what is no number set aside with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, takewhile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Batch", "Part", "Reason", "Rejected", "Row", "as_float", "take"]

Row = tuple[float, float, tuple[str, ...], tuple[Any, ...]]

# Types that numpy turns into float64 just as float() does. Anything else is looked at one by one.
_PLAIN: set[type] = {
    *(float, int, bool, np.bool_, np.float64, np.float32, np.float16),
    *(np.int64, np.int32, np.int16, np.int8, np.uint64, np.uint32, np.uint16, np.uint8),
}


class Rejected(NamedTuple):
    """A value that is no number: where it was logged and why it is not in the history."""

    name: str
    step: float
    reason: str


class Reason(str):
    """Why a value is no number, in the place of the number."""

    __slots__ = ()


@dataclass
class Part:
    """The points of one series in a batch."""

    name: str
    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    first: int | None = None  # size of the series before, set when the batch is written


@dataclass
class Batch:
    """Rows ready to be stored."""

    first_row: int
    steps: NDArray[Any]
    times: NDArray[np.float64]
    parts: list[Part]
    rejected: list[Rejected]
    source: Any  # the first of the rows, or the one object that all of them are in
    taken: int  # of the rows that wait, or of that object's
    folded: int
    rejected_before: int = 0
    _all_steps_grow: bool = False
    _all_times_grow: bool = False

    def __post_init__(self) -> None:
        self._all_steps_grow = _grows(self.steps)
        self._all_times_grow = _grows(self.times)

    def step_grows(self, places: NDArray[np.int64]) -> bool:
        """Whether the step never goes back from one of these rows of the batch to the next."""
        return self._all_steps_grow or _grows(self.steps[places])

    def time_grows(self, places: NDArray[np.int64]) -> bool:
        """Whether the time never goes back from one of these rows of the batch to the next."""
        return self._all_times_grow or _grows(self.times[places])


def take(pending: Sequence[Any], folded: int, first_row: int, block: bool) -> Batch | None:
    """Prepare the rows that wait, from the first on; they stay in the list.

    Parameters
    ----------
    pending
        Rows as appended; others may append to it meanwhile. What is no row ends them.
    folded
        Rows stored before.
    first_row
        Row of the table that comes next (rows without any number take none).
    block
        Whether to wait for values that are not ready, or stop in front of them.

    Returns
    -------
    Batch or None
        None if the very first row has to wait.
    """
    rows = list(takewhile(_is_row, pending[: len(pending)]))
    values = [row[3] for row in rows]
    if not set(map(type, chain.from_iterable(values))) <= _PLAIN and not block:
        rows = rows[: _ready(values)]
    if not rows:
        return None
    try:
        return _prepare(rows, folded, first_row, _PLAIN)
    except OverflowError:
        return _prepare(rows, folded, first_row, _PLAIN - {int})


def _is_row(waiting: Any) -> bool:
    return waiting.__class__ is tuple


def _prepare(rows: list[Row], folded: int, first_row: int, plain: set[type]) -> Batch:
    rejected: list[Rejected] = []
    steps: Sequence[float]
    times: Sequence[float]
    names: Sequence[tuple[str, ...]]
    values: Sequence[tuple[Any, ...]]
    steps, times, names, values = zip(*rows, strict=True)
    if not set(map(type, chain.from_iterable(values))) <= plain:
        names, values = _convert(steps, names, values, plain, rejected)
    if () in names:
        kept = [i for i, name in enumerate(names) if name]
        steps, times = [steps[i] for i in kept], [times[i] for i in kept]
        names, values = [names[i] for i in kept], [values[i] for i in kept]
    return Batch(
        first_row,
        _steps(steps),
        np.array(times, dtype=np.float64),
        _parts(first_row, names, values),
        rejected,
        rows[0],
        len(rows),
        folded + len(rows),
    )


def _parts(
    first_row: int, names: Sequence[tuple[str, ...]], values: Sequence[tuple[Any, ...]]
) -> list[Part]:
    if not names:
        return []
    places: dict[tuple[str, ...], list[int]] = {}
    if names.count(names[0]) == len(names):
        places[names[0]] = list(range(len(names)))
    else:
        for i, row in enumerate(names):
            places.setdefault(row, []).append(i)
    found: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for group, at in places.items():
        rows = np.array(at, dtype=np.int64)
        chosen = values if len(at) == len(values) else [values[i] for i in at]
        for name, column in zip(group, zip(*chosen, strict=True), strict=True):
            found.setdefault(name, []).append((rows, np.array(column, dtype=np.float64)))
    parts = []
    for name, pieces in found.items():
        rows, column_values = pieces[0]
        if len(pieces) > 1:
            rows = np.concatenate([piece[0] for piece in pieces])
            order = np.argsort(rows)
            rows = rows[order]
            column_values = np.concatenate([piece[1] for piece in pieces])[order]
        parts.append(Part(name, rows + first_row, column_values))
    return parts


def _steps(steps: Sequence[Any]) -> NDArray[Any]:
    try:
        array = np.array(steps)
    except OverflowError:
        array = np.empty(0, dtype=object)
    # Of no rows at all, where every value has been rejected, numpy makes an array of floats.
    if array.dtype.kind in "bi" or not steps:
        return array.astype(np.int64)
    if array.dtype.kind == "u" and (not len(array) or array.max() < 2**63):
        return array.astype(np.int64)
    return np.array([float(step) for step in steps], dtype=np.float64)


def _grows(x: NDArray[Any]) -> bool:
    return bool((x[1:] >= x[:-1]).all())


# --- rows that are not plain -------------------------------------------------------------


def _ready(values: Sequence[tuple[Any, ...]]) -> int:
    """How many rows, from the first on, have values that can be had without waiting."""
    for i, row in enumerate(values):
        for value in row:
            if type(value) not in _PLAIN and callable(value):
                ready = getattr(value, "ready", None)
                if ready is not None and not ready():
                    return i
    return len(values)


def _convert(
    steps: Sequence[float],
    names: Sequence[tuple[str, ...]],
    values: Sequence[tuple[Any, ...]],
    plain: set[type],
    rejected: list[Rejected],
) -> tuple[list[tuple[str, ...]], list[tuple[Any, ...]]]:
    """Make every value a plain number; what is none is taken out of its row."""
    odd = [value for row in values for value in row if type(value) not in plain]
    resolved = iter(_resolve([value for value in odd if callable(value)]))
    new_names: list[tuple[str, ...]] = []
    new_values: list[tuple[Any, ...]] = []
    for step, row_names, row in zip(steps, names, values, strict=True):
        kept_names, kept = [], []
        for name, value in zip(row_names, row, strict=True):
            if type(value) not in plain:
                value = as_float(next(resolved) if callable(value) else value)
            if isinstance(value, Reason):
                rejected.append(Rejected(name, step, str(value)))
            else:
                kept_names.append(name)
                kept.append(value)
        new_names.append(tuple(kept_names))
        new_values.append(tuple(kept))
    return new_names, new_values


def _resolve(lazy: list[Callable[[], Any]]) -> list[Any]:
    """Call values that were not known yet, in order; an exception stands for a failed one."""
    resolved: list[Any] = []
    for kind, group in groupby(lazy, type):
        same = list(group)
        resolved += _resolve_together(kind, same) or [_resolve_one(value) for value in same]
    return resolved


def _resolve_together(kind: type, values: list[Any]) -> list[Any]:
    many = getattr(kind, "many", None)
    if many is None:
        return []
    try:
        numbers = list(many(values))
    except Exception:
        # One of them failed: asked one by one, they tell which.
        return []
    return numbers if len(numbers) == len(values) else []


def _resolve_one(value: Callable[[], Any]) -> Any:
    try:
        return value()
    except Exception as problem:
        return problem


def as_float(value: Any) -> float | Reason:
    """Return the number that `value` holds now, or why it is none."""
    if isinstance(value, Reason):
        return value
    if isinstance(value, Exception):
        return Reason(f"it could not be read: {value!r}")
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    kind = type(value).__name__
    if isinstance(value, (str, bytes, np.complexfloating, np.datetime64, np.timedelta64)):
        return Reason(f"it is no number but of type {kind}")
    if getattr(value, "ndim", 0):
        return Reason(f"it is no single number but of shape {tuple(value.shape)}")
    try:
        return float(value)
    except OverflowError:
        return Reason("it is an integer beyond the range of float64")
    except Exception:
        return Reason(f"it is no number but of type {kind}")
