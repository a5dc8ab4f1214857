"""What every step and every ``log()`` reads and writes, together in one small object.

In a training loop each of our calls finds the caches cold: of the ten microseconds that watching
a step of 0.3 ms may cost, every Python function on the way takes about one. So steps in which
there is nothing to do but to be counted are handled where they arrive (in `StepHooks` and in
``TrainingMonitor.log``), with no other call, until the time that the session has said. Whoever
wants something calls `wake`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final

__all__ = ["GLANCE", "LOOK", "NOTHING", "Kind", "Pulse"]

NOTHING: Final = 0  # the next update is not looked at before it happens
GLANCE: Final = 1  # … one gradient is, by `Pulse.glance`
LOOK: Final = 2  # … by whoever the session knows of


class Kind(IntEnum):
    """Where in a round of the loop a safe point stands; a later one makes a better pause."""

    STEP = 0
    LOG = 1
    BOUNDARY = 2


class Pulse:
    """The beat of one session.

    Attributes
    ----------
    step
        Steps taken.
    active
        When something was last heard of the loop (``time.perf_counter``), quiet steps left out:
        they last a quarter of a second at most.
    quiet_until
        Until then a step has to be counted, and nothing else.
    log_until
        The same for a ``log()``.
    seen, preferred
        Latest kind of safe point in this round, and in the one before, quiet steps left out.
    round
        The step with which this round began.
    before
        `NOTHING`, `GLANCE` or `LOOK`: what to do before the next update.
    glance
        Whether a gradient is finite.
    due
        What to do before an update from step `glance_at` on: `GLANCE` or `LOOK`.
    glance_every
        Steps from one to the next.
    time_at, cost
        The step that is timed when it is quiet, and the seconds that the last such one took.
    mark
        The next of these two kinds of steps.
    groups
        How many parameter groups the optimiser has; −1 while that is not known.
    rate, rates
        The learning rates of the first and of all of them, as they were last seen; compared by
        identity.
    """

    __slots__ = (
        "active",
        "before",
        "cost",
        "due",
        "glance",
        "glance_at",
        "glance_every",
        "groups",
        "log_until",
        "mark",
        "preferred",
        "quiet_until",
        "rate",
        "rates",
        "round",
        "seen",
        "step",
        "time_at",
    )

    def __init__(self) -> None:
        self.step = 0
        self.active = 0.0
        self.quiet_until = 0.0
        self.log_until = 0.0
        self.seen: int = Kind.STEP
        self.preferred: int = Kind.STEP
        self.round = 0
        self.before = LOOK
        self.glance: Callable[[], bool] | None = None
        self.due = LOOK
        self.glance_at: float = 0
        self.glance_every = 1
        self.time_at = -1
        self.cost = 0.0
        self.mark: float = 0
        self.groups = -1
        self.rate: Any = None
        self.rates: Sequence[Any] = ()

    def wake(self) -> None:
        """Let the session see the next step and the next ``log()``; from any thread."""
        self.before = LOOK
        self.quiet_until = self.log_until = 0.0

    def watch_rates(self, rates: Sequence[Any]) -> None:
        """Let a step with other rates than these end the quiet."""
        self.groups, self.rates = len(rates) or -1, rates
        self.rate = rates[0] if rates else None

    def count(self, now: float) -> None:
        """Count a step that is no quiet one (those are counted in `StepHooks`)."""
        self.step += 1
        self.active = now
        self.begin_round()

    def begin_round(self) -> None:
        """Begin the round of this step, if a quiet one has not."""
        if self.round != self.step:
            self.preferred, self.seen, self.round = self.seen, Kind.STEP, self.step
