"""Families of made-up runs in which nothing is wrong, whatever they look like."""

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
    wandering,
)


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
