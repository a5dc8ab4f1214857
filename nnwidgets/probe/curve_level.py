"""Whether the loss goes where it should: not learning, diverging, plateau.

All three compare levels (medians of stretches) with the beginning and the lowest level of the same
curve. Only plain losses are judged (`metrics.is_meant_to_fall`): those of adversarial and
reinforcement learning may rise in a healthy run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nnwidgets.probe.curve import Curve
from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.robust import (
    blocks,
    median_error,
    middle,
    noise,
    recovered_rise,
    smooth,
    trend,
)
from nnwidgets.probe.sentences import number, signed_change, whole

ENOUGH_STEPS = 100
"""Points of a loss logged at each step before it can be called "not learning"."""

ENOUGH_EVALUATIONS = 12
"""The same for a loss that is an average over an epoch or a validation."""


def not_learning(
    loss: Curve,
    val: Curve | None = None,
    *,
    averaged: bool,
    scores: Sequence[Curve] = (),
    terms: Sequence[Curve] = (),
    still: bool = False,
    language: str = "en",
) -> Finding | None:
    """Find a loss that is no lower than where it began.

    A loss that stays where it is may have started at its floor, and the curve alone cannot always
    tell. What tells: a loss near zero is small against its own batch-to-batch noise, a loss at the
    trivial level (predicting the average) is not; accuracies; weights that do not move.

    Parameters
    ----------
    loss
        The training loss.
    val
        The same on validation data: without batch noise it shows a slow fall earlier.
    averaged
        Whether its points are averages over many batches.
    scores
        Accuracies and the like, to tell a floor from a failure.
    terms
        Losses that are parts of this one.
    still
        Whether something else says that the weights do not move.
    """
    y, n = loss.y, len(loss)
    if n < (ENOUGH_EVALUATIONS if averaged else ENOUGH_STEPS):
        return None
    first = min(float(y[0]), middle(y[:5]))
    late = y[-max(5, n * 3 // 10) :]
    now = middle(late)
    sigma = noise(late)
    fall = first - now
    size = abs(first)
    # Fallen: clear of the noise of a single point …
    fallen = fall > 5 * sigma or (loss.positive and fall > max(0.03 * first, 2.5 * sigma))
    if fallen and not (loss.positive and fall < 1e-3 * first and _creeps(y)):
        return None
    # … or, for a small gain under much noise, from the first tenth of the run to the last third.
    early = y[: max(5, n // 10)]
    gain = middle(early) - now
    if gain > max(4 * median_error(sigma, len(early), len(late)), 0.02 * size) and (
        gain < fall + 2 * sigma
    ):
        return None
    # At this pace it will clearly be lower than it began once the run has lasted twice as long.
    needed = max(1e-3 * size, 0.5 * (now - first) + 5e-3 * size if now > first else 0.0)
    if _pace(y) > needed:
        return None
    if val is not None and _pace(val.y, val.exponent - loss.exponent) > max(needed, 2e-3 * size):
        return None
    good, poor = _judge_scores(scores)
    if good or parts_fall(terms):
        return None
    # "Not lower" has to be known: where the noise is so large that a fall would hide, keep quiet.
    worse = now - first > max(4 * sigma, 0.05 * size)
    if not (worse or poor) and (not loss.positive or sigma > 0.1 * now):
        return None
    highest = float(np.max(y[: max(5, n // 2)]))
    jumped = loss.positive and highest > 2 * first and highest - first > 8 * sigma
    sure = poor or still or worse or jumped
    evidence: dict[str, float | int | str] = {
        "metric": loss.name,
        "first_value": float(loss.values[0]),
        "now_value": loss.shown(now),
        "highest_value": loss.shown(highest),
        "points": loss.logged,
    }
    params = {
        "metric": loss.name,
        "first": number(float(loss.values[0])),
        "now": number(loss.shown(now)),
        "highest": number(loss.shown(highest)),
        "step": whole(loss.steps[-1]),
    }
    variant = "jumped" if jumped or worse else "" if sure else "unsure"
    severity = "warning" if sure else "info"
    return make("underfitting", severity, float(loss.steps[0]), evidence, params,
                variant=variant, language=language)  # fmt: skip


def diverging(
    loss: Curve,
    rates: Curve | None = None,
    *,
    terms: Sequence[Curve] = (),
    alone: bool = False,
    language: str = "en",
) -> Finding | None:
    """Find a loss that is climbing away, or a score that has lost what it had gained.

    An error when it is above where it began, a warning when it has climbed more than halfway back.
    The level must have lasted for a tenth of the run (a fifth for a score) and not be coming down;
    a rise no larger than one the run recovered from, or one that a raised learning rate explains
    (warm restarts, Loshchilov & Hutter 2017), does not count unless it goes above the beginning.

    Parameters
    ----------
    loss
        A loss, or a score that is meant to rise: that of one never is an error, as what it is
        measured on may have become harder.
    rates
        The learning rate, if it is logged.
    terms
        Losses that are parts of this one.
    alone
        Whether it is a validation without a training that would tell more.
    """
    y, n = loss.y, len(loss)
    if n < 10:
        return None
    size = max(3, n // 20)
    # Scores wander more: few samples, and the luck of an agent.
    part, share, times = (5, 0.7, 2.0) if loss.higher else (10, 0.5, 1.25)
    recent = max(5, n // part)
    start = min(float(y[0]), middle(y[:5]))
    levels = smooth(y, size | 1)
    turn = int(np.argmin(levels[: n - recent + 1])) if n > recent else 0
    low = min(float(levels[turn]), start)
    now = middle(y[-recent:])
    if n - turn <= recent:
        return None
    sigma = max(noise(y[turn : turn + 2 * recent]), noise(y[: max(4, recent)]))
    travel = start - low
    if _on_its_way_down(y, levels, turn, low):
        return None

    def lasting(level: float) -> bool:
        return float(np.mean(y[-recent:] > level)) >= 0.8

    margin = max(0.5 * travel, 6 * sigma)
    above = now > start + margin and lasting(start + 0.5 * margin)
    # Without a zero to compare with, it takes more points to know what is large.
    above = above and (now > 1.5 * start if loss.positive and not loss.higher else n >= 30)
    halfway = (
        n >= 30
        and travel > 3 * sigma
        and now - low > share * travel
        and lasting(low + 0.3 * travel)
        and now - low > 6 * median_error(max(sigma, noise(y[-recent:])), recent, size)
        and now - low > times * recovered_rise(levels[: turn + 1])
        and not _rate_was_raised(rates, float(loss.steps[turn]))
    )
    if not (above or halfway) or parts_fall(terms):
        return None
    step = float(loss.steps[turn])
    evidence: dict[str, float | int | str] = {
        "metric": loss.name,
        "first_value": loss.shown(start),
        "best_value": loss.shown(low),
        "now_value": loss.shown(now),
        "since": int(loss.steps[-1] - step),
    }
    params = {
        "metric": loss.name,
        "step": whole(step),
        "first": number(loss.shown(start)),
        "best": number(loss.shown(low)),
        "now": number(loss.shown(now)),
        "change": signed_change(loss.shown(now), loss.shown(low)),
    }
    if loss.higher:
        params["best"] = number(float(loss.values[loss.best]))
    variant = "score" if loss.higher else "" if above else "alone" if alone else "climbing"
    return make("diverging", "error" if variant == "" else "warning", step, evidence, params,
                variant=variant, language=language)  # fmt: skip


def plateau(loss: Curve, *, since: float = -math.inf, language: str = "en") -> Finding | None:
    """Find a loss that has come down and then stopped.

    The best value is at least a third of the run ago and the last third is no lower than the one
    before. The count starts again at a change of the learning rate. For a validation loss this is
    early stopping's criterion (Prechelt 1998), and says so.
    """
    y, n = loss.y, len(loss)
    evaluations = loss.role in ("val", "test")
    if n < (15 if evaluations else 150):
        return None
    third = n * 3 // 10
    if np.isfinite(since) and int(np.searchsorted(loss.steps, since)) > n - 2 * third:
        return None
    before, late = y[-2 * third : -third], y[-third:]
    sigma = noise(y[-2 * third :])
    error = median_error(sigma, third, third)
    start = max(float(y[0]), middle(y[:3]))
    now = middle(late)
    travel = start - now
    best = loss.best
    if travel <= 6 * sigma or (evaluations and n - 1 - best < third):
        return None
    slowing = middle(before) - now
    if slowing > max(error, 0.005 * travel) or trend(y[-2 * third :]) < -2.5:
        return None
    if loss.positive and slowing > 0.02 * now:
        return None
    # Where it began: the first stretch that is as low as the end.
    levels = blocks(y, 40)
    size = n / len(levels)
    reached = levels <= now + max(2 * sigma / math.sqrt(size), 0.01 * travel)
    first = int(np.argmax(reached))
    at = best if evaluations else min(n - 1, int(n - size * (len(levels) - first)))
    step = float(loss.steps[at])
    evidence: dict[str, float | int | str] = {
        "metric": loss.name,
        "best_step": int(loss.steps[best]),
        "best_value": float(loss.values[best]),
        "now_value": loss.shown(now),
        "evaluations": loss.points(n - 1 - at),
    }
    params = {
        "metric": loss.name,
        "step": whole(step),
        "best": number(float(loss.values[best])),
        "now": number(loss.shown(now)),
        "count": whole(loss.points(n - 1 - at)),
    }
    return make("plateau", "info", step, evidence, params,
                variant="stop" if evaluations else "", language=language)  # fmt: skip


def parts_fall(terms: Sequence[Curve]) -> bool:
    """Say whether all parts of a loss have fallen and are as low as they ever were.

    Then their sum rises because one of them is given more weight from step to step (the KL term of
    a variational model: Bowman et al. 2016; a consistency loss: Laine & Aila 2017).
    """
    return bool(terms) and all(_has_fallen(term) for term in terms)


def _has_fallen(loss: Curve) -> bool:
    y, n = loss.y, len(loss)
    if n < 10:
        return False
    start, now = min(float(y[0]), middle(y[:5])), middle(y[-max(5, n // 10) :])
    low = float(np.min(smooth(y, max(3, n // 20) | 1)))
    travel = start - low
    return travel > max(6 * noise(y), 0.2 * abs(start)) and now - low <= 0.2 * travel


def _on_its_way_down(y: np.ndarray, levels: np.ndarray, turn: int, low: float) -> bool:
    """Say whether a loss that climbed since ``turn`` has gone back, or is still going back."""
    # Without the end, where the smoothing has points on one side only.
    climb = levels[turn : max(turn + 1, len(y) - len(y) // 40)]
    top = int(np.argmax(climb))
    height = float(climb[top]) - low
    fallen = float(climb[top]) - float(climb[-1])
    if fallen > 0.5 * height:
        return True
    descent = y[turn + top :]
    recent = descent[-max(12, len(descent) // 2) :]
    return fallen > 0.1 * height and len(descent) >= 8 and trend(recent) < -2


def _pace(y: np.ndarray, exponent: int = 0) -> float:
    """Return how much a curve times a power of two fell in the second half of a run.

    0 if that could be chance.
    """
    half = y[-max(8, len(y) // 2) :]
    quarter = max(1, len(half) // 4)
    if len(half) < 8 or trend(half) > -2:
        return 0.0
    return float(np.ldexp(middle(half[:quarter]) - middle(half[-quarter:]), exponent))


def _creeps(y: np.ndarray) -> bool:
    """Say whether a fall goes on at the same tiny pace instead of slowing down."""
    quarter = max(1, len(y) // 4)
    total = middle(y[:quarter]) - middle(y[-quarter:])
    middle_level = middle(y[len(y) // 2 - quarter // 2 : len(y) // 2 + quarter // 2 + 1])
    return total <= 0 or middle_level - middle(y[-quarter:]) >= 0.4 * total


def _judge_scores(scores: Sequence[Curve]) -> tuple[bool, bool]:
    """Say whether accuracies show that the model is good, or that it stays poor."""
    good = poor = False
    for score in scores:
        top = 100.0 if float(np.max(score.values)) > 1.5 else 1.0
        if float(np.min(score.values)) < 0 or float(np.max(score.values)) > top or len(score) < 3:
            continue
        recent = middle(score.values[-max(3, len(score) // 3) :]) / top
        begun = float(score.values[0]) / top
        good = good or recent > 0.8 or recent - begun > 0.15
        poor = poor or (recent < 0.6 and recent - begun < 0.05)
    return good, poor and not good


def _rate_was_raised(rates: Curve | None, since: float) -> bool:
    """Say whether the learning rate has been above 1.2 times what it was at a step."""
    if rates is None or not len(rates):
        return False
    at = int(np.searchsorted(rates.steps, since, side="right")) - 1
    then = float(rates.values[max(0, at)])
    return bool(np.max(rates.values[max(0, at) :]) > 1.2 * then)
