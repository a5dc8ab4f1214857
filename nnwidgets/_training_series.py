"""The series that a TrainingMonitor logs by itself, kept apart from the user's."""

from __future__ import annotations

from collections.abc import Collection

from nnwidgets.live.history import History

__all__ = ["OwnSeries"]


class OwnSeries:
    """Series under our own names, which the user may log too: ours then give way.

    Mixing the two would show points that nobody logged in ``history["learning_rate"]``.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[str, str] = {}
        self._asides: dict[str, str] = {}
        self._taken: set[str] = set()  # names in use that a user might want

    def append(self, step: float, time: float, name: str, value: float, aside: str) -> None:
        """Log a value.

        Parameters
        ----------
        step, time
            As in `History.append`.
        name
            Of the series, if the user has none of this name.
        value
            A number.
        aside
            What to put behind the name, in brackets, if he has.
        """
        known = self._known.get(name)
        if known is None:
            known = name
            while known in self._history:
                known = f"{known} ({aside})"
            self._known[name] = known
            self._asides[name] = aside
            self._taken.add(known)
        self._history.append(step, time, {known: value})

    def give_way(self, names: Collection[str]) -> None:
        """The user is about to log these names (called by every ``log()``)."""
        if self._taken.isdisjoint(names):
            return
        for name, known in list(self._known.items()):
            if known in names:
                free = f"{known} ({self._asides[name]})"
                while free in self._history or free in names:
                    free = f"{free}'"
                self._history.rename(known, free)
                self._known[name] = free
                self._taken.discard(known)
                self._taken.add(free)
