"""Scores that stay where they began, in runs that log no loss."""

from __future__ import annotations

import math

from nnwidgets.probe.curve import Curve
from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.robust import median_error, middle, noise, smooth, trend
from nnwidgets.probe.sentences import number, whole

_FEWEST = 12  # points
_POOR = 0.6  # of what can be reached; a score above may have been there from the start
_GAIN = 0.02  # … and that is a gain whatever the noise is


def idle_score(score: Curve, *, language: str = "en") -> Finding | None:
    """Find an accuracy that is no higher than where it began.

    Only shares of 1 or of 100 are judged, and poor ones: what the best value of another score is,
    nobody can tell. Of a model that was trained before it may be as good as it gets, so this is
    information.
    """
    y, values, n = score.y, score.values, len(score)
    if n < _FEWEST:
        return None
    top = 100.0 if float(values.max()) > 1.5 else 1.0
    if float(values.min()) < 0 or float(values.max()) > top:
        return None
    early, late = y[: max(3, n // 10)], y[-max(5, n * 3 // 10) :]
    unit = math.ldexp(1.0, -score.exponent)  # of the score's own, in y
    least = max(4 * median_error(noise(y), len(early), len(late)), _GAIN * top * unit)
    if middle(late) > 0 or -middle(late) > _POOR * top * unit:
        return None
    if middle(early) - float(smooth(y, 5).min()) > least or trend(y) < -3:
        return None
    first, now = score.shown(middle(early)), score.shown(middle(late))
    evidence: dict[str, float | int | str] = {
        "metric": score.name,
        "first_value": first,
        "now_value": now,
        "points": score.logged,
    }
    params = {
        "metric": score.name,
        "first": number(first),
        "now": number(now),
        "step": whole(score.steps[-1]),
    }
    return make("underfitting", "info", float(score.steps[0]), evidence, params,
                variant="score", language=language)  # fmt: skip
