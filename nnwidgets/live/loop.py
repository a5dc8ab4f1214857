"""``track()``: iterating with progress, pause and stop.

A tracked loop is where pausing is best (the round is over, its metrics are logged) and where
stopping is clean: the stop is looked at *before* the next item is fetched, so no item is
taken from an iterator and lost.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType, FrameType
from typing import Any, Final, Generic, Literal, SupportsIndex, TypeVar

from nnwidgets.live.pulse import Kind
from nnwidgets.live.session import Session

__all__ = ["Loops", "Progress", "Tracked"]

T = TypeVar("T")
# Where in the program a track() call stands, and by which calls the program came there: a second
# train() further down is another loop, the next round of a loop around train() is the same.
Place = tuple[tuple[CodeType, int], ...]

_MOST_MARKS: Final = 10_000  # epochs; beyond, every second mark goes


@dataclass(frozen=True)
class Progress:
    """How far the tracked loops are.

    Attributes
    ----------
    epoch
        ``(current, total)``, counted from 1; None without epochs. The total may be None.
    done, total
        Items of the innermost loop over the whole run; the total is None when unknown, and once
        more items have come than were said to.
    rate
        Items per second, pauses left out; NaN before the first.
    eta
        Seconds left at that rate; NaN when unknown.
    """

    epoch: tuple[int, int | None] | None = None
    done: int = 0
    total: int | None = None
    rate: float = float("nan")
    eta: float = float("nan")


@dataclass(eq=False)
class _Level:
    """One tracked loop that is under way."""

    total: int | None  # items of a round; None once more have come
    epochs: int
    done: int = 0  # items whose body is over
    epoch: int = 0
    before: int = 0  # items of earlier rounds
    within: int = 0  # item of the loop around it in which it began
    leaves: int = 0  # items of innermost loops since it began
    inner: int = 0  # of these, those in the current item
    inner_loops: int = 0  # begun in the current item
    inner_ended: int = 0  # leaves of those that have ended
    inner_known: int = 0  # leaves that one item took before
    began_at: int = 0  # step at which the current item's body began
    is_epochs: bool = False  # items take several steps each

    @property
    def planned(self) -> int | None:
        """Items of all rounds: those of the rounds to come are taken to be as long as this one."""
        total = self.total  # once: the loop may set it to None while another thread asks
        return None if total is None else self.before + total * (self.epochs - self.epoch)


@dataclass
class _Pace:
    """Items per second over a sliding window of about ten seconds."""

    marks: list[tuple[float, int]] = field(default_factory=list)

    def mark(self, now: float, count: int) -> None:
        if self.marks and now - self.marks[-1][0] < 0.2:
            return
        self.marks.append((now, count))
        while len(self.marks) > 2 and now - self.marks[1][0] > 10.0:
            self.marks.pop(0)

    def rate(self, now: float, count: int) -> float:
        if not self.marks:
            return float("nan")
        then, before = self.marks[0]
        return (count - before) / (now - then) if now > then and count > before else float("nan")


class Loops:
    """The tracked loops of one monitor, nested as the program nests them.

    Two nested loops show as epoch and batch; one loop with ``epochs=n`` does the same, and so
    does one whose items take several optimiser steps each.

    Attributes
    ----------
    epoch_marks
        ``(epoch, step, time)`` at which each epoch began; epochs counted from 0.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.epoch_marks: list[tuple[int, int, float]] = []
        self._levels: list[_Level] = []
        self._count = 0  # items of innermost loops, over the whole life
        self._pace = _Pace()
        self._begun: set[Place] = set()  # where loops have begun in this cell
        self._repeats = False  # a stopped loop has been begun again
        self._cell = -1
        self._frozen = Progress()
        self._served: tuple[int, int] | None = None

    def track(
        self, iterable: Iterable[T], *, epochs: int = 1, total: int | None = None
    ) -> Tracked[T]:
        """Return an iterable over `iterable` that can be paused and stopped.

        Raises
        ------
        TypeError, ValueError
            If `iterable` cannot be iterated, or cannot be repeated although `epochs` asks for
            it; if `epochs` or `total` is no such number.
        """
        rounds = _whole(epochs, 1)
        if rounds is None:
            raise ValueError(f"epochs must be a whole number of at least 1, not {epochs!r}.")
        items = _length(iterable) if total is None else _whole(total, 0)
        if items is None and total is not None:
            raise ValueError(f"total must be a whole number of items or None, not {total!r}.")
        if not _can_be_iterated(iterable):
            what = "the class " if isinstance(iterable, type) else ""
            name = iterable.__name__ if isinstance(iterable, type) else type(iterable).__name__
            raise TypeError(
                f"track() needs something to iterate over, not {what}{name}; "
                "pass a DataLoader, a range, a list or a generator."
            )
        if rounds > 1 and isinstance(iterable, Iterator):
            raise ValueError(
                f"track(epochs={rounds}) has to iterate {rounds} times, and this "
                f"{type(iterable).__name__} can be iterated once; pass a list or a DataLoader."
            )
        return Tracked(self, iterable, rounds, items, _place(sys._getframe(2)))

    @property
    def progress(self) -> Progress:
        """How far the loops are now; after they ended, how far they came."""
        levels = list(self._levels)
        if not levels:
            return self._frozen
        outer = levels[0]
        rounds = outer.planned
        if len(levels) > 1 or outer.inner or outer.inner_known:
            epoch: tuple[int, int | None] | None = _nth(outer.done, rounds)
            each = _each(levels)
            done = outer.leaves if each is None else outer.done * each + outer.inner
            total = rounds * each if rounds is not None and each else None
        else:
            epoch, done, total = None, outer.done, rounds
            if outer.epochs > 1:
                epoch = _nth(outer.epoch, outer.epochs)
            elif outer.is_epochs:
                epoch = _nth(outer.done, outer.total)
        rate = self._pace.rate(self._clock(), self._count)
        left = float("nan") if total is None else max(0, total - done)
        return Progress(epoch, done, total, rate, left / rate if rate > 0 else float("nan"))

    def abandon(self) -> None:
        """Forget loops whose iterators a traceback still keeps alive."""
        if self._levels:
            self._frozen = self.progress
            self._levels.clear()

    # -- called by Tracked ------------------------------------------------------------------

    def enter(self, level: _Level, place: Place) -> None:
        """A loop begins."""
        earlier_stop = self._meaning_of_stop(place)
        if not self._levels:
            self.session.loop_began(earlier_stop)
            self._pace = _Pace()
        else:
            around = self._levels[-1]
            if around is self._levels[0] and not around.inner_loops:
                self._mark(around.done, around.began_at)
            around.inner_loops += 1
            level.within = around.done
        self._levels.append(level)

    def leave(self, level: _Level, *, complete: bool) -> None:
        """A loop ends."""
        if level not in self._levels:
            return
        self._frozen = self.progress
        while self._levels.pop() is not level:
            pass  # an inner loop that an exception in the outer one's body has left behind
        if self._levels and self._levels[-1].done == level.within:
            self._levels[-1].inner_ended += level.leaves
        if not self._levels:
            self.session.loop_ended("finished" if complete else "stopped")

    def begin_round(self, level: _Level, epoch: int) -> None:
        """One of the rounds of ``epochs=n`` begins."""
        if epoch:  # what a round has held says more than what was said of it
            level.total, level.before = level.done - level.before, level.done
        level.epoch = epoch
        if level.epochs > 1:
            self._mark(epoch, self.session.step)

    def begin_item(self, level: _Level) -> None:
        """The body of an item begins."""
        level.began_at = self.session.step
        if level.total is not None and level.done - level.before >= level.total:
            level.total = None  # one more than there should be: no saying how many will come

    def advance(self, level: _Level) -> None:
        """The body of an item is over."""
        if level not in self._levels:
            return  # forgotten after an exception, and yet its iterator is used again
        if level.inner or level.inner_known:
            level.inner_known, level.inner = level.inner, 0
        else:
            around = self._levels[: self._levels.index(level)]
            for one in around:
                one.inner += 1
                one.leaves += 1
            level.leaves += 1
            if not around and level.epochs == 1 and self.session.step - level.began_at > 1:
                level.is_epochs = True
                self._mark(level.done, level.began_at)
            self._count += 1
            self._pace.mark(self._clock(), self._count)
        level.inner_loops = level.inner_ended = 0
        level.done += 1

    def safe_point(self) -> bool:
        """Let the session work or pause; True when the loop has to end.

        Where nothing has happened since the last boundary (between the last batch of one epoch
        and the first of the next) there is nothing to pause after.
        """
        here = (self._count, self.session.step)
        if here == self._served:
            self.session.serve()
        else:
            self._served = here
            self.session.safe_point(Kind.BOUNDARY)
        return self.session.control.stopping

    def _meaning_of_stop(self, place: Place) -> Literal["forget", "obey", "outlive"]:
        """Say what a stop from before means to a loop that begins here.

        A stop is for the loops of its cell: one that had begun by then stays stopped when a
        plain outer loop begins it again. A loop that comes for the first time afterwards (an
        evaluation) runs; unless the first kind has shown that an outer loop goes round.
        """
        control = self.session.control
        if self._cell != control.cell:
            self._cell = control.cell
            self._begun.clear()
        if not control.stop_wanted:
            self._repeats = False
            self._begun.add(place)
            return "forget"
        if self._repeats or place in self._begun:
            self._repeats = True
            return "obey"
        return "outlive"

    def _mark(self, epoch: int, step: int) -> None:
        self.epoch_marks.append((epoch, step, perf_counter()))
        if len(self.epoch_marks) > _MOST_MARKS:
            del self.epoch_marks[1::2]

    def _clock(self) -> float:
        return perf_counter() - self.session.paused_seconds


