"""Pictures in natural colours, out of tensors that were scaled for a model."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["natural", "spread"]


def spread(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the smallest and the largest finite value of each channel.

    Parameters
    ----------
    values
        Shape (samples, channels, …).

    Returns
    -------
    tuple of Tensor
        Shape (channels,) each, the first below the second everywhere: a channel that is constant
        has the spread of all of them, and if that is nothing, ±1.
    """
    rows = values.detach().movedim(1, 0).flatten(1)
    rows = rows.double() if rows.dtype == torch.float64 else rows.float()
    finite = torch.isfinite(rows)
    low = rows.masked_fill(~finite, torch.inf).amin(1)
    high = rows.masked_fill(~finite, -torch.inf).amax(1)
    low, high = torch.nan_to_num(low, posinf=0.0), torch.nan_to_num(high, neginf=0.0)
    flat = high - low <= 1e-6 * torch.maximum(low.abs(), high.abs())
    whole_low, whole_high = low.min(), high.max()
    if whole_high - whole_low <= 1e-6 * torch.maximum(whole_low.abs(), whole_high.abs()):
        whole_low, whole_high = whole_low - 1, whole_high + 1
    return torch.where(flat, whole_low, low), torch.where(flat, whole_high, high)


def natural(images: Tensor, low: Tensor, high: Tensor) -> NDArray[np.uint8]:
    """Return pictures as bytes.

    Parameters
    ----------
    images
        Shape (n, 1 or 3, height, width).
    low, high
        Shape (channels,): what is drawn black and white.

    Returns
    -------
    ndarray
        uint8, shape (n, height, width), or (n, height, width, 3); NaN is black.
    """
    place = (images.detach() - low[:, None, None]) / (high - low)[:, None, None]
    codes = (torch.nan_to_num(place, nan=0.0).clamp(0, 1) * 255).round().to(torch.uint8)
    pixels: NDArray[np.uint8] = codes.movedim(1, -1).cpu().numpy()
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
