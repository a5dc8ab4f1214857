"""What a plot says beside its picture, as it travels: of a place, in rules, of the loss around."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_sentences import (
    changed,
    near,
    rule_text,
    slopes_text,
    unsure,
)
from nnwidgets.catalogue import text
from nnwidgets.explain.at_point import AtPoint
from nnwidgets.explain.landscape import Landscape
from nnwidgets.explain.plane_base import Rectangle
from nnwidgets.explain.rules import Rule, Rules
from nnwidgets.explain.view_plane import Slice
from nnwidgets.probe.blocks import Words, encode, span
from nnwidgets.probe.sentences import names as listing
from nnwidgets.probe.sentences import number

__all__ = ["Part", "landscape_part", "point_part", "rules_part"]

Part = tuple[dict[str, Any], dict[str, NDArray[Any]]]
"""Words and arrays of a trait, without its number in the sequence."""

_FEATURES: Final = 64  # that travel; of more, those that the explanation looked at
_STILL: Final = 2  # features of which it is said one by one that nothing changes the answer
_FACTOR: Final = 30.0  # between the ends of a loss that is drawn by its logarithm


def point_part(
    found: AtPoint | None,
    *,
    state: str,
    problem: str | None,
    at: Sequence[float] | None,
    id: int | None,
    step: int | None,
    classes: Sequence[str],
    features: Sequence[str],
    language: str,
    rules: Rules | None = None,
) -> Part:
    """Return what is said of a place.

    Parameters
    ----------
    found
        What was found; None: nothing yet.
    state
        ``"none"``, ``"working"``, ``"ready"``, ``"stale"`` or ``"failed"``.
    problem
        Why there is nothing.
    at
        The place that was asked about; None: where the point is.
    id
        Of the drawn point that is asked about.
    step
        Of the weights.
    classes, features
        Names.
    language
        Of the sentences.
    rules
        Of which the one that applies is told, where `found` has none.
    """
    place = found.place if at is None and found is not None else at
    meta: dict[str, Any] = {
        "state": state,
        "problem": problem,
        "at": None if place is None else [float(one) for one in place],
        "point": [],
        "id": id,
        "step": step,
        "label": None,
        "true": None,
        "classes": [str(name) for name in classes],
        "value": None,
        "target": None,
        "uncertainty": None,
        "weights_text": "",
        "r2": None,
        "features": [],
        "rule": None,
        "rule_fidelity": None,
        "nearest": [],
        "changes": [],
        "notes": [],
    }
    if found is None:
        return meta, {}
    names = [str(name) for name in features]
    shown = _shown(found)
    rule = found.rule
    if rule is None and rules is not None:
        rule = rules.rule_for(found.point)
    meta.update(
        point=[[names[column], number(float(found.point[column]))] for column in shown],
        label=found.label,
        true=_finite(found.true),
        value=_finite(found.value),
        target=found.target,
        uncertainty=_uncertainty(found, language),
        weights_text=slopes_text(found, classes, language),
        r2=_finite(found.r2),
        features=[names[column] for column in shown],
        rule=None if rule is None else rule_text(rule, language),
        rule_fidelity=None if rule is None else _finite(rule.fidelity),
        nearest=[
            {"id": int(one), "text": near(found, order, classes, language)}
            for order, one in enumerate(found.nearest)
        ],
        changes=_changes(found, names, classes, language),
        notes=[text(key, language, **params) for key, params in _notes(found, rule)],
    )
    with np.errstate(over="ignore"):
        weights = (found.weights * found.units)[shown].astype(np.float32)
        fit_weights = (found.fit_weights * found.units)[shown].astype(np.float32)
    arrays: dict[str, NDArray[Any]] = {
        # For one standard deviation of each: an alcohol in percent beside a proline in milligrams.
        "weights": weights,
        "fit_weights": fit_weights,
    }
    if found.probabilities is not None:
        arrays["probabilities"] = found.probabilities.astype(np.float32)
        if found.spread is not None:
            arrays["spread"] = found.spread.astype(np.float32)
    return meta, arrays


def rules_part(
    found: Rules | None,
    *,
    state: str,
    problem: str | None,
    step: int | None,
    max_depth: int,
    plane: Slice | None,
    rectangle: Rectangle | None,
    language: str,
) -> Part:
    """Return rules, and where each of them holds in the picture.

    Parameters
    ----------
    found
        The rules; None: there are none.
    state, problem, step, language
        As for `point_part`.
    max_depth
        How many conditions were asked for.
    plane
        The picture, if it is a slice: rules are boxes there.
    rectangle
        What it shows; None: there is no picture yet.
    """
    rules = (
        [] if found is None else [_rule(rule, plane, rectangle, language) for rule in found.rules]
    )
    meta: dict[str, Any] = {
        "state": state,
        "problem": problem,
        "step": step,
        "max_depth": max_depth,
        "fidelity": None if found is None else _finite(found.fidelity),
        "score": "agreement" if found is None else found.score,
        "rules": rules,
        "notes": [] if found is None else _sentences(found.notes, language),
    }
    return meta, {}


def landscape_part(
    found: Landscape | None,
    *,
    state: str,
    problem: str | None,
    step: int | None,
    loss: Words | None,
    language: str,
) -> Part:
    """Return the loss around the weights.

    Parameters
    ----------
    found
        The loss; None: it was not worked out.
    state, problem, step, language
        As for `point_part`.
    loss
        Which loss it is, as a key of the catalogue with its parameters; None where none was asked.
    """
    meta: dict[str, Any] = {
        "state": state,
        "problem": problem,
        "step": step,
        "centre": None,
        "span": None,
        "low": 0.0,
        "high": 0.0,
        "log": False,
        "loss_name": "" if found is None or loss is None else text(loss[0], language, **loss[1]),
        "notes": [],
    }
    if found is None:
        return meta, {}
    known = found.loss[np.isfinite(found.loss)]
    logarithmic = bool(known.size and known.min() > 0 and known.max() > _FACTOR * known.min())
    values = np.log10(found.loss) if logarithmic else found.loss
    low, high = span(values)
    meta.update(
        centre=_finite(found.centre),
        span=float(found.alpha[-1]),
        low=low,
        high=high,
        log=logarithmic,
        notes=_sentences(found.notes, language),
    )
    return meta, {
        "loss": encode(values, low, high),
        "alpha": found.alpha.astype(np.float32),
        "beta": found.beta.astype(np.float32),
    }


# --- inside ---------------------------------------------------------------------------------------


def _shown(found: AtPoint) -> list[int]:
    """Return the columns that travel: of hundreds of features those that were looked at."""
    if len(found.point) <= _FEATURES:
        return list(range(len(found.point)))
    return [change.feature for change in found.changes] or [
        int(column) for column in np.flatnonzero(np.isfinite(found.fit_weights))
    ]


def _changes(
    found: AtPoint, names: Sequence[str], classes: Sequence[str], language: str
) -> list[dict[str, Any]]:
    """Return the changes; what changes nothing is one sentence where it would be a list of them."""
    still = [names[change.feature] for change in found.changes if change.to is None]
    listed = len(still) <= _STILL
    said = [
        {
            "feature": names[change.feature],
            "text": changed(change, names[change.feature], classes, language),
            "to": _finite(change.to),
            # A class; a value stands in the sentence.
            "answer": change.answer if found.label is not None else None,
            "at": None if reached is None else list(reached),
        }
        for change, reached in zip(found.changes, found.change_places, strict=True)
        if listed or change.to is not None
    ]
    if not listed:
        feature = listing(still)
        words = text("explain.boundary.no_changes", language, features=feature)
        said.append({"feature": feature, "text": words, "to": None, "answer": None, "at": None})
    return said


def _uncertainty(found: AtPoint, language: str) -> dict[str, Any] | None:
    said = unsure(found, language)
    if said is None:
        return None
    return {
        "total": _finite(found.total),
        "aleatoric": _finite(found.aleatoric),
        "epistemic": _finite(found.epistemic),
        "members": found.members,
        "text": said,
    }


def _notes(found: AtPoint, rule: Rule | None) -> list[Words]:
    notes = list(found.notes)
    if found.by is not None and found.changes:
        notes.append(("explain.boundary.by", {"by": number(found.by)}))
    if rule is not None and found.label is not None and rule.answer != found.label:
        notes.append(("explain.boundary.rule_differs", {}))
    return notes


def _rule(
    rule: Rule, plane: Slice | None, rectangle: Rectangle | None, language: str
) -> dict[str, Any]:
    box = None if plane is None or rectangle is None else _box(rule, plane, rectangle)
    return {
        "text": rule_text(rule, language),
        "answer": rule.answer,
        "coverage": _finite(rule.coverage),
        "fidelity": _finite(rule.fidelity),
        "box": box,
    }


def _box(rule: Rule, plane: Slice, rectangle: Rectangle) -> list[float] | None:
    """Return where a rule holds in the picture; None where it holds nowhere in it."""
    ends = {plane.axes[0]: list(rectangle[:2]), plane.axes[1]: list(rectangle[2:])}
    held = plane.fixed
    for bound in rule.bounds:
        if bound.feature in ends:
            low, high = ends[bound.feature]
            ends[bound.feature] = [max(low, bound.low), min(high, bound.high)]
        # In single precision, as rules compare.
        elif not bound.low < float(np.float32(held[bound.feature])) <= bound.high:
            return None
    box = [*ends[plane.axes[0]], *ends[plane.axes[1]]]
    return box if box[0] < box[1] and box[2] < box[3] else None


def _sentences(notes: Sequence[Words], language: str) -> list[str]:
    return [text(key, language, **params) for key, params in notes]


def _finite(value: float | None) -> float | None:
    """Return a number as JSON can hold it; None for NaN and infinities."""
    return value if value is not None and math.isfinite(value) else None
