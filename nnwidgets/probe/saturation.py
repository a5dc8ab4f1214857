"""How much of what a bounded activation gives lies at the ends of its range, where slopes are flat.

A sigmoid or a tanh that was given a large number answers with its limit, and passes 1 % of a
gradient or less (Glorot & Bengio 2010 follow such layers through training). One share a call tells;
a large output is read in part.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

from nnwidgets.probe import reduction
from nnwidgets.probe.tensors import sample_elements

__all__ = ["SQUASHING", "saturation"]

SQUASHING: Final = (nn.Sigmoid, nn.Tanh, nn.Hardtanh)
"""Activations with two ends; of `ReLU6`, a kind of ``Hardtanh``, nothing is told."""

_EDGE: Final = 0.98  # of the half range: beyond it lie the outer 1 % of the whole
_SURE: Final = 0.99  # of a distribution at one place


def saturation(module: nn.Module, out: Tensor) -> Tensor | float:
    """Return the share of a call's output that is at an end.

    Parameters
    ----------
    module
        Who gave it.
    out
        What it gave.

    Returns
    -------
    Tensor or float
        Of sigmoid, tanh and hard tanh the share of the outputs within 1 % of their range from its
        ends, of softmax the share of the distributions with more than 99 % at one place; 0-d, on
        the device of `out`. NaN for other modules, and where there is nothing to tell.
    """
    if out.is_complex() or out.numel() == 0:
        return math.nan
    if isinstance(module, (nn.Softmax, nn.Softmax2d)):
        dim = getattr(module, "dim", -3)
        if dim is None or out.dim() == 0 or out.shape[dim] < 2:
            return math.nan
        return (out.detach().amax(dim) > _SURE).to(torch.float32).mean()
    # The lower end of a ReLU6 is where it rests.
    if not isinstance(module, SQUASHING) or isinstance(module, nn.ReLU6):
        return math.nan
    low, high = (0.0, 1.0) if isinstance(module, nn.Sigmoid) else (-1.0, 1.0)
    if isinstance(module, nn.Hardtanh):
        low, high = module.min_val, module.max_val
    part = sample_elements(out, reduction.DRAWN).to(torch.float32)
    middle, half = (low + high) / 2, (high - low) / 2
    return ((part - middle).abs() > _EDGE * half).to(torch.float32).mean()
