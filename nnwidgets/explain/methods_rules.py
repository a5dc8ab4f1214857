"""Which layers LRP can be led through.

captum comes with rules for few layers, and asks for an attribute ``rule`` on the others. Those
below get one: the ε-rule holds for every layer that is linear, and passes relevance on unchanged
where a layer only moves numbers about; an activation that works element by element passes it on
unchanged as well, as captum's ReLU and Tanh do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn

__all__ = ["COVERED", "lrp_rules"]

_CAPTUMS_LINEAR: Final = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.Conv2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d),
    *(nn.Linear, nn.BatchNorm2d),
)
_LINEAR: Final = (
    *(nn.Flatten, nn.Unflatten, nn.Identity, nn.ZeroPad2d, nn.PixelShuffle, nn.Upsample),
    *(nn.Conv1d, nn.Conv3d, nn.BatchNorm1d, nn.BatchNorm3d, nn.AvgPool1d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
)
_ELEMENTWISE: Final = (
    *(nn.LeakyReLU, nn.ReLU6, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardtanh),
    *(nn.Softplus, nn.Sigmoid, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
)

COVERED: Final = (*_CAPTUMS_LINEAR, nn.ReLU, nn.Dropout, nn.Tanh, *_LINEAR, *_ELEMENTWISE)
"""The modules that relevance can be led through, by captum's rules and by these."""


@contextmanager
def lrp_rules(root: nn.Module) -> Iterator[None]:
    """Give the layers that captum has no rule for one of ours, until this is left."""
    from captum.attr._utils.lrp_rules import EpsilonRule, IdentityRule

    # captum's own ε of 1e-9 is zero in half precision, and what it is to prevent is 0 ÷ 0.
    half = any(value.dtype == torch.float16 for value in root.parameters())
    epsilon = 1e-4 if half else 1e-9
    given: list[Any] = []
    try:
        for module in root.modules():
            kind = type(module)
            if hasattr(module, "rule"):
                continue
            if kind in _LINEAR or (half and kind in _CAPTUMS_LINEAR):
                vars(module)["rule"] = EpsilonRule(epsilon)
                given.append(module)
            elif kind in _ELEMENTWISE:
                vars(module)["rule"] = IdentityRule(epsilon)
                given.append(module)
        yield
    finally:
        for module in given:
            vars(module).pop("rule", None)
