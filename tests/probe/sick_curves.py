"""Families of made-up runs with one thing wrong, and what it should be called."""

from __future__ import annotations

import numpy as np

from tests.probe.curve_parts import (
    Family,
    Rng,
    Series,
    evaluated,
    falling,
    log,
    noisy,
)


def overfitted(rng: Rng) -> Series:
    """Validation turns and rises by 15 % to 150 % while training goes on falling."""
    n = int(rng.integers(500, 4000))
    mean = falling(rng, n, (0.0, 0.02))
    at = evaluated(rng, n, int(rng.integers(15, 120)))
    turn = rng.uniform(0.2, 0.5)
    val = 0.1 + falling(rng, n, (0.1, 0.4))[at]
    t = at / n
    low = val[np.searchsorted(t, turn)]
    val = np.where(t < turn, val, low)
    val += low * rng.uniform(0.2, 1.5) * np.clip((t - turn) / (1 - turn), 0, 1)
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, 0.15)),
        val_loss=(at, noisy(rng, val, rng.uniform(0.003, 0.02))),
    )


def overfitted_per_epoch(rng: Rng) -> Series:
    """The same with one point an epoch, twelve to forty of them."""
    n = int(rng.integers(12, 40))
    x = np.arange(n)
    turn = int(n * rng.uniform(0.25, 0.45))
    train = np.exp(-x / turn)
    val = np.where(x <= turn, 0.5 + 0.5 * np.exp(-2.5 * x / turn), 0.0)
    val = np.where(x > turn, val[turn] * (1 + rng.uniform(0.04, 0.1) * (x - turn)), val)
    return log(rng, train_loss=(x, train), valid_loss=(x, noisy(rng, val, 0.008)))


def overfitted_negative(rng: Rng) -> Series:
    """Overfitting of a loss that is negative where it happens."""
    series = overfitted(rng)
    offset = rng.uniform(1, 5) * float(np.max(series["val_loss"][1]))
    return {name: (steps, values - offset) for name, (steps, values) in series.items()}


def idle(rng: Rng) -> Series:
    """Nothing is learned: batch noise about the first value."""
    n = int(rng.integers(150, 3000))
    at = evaluated(rng, n, int(rng.integers(5, 40)))
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, np.ones(n), rng.uniform(0.005, 0.06))),
        val_loss=(at, np.ones(len(at))),
        acc=(at, 0.1 + rng.normal(0, 0.01, len(at))),
    )


def thrown_off(rng: Rng) -> Series:
    """The first steps are far too large; the loss comes back to where it began and stays there."""
    n = int(rng.integers(200, 3000))
    mean = 1 + rng.uniform(3, 100) * np.exp(-np.arange(n) / (n * 0.03)) + 0.01
    mean[0] = 1.0
    return log(rng, loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.01, 0.06))))


def diverged(rng: Rng) -> Series:
    """Falls for a while, then grows past its beginning."""
    n = int(rng.integers(150, 3000))
    mean = falling(rng, n, (0.05, 0.3))
    turn = int(n * rng.uniform(0.1, 0.7))
    grow = np.exp(np.linspace(0, np.log(rng.uniform(5, 1e4) / mean[turn]), n - turn))
    mean[turn:] = mean[turn] * grow
    return log(rng, loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.02, 0.2))))


def diverged_at_once(rng: Rng) -> Series:
    """Grows from the first step on and stays high."""
    n = int(rng.integers(60, 2000))
    high = rng.uniform(3, 1e3)
    mean = 1 + (high - 1) * (1 - np.exp(-np.arange(n) / (n * rng.uniform(0.05, 0.3))))
    return log(rng, loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.02, 0.3))))


def climbing(rng: Rng) -> Series:
    """Falls, then climbs most of the way back and stays there."""
    n = int(rng.integers(300, 3000))
    x = np.arange(n) / n
    low, turn = rng.uniform(0.1, 0.3), rng.uniform(0.2, 0.5)
    down = low + (1 - low) * np.exp(-x / 0.05)
    up = (1 - low) * rng.uniform(0.7, 0.95) * np.clip((x - turn) / 0.2, 0, 1)
    return log(rng, loss=(np.arange(n), noisy(rng, down + up, rng.uniform(0.03, 0.2))))


def swinging(rng: Rng) -> Series:
    """Alternates from step to step after falling a little."""
    n = int(rng.integers(100, 3000))
    x = np.arange(n)
    level = 0.5 + 0.5 * np.exp(-x / (0.1 * n))
    swing = level * rng.uniform(0.25, 0.8) * np.where(x % 2, 1, -1) * np.clip(x / (0.3 * n), 0, 1)
    return log(rng, loss=(x, np.abs(level + swing) * np.exp(0.05 * rng.standard_normal(n))))


def stopped(rng: Rng) -> Series:
    """Falls quickly and then stays where it is for most of the run."""
    n = int(rng.integers(400, 4000))
    x = np.arange(n) / n
    low = rng.uniform(0.2, 0.6)
    mean = low + (1 - low) * np.exp(-x / rng.uniform(0.01, 0.05))
    at = evaluated(rng, n, int(rng.integers(40, 100)))
    val = 1.1 * mean[at] + 0.02 * np.clip((at / n - 0.25) / 0.1, 0, 1)
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.02, 0.15))),
        val_loss=(at, noisy(rng, val, 0.003)),
    )


def broken(rng: Rng) -> Series:
    """The loss grows for a few steps and is NaN from then on."""
    n = int(rng.integers(50, 3000))
    values = noisy(rng, falling(rng, n), 0.1)
    at = int(rng.integers(30, n))
    values[at - 12 : at] *= np.geomspace(1.5, 100, 12)
    values[at:] = rng.choice([np.nan, np.inf, -np.inf])
    return {"loss": (np.arange(n), values), "acc": (np.arange(n), np.linspace(0, 1, n))}


SICK: dict[str, tuple[Family, tuple[str, ...]]] = {
    "overfitted": (overfitted, ("overfitting",)),
    "overfitted_per_epoch": (overfitted_per_epoch, ("overfitting",)),
    "overfitted_negative": (overfitted_negative, ("overfitting",)),
    "idle": (idle, ("underfitting",)),
    "thrown_off": (thrown_off, ("underfitting",)),
    "diverged": (diverged, ("diverging",)),
    "diverged_at_once": (diverged_at_once, ("diverging",)),
    "climbing": (climbing, ("diverging",)),
    "swinging": (swinging, ("oscillating",)),
    "stopped": (stopped, ("plateau",)),
    "broken": (broken, ("nan",)),
}
