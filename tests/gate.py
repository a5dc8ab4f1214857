"""Work in other threads: held at a gate in the model, and seen to be over."""

from __future__ import annotations

import threading
from typing import Any

_PATIENCE = 30.0  # seconds until a gate that nobody opens fails the test

__all__ = ["Gate", "no_job_runs"]


class Gate:
    """Holds every forward pass outside of the thread that made it, once `open` is cleared.

    Attributes
    ----------
    open
        Whether passes go through.
    inside
        Set as soon as a pass of another thread has come to the gate.
    fails
        Whether such a pass raises, once it is let go.
    passes
        How many came from other threads.
    points
        How many rows were asked about in this thread, in evaluation mode.
    """

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.inside = threading.Event()
        self.fails = False
        self.passes = 0
        self.points = 0
        self._thread = threading.get_ident()

    def pass_through(self, rows: int, training: bool) -> None:
        """Called by a model in its forward, with the rows it is given and its mode."""
        if threading.get_ident() != self._thread:
            self.passes += 1
            self.inside.set()
            assert self.open.wait(_PATIENCE), "nobody opens the gate"
            if self.fails:
                raise RuntimeError("planted")
        elif not training:
            self.points += rows

    def __deepcopy__(self, memo: Any) -> Gate:
        return self  # copies of the model pass through the same gate


def no_job_runs() -> bool:
    """Whether all threads in which widgets work something long out have ended."""
    return all(thread.name != "nnwidgets job" for thread in threading.enumerate())
