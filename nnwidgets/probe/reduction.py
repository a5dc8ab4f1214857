"""The distribution of a tensor in ninety numbers, cheap enough for the middle of a training step.

`nnwidgets.probe.summary` describes a tensor exactly and sorts it to do so. Here a layer is looked
at several times a second while the user's training waits, so not all is read of a large tensor:

* NaN and infinities are counted in all of it;
* the mean, the smallest and the largest value are of all of it (on a CPU the last two, beyond
  `WHOLE` elements, of about that many, evenly spaced);
* the standard deviation, the share of zeros, quantiles and the histogram are exact up to `EXACT`
  elements, and from `DRAWN` evenly spaced ones beyond: of values without an order to them, a
  quantile is then within two percentage points of its place, and the standard deviation of a bell
  curve within 3 %. The histogram is scaled to the number of finite elements.

It comes in two halves, because what is to be described is gone, or changed in place, before there
is time for it. `read` takes what has to be taken at once, a few microseconds beside one pass over
the elements; `fetched` works out the numbers for all the tensors of a step. On another device than
a CPU the reduction is only queued, and nothing is asked of the device until `fetched` copies all
of a step's numbers in one go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.bins import BINS, edges, rebin
from nnwidgets.probe.summary import QUANTILES
from nnwidgets.probe.tensors import bad_counts, sample_elements, stored_values

__all__ = [
    "COUNTS",
    "DRAWN",
    "EXACT",
    "HIGH",
    "INF",
    "LOW",
    "MEAN",
    "NAN",
    "RANKS",
    "SIZE",
    "STD",
    "WHOLE",
    "WIDTH",
    "ZERO",
    "Drawn",
    "Floats",
    "Numbers",
    "fetched",
    "merged",
    "read",
]

EXACT: Final = 8_192
DRAWN: Final = 4_093
"""Prime, so that evenly spaced elements are not all of one column of the tensor."""
WHOLE: Final = 4_194_304

# Where what stands: finite elements, NaN, infinities, mean, smallest and largest value, standard
# deviation, share of zeros, quantiles, counts (which add up to the finite elements, whatever part
# of them was read).
SIZE, NAN, INF, MEAN, LOW, HIGH, STD, ZERO = range(8)
RANKS: Final = slice(8, 8 + len(QUANTILES))
COUNTS: Final = slice(RANKS.stop, RANKS.stop + BINS)
WIDTH: Final = COUNTS.stop

Floats = NDArray[np.float64]


class Drawn:
    """What `read` took of a tensor on a CPU.

    Attributes
    ----------
    head
        Finite elements, NaN, infinities, mean, smallest and largest value.
    part
        A copy of some of the finite elements; empty if there are none.
    """

    __slots__ = ("head", "part")

    def __init__(self, head: tuple[float, ...], part: NDArray[np.floating]) -> None:
        self.head = head
        self.part = part


Numbers = Drawn | Floats | Tensor
"""Still to be worked out, there already, or on the tensor's device (WIDTH,)."""

_NOTHING: Final = np.empty(0)
_INNER: Final = np.arange(1, BINS) / BINS  # where the inner edges of a histogram are


def read(tensor: Tensor, total: float | None = None) -> Numbers:
    """Take what is needed of a readable tensor (see ``nnwidgets.probe.tensors.is_readable``).

    Complex values count by their absolute value, a sparse tensor by what it stores.

    Parameters
    ----------
    tensor
        The tensor.
    total
        Its sum, if somebody knows it.
    """
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = stored_values(tensor)
    if tensor.is_complex():
        tensor = tensor.abs()
    return _on_host(tensor, total) if tensor.device.type == "cpu" else _on_device(tensor)


def fetched(numbers: Sequence[Numbers]) -> list[Floats]:
    """Work the numbers out; bring those of other devices over, with one copy (and wait) for each.

    Returns
    -------
    list of ndarray
        float64 (WIDTH,), or as long as the tensor was that was given.
    """
    drawn = {id(n): n for n in numbers if isinstance(n, Drawn)}  # the same may be there twice
    known = dict(zip(drawn, _described(list(drawn.values())), strict=True))
    result = [n if isinstance(n, np.ndarray) else known.get(id(n), _NOTHING) for n in numbers]
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


# --- on a CPU --------------------------------------------------------------------------------


def _on_host(tensor: Tensor, total: float | None) -> Drawn:
    size = tensor.numel()
    if size == 0:
        return Drawn((0, 0, 0), _NOTHING)
    if total is None:
        half = tensor.dtype is torch.bfloat16 or tensor.dtype is torch.float16
        # A sum is far cheaper than a test of each element, and finite only if all of them are.
        total = tensor.sum(dtype=torch.float32 if half else None).item()
    if not math.isfinite(total):
        return _hardly_finite(tensor, size)
    whole = _array(tensor)
    return Drawn((size, 0, 0, total / size, whole.min(), whole.max()), _part(whole))


