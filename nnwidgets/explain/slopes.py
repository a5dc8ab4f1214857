"""How steeply a model's answer rises with each feature at a point: exactly, by autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnwidgets.explain.answers import waiting
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.committee import Committee
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.shares import shares

__all__ = ["slope"]

Floats = NDArray[np.float64]


def slope(
    predictor: Predictor,
    point: Floats,
    column: int,
    *,
    committee: Committee | None = None,
    check: Callable[[], None] = waiting,
) -> Floats | None:
    """Return the derivative of an answer for each feature.

    Parameters
    ----------
    predictor
        Knows the model.
    point
        (features,), finite.
    column
        Which class's probability, or which output of a regression.
    committee
        Several models: the derivative of their mean, which is the mean of their derivatives.
    check
        Called before each member; what it raises ends the work.

    Returns
    -------
    ndarray or None
        (features,), per unit of the feature. None where autograd cannot tell: the gradient is cut,
        not finite or not to be asked for; or preprocessing makes other numbers of a tensor than of
        an array.
    """
    if not predictor.differentiable:
        return None
    if committee is None:
        check()
        parts = [_of_one(predictor, point, column)]
    else:
        parts = []
        for index in range(committee.count):
            check()
            with committee.member(index) as module:
                parts.append(_of_one(predictor.on(module), point, column))
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return np.asarray(np.mean(known, 0), np.float64)


def _of_one(predictor: Predictor, point: Floats, column: int) -> Floats | None:
    answer = predictor.answer(point[None])
    classes = answer.values is None
    expected: Any = answer.probabilities if classes else answer.values
    with torch.enable_grad():
        row = torch.tensor(point, dtype=torch.float64, requires_grad=True)
        try:
            # Two rows: a model that ends in squeeze() would drop the axis of one.
            given = predictor.with_graph(row.expand(2, -1))
            given = shares(given, predictor.kind(point[None])) if classes else given
            said = given[0, column]
            if not said.requires_grad:
                return None
            found: Any = torch.autograd.grad(said, row, allow_unused=True)[0]
        except Cancelled:
            raise
        except Exception:  # a model may answer and yet not be differentiable, in any way
            return None
    if found is None or not bool(found.isfinite().all()):
        return None
    if not np.isclose(float(said.detach()), expected[0, column], rtol=1e-3, atol=1e-4):
        return None
    return np.asarray(found.numpy(), np.float64)
