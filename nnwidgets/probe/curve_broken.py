"""Numbers that are no numbers any more, and what led up to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nnwidgets.probe.curve import Curve, Floats, Numbers, all_finite
from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.metrics import higher_is_better, kind_of, split_name
from nnwidgets.probe.robust import middle
from nnwidgets.probe.sentences import factor, number, whole

_LOOK_BACK = 50  # points before the first bad one that can have led to it
_GROWN = 5.0  # growth over them that explains it


@dataclass(frozen=True)
class _Break:
    """The bad values of one series."""

    name: str
    is_loss: bool
    first: int
    """Index of the first bad value."""
    since: int
    """Index from which on all values are bad; that of the first one where it has passed."""
    for_good: bool


def not_finite(series: Mapping[str, tuple[Numbers, Floats]], language: str) -> Finding | None:
    """Find the first NaN or infinity of all series and say what came before it.

    It is an error if a loss is not finite any more, a warning if another metric is not, and
    information if finite values follow: mixed-precision training skips steps with infinite
    gradients on purpose (Micikevicius et al. 2018), and some people log NaN for "not measured".

    Parameters
    ----------
    series
        Steps and values by name, not thinned: what came before is looked up point by point.
    """
    breaks = [b for name, pair in series.items() if (b := _find_break(name, *pair)) is not None]
    if not breaks:
        return None
    # What is broken for good first, then what broke first, then a loss rather than its companions.
    worst = min(
        breaks,
        key=lambda b: (not b.for_good, float(series[b.name][0][b.first]), not b.is_loss),
    )
    lost = any(b.for_good and b.is_loss for b in breaks)
    severity = "error" if lost else "warning" if worst.for_good else "info"
    steps, values = series[worst.name]
    at = worst.since
    what = "NaN" if math.isnan(values[at]) else "∞" if values[at] > 0 else "−∞"
    count = int(np.count_nonzero(~np.isfinite(values)))
    evidence: dict[str, float | int | str] = {
        "metric": worst.name,
        "value": {"∞": "inf", "−∞": "-inf"}.get(what, "NaN"),
        "count": count,
        "points": len(values),
    }
    params = {
        "metric": worst.name,
        "what": what,
        "step": whole(steps[worst.first]),
        "count": whole(count),
        "points": whole(len(values)),
    }
    variant = _what_came_before(worst, steps, values, evidence, params)
    return make("nan", severity, float(steps[worst.first]), evidence, params,
                variant=variant, language=language)  # fmt: skip


def _find_break(name: str, steps: Numbers, values: Floats) -> _Break | None:
    if all_finite(values):
        return None
    bad = ~np.isfinite(values)
    edges = np.flatnonzero(np.diff(bad.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    first = int(starts[0])
    if not np.isfinite(steps[first]):
        return None
    lengths = ends - starts
    # A last stretch no longer than one that passed will pass as well, as far as anyone can tell.
    for_good = ends[-1] == len(values) and (len(lengths) == 1 or lengths[-1] > lengths[:-1].max())
    return _Break(
        name=name,
        is_loss=higher_is_better(split_name(name)[0]) is False,
        first=first,
        since=int(starts[-1]) if for_good else first,
        for_good=bool(for_good),
    )


def _what_came_before(
    found: _Break,
    steps: Numbers,
    values: Floats,
    evidence: dict[str, float | int | str],
    params: dict[str, str],
) -> str:
    """Fill in what led up to a break; return the variant of the sentences that tells it."""
    if not found.for_good:
        return "passed"
    if found.since != found.first:
        evidence["since"] = int(steps[found.since])
        params["since"] = whole(steps[found.since])
        return "again"
    past = slice(max(0, found.since - _LOOK_BACK), found.since)
    before, steps_before = values[past], steps[past]
    if not len(before):
        return "start"
    times, lowest = _growth(before)
    evidence["before"] = float(before[-1])
    params["before"] = number(float(before[-1]))
    params["before_step"] = whole(steps_before[-1])
    if times < _GROWN:
        return "sudden"
    grown_in = float(steps[found.since] - steps_before[lowest])
    evidence["growth"] = min(times, 1e300)
    evidence["growth_steps"] = int(grown_in)
    params["growth"] = factor(times)
    params["steps"] = whole(grown_in)
    return "grew"


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
