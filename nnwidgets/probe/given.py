"""What a call of a layer was given, as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.look import Call
from nnwidgets.probe.tensors import tensors_in

__all__ = ["argument", "numbers"]


def argument(call: Call, position: int = 0, name: str = "input") -> Any:
    """Return an argument of a call, None if it was not given.

    Parameters
    ----------
    call
        Of torch's own layers, or of one derived from them that may call its input otherwise.
    position, name
        In the signature of ``forward``.
    """
    if len(call.args) > position:
        return call.args[position]
    if name in call.kwargs:
        return call.kwargs[name]
    return next(tensors_in(call.kwargs), None) if position == 0 else None


def numbers(tensor: Tensor) -> NDArray[np.float64]:
    """Return a tensor as float64 on the host."""
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    elif tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    result: NDArray[np.float64] = tensor.detach().to("cpu", torch.float64).numpy()
    return result
