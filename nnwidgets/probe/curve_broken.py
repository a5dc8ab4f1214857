"""Numbers that are no numbers any more, and what led up to them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nnwidgets.probe.curve import Curve, Floats
from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.metrics import higher_is_better, kind_of, split_name
from nnwidgets.probe.robust import middle
from nnwidgets.probe.sentences import factor, number, whole

_LOOK_BACK = 50  # points before the first bad one that can have led to it
_GROWN = 5.0  # growth over them that explains it


def not_finite(series: Mapping[str, tuple[Floats, Floats]], language: str) -> Finding | None:
    """Find the first NaN or infinity of all series and say what came before it.

    It is an error while a loss is not finite, a warning while another metric is not, and
    information once the series has gone on with finite values: mixed-precision training skips
    steps with infinite gradients on purpose (Micikevicius et al. 2018), and some people log NaN
    for "not measured".
    """
    first: tuple[int, float, int, str] | None = None
    for order, (name, (steps, values)) in enumerate(series.items()):
        bad = ~np.isfinite(values) & np.isfinite(steps)
        if not bad.any():
            continue
        at = int(np.argmax(bad))
        # What is broken now comes before what was once: then the earliest, then a loss.
        over = bool(np.isfinite(values[-1]))
        rank = 2 if over else 0 if higher_is_better(split_name(name)[0]) is False else 1
        candidate = (min(rank, 1) if rank != 2 else 2, float(steps[at]), order, name)
        if first is None or candidate < first:
            first = candidate
    if first is None:
        return None
    name = first[3]
    steps, values = series[name]
    at = int(np.argmax(~np.isfinite(values) & np.isfinite(steps)))
    passed = bool(np.isfinite(values[-1]))
    is_loss = higher_is_better(split_name(name)[0]) is False
    what = "NaN" if math.isnan(values[at]) else "∞" if values[at] > 0 else "−∞"
    evidence: dict[str, float | int | str] = {
        "metric": name,
        "value": {"∞": "inf", "−∞": "-inf"}.get(what, "NaN"),
        "count": int(np.count_nonzero(~np.isfinite(values))),
        "points": len(values),
    }
    params = {
        "metric": name,
        "what": what,
        "step": whole(steps[at]),
        "count": whole(float(evidence["count"])),
        "points": whole(len(values)),
    }
    before = values[max(0, at - _LOOK_BACK) : at]
    steps_before = steps[max(0, at - _LOOK_BACK) : at]
    before, steps_before = before[np.isfinite(before)], steps_before[np.isfinite(before)]
    if passed:
        variant, severity = "passed", "info"
    elif not len(before):
        variant, severity = "start", "error" if is_loss else "warning"
    else:
        severity = "error" if is_loss else "warning"
        times, since = _growth(before)
        if times >= _GROWN:
            variant = "grew"
            evidence["growth"] = min(times, 1e300)
            evidence["growth_steps"] = int(steps[at] - steps_before[since])
            params["growth"] = factor(times)
            params["steps"] = whole(steps[at] - steps_before[since])
        else:
            variant = "sudden"
        evidence["before"] = float(before[-1])
        params["before"] = number(float(before[-1]))
        params["before_step"] = whole(steps_before[-1])
    return make("nan", severity, float(steps[at]), evidence, params,
                variant=variant, language=language)  # fmt: skip


def exploding_norm(norm: Curve, language: str) -> Finding | None:
    """Find a logged gradient norm that has left its usual size far behind.

    A hundred times its own median, for the median of the last five points: single spikes are what
    clipping is for (Pascanu, Mikolov & Bengio 2013), and the beginning of a run does not count.
    """
    if len(norm) < 30 or not norm.positive:
        return None
    usual = middle(norm.values[: -len(norm) // 10])
    now = middle(norm.values[-5:])
    if not now > 100 * usual:
        return None
    times = min(now / usual, 1e300) if usual > 0 else 1e300
    above = norm.values > 10 * usual
    # Where it began: the start of the last uninterrupted stretch above ten times the usual.
    calm = np.flatnonzero(~above)
    at = min(int(calm[-1]) + 1 if len(calm) else 0, len(norm) - 1)
    step = float(norm.steps[at])
    evidence: dict[str, float | int | str] = {
        "metric": norm.name,
        "usual": usual,
        "now_value": now,
        "times": times,
    }
    params = {
        "metric": norm.name,
        "usual": number(usual),
        "now": number(now),
        "times": factor(times),
        "step": whole(step),
    }
    return make("exploding", "warning", step, evidence, params,
                variant="norm", language=language)  # fmt: skip


def is_norm(name: str) -> bool:
    """Say whether a series is a gradient norm."""
    return kind_of(name) == "grad"


def _growth(before: Floats) -> tuple[float, int]:
    """Return how many times the size of a metric grew, and from which of these points on."""
    size = np.abs(before)
    if not size[-1] > 0:
        return 1.0, len(before) - 1
    since = int(len(size) - 1 - np.argmin(size[::-1]))
    usual = float(np.median(size[: since + 1]))
    # From the lowest point, but not against a lucky single one.
    base = max(float(size[since]), 0.5 * usual)
    with np.errstate(over="ignore"):
        times = float(size[-1] / base) if base > 0 else math.inf
    return times, since
