"""Letting exactly one step pass a pause."""

from __future__ import annotations

from typing import Final

__all__ = ["SingleStep"]

_PATIENCE: Final = 1000  # safe points; an optimiser that has not stepped by then never will


class SingleStep:
    """A step that the user has let pass: not over before an optimiser has stepped.

    Batches whose gradients only accumulate belong to it, and so do those of a validation in
    between: else each press of "step" would pass one of them, and train nothing.
    """

    def __init__(self) -> None:
        self._from: tuple[int, int] | None = None
        self._passed = 0

    def begin(self, step: int, pauses: int) -> None:
        """A press of "step" lets the loop go on.

        Parameters
        ----------
        step
            Steps taken so far.
        pauses
            How often a pause has been asked for so far: the next one ends this step early.
        """
        self._from, self._passed = (step, pauses), 0

    def under_way(self, step: int, pauses: int) -> bool:
        """Say whether a loop that can be expected to step has not done so yet."""
        if self._from != (step, pauses) or self._passed >= _PATIENCE:
            self._from = None
            return False
        self._passed += 1
        return True
