"""What a normalisation layer does to one of its inputs: (x − μ) ÷ √(σ² + ε), scaled and shifted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from nnwidgets.probe.given import numbers
from nnwidgets.probe.units import spatial_dims

__all__ = ["NORMS", "Normalised", "normalised"]

_RMS: Final[tuple[type[nn.Module], ...]] = (
    (nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()  # new in torch 2.4
)
NORMS: Final[tuple[type[nn.Module], ...]] = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LayerNorm,
    nn.GroupNorm,
    *_RMS,
)


@dataclass(frozen=True)
class Normalised:
    """One unit of a normalisation layer.

    Attributes
    ----------
    value
        The input x.
    mean
        μ; None where none is taken off (RMSNorm).
    variance
        σ², with the divisor n; of RMSNorm the mean square.
    count
        Inputs that μ and σ² were computed from; 0 for running statistics.
    eps
        ε.
    weight, bias
        γ (1 without one) and β (None without one).
    """

    value: float
    mean: float | None
    variance: float
    count: int
    eps: float
    weight: float
    bias: float | None

    @property
    def scaled(self) -> float:
        """(x − μ) ÷ √(σ² + ε)."""
        size = self.variance + self.eps
        centred = self.value - (self.mean or 0.0)
        if size == 0:
            return math.copysign(math.inf, centred) if centred else math.nan
        return centred / math.sqrt(size) if size > 0 else math.nan


def normalised(module: Any, given: Tensor, index: tuple[int, ...]) -> Normalised:
    """Return how one unit of a normalisation layer comes about.

    Parameters
    ----------
    module
        One of `NORMS`.
    given
        Its input.
    index
        Into the input, which has the shape of the output.
    """
    eps = module.eps
    last = len(getattr(module, "normalized_shape", ()))
    over: tuple[Any, ...]
    at: Any
    if isinstance(module, _RMS):
        part = np.square(numbers(given[index[:-last]]))
        eps = torch.finfo(given.dtype).eps if eps is None else eps
        found = (None, float(part.mean()), part.size)
        return _made(module, given, index, found, eps, index[-last:])
    if isinstance(module, nn.LayerNorm):
        over, at = index[:-last], index[-last:]
    elif isinstance(module, nn.GroupNorm):
        width = module.num_channels // module.num_groups
        first = index[1] // width * width
        over, at = (index[0], slice(first, first + width)), index[1]
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        over, at = (slice(None), index[1]), index[1]
    else:  # instance norm: a channel of a sample by itself
        over = index[: -(spatial_dims(module) or 1)]
        at = over[-1]
    running = getattr(module, "running_mean", None)
    if running is not None and not module.training:
        kept = (float(running[at]), float(module.running_var[at]), 0)
        return _made(module, given, index, kept, eps, at)
    part = numbers(given[over])
    statistics = (float(part.mean()), float(part.var()), part.size)
    return _made(module, given, index, statistics, eps, at)


def _made(
    module: Any,
    given: Tensor,
    index: tuple[int, ...],
    statistics: tuple[float | None, float, int],
    eps: float,
    at: Any,
) -> Normalised:
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    return Normalised(
        float(numbers(given[index])),
        *statistics,
        eps,
        1.0 if weight is None else float(weight.detach()[at]),
        None if bias is None else float(bias.detach()[at]),
    )
