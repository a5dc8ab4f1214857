"""Pause, step and stop: what a user wants, and what the loop does about it.

The two are kept apart. A click (on any thread) writes a wish; the training thread grants
it at its next safe point. ``state`` tells what the loop does, so a pause that has been asked
for but not reached yet still reads "running".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Literal

__all__ = ["Control", "State"]

State = Literal["idle", "running", "paused", "stopped", "finished"]

_NAP: Final = 0.02  # seconds between two looks at the queue while paused


class Control:
    """The state of one training loop, safe to read and to write from every thread.

    Parameters
    ----------
    changed
        Called without arguments after each change, on the thread that made it.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._condition = threading.Condition()
        self.phase: State = "idle"  # as `state`, but blind to pauses
        self._waiting = False
        self.pause_wanted = False
        self._granted = 0  # steps that may pass although a pause is wanted
        self.pauses = 0  # how often one has been asked for
        self.stop_wanted = False
        self._outlived = False  # the loop under way began after that stop
        self._closed = False
        self.cell = 0  # grows with each cell that an earlier stop was not meant for

    @property
    def state(self) -> State:
        """``"idle"``, ``"running"``, ``"paused"``, ``"stopped"`` or ``"finished"``."""
        if self._waiting or (self.pause_wanted and self.phase == "idle"):
            return "paused"
        return self.phase

    @property
    def holds(self) -> bool:
        """Whether the next safe point has to wait."""
        return self.pause_wanted

    @property
    def stopping(self) -> bool:
        """Whether the loop under way has been asked to end."""
        return self.stop_wanted and not self._outlived

    @property
    def waiting(self) -> bool:
        """Whether the training thread waits in `hold` now."""
        return self._waiting

    # -- wishes, from any thread ---------------------------------------------------------

    def pause(self) -> None:
        """Wait at the next safe point; without a running loop, at the first one to come."""
        with self._condition:
            if self._cannot_wait:
                return
            self.pause_wanted = True
            self.pauses += 1
            self._granted = 0
        self._changed()

    def resume(self) -> None:
        """Go on; takes back a pause, and a stop that has not ended the loop yet."""
        with self._condition:
            self.pause_wanted = False
            self._granted = 0
            self.stop_wanted = False
            if self.phase == "stopped":
                self.phase = "idle"
            self._condition.notify_all()
        self._changed()

    def step(self) -> None:
        """Let exactly one step pass, then wait again; while running: wait after this step."""
        with self._condition:
            if self._cannot_wait:
                return
            if self._waiting or self.phase == "idle":
                self._granted = 1
            self.pause_wanted = True
            self._condition.notify_all()
        self._changed()

    def stop(self, *, ended: bool) -> None:
        """Ask the loop to end; `ended` says that nobody is there to confirm it later."""
        with self._condition:
            self.stop_wanted = True
            self._outlived = False
            self.pause_wanted = False
            self._granted = 0
            if ended and self.phase != "finished":
                self.phase = "stopped"
            self._condition.notify_all()
        self._changed()

    def close(self) -> None:
        """Let a waiting loop go, and make none wait from now on: nobody is left to resume it."""
        with self._condition:
            self._closed = True
            self.pause_wanted = False
            self._granted = 0
            self._condition.notify_all()

    @property
    def _cannot_wait(self) -> bool:
        return self._closed or self.stopping or self.phase in ("stopped", "finished")

    # -- what happens, from the training thread -------------------------------------------

    def begin(self, *, forget: bool = True) -> None:
        """A loop starts: an old stop no longer counts.

        Parameters
        ----------
        forget
            If False, the stop still holds for everybody else.
        """
        with self._condition:
            self.stop_wanted = self.stop_wanted and not forget
            self._outlived = self.stop_wanted
            self.phase = "running"
        self._changed()

    def active(self) -> None:
        """A step or a logged value was seen outside any tracked loop."""
        if self.phase == "running" or self.stop_wanted:
            return
        with self._condition:
            self.phase = "running"
        self._changed()

    def end(self, phase: State) -> None:
        """The loop has ended; wishes that it did not fulfil lapse with it."""
        with self._condition:
            self.phase = phase
            self._outlived = False
            self.pause_wanted = False
            self._granted = 0
        self._changed()

    def rest(self) -> None:
        """Nothing has been seen for a while and nobody said that it ended."""
        with self._condition:
            if self.phase != "running" or self._waiting:
                return
            self.phase = "idle"
        self._changed()

    def forget_stop(self) -> None:
        """A new cell begins: the stop was meant for the one before."""
        self.stop_wanted = False
        self.cell += 1

    def hold(self, meanwhile: Callable[[], None]) -> bool:
        """Wait until the pause is over, calling `meanwhile` between naps.

        Returns True if one step may pass and the pause goes on after it. KeyboardInterrupt
        passes through and takes the pause with it, so that the next run of the loop does not
        hang on it.
        """
        entered = False
        try:
            while True:
                with self._condition:
                    if not self.holds:
                        return False
                    if self._granted:
                        self._granted -= 1
                        return True
                    self._waiting = True
                    if entered:
                        self._condition.wait(_NAP)
                if not entered:
                    entered = True
                    self._changed()
                meanwhile()
        except BaseException:
            self.pause_wanted = False
            raise
        finally:
            self._waiting = False
            if entered:
                self._changed()
