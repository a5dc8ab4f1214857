"""Stopping in the middle of somebody else's computation, and knowing how far it is.

captum's loops cannot be interrupted from outside. But they run the model again and again, so the
model itself asks: hooks on it, for as long as one explanation lasts, look whether anybody still
waits, in each module's forward and in the backward pass through each module's output.
"""

from __future__ import annotations

__all__ = ["Cancelled", "never"]


class Cancelled(Exception):  # noqa: N818 - not an error: somebody changed their mind
    """Nobody waits for the explanation any more."""


def never() -> bool:
    """Say that somebody still waits."""
    return False
