"""Layers full of random numbers, and one call of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from nnwidgets.probe.contributions import Contributions
from nnwidgets.probe.look import Call


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def refill(module: nn.Module, seed: int = 0) -> nn.Module:
    generator = seeded(seed)
    module = module.double().eval()
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator).double() + 0.1)
        for parameter in module.parameters():
            parameter.sub_(0.6)
    return module


def called(module: nn.Module, *args: Any, **kwargs: Any) -> Call:
    with torch.no_grad():
        return Call(args, kwargs, module(*args, **kwargs))


def check(found: Contributions, expected: torch.Tensor | float) -> None:
    """The terms and the bias make the layer's output, and the parts of a term its product."""
    assert np.isclose(found.total, float(expected), rtol=1e-9, atol=1e-12)
    assert np.isclose(found.values.sum() + (found.bias or 0.0), found.total, rtol=1e-12)
    np.testing.assert_array_equal(found.activation * found.weight, found.product)
    np.testing.assert_array_equal(found.values.ravel(), found.product)
    assert found.inputs.shape[0] == found.product.size
    assert found.output == float(expected)
