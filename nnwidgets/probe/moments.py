"""The few numbers that are read of every layer at every sampled step, as cheaply as can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.summary import plain_values, summarise
from nnwidgets.probe.tensors import quietly

__all__ = ["MOMENTS", "moments", "moments_to_numpy"]

MOMENTS: Final = ("mean", "std", "min", "max", "zero_fraction", "nan_count", "inf_count")
"""What the seven numbers are, in order."""


def moments(tensor: Tensor) -> Tensor:
    """Reduce a tensor to seven numbers on its device, without waiting for it.

    Parameters
    ----------
    tensor
        As for `nnwidgets.probe.summary.summarise`, which gives the same numbers and more, slower.

    Returns
    -------
    Tensor
        float64 (7,), in the order of `MOMENTS`: of the finite values, NaN where there are none.
        On the CPU to about seven digits for float32, because it is summed in float32.

    Raises
    ------
    ValueError
        See `nnwidgets.probe.summary.summarise`.
    """
    with quietly():
        values = plain_values(tensor)
        return _on_cpu(values) if values.device.type == "cpu" else _on_device(values)


def moments_to_numpy(rows: Sequence[Tensor]) -> NDArray[np.float64]:
    """Return what `moments` gave for several tensors as (n, 7), one copy for each device."""
    result = np.full((len(rows), len(MOMENTS)), np.nan)
    for device in {row.device for row in rows}:
        here = [i for i, row in enumerate(rows) if row.device == device]
        result[here] = torch.stack([rows[i] for i in here]).cpu().numpy()
    return result


def _on_cpu(values: Tensor) -> Tensor:
    count = values.numel()
    if count:
        mean = values.mean()
        away = float(torch.linalg.vector_norm(values - mean)) / math.sqrt(count)
        low, high = (float(end) for end in torch.aminmax(values))
        # Squares in float32 overflow above 1e19 and vanish below 1e-22: the slow way is exact.
        if math.isfinite(away) and (away > 1e-15 or low == high):
            flat = values if values.is_contiguous() else values.reshape(-1)
            zeros = count - int(np.count_nonzero(flat.numpy()))
            numbers = [float(mean), away, low, high, zeros / count, 0.0, 0.0]
            return torch.tensor(numbers, dtype=torch.float64)
    exact = summarise(values)
    return torch.tensor([getattr(exact, name) for name in MOMENTS], dtype=torch.float64)


def _on_device(values: Tensor) -> Tensor:
    nan, inf = torch.isnan(values), torch.isinf(values)
    finite = ~(nan | inf)
    count = finite.sum()
    kept = torch.where(finite, values, 0)
    mean = kept.sum(dtype=torch.float64) / count
    # About the rounded mean, in the tensor's own type; the rest of the mean is taken off after.
    centre = mean.to(values.dtype)
    spread = torch.where(finite, values - centre, 0)
    squares = torch.linalg.vector_norm(spread, dtype=torch.float64).square() / count
    std = (squares - (mean - centre).square()).clamp(min=0).sqrt()
    if values.numel():
        low = torch.where(finite, values, torch.inf).amin()
        high = torch.where(finite, values, -torch.inf).amax()
    else:
        low = high = values.new_tensor(torch.nan)
    low, high = (torch.where(count > 0, end, torch.nan) for end in (low, high))
    zeros = (values == 0).sum().to(torch.float64) / count
    numbers = [mean, std, low, high, zeros, nan.sum(), inf.sum()]
    return torch.stack([number.to(torch.float64) for number in numbers])
