"""One rule of a tree: where it holds, what it says, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor, inf, isfinite, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import text
from nnwidgets.probe.sentences import number

__all__ = ["Bound", "Rule", "read_tree", "rule_lines"]


@dataclass(frozen=True)
class Bound:
    """A condition on one feature: low < value ≤ high.

    Attributes
    ----------
    feature
        Index of the column.
    name
        Of the feature.
    low, high
        Minus or plus infinity where there is no such bound.
    digits
        Decimals that matter, given how far the feature spreads.
    """

    feature: int
    name: str
    low: float
    high: float
    digits: int

    def __str__(self) -> str:
        low, high = _written(self.low, self.digits), _written(self.high, self.digits)
        if not isfinite(self.low):
            return f"{self.name} ≤ {high}"
        if not isfinite(self.high):
            return f"{self.name} > {low}"
        return f"{low} < {self.name} ≤ {high}"


@dataclass(frozen=True, eq=False)
class Rule:
    """What is said where some conditions hold together.

    Attributes
    ----------
    index
        Among the rules.
    bounds
        At most one a feature; empty: it holds everywhere.
    answer
        Index of the class, or the value.
    name
        Of the class; None for values, and where classes have no names.
    coverage
        Share of the data that it holds for; None if there are no data.
    fidelity
        Share of the held-out points here on which the model says the same; None for values, and
        where there is no such point.
    error
        Of values the root mean square distance to the model there; None for classes.
    """

    index: int
    bounds: tuple[Bound, ...]
    answer: int | float
    name: str | None = None
    coverage: float | None = None
    fidelity: float | None = None
    error: float | None = None

    def holds(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for which rows, (n, features) in single precision, the conditions hold."""
        found = np.ones(len(rows), bool)
        for bound in self.bounds:
            # In double precision, as thresholds of a tree are.
            values = rows[:, bound.feature].astype(np.float64)
            # NaN goes to the right, where nothing is "≤", so that one rule holds for each row.
            found &= ~(values <= bound.low) & ((values <= bound.high) | (bound.high == inf))
        return found

    def measured(self, coverage: float | None, truth: NDArray[np.float64]) -> Rule:
        """Return the rule with its figures; `truth` is what the model says where it holds."""
        if not len(truth):
            return replace(self, coverage=coverage)
        if isinstance(self.answer, int):
            share = float((truth == self.answer).mean())
            return replace(self, coverage=coverage, fidelity=share)
        away = float(np.sqrt(((truth - self.answer) ** 2).mean()))
        return replace(self, coverage=coverage, error=away)

    def said(self, language: str = "en") -> str:
        """Return the rule as one line, without its figures."""
        if self.name is not None:
            answer = self.name
        elif isinstance(self.answer, int):
            answer = text("explain.rules.class", language, index=self.answer)
        else:
            answer = number(self.answer)
        if self.bounds:
            both = text("explain.rules.and", language).join(map(str, self.bounds))
            return text("explain.rules.if", language, conditions=both, answer=answer)
        return text("explain.rules.always", language, answer=answer)

    def line(self, language: str = "en") -> str:
        """Return the rule as one line, with its figures."""
        share = _percent(self.coverage)
        if isinstance(self.answer, int):
            agreed = _percent(self.fidelity)
            figures = text("explain.rules.figures", language, coverage=share, fidelity=agreed)
        else:
            error = "–" if self.error is None else number(self.error)
            figures = text("explain.rules.figures_values", language, coverage=share, error=error)
        return f"{self.said(language)} {figures}"


def rule_lines(rules: Sequence[Rule], language: str) -> str:
    """Return rules as text, one a line."""
    return "\n".join(rule.line(language) for rule in rules)


def read_tree(
    tree: Any,
    feature_names: Sequence[str],
    class_names: Sequence[str],
    spread: NDArray[np.float64],
    *,
    classes: bool,
) -> tuple[Rule, ...]:
    """Read the leaves of a fitted scikit-learn tree, from left to right.

    Parameters
    ----------
    tree
        A decision tree for classes (integers) or for one value.
    feature_names
        One a feature.
    class_names
        By class; empty, or too few: a class without a name.
    spread
        (features,): how far each feature reaches, for the number of digits.
    classes
        Whether it was fitted to classes.

    Returns
    -------
    tuple of Rule
        Two leaves side by side that say the same class are one rule, and so on upwards.
    """
    inner = tree.tree_
    digits = [_digits(float(width)) for width in spread]
    box: dict[int, tuple[float, float]] = {}
    found: list[tuple[int | float, dict[int, tuple[float, float]]]] = []

    def said(node: int) -> int | float:
        if classes:
            return int(tree.classes_[int(inner.value[node, 0].argmax())])
        return float(inner.value[node, 0, 0])

    def only(node: int) -> int | float | None:
        """What all leaves below say, if it is one thing."""
        if inner.children_left[node] < 0:
            return said(node)
        left = only(int(inner.children_left[node]))
        right = only(int(inner.children_right[node]))
        return left if left is not None and left == right else None

    def walk(node: int) -> None:
        answer = only(node)
        if answer is not None:
            found.append((answer, dict(box)))
            return
        feature, threshold = int(inner.feature[node]), float(inner.threshold[node])
        before = box.get(feature)
        low, high = before or (-inf, inf)
        box[feature] = low, min(high, threshold)
        walk(int(inner.children_left[node]))
        box[feature] = max(low, threshold), high
        walk(int(inner.children_right[node]))
        if before is None:
            del box[feature]
        else:
            box[feature] = before

    walk(0)
    return tuple(
        Rule(
            index,
            tuple(
                Bound(feature, feature_names[feature], low, high, digits[feature])
                for feature, (low, high) in sorted(bounds.items())
            ),
            answer,
            class_names[int(answer)] if classes and 0 <= answer < len(class_names) else None,
        )
        for index, (answer, bounds) in enumerate(found)
    )


def _digits(spread: float) -> int:
    """Return how many decimals show a hundredth of the spread, or less."""
    if not (isfinite(spread) and spread > 0):
        return 3
    return max(0, 2 - floor(log10(spread)))


def _written(value: float, digits: int) -> str:
    sign = "−" if value < 0 else ""
    if digits > 6 or abs(value) >= 1e9:
        return f"{sign}{abs(value):.4g}"
    return f"{sign}{abs(value):,.{digits}f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
