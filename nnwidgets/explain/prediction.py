"""What a model says at points that somebody gave: one row for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nnwidgets.explain.answers import Answers, entropies, labels, margins

__all__ = ["Prediction", "prediction_of"]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says at n points; as an array it is what the model itself gives.

    ``numpy.asarray(prediction)`` are the probabilities of classes, or the values of a regression.

    Attributes
    ----------
    probabilities
        (n, classes); of several models their mean. None for a regression, as are `label`,
        `entropy` and `margin`.
    label
        (n,) integers: the most probable class; of several the first; −1 where there is none, since
        a probability is not finite.
    entropy
        (n,) in nats; of classes that do not exclude each other the sum of theirs. Of several models
        it is the total uncertainty, aleatoric + epistemic.
    epistemic, aleatoric
        (n,) in nats, for several models taken together; of a regression variances, (n, outputs).
        None where one model was asked, which cannot tell them apart.
    values
        (n, outputs) of a regression; None for classes.
    """

    probabilities: Floats | None
    label: NDArray[np.int64] | None
    entropy: Floats | None
    epistemic: Floats | None = None
    aleatoric: Floats | None = None
    values: Floats | None = None

    @property
    def margin(self) -> Floats | None:
        """By how much the most probable class leads the next, (n,); None for values."""
        return None if self.probabilities is None else margins(self.probabilities.T)

    def __len__(self) -> int:
        return len(self._said())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        said = self._said()
        # numpy from 2 on says whether it wants a copy; numpy 1 has no word for "never".
        return np.array(said, dtype) if copy else np.asarray(said, dtype)

    def _said(self) -> Floats:
        said = self.values if self.probabilities is None else self.probabilities
        assert said is not None  # whoever answers gives one of the two
        return said


def prediction_of(answers: Answers) -> Prediction:
    """Return what follows from a model's answers, point by point."""
    shares = answers.probabilities
    # Laid out classes first, in which form everything of few classes is fastest.
    across = None if shares is None else np.ascontiguousarray(shares.T)
    return Prediction(
        probabilities=shares,
        label=None if across is None else labels(across),
        entropy=None if across is None else entropies(across, exclusive=answers.exclusive),
        epistemic=answers.epistemic,
        aleatoric=answers.aleatoric,
        values=answers.values,
    )
