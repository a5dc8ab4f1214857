"""The distribution of a tensor in ninety numbers, cheap enough for the middle of a training step.

`nnwidgets.probe.summary` describes a tensor exactly and sorts it to do so. Here a layer is looked
at several times a second while the user's training waits, so not all is read of a large tensor:

* NaN and infinities are counted in all of it;
* the mean, the smallest and the largest value are of all of it (on a CPU, of up to `WHOLE`
  elements; of about that many, evenly spaced, beyond);
* the standard deviation and the share of zeros are exact up to `EXACT` elements, and from some
  `THINNED` evenly spaced ones beyond;
* the histogram is exact up to twice `COUNTED` elements, and beyond from about that many evenly
  spaced ones, scaled to the number of finite elements;
* quantiles are exact up to `RANKED` elements, and from about that many evenly spaced ones beyond.

On a CPU the numbers are there at once. On another device the reduction is only queued, and nothing
is asked of the device until `fetched` copies all of a step's numbers in one go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.bins import BINS, edges, rebin
from nnwidgets.probe.summary import QUANTILES
from nnwidgets.probe.tensors import bad_counts, sample_elements, stored_values

__all__ = [
    "COUNTED",
    "COUNTS",
    "EXACT",
    "HIGH",
    "INF",
    "LOW",
    "MEAN",
    "NAN",
    "RANKED",
    "RANKS",
    "SIZE",
    "STD",
    "THINNED",
    "WHOLE",
    "WIDTH",
    "ZERO",
    "Floats",
    "Numbers",
    "fetched",
    "merged",
    "reduced",
]

EXACT: Final = 262_144
THINNED: Final = 65_536
COUNTED: Final = 16_384
RANKED: Final = 4_096
WHOLE: Final = 4_194_304

# Where what stands: finite elements, NaN, infinities, share of zeros, moments, quantiles, counts
# (which add up to the finite elements, whatever part of them was read).
SIZE, NAN, INF, ZERO, MEAN, STD, LOW, HIGH = range(8)
RANKS: Final = slice(8, 8 + len(QUANTILES))
COUNTS: Final = slice(RANKS.stop, RANKS.stop + BINS)
WIDTH: Final = COUNTS.stop

Floats = NDArray[np.float64]
Numbers = Floats | Tensor
"""(WIDTH,): here already, or still on the tensor's device."""


def reduced(tensor: Tensor) -> Numbers:
    """Reduce a readable tensor (see ``nnwidgets.probe.tensors.is_readable``).

    Complex values count by their absolute value, a sparse tensor by what it stores.
    """
    tensor = stored_values(tensor.detach())
    if tensor.is_complex():
        tensor = tensor.abs()
    if tensor.device.type == "cpu":
        with np.errstate(all="ignore"):
            return _on_host(tensor)
    return _on_device(tensor)


def fetched(numbers: Sequence[Numbers]) -> list[Floats]:
    """Bring vectors of numbers over, with one copy (and wait) for each device."""
    result = [n if isinstance(n, np.ndarray) else np.empty(0) for n in numbers]
    away = {i: n for i, n in enumerate(numbers) if isinstance(n, Tensor)}
    for device in {n.device for n in away.values()}:
        here = [i for i, n in away.items() if n.device == device]
        joined = torch.cat([away[i] for i in here]).cpu().numpy().astype(np.float64)
        ends = np.cumsum([len(away[i]) for i in here])[:-1]
        for index, part in zip(here, np.split(joined, ends), strict=True):
            result[index] = part
    return result


def merged(calls: Sequence[Floats]) -> Floats:
    """Put the numbers of several calls of one layer together, as if they had been one tensor.

    The histograms are moved to the edges that hold all calls (``nnwidgets.probe.bins.rebin``), and
    quantiles are read from the histogram that results. All else is exact.
    """
    if len(calls) == 1:
        return calls[0]
    result = np.zeros(WIDTH)
    parts = np.array(calls)
    result[[NAN, INF]] = parts[:, [NAN, INF]].sum(0)
    parts = parts[parts[:, SIZE] > 0]
    if not len(parts):
        return _empty(result[NAN], result[INF])
    share = parts[:, SIZE] / parts[:, SIZE].sum()
    result[SIZE] = parts[:, SIZE].sum()
    result[ZERO] = share @ parts[:, ZERO]
    result[MEAN] = mean = share @ parts[:, MEAN]
    result[STD] = math.sqrt(share @ (parts[:, STD] ** 2 + (parts[:, MEAN] - mean) ** 2))
    result[LOW], result[HIGH] = low, high = float(parts[:, LOW].min()), float(parts[:, HIGH].max())
    common = edges(low, high)
    for part in parts:
        result[COUNTS] += rebin(part[COUNTS], part[LOW], part[HIGH], common)
    below = np.concatenate([[0.0], np.cumsum(result[COUNTS])]) / result[SIZE]
    result[RANKS] = np.clip(np.interp(QUANTILES, below, common), low, high)
    return result


def _empty(nan: float = 0, inf: float = 0) -> Floats:
    result = np.full(WIDTH, np.nan)
    result[[SIZE, NAN, INF]] = 0, nan, inf
    result[COUNTS] = 0
    return result