def _place(frame: FrameType | None) -> Place:
    path = []
    while frame is not None:
        path.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(path)


def _each(levels: Sequence[_Level]) -> int | None:
    """Items of innermost loops in one item of the first of these loops, as far as one can tell.

    None while a loop of unknown length is under way that has gone beyond the item before.
    """
    level, planned = levels[0], levels[0].inner_ended
    if len(levels) > 1 and levels[1].within == level.done:
        items, each = levels[1].planned, _each(levels[1:])
        if items is None or each is None:
            return level.inner_known if level.inner_known >= max(level.inner, 1) else None
        planned += max(levels[1].leaves, items * (each or 1))
    return max(level.inner_known, level.inner, planned)


def _whole(value: object, least: int) -> int | None:
    """Return an integer, of numpy's too, that is at least so much; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        number = operator.index(value)
    except TypeError:  # an array or a tensor that holds none
        return None
    return number if number >= least else None


def _can_be_iterated(iterable: object) -> bool:
    # On the class, where iter() looks as well: `list` has the method, and is none.
    kind = type(iterable)
    return getattr(kind, "__iter__", None) is not None or hasattr(kind, "__getitem__")


def _length(iterable: object) -> int | None:
    try:
        return len(iterable)  # type: ignore[arg-type]
    except Exception:
        # Nothing that iterating needs: a DataLoader over an IterableDataset has none after all,
        # and libraries say so in ways of their own (NotImplementedError, AttributeError).
        return None


def _nth(done: int, total: int | None) -> tuple[int, int | None]:
    return (done + 1 if total is None else min(done + 1, total)), total


class Tracked(Generic[T]):
    """What ``track()`` returns: iterate over it once, as over the iterable inside."""

    def __init__(
        self, loops: Loops, iterable: Iterable[T], epochs: int, total: int | None, place: Place
    ) -> None:
        self._loops = loops
        self._iterable = iterable
        self._epochs = epochs
        self._total = total
        self._place = place
        self._own: Iterator[T] | None = None

    def __len__(self) -> int:
        if self._total is None:
            raise TypeError("this iterable has no length; pass total= to track() to give it one.")
        return self._total * self._epochs

    def __iter__(self) -> Iterator[T]:
        # The generator is referred to by the for statement alone: a break or an exception in
        # its body closes it at once, and with it the loop's state.
        return self._iterate()

    def __next__(self) -> T:
        if self._own is None:
            self._own = self._iterate()
        return next(self._own)

    def __enter__(self) -> Tracked[T]:
        return self

    def __exit__(self, *_: Any) -> None:
        self._own = None

    def _iterate(self) -> Iterator[T]:
        loops, level = self._loops, _Level(self._total, self._epochs)
        loops.enter(level, self._place)
        complete = False
        try:
            for epoch in range(self._epochs):
                if loops.safe_point():
                    return
                loops.begin_round(level, epoch)
                iterator = iter(self._iterable)
                while True:
                    try:
                        item = next(iterator)
                    except StopIteration:
                        break
                    loops.begin_item(level)
                    yield item
                    loops.advance(level)
                    if loops.safe_point():
                        return
            complete = True
        finally:
            loops.leave(level, complete=complete)
