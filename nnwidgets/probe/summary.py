"""What a tensor holds, in numbers: moments, quantiles, a histogram, zeros, NaN and infinities.

The finite values are described and the others counted. A tensor on a CPU is read where it lies; on
another device it is sorted and reduced there, and some 150 numbers come over in one copy,
however large it is and however many tensors are asked about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.bins import BINS, edges
from nnwidgets.probe.blocks import Block, Words
from nnwidgets.probe.tensors import quietly

__all__ = [
    "BINS",
    "QUANTILES",
    "TensorSummary",
    "histogram_block",
    "plain_values",
    "summarise",
    "summarise_many",
    "summary_block",
]

QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_CHUNK: Final = 1 << 20  # so many elements are held as float64 at a time
_NO_NUMBERS: Final = "This tensor holds no numbers that can be read here ({reason})."
_LARGEST: Final = float(np.finfo(np.float64).max)
_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TensorSummary:
    """What one tensor held at one step.

    Attributes
    ----------
    mean, std, min, max
        Of the finite values; `std` is the population's (divided by n). NaN where there are none.
    quantiles
        float64 (7,): at 1, 5, 25, 50, 75, 95 and 99 % of the finite values, interpolated linearly
        between neighbours. NaN where there are none.
    histogram
        Counts, int64 (64,), and edges, float64 (65,): the finite values in bins of equal width from
        `min` to `max`; a bin holds its lower edge, the last one its upper edge too.
    zero_fraction
        Share of the finite values that are exactly zero.
    nan_count, inf_count
        How many elements are NaN, and how many infinite (of either sign).
    shape
        Of the tensor.
    step
        The step it is from; None where no step is counted.
    """

    mean: float
    std: float
    min: float
    max: float
    quantiles: _Floats
    histogram: tuple[NDArray[np.int64], _Floats]
    zero_fraction: float
    nan_count: int
    inf_count: int
    shape: tuple[int, ...]
    step: int | None = None


def summarise(tensor: Tensor, step: int | None = None) -> TensorSummary:
    """Describe a tensor.

    Parameters
    ----------
    tensor
        Of any shape and type: booleans and integers are read as numbers, complex values as their
        absolute value, sparse ones with the zeros they leave out.
    step
        Passed on.

    Raises
    ------
    ValueError
        If the tensor holds no numbers (meta, fake) or reading it could have side effects (sharded).
    """
    return summarise_many([tensor], [step])[0]


def summarise_many(tensors: Sequence[Tensor], steps: Sequence[int | None]) -> list[TensorSummary]:
    """Describe several tensors, with one copy (and wait) for each device.

    Parameters
    ----------
    tensors, steps
        As in `summarise`, of the same length.
    """
    with quietly():
        packed: list[Tensor | _Floats] = []
        for tensor in tensors:
            values = plain_values(tensor).reshape(-1)
            packed.append(_on_cpu(values.numpy()) if _is_local(values) else _on_device(values))
        shapes = [tuple(tensor.shape) for tensor in tensors]
        return [
            _unpacked(numbers, shape, step)
            for numbers, shape, step in zip(_fetched(packed), shapes, steps, strict=True)
        ]


def summary_block(
    summary: TensorSummary,
    title: Words | None = None,
    more: Sequence[tuple[str, str, float]] = (),
) -> Block:
    """Say in numbers what a summary holds; NaN and infinities only where there are any.

    Parameters
    ----------
    summary, title
        What to say, and what stands above it.
    more
        Further numbers: key of the name, ``"integer"``, ``"number"`` or ``"percent"``, value.

    Returns
    -------
    Block
        ``"numbers"``: shares are fractions of one.
    """
    rows: list[tuple[str, str, float]] = [
        ("ui.inspector.mean", "number", summary.mean),
        ("ui.inspector.std", "number", summary.std),
        ("ui.inspector.min", "number", summary.min),
        ("ui.inspector.max", "number", summary.max),
        ("ui.inspector.zeros", "percent", summary.zero_fraction),
    ]
    if summary.nan_count:
        rows.append(("ui.inspector.nan_count", "integer", summary.nan_count))
    if summary.inf_count:
        rows.append(("ui.inspector.inf_count", "integer", summary.inf_count))
    rows += more
    items = [[key, form, "–" if math.isnan(value) else None] for key, form, value in rows]
    values = np.array([value for _, _, value in rows], np.float64)
    return Block("numbers", {"items": items}, {"values": values}, title)


def histogram_block(summary: TensorSummary, title: Words | None = None) -> Block:
    """Make a histogram of a summary; the step is None where none is counted."""
    counts, limits = summary.histogram
    meta = {"step": summary.step, "count": int(counts.sum())}
    return Block("histogram", meta, {"counts": counts.astype(np.float64), "edges": limits}, title)


def plain_values(tensor: Tensor) -> Tensor:
    """Return the numbers of a tensor as real floating point, dense and without a graph.

    Parameters
    ----------
    tensor
        See `summarise`.

    Returns
    -------
    Tensor
        float32 or float64, of the tensor's shape (the stored values of a nested tensor), on its
        device where that knows float64 and else on the CPU. Shares memory where it can.

    Raises
    ------
    ValueError
        See `summarise`.
    """
    tensor = tensor.detach()
    if hasattr(tensor, "device_mesh"):  # a DTensor: reading it is a collective call
        raise ValueError(_NO_NUMBERS.format(reason="it is sharded"))
    if tensor.device.type == "meta" or type(tensor).__name__ == "FakeTensor":
        raise ValueError(_NO_NUMBERS.format(reason="it is on the meta device"))
    if tensor.is_nested:
        tensor = tensor.values()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_complex():
        tensor = tensor.abs()
    if tensor.device.type not in ("cpu", "cuda", "xpu"):
        tensor = tensor.cpu()
    if tensor.dtype in (torch.float32, torch.float64):
        return tensor
    return tensor.to(torch.float32 if tensor.is_floating_point() else torch.float64)


def _is_local(values: Tensor) -> bool:
    return values.device.type == "cpu"


# What comes over for one tensor: `_HEAD` numbers, then the neighbours of each quantile, below and
# above, the counts of the bins and their edges.
_HEAD: Final = 8  # NaN, infinite, finite, zero, mean, std, min, max
_COUNTS: Final = _HEAD + 2 * len(QUANTILES)
_EDGES: Final = _COUNTS + BINS


def _on_cpu(values: NDArray[np.floating]) -> _Floats:
    packed = np.full(_EDGES + BINS + 1, np.nan)
    nan = inf = 0
    with np.errstate(all="ignore"):
        # A sum is far cheaper than a test of each element, and finite only if all of them are.
        if not np.isfinite(values.sum()):
            nan, inf = int(np.isnan(values).sum()), int(np.isinf(values).sum())
            values = values[np.isfinite(values)]
    count = values.size
    packed[:4] = nan, inf, count, count - np.count_nonzero(values)
    if count == 0:
        packed[_COUNTS:_EDGES] = 0
        packed[_EDGES:] = np.arange(BINS + 1) / BINS
        return packed
    # Sorting costs less than selecting fourteen ranks and counting into bins would.
    ordered = np.sort(values)
    low, high = float(ordered[0]), float(ordered[-1])
    packed[4:_HEAD] = *_mean_and_std(values, low, high), low, high
    place = np.asarray(QUANTILES) * (count - 1)
    ranks = np.concatenate([np.floor(place), np.ceil(place)]).astype(np.int64)
    packed[_HEAD:_COUNTS] = ordered[ranks]
    limits = edges(low, high)
    packed[_COUNTS:_EDGES] = np.diff(_starts(ordered, limits))
    packed[_EDGES:] = limits
    return packed


def _starts(ordered: NDArray[np.floating], limits: _Floats) -> NDArray[np.int64]:
    """Return how many values lie below each edge; the last bin holds its upper edge."""
    # A value is at or above an edge if it is at or above the next number of its own type: so the
    # values need not be converted to be compared.
    with np.errstate(over="ignore"):
        own = limits.astype(ordered.dtype)
        own = np.where(own < limits, np.nextafter(own, own.dtype.type(np.inf)), own)
    starts = np.searchsorted(ordered, own)
    starts[0], starts[-1] = 0, len(ordered)
    return starts


def _mean_and_std(values: NDArray[np.floating], low: float, high: float) -> tuple[float, float]:
    unit = max(abs(low), abs(high))
    # Squares of numbers within these bounds neither overflow nor vanish.
    unit = 1.0 if 1e-100 < unit < 1e100 or unit == 0 else unit
    count = values.size
    parts = [values[at : at + _CHUNK] for at in range(0, count, _CHUNK)]
    mean = math.fsum(float((part.astype(np.float64) / unit).sum()) for part in parts) / count
    squares = 0.0
    for part in parts:
        away = part.astype(np.float64) / unit - mean
        squares += float(np.dot(away, away))
    return mean * unit, math.sqrt(squares / count) * unit


def _on_device(values: Tensor) -> Tensor:
    """Do as `_on_cpu` does, without waiting for the device: nothing is asked of it in between."""
    size = values.numel()
    nan, inf = torch.isnan(values), torch.isinf(values)
    finite = ~(nan | inf)
    count = finite.sum()
    below = torch.isneginf(values).sum()
    # Infinities end up at the two ends, and NaN counts as one here.
    ordered = torch.where(nan, torch.inf, values).sort().values
    if size == 0:
        ordered = values.new_zeros(1)
    double = torch.float64

    def nth(rank: Tensor) -> Tensor:
        found = ordered[(below + rank.long()).clamp(0, max(size - 1, 0))].to(double)
        return torch.where(count > 0, found, torch.nan)

    ends = torch.stack([count * 0, count - 1])
    low, high = nth(ends).unbind()
    kept = torch.where(finite, values, 0)
    mean = kept.sum(dtype=double) / count
    squares = sum(
        torch.where(finite[at : at + _CHUNK], kept[at : at + _CHUNK].to(double) - mean, 0)
        .square()
        .sum()
        for at in range(0, size, _CHUNK)
    )
    std = (torch.as_tensor(squares, dtype=double, device=values.device) / count).sqrt()
    place = torch.tensor(QUANTILES, dtype=double, device=values.device) * (count - 1)
    part = torch.arange(BINS + 1, dtype=double, device=values.device) / BINS
    half = torch.where(low == high, torch.clamp(low.abs() * 1e-6, min=0.5), 0.0)
    first, last = (low - half).clamp(min=-_LARGEST), (high + half).clamp(max=_LARGEST)
    limits = first * (1 - part) + last * part  # as `nnwidgets.probe.bins.edges`
    limits = torch.minimum(torch.cummax(limits, 0).values, last)
    limits = torch.where(count > 0, limits, part)
    # A value is at or above an edge if it is at or above the next number of its own type.
    own = limits.to(values.dtype)
    own = torch.where(own.to(double) < limits, torch.nextafter(own, own.new_tensor(torch.inf)), own)
    starts = torch.searchsorted(ordered, own).clamp(below, below + count)
    starts[-1] = below + count
    zero = ordered.new_zeros(1)
    zeros = torch.searchsorted(ordered, zero, right=True) - torch.searchsorted(ordered, zero)
    head = [nan.sum(), inf.sum(), count, zeros[0] * (size > 0), mean, std, low, high]
    return torch.cat(
        [
            torch.stack([number.to(double) for number in head]),
            nth(place.floor()),
            nth(place.ceil()),
            starts.diff().to(double),
            limits,
        ]
    )


def _fetched(packed: Sequence[Tensor | _Floats]) -> list[_Floats]:
    """Bring what was reduced on devices over, in one copy from each."""
    result: list[_Floats] = [p if isinstance(p, np.ndarray) else np.empty(0) for p in packed]
    away = {i: p for i, p in enumerate(packed) if isinstance(p, Tensor)}
    for device in {tensor.device for tensor in away.values()}:
        here = [i for i, tensor in away.items() if tensor.device == device]
        rows = torch.stack([away[i] for i in here]).cpu().numpy()
        for index, row in zip(here, rows, strict=True):
            result[index] = row
    return result


def _unpacked(packed: _Floats, shape: tuple[int, ...], step: int | None) -> TensorSummary:
    nan, inf, count, zeros, mean, std, low, high = (float(number) for number in packed[:_HEAD])
    below, above = packed[_HEAD:_COUNTS].reshape(2, -1)
    place = np.asarray(QUANTILES) * max(count - 1, 0)
    share = place - np.floor(place)
    with np.errstate(over="ignore", invalid="ignore"):
        between = below + (above - below) * share
        far = below * (1 - share) + above * share  # where the difference is beyond all numbers
    return TensorSummary(
        mean=mean,
        std=std,
        min=low,
        max=high,
        quantiles=np.where(np.isfinite(between), between, far),
        histogram=(packed[_COUNTS:_EDGES].astype(np.int64), packed[_EDGES:].copy()),
        zero_fraction=zeros / count if count else math.nan,
        nan_count=int(nan),
        inf_count=int(inf),
        shape=shape,
        step=step,
    )
