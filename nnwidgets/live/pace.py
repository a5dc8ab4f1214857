"""How long a step lasts, what watching it has cost, and how often one may look for NaN."""

from __future__ import annotations

import math
from typing import Final

from nnwidgets.live.budget import Governor
from nnwidgets.live.pulse import Pulse

__all__ = ["Pace"]

_GLANCE_SECONDS: Final = 1e-5  # in a training loop, where caches are cold; measured
_CALL_SECONDS: Final = 5e-7  # for torch to call our two hooks; measured
_GLANCE_SHARE: Final = 0.1  # of the budget that these may take
# The shorter a step, the more of it lives in the caches, out of which a look pushes it: at 0.3 ms
# a look costs the loop three times what it takes itself (measured by alternating with and without).
_CROWDING: Final = 1.5
_RAREST: Final = 64  # steps from one look to the next


class Pace:
    """Measures the loop at the steps that are looked at, for all since the last one.

    Attributes
    ----------
    step_seconds
        Wall time of a step, averaged over the newest.
    glance_every
        Steps between two looks at a gradient; more than one where steps are so short that it
        would show.
    """

    def __init__(self, governor: Governor) -> None:
        self.step_seconds = 0.0
        self.glance_every = 1
        self._quiet = 0.0
        self._governor = governor
        self._last: tuple[int, float] | None = None

    def forget(self) -> None:
        """The loop has waited: the time since the last step says nothing."""
        self._last = None

    def measure(self, pulse: Pulse, now: float, cost: float, glances: bool) -> None:
        """Take note of a step and charge the quiet ones before it.

        Parameters
        ----------
        pulse, now
            Knows the step and what a quiet one costs; when the step ended.
        cost
            Seconds that this one took of us.
        glances
            Whether gradients are looked at.
        """
        step = pulse.step
        before, then = self._last or (step, now)
        steps = step - before
        spent = cost + max(0, steps - 1) * (self._quiet_cost(pulse) + _CALL_SECONDS)
        if glances:
            spent += _GLANCE_SECONDS * steps / self.glance_every
        self._governor.charge(spent)
        if now > then:
            seconds = (now - then) / max(1, steps)
            old = self.step_seconds
            self.step_seconds = 0.9 * old + 0.1 * seconds if old else seconds
            share = _GLANCE_SHARE * self._governor.budget * self.step_seconds
            share = max(share, _GLANCE_SECONDS / _RAREST)  # a budget may be next to nothing
            every = (_GLANCE_SECONDS / share) ** _CROWDING
            self.glance_every = max(1, min(_RAREST, math.ceil(every)))
        self._last = step, now
        pulse.time_at = step + 1 + step % 3

    def _quiet_cost(self, pulse: Pulse) -> float:
        # One that was interrupted says nothing of the others.
        known = self._quiet
        self._quiet = 0.8 * known + 0.2 * min(pulse.cost, 4 * known) if known else pulse.cost
        return self._quiet
