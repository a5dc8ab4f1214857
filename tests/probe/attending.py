"""A model run with its attention tapped."""

from __future__ import annotations

from typing import Any

from torch import nn

from nnwidgets.probe.attention import AttentionTap
from nnwidgets.probe.look import Look, look


def tapped(model: nn.Module, sample: Any, **options: Any) -> tuple[AttentionTap, Look]:
    with AttentionTap(model, **options) as tap:
        seen = look(model, sample)
    assert seen.problem is None, seen.problem
    return tap, seen
