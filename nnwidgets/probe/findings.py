"""What the curves of a run say, in words with evidence.

The rules are in ``curve_*.py``, one idea a file, each with its reason and source. They are written
to keep quiet when in doubt: an alarm that is wrong once is not read the next time. All are free of
units and of step numbering, so they judge a loss of 1e-6 like one of 1e6; all are memoryless, so a
finding goes away when its curve recovers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from nnwidgets.probe.curve import Curve, Floats, SeriesLike, arrays, curve, thin
from nnwidgets.probe.curve_broken import Break, exploding_norm, find_break, is_norm, not_finite
from nnwidgets.probe.curve_level import diverging, not_learning, plateau
from nnwidgets.probe.curve_oscillation import oscillating
from nnwidgets.probe.curve_overfitting import overfitting
from nnwidgets.probe.curve_scores import idle_score
from nnwidgets.probe.curve_sum import is_running_sum
from nnwidgets.probe.finding import KINDS, SEVERITIES, Finding, ended_at, ordered
from nnwidgets.probe.metrics import (
    higher_is_better,
    is_game,
    is_meant_to_fall,
    is_meant_to_rise,
    is_penalty,
    kind_of,
)

__all__ = [
    "KINDS", "SEVERITIES", "Finding", "curve_findings", "ended_at", "ordered", "thin",
]  # fmt: skip

_WHOLE = ("loss", "total_loss", "loss_total", "total/loss")  # all terms together


class Logged(Protocol):
    """Series by name: a mapping, or a history."""

    def __iter__(self) -> Iterator[str]:
        """Return the names."""

    def __getitem__(self, name: str, /) -> SeriesLike | tuple[ArrayLike, ArrayLike]:
        """Return one series."""


def curve_findings(
    series: Logged,
    *,
    epochs: ArrayLike | None = None,
    events: Sequence[Mapping[str, Any]] = (),
    language: str = "en",
) -> list[Finding]:
    """Judge the logged series of a run.

    Parameters
    ----------
    series
        By name, the steps and values of each series, in the order in which they were logged: any
        length, any floats. A history will do. Long series are thinned here and should come
        whole: an alternation, and what came before a NaN, are only seen point by point.
    epochs
        Steps at which epochs began, if known: they tell averages over an epoch from single batches.
    events
        What happened in the run, as mappings with ``"kind"`` and ``"step"``; a change of the
        learning rate (``"lr"``) starts the count for a plateau again.
    language
        Language of the sentences.

    Returns
    -------
    list of Finding
        At most one of each kind, the most severe first. Empty where nothing needs saying, and
        while there are too few points to say anything.

    Raises
    ------
    ValueError
        If a series does not have one step for each value.
    """
    made: dict[str, Curve] = {}
    breaks: list[Break | None] = []
    for name in series:
        # One at a time: the copies of a history of a million steps need not all be held at once.
        steps, values = arrays(series[name])
        breaks.append(find_break(name, steps, values))
        one = curve(name, steps, values)
        if len(one):
            made[name] = one
    found: list[Finding | None] = [not_finite([b for b in breaks if b], language)]
    with np.errstate(all="ignore"):
        found += [exploding_norm(c, language) for c in made.values() if is_norm(c.name)]
        found += _losses(made, _starts(epochs), _rate_changes(events), language)
    return ordered(f for f in found if f is not None)


def _losses(
    made: Mapping[str, Curve], starts: Floats, changed: float, language: str
) -> list[Finding | None]:
    """Judge losses, and accuracies where no loss has a validation."""
    metrics = [c for c in made.values() if kind_of(c.name) == "metric"]
    rates = next((c for c in made.values() if kind_of(c.name) == "lr"), None)
    scores = [c for c in metrics if c.higher]
    found: list[Finding | None] = []
    losses = [c for c in metrics if is_meant_to_fall(c.base) and not is_running_sum(c)]
    main = _main(losses, game=is_game(made))
    for base in dict.fromkeys(c.base for c in main):
        pair = [c for c in main if c.base == base]
        train = _longest([c for c in pair if c.role in ("", "train")])
        val = _longest([c for c in pair if c.role == "val"]) or _longest(
            [c for c in pair if c.role == "test"]
        )
        loss = train or val
        assert loss is not None
        per_epoch = len(loss) / max(1, len(starts)) if len(starts) > 1 else math.inf
        averaged = (
            train is None
            or (val is not None and len(train) <= 1.5 * len(val))
            or (len(starts) >= 5 and per_epoch <= 2)
        )
        terms = [] if base not in _WHOLE else [
            c for c in losses
            if c.base != base and c.role == loss.role and not is_penalty(c.base)
        ]  # fmt: skip
        away = diverging(loss, rates, terms=terms, alone=train is None, language=language)
        idle = None if away else not_learning(
            loss, val, averaged=averaged, scores=scores, terms=terms, still=_stands_still(val),
            language=language,
        )  # fmt: skip
        over = overfitting(train, val, language) if train and val and not (away or idle) else None
        rest = None
        if not (away or idle or (over and over.severity != "info")):
            rest = plateau(val or loss, since=changed, language=language)
        swing = oscillating(
            loss, points_per_epoch=per_epoch if per_epoch > 1.5 else math.inf, language=language
        )
        found += [away, idle, over, rest, swing]
    if not any(f and f.kind in ("overfitting", "diverging", "underfitting") for f in found):
        pairs = _score_pairs(metrics, main, language)
        found += pairs or _scores(scores, main, rates, language)
    return found


def _score_pairs(
    metrics: Sequence[Curve], main: Sequence[Curve], language: str
) -> list[Finding | None]:
    """Judge pairs of accuracies, unless a loss was validated, which tells more and earlier."""
    if any(c.role in ("val", "test") for c in main):
        return []
    scores = [c for c in metrics if higher_is_better(c.base)]
    found: list[Finding | None] = []
    for val in (c for c in scores if c.role == "val"):
        train = _longest([c for c in scores if c.base == val.base and c.role in ("", "train")])
        if train is not None and (over := overfitting(train, val, language)):
            found.append(over)
    return found


def _scores(
    scores: Sequence[Curve], main: Sequence[Curve], rates: Curve | None, language: str
) -> list[Finding | None]:
    """Judge scores by themselves: lost again, or never gained where no loss tells more."""
    found: list[Finding | None] = []
    meant = [c for c in scores if is_meant_to_rise(c.base)]
    for base in dict.fromkeys(c.base for c in meant):
        same = [c for c in meant if c.base == base]
        score = _longest([c for c in same if c.role in ("", "train")]) or _longest(same)
        assert score is not None
        found.append(diverging(score, rates, language=language))
        if not main:
            found.append(idle_score(score, language=language))
    return found


def _main(losses: Sequence[Curve], *, game: bool) -> list[Curve]:
    """Return the losses that stand for the run: those called just "loss" if there are any.

    A single term of a loss (a regulariser, a head) may stay or rise while the whole goes well. Of
    a game between networks or an agent's run the whole may rise too: only plain terms are judged.
    """
    if game:
        return [c for c in losses if c.base not in _WHOLE]
    for whole in _WHOLE:
        named = [c for c in losses if c.base == whole]
        if named:
            return named
    return list(losses)


def _longest(curves: Sequence[Curve]) -> Curve | None:
    return max(curves, key=len, default=None)


def _stands_still(val: Curve | None) -> bool:
    """Say whether the same validation data gave the same loss again and again.

    That a fixed measurement does not change in six digits means that the weights do not.
    """
    if val is None or len(val) < 4 or val.higher:
        return False
    late = val.y[-max(4, len(val) // 2) :]
    return float(np.ptp(late)) <= 1e-6 * float(np.max(np.abs(late)))


def _starts(epochs: ArrayLike | None) -> Floats:
    return np.zeros(0) if epochs is None else np.asarray(epochs, dtype=np.float64).reshape(-1)


def _rate_changes(events: Sequence[Mapping[str, Any]]) -> float:
    """Return the step of the last change of the learning rate, −∞ without one."""
    steps = [e.get("step") for e in events if e.get("kind") == "lr"]
    return max((float(s) for s in steps if isinstance(s, int | float)), default=-math.inf)
