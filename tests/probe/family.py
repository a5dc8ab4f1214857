"""The list of models of every family, and how one gets onto it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Family = Callable[[], tuple[nn.Module, Any]]

FAMILIES: dict[str, Family] = {}


def family(make: Family) -> Family:
    """List a family, and make its random numbers its own."""

    def seeded() -> tuple[nn.Module, Any]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            return make()

    seeded.__name__ = seeded.__qualname__ = make.__name__
    seeded.__doc__ = make.__doc__
    FAMILIES[make.__name__] = seeded
    return seeded
