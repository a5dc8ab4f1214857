"""What a module returned, part by part, and one sample of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.units import batch_axis, channel_axis

__all__ = ["Part", "batch_size", "channel_place", "main_part", "parts", "sample_of"]

_MOST = 64  # parts of one output; a model may return all its layers' states


@dataclass(frozen=True, eq=False)
class Part:
    """One tensor in what a module returned.

    Attributes
    ----------
    label
        Where it is: ``"0"``, ``"1.0"``, ``"logits"``; empty if the module returned just it.
    value
        A tensor, or a packed sequence as a whole.
    """

    label: str
    value: Tensor | PackedSequence

    @property
    def shape(self) -> str:
        """Its shape in words; of a packed sequence, longest length × sequences × features."""
        if isinstance(self.value, Tensor):
            return "×".join(map(str, self.value.shape))
        sizes = self.value.batch_sizes
        rest = self.value.data.shape[1:]
        return "×".join(map(str, (len(sizes), int(sizes[0]), *rest)))


def parts(output: Any) -> list[Part]:
    """Return the tensors in nested tuples, lists, mappings and dataclasses, the first few."""
    found = []
    for part in _walk(output, "", 4):
        found.append(part)
        if len(found) == _MOST:
            break
    return found


def _walk(value: Any, label: str, depth: int) -> Iterator[Part]:
    if isinstance(value, (Tensor, PackedSequence)):
        yield Part(label, value)
        return
    items: Any = ()
    if depth == 0:
        return
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        items = zip(value._fields, value, strict=True)
    elif isinstance(value, (tuple, list)):
        items = enumerate(value)
    elif hasattr(type(value), "__dataclass_fields__") and hasattr(value, "__dict__"):
        items = vars(value).items()
    for key, item in items:
        yield from _walk(item, f"{label}.{key}" if label else str(key), depth - 1)


def main_part(found: Sequence[Part]) -> int:
    """Return which part is shown unless another is asked for: the first that has several numbers.

    That passes over the loss that some models return before their outputs.
    """
    for number, part in enumerate(found):
        if isinstance(part.value, PackedSequence):
            return number
        floating = part.value.dtype.is_floating_point or part.value.dtype.is_complex
        if floating and part.value.dim():
            return number
    return 0


def batch_size(output: Any, module: nn.Module | None = None) -> int:
    """Return how many samples an output holds; 1 where there is no batch (or no tensor).

    Parameters
    ----------
    output
        What a module returned.
    module
        What returned it: tells which dimension counts the samples. Without it, the first.
    """
    found = parts(output)
    if not found:
        return 1
    value = found[main_part(found)].value
    if isinstance(value, PackedSequence):
        return int(value.batch_sizes[0])
    if value.is_nested:
        return value.size(0)
    axis = batch_axis(module or nn.Identity(), value)
    return 1 if axis is None else value.shape[axis]


def channel_place(module: nn.Module, tensor: Tensor, before: Sequence[nn.Module] = ()) -> int:
    """Return which dimension of an output counts the channels, from the end.

    As `nnwidgets.probe.units.channel_axis`; where a container does not say, the last layer in it
    does.
    """
    inside = [inner for inner in module.modules() if inner is not module]
    return channel_axis(module, tensor, [*before, *inside])


def sample_of(module: nn.Module, value: Tensor | PackedSequence, index: int) -> Tensor:
    """Return what belongs to one sample, without the batch dimension.

    Parameters
    ----------
    module
        What returned `value`.
    value
        One part of the output. Of a packed or nested one, the sample in its own length.
    index
        Position in the batch; not looked at where there is no batch. What was computed once for
        all samples (position embeddings, for instance) is the same for each of them.

    Raises
    ------
    Refusal
        If there is no such sample.
    """
    if isinstance(value, PackedSequence):
        sizes = value.batch_sizes.cpu()
        index = _place(index, int(sizes[0]))
        place = index if value.unsorted_indices is None else int(value.unsorted_indices[index])
        # In a packed sequence all first steps stand before all second ones, the longest first.
        length = int((sizes > place).sum())
        starts = torch.cumsum(sizes, 0) - sizes
        return value.data[(starts[:length] + place).to(value.data.device)]
    if value.is_nested:
        return value.unbind()[_place(index, value.size(0))]
    axis = batch_axis(module, value)
    if axis is None:
        return value
    return value.select(axis, _place(index, value.shape[axis]))


def _place(index: int, count: int) -> int:
    if count == 1 and index > 0:
        return 0
    if not 0 <= index < count:
        raise Refusal("probe.unit.sample", index=str(index), count=str(count))
    return index
