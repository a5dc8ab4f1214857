"""Every point of every logged series, columnar, and pictures of any stretch of them.

One table of (step, time) rows is shared by all series; a series holds its values and which rows
they belong to (`columns`). `append` only puts a row on a list. Whoever reads first folds the list
into the columns, a batch at a time, so that the training thread pays for a list entry and the rest
is vectorised and usually happens on another thread. Nothing is dropped, merged or reordered.
"""

from __future__ import annotations

import difflib
import operator
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import curves, history_state
from .columns import Column
from .curves import CurveView
from .open_rows import OpenRows
from .pending import Batch, Rejected, Row, take
from .store import Store

__all__ = ["CurveView", "History", "Rejected", "Series"]

Axis = Literal["step", "time", "epoch"]

_INF = float("inf")
_FLOAT_MAX = sys.float_info.max
# Rows waiting when append() folds them itself, because nobody reads. About 2 ms of work.
_FOLD_AT = 1024
_FOLD_TABLES_AT = 16  # the same for tables of rows, which take 20 µs each, however long


@dataclass(frozen=True, eq=False)
class Series:
    """All points of one series, in the order in which they were logged.

    ``numpy.asarray(series)`` gives the values.

    Attributes
    ----------
    steps
        int64, or float64 once any step of the history was no integer.
    values
        float64, NaN and ±inf kept as they are.
    times
        float64, in seconds on the clock of whoever logged.
    """

    steps: NDArray[Any]
    values: NDArray[np.float64]
    times: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)


