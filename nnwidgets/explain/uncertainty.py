"""How sure a model is, and why not: what is noise in the world and what is not yet known.

Several models that could all be true (members of a committee, `nnwidgets.explain.committee`) answer
for the same points. Where each of them wavers, the data are ambiguous (aleatoric); where they
contradict each other, too little was seen there (epistemic). For classes the entropy of the mean is
split, total = aleatoric + epistemic (Depeweg et al. 2018, "Decomposition of uncertainty in Bayesian
deep learning"; the epistemic part is the mutual information of Houlsby et al. 2011); for values the
variance is, by the law of total variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Entropies", "Variances", "decompose", "decompose_values", "entropy"]

Floats = NDArray[np.float64]

_ROUNDING: Final = 5e-3  # half-precision softmaxes add up to one only so far


@dataclass(frozen=True, eq=False)
class Entropies:
    """What a committee says of classes.

    Attributes
    ----------
    mean
        (n, classes): the committee's probabilities, P(y|x) = mean over the members of P(y|x, w).
    total
        (n,): entropy of the mean, in nats; ``log(classes)`` at most.
    aleatoric
        (n,): mean of the members' entropies.
    epistemic
        (n,): total less aleatoric; zero where all members say the same, never negative.
    members
        How many they are; of one, the epistemic part is zero because nobody could disagree.
    """

    mean: Floats
    total: Floats
    aleatoric: Floats
    epistemic: Floats
    members: int


@dataclass(frozen=True, eq=False)
class Variances:
    """What a committee says of values.

    Attributes
    ----------
    mean
        (n, outputs).
    epistemic
        (n, outputs): variance of the members' values around their mean (÷ members).
    aleatoric
        (n, outputs): mean of the noise variances that the members state; None where they state
        none. A model trained by squared error says nothing of it.
    total
        (n, outputs): the sum; None where the aleatoric part is not known.
    members
        How many they are.
    """

    mean: Floats
    epistemic: Floats
    aleatoric: Floats | None
    total: Floats | None
    members: int


def entropy(probabilities: ArrayLike) -> Floats:
    """Return −Σ p log p over the last axis, in nats; 0 log 0 is 0, and NaN stays NaN."""
    p = np.asarray(probabilities, np.float64)
    # + 0.0 so that a certain answer has an entropy of 0, not −0.
    return np.asarray(-(p * _log(p)).sum(-1) + 0.0, np.float64)


def decompose(member_probabilities: ArrayLike, *, exclusive: bool = True) -> Entropies:
    """Split the uncertainty about classes.

    Parameters
    ----------
    member_probabilities
        (members, n, classes). A row that is not finite gives NaN.
    exclusive
        Whether the classes' probabilities add up to one; otherwise each class is a yes-or-no
        question of its own, and the entropies of the questions are added.

    Returns
    -------
    Entropies
        The epistemic part is summed up as the mean divergence of the members from their mean,
        (1/M) Σₘ KL(pₘ ‖ p̄). That is the difference of the entropies, but loses no digits where
        the members nearly agree.

    Raises
    ------
    ValueError
        If the array has another form, or its rows are no probabilities.
    """
    p = np.asarray(member_probabilities, np.float64)
    if p.ndim != 3 or p.shape[0] < 1 or p.shape[2] < 2:
        raise ValueError(
            f"probabilities of the form (members, points, classes) are needed, with a member and "
            f"two classes at least; these have the form {p.shape}"
        )
    if not exclusive:
        _check(p, adding_up=False)
        questions = decompose(np.stack([p, 1 - p], -1).reshape(len(p), -1, 2))
        total, aleatoric, epistemic = (
            part.reshape(p.shape[1:]).sum(-1)
            for part in (questions.total, questions.aleatoric, questions.epistemic)
        )
        return Entropies(p.mean(0), total, aleatoric, epistemic, len(p))
    _check(p, adding_up=True)
    with np.errstate(invalid="ignore"):
        p = np.maximum(p, 0)
        p = p / p.sum(-1, keepdims=True)
        mean = p.mean(0)
        aleatoric = entropy(p).mean(0)
        divergence = (p * (_log(p) - _log(mean))).sum(-1).mean(0)
    epistemic = np.maximum(divergence, 0)
    return Entropies(mean, entropy(mean), aleatoric, epistemic, len(p))


def decompose_values(member_values: ArrayLike, member_noise: ArrayLike | None = None) -> Variances:
    """Split the uncertainty about values.

    Parameters
    ----------
    member_values
        (members, n, outputs) or (members, n).
    member_noise
        The variance of the noise that each member states, of a form that broadcasts with the
        values; None: they state none.

    Returns
    -------
    Variances
        Var y = E[Var(y|w)] + Var(E[y|w]).

    Raises
    ------
    ValueError
        If an array has another form, or a variance is negative.
    """
    values = np.asarray(member_values, np.float64)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or not len(values):
        raise ValueError(
            f"values of the form (members, points, outputs) are needed, not {values.shape}"
        )
    mean = values.mean(0)
    between = ((values - mean) ** 2).mean(0)
    if member_noise is None:
        return Variances(mean, between, None, None, len(values))
    noise = np.asarray(member_noise, np.float64)
    if noise.ndim == 2 and noise.shape == values.shape[:2]:
        noise = noise[:, :, None]
    if bool((noise < 0).any()):
        raise ValueError("a variance of noise is negative: give variances, not their logarithms")
    within = np.broadcast_to(noise, values.shape).mean(0)
    return Variances(mean, between, within, within + between, len(values))


def _log(p: Floats) -> Floats:
    """Return log p, and 0 for p = 0, where it is only used times zero."""
    return np.asarray(np.log(np.where(p > 0, p, 1.0)) + np.where(np.isnan(p), np.nan, 0.0))


def _check(p: Floats, *, adding_up: bool) -> None:
    known = p[np.isfinite(p).all(-1)]
    if not len(known):
        return
    if known.min() < -_ROUNDING or known.max() > 1 + _ROUNDING:
        raise ValueError("probabilities lie between 0 and 1: apply a softmax or a sigmoid first")
    if adding_up and float(np.abs(known.sum(-1) - 1).max()) > _ROUNDING:
        raise ValueError("the probabilities of a row do not add up to one: apply a softmax first")
