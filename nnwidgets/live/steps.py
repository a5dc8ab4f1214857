"""Where on the step axis a ``log()`` call belongs."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection

from nnwidgets.live.session import Session

__all__ = ["StepAxis"]


class StepAxis:
    """Steps of one monitor's ``log()`` calls.

    Three sources, the first that there is: the caller's own ``step=``; the number of steps that
    the optimiser has taken; counting on by itself, from 0 or from the last ``step=``, whenever
    a name comes again (two calls with different names belong to the same step).

    Several threads may log at once: each then gets the step that it has given, and those that
    let it count share one count.

    Attributes
    ----------
    newest
        The newest step that was given or counted here.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: set[str] = set()
        self.newest: int | float = 0
        self._stepped = 0  # steps that optimisers had taken when it was set

    def at(self, step: object, names: Collection[str]) -> int | float:
        """Return the step for values of these names.

        Raises
        ------
        TypeError
            If `step` is neither None nor a finite number.
        """
        if step is None:
            counts = bool(self._session.slots)
            return self._session.step if counts else self._count_on(names)
        if isinstance(step, bool) or not isinstance(step, numbers.Real):
            raise TypeError(f"step must be a number or None, not {type(step).__name__}.")
        if not _is_finite(step):
            raise TypeError("step must be a finite number, in the range of float64.")
        at = int(step) if isinstance(step, numbers.Integral) else float(step)
        self.newest = at
        self._names = set(names)
        if self._session.slots:  # a resumed run counts on from where it was saved
            self._session.align(int(at))
        self._stepped = self._session.step
        return at

    def counted(self, newest: int | float, names: Collection[str]) -> None:
        """Take note of what was counted on by somebody else, always for the same names."""
        self.newest = newest
        self._names = set(names)

    def _count_on(self, names: Collection[str]) -> int | float:
        if self._session.step > self._stepped:  # since then, by optimisers of a closed session
            self._stepped = self._session.step
            if self._stepped > self.newest:
                self.newest, self._names = self._stepped, set()
        at = self.newest
        if self._names.isdisjoint(names):
            self._names.update(names)
        else:
            self.newest = at = at + 1
            self._names = set(names)
        return at


def _is_finite(step: numbers.Real) -> bool:
    try:
        return math.isfinite(step)
    except OverflowError:  # an integer beyond the range of float64
        return False
