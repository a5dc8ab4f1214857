"""Points that a model is asked about again and again: looked over once, and kept as it takes them.

Beside a training every call that can be left out counts twice, since nothing that a look needs is
in the caches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["KnownRows"]


class KnownRows:
    """Rows of finite numbers, which nobody writes to any more.

    Parameters
    ----------
    array
        (n, features), as `nnwidgets.explain.predictor.Predictor.known` has checked it.

    Attributes
    ----------
    array
        As given.
    """

    def __init__(self, array: NDArray[np.floating[Any]]) -> None:
        self.array = array
        self._tensor: Tensor | None = None

    def __len__(self) -> int:
        return len(self.array)

    def some(self, rows: slice, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return some of the rows as a tensor of the caller's own."""
        known = self._tensor
        if known is None or known.dtype != dtype or known.device != device:
            known = self._tensor = torch.tensor(self.array, dtype=dtype, device=device)
        return known[rows].clone()
