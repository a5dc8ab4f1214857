"""Whether anybody listens to a stop."""

from __future__ import annotations

from time import perf_counter
from typing import Final

__all__ = ["StopTraining", "Stopping"]

_CHANCES: Final = 2  # safe points at which a background loop may still ask by itself
_PATIENCE: Final = 2.0  # seconds after which a loop in a cell is said not to ask


class StopTraining(BaseException):
    """Raised at a safe point of a background run whose loop does not ask ``should_stop``.

    Not an Exception, so that a loop's own ``except Exception`` does not swallow it.
    """


class Stopping:
    """Follows a loop that has been asked to stop and is still there."""

    def __init__(self) -> None:
        self.points = 0  # safe points that the loop has passed
        self._asked_at: int | None = None
        self._between = 0  # two questions, at most so many safe points
        self._passed = 0
        self._since = 0.0
        self._settled = False  # the loop has asked, or the user has been told that it does not

    def begin(self) -> None:
        """A stop has been asked for."""
        self._passed, self._since, self._settled = 0, perf_counter(), False

    def asked(self) -> None:
        """The loop has read ``should_stop``: it knows."""
        if self._asked_at is not None:
            self._between = max(self._between, self.points - self._asked_at)
        self._asked_at = self.points
        self._settled = True

    def ignored(self, tracked: bool, *, background: bool) -> bool:
        """Call at each safe point; True, once, if the user should be told that nobody listens.

        Parameters
        ----------
        tracked
            A ``track()`` is under way: it ends at its next item.
        background
            This is the thread of ``run()``.

        Raises
        ------
        StopTraining
            In a background run, which is ours to end, if it has not asked for longer than ever.
        """
        if tracked or self._settled:
            return False
        self._passed += 1
        if background and self._passed >= _CHANCES + self._between:
            self._passed = 0
            raise StopTraining
        if not background and perf_counter() - self._since > _PATIENCE and self._passed > _CHANCES:
            self._settled = True
            return True
        return False
