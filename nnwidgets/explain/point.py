"""One point, explained: what the model says there, what that depends on, what would change it.

Four views of one answer. The slope is exact but holds at the point alone; a linear fit nearby says
how far a straight line goes (R²); the nearest training points show what the model saw there; and
the smallest change along each feature that changes the answer is a counterfactual (Wachter et al.
2017, here one feature at a time, so that it can be checked by eye).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nnwidgets.explain.point_changes import Change, changes
from nnwidgets.explain.rules import Ask
from nnwidgets.explain.surrogate import weighted_r2
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = [
    "Change",
    "PointExplanation",
    "difference_steps",
    "differences",
    "explain_point",
    "feature_units",
    "nearest",
]

Floats = NDArray[np.float64]

_STEP: Final = 1e-3  # of a feature's unit: balances curvature against single precision
_SAMPLES: Final = 500


@dataclass(frozen=True, eq=False)
class PointExplanation:
    """A model's answer at one point.

    Attributes
    ----------
    point
        (features,).
    probabilities
        (classes,); None for values.
    value
        What a regression says; None for classes.
    label
        The predicted class; None for values.
    target
        What the slopes are of: the predicted class unless another was asked for; None for values.
    weights
        (features,): slope of the target's probability, or of the value, for each feature: change
        per unit of the feature, at the point.
    slope_by
        ``"autograd"``, or ``"differences"``: central finite differences over ±`step`.
    step
        (features,): what the differences go over, half of it to each side of the point; zeros
        where autograd was used.
    fit_weights, fit_intercept
        Of the least-squares plane through the answers at points drawn normally around this one.
    fit_radius
        (features,): standard deviation of those points.
    r2
        How well the plane fits them, at most 1; None where the answers do not vary.
    nearest
        (k,): indices of the nearest training points, nearest first; empty without data.
    distances
        (k,): how far they are, each feature in its unit (see `units`).
    units
        (features,): what counts as one step of each feature: its spread over the data.
    changes
        One for each feature that was asked for; see `nnwidgets.explain.point_changes`.
    notes
        What is to be said, as keys of the catalogue.
    """

    point: Floats
    probabilities: Floats | None
    value: float | None
    label: int | None
    target: int | None
    weights: Floats
    slope_by: str
    step: Floats
    fit_weights: Floats
    fit_intercept: float
    fit_radius: Floats
    r2: float | None
    nearest: NDArray[np.intp]
    distances: Floats
    units: Floats
    changes: tuple[Change, ...]
    notes: tuple[Words, ...]


def explain_point(
    ask: Ask,
    point: ArrayLike,
    *,
    differentiable: Callable[[Tensor], Tensor] | None = None,
    target: int | None = None,
    data: Any = None,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    features: Sequence[int] | None = None,
    by: float | None = None,
    neighbours: int = 5,
    radius: float = 0.25,
    samples: int = _SAMPLES,
    seed: int = 0,
) -> PointExplanation:
    """Explain what a model says at one point.

    Parameters
    ----------
    ask
        The model's answers for points (n, features): probabilities (n, classes), or values (n,).
    point
        (features,), finite.
    differentiable
        The same for a tensor (n, features), float64 on the CPU, with a graph. None, or where it
        cuts the gradient: slopes by finite differences.
    target
        Which class the slopes are of; None: the predicted one.
    data
        (n, features): the training points.
    low, high
        (features,): between which a change is looked for; None: the range of the data.
    features
        Along which a change is looked for; None: along all.
    by
        Of a regression: by how much the value must change; None: no change is looked for.
    neighbours
        How many training points are named.
    radius
        Of the linear fit: standard deviation of its points, in units of the features.
    samples
        How many points the fit takes, and five for each feature at least.
    seed
        Of a generator of its own.

    Raises
    ------
    Refusal
        If the point or the model's answer there is not finite.
    ValueError
        If an argument does not fit.
    """
    at = np.asarray(point, np.float64)
    if at.ndim != 1 or not len(at):
        raise ValueError(f"a point has the form (features,), not {at.shape}")
    if not np.isfinite(at).all():
        raise Refusal("explain.point.point_finite")
    table = _table(data, len(at))
    here = _answers(ask, at[None])
    if not np.isfinite(here).all():
        raise Refusal("explain.point.answer_finite")
    classes = here.shape[1] > 1
    label = int(here[0].argmax()) if classes else None
    column = _column(target, label, here.shape[1])
    units = feature_units(table, low, high, len(at))

    def score(rows: Floats) -> Floats:
        return _answers(ask, rows)[:, column]

    notes: list[Words] = []
    slope = _autograd(differentiable, at, column) if differentiable is not None else None
    step = np.zeros(len(at))
    if slope is None:
        step = difference_steps(at, units)
        slope = differences(score, at, step)
        if differentiable is not None:
            notes.append(("explain.point.no_gradient", {}))
    fit, intercept, r2 = _local_fit(score, at, radius * units, max(samples, 5 * len(at)), seed)
    places, distances = nearest(table, at, units, neighbours)
    found: tuple[Change, ...] = ()
    if classes or by is not None:
        bounds = _bounds(table, at, low, high, units)
        found = changes(
            lambda rows: _answers(ask, rows),
            at,
            *bounds,
            features=range(len(at)) if features is None else features,
            by=None if classes else by,
        )
    return PointExplanation(
        point=at,
        probabilities=here[0] if classes else None,
        value=None if classes else float(here[0, 0]),
        label=label,
        target=column if classes else None,
        weights=slope,
        slope_by="autograd" if not step.any() else "differences",
        step=step,
        fit_weights=fit,
        fit_intercept=intercept,
        fit_radius=radius * units,
        r2=r2,
        nearest=places,
        distances=distances,
        units=units,
        changes=found,
        notes=tuple(notes),
    )


def feature_units(
    data: NDArray[Any] | None, low: ArrayLike | None, high: ArrayLike | None, width: int
) -> Floats:
    """Return what counts as one step of each feature, above zero.

    It is the standard deviation over the data; without data, or where they do not vary, a quarter
    of the range; without a range, 1.
    """
    units = np.ones(width)
    if low is not None and high is not None:
        span = np.broadcast_to(np.asarray(high, np.float64) - np.asarray(low, np.float64), width)
        units = np.where(np.isfinite(span) & (span > 0), span / 4, units)
    if data is not None:
        rows = np.asarray(data, np.float64)
        rows = rows[np.isfinite(rows).all(1)]
        if len(rows):
            spread = rows.std(0)
            units = np.where(spread > 1e-12 * np.abs(rows).max(0), spread, units)
    return units


def nearest(
    data: NDArray[Any] | None, point: Floats, units: Floats, count: int
) -> tuple[NDArray[np.intp], Floats]:
    """Return which rows of the data are nearest to a point, and how far, in the features' units.

    Rows that are not finite are passed over; of equally near ones the first comes first.
    """
    if data is None or not len(data):
        return np.zeros(0, np.intp), np.zeros(0)
    away = np.sqrt((((np.asarray(data, np.float64) - point) / units) ** 2).sum(1))
    order = np.argsort(away, kind="stable")[: max(count, 0)]
    order = order[np.isfinite(away[order])]
    return order, away[order]


def _answers(ask: Ask, rows: Floats) -> Floats:
    given: Any = ask(rows)
    values = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given, np.float64)
    return values[:, None] if values.ndim == 1 else values


def _column(target: int | None, label: int | None, count: int) -> int:
    if target is None:
        return label or 0
    if not 0 <= target < count:
        raise ValueError(f"there is no target {target}: targets go from 0 to {count - 1}")
    return int(target)


def _table(data: Any, width: int) -> Floats | None:
    if data is None:
        return None
    rows = np.asarray(data.detach().cpu() if hasattr(data, "detach") else data, np.float64)
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(
            f"the data must have the form (n, {width}), as the point, not {rows.shape}"
        )
    return rows


def _bounds(
    table: Floats | None, at: Floats, low: ArrayLike | None, high: ArrayLike | None, units: Floats
) -> tuple[Floats, Floats]:
    fine = None if table is None else table[np.isfinite(table).all(1)]
    ends = []
    for given, side in ((low, -1), (high, 1)):
        if given is not None:
            ends.append(np.broadcast_to(np.asarray(given, np.float64), at.shape))
        elif fine is not None and len(fine):
            ends.append(fine.min(0) if side < 0 else fine.max(0))
        else:
            ends.append(at + side * 4 * units)
    return ends[0], ends[1]


def _autograd(differentiable: Callable[[Tensor], Tensor], at: Floats, column: int) -> Floats | None:
    """Return the slope, or None where the gradient is cut or not finite."""
    with torch.enable_grad():
        row = torch.as_tensor(at[None]).requires_grad_()
        given = differentiable(row)
        given = given[:, None] if given.dim() == 1 else given
        if not given.requires_grad:
            return None
        slope: Any = torch.autograd.grad(given[0, column], row, allow_unused=True)[0]
    if slope is None or not bool(slope.isfinite().all()):
        return None
    return np.asarray(slope[0].detach().double().cpu().numpy(), np.float64)


def difference_steps(at: Floats, units: Floats) -> Floats:
    """Return how far to go along each feature for a slope, (features,)."""
    # Single precision must still see it beside a large value.
    return np.maximum(_STEP * units, 2e-5 * np.abs(at))


def differences(score: Callable[[Floats], Floats], at: Floats, step: Floats) -> Floats:
    """Return the slope at a point, (features,), by central differences over ±½ `step`.

    Parameters
    ----------
    score
        (n, features) to (n,).
    at, step
        (features,).
    """
    away = np.diag(step / 2)
    # What the model is really asked: in single precision a small step may be rounded.
    right = (at + away).astype(np.float32).astype(np.float64)
    left = (at - away).astype(np.float32).astype(np.float64)
    given = score(np.concatenate([right, left]))
    width = np.diag(right) - np.diag(left)
    width = np.where(width > 0, width, step)
    return np.asarray((given[: len(at)] - given[len(at) :]) / width, np.float64)


def _local_fit(
    score: Callable[[Floats], Floats], at: Floats, radius: Floats, count: int, seed: int
) -> tuple[Floats, float, float | None]:
    """Return slope, intercept (at the point itself) and R² of the plane."""
    drawn = np.random.default_rng(seed).standard_normal((count, len(at)))
    given = score(at + drawn * radius)
    fine = np.isfinite(given)
    design = np.c_[drawn[fine], np.ones(int(fine.sum()))]
    if len(design) <= len(at):
        return np.full(len(at), np.nan), float("nan"), None
    solved = np.linalg.lstsq(design, given[fine], rcond=None)[0]
    r2 = weighted_r2(torch.as_tensor(given[fine]), torch.as_tensor(design @ solved))
    return solved[:-1] / radius, float(solved[-1]), r2
