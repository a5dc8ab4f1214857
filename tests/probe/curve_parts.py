"""What made-up curves are put together from.

A family is a function of a random generator and returns series as a run would log them. Scale,
offset, length, noise and speed are drawn anew for every seed; losses keep their meaning under all
of these, and so must the findings.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Series = dict[str, tuple[np.ndarray, np.ndarray]]
Family = Callable[[np.random.Generator], Series]
Rng = np.random.Generator


def falling(rng: Rng, n: int, floor: tuple[float, float] = (0.02, 0.5)) -> np.ndarray:
    """Return the mean of a loss that falls from 1: an exponential, a power law, or their mean."""
    x = np.arange(n)
    fast = np.exp(-x / (n * rng.uniform(0.03, 0.4)))
    slow = (1 + x / (n * rng.uniform(0.005, 0.1))) ** -rng.uniform(0.3, 1.2)
    share = rng.uniform()
    low = rng.uniform(*floor)
    return np.asarray(low + (1 - low) * (share * fast + (1 - share) * slow))


def noisy(rng: Rng, mean: np.ndarray, size: float, heavy: bool = False) -> np.ndarray:
    """Add batch noise that shrinks with the loss, as real batch noise does, and stays positive."""
    draw = rng.standard_t(3, len(mean)) if heavy else rng.standard_normal(len(mean))
    return np.asarray(mean * np.exp(size * np.clip(draw, -6, 6)))


def wandering(rng: Rng, n: int, size: float, memory: float = 0.8) -> np.ndarray:
    """Return slow noise (first-order autoregressive, standard deviation ``size``)."""
    out = np.zeros(n)
    for i in range(1, n):
        out[i] = memory * out[i - 1] + rng.standard_normal() * (1 - memory**2) ** 0.5
    return size * out


def evaluated(rng: Rng, n: int, count: int) -> np.ndarray:
    """Return the steps of ``count`` evaluations in a run of ``n`` steps."""
    return np.unique(np.linspace(0, n, count + 1)[1:].astype(int) - 1)


def log(rng: Rng, **columns: tuple[np.ndarray, np.ndarray]) -> Series:
    """Bring losses to a random unit (1e-6 … 1e6)."""
    unit = 10 ** rng.uniform(-6, 6)
    return {
        name: (steps, values * unit if "loss" in name else values)
        for name, (steps, values) in columns.items()
    }
