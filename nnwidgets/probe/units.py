"""Where one unit of a layer stands in what the layer returned.

A unit indexes the output without the batch: an int for vectors, ``(channel, row, column)`` for
maps, ``(token, feature)`` for sequences. A *channel* is all the units that share their weights: a
feature map, or a feature at every token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.time_first import learned_axis, says_batch_first

__all__ = [
    "Unit",
    "UnitError",
    "as_unit",
    "batch_axis",
    "channel_axis",
    "locate",
    "main_tensor",
    "samples_first",
    "strongest",
    "unit_values",
    "unit_words",
    "without_sample",
]

Unit = int | tuple[int, ...]

_SPATIAL: Final[tuple[tuple[str, int], ...]] = (("1d", 1), ("2d", 2), ("3d", 3))
_LAST: Final = (nn.Linear, nn.Bilinear, nn.LayerNorm, nn.Embedding, nn.EmbeddingBag, nn.RNNBase)


class UnitError(Refusal):
    """A unit or a sample that the layer's output does not have."""


def as_unit(unit: Any) -> tuple[int, ...]:
    """Return the indices of a unit, given as a whole number or as several.

    Raises
    ------
    UnitError
        For anything else.
    """
    items = unit if isinstance(unit, (tuple, list, np.ndarray)) else (unit,)
    result = []
    for item in items:
        if isinstance(item, (bool, np.bool_)) or not isinstance(item, (int, np.integer)):
            raise UnitError("probe.unit.kind", unit=repr(unit))
        result.append(int(item))
    return tuple(result)


def unit_words(unit: Sequence[int]) -> str:
    """Write a unit: ``7`` or ``(3, 5, 7)``."""
    return str(unit[0]) if len(unit) == 1 else f"({', '.join(map(str, unit))})"


def main_tensor(output: Any) -> Tensor:
    """Return the first tensor of numbers in what a module returned.

    Raises
    ------
    UnitError
        If there is none.
    """
    for tensor in tensors_in(output):
        real = tensor.dtype.is_floating_point or tensor.dtype.is_complex
        if real and not tensor.is_nested:  # a nested tensor has no shape to index
            return tensor
    raise UnitError("probe.unit.none")


def spatial_dims(module: nn.Module) -> int | None:
    """Return 1, 2 or 3 for torch's own modules on signals, images and volumes, else None."""
    for kind in type(module).__mro__:
        # A batch norm may be of vectors as well, and is never without a batch.
        if issubclass(kind, nn.modules.batchnorm._BatchNorm):
            return None
        if kind.__module__.startswith("torch.nn."):
            for ending, count in _SPATIAL:
                if kind.__name__.endswith(ending):
                    return count
    return None


def batch_axis(module: nn.Module, output: Tensor) -> int | None:
    """Return which dimension of a module's output counts the samples; None without a batch."""
    spatial = spatial_dims(module)
    if spatial is not None:
        return 0 if output.dim() == spatial + 2 else None
    first = says_batch_first(module)
    if first is not None:
        if output.dim() < 3:
            return None
        return 0 if first else 1
    learned = learned_axis(module, output.dim())
    if learned is not None:
        return learned
    return 0 if output.dim() > 1 else None


def samples_first(model: nn.Module, output: Tensor) -> Tensor:
    """Return a view of what a model returned in which the first dimension counts the samples."""
    axis = batch_axis(model, output) if output.dim() > 1 else None
    return output if not axis else output.movedim(axis, 0)


def without_sample(module: nn.Module, output: Tensor, index: Sequence[int]) -> tuple[int, ...]:
    """Return an index into a module's output, or into its input, less that of the sample."""
    axis = batch_axis(module, output)
    return tuple(i for place, i in enumerate(index) if place != axis)