def _on_host(tensor: Tensor) -> Floats:
    size = tensor.numel()
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    # A sum is far cheaper than a test of each element, and finite only if all of them are.
    total = tensor.sum(dtype=torch.float32 if half else None).item() if size else 0.0
    nan, inf = (0, 0) if math.isfinite(total) else bad_counts(tensor)
    finite = size - nan - inf
    if finite == 0:
        return _empty(nan, inf)
    whole = _array(tensor, WHOLE)
    part = whole if size <= EXACT else _array(tensor, THINNED)
    if nan or inf:
        whole, part = whole[np.isfinite(whole)], part[np.isfinite(part)]
        if not part.size:  # the few finite ones are none of those that were drawn
            part = whole
        if not whole.size:
            return _empty(nan, inf)
    result = np.empty(WIDTH)
    low, high = float(whole.min()), float(whole.max())
    mean = total / size if math.isfinite(total) else float(whole.astype(np.float64).mean())
    if not 1e-15 < high - low < 1e15:
        part = part.astype(np.float64)  # or squares and differences would leave float32
    part = np.ascontiguousarray(part).reshape(-1)
    away = part - part.dtype.type(mean)
    deviation = math.sqrt(float(np.dot(away, away)) / part.size)
    result[: RANKS.start] = (
        finite, nan, inf, np.count_nonzero(part == 0) / part.size, mean, deviation, low, high,
    )  # fmt: skip
    result[RANKS] = _quantiles(part)
    drawn = part if size <= 2 * COUNTED else _every(part, COUNTED)
    result[COUNTS] = _counted(drawn, low, high) * (finite / drawn.size)
    return result


def _array(tensor: Tensor, limit: int) -> NDArray[np.floating]:
    part = sample_elements(tensor, limit)
    if part.dtype in (torch.float16, torch.bfloat16):
        part = part.to(torch.float32)
    array: NDArray[np.floating] = part.resolve_neg().numpy()
    return array


def _every(part: NDArray[np.floating], limit: int) -> NDArray[np.floating]:
    stride = -(-part.size // limit)
    return part[:: stride + (stride > 1) * (1 - stride % 2)]  # odd, as in `sample_elements`


def _quantiles(part: NDArray[np.floating]) -> Floats:
    drawn = np.sort(_every(part, RANKED))
    place = np.asarray(QUANTILES) * (drawn.size - 1)
    return np.asarray(np.interp(place, np.arange(drawn.size), drawn))


def _counted(part: NDArray[np.floating], low: float, high: float) -> Floats:
    if not low < high:
        counts = np.zeros(BINS)
        counts[BINS // 2] = part.size
        return counts
    # The largest value would open a bin of its own; 16 bits because numpy converts to them fast.
    place = ((part - part.dtype.type(low)) * (BINS / (high - low))).astype(np.int16)
    return np.bincount(np.minimum(place, BINS - 1, out=place), minlength=BINS).astype(np.float64)


def _on_device(tensor: Tensor) -> Tensor:
    """Do as `_on_host` does without a question to the device in between."""
    size = tensor.numel()
    wide = torch.float32 if tensor.device.type == "mps" else torch.float64
    device = tensor.device
    if size == 0:
        return torch.as_tensor(_empty(), dtype=wide, device=device)
    nan, inf = tensor.new_zeros((), dtype=wide), tensor.new_zeros((), dtype=wide)
    total, low, high = nan, nan + math.inf, nan - math.inf
    for chunk in _chunks(sample_elements(tensor, size)):
        ok = torch.isfinite(chunk)
        nan, inf = nan + torch.isnan(chunk).sum(), inf + torch.isinf(chunk).sum()
        total = total + torch.where(ok, chunk, 0).sum(dtype=wide)
        low = torch.minimum(low, torch.where(ok, chunk, math.inf).amin().to(wide))
        high = torch.maximum(high, torch.where(ok, chunk, -math.inf).amax().to(wide))
    finite = size - nan - inf
    mean = total / finite
    part = sample_elements(tensor, THINNED if size > EXACT else size).to(wide).reshape(-1)
    ok = torch.isfinite(part)
    count = ok.sum().to(wide)
    std = (torch.where(ok, part - mean, 0).square().sum() / count).sqrt()
    zero = (part == 0).sum() / count
    # Sorted, infinities and NaN lie at the ends and can be left out without knowing how many.
    ordered = torch.where(ok, part, math.inf).sort().values
    rank = torch.tensor(QUANTILES, dtype=wide, device=device) * (count - 1).clamp(min=0)
    lower, upper = ordered[rank.floor().long()], ordered[rank.ceil().long()]
    quantiles = torch.where(count > 0, torch.lerp(lower, upper, rank - rank.floor()), math.nan)
    half = torch.where(low < high, 0.0, torch.clamp(low.abs() * 1e-6, min=0.5))
    steps = torch.arange(1, BINS, dtype=wide, device=device) / BINS
    inner = (low - half) * (1 - steps) + (high + half) * steps
    starts = torch.searchsorted(ordered, inner).to(wide).minimum(count)
    counts = torch.cat([starts, count[None]]).diff(prepend=count.new_zeros(1))
    counts = torch.where(count > 0, counts * (finite / count), 0.0)
    none = finite == 0
    low, high = torch.where(none, math.nan, low), torch.where(none, math.nan, high)
    head = torch.stack([finite, nan, inf, zero.to(wide), mean, std, low, high])
    return torch.cat([head, quantiles, counts])


def _chunks(tensor: Tensor) -> Sequence[Tensor]:
    """Split into parts whose masks and copies do not need as much memory as the tensor."""
    if tensor.dim() == 0:
        return (tensor,)
    if tensor.is_contiguous():
        tensor = tensor.view(-1)
    rows = tensor.shape[0]
    return torch.split(tensor, max(1, WHOLE * rows // tensor.numel(), rows // 64))
