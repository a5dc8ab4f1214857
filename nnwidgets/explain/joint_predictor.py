"""The answers of several models taken together, with what they are unsure of and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.answers import Answers, waiting
from nnwidgets.explain.committee import Committee
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.uncertainty import decompose, decompose_values
from nnwidgets.probe.refusal import Refusal

__all__ = ["JointPredictor"]


class JointPredictor:
    """Asks a committee about points, in the place of a single model.

    Parameters
    ----------
    predictor
        Knows how points get into a model and what its numbers are.
    committee
        The models; see `nnwidgets.explain.committee`.

    Notes
    -----
    The probabilities are the mean of the members', so that the entropy of a surface made of them
    is the total one; `aleatoric` is the mean of the members' entropies and `epistemic` the
    difference. Of values, `epistemic` is the variance between members.
    """

    def __init__(self, predictor: Predictor, committee: Committee) -> None:
        self.predictor = predictor
        self.committee = committee

    def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
        """Return what the committee says at points.

        Parameters
        ----------
        points
            (n, features), finite.
        check
            Called between members and batches; what it raises ends the work.

        Raises
        ------
        Refusal
            As `nnwidgets.explain.predictor.Predictor.answer`, and if members answer in different
            forms: they are models of different questions.
        """
        kind = self.predictor.kind(points)  # found once, on the model itself, not on each member
        members: list[NDArray[Any]] = []
        for index in range(self.committee.count):
            check()
            with self.committee.member(index) as module:
                given = self.predictor.on(module).answer(points, check)
            found = given.values if given.probabilities is None else given.probabilities
            assert found is not None
            if members and found.shape != members[0].shape:
                raise Refusal(
                    "explain.uncertainty.shapes",
                    index=str(index),
                    shape=_size(found),
                    first=_size(members[0]),
                )
            members.append(found)
        together = np.stack(members)
        if kind.kind == "regression":
            values = decompose_values(together)
            return Answers(None, values.mean, values.epistemic, values.aleatoric)
        shares = decompose(together, exclusive=kind.exclusive)
        return Answers(
            shares.mean,
            epistemic=shares.epistemic,
            aleatoric=shares.aleatoric,
            exclusive=kind.exclusive,
        )


def _size(array: NDArray[Any]) -> str:
    return "×".join(map(str, array.shape))
