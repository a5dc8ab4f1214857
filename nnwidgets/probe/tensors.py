"""Small reductions of tensors that belong to the user.

Everything here reads and never writes. Reductions run on the tensor's own device and stay there as
zero-dimensional tensors; `to_numpy` brings a list of them over in one copy per device. Kinds of
tensors that cannot be read without a side effect (a DTensor's norm is a collective call that would
hang the other ranks) or that hold no numbers (meta, fake, not yet materialised) are refused by
`is_readable`, and what they hold is reported as unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import Parameter

__all__ = [
    "bad_counts",
    "has_bad",
    "is_readable",
    "masks_to_numpy",
    "norm",
    "norms",
    "quietly",
    "sample_elements",
    "stored_values",
    "tensors_in",
    "to_numpy",
    "zero_rows",
]

_PLAIN: Final = frozenset(
    kind for kind in (Tensor, Parameter, getattr(torch.nn, "Buffer", None)) if kind is not None
)
_FULL: Final = frozenset((torch.float32, torch.float64))
_HALF: Final = frozenset((torch.float16, torch.bfloat16))


def is_readable(value: object) -> bool:
    """Whether `value` is a plain dense or sparse tensor of numbers that may be reduced."""
    if type(value) not in _PLAIN:  # subclasses (DTensor, FakeTensor, …) mean more than numbers
        return False
    assert isinstance(value, Tensor)
    if value.device.type == "meta" or value.is_quantized:
        return False
    return value.dtype.is_floating_point or value.dtype.is_complex


def norm(tensor: Tensor) -> Tensor:
    """Return the 2-norm of all elements as a 0-d tensor on the same device.

    Halves are accumulated and returned in float32: their own range ends at 65,504. A sparse
    gradient may list one row twice; it is summed first, as the optimiser does.
    """
    tensor = stored_values(tensor)
    dtype = torch.float32 if tensor.dtype in _HALF else None
    size: Tensor = torch.linalg.vector_norm(tensor, dtype=dtype)
    return size


def stored_values(tensor: Tensor) -> Tensor:
    """Return the elements of a sparse tensor that are not left out, a dense one as it is."""
    if tensor.layout is torch.strided:
        return tensor
    return tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()


def norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the 2-norm of each tensor, in few calls.

    Parameters
    ----------
    tensors
        Readable tensors (see `is_readable`), on any devices.

    Returns
    -------
    list of Tensor
        0-d tensors, each on its tensor's device.
    """
    simple = bool(tensors) and all(
        t.dtype in _FULL and t.layout is torch.strided and t.device == tensors[0].device
        for t in tensors
    )
    if simple and len({t.dtype for t in tensors}) == 1 and hasattr(torch, "_foreach_norm"):
        return list(torch._foreach_norm(list(tensors)))
    return [norm(t) for t in tensors]


def to_numpy(scalars: Sequence[Tensor]) -> np.ndarray:
    """Return 0-d tensors as a float64 array, with one copy (and wait) for each device."""
    if all(scalar.device.type == "cpu" for scalar in scalars):
        return np.array([scalar.item() for scalar in scalars], np.float64)
    result = np.full(len(scalars), np.nan)
    by_device: dict[torch.device, list[int]] = {}
    for index, scalar in enumerate(scalars):
        by_device.setdefault(scalar.device, []).append(index)
    for indices in by_device.values():
        # Stacking promotes mixed types; float32 keeps what float16 and bfloat16 held.
        values = [scalars[i] for i in indices]
        if len({v.dtype for v in values}) > 1:
            values = [v.to(torch.float32) for v in values]
        result[indices] = torch.stack(values).tolist()
    return result


def masks_to_numpy(masks: Sequence[Tensor]) -> list[np.ndarray]:
    """Return boolean vectors as arrays, with one copy (and wait) for each device."""
    if all(mask.device.type == "cpu" for mask in masks):
        return [mask.numpy() for mask in masks]
    result: list[np.ndarray] = [np.empty(0, bool)] * len(masks)
    for device in {mask.device for mask in masks}:
        indices = [i for i, mask in enumerate(masks) if mask.device == device]
        joined = torch.cat([masks[i] for i in indices]).cpu().numpy()
        ends = np.cumsum([masks[i].numel() for i in indices])[:-1]
        for index, part in zip(indices, np.split(joined, ends), strict=True):
            result[index] = part
    return result


