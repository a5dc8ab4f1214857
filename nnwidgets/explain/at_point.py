"""All that can be said of a model's answer at one point of a picture.

The parts come from elsewhere; here they are asked of the same thing. Where several models are taken
together, it is their mean answer that is explained, so that the slopes, the fit and the changes
belong to the probabilities that stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nnwidgets.explain.answers import waiting
from nnwidgets.explain.committee_answers import CommitteePredictor
from nnwidgets.explain.plane_base import Plane, Rectangle, default_names
from nnwidgets.explain.point import (
    Change,
    PointExplanation,
    difference_steps,
    differences,
    explain_point,
    feature_units,
)
from nnwidgets.explain.point_asked import Asked
from nnwidgets.explain.point_data import (
    label_of,
    nearest_rows,
    range_of,
    spread_of_values,
    training_rows,
)
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.projection import evenly
from nnwidgets.explain.rules import Rule, Rules
from nnwidgets.explain.slopes import slope
from nnwidgets.explain.view_plane import Slice
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["AtPoint", "at_point"]

Floats = NDArray[np.float64]

_CHANGED: Final = 16  # features along which another answer is looked for, at most
_FITTED: Final = 64  # features that a linear fit nearby takes all of
_ROWS: Final = 5000  # of the data, evenly chosen, that tell how far a feature spreads


@dataclass(frozen=True, eq=False)
class AtPoint:
    """A model's answer at one point, and what it depends on.

    Attributes
    ----------
    point
        (features,): the point.
    place
        (2,): where it is in the picture.
    probabilities
        (classes,); of several models their mean; None for a regression.
    spread
        Standard deviation over the models: of the probabilities, (classes,); of a regression of
        the value, (1,). None for one model.
    value
        What a regression says, of the output `target`; None for classes.
    label
        The most probable class; None for a regression.
    true
        The label of the drawn point that was asked about; None where there is none.
    target
        Which class, or output of a regression, all that follows is about.
    total
        The uncertainty: of classes the entropy in nats; of a regression the variance, None where
        the noise in the data is not known.
    aleatoric, epistemic
        The parts of it that are noise in the data, and disagreement of the models. None where
        nobody can tell: one model alone cannot tell them apart.
    members
        How many models were asked; 0 for one model alone.
    weights
        (features,): slope of the target's probability (or of the value) for each feature, per unit
        of the feature.
    slope_by
        ``"autograd"``, or ``"differences"`` where the model cuts the gradient.
    units
        (features,): what counts as one step of each feature: its standard deviation over the
        training points. ``weights * units`` compares features in different units.
    fit_weights
        (features,): likewise of the straight plane that fits best nearby; NaN for features that it
        does not look at (see `notes`).
    r2
        How well that plane fits, at most 1; None where the answer does not vary nearby.
    rule
        The one of the given rules that applies, with its own fidelity; None without rules.
    nearest
        Ids of the training points that are nearest, nearest first; each feature counts in units of
        its standard deviation over them. Points held out for testing are not among them.
    nearest_y
        Their labels; None where the points have none.
    distances
        How far they are, in these units.
    changes
        The smallest change of each of some features that was found to change the answer: the
        predicted class, or the value by `by`.
    change_places
        Where each of them leads in the picture; None where the answer does not change, and for
        features that the picture does not show.
    by
        Of a regression, what counts as another answer: a change by the standard deviation of the
        training points' values. None for classes, and where these are not known; there are no
        `changes` then.
    class_names, feature_names
        As given or found.
    notes
        What is to be said, as keys of the catalogue.
    """

    point: Floats
    place: Floats
    probabilities: Floats | None
    spread: Floats | None
    value: float | None
    label: int | None
    true: int | float | None
    target: int
    total: float | None
    aleatoric: float | None
    epistemic: float | None
    members: int
    weights: Floats
    slope_by: str
    units: Floats
    fit_weights: Floats
    r2: float | None
    rule: Rule | None
    nearest: NDArray[np.int64]
    nearest_y: NDArray[Any] | None
    distances: Floats
    changes: tuple[Change, ...]
    change_places: tuple[tuple[float, float] | None, ...]
    by: float | None
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    notes: tuple[Words, ...]


def at_point(
    predictor: Predictor,
    point: ArrayLike,
    *,
    plane: Plane,
    joint: CommitteePredictor | None = None,
    snapshot: Snapshot | None = None,
    rules: Rules | None = None,
    rectangle: Rectangle | None = None,
    class_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    target: int | None = None,
    drawn: int | None = None,
    neighbours: int = 5,
    check: Callable[[], None] = waiting,
) -> AtPoint:
    """Say all that can be said of a model's answer at one point.

    Parameters
    ----------
    predictor
        Asks the model.
    point
        (features,), all of them, finite.
    plane
        The picture.
    joint
        Several models taken together; then it is their mean that is explained.
    snapshot
        The points that were drawn.
    rules
        Rules of the model, of which the one that applies is told.
    rectangle
        What the picture shows: left, right, bottom, top. Along its two features a change is looked
        for all over it, and over the range of the data, as along any other feature.
    class_names, feature_names
        For the texts that are made of it.
    target
        Which class the slopes are of; None: the predicted one. Of a regression with several outputs
        which is explained; None: the first.
    drawn
        Id of the drawn point that this is.
    neighbours
        How many training points are told.
    check
        Called often; what it raises ends the work.

    Returns
    -------
    AtPoint
        Changes are looked for along the two plotted features and then along those with the
        steepest slopes, 16 in all. Of more than 64 features the linear fit looks at these alone.

    Raises
    ------
    Refusal
        If the point has another width, or it or the model's answer there is not finite, and as
        the predictor, the committee and the plane.
    ValueError
        If there is no such target.
    """
    at = np.asarray(_on_cpu(point)).astype(np.float64).reshape(-1)  # a copy
    if not np.isfinite(at).all():
        raise Refusal("explain.point.point_finite")
    plane.to_plane(at[None])  # refuses another width, before the model is asked
    asked = Asked(predictor, joint, at, target, check)
    rows, ids, right = training_rows(snapshot)
    low, high = range_of(rows, at, plane, rectangle)
    sample = None if rows is None else evenly(rows, _ROWS)
    units = feature_units(sample, low, high, len(at))
    committee = None if joint is None else joint.committee
    weights = slope(predictor, at, asked.column, committee=committee, check=check)
    notes: list[Words] = []
    slope_by = "autograd" if weights is not None else "differences"
    if weights is None:
        weights = differences(asked.score, at, difference_steps(at, units))
        notes.append(("explain.point.no_gradient", {}))
    chosen = _chosen(plane, np.abs(weights) * units, low, high)
    by = spread_of_values(snapshot) if asked.outputs == 1 else None
    # A plane in hundreds of dimensions needs thousands of answers, and nobody can read it.
    fitted = list(range(len(at))) if len(at) <= _FITTED else chosen
    ends = _Ends(sample, low, high)
    found = _nearby(asked, at, weights, ends, fitted=fitted, changed=chosen, by=by)
    fit_weights = np.full(len(at), np.nan)
    fit_weights[fitted] = found.fit_weights
    if len(fitted) < len(at):
        notes.append(("explain.point.some_features", _counted(chosen, at)))
    elif len(chosen) < len(at) and found.changes:
        notes.append(("explain.point.some_changes", _counted(chosen, at)))
    places, distances = nearest_rows(rows, at, units, neighbours, check)
    return AtPoint(
        point=at,
        place=plane.to_plane(at[None])[0],
        probabilities=asked.probabilities,
        spread=asked.spread,
        value=asked.value,
        label=asked.label,
        true=label_of(snapshot, drawn),
        target=asked.column,
        total=asked.total,
        aleatoric=asked.aleatoric,
        epistemic=asked.epistemic,
        members=0 if committee is None else committee.count,
        weights=weights,
        slope_by=slope_by,
        units=units,
        fit_weights=fit_weights,
        r2=found.r2,
        rule=None if rules is None else rules.rule_for(at),
        nearest=ids[places],
        nearest_y=None if right is None else right[places],
        distances=distances,
        changes=found.changes,
        change_places=_places(plane, at, found.changes),
        by=by,
        class_names=() if class_names is None else tuple(map(str, class_names)),
        feature_names=_names(feature_names, plane, len(at)),
        notes=tuple(notes),
    )


# --- inside ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Ends:
    """The data, as far as they tell how far a feature spreads, and where a change is looked for."""

    sample: NDArray[Any] | None
    low: Floats
    high: Floats


def _nearby(
    asked: Asked,
    at: Floats,
    weights: Floats,
    ends: _Ends,
    *,
    fitted: Sequence[int],
    changed: Sequence[int],
    by: float | None,
) -> PointExplanation:
    """Return the fit and the changes, with all other features as they are at the point.

    The explanation's arrays are those of the features in `fitted`; its changes name columns.
    """
    columns = list(fitted)
    whole = len(columns) == len(at)
    inside = {column: place for place, column in enumerate(columns)}

    def ask(part: Floats) -> Floats:
        if whole:
            return asked.ask(part)
        rows = np.repeat(at[None], len(part), axis=0)
        rows[:, columns] = part
        return asked.ask(rows)

    outputs = asked.outputs if asked.classes else 1
    along = torch.zeros(outputs, dtype=torch.float64)
    along[asked.index] = 1
    steep = torch.as_tensor(weights[columns])

    def rising(part: Tensor) -> Tensor:
        # The slope is known; this is the straight line that has it.
        return (part @ steep)[:, None] * along

    found = explain_point(
        ask,
        at[columns],
        differentiable=rising,
        target=asked.index,
        data=None if ends.sample is None else ends.sample[:, columns],
        low=ends.low[columns],
        high=ends.high[columns],
        features=[inside[column] for column in changed],
        by=by,
        neighbours=0,
    )
    named = tuple(replace(change, feature=columns[change.feature]) for change in found.changes)
    return replace(found, changes=named)


def _chosen(plane: Plane, steep: Floats, low: Floats, high: Floats) -> list[int]:
    """Return along which features a change is looked for: plotted ones first, then steep ones."""
    varying = high > low if (high > low).any() else np.ones(len(low), bool)
    order = np.argsort(-steep, kind="stable")
    plotted = list(plane.axes) if isinstance(plane, Slice) else []
    ranked = [*plotted, *(int(place) for place in order if place not in plotted)]
    return [place for place in ranked if varying[place]][:_CHANGED]


def _places(
    plane: Plane, at: Floats, found: Sequence[Change]
) -> tuple[tuple[float, float] | None, ...]:
    rows = np.repeat(at[None], len(found), axis=0)
    for row, change in zip(rows, found, strict=True):
        row[change.feature] = at[change.feature] if change.to is None else change.to
    reached = plane.to_plane(rows) if len(rows) else np.zeros((0, 2))
    hidden = plane.held if isinstance(plane, Slice) else ()
    return tuple(
        None if change.to is None or change.feature in hidden else (float(x), float(y))
        for change, (x, y) in zip(found, reached, strict=True)
    )


def _names(given: Sequence[str] | None, plane: Plane, width: int) -> tuple[str, ...]:
    if given is not None:
        return tuple(map(str, given))
    return plane.names if isinstance(plane, Slice) else default_names(width)


def _counted(chosen: Sequence[int], at: Floats) -> dict[str, str]:
    return {"count": str(len(chosen)), "total": f"{len(at):,}"}


def _on_cpu(point: Any) -> Any:
    return point.detach().cpu() if hasattr(point, "detach") else point
