"""What a plot has to say of its answers as a whole."""

from __future__ import annotations

from nnwidgets._boundary_looking import Looking
from nnwidgets.catalogue import text
from nnwidgets.probe.blocks import Words

__all__ = ["Telling"]


class Telling(Looking):
    """The part of a plot that knows what limits its answers."""

    def _left_out(self) -> list[Words]:
        """Say what makes the answers others than the model would give now."""
        return [*super()._left_out(), *self._space.notes]

    def _say_what_is_seen(self, language: str) -> list[str]:
        said = super()._say_what_is_seen(language)
        if self._wish.uncertain != "ensemble" or not self._unsound:
            return said
        known = [one for one in said if one != text("status.ready", language)]
        return [*(text(key, language, **params) for key, params in self._unsound), *known]
