"""What one call of a layer looks like for one sample: which picture suits it, and the numbers.

The picture follows from the module and from the shape of what it returned:

===================  =====================================================
without the batch    drawn as
===================  =====================================================
features             bars, one for each unit
channel × length     thin maps
token × feature      a matrix; of a recurrent layer, over time
channel × h × w      maps, one for each channel (channels last: the same)
channel × d × h × w  maps of one slice
===================  =====================================================

Everything here reads; the tensors may be those of the user's own run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nnwidgets.probe.attention import attention_blocks
from nnwidgets.probe.blocks import Block, note
from nnwidgets.probe.display_shapes import Order, map_blocks, matrix_blocks, unit_blocks
from nnwidgets.probe.hidden import hidden_blocks, state_of
from nnwidgets.probe.look import Call
from nnwidgets.probe.outputs import Part, batch_size, channel_place, main_part, parts, sample_of
from nnwidgets.probe.pooling import Ranking, ranked
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number
from nnwidgets.probe.summary import histogram_block, plain_values, summarise, summary_block
from nnwidgets.probe.tensors import quietly
from nnwidgets.probe.tree import type_name
from nnwidgets.probe.units import Unit, as_unit, batch_axis

__all__ = ["activation_blocks", "value_at"]

Scores = Sequence[float] | NDArray[np.floating] | None
_DRAWN: Final = 4  # dimensions besides the batch


def activation_blocks(
    module: nn.Module,
    call: Call,
    sample_index: int,
    *,
    sort: str = "index",
    unit: Unit | None = None,
    scores: Scores = None,
    output: int | None = None,
    depth: int | None = None,
    before: Sequence[nn.Module] = (),
    step: int | None = None,
) -> list[Block]:
    """Return the picture of one sample of what a module returned, and numbers on it.

    Parameters
    ----------
    module
        What was called.
    call
        One of its calls.
    sample_index
        Position in the batch.
    sort
        Of channels, units or features: see `nnwidgets.probe.pooling.ranked`. The variance is over
        the positions, or over the batch where a unit has just one. Without scores,
        ``"contribution"`` becomes ``"activity"``, and this is said.
    unit
        What to show large: an index into the output without the batch, or just the channel.
    scores
        One number for each channel, for ``sort="contribution"``.
    output
        Which of several tensors (see `nnwidgets.probe.outputs.parts`); None for the main one.
        The first block lists them in ``meta["outputs"]``, the shown one is ``meta["output"]``.
    depth
        Slice of a volume; None for the one of the unit, or the middle one. The maps say which in
        ``meta["depth"]``, of ``meta["depths"]``.
    before
        Layers that ran before, the nearest last: whether three dimensions after an activation
        function are channel × length or token × feature is seen from them.
    step
        Passed on to the histogram.

    Returns
    -------
    list of Block
        The picture, at most `nnwidgets.probe.display_shapes.PICTURE` bytes, then ``"numbers"`` and
        ``"histogram"`` of the sample shown. What cannot be drawn is a ``"note"``.
    """
    found = parts(call.output)
    if not found:
        return [note("probe.display.nothing", type=type_name(module))]
    number_of = main_part(found) if output is None else output
    if not 0 <= number_of < len(found):
        number_of = main_part(found)
    part = found[number_of]
    with quietly():
        try:
            if isinstance(module, nn.RNNBase):
                blocks = hidden_blocks(module, call, part, sample_index, unit, sort, scores)
                values = _plain(state_of(module, part, sample_index))
            else:
                blocks, values = _part_blocks(
                    module, call, part, sample_index, sort, unit, scores, depth, before
                )
            if values.numel():
                summary = summarise(values, step)
                blocks += [summary_block(summary), histogram_block(summary)]
        except Refusal as refusal:
            blocks = [refusal.block("warning")]
    if len(found) > 1:
        blocks[0].meta["outputs"] = [
            {"label": part.label or "0", "shape": part.shape} for part in found
        ]
        blocks[0].meta["output"] = number_of
    return blocks


def value_at(
    module: nn.Module, call: Call, sample_index: int, unit: Unit, *, output: int | None = None
) -> float:
    """Return one number of what a module returned.

    Parameters
    ----------
    module, call, sample_index, output
        As in `activation_blocks`.
    unit
        Index into the output without the batch, whole.

    Raises
    ------
    Refusal
        If there is no such sample or unit, in one sentence.
    """
    found = parts(call.output)
    if not found:
        raise Refusal("probe.unit.none")
    with quietly():
        part = found[main_part(found) if output is None else output]
        sample = _sample(module, part, sample_index)
        place = as_unit(unit)
        shape = "×".join(map(str, sample.shape)) or "1"
        if len(place) != sample.dim():
            raise Refusal("probe.unit.dims", unit=str(unit), shape=shape, count=str(sample.dim()))
        if any(not -n <= i < n for i, n in zip(place, sample.shape, strict=True)):
            raise Refusal("probe.unit.range", unit=str(unit), shape=shape)
        return float(_plain(sample[place]))


def _sample(module: nn.Module, part: Part, sample_index: int) -> Tensor:
    if isinstance(module, nn.RNNBase):
        return state_of(module, part, sample_index)
    return sample_of(module, part.value, sample_index)


def _plain(values: Tensor) -> Tensor:
    try:
        return plain_values(values)
    except ValueError as problem:
        raise Refusal("probe.display.unreadable", problem=str(problem)) from None


def _part_blocks(
    module: nn.Module,
    call: Call,
    part: Part,
    sample_index: int,
    sort: str,
    unit: Unit | None,
    scores: Scores,
    depth: int | None,
    before: Sequence[nn.Module],
) -> tuple[list[Block], Tensor]:
    """Return the picture, and what numbers are told of: nothing where there is no more to say."""
    whole, nothing = part.value, torch.empty(0)
    dense = isinstance(whole, PackedSequence) or whole.layout is torch.strided or whole.is_nested
    if not dense:
        return [note("probe.display.sparse")], nothing
    if isinstance(whole, Tensor) and not whole.numel():
        return [note("probe.display.empty", shape=part.shape)], nothing
    if isinstance(module, nn.MultiheadAttention) and part.label == "1":
        assert isinstance(whole, Tensor)
        batched = call.output[0].dim() == 3
        return _attention_output(whole, batched, sample_index), nothing
    sample = sample_of(module, whole, sample_index)
    told = [note("probe.display.complex")] if sample.is_complex() else []
    if sample_index > 0 and batch_size(whole, module) == 1:
        told.append(note("probe.display.shared"))
    values = _plain(sample)
    if values.dim() == 0:
        return [*told, note("probe.display.scalar", value=number(float(values)))], nothing
    if not values.numel():
        return [note("probe.display.empty", shape="×".join(map(str, values.shape)))], nothing
    if values.dim() > _DRAWN:
        return [*told, note("probe.display.dimensions", count=str(values.dim()))], values
    place = -1
    if isinstance(whole, Tensor) and not whole.is_nested:
        place = channel_place(module, whole, before)
    place = max(place, -values.dim()) + values.dim()
    channels = values.movedim(place, 0)
    observed = channels.flatten(1) if values.dim() > 1 else values.unsqueeze(1)
    if values.dim() == 1 and sort == "variance" and isinstance(whole, Tensor):
        axis = batch_axis(module, whole)
        if axis is not None and not whole.is_nested:
            observed = _plain(whole).movedim(axis, -1)
    if sort == "index" and values.dim() == 2 and place == 1:
        observed = observed[:, :0]  # nothing is written under features: nothing to be computed
    ranking, sort, more = _ranking(observed, sort, scores)
    order = Order(sort, ranking, *_chosen(unit, tuple(values.shape), place))
    if values.dim() == 1:
        blocks = unit_blocks(values, order)
    elif values.dim() == 2 and place == 1:
        blocks = matrix_blocks(values, order)
    elif values.dim() < _DRAWN:
        blocks = map_blocks(channels, order)
    else:
        blocks = _slices(channels, order, depth)
    return [*blocks, *told, *more], values


def _ranking(values: Tensor, sort: str, scores: Scores) -> tuple[Ranking, str, list[Block]]:
    if sort == "contribution" and (scores is None or len(scores) != len(values)):
        return ranked(values, "activity"), "activity", [note("probe.display.no_scores")]
    return ranked(values, sort, scores), sort, []


def _chosen(
    unit: Unit | None, shape: tuple[int, ...], place: int
) -> tuple[int | None, tuple[int, ...]]:
    """Return the channel that a unit is in and its place there; nothing if there is no such unit.

    One index is a channel. Of a volume the depth may be left out.
    """
    if unit is None:
        return None, ()
    indices = as_unit(unit)
    others = (*shape[:place], *shape[place + 1 :])
    rest: tuple[int, ...] = ()
    if len(indices) == 1:
        channel = indices[0]
    elif len(indices) == len(shape):
        channel, rest = indices[place], (*indices[:place], *indices[place + 1 :])
    elif len(indices) == len(shape) - 1 == _DRAWN - 1:
        channel, rest = indices[0], indices[1:]
        others = others[1:]
    else:
        return None, ()
    fits = all(0 <= i < n for i, n in zip(rest, others, strict=False))
    if not 0 <= channel < shape[place] or not fits:
        return None, ()
    return channel, rest


def _slices(channels: Tensor, order: Order, depth: int | None) -> list[Block]:
    depths = channels.shape[1]
    if depth is None:
        depth = order.place[0] if len(order.place) == 3 else depths // 2
    depth = min(max(depth, 0), depths - 1)
    flat = Order(order.sort, order.ranking, order.channel, order.place[-2:])
    blocks = map_blocks(channels[:, depth], flat)
    for block in blocks:
        block.meta.update(depth=depth, depths=depths)
    return blocks


def _attention_output(weights: Tensor, batched: bool, sample_index: int) -> list[Block]:
    """Draw the weights that an attention layer returned: of each head, or their mean."""
    if not batched:
        weights = weights.unsqueeze(0)
    if weights.dim() == 3:
        weights = weights.unsqueeze(1)
    return attention_blocks([weights], sample_index if batched else 0)
