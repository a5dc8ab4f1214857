"""Saying no in one sentence: what cannot be shown, and why, in the reader's language."""

from __future__ import annotations

from nnwidgets.catalogue import text
from nnwidgets.probe.blocks import Block, note

__all__ = ["Refusal"]


class Refusal(ValueError):
    """Something that was asked for cannot be had; ``str()`` of it is the sentence in English.

    Parameters
    ----------
    key
        Of the catalogue.
    **params
        What stands in the sentence's gaps.

    Attributes
    ----------
    key, params
        As given, so that a view can say it in another language.
    """

    def __init__(self, key: str, /, **params: str) -> None:
        super().__init__(text(key, **params))
        self.key = key
        self.params = params

    def block(self, level: str = "info") -> Block:
        """Return the sentence as a block."""
        return note(self.key, level, **self.params)