class History(Mapping[str, Series]):
    """Logged series by name, in the order in which the names first came.

    Any thread may append and read. A reader sees every row appended before its call; with
    ``settle=False`` the rows from the first value that is still being computed on are left out.

    A copy (``copy``, ``pickle``, ``torch.save``) holds what is logged by then, and is a history of
    its own: whoever logs into this one does not log into that.
    """

    # A history is itself, whatever it holds.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self) -> None:
        # Held while folding and reading. append() never waits for it.
        self._lock = threading.RLock()
        self._pending: list[Row | OpenRows] = []
        self._open: OpenRows | None = None  # rows still come to it
        self._tables = 0  # that wait, about
        self._fold_at = _FOLD_AT
        self._batch: Batch | None = None
        self._folded = 0
        self._steps = Column(np.int64)
        self._times = Column(np.float64)
        self._stores: dict[str, Store] = {}
        self._rejected: list[Rejected] = []

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            self._fold(block=True)
            series = {
                name: (store.rows_from(0), store.values) for name, store in self._stores.items()
            }
            return history_state.pack(self._steps.values, self._times.values, series, self._folded)

    def __setstate__(self, state: dict[str, Any]) -> None:
        History.__init__(self)
        self._batch = history_state.unpack(state)
        self._finish()

    # --- writing -------------------------------------------------------------------------

    def open_rows(
        self, names: tuple[str, ...], began: float, after: float | None = None
    ) -> OpenRows:
        """Return rows to which values of these names may be added without a call.

        For whoever cannot afford one, until `close_rows`; nothing else may be appended to one of
        the names meanwhile.

        Parameters
        ----------
        names
            Of the series, in the order of the values.
        began
            When the clock of the history began, on the clock of those rows.
        after
            The step from which the rows count on; None: each says its own.
        """
        self.close_rows()
        rows = self._open = OpenRows(names, began, after)
        return rows

    def close_rows(self) -> None:
        """Rows come to the present table no more; what is appended now stands behind them."""
        rows = self._open
        if rows is None:
            return
        if rows:  # as none is behind a log() that was no quick one
            self._pending.append(rows)  # before it is taken away, or a reader would miss it
            self._tables += 1
        self._open = None
        if self._tables >= _FOLD_TABLES_AT and self._lock.acquire(blocking=False):
            try:
                self._fold(block=False)
            finally:
                self._lock.release()

    def again(self, rows: OpenRows) -> None:
        """A row has come to `rows` while another thread has closed it."""
        self._pending.append(rows)

    def append(self, step: float, time: float, values: Mapping[str, Any]) -> None:
        """Log values for a step; cheap, and without waiting for anybody.

        Parameters
        ----------
        step
            Any finite number. Steps may repeat and go back.
        time
            Seconds, on a clock that is the same for all rows.
        values
            Numbers by name. A callable is a value that is not known yet: it is called without
            arguments (perhaps more than once) when its turn comes to be stored. If it has a
            method ``ready()``, that says whether the call would not block. If its class has a
            static method ``many(list)``, neighbouring ones are resolved in one call. What turns
            out to be no number is left out and told by `take_rejected`.

        Raises
        ------
        TypeError
            If `step` is no number.
        ValueError
            If `step` is NaN or infinite.
        """
        if type(step) is not int and type(step) is not float:
            step = _plain_step(step)
        if not -_FLOAT_MAX <= step <= _FLOAT_MAX:
            raise ValueError(f"a step must be a finite number, not {step!r}.")
        pending = self._pending
        pending.append((step, time, tuple(values), tuple(values.values())))
        if len(pending) >= self._fold_at and self._lock.acquire(blocking=False):
            try:
                self._fold(block=False)
                # If a value is not ready yet, do not look again at every row.
                self._fold_at = len(pending) + _FOLD_AT
            finally:
                self._lock.release()

    def settle(self, block: bool = True) -> None:
        """Store the rows that wait, resolving values that were not known yet.

        Parameters
        ----------
        block
            Whether to wait for values that are not ready; else they and what follows stay.
        """
        with self._lock:
            self._fold(block)

    def take_rejected(self) -> list[Rejected]:
        """Return what was appended and was no number, since the last call."""
        with self._lock:
            self._fold(block=False)
            rejected, self._rejected = self._rejected, []
            return rejected

    # --- reading -------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Series:
        return self.tail(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __contains__(self, name: object) -> bool:
        with self._lock:
            self._fold(block=True)
            return name in self._stores

    def names(self, *, settle: bool = True) -> tuple[str, ...]:
        """Return the names of all series, in the order in which they first came."""
        with self._lock:
            self._fold(settle)
            return tuple(self._stores)

    def tail(self, name: str, n: int | None = None, *, settle: bool = True) -> Series:
        """Return copies of the newest `n` points of a series (all by default)."""
        with self._lock:
            store = self._store(name, settle)
            return self._copy(store, 0 if n is None else max(0, store.size - n))

    def snapshot(self) -> dict[str, Series]:
        """Return copies of all series as they are at one moment."""
        with self._lock:
            self._fold(block=True)
            return {name: self._copy(store, 0) for name, store in self._stores.items()}

    def count(self, name: str, *, settle: bool = True) -> int:
        """Return the number of points of a series."""
        with self._lock:
            return self._store(name, settle).size

    def bad(self, name: str, *, settle: bool = True) -> int:
        """Return how many points of a series are NaN or infinite."""
        with self._lock:
            return self._store(name, settle).state.bad

    def last(self, name: str, *, settle: bool = True) -> tuple[float, float]:
        """Return step and value of the newest point of a series."""
        with self._lock:
            store = self._store(name, settle)
            return self._point(store, store.size - 1)

    def best(self, name: str, higher: bool, *, settle: bool = True) -> tuple[float, float]:
        """Return step and value of the first best finite point; (NaN, NaN) if none is finite.

        Parameters
        ----------
        name
            Of the series.
        higher
            Whether higher values are better.
        settle
            Whether to wait for values that are still being computed.
        """
        with self._lock:
            store = self._store(name, settle)
            place = store.state.highest if higher else store.state.lowest
            return (np.nan, np.nan) if place < 0 else self._point(store, place)

    @property
    def revision(self) -> int:
        """The number of rows appended so far."""
        with self._lock:
            self._finish()
            return self._folded + self._unfolded()

    @property
    def waiting(self) -> int:
        """The number of rows appended whose values are not stored yet."""
        with self._lock:
            self._finish()
            return self._unfolded()

    def rename(self, old: str, new: str) -> None:
        """Call the series `old` by the name `new` from now on; its place among them stays.

        Raises
        ------
        KeyError
            If there is no series `old`.
        ValueError
            If there is one called `new`.
        """
        with self._lock:
            self._store(old, settle=True)
            if new in self._stores:
                raise ValueError(f"there is a series {new!r} already.")
            self._stores = {
                new if name == old else name: store for name, store in self._stores.items()
            }

    @property
    def nbytes(self) -> int:
        """Bytes held in columns and pyramids, the room to grow included."""
        with self._lock:
            self._fold(block=True)
            return (
                self._steps.nbytes
                + self._times.nbytes
                + sum(store.nbytes for store in self._stores.values())
            )

    def view(
        self,
        names: Sequence[str],
        x0: float | None = None,
        x1: float | None = None,
        buckets: int = 400,
        axis: Axis = "step",
        *,
        epochs: ArrayLike | None = None,
        margin: int = 0,
        settle: bool = True,
    ) -> CurveView:
        """Summarise a stretch of some series for drawing, every extreme kept.

        Parameters
        ----------
        names
            Series to show; one may come twice.
        x0, x1
            The stretch, both ends included, in the unit of `axis`; None for the very ends.
        buckets
            At most this many for each series. Up to so many points, each is its own bucket.
        axis
            What x is: the step, the time in seconds, or the epoch.
        epochs
            For ``axis="epoch"``: the step at which epoch 0, 1, … begins, growing. Between two
            of them epochs are interpolated, beyond them extrapolated.
        margin
            Points to add on either side of the stretch, so that lines leave the picture.
        settle
            Whether to wait for values that are still being computed.

        Raises
        ------
        KeyError
            If a name is unknown.
        ValueError
            If the axis is unknown, `buckets` is below 1 or an end is NaN.

        Notes
        -----
        Costs O(buckets · log points) a series while x never goes back within it. A series
        whose x goes back is sorted (stably) and summarised as a whole once it has grown.
        """
        if axis not in ("step", "time", "epoch"):
            raise ValueError(f'axis must be "step", "time" or "epoch", not {axis!r}.')
        if buckets < 1:
            raise ValueError(f"buckets must be at least 1, not {buckets!r}.")
        low = -_INF if x0 is None else float(x0)
        high = _INF if x1 is None else float(x1)
        if np.isnan(low) or np.isnan(high):
            raise ValueError("an end of the range is NaN; leave it out to see everything.")
        if axis == "epoch":
            low, high = _epoch_to_step(np.array([low, high]), epochs).tolist()
        by_time = axis == "time"
        with self._lock, np.errstate(all="ignore"):
            stores = [self._store(name, settle) for name in names]
            steps, times = self._steps.values, self._times.values
            return curves.join(
                curves.draw(
                    store.points(times if by_time else steps, by_time),
                    *(steps, times, by_time, low, high, buckets, margin),
                )
                for store in stores
            )

    # --- inside the lock -----------------------------------------------------------------

    def _store(self, name: str, settle: bool) -> Store:
        self._fold(settle)
        try:
            return self._stores[name]
        except KeyError:
            raise KeyError(_unknown(name, list(self._stores))) from None

    def _copy(self, store: Store, first: int) -> Series:
        rows = store.rows_from(first)
        return Series(
            self._steps.values[rows].copy(),
            store.values[first:].copy(),
            self._times.values[rows].copy(),
        )

    def _point(self, store: Store, place: int) -> tuple[float, float]:
        row = store.rows_from(place)
        step = self._steps.values[row][0].item()
        return step, float(store.values[place])

    def _unfolded(self) -> int:
        tables = {id(rows): rows for rows in self._pending if isinstance(rows, OpenRows)}
        count = len(self._pending) - sum(isinstance(rows, OpenRows) for rows in self._pending)
        if (newest := self._open) is not None:
            tables[id(newest)] = newest
        return count + sum(map(len, tables.values()))

    def _fold(self, block: bool) -> None:
        """Move what waits into the columns; may be interrupted anywhere and called again."""
        self._finish()
        # Looked at first: what is behind it once it is closed has to wait for the next time.
        newest = self._open
        self._tables = 0
        while self._pending:
            first = self._pending[0]
            if isinstance(first, OpenRows):
                self._fold_table(first)
                del self._pending[:1]
                continue
            batch = take(self._pending, self._folded, len(self._times), block)
            if batch is None:
                return
            batch.rejected_before = len(self._rejected)
            self._batch = batch
            self._finish()
        if newest is not None:
            self._fold_table(newest)

    def _fold_table(self, rows: OpenRows) -> None:
        if rows:
            batch = rows.batch(self._folded, len(self._times))
            batch.rejected_before = len(self._rejected)
            self._batch = batch
            self._finish()

    def _finish(self) -> None:
        """Write the prepared batch; every step of it can be done twice."""
        batch = self._batch
        if batch is None:
            return
        with np.errstate(all="ignore"):
            if batch.steps.dtype.kind == "f" and self._steps.values.dtype.kind == "i":
                self._steps.retype(np.float64)
            self._steps.write(batch.first_row, batch.steps)
            self._times.write(batch.first_row, batch.times)
            for part in batch.parts:
                store = self._stores.setdefault(part.name, Store())
                if part.first is None:
                    part.first = store.size
                if store.size == part.first:
                    store.write(part.rows, part.values, batch)
        self._rejected[batch.rejected_before :] = batch.rejected
        # A row is a tuple of its own, and the batch keeps it alive: its identity tells whether
        # the waiting rows of this batch are gone already.
        if isinstance(batch.source, OpenRows):
            batch.source.taken = batch.taken
        elif self._pending and self._pending[0] is batch.source:
            del self._pending[: batch.taken]
        self._folded = batch.folded
        self._batch = None


def _plain_step(step: Any) -> float:
    try:
        return operator.index(step)
    except TypeError:
        if not hasattr(step, "__float__") or isinstance(step, (str, bytes)):
            raise TypeError(f"a step must be a number, not {type(step).__name__}.") from None
        return float(step)


def _epoch_to_step(epoch: NDArray[np.float64], begins: ArrayLike | None) -> NDArray[np.float64]:
    steps = np.asarray([] if begins is None else begins, dtype=np.float64)
    if steps.ndim != 1 or len(steps) < 2:
        # Fewer than two do not say how long an epoch is: everything.
        return np.array([-_INF, _INF])
    inside = np.clip(epoch, 0, len(steps) - 1)
    known = np.interp(inside, np.arange(len(steps)), steps)
    length = np.where(epoch < 0, steps[1] - steps[0], steps[-1] - steps[-2])
    beyond = epoch - inside
    return known + np.where(beyond == 0, 0.0, beyond * np.maximum(length, 1e-300))


def _unknown(name: object, known: list[str]) -> str:
    if not known:
        return f"no series {name!r}: nothing has been logged yet"
    near = difflib.get_close_matches(str(name), known, n=1)
    if near:
        return f"no series {name!r}; did you mean {near[0]!r}?"
    shown = ", ".join(map(repr, known[:8])) + (", …" if len(known) > 8 else "")
    return f"no series {name!r}; there are {shown}"
