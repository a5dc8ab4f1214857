"""Looking at each step, however quick the steps are, so that a test of ten of them has ten."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["keep_every_step"]


def keep_every_step(widget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store the weights after each step, and look at each step.

    Parameters
    ----------
    widget
        One that keeps weights: a plot or a viewer.
    """
    monkeypatch.setattr(widget._kept.snapshots, "due", lambda *_: True)
    sampling = widget.session.sampling
    tick = sampling.tick

    def always(step: int, now: float) -> None:
        sampling.want()
        tick(step, now)
        sampling.next_look = float("-inf")

    monkeypatch.setattr(sampling, "tick", always)
    sampling.next_look = float("-inf")
