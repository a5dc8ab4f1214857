"""Runs of kinds that a plain classifier does not show: what each logs when nothing is wrong."""

from __future__ import annotations

import numpy as np

from tests.probe.curve_parts import Family, Rng, Series, evaluated, falling, noisy, wandering

X = np.arange


def restarts_with_rate(rng: Rng) -> Series:
    """Cosine schedule with warm restarts, its rate logged, noise about it."""
    cycles, length = int(rng.integers(3, 7)), int(rng.integers(300, 900))
    n = cycles * length
    rate = 0.05 * (1 + np.cos(np.pi * (X(n) % length) / length))
    mean = (2.3 * np.exp(-X(n) / (0.35 * n)) + rng.uniform(0.2, 0.6)) * (1 + 5 * rate)
    at = evaluated(rng, n, int(rng.integers(20, 80)))
    return {
        "loss": (X(n), noisy(rng, mean, rng.uniform(0.05, 0.25))),
        "val_loss": (at, noisy(rng, 1.1 * mean[at], 0.02)),
        "learning_rate": (X(n), rate),
    }


def label_smoothing(rng: Rng) -> Series:
    """The floor of a smoothed cross-entropy is far from zero."""
    n = int(rng.integers(600, 3000))
    at = evaluated(rng, n, int(rng.integers(15, 80)))
    return {
        "loss": (X(n), noisy(rng, 0.5 + 1.8 * np.exp(-X(n) / (0.1 * n)), 0.03)),
        "val_loss": (at, noisy(rng, 0.62 + 1.7 * np.exp(-at / (0.08 * n)), 0.006)),
    }


def next_to_nothing(rng: Rng) -> Series:
    """A loss that is as good as zero from the first step on."""
    n = int(rng.integers(200, 2000))
    return {
        "loss": (X(n), 1e-7 * rng.gamma(1, 1, n)),
        "val_loss": (evaluated(rng, n, 20), 1e-7 * rng.gamma(5, 0.2, 20)),
    }


def annealed_term(rng: Rng) -> Series:
    """A variational model: the weight of its KL term grows, and so does the sum."""
    n = int(rng.integers(800, 3000))
    x = X(n) / n
    data = np.exp(-x / 0.1) + 0.3
    kl = rng.uniform(0.8, 4) * np.clip(x / rng.uniform(0.2, 0.6), 0, 1)
    return {
        "loss": (X(n), noisy(rng, data + kl, 0.05)),
        "recon_loss": (X(n), noisy(rng, data, 0.05)),
        "kl_loss": (X(n), noisy(rng, kl + 1e-4, 0.05)),
    }


def rarely_validated(rng: Rng) -> Series:
    """A noisy loss at each step, a validation every 500."""
    n = int(rng.integers(5000, 12000))
    mean, at = falling(rng, n, (0.2, 0.5)), X(499, n, 500)
    return {
        "train_loss": (X(n), noisy(rng, mean, rng.uniform(0.1, 0.3))),
        "val_loss": (at, noisy(rng, 1.1 * mean[at], 0.02)),
    }


def only_validated(rng: Rng) -> Series:
    """Nothing but a validation loss."""
    n = int(rng.integers(8, 60))
    return {"val_loss": (500 * X(n), noisy(rng, falling(rng, n, (0.2, 0.5)), 0.03))}


def negative(rng: Rng) -> Series:
    """A negative ELBO in the thousands."""
    n = int(rng.integers(500, 3000))
    at = evaluated(rng, n, 30)
    mean = -1500 - 300 * (1 - np.exp(-X(n) / (0.2 * n)))
    return {
        "loss": (X(n), mean + rng.normal(0, 20, n)),
        "val_loss": (at, mean[at] + 20 + rng.normal(0, 3, len(at))),
    }


def q_learning(rng: Rng) -> Series:
    """An agent whose loss grows with what it hopes for, as the targets do."""
    n = int(rng.integers(500, 3000))
    return {
        "loss": (X(n), (0.01 + X(n) / n) * rng.gamma(1, 1, n)),
        "reward": (X(n), 200 * X(n) / n + rng.normal(0, 60, n)),
    }


def policy_gradient(rng: Rng) -> Series:
    """As stable-baselines3 logs PPO: one loss for all of it, rewards with great noise."""
    n = int(rng.integers(300, 2000))
    up = np.clip(2 * X(n) / n, 0, 1)
    return {
        "train/loss": (X(n), 5 + 20 * up + rng.normal(0, 5, n)),
        "train/policy_gradient_loss": (X(n), rng.normal(-0.01, 0.01, n)),
        "train/value_loss": (X(n), 10 + 40 * up + rng.normal(0, 10, n)),
        "rollout/ep_rew_mean": (X(n), 400 * X(n) / n + rng.normal(0, 30, n)),
    }


