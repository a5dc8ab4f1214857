"""Families of made-up curves, healthy and sick, for measuring how often a rule is right.

Each family is a function of a random generator and returns series as a run would log them. Scale,
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


# ---------------------------------------------------------------------------------- healthy


def plain(rng: Rng) -> Series:
    """Training and validation fall together, with ordinary noise."""
    n = int(rng.integers(150, 4000))
    mean = falling(rng, n)
    at = evaluated(rng, n, int(rng.integers(8, 80)))
    gap = 1 + rng.uniform(0, 0.3) * (1 - mean)
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.02, 0.2))),
        val_loss=(at, noisy(rng, (mean * gap)[at], rng.uniform(0.002, 0.03))),
    )


def very_noisy(rng: Rng) -> Series:
    """Tiny batches: the noise is as large as the loss, with heavy tails."""
    n = int(rng.integers(200, 4000))
    mean = falling(rng, n)
    return log(rng, loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.4, 0.9), heavy=True)))


def few_validation_samples(rng: Rng) -> Series:
    """Validation on a handful of samples: noisy, and with a memory of its own."""
    n = int(rng.integers(500, 4000))
    mean = falling(rng, n, (0.1, 0.5))
    at = evaluated(rng, n, int(rng.integers(10, 100)))
    size = rng.uniform(0.05, 0.15)
    jitter = wandering(rng, len(at), size, 0.5)
    return log(
        rng,
        train_loss=(np.arange(n), noisy(rng, mean, 0.1)),
        val_loss=(at, (mean[at] + 0.1) * np.exp(jitter + size * rng.standard_normal(len(at)))),
    )


def warm_restarts(rng: Rng) -> Series:
    """SGDR: the loss jumps up at each restart and comes down again (T_mult 1 or 2)."""
    mean, first = [], int(rng.integers(60, 300))
    length, double, jump = first, bool(rng.integers(2)), rng.uniform(0.1, 0.4)
    level, base = 1.0, rng.uniform(0.05, 0.3)
    for cycle in range(int(rng.integers(3, 6))):
        x = np.arange(length) / length
        bottom = base + (level - base) * rng.uniform(0.2, 0.5)
        top = level if cycle == 0 else level + jump * (1 - level)
        anneal = 0.5 * (1 + np.cos(np.pi * x))
        mean.append(bottom + (top - bottom) * anneal ** rng.uniform(1, 3))
        level = bottom
        length *= 2 if double else 1
    curve = np.concatenate(mean)
    n = len(curve)
    at = evaluated(rng, n, max(10, n // 20))
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, curve, rng.uniform(0.02, 0.15))),
        val_loss=(at, noisy(rng, curve[at] * 1.1, 0.02)),
    )


def warm_up(rng: Rng) -> Series:
    """The loss stays or rises a little during warm-up, then falls."""
    n = int(rng.integers(400, 3000))
    flat = int(rng.integers(5, 60))
    bump = 1 + rng.uniform(0, 0.3) * np.sin(np.linspace(0, np.pi, flat))
    mean = np.concatenate([bump, falling(rng, n - flat)])
    at = evaluated(rng, n, int(rng.integers(8, 40)))
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.02, 0.15))),
        val_loss=(at, noisy(rng, mean[at], 0.01)),
    )


def rate_drops(rng: Rng) -> Series:
    """Step schedule: the loss falls in stairs."""
    n = int(rng.integers(600, 4000))
    mean = falling(rng, n, (0.3, 0.5))
    for cut in np.sort(rng.uniform(0.3, 0.95, int(rng.integers(1, 4)))):
        mean[int(cut * n) :] *= rng.uniform(0.4, 0.7)
    at = evaluated(rng, n, int(rng.integers(20, 100)))
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.02, 0.2))),
        val_loss=(at, noisy(rng, mean[at] * 1.1, 0.02)),
    )


def at_its_floor(rng: Rng) -> Series:
    """A model that was trained before: the loss starts where it stays."""
    n = int(rng.integers(150, 2000))
    loss = rng.gamma(rng.uniform(1, 6), 1.0, n)
    at = evaluated(rng, n, int(rng.integers(8, 40)))
    val = 1.0 + wandering(rng, len(at), rng.uniform(0.005, 0.02))
    return log(rng, loss=(np.arange(n), loss), val_loss=(at, val))


def fine_tuned(rng: Rng) -> Series:
    """A large pretrained model: a small, slow gain under noise that does not shrink."""
    n = int(rng.integers(300, 3000))
    mean = 1 - rng.uniform(0.05, 0.2) * (1 - np.exp(-np.arange(n) / (n * rng.uniform(0.1, 0.5))))
    at = evaluated(rng, n, int(rng.integers(5, 30)))
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.03, 0.15))),
        val_loss=(at, noisy(rng, mean[at], 0.003)),
    )


def small_bumps(rng: Rng) -> Series:
    """Validation drifts up by a per cent or two at the end, or bumps for a few evaluations."""
    n = int(rng.integers(1000, 4000))
    mean = falling(rng, n, (0.1, 0.4))
    at = evaluated(rng, n, int(rng.integers(20, 100)))
    val = mean[at].copy()
    val[len(val) // 2 :] += np.linspace(0, 0.015, len(val) - len(val) // 2) * val[-1]
    place = int(rng.integers(len(at) // 3, len(at) - 6))
    val[place : place + 3] *= 1 + rng.uniform(0, 0.2)
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, 0.1)),
        val_loss=(at, noisy(rng, val, 0.01)),
    )


def reinforcement(rng: Rng) -> Series:
    """Rewards and losses of an agent: everything noisy, nothing meant to fall."""
    n = int(rng.integers(200, 3000))
    x = np.arange(n)
    return {
        "episode_reward": (x, wandering(rng, n, 30, 0.95) + x / n * 100 + rng.normal(0, 40, n)),
        "policy_loss": (x, wandering(rng, n, 0.1, 0.9) + rng.normal(0, 0.1, n)),
        "value_loss": (x, rng.gamma(2, 1, n) * (1 + x / n * rng.uniform(0, 5))),
        "entropy": (x, 1.5 - x / n + rng.normal(0, 0.05, n)),
    }


def reinforcement_unnamed(rng: Rng) -> Series:
    """The same under the plain name "loss": heavy noise around a slow fall."""
    n = int(rng.integers(200, 3000))
    mean = 1 - rng.uniform(0.1, 0.6) * np.arange(n) / n
    return log(rng, loss=(np.arange(n), mean * rng.gamma(1.5, 1 / 1.5, n)))


def adversarial(rng: Rng) -> Series:
    """A GAN: both losses wander about their balance."""
    n = int(rng.integers(200, 3000))
    x = np.arange(n)
    return {
        "loss_G": (x, 0.7 + x / n + wandering(rng, n, 0.3, 0.95) + rng.normal(0, 0.2, n)),
        "loss_D": (x, 1.3 + wandering(rng, n, 0.2, 0.95) + rng.normal(0, 0.1, n)),
    }


def accuracy_only(rng: Rng) -> Series:
    """Only accuracies are logged."""
    n = int(rng.integers(10, 120))
    x = np.arange(n)
    acc = 1 - 0.9 * falling(rng, n, (0.02, 0.3))
    val = acc - 0.05 * acc
    return {
        "train_acc": (x, np.clip(acc + rng.normal(0, 0.01, n), 0, 1)),
        "val_acc": (x, np.clip(val + rng.normal(0, 0.015, n), 0, 1)),
    }


def likelihood(rng: Rng) -> Series:
    """A loss that crosses zero and ends negative (a log-likelihood, a flow)."""
    n = int(rng.integers(200, 3000))
    mean = falling(rng, n) * rng.uniform(2, 20) - rng.uniform(1, 15)
    at = evaluated(rng, n, int(rng.integers(8, 60)))
    return log(
        rng,
        loss=(np.arange(n), mean + rng.normal(0, 0.2, n)),
        val_loss=(at, mean[at] + rng.normal(0, 0.03, len(at))),
    )


def per_epoch(rng: Rng) -> Series:
    """One point an epoch for everything, as Keras-like loops log."""
    n = int(rng.integers(6, 80))
    mean = falling(rng, n, (0.05, 0.4))
    x = np.arange(n)
    acc = 1 - 0.9 * mean
    return log(
        rng,
        loss=(x, noisy(rng, mean, 0.01)),
        val_loss=(x, noisy(rng, mean * 1.1 + 0.02, 0.03)),
        acc=(x, acc),
        val_acc=(x, acc * 0.97 + rng.normal(0, 0.005, n)),
    )


def regularised(rng: Rng) -> Series:
    """A dropout run: validation below training, both level off at the end."""
    n = int(rng.integers(500, 4000))
    mean = falling(rng, n, (0.2, 0.5))
    at = evaluated(rng, n, int(rng.integers(10, 100)))
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, 0.15)),
        val_loss=(at, mean[at] * 0.8 * np.exp(wandering(rng, len(at), 0.015))),
    )


def wandering_validation(rng: Rng) -> Series:
    """Training creeps on while validation, on few samples, wanders about its floor."""
    n = int(rng.integers(1000, 4000))
    mean = falling(rng, n, (0.0, 0.1))
    at = evaluated(rng, n, int(rng.integers(20, 200)))
    floor = 0.3 + 0.7 * np.exp(-at / (0.1 * n))
    drift = wandering(rng, len(at), rng.uniform(0.01, 0.03), 0.9)
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean, 0.1)),
        val_loss=(at, floor * np.exp(drift + 0.01 * rng.standard_normal(len(at)))),
    )


def one_cycle(rng: Rng) -> Series:
    """A rate that goes up and down: the loss falls, stays high and noisy, then falls for good."""
    n = int(rng.integers(600, 4000))
    x = np.arange(n) / n
    high = rng.uniform(0.3, 0.6)
    mean = 0.1 + (high - 0.1) * np.clip((1 - x) / 0.5, 0, 1) ** 0.7 + (1 - high) * np.exp(-x / 0.02)
    bump = 1 + rng.uniform(0, 0.3) * np.exp(-(((x - 0.25) / 0.08) ** 2))
    at = evaluated(rng, n, int(rng.integers(10, 60)))
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, mean * bump, rng.uniform(0.05, 0.2))),
        val_loss=(at, noisy(rng, (mean * bump * 1.1)[at], rng.uniform(0.01, 0.1))),
    )


def double_descent(rng: Rng) -> Series:
    """Validation rises, turns and ends below its first minimum, or is well on the way there."""
    n = int(rng.integers(1000, 4000))
    x = np.arange(n) / n
    train = falling(rng, n, (0.0, 0.05))
    hump = rng.uniform(0.1, 0.4) * np.exp(-(((x - 0.4) / 0.1) ** 2))
    at = evaluated(rng, n, int(rng.integers(30, 150)))
    val = 0.3 + 0.7 * np.exp(-x / 0.05) - 0.1 * x + hump
    return log(
        rng,
        loss=(np.arange(n), noisy(rng, train, 0.1)),
        val_loss=(at, noisy(rng, val[at], 0.01)),
    )


def fixed_order(rng: Rng) -> Series:
    """Batches that are never shuffled: the loss repeats a pattern of its own each epoch."""
    n = int(rng.integers(300, 3000))
    length = int(rng.integers(10, 200))
    pattern = np.exp(0.3 * rng.standard_normal(length))
    return log(rng, loss=(np.arange(n), falling(rng, n) * np.resize(pattern, n)))


def spikes(rng: Rng) -> Series:
    """Single wild batches, and one jump to ten times the loss that heals within a twentieth."""
    n = int(rng.integers(400, 4000))
    mean = falling(rng, n)
    mean[rng.integers(0, n, 10)] *= rng.uniform(3, 30, 10)
    place = int(rng.uniform(0.2, 0.7) * n)
    mean[place:] *= 1 + 9 * np.exp(-np.arange(n - place) / (0.01 * n))
    return log(rng, loss=(np.arange(n), noisy(rng, mean, rng.uniform(0.05, 0.2))))


def far_from_zero(rng: Rng) -> Series:
    """A loss with a large constant in it: all that happens, happens in the last digits."""
    series = plain(rng)
    offset = 1e4 * float(np.max(series["loss"][1]))
    return {name: (steps, values + offset) for name, (steps, values) in series.items()}


def constant(rng: Rng) -> Series:
    """Nothing left to learn: exactly zero, or a tiny loss."""
    n = int(rng.integers(1, 1000))
    low = 0.0 if rng.integers(2) else 10 ** rng.uniform(-12, -6)
    return {"loss": (np.arange(n), low * rng.gamma(2, 1, n)), "val_acc": (np.arange(n), np.ones(n))}


def short(rng: Rng) -> Series:
    """A handful of points, whatever they do."""
    n = int(rng.integers(1, 6))
    return log(
        rng,
        loss=(np.arange(n), rng.gamma(1, 1, n)),
        val_loss=(np.arange(n), rng.gamma(1, 1, n)),
    )


HEALTHY: dict[str, Family] = {
    f.__name__: f
    for f in (
        plain, very_noisy, few_validation_samples, warm_restarts, warm_up, rate_drops,
        at_its_floor, fine_tuned, small_bumps, reinforcement, reinforcement_unnamed, adversarial,
        accuracy_only, likelihood, per_epoch, regularised, wandering_validation, one_cycle,
        double_descent, fixed_order, spikes, far_from_zero, constant, short,
    )
}  # fmt: skip


# ------------------------------------------------------------------------------------- sick


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
