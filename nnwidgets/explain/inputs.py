"""What a model is called with, taken apart: what is attributed, and what only goes along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.look import Arguments, call_arguments
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tensors import tensors_in

__all__ = ["Arranged", "Entry", "Slot", "arrange", "batch_count", "one_of", "rows_of"]

# Inputs that say which places count, or where they are, and are no evidence themselves. Hugging
# Face's names, which other libraries use too.
_ASIDE: Final = ("mask", "position_ids", "token_type_ids", "segment_ids", "lengths", "labels")


@dataclass(frozen=True, eq=False)
class Slot:
    """One input that is attributed.

    Attributes
    ----------
    name
        Its keyword, or its position.
    kind
        ``"image"``: channels and two axes of space, or the two axes alone. ``"table"``: a row of
        features. ``"tokens"``: ids that go through an embedding. ``"signal"``: channels and one
        axis that a convolution slides along (or that axis alone). ``"sequence"``: steps, each
        with features (or one number). ``"other"``.
    shape
        Of one sample as the user gave it: of tokens, that of the ids.
    token_ids
        Of tokens: the ids, of one sample or of all.
    integer
        Whether the user gave integers.
    channel_axis
        Of an image: which axis of the sample counts the channels, 0 or −1; None: there is none.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    token_ids: NDArray[np.int64] | None = None
    integer: bool = False
    channel_axis: int | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """One argument of the model.

    Attributes
    ----------
    key
        Position or keyword.
    value
        For all samples.
    role
        ``"input"``: floating numbers that are attributed. ``"ids"``: integers, one row a sample,
        that may go through an embedding. ``"aside"``: one row a sample, not attributed.
        ``"constant"``: the same for all samples.
    """

    key: int | str
    value: Any
    role: str

    @property
    def name(self) -> str:
        """The key as a text."""
        return str(self.key)


@dataclass(frozen=True, eq=False)
class Arranged:
    """The arguments of a model.

    Attributes
    ----------
    entries
        In the order of the call.
    count
        Samples.
    form
        ``"one"``, ``"tuple"`` or ``"dict"``: how the user gave them, and gets answers.
    """

    entries: tuple[Entry, ...]
    count: int
    form: str

    def with_role(self, role: str) -> tuple[Entry, ...]:
        """Return the arguments of one role."""
        return tuple(entry for entry in self.entries if entry.role == role)


def arrange(sample: Any) -> Arranged:
    """Take a sample apart.

    Parameters
    ----------
    sample
        A tensor, a tuple (positional inputs), a mapping (keyword inputs) or
        `nnwidgets.probe.look.Arguments`. Tensors are not copied here; rows of them are, when
        they are asked about.

    Raises
    ------
    Refusal
        If there is no sample in it, or nothing that could be attributed.
    TypeError
        If it holds no tensor at all.
    """
    args, kwargs = call_arguments(sample)
    items: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    items = [(key, _kept(value)) for key, value in items]
    tensors = [tensor for _, value in items for tensor in tensors_in(value)]
    if not tensors:
        raise TypeError(
            "inputs must be a tensor with one row a sample, a tuple of such tensors or a dict of "
            f"them by keyword, not {type(sample).__name__}"
        )
    count = batch_count(tensors)
    if count == 0:
        raise Refusal("explain.empty_batch")
    entries = tuple(Entry(key, value, _role(key, value, count)) for key, value in items)
    if not any(entry.role in ("input", "ids") for entry in entries):
        raise Refusal("explain.nothing_to_attribute")
    one = not isinstance(sample, (tuple, Mapping, Arguments))
    form = "one" if one else "dict" if isinstance(sample, Mapping) else "tuple"
    return Arranged(entries, count, form)


def batch_count(tensors: Sequence[Tensor]) -> int:
    """Return how many samples tensors hold: the first dimension that most of them share."""
    sizes = [tensor.shape[0] for tensor in tensors if tensor.dim() > 1]
    sizes = sizes or [tensor.shape[0] for tensor in tensors if tensor.dim()]
    return max(dict.fromkeys(sizes), key=sizes.count) if sizes else 1


def _kept(value: Any) -> Any:
    if isinstance(value, Tensor):
        if value.is_nested or value.layout is not torch.strided:
            raise Refusal("explain.input_layout")
        return value.detach()
    if type(value) in (tuple, list):
        return type(value)(_kept(item) for item in value)
    return value


def _role(key: int | str, value: Any, count: int) -> str:
    if not isinstance(value, Tensor):
        return "constant" if not _holds_rows(value, count) else "aside"
    if value.dim() == 0 or value.shape[0] != count:
        return "constant"
    if isinstance(key, str) and any(key.endswith(word) for word in _ASIDE):
        return "aside"
    if value.dtype.is_floating_point:
        return "input"
    return "aside" if value.dtype is torch.bool or value.dtype.is_complex else "ids"


def _holds_rows(value: Any, count: int) -> bool:
    # Rows inside nested arguments (a list of states) cannot be told from constants of one sample.
    return count > 1 and any(t.dim() and t.shape[0] == count for t in tensors_in(value))


def rows_of(
    value: Any, indices: Sequence[int], count: int, device: torch.device | None = None
) -> Any:
    """Return copies of some samples' share of an argument; what belongs to all stays as it is.

    Parameters
    ----------
    value
        A tensor, or tensors in tuples and lists.
    indices
        Which samples.
    count
        How many there are.
    device
        Where the model is; None: where they are. Lengths of sequences stay where they are, as
        packing wants them on the CPU.
    """
    if isinstance(value, Tensor):
        if any_without_data([value]) and (device is None or device.type != "meta"):
            raise Refusal("explain.meta_data")
        if value.dim() == 0 or value.shape[0] != count:
            return value if device is None else value.to(device)
        chosen = torch.as_tensor(list(indices), dtype=torch.long, device=value.device)
        rows = value.index_select(0, chosen)
        lengths = rows.dim() == 1 and not rows.dtype.is_floating_point
        return rows if device is None or lengths else rows.to(device)
    if type(value) in (tuple, list):
        return type(value)(rows_of(item, indices, count, device) for item in value)
    return value


def one_of(index: int, count: int) -> int:
    """Return a checked position among `count` samples; negative ones count from the end.

    Raises
    ------
    Refusal
        If there is no such sample.
    """
    if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
        raise TypeError(f"index must be an integer, not {type(index).__name__}")
    if not -count <= index < count:
        raise Refusal("explain.index_range", index=str(index), last=str(count - 1))
    return int(index) % count
