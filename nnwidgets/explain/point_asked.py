"""Who answers for a point: one model, or several taken together; and what is said there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nnwidgets.explain.answers import Answers
from nnwidgets.explain.committee import member_answers
from nnwidgets.explain.committee_answers import CommitteePredictor
from nnwidgets.explain.prediction import prediction_of
from nnwidgets.explain.predictor import Predictor
from nnwidgets.probe.refusal import Refusal

__all__ = ["Asked"]

Floats = NDArray[np.float64]


class Asked:
    """What is said at a point, and whoever says it, to be asked about others.

    Parameters
    ----------
    predictor
        Asks the model.
    joint
        Several models taken together, in place of it.
    point
        (features,), finite.
    target
        Class, or output of a regression; None: the predicted class, or the first output.
    check
        Called between batches and members; what it raises ends the work.

    Attributes
    ----------
    classes
        Whether classes are told apart.
    outputs
        How many classes, or values, there are.
    column
        The class, or the output, that is explained.
    probabilities, spread, value, label, total, aleatoric, epistemic
        As in `nnwidgets.explain.at_point.AtPoint`.

    Raises
    ------
    Refusal
        If the answer is not finite, and as the predictor and the committee.
    ValueError
        If there is no such target.
    """

    def __init__(
        self,
        predictor: Predictor,
        joint: CommitteePredictor | None,
        point: Floats,
        target: int | None,
        check: Callable[[], None],
    ) -> None:
        self._answering = predictor if joint is None else joint
        self._check = check
        here = self._answering.answer(point[None], check)
        said = prediction_of(here)
        given = np.asarray(said, np.float64)[0]
        if not np.isfinite(given).all():
            raise Refusal("explain.point.answer_finite")
        self.classes = said.label is not None
        self.outputs = len(given)
        self.label = None if said.label is None else int(said.label[0])
        self.column = _column(target, self.label or 0, self.outputs)
        self.probabilities = given if self.classes else None
        self.value = None if self.classes else float(given[self.column])
        self.aleatoric = self._unsure(here.aleatoric)
        self.epistemic = self._unsure(here.epistemic)
        self.total: float | None = None
        if said.entropy is not None:
            self.total = float(said.entropy[0])
        elif self.aleatoric is not None and self.epistemic is not None:
            self.total = self.aleatoric + self.epistemic
        self.spread: Floats | None = None
        if joint is not None:

            def one(module: nn.Module) -> Any:
                return np.asarray(prediction_of(predictor.on(module).answer(point[None])))

            spread = member_answers(joint.committee, one, check=check)[:, 0].std(0)
            self.spread = spread if self.classes else spread[[self.column]]

    def ask(self, rows: Floats) -> Floats:
        """Return probabilities, (n, classes), or the explained value, (n, 1)."""
        given: Answers = self._answering.answer(rows, self._check)
        said = np.asarray(prediction_of(given), np.float64)
        return said if self.classes else said[:, [self.column]]

    def score(self, rows: Floats) -> Floats:
        """Return what is explained, (n,): a probability or a value."""
        return self.ask(rows)[:, self.index]

    @property
    def index(self) -> int:
        """Which column of `ask` is explained."""
        return self.column if self.classes else 0

    def _unsure(self, part: NDArray[Any] | None) -> float | None:
        if part is None:
            return None
        return float(part[0]) if self.classes else float(part[0, self.column])


def _column(target: int | None, label: int, count: int) -> int:
    if target is None:
        return label
    if not 0 <= target < count:
        raise ValueError(f"there is no target {target}: targets go from 0 to {count - 1}")
    return int(target)