def _hardly_finite(tensor: Tensor, size: int) -> Drawn:
    """Read a tensor whose sum is not finite: what it holds is not, or is huge."""
    nan, inf = bad_counts(tensor)
    if nan + inf == size:
        return Drawn((0, nan, inf), _NOTHING)
    whole = _array(tensor)
    whole = whole[np.isfinite(whole)]
    if not whole.size:  # the few finite ones are none of those that were drawn
        return Drawn((0, nan, inf), _NOTHING)
    mean = float(whole.astype(np.float64).mean())
    head = (size - nan - inf, nan, inf, mean, whole.min(), whole.max())
    return Drawn(head, _part(whole))


def _part(whole: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return a copy of all elements, or of evenly spaced ones, in the order of memory."""
    if whole.size <= EXACT:
        return whole.flatten()
    flat = whole if whole.ndim == 1 else whole.ravel("K")
    return flat[_places(whole.size)]


@lru_cache(maxsize=64)
def _places(size: int) -> NDArray[np.int64]:
    return np.arange(DRAWN, dtype=np.int64) * size // DRAWN


def _array(tensor: Tensor) -> NDArray[np.floating]:
    if tensor.numel() > WHOLE:
        tensor = sample_elements(tensor, WHOLE)
    if tensor.dtype is torch.bfloat16 or tensor.dtype is torch.float16:
        tensor = tensor.to(torch.float32)
    array: NDArray[np.floating] = tensor.resolve_neg().numpy()
    return array


def _described(drawn: Sequence[Drawn]) -> list[Floats]:
    """Work out the numbers of several tensors, together of those of which as much was drawn."""
    table = np.full((len(drawn), WIDTH), np.nan)
    table[:, : INF + 1] = np.reshape([one.head[: INF + 1] for one in drawn], (-1, INF + 1))
    table[:, COUNTS] = 0
    alike: dict[tuple[int, bool], list[int]] = {}
    for row, one in enumerate(drawn):
        if one.part.size:
            span = float(one.head[HIGH]) - float(one.head[LOW])
            wide = one.part.itemsize > 4 or not 1e-15 < span < 1e15  # squares would leave float32
            alike.setdefault((one.part.size, wide), []).append(row)
    with np.errstate(all="ignore"):
        for (_, wide), rows in alike.items():
            head = np.array([drawn[row].head for row in rows], np.float64)
            parts = np.array([drawn[row].part for row in rows], np.float64 if wide else np.float32)
            table[rows] = _several(head, parts)
    return list(table)


def _several(head: Floats, parts: NDArray[np.floating]) -> Floats:
    """Describe tensors, one a row, by their heads and what was drawn of them (to be sorted)."""
    low, high, drawn = head[:, LOW, None], head[:, HIGH, None], parts.shape[1]
    table = np.empty((len(head), WIDTH))
    table[:, : HIGH + 1] = head
    away = parts - head[:, MEAN, None].astype(parts.dtype)
    table[:, STD] = np.sqrt(np.einsum("ij,ij->i", away, away) / drawn)
    table[:, ZERO] = (parts == 0).sum(1) / drawn
    parts.sort(axis=1)
    place = np.asarray(QUANTILES) * (drawn - 1)
    before = place.astype(np.intp)
    lower, upper = parts[:, before], parts[:, np.minimum(before + 1, drawn - 1)]
    table[:, RANKS] = lower + (upper.astype(np.float64) - lower) * (place - before)
    inner = low * (1 - _INNER) + high * _INNER
    if parts.dtype == np.float32:
        # A value belongs to the bin above an edge if it is not below it. Nor is it below the next
        # number then that float32 can hold.
        edge = inner.astype(np.float32)
        inner = np.where(edge < inner, np.nextafter(edge, np.float32(np.inf)), edge)
    below = np.empty((len(head), BINS + 1))
    below[:, 0], below[:, -1] = 0, drawn
    below[:, 1:-1] = torch.searchsorted(torch.from_numpy(parts), torch.from_numpy(inner)).numpy()
    table[:, COUNTS] = np.diff(below) * (head[:, SIZE, None] / drawn)
    single = (low == high)[:, 0]
    table[single, COUNTS] = head[single, SIZE, None] * (np.arange(BINS) == BINS // 2)
    return table


# --- elsewhere -------------------------------------------------------------------------------


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
    part = tensor.reshape(-1)
    if size > EXACT:
        part = part[torch.arange(DRAWN, device=device) * size // DRAWN]
    part = part.to(wide)
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
    head = torch.stack([finite, nan, inf, mean, low, high, std, zero.to(wide)])
    return torch.cat([head, quantiles, counts])


def _chunks(tensor: Tensor) -> Sequence[Tensor]:
    """Split into parts whose masks and copies do not need as much memory as the tensor."""
    if tensor.dim() == 0:
        return (tensor,)
    if tensor.is_contiguous():
        tensor = tensor.view(-1)
    rows = tensor.shape[0]
    return torch.split(tensor, max(1, WHOLE * rows // tensor.numel(), rows // 64))
