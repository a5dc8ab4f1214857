"""Whether a model answers the same question twice in the same way."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from nnwidgets.explain.answers import Answers
from nnwidgets.probe.replay import RandomState

__all__ = ["answers_vary", "numbers"]

Numbers = NDArray[np.floating[Any]]

_TRIALS: Final = 8
_PATIENCE: Final = 0.1  # seconds, after which a model that draws numbers is taken at its word
_ROUNDING: Final = 1e-3  # of the largest number: more than what devices add up in another order


def answers_vary(ask: Callable[[], Numbers]) -> bool:
    """Say whether asking again gives another answer.

    A model that draws no random numbers is asked twice. One that does is asked some times more: a
    rare dropout may spare a few points twice, and numbers that are drawn need not be used.

    Parameters
    ----------
    ask
        Runs the model on a few points, the same each time, and gives what it says.

    Notes
    -----
    The random number generators of the process are put back.
    """
    begun = perf_counter()
    before = RandomState.now()
    try:
        first = ask()
        for _ in range(_TRIALS):
            if not _same(first, ask()):
                return True
            if not _moved(before) or perf_counter() - begun > _PATIENCE:
                break
    finally:
        before.restore()
    return False


def numbers(said: Answers) -> Numbers:
    """Return probabilities, or values: what a picture is made of."""
    if said.probabilities is not None:
        return said.probabilities
    assert said.values is not None
    return said.values


def _same(first: Numbers, again: Numbers) -> bool:
    if first.shape != again.shape:
        return False
    finite = first[np.isfinite(first)]
    slack = _ROUNDING * float(np.abs(finite).max()) if finite.size else 0.0
    return np.allclose(first, again, rtol=0, atol=slack, equal_nan=True)


def _moved(before: RandomState) -> bool:
    """Whether numbers have been drawn since."""
    now = RandomState.now()
    if not torch.equal(now.cpu, before.cpu) or now.python != before.python:
        return True
    pairs = zip(now.cuda, before.cuda, strict=False)
    if len(now.cuda) != len(before.cuda) or not all(torch.equal(a, b) for a, b in pairs):
        return True
    if now.numpy is None or before.numpy is None:
        return now.numpy is not before.numpy
    return not all(np.array_equal(a, b) for a, b in zip(now.numpy, before.numpy, strict=True))
