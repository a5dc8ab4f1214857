"""Keeping a bounded number of things from a run of unknown length, evenly spread over its steps."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

__all__ = ["Thinning"]

T = TypeVar("T")


class Thinning(Generic[T]):
    """Items by step: the first, the newest, and evenly spaced ones in between.

    The steps since the first are divided into equal stretches, and of each the first item stays;
    the newest one stays as long as it is the newest. When there would be more than `capacity`
    items, the stretches double. What is kept therefore depends on the steps alone, not on when the
    limit was met: if items come every *g* steps, no gap is more than twice as long as another
    (but for the last, up to the newest item, which is shorter).

    Parameters
    ----------
    capacity
        So many items at most, at least 2.

    Notes
    -----
    `items` returns a tuple that never changes: other threads may read while one adds.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 2:
            raise ValueError(f"capacity must be at least 2, not {capacity}.")
        self._capacity = capacity
        self._items: tuple[tuple[int, T], ...] = ()
        self._stride = 1
        self._settled = 0  # how many of the items are the first of their stretch

    @property
    def capacity(self) -> int:
        """So many items at most; may be lowered, and items go then."""
        return self._capacity

    @capacity.setter
    def capacity(self, value: int) -> None:
        if value < 2:
            raise ValueError(f"capacity must be at least 2, not {value}.")
        self._capacity = value
        self._thin(self._items)

    @property
    def items(self) -> tuple[tuple[int, T], ...]:
        """Pairs of step and item, oldest first."""
        return self._items

    @property
    def steps(self) -> tuple[int, ...]:
        """Their steps, ascending."""
        return tuple(step for step, _ in self._items)

    @property
    def next_step(self) -> int:
        """The first step whose item would stay for more than the time being."""
        if not self._items:
            return 0
        first = self._items[0][0]
        last = self._items[self._settled - 1][0]
        return first + ((last - first) // self._stride + 1) * self._stride

    def add(self, step: int, item: T) -> None:
        """Add the newest item.

        Parameters
        ----------
        step
            Not before that of the last one; the same step replaces it.
        item
            What to keep.

        Raises
        ------
        ValueError
            If the step lies before the last one.
        """
        items = self._items
        if items and step < items[-1][0]:
            raise ValueError(f"step {step} comes after step {items[-1][0]}.")
        if items and step == items[-1][0]:
            self._items = (*items[:-1], (step, item))
            return
        if not items or step >= self.next_step:
            settled = (*items[: self._settled], (step, item))
            self._settled = len(settled)
            self._thin(settled)
        else:
            self._thin((*items[: self._settled], (step, item)))

    def nearest(self, step: int) -> tuple[int, T] | None:
        """Return the item that was current at a step: the last one not after it.

        Before the first item, the first one; None if there is none.
        """
        items = self._items
        if not items:
            return None
        return items[max(0, bisect_right(items, step, key=lambda pair: pair[0]) - 1)]

    def clear(self) -> None:
        """Forget all items."""
        self._items, self._stride, self._settled = (), 1, 0

    def _thin(self, items: tuple[tuple[int, T], ...]) -> None:
        while len(items) > self._capacity:
            self._stride *= 2
            first, kept = items[0][0], []
            stretch = -1
            for pair in items:
                if (pair[0] - first) // self._stride > stretch:
                    stretch = (pair[0] - first) // self._stride
                    kept.append(pair)
            self._settled = len(kept)
            items = tuple(kept) if kept[-1] is items[-1] else (*kept, items[-1])
        self._items = items
