"""Tensors that a model handles inside ``vmap`` or a gradient of ``torch.func``.

There each tensor stands for many: what a hook sees is a wrapper that means nothing any more once
the transform has ended. What it wraps are the numbers of all samples.
"""

from __future__ import annotations

from torch import Tensor
from torch._C import _functorch

__all__ = ["unwrapped"]


def unwrapped(tensor: Tensor) -> Tensor:
    """Return the numbers that a tensor stands for, with what it is mapped over in front.

    Parameters
    ----------
    tensor
        Any; one that is no such wrapper is returned as it is.
    """
    while _functorch.is_functorch_wrapped_tensor(tensor):
        place = _functorch.maybe_get_bdim(tensor) if _functorch.is_batchedtensor(tensor) else 0
        tensor = _functorch.get_unwrapped(tensor)
        tensor = tensor.movedim(place, 0) if place > 0 else tensor
    return tensor
