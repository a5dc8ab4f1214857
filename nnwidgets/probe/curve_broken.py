"""Numbers that are no numbers any more, and what led up to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnwidgets.probe.curve import Curve, Floats, Numbers, all_finite
from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.metrics import higher_is_better, kind_of, split_name
from nnwidgets.probe.robust import middle
from nnwidgets.probe.sentences import factor, number, whole

_LOOK_BACK = 50  # points before the first bad one that can have led to it
_GROWN = 5.0  # growth over them that explains it
_HIGH = 0.9  # the last of them is above this share of them, or it is one of many jumps
_OFTEN = 0.1  # of the values, and more are infinite than mixed precision skips
_SEVERAL = 5


@dataclass(frozen=True)
class Break:
    """Where a series stopped being finite.

    Attributes
    ----------
    name, is_loss
        The series, and whether it is a loss.
    step
        Step of its first bad value.
    for_good
        Whether it has been bad ever since, as far as anyone can tell.
    variant, evidence, params
        What led up to it: which sentences tell it, with which numbers.
    """

    name: str
    is_loss: bool
    step: float
    for_good: bool
    variant: str
    evidence: dict[str, float | int | str]
    params: dict[str, str]


def find_break(name: str, steps: Numbers, values: Floats) -> Break | None:
    """Find the first value of a series that is NaN or infinite, None if there is none.

    Parameters
    ----------
    name
        Name of the metric.
    steps, values
        Not thinned: what came before is looked up point by point.
    """
    if all_finite(values):
        return None
    bad = ~np.isfinite(values)
    edges = np.flatnonzero(np.diff(bad.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    first, last = int(starts[0]), int(starts[-1])
    if not np.isfinite(steps[first]):
        return None
    lengths = ends - starts
    # A last stretch no longer than one that passed will pass as well, as far as anyone can tell.
    for_good = bool(
        ends[-1] == len(values) and (len(lengths) == 1 or lengths[-1] > lengths[:-1].max())
    )
    at = last if for_good else first
    what = "NaN" if math.isnan(values[at]) else "∞" if values[at] > 0 else "−∞"
    count = int(np.count_nonzero(bad))
    evidence: dict[str, float | int | str] = {
        "metric": name,
        "value": {"∞": "inf", "−∞": "-inf"}.get(what, "NaN"),
        "count": count,
        "points": len(values),
    }
    params = {
        "metric": name,
        "what": what,
        "step": whole(steps[first]),
        "count": whole(count),
        "points": whole(len(values)),
    }
    infinite = np.isinf(values)
    endless = int(np.count_nonzero(infinite))
    if not for_good and endless >= max(_SEVERAL, _OFTEN * len(values)):
        variant = "often"
        worst = values[infinite][0]
        params |= {"what": "∞" if worst > 0 else "−∞", "count": whole(endless)}
        params["step"] = whole(steps[np.flatnonzero(infinite)[0]])
    elif not for_good:
        variant = "passed"
    elif last != first and np.isfinite(steps[last]):
        variant = "again"
        evidence["since"] = int(steps[last])
        params["since"] = whole(steps[last])
    else:
        past = slice(max(0, first - _LOOK_BACK), first)
        variant = _what_came_before(steps[past], values[past], steps[first], evidence, params)
        if variant == "start" and split_name(name)[1] in ("val", "test"):
            variant = "checked"
    return Break(
        name=name,
        is_loss=higher_is_better(split_name(name)[0]) is False,
        step=float(steps[first]),
        for_good=for_good,
        variant=variant,
        evidence=evidence,
        params=params,
    )


def not_finite(breaks: Sequence[Break], language: str) -> Finding | None:
    """Tell of the first NaN or infinity of all series and what came before it.

    It is an error if a loss is not finite any more, a warning if another metric is not (or a loss
    on other data than the training's never was), and
    information if finite values follow: mixed-precision training skips steps with infinite
    gradients on purpose (Micikevicius et al. 2018), though not one in ten, and some people log NaN
    for "not measured".
    """
    if not breaks:
        return None
    # What is broken for good first, then what broke first, then a loss rather than its companions.
    worst = min(breaks, key=lambda b: (not b.for_good, b.step, not b.is_loss))
    lost = any(b.for_good and b.is_loss and b.variant != "checked" for b in breaks)
    alarming = worst.for_good or worst.variant == "often"
    severity = "error" if lost else "warning" if alarming else "info"
    return make("nan", severity, worst.step, worst.evidence, worst.params,
                variant=worst.variant, language=language)  # fmt: skip


def _what_came_before(
    steps: Numbers,
    values: Floats,
    step: float,
    evidence: dict[str, float | int | str],
    params: dict[str, str],
) -> str:
    """Fill in what led up to a break at a step; return the variant that tells it."""
    known = np.isfinite(steps)
    steps, values = steps[known], values[known]
    if not len(values):
        return "start"
    times, lowest = _growth(values)
    evidence["before"] = float(values[-1])
    params["before"] = number(float(values[-1]))
    params["before_step"] = whole(steps[-1])
    if times < _GROWN:
        return "sudden"
    grown_in = float(step - steps[lowest])
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
    # A loss that jumps about has been higher before: its last jump explains nothing.
    if not size[-1] > 0 or size[-1] < np.quantile(size, _HIGH):
        return 1.0, len(before) - 1
    since = int(len(size) - 1 - np.argmin(size[::-1]))
    usual = float(np.median(size[: since + 1]))
    # From the lowest point, but not against a lucky single one.
    base = max(float(size[since]), 0.5 * usual)
    with np.errstate(over="ignore"):
        times = float(size[-1] / base) if base > 0 else math.inf
    return times, since