def sample_elements(tensor: Tensor, limit: int) -> Tensor:
    """Return a view of at most about `limit` elements, the same ones every time.

    Every k-th element in memory order for the usual dense layouts, whole rows otherwise; all of
    them when there are no more than `limit`.
    """
    tensor = tensor.detach()
    size = tensor.numel()
    if size <= limit or tensor.dim() == 0:
        return tensor
    step = _stride(size, limit)
    dense = tensor.is_contiguous() or (
        tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    )
    if dense:
        return tensor.as_strided((-(-size // step),), (step,), tensor.storage_offset())
    return tensor[:: -(-tensor.shape[0] // max(1, limit * tensor.shape[0] // size))]


def zero_rows(tensor: Tensor, dim: int = 0, groups: int = 1) -> Tensor:
    """Return which output units have no entry but exact zeros.

    Parameters
    ----------
    tensor
        Gradient of a weight, at least two-dimensional.
    dim
        Dimension of the output units: 0, or 1 for a transposed convolution.
    groups
        Groups of a transposed convolution, whose weight is (in, out / groups, …): unit
        g * out / groups + j is row j of the g-th block of inputs.

    Returns
    -------
    Tensor
        Boolean, one entry a unit, on the tensor's device. NaN counts as not zero.
    """
    if dim == 1:
        split = (groups, -1, *tensor.shape[1:])
        tensor = tensor.reshape(split).transpose(1, 2).flatten(0, 1)
    rows = tensor.flatten(1)
    if rows.device.type != "cpu":
        return torch.eq(torch.linalg.vector_norm(rows, float("inf"), dim=1), 0)
    # On a CPU the 2-norm is some thirty times faster than any exact test, but squares below
    # 1e-45 vanish in it: rows it calls zero are looked at again.
    dtype = torch.float32 if rows.dtype in _HALF else None
    zero = torch.eq(torch.linalg.vector_norm(rows, dim=1, dtype=dtype), 0)
    if bool(zero.any()):
        zero[zero.clone()] = rows[zero].abs().amax(1) == 0
    return zero


def has_bad(tensor: Tensor) -> bool:
    """Whether a readable tensor holds NaN or an infinity (waits for the device)."""
    return sum(bad_counts(tensor)) > 0


def bad_counts(tensor: Tensor) -> tuple[int, int]:
    """Return how many elements are NaN and how many infinite (waits for the device)."""
    tensor = tensor.detach()
    tensor = stored_values(tensor)
    if tensor.numel() == 0:
        return 0, 0
    # A sum is far cheaper than a test of each element, and finite only if all of them are.
    quick = tensor.sum(dtype=torch.float32 if tensor.dtype in _HALF else None).item()
    if quick - quick == 0:
        return 0, 0
    return int(torch.isnan(tensor).sum()), int(torch.isinf(tensor).sum())


def tensors_in(value: Any, depth: int = 4, limit: int = 64) -> Iterator[Tensor]:
    """Iterate over at most `limit` tensors in a nest of tuples, lists, mappings, dataclasses."""
    return islice(_walk(value, depth), limit)


def _stride(size: int, limit: int) -> int:
    """Return the k for which every k-th of `size` elements makes at most `limit`, spread over all.

    It has no divisor in common with the size: else the same columns would be met in every row.
    """
    step = max(1, -(-size // limit))
    while math.gcd(step, size) > 1:
        step += 1
    return step


def _walk(value: Any, depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth > 0:
        inside: Any = ()
        if isinstance(value, (tuple, list)):
            inside = value
        elif isinstance(value, Mapping):
            inside = value.values()
        elif hasattr(type(value), "__dataclass_fields__"):
            inside = vars(value).values() if hasattr(value, "__dict__") else ()
        for item in inside:
            yield from _walk(item, depth - 1)


@contextmanager
def quietly() -> Iterator[None]:
    """Record no gradients and cast nothing, whatever the training loop has switched on."""
    with torch.no_grad():
        if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
            with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
                yield
        else:
            yield