def locate(
    module: nn.Module, output: Tensor, sample_index: int, unit: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Find a unit in a module's output.

    Parameters
    ----------
    module
        Tells where the batch is.
    output
        What it returned (its main tensor).
    sample_index
        Position in the batch; not looked at where there is no batch, or one row for all samples.
    unit
        See the module; negative indices count from the end.

    Returns
    -------
    tuple
        The index into `output`, and the unit with no negative indices.

    Raises
    ------
    UnitError
        If there is no such sample or unit.
    """
    indices = as_unit(unit)
    axis = batch_axis(module, output)
    shape = tuple(output.shape)
    inner = shape if axis is None else (*shape[:axis], *shape[axis + 1 :])
    words = "×".join(map(str, inner)) or "1"
    if len(indices) != len(inner):
        raise UnitError(
            "probe.unit.dims", unit=unit_words(indices) if indices else "()", shape=words,
            count=str(len(inner)),
        )  # fmt: skip
    whole = tuple(i + n if i < 0 else i for i, n in zip(indices, inner, strict=True))
    if any(not 0 <= i < n for i, n in zip(whole, inner, strict=True)):
        raise UnitError("probe.unit.range", unit=unit_words(indices), shape=words)
    if axis is None:
        return whole, whole
    if shape[axis] == 1 and sample_index > 0:
        sample_index = 0  # one row for all samples: an embedding of positions, say
    if not 0 <= sample_index < shape[axis]:
        raise UnitError("probe.unit.sample", index=str(sample_index), count=str(shape[axis]))
    return (*whole[:axis], sample_index, *whole[axis:]), whole


def channel_axis(module: nn.Module, output: Tensor, before: Sequence[nn.Module] = ()) -> int:
    """Return which dimension of a module's output counts its channels, counted from the end.

    Parameters
    ----------
    module
        What returned `output`.
    output
        Its main tensor.
    before
        Modules before it, the nearest last: they tell where three dimensions after an activation
        function are (sample, channel, time) and where (sample, token, feature).
    """
    own = _own_axis(module, output)
    if own is not None:
        return own
    if output.dim() == 3:
        for earlier in reversed(before):
            axis = _own_axis(earlier, output)
            if axis is not None and _width(earlier) in (None, output.shape[axis]):
                return axis
    return -1 if output.dim() <= 3 else 1 - output.dim()


def _own_axis(module: nn.Module, output: Tensor) -> int | None:
    if isinstance(module, (*_LAST, nn.MultiheadAttention)):
        return -1
    dims = output.dim()
    if isinstance(module, (nn.modules.batchnorm._NormBase, nn.GroupNorm)):
        return None if dims < 2 else 1 - dims
    spatial = spatial_dims(module)
    if spatial is not None and dims > spatial:
        return -1 - spatial
    return None


def _width(module: nn.Module) -> int | None:
    for name in ("out_features", "out_channels", "embedding_dim", "embed_dim", "num_features"):
        width = getattr(module, name, None)
        if isinstance(width, int):
            return width
    return None


def strongest(
    module: nn.Module, output: Tensor, sample_index: int, channel: int, axis: int
) -> tuple[int, ...]:
    """Return the unit of a channel that is largest in one sample.

    Parameters
    ----------
    module, output, sample_index
        As in `locate`.
    channel
        Number of the channel.
    axis
        See `channel_axis`.

    Raises
    ------
    UnitError
        If there is no such sample or channel.
    """
    batch = batch_axis(module, output)
    inner = [n for i, n in enumerate(output.shape) if i != batch]
    place = axis + output.dim()
    place -= batch is not None and batch < place
    first = [0] * len(inner)
    if not inner:
        raise UnitError("probe.unit.none")
    first[place] = channel
    index, whole = locate(module, output, sample_index, tuple(first))
    sample = output.detach() if batch is None else output.detach().select(batch, index[batch])
    values = sample.select(place, whole[place])
    real = values.real if values.is_complex() else values
    flat = torch.nan_to_num(real.double(), nan=-np.inf)
    best = [int(i) for i in np.unravel_index(int(flat.argmax()), tuple(flat.shape) or (1,))]
    if len(inner) == 1:
        best = []
    return (*best[:place], whole[place], *best[place:])


def unit_values(
    module: nn.Module,
    output: Tensor,
    unit: Any,
    *,
    before: Sequence[nn.Module] = (),
    largest: bool = False,
) -> Tensor:
    """Return how active a unit or a channel is in each sample.

    Parameters
    ----------
    module, output
        As in `locate`.
    unit
        A whole unit; or an int where that takes several indices: a channel.
    before
        See `channel_axis`.
    largest
        Of a channel, take the largest unit; by default their mean.

    Returns
    -------
    Tensor
        Shape (samples,).

    Raises
    ------
    UnitError
        If there is no such unit or channel.
    """
    indices = as_unit(unit)
    batch = batch_axis(module, output)
    samples = output.unsqueeze(0) if batch is None else output.movedim(batch, 0)
    inner = samples.dim() - 1
    if len(indices) != 1 or inner <= 1:
        index, _ = locate(module, output, 0, unit)
        place: Any = index if batch is None else (*index[:batch], *index[batch + 1 :])
        return samples.movedim(0, -1)[place]
    axis = channel_axis(module, output, before)
    count = samples.shape[axis]
    if not -count <= indices[0] < count:
        raise UnitError("probe.unit.channel", unit=str(indices[0]), count=str(count))
    places = samples.select(axis, indices[0]).flatten(1)
    return places.amax(1) if largest else places.mean(1)


def packed(output: Any) -> bool:
    """Whether a module returned a packed sequence, in which samples stand interleaved."""
    return any(
        isinstance(part, PackedSequence)
        for part in (output if type(output) is tuple else (output,))
    )