def lucky_agent(rng: Rng) -> Series:
    """Rewards of heavy tails, with a luck that lasts."""
    n = int(rng.integers(200, 2000))
    gain = 200 * (1 - np.exp(-X(n) / (0.3 * n)))
    return {
        "episode_reward": (X(n), gain + wandering(rng, n, 20, 0.95) + 60 * rng.standard_t(3, n)),
        "eval/mean_reward": (X(n)[::20], (gain + rng.normal(0, 40, n))[::20]),
    }


def self_play(rng: Rng) -> Series:
    """Wins against oneself, which stay at a half."""
    n = int(rng.integers(50, 500))
    return {"win_rate": (X(n), np.clip(0.5 + wandering(rng, n, 0.1, 0.9), 0, 1))}


def discriminated(rng: Rng) -> Series:
    """A GAN that logs accuracies and a loss for both of its networks."""
    n = int(rng.integers(300, 2000))
    return {
        "loss": (X(n), 1 + 2 * X(n) / n + wandering(rng, n, 0.2, 0.9) + rng.normal(0, 0.1, n)),
        "generator_loss": (X(n), 0.7 + 2 * X(n) / n + wandering(rng, n, 0.2, 0.9)),
        "D_acc": (X(n), 0.5 + 0.5 * np.exp(-X(n) / 60) + rng.normal(0, 0.03, n)),
    }


def preferences(rng: Rng) -> Series:
    """DPO: what it calls rewards of answers goes down for both of a pair."""
    n = int(rng.integers(300, 1500))
    return {
        "loss": (X(n), 0.69 - 0.3 * (1 - np.exp(-4 * X(n) / n)) + rng.normal(0, 0.05, n)),
        "rewards/chosen": (X(n), -2 * X(n) / n + rng.normal(0, 0.3, n)),
        "rewards/rejected": (X(n), -5 * X(n) / n + rng.normal(0, 0.3, n)),
    }


def running_sum(rng: Rng) -> Series:
    """A sum over the epoch so far, which begins anew with the next."""
    epochs, length = int(rng.integers(3, 12)), int(rng.integers(50, 150))
    terms = noisy(rng, falling(rng, epochs * length, (0.2, 0.5)), 0.1)
    sums = np.cumsum(terms.reshape(epochs, length), axis=1).ravel()
    return {"running_loss": (X(epochs * length), sums)}


def traded(rng: Rng) -> Series:
    """Precision is given up for recall."""
    n = int(rng.integers(40, 100))
    fade = np.exp(-X(n) / 10)
    return {
        "val_precision": (X(n), 0.7 + 0.3 * fade + rng.normal(0, 0.01, n)),
        "val_recall": (X(n), 0.8 - 0.7 * fade + rng.normal(0, 0.01, n)),
        "val_f1": (X(n), 0.75 - 0.6 * fade + rng.normal(0, 0.01, n)),
    }


def counted_in_a_batch(rng: Rng) -> Series:
    """Only the accuracy of batches of 8 to 32 samples."""
    n, size = int(rng.integers(300, 3000)), int(rng.choice([8, 16, 32]))
    share = 0.95 - 0.85 * np.exp(-X(n) / (rng.uniform(0.05, 0.3) * n))
    return {"train_acc": (X(n), rng.binomial(size, share) / size)}


def late_score(rng: Rng) -> Series:
    """A detector: its mAP is zero for the first ten evaluations, then rises."""
    rise = 0.5 * (1 - np.exp(-X(50) / 12)) + rng.normal(0, 0.003, 50)
    return {"mAP": (X(60), np.clip(np.concatenate([np.zeros(10), rise]), 0, 1))}


def language_model(rng: Rng) -> Series:
    """A power law with spikes that heal."""
    n = int(rng.integers(1000, 4000))
    mean = 2.5 + 8 * (1 + X(n) / 30) ** -0.5
    spiky = mean.copy()
    for at in rng.integers(100, n - 10, 5):
        spiky[at : at + 8] += rng.uniform(0.5, 3)
    return {
        "train/loss": (X(n), spiky + rng.normal(0, 0.08, n)),
        "val/loss": (X(0, n, 250), mean[::250] + 0.05 + rng.normal(0, 0.01, len(mean[::250]))),
    }


def smoothed_before(rng: Rng) -> Series:
    """A loss that was smoothed before it was logged: noise with a memory."""
    n = int(rng.integers(500, 3000))
    raw = noisy(rng, falling(rng, n, (0.1, 0.5)), 0.4)
    calm = np.empty(n)
    level = raw[0]
    for i, value in enumerate(raw):
        calm[i] = level = 0.98 * level + 0.02 * value
    return {"loss": (X(n), calm)}


KINDS: dict[str, Family] = {
    f.__name__: f
    for f in (
        restarts_with_rate, label_smoothing, next_to_nothing, annealed_term, rarely_validated,
        only_validated, negative, q_learning, policy_gradient, lucky_agent, self_play,
        discriminated, preferences, running_sum, traded, counted_in_a_batch, late_score,
        language_model, smoothed_before,
    )
}  # fmt: skip
