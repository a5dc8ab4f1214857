"""What a model says at many points at once: probabilities or values, and what follows from them.

Everything a picture of classes shows is a function of the probabilities alone, so it is worked out
here once, for single points as for whole surfaces: classes stand on the first axis where a function
says so, and any number of axes of points behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Answering", "Answers", "entropies", "labels", "margins", "waiting"]

_FEW: Final = 8  # classes that are gone through one by one

Floats = NDArray[np.floating[Any]]


def waiting() -> None:
    """Say that somebody still waits: a ``check`` that never raises."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says at n points.

    Attributes
    ----------
    probabilities
        (n, classes); None for a regression. One logit or one probability gives two classes.
    values
        (n, outputs) of a regression; None for classes.
    epistemic, aleatoric
        (n,) in nats for classes, (n, outputs) for a regression, from whoever knows several models;
        None where a single model was asked, which cannot tell them apart.
    exclusive
        Whether the classes' probabilities add up to one.
    """

    probabilities: Floats | None
    values: Floats | None = None
    epistemic: Floats | None = None
    aleatoric: Floats | None = None
    exclusive: bool = True


class Answering(Protocol):
    """Whatever answers for points: a model, or several of them taken together."""

    def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
        """Return what is said at points, (n, features)."""
        ...


def labels(probabilities: Floats) -> NDArray[np.int64]:
    """Return the most probable class; of several the first; −1 where a probability is not finite.

    Parameters
    ----------
    probabilities
        (classes, …).
    """
    if len(probabilities) <= _FEW:
        found: NDArray[np.int64] = _first_of_few(probabilities)
    else:
        found = probabilities.argmax(0).astype(np.int64, copy=False)
    sums = probabilities.sum(0)
    if not np.isfinite(sums.sum()):  # one number tells that all is well, which it nearly always is
        found[~np.isfinite(sums)] = -1
    return found


def _first_of_few(probabilities: Floats) -> NDArray[np.int64]:
    """Return what argmax returns, class after class: along the first axis that is slow."""
    best = probabilities[0]
    found = np.zeros(best.shape, np.int64)
    for number in range(1, len(probabilities)):
        ahead = probabilities[number] > best
        np.copyto(found, number, where=ahead)
        if number + 1 < len(probabilities):
            best = np.maximum(best, probabilities[number])
    return found


def entropies(probabilities: Floats, *, exclusive: bool = True) -> Floats:
    """Return the entropy of each point in nats: −Σ p ln p.

    Parameters
    ----------
    probabilities
        (classes, …).
    exclusive
        Whether they add up to one; otherwise each class is a yes-or-no question of its own, and
        their entropies are added.
    """
    found: Floats = _terms(probabilities).sum(0)
    if not exclusive:
        found = found + _terms(1 - probabilities).sum(0)
    # Rounding can push a certain answer a hair below zero; NaN stays NaN.
    return np.maximum(found, 0)


def _terms(shares: Floats) -> Floats:
    tiny = np.finfo(shares.dtype).tiny
    product: Floats = -shares * np.log(np.maximum(shares, tiny))
    return product


def margins(probabilities: Floats) -> Floats:
    """Return by how much the most probable class leads the next one.

    Parameters
    ----------
    probabilities
        (classes, …); of one class its probability is returned.
    """
    if len(probabilities) == 1:
        only: Floats = probabilities[0]
        return only
    if len(probabilities) == 2:
        lead: Floats = np.abs(probabilities[1] - probabilities[0])
        return lead
    ranked = np.partition(probabilities, len(probabilities) - 2, axis=0)
    lead = ranked[-1] - ranked[-2]
    return lead
