"""Overfitting: validation gets worse while training still gets better.

The picture is the generalisation loss of Prechelt (1998, "Early stopping – but when?"), the rise
of the validation error above its lowest value so far. His thresholds are relative to that value,
which means little for losses that may be negative or carry an offset, so a rise counts here if it
is large *either* against the travel of the curves *or* against a positive best value, and in both
cases stands clear of the noise, has lasted, and exceeds every setback the run recovered from.
"""

from __future__ import annotations

import math

import numpy as np

from nnwidgets.probe.curve import Curve
from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.robust import median_error, middle, noise, recovered_rise, smooth, trend
from nnwidgets.probe.sentences import number, signed_change, whole

_FEWEST = 6  # validations before anything is said
_PATIENCE = 4  # validations after the best one; Prechelt's strips have five
_OF_TRAVEL = 0.05  # a rise that counts whatever the best value is
_OF_BEST = 0.10  # a rise that counts against a positive best value (his GL > 10) …
_OF_TRAVEL_AT_LEAST = 0.02  # … as long as it can be seen at all on the chart
_GAP = 0.3  # share of the travel between the curves that is worth a remark


def overfitting(train: Curve, val: Curve, language: str) -> Finding | None:
    """Judge a pair of curves of one metric.

    The finding's step is the step of the best validation. It is a warning while validation is
    worse than its best for good, information while it is coming down again (as in epoch-wise
    double descent, Nakkiran et al. 2020) or when it only stands still far above training.
    """
    y, n, best = val.y, len(val), val.best
    after = n - 1 - best
    if n < _FEWEST or len(train) < _FEWEST or after < max(_PATIENCE, math.ceil(0.1 * n)):
        return None
    recent = max(3, after // 4)
    half = max(1, recent // 2)
    now = middle(y[-recent:])
    around = y[max(0, best - half) : best + half + 1]
    low = middle(around)
    # One scale for both curves: a power of two, so nothing is lost.
    shift = train.exponent - val.exponent
    t = np.ldexp(train.y, shift) if abs(shift) < 1000 else train.y * 0
    travel = max(_start(y) - low, _start(t) - float(np.min(t)))
    change = _train_change(train, t, float(val.steps[best]))
    then_t, now_t, fell, at_floor = change
    rise = now - low
    error = median_error(noise(y), recent, len(around))
    evidence: dict[str, float | int | str] = {
        "metric": val.name,
        "train_metric": train.name,
        "best_step": int(val.steps[best]),
        "best_value": float(val.values[best]),
        "now_value": val.shown(now),
        "rise": val.shown(now) - float(val.values[best]),
        "train_change": val.shown(now_t) - val.shown(then_t),
        "since": int(val.steps[-1] - val.steps[best]),
        "evaluations": val.points(after),
    }
    params = {
        "val": val.name,
        "train": train.name,
        "step": whole(val.steps[best]),
        "best": number(float(val.values[best])),
        "now": number(val.shown(now)),
        "rise": signed_change(val.shown(now), float(val.values[best])),
        "then": number(val.shown(then_t)),
        "train_now": number(val.shown(now_t)),
        "count": whole(val.points(after)),
    }
    step = float(val.steps[best])
    up = "_higher" if val.higher else ""
    if _clear_rise(y, best, low, now, error, travel, val) and (fell or at_floor):
        variant = "higher" if val.higher else ""
        if _coming_back(y[best:], now, low, error):
            return make("overfitting", "info", step, evidence, params,
                        variant=f"recovering{up}", language=language)  # fmt: skip
        return make("overfitting", "warning", step, evidence, params,
                    variant=variant, language=language)  # fmt: skip
    gap = now - now_t
    stands_still = after >= max(8, 0.3 * n) and rise > -max(error, 0.02 * gap)
    if stands_still and at_floor and not val.higher and gap > _GAP * travel and travel > 0:
        return make("overfitting", "info", step, evidence, params,
                    variant="gap", language=language)  # fmt: skip
    return None


def _start(y: np.ndarray) -> float:
    return max(float(y[0]), middle(y[:3]))


def _clear_rise(
    y: np.ndarray, best: int, low: float, now: float, error: float, travel: float, val: Curve
) -> bool:
    rise = now - low
    after = len(y) - 1 - best
    large = rise >= _OF_TRAVEL * travel
    if val.positive and not val.higher:
        share = rise / low
        # A rise of a per cent or two is no reason to stop, however little the curve travelled.
        large = (large and share >= 0.03) or (
            share >= _OF_BEST and rise >= _OF_TRAVEL_AT_LEAST * travel
        )
    if not large or rise <= 4 * error:
        return False
    # With few points the noise is hardly known: then only a steady rise counts.
    if after < 8 and trend(y[best:]) < 2:
        return False
    late = y[-max(3, after // 3) :]
    if np.mean(late > low + rise / 3) < 0.8:
        return False
    return rise > 1.25 * recovered_rise(smooth(y[: best + 1], 3))


def _coming_back(since: np.ndarray, now: float, low: float, error: float) -> bool:
    """Say whether validation has turned and is falling towards its best again."""
    calm = smooth(since, 3)
    top = int(np.argmax(calm))
    descent = since[top:]
    fallen = float(calm[top]) - now
    return (
        len(descent) >= 6
        and fallen > max(3 * error, 0.3 * (float(calm[top]) - low))
        and trend(descent) < -2
    )


def _train_change(train: Curve, t: np.ndarray, step: float) -> tuple[float, float, bool, bool]:
    """Return training's level at a step and now, whether it fell, whether it is at its floor."""
    at = int(np.searchsorted(train.steps, step, side="right"))
    at = min(max(at, 1), len(t) - 1)
    window = max(3, (len(t) - at) // 5)
    before = t[max(0, at - window) : at]
    after = t[-min(window, len(t) - at) :]
    then, now = middle(before), middle(after)
    error = median_error(noise(t[max(0, at - window) :]), len(before), len(after))
    travel = _start(t) - float(np.min(t))
    at_floor = now - float(np.min(t)) <= 0.05 * travel and now <= then + error
    return then, now, then - now > 2 * error, bool(at_floor)
