"""Oscillation: the loss swings to and fro, because each step jumps across the valley.

A step size above two over the sharpness makes gradient descent overshoot along the sharpest
direction, to the other side and back (LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp" §5;
Cohen et al. 2021, "edge of stability"). Such a loss goes up and down in turn. That order is what
is tested here, not the size of the fluctuation: batches differ, and large but random fluctuation
is the normal state of small batches, few validation samples and reinforcement learning.
"""

from __future__ import annotations

import math

import numpy as np

from nnwidgets.probe.curve import Curve
from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.robust import middle
from nnwidgets.probe.sentences import number, whole

_FEWEST, _NEWEST = 32, 128  # points
_OF_LEVEL = 0.1  # smallest swing against a positive level …
_OF_TRAVEL = 0.025  # … and against the way the loss has come; six times that for longer periods


def oscillating(
    loss: Curve, *, points_per_epoch: float = math.inf, language: str = "en"
) -> Finding | None:
    """Find a sustained alternation in the newest points.

    Parameters
    ----------
    loss
        A loss; its `Curve.tail` has no gaps.
    points_per_epoch
        Where it is small, batches that come round in a fixed order make a pattern of their own,
        and nothing is said.
    """
    y = loss.tail[-_NEWEST:]
    n = len(y)
    if n < _FEWEST or points_per_epoch < 8:
        return None
    for lag in (1, 2, 3):
        swing = _around_its_mean(y, lag)
        # Both halves, so that one burst long ago does not count as sustained.
        if all(_alternates(part, lag) for part in (swing, *np.array_split(swing, 2))):
            break
    else:
        return None
    level = middle(y)
    size = 1.4826 * middle(np.abs(swing - middle(swing)))
    start = max(float(loss.y[0]), middle(loss.y[:3]))
    travel = start - float(np.min(loss.y))
    if size < (_OF_TRAVEL if lag == 1 else 6 * _OF_TRAVEL) * travel:
        return None
    if loss.positive and size < _OF_LEVEL * level:
        return None
    at = max(0, len(loss) - n)
    low, high = (float(q) for q in np.quantile(y, [0.1, 0.9]))
    evidence: dict[str, float | int | str] = {
        "metric": loss.name,
        "low": loss.shown(low),
        "high": loss.shown(high),
        "period": 2 * lag,
        "points": n,
    }
    params = {
        "metric": loss.name,
        "low": number(loss.shown(low)),
        "high": number(loss.shown(high)),
        "period": whole(2 * lag),
        "count": whole(n),
    }
    return make("oscillating", "warning", float(loss.steps[at]), evidence, params,
                language=language)  # fmt: skip


def _around_its_mean(y: np.ndarray, lag: int) -> np.ndarray:
    """Return what is left of a curve without its course over a few periods, wild points cut off."""
    width = 8 * lag + 1
    padded = np.pad(y, width // 2, mode="reflect")
    swing = y - np.convolve(padded, np.full(width, 1 / width), mode="valid")
    most = 3 * 1.4826 * middle(np.abs(swing))
    return np.asarray(np.clip(swing, -most, most))


def _alternates(swing: np.ndarray, lag: int) -> bool:
    """Say whether points half a period (``lag``) apart lie on opposite sides.

    The autocorrelation at half a period is near −1 for an alternation and 0 ± 1/√n for white
    noise; several of those errors are asked for, and a return after the whole period.
    """
    n = len(swing)
    power = float(np.dot(swing, swing))
    if power <= 1e-20 * n:
        return False
    needed = min(0.35 + 2.5 / math.sqrt(n), 0.8)
    return _correlation(swing, lag) / power < -needed and _correlation(swing, 2 * lag) / power > 0.2


def _correlation(swing: np.ndarray, lag: int) -> float:
    n = len(swing)
    return float(np.dot(swing[:-lag], swing[lag:])) * n / (n - lag)
