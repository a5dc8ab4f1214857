"""Sentences on a place of the picture, for readers who see such numbers for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, Final

from nnwidgets.catalogue import text
from nnwidgets.explain.at_point import AtPoint
from nnwidgets.explain.point import Change
from nnwidgets.explain.rules import Rule
from nnwidgets.probe.sentences import number

__all__ = ["changed", "class_name", "near", "rule_text", "slopes_text", "unsure"]

# Of R²: from where on a straight line says most of what the model does, or hardly anything.
_GOOD: Final = 0.9
_POOR: Final = 0.5


def class_name(index: int, classes: Sequence[str], language: str) -> str:
    """Return the name of a class, or its number where it has none."""
    if 0 <= index < len(classes):
        return str(classes[index])
    return text("explain.rules.class", language, index=index)


def unsure(found: AtPoint, language: str) -> str | None:
    """Say how uncertain an answer is, and why; None where nobody can tell anything of it."""
    parts = {
        name: "–" if value is None else number(value)
        for name, value in (
            ("total", found.total),
            ("aleatoric", found.aleatoric),
            ("epistemic", found.epistemic),
        )
    }
    members = str(found.members)
    if found.members and found.label is not None:
        shares = (found.total, found.aleatoric, found.epistemic)
        total, aleatoric, epistemic = map(_nats, shares)
        return text(
            "explain.boundary.unsure",
            language,
            members=members,
            total=total,
            aleatoric=aleatoric,
            epistemic=epistemic,
        )
    if found.label is not None:
        return text("explain.boundary.unsure_alone", language, total=parts["total"])
    if not found.members or found.spread is None:
        return None
    if found.aleatoric is None:
        spread = number(float(found.spread[0]))
        return text("explain.boundary.unsure_spread", language, members=members, spread=spread)
    return text("explain.boundary.unsure_values", language, members=members, **parts)


def slopes_text(found: AtPoint, classes: Sequence[str], language: str) -> str:
    """Say what the weights are, and how far they can be trusted."""
    if found.label is None:
        said = text("explain.boundary.slopes_values", language)
    else:
        name = class_name(found.target, classes, language)
        said = text("explain.boundary.slopes", language, name=name)
    if found.r2 is None:
        fit = text("explain.boundary.fit_none", language)
    elif found.r2 >= _GOOD:
        fit = text("explain.boundary.fit_good", language, r2=_two(found.r2))
    elif found.r2 >= _POOR:
        fit = text("explain.boundary.fit_fair", language, r2=_two(found.r2))
    else:
        fit = text("explain.boundary.fit_poor", language, r2=_two(found.r2))
    return text("explain.boundary.both", language, first=said, second=fit)


def changed(change: Change, feature: str, classes: Sequence[str], language: str) -> str:
    """Say what change of one feature changes the answer, or that none does."""
    if change.to is None or change.change is None or change.answer is None:
        low, high = (number(end) for end in change.searched)
        return text("explain.boundary.no_change", language, feature=feature, low=low, high=high)
    if isinstance(change.answer, int):
        answer = class_name(change.answer, classes, language)
    else:
        answer = number(change.answer)
    sign = "−" if change.change < 0 else "+"
    by = number(abs(change.change))
    return f"{feature} {sign} {by} → {answer}"


def near(found: AtPoint, order: int, classes: Sequence[str], language: str) -> str:
    """Say what a near training point is, and how far away."""
    away = float(found.distances[order])
    distance = number(away)
    if found.nearest_y is None:
        if not away:
            return text("explain.boundary.near_here_unlabelled", language)
        return text("explain.boundary.near_unlabelled", language, distance=distance)
    y: Any = found.nearest_y[order].item()
    name = class_name(y, classes, language) if isinstance(y, int) else number(y)
    if not away:
        return text("explain.boundary.near_here", language, name=name)
    return text("explain.boundary.near", language, name=name, distance=distance)


def rule_text(rule: Rule, language: str) -> str:
    """Return a rule; of values with how far it is off, since that is in their own unit."""
    said = rule.said(language)
    if rule.error is None:
        return said
    return text("explain.boundary.rule_off", language, rule=said, error=number(rule.error))


def _nats(value: float | None) -> str:
    """Write parts of one sum with the same decimals, so that they can be compared at sight."""
    if value is None or not isfinite(value):
        return "–"
    return f"{value:.3f}" if value >= 0.0005 or value == 0 else "< 0.001"


def _two(share: float) -> str:
    sign = "−" if share < 0 else ""
    return f"{sign}{abs(share):.2f}"
