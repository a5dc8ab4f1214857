"""The generators of random numbers that belong to the process, and that nobody may draw from."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["Generators", "generators"]


class Generators(NamedTuple):
    """Where each generator stands; equal as long as nobody has drawn from it."""

    torch: str
    python: str
    numpy: str


def generators() -> Generators:
    """Return where the generators stand now, short enough to be read when a test fails."""
    state: Any = np.random.get_state()
    return Generators(
        _short(torch.get_rng_state().numpy().tobytes()),
        _short(repr(random.getstate()).encode()),
        _short(state[1].tobytes() + repr(state[2:]).encode()),
    )


def _short(state: bytes) -> str:
    return sha256(state).hexdigest()[:12]
