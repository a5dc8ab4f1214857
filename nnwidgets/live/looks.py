"""Looking at a model whenever something else is to be shown: at safe points, and paid for.

What somebody waits for is never refused; what only follows the training is looked at as often as
the budget allows, and not before the last look has been up for a moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

from nnwidgets.live.at_rest import at_rest
from nnwidgets.live.budget import work_clock
from nnwidgets.live.widget import LiveWidget

__all__ = ["Looks"]

R = TypeVar("R")


class Looks(LiveWidget):
    """A widget whose picture is made by running a copy of the model.

    A subclass brings the picture up to date in `_look`, where it notes `_looked_at`, `_cursor` and
    `_look_seconds` and clears `_stale` and `_asked_for`.
    """

    _looks_apart = 0.25  # seconds: pictures are not sent more often
    _look_seconds = 0.0
    _looked_at = float("-inf")
    _stale = True
    _asked_for = True  # somebody waits for the next look: it is not refused
    _look_comes = False
    _cursor: int | None = None

    def _look(self) -> None:
        """Bring the picture up to date; at a safe point, under the session's lock."""
        raise NotImplementedError

    def _say_what_is_seen(self, language: str) -> list[str]:
        """Return how things stand, in sentences."""
        raise NotImplementedError

    def _changed(self) -> None:
        """Something else is to be shown."""
        self._stale = self._asked_for = True
        if self._ready and (self._shown or not self._session.training):
            self._look_soon()

    def _look_if_stale(self) -> None:
        """Look again; what nobody waits for only if the budget allows it."""
        if self._stale and (self._asked_for or self._can_afford_to_look):
            self._look_soon()

    def _look_if_rested(self) -> None:
        """Look again behind the sampled step that ends now, if anybody looks and it is time."""
        if self._may_look_now:
            self._look_comes = True  # at the safe point behind this step: not part of the sample
            self._session.submit(self._look_if_still_stale)

    @property
    def _may_look_now(self) -> bool:
        """Whether anybody looks, and it is time for what nobody waits for."""
        rested = perf_counter() - self._looked_at >= self._looks_apart
        return self._shown and rested and not self._look_comes and self._can_afford_to_look

    @property
    def _can_afford_to_look(self) -> bool:
        session = self._session
        return not session.training or session.governor.allows(self._look_seconds, "looking")

    def _look_soon(self) -> None:
        session = self._session
        if self.closed:
            return
        if session.hands_free:
            with session.lock:
                self._look_paid()
        elif not self._look_comes and (
            session.training or session.control.waiting or session.host.soon(_nothing)
        ):
            # In a script nobody but the user says when: a look waits until it is asked for.
            self._look_comes = True
            session.submit(self._look_if_still_stale)

    def _look_if_still_stale(self) -> None:
        self._look_comes = False
        if self._stale:
            self._look_paid()

    def _look_paid(self) -> None:
        asked = self._asked_for
        begun = work_clock()
        try:
            self._look()
        except Exception as problem:
            self.on_failure("look", problem)
        self._pay(work_clock() - begun, asked=asked)

    def _pay(self, seconds: float, *, asked: bool) -> None:
        """Book time for which a loop was held up."""
        if self._session.control.state == "running":
            self._session.governor.charge(seconds, "other" if asked else "looking")

    def _at_rest(self, work: Callable[[], R]) -> R:
        """Run `work` where the model is at rest, and wait for it."""
        asking = threading.get_ident()

        def paid() -> R:
            begun = work_clock()
            try:
                return work()
            finally:
                if threading.get_ident() != asking:  # a loop was held up for somebody else
                    self._pay(work_clock() - begun, asked=True)

        return at_rest(self._session, paid)


def _nothing() -> None:
    """Do nothing."""
