"""Which optimisers make a step together, and which of them trains alone.

A step is over when one of them comes again, so that a GAN's two updates, five of the critic to
one of the generator, or one optimiser for each parameter count right, and so does a second
optimiser that takes over.
"""

from __future__ import annotations

from typing import Final

from nnwidgets.live.clock import OptimizerSlot
from nnwidgets.live.pulse import Pulse

__all__ = ["Turns"]

_ALONE: Final = 64  # steps of one optimiser with no other: it has taken over


class Turns:
    """Follows the turns that the optimisers of one session take.

    Steps of an optimiser that trains alone may be counted where they arrive, by the session's
    pulse. The others, if there are any left, get a pulse of their own that never rests, so that
    the session hears of the first step that one of them makes.

    Parameters
    ----------
    pulse
        The session's.

    Attributes
    ----------
    slots
        The optimisers that are watched; the session holds the very list.
    """

    def __init__(self, pulse: Pulse) -> None:
        self.slots: list[OptimizerSlot] = []
        self._pulse = pulse
        self._taken: list[OptimizerSlot] = []  # optimisers that took part in this step
        self._alone = 0  # steps since another than the same one has come
        self._counted: OptimizerSlot | None = None  # the one with the session's pulse

    def add(self, slot: OptimizerSlot) -> None:
        """Watch one more."""
        self.slots.append(slot)
        self._counted = None
        self._alone = 0

    def began(self, slot: OptimizerSlot) -> None:
        """The step that `slot` has made counts: a second one in it is the same step."""
        self._taken = self._taken or [slot]

    def take(self, slot: OptimizerSlot) -> bool:
        """Say whether `slot`, which has made a step, begins a new one of the session."""
        if len(self.slots) < 2:
            return True
        if any(one.optimizer is None for one in self.slots):
            self.slots[:] = [one for one in self.slots if one.optimizer is not None]
            self._taken = [one for one in self._taken if one in self.slots]
        if self._taken and slot not in self._taken:
            self._taken.append(slot)
            self._alone = 0
            self._pulse.wake()
            return False
        self._alone = self._alone + 1 if self._taken == [slot] else 0
        self._taken = [slot]
        return True

    def soloist(self) -> OptimizerSlot | None:
        """Return the optimiser that trains alone, if one does; its steps reach the pulse."""
        slots = self.slots
        if len(slots) > 1 and self._alone < _ALONE:
            return None
        slot = slots[0] if len(slots) == 1 else self._taken[0] if slots else None
        if slot is not None and slot is not self._counted:
            for one in slots:
                one.beat(self._pulse if one is slot else Pulse())
            self._counted = slot
        return slot

    def clear(self) -> None:
        """Watch none any more."""
        for slot in self.slots:
            slot.close()
        self.slots.clear()
        self._taken.clear()
