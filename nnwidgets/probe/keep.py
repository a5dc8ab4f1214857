"""Keeping a few samples of a batch: a copy that is small, detached, and of the same make."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

__all__ = ["UnkeepableError", "batch_of", "few_samples"]

_DEPTH: Final = 6
_PLAIN: Final = (
    int, float, complex, str, bytes, type(None), type, slice, torch.dtype, torch.device,
)  # fmt: skip


class UnkeepableError(Exception):
    """The value cannot be kept; `args[0]` says what of it."""


def batch_of(value: Any, axis: int = 0) -> int:
    """Return how many samples a nest of tensors holds: the size of the first one that has some."""
    for item in _tensors(value):
        if isinstance(item, PackedSequence):
            return int(item.batch_sizes[0])
        if item.dim() > axis:
            return item.shape[axis]
    return 1


def few_samples(
    value: Any,
    samples: int,
    limit: int,
    axis: int = 0,
    *,
    batch: int | None = None,
    strict: bool = True,
) -> Any:
    """Copy the first few samples of a nest of tensors.

    Parameters
    ----------
    value
        Tensors, numpy arrays and plain values in tuples, lists, mappings, data classes.
    samples
        So many at most.
    limit
        Bytes; fewer samples are kept where they would take more.
    axis
        The dimension of the samples in the first tensor. Other tensors are cut where they are as
        long as that one along the same dimension, or else along the second, and whole otherwise.
    batch
        How many samples there are, if that is known from elsewhere.
    strict
        Refuse what is neither a tensor nor plain; otherwise None stands for it.

    Returns
    -------
    Any
        As `value`, with tensors that are detached copies on the same device.

    Raises
    ------
    UnkeepableError
        If not even one sample is small enough, or something in it is unknown.
    """
    batch = batch_of(value, axis) if batch is None else batch
    count = max(1, min(samples, batch))
    while True:
        size = sum(_weight(item, batch, count, axis) for item in _tensors(value))
        if size <= limit:
            return _copied(value, batch, count, axis, strict, _DEPTH)
        if count == 1:
            raise UnkeepableError(f"{size:,} B")
        count //= 2


def _weight(item: Tensor | PackedSequence, batch: int, count: int, axis: int) -> int:
    """Return the bytes of what would be kept of it."""
    if isinstance(item, PackedSequence):
        return item.data.nbytes * min(count, batch) // max(1, batch)
    return _cut(item, batch, count, axis).nbytes


def _cut(tensor: Tensor, batch: int, count: int, axis: int) -> Tensor:
    if count >= batch:
        return tensor
    for dim in dict.fromkeys((axis, 0)):
        if tensor.dim() > dim and tensor.shape[dim] == batch:
            return tensor.narrow(dim, 0, count)
    if tensor.dim() > 2 and tensor.shape[1] == batch:  # states of a recurrent layer
        return tensor.narrow(1, 0, count)
    return tensor


def _tensors(value: Any, depth: int = _DEPTH) -> Iterator[Tensor | PackedSequence]:
    if isinstance(value, (Tensor, PackedSequence)):
        yield value
    elif depth > 0:
        inside: Any = ()
        if isinstance(value, Mapping):
            inside = value.values()
        elif isinstance(value, (tuple, list)):
            inside = value
        elif dataclasses.is_dataclass(value):
            inside = list(getattr(value, "__dict__", {}).values())
        for item in inside:
            yield from _tensors(item, depth - 1)


def _copied(value: Any, batch: int, count: int, axis: int, strict: bool, depth: int) -> Any:
    def inner(item: Any) -> Any:
        return _copied(item, batch, count, axis, strict, depth - 1)

    if isinstance(value, PackedSequence):
        return _packed(value, count)
    if isinstance(value, Tensor):
        return _cut(value.detach(), batch, count, axis).clone()
    if isinstance(value, np.ndarray):
        whole = value.ndim == 0 or len(value) != batch
        return (value if whole else value[:count]).copy()
    if isinstance(value, _PLAIN) or depth == 0:
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(inner, value))
    if type(value) in (tuple, list):
        # Labels and lengths beside the tensors, one for each sample.
        beside = len(value) == batch > count and all(isinstance(i, _PLAIN) for i in value)
        return type(value)(map(inner, value[:count] if beside else value))
    if isinstance(value, Mapping):
        copied = {key: inner(item) for key, item in value.items()}
        return copied if type(value) is dict else _like(value, copied)
    if dataclasses.is_dataclass(value) and hasattr(value, "__dict__"):
        twin = copy.copy(value)
        vars(twin).update({name: inner(item) for name, item in vars(value).items()})
        return twin
    if strict:
        raise UnkeepableError(type(value).__name__)
    return None


def _like(value: Any, items: dict[Any, Any]) -> Any:
    try:
        return type(value)(items)
    except Exception:  # a mapping with a constructor of its own; most models read it as a dict
        return items


def _packed(value: PackedSequence, count: int) -> PackedSequence:
    """Keep the first sequences, in the order in which they were given."""
    data = value.data.detach()
    sequences = int(value.batch_sizes[0])
    padded, lengths = pad_packed_sequence(value._replace(data=data), batch_first=True)
    if count >= sequences:
        return value._replace(data=data.clone())
    return pack_padded_sequence(
        padded[:count], lengths[:count], batch_first=True, enforce_sorted=False
    )
