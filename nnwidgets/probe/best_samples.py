"""The samples of a set that drive a unit most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_packed_sequence

from nnwidgets.probe.blocks import Block, note
from nnwidgets.probe.look import Arguments, Call, call_arguments
from nnwidgets.probe.natural import natural, spread
from nnwidgets.probe.nests import replaced
from nnwidgets.probe.packed_rows import packed_layers, rows_of
from nnwidgets.probe.pooling import SIDE, pooled
from nnwidgets.probe.reach import canonical, earlier_modules, reach, submodule
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import whole
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.time_first import input_axes
from nnwidgets.probe.units import (
    Unit,
    UnitError,
    as_unit,
    main_tensor,
    packed,
    unit_values,
)

__all__ = ["BestSamples", "best_samples", "samples_block", "thumbnails"]


@dataclass(frozen=True, eq=False)
class BestSamples:
    """What `best_samples` found.

    Attributes
    ----------
    indices
        Of the samples, int64, the strongest first.
    values
        The unit's value for each, float64; of a channel, its largest unit's.
    seen, total
        How many samples were run, and how many there are (fewer were run if it was cancelled).
    not_finite
        For how many of those seen the value was NaN or infinite; they are left out.
    """

    indices: NDArray[np.int64]
    values: NDArray[np.float64]
    seen: int
    total: int
    not_finite: int


def best_samples(
    model: nn.Module,
    inputs: Any,
    layer: str,
    unit: Unit,
    *,
    count: int = 12,
    batch: int = 64,
    call: int = 0,
    progress: Callable[[float], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> BestSamples:
    """Return the samples of a set for which a unit is largest.

    Parameters
    ----------
    model
        A private copy, in evaluation mode; run only as far as the layer.
    inputs
        Like a sample (see `nnwidgets.probe.look.call_arguments`), of many samples: every tensor
        with as many entries as the first one is cut into batches, the others are passed whole.
    layer
        Name of the layer.
    unit
        Index into the layer's output without the batch; an int where that takes several: a channel,
        ordered by its largest unit.
    count
        How many to return at most.
    batch
        Samples a forward pass.
    call
        Which of the layer's calls.
    progress
        Told the fraction that is done, after each batch.
    cancelled
        Asked before each batch; if true, what was found so far is returned.

    Raises
    ------
    Refusal
        If there is no such layer or unit, there are no samples, or the model raises.
    """
    module = submodule(model, layer)
    before = earlier_modules(model, layer)
    args, kwargs = call_arguments(inputs)
    tensors = list(tensors_in((args, kwargs)))
    found_axes = input_axes(model, tensors)
    axes = {id(t): a for t, a in zip(tensors, found_axes, strict=True) if a is not None}
    first = axes.get(id(tensors[0])) if tensors else None
    total = 0 if first is None else tensors[0].size(first)
    sequences = next((v for v in (*args, *kwargs.values()) if packed(v)), None)
    if sequences is not None:  # which cannot be cut: all of them at once
        axes, total = {}, int(sequences.batch_sizes[0])
        batch = total
    elif tensors and tensors[0].is_nested:
        axes, total = {}, tensors[0].size(0)
        batch = total
    if not total:
        raise Refusal("probe.samples.none")
    cut = [t for t in tensors if id(t) in axes and t.size(axes[id(t)]) == total]
    found: list[NDArray[np.float64]] = []
    seen = 0
    while seen < total and not (cancelled is not None and cancelled()):
        size = min(batch, total - seen)
        part = replaced((args, kwargs), {id(t): _cut(t, axes[id(t)], seen, size) for t in cut})
        output = reach(model, Arguments(*part), layer, call=call)
        if packed(output):
            values = _of_packed(output, unit)
        else:
            values = unit_values(module, main_tensor(output), unit, before=before, largest=True)
        if values.numel() != size:
            # The rows may be the steps of packed sequences.
            rows = packed_layers(model, Arguments(*part)).get(canonical(model, layer))
            call_made = Call((), {}, output)
            if rows is not None and rows_of(call_made, rows) is not None and rows.count == size:
                values = _of_packed(rows.packed(output), unit)
        if values.numel() != size:
            raise Refusal("probe.samples.folded", given=whole(size), got=whole(values.numel()))
        found.append(values.detach().to("cpu", torch.float64).numpy())
        seen += size
        if progress is not None:
            progress(seen / total)
    values_seen = np.concatenate(found) if found else np.zeros(0)
    finite = np.isfinite(values_seen)
    ranked = np.where(finite, values_seen, -np.inf)
    order = np.argsort(-ranked, kind="stable")[: min(count, int(finite.sum()))]
    bad = int((~finite).sum())
    return BestSamples(order.astype(np.int64), values_seen[order], seen, total, bad)


def _cut(tensor: Tensor, axis: int, first: int, count: int) -> Tensor:
    if tensor.layout is torch.strided:
        return tensor.narrow(axis, first, count)
    return tensor.index_select(axis, torch.arange(first, first + count, device=tensor.device))


def _of_packed(output: Any, unit: Unit) -> Tensor:
    """Return a feature's largest value in each sequence, over its own length.

    Raises
    ------
    Refusal
        For a single unit, a feature at one time, which shorter sequences do not have.
    """
    indices = as_unit(unit)
    if len(indices) != 1:
        raise Refusal("probe.samples.packed")
    sequences = next(t for t in (output if type(output) is tuple else (output,)) if packed(t))
    padded, _ = pad_packed_sequence(sequences, batch_first=True, padding_value=-torch.inf)
    count = padded.shape[-1]
    if not -count <= indices[0] < count:
        raise UnitError("probe.unit.channel", unit=str(indices[0]), count=str(count))
    return padded[..., indices[0]].flatten(1).amax(1)


def samples_block(found: BestSamples, inputs: Any) -> list[Block]:
    """Return the samples with thumbnails where they are pictures, and in words how many were run.

    Parameters
    ----------
    found
        What was found.
    inputs
        The same set.
    """
    arrays: dict[str, NDArray[Any]] = {"values": found.values.astype(np.float32)}
    thumbs = thumbnails(inputs, found.indices)
    if thumbs is not None:
        arrays["thumbs"] = thumbs
    meta = {"indices": found.indices.tolist()}
    blocks = [Block("samples", meta, arrays, ("ui.inspector.feature.samples", {}))]
    key = "probe.samples.seen" if found.seen == found.total else "probe.samples.cancelled"
    seen, total = whole(found.seen), whole(found.total)
    blocks.append(note(key, seen=seen, total=total, count=total))
    if found.not_finite:
        blocks.append(note("probe.samples.not_finite", "warning", count=whole(found.not_finite)))
    return blocks


def thumbnails(inputs: Any, indices: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """Return small pictures of some samples, None if the first input is no pictures.

    Parameters
    ----------
    inputs
        Samples; pictures are a real tensor of shape (samples, 1 or 3, height, width).
    indices
        Which of them.

    Returns
    -------
    ndarray or None
        uint8, shape (n, height, width) or (n, height, width, 3), at most 64 cells a side; from
        black at the smallest value in these samples to white at the largest.
    """
    first = next(tensors_in(call_arguments(inputs)), None)
    if first is None or first.dim() != 4 or first.shape[1] not in (1, 3) or first.is_complex():
        return None
    chosen: Tensor = first.detach()[torch.as_tensor(indices, device=first.device)].float()
    if not chosen.numel():
        return None
    small, _ = pooled(chosen, SIDE, SIDE)
    low, high = spread(small)
    return natural(small, low, high)
