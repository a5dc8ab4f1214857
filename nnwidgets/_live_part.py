"""What the pictures of all widgets that ask a copy of the model have in common: the live part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Final

import numpy as np

from nnwidgets.live import wire
from nnwidgets.live.jobs import Job
from nnwidgets.live.looks import Looks

__all__ = ["Packed", "Picture"]

_SAID_FOR: Final = 2.0  # seconds: sentences are asked for ten times a second, and cost something
_CLOCK: Final = 4  # times a second that rate and cost are told while something trains

Packed = dict[str, Any]


class Picture:
    """Builds each part, or None when nothing in it has changed since.

    Parameters
    ----------
    widget
        Whose picture it is.
    next_seq
        Gives each part a number; the browser draws only what is newer.
    """

    def __init__(self, widget: Looks, next_seq: Callable[[], int]) -> None:
        self._widget = widget
        self._seq = next_seq
        self._last: dict[str, Any] = {}
        self._said: tuple[float, bool, list[str]] = (float("-inf"), False, [])

    def live(self) -> Packed | None:
        """State, step, cost: what changes all the time."""
        widget = self._widget
        session = widget.session
        route = widget._link.route
        meta: dict[str, Any] = {
            "state": session.control.state,
            "step": session.step,
            "route": {"key": route.key, "params": {}, "live": route.live},
            "queued": None,
            "cursor": session.cursor,
            "budget": session.governor.budget,
            "error": widget._error,
            "status": self._sentences(),
            "busy": self._busy(),
            **self._live_extra(),
        }
        resting = session.control.state not in ("running", "paused")
        if self._same("live", (repr(meta), 0 if resting else int(perf_counter() * _CLOCK))):
            return None
        seconds = session.step_seconds
        rate = 1.0 / seconds if seconds > 0 else math.nan
        numbers = np.array([rate, session.governor.overhead, session.governor.wall])
        return wire.pack({"seq": self._seq(), **meta}, {"numbers": numbers})

    def _live_extra(self) -> Packed:
        """Return what a widget tells beside that."""
        return {}

    def _jobs(self) -> Iterable[Job]:
        """Return the long work that may be under way: what somebody waits for."""
        return [job for job in list(self._widget._waiting.values()) if isinstance(job, Job)]

    def _busy(self) -> Packed | None:
        """Say what long work is under way, for views that have not asked for it."""
        for job in self._jobs():
            if not job.cancelled:
                return {"action": job.name, "fraction": job.fraction, "note": job.note}
        return None

    def _sentences(self) -> list[str]:
        now, widget = perf_counter(), self._widget
        steps = bool(widget.session.slots)
        if now - self._said[0] > _SAID_FOR or steps != self._said[1]:
            self._said = now, steps, widget._say_what_is_seen(widget._shown_language)
        return self._said[2]

    def _same(self, part: str, state: object) -> bool:
        """Whether `part` has been built of this state already; if not, it is from now on."""
        if self._last.get(part) == state:
            return True
        self._last[part] = state
        return False
