"""What a layer has learned: its weights as pictures, and likewise their gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
from torch import Tensor, nn

from nnwidgets.probe.blocks import Block, Words, note
from nnwidgets.probe.pooling import SIDE
from nnwidgets.probe.sentences import names as listed
from nnwidgets.probe.summary import histogram_block, plain_values, summarise, summary_block
from nnwidgets.probe.tensors import quietly
from nnwidgets.probe.tree import has_lazy
from nnwidgets.probe.units import Unit, as_unit
from nnwidgets.probe.weight_pictures import (
    embedding_blocks,
    filter_blocks,
    filters_of,
    gate_blocks,
    matrix_block,
    plain_block,
    row_block,
    vector_block,
)
from nnwidgets.probe.weight_tensors import holders_inside, own_gradients, own_weights

__all__ = ["weight_blocks"]

Which = Literal["weight", "gradient"]

_CELLS: Final = 120_000  # of all matrices of one picture together
_MOST: Final = 12  # tensors drawn of one module; a ParameterList may hold hundreds
_GATES: Final[dict[str, tuple[str, ...]]] = {"LSTM": ("i", "f", "g", "o"), "GRU": ("r", "z", "n")}
"""Gates in the order of torch's documentation, and by its letters."""
_CELLS_OF: Final = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)


def weight_blocks(
    module: nn.Module,
    which: Which = "weight",
    *,
    unit: Unit | None = None,
    channel: int | None = None,
    sort: str = "index",
    part: int = 0,
    gradients: Mapping[str, Tensor] | None = None,
    step: int | None = None,
) -> list[Block]:
    """Return pictures of the weights that a module itself holds, or of their gradients.

    Parameters
    ----------
    module
        The layer.
    which
        ``"weight"`` or ``"gradient"``.
    unit
        Chosen unit, as an index into the layer's output without the batch: its weights are drawn
        by themselves.
    channel
        Input channel that is drawn of each filter.
    sort
        Of filters: ``"index"``, anything else by their size.
    part
        Of a recurrent layer, which of its layers and directions; of an embedding with more than 256
        entries, which 256. The first block lists them in ``meta["parts"]`` (labels such as
        ``"l0"``, ``"l0_reverse"``, ``"256–511"``), the shown one is ``meta["part"]``.
    gradients
        Gradients by local name of the parameter, in place of those that the parameters hold.
    step
        Passed on to the histogram.

    Returns
    -------
    list of Block
        Pictures, at most `nnwidgets.probe.display_shapes.PICTURE` bytes, then ``"numbers"`` and
        ``"histogram"`` of the (first) weight. A ``"note"`` where there is nothing to be drawn.

    Raises
    ------
    ValueError
        For another `which`.
    """
    if which not in ("weight", "gradient"):
        raise ValueError(f"which must be 'weight' or 'gradient', not {which!r}.")
    with quietly():
        held = own_weights(module) if which == "weight" else own_gradients(module, gradients)
        if not held:
            return [_nothing(module)]
        if which == "gradient" and all(h.value is None for h in held):
            trained = any(h.trained for h in held)
            return [note("probe.weights.no_gradient" if trained else "probe.weights.frozen")]
        try:
            values = {h.name: plain_values(h.value) for h in held if h.value is not None}
        except ValueError as problem:
            return [note("probe.weights.unreadable", "warning", problem=str(problem))]
        blocks = _pictures(module, which, values, _choice(module, unit), channel, sort, part)
        return blocks + _numbers(values, step)


def _nothing(module: nn.Module) -> Block:
    if has_lazy(module):
        return note("probe.weights.lazy")
    inside = holders_inside(module)
    if inside:
        return note("probe.weights.inside", names=listed(inside, 8))
    return note("probe.weights.none")


def _choice(module: nn.Module, unit: Unit | None) -> int | None:
    """Return the number of the output that a unit belongs to: its channel or feature."""
    if unit is None:
        return None
    indices = as_unit(unit)
    last = isinstance(module, (nn.Linear, nn.LayerNorm, nn.Bilinear))
    found = indices[-1] if last else indices[0]
    return found if found >= 0 else None


def _numbers(values: Mapping[str, Tensor], step: int | None) -> list[Block]:
    name, value = next(iter(values.items()))
    if not value.numel():
        return []
    summary = summarise(value, step)
    # The 2-norm follows from mean and spread; of the finite values, as they are.
    count = value.numel() - summary.nan_count - summary.inf_count
    norm = math.hypot(summary.mean, summary.std) * math.sqrt(count)
    title: Words = ("ui.inspector.weights.of", {"name": name})
    more = [("ui.inspector.norm", "number", norm)]
    return [summary_block(summary, title, more), histogram_block(summary, title)]


def _pictures(
    module: nn.Module,
    which: Which,
    values: dict[str, Tensor],
    unit: int | None,
    channel: int | None,
    sort: str,
    part: int,
) -> list[Block]:
    if isinstance(module, (nn.RNNBase, *_CELLS_OF)):
        return _recurrent(module, values, part)
    if isinstance(module, nn.MultiheadAttention):
        return _attention(values)
    weight, bias = values.get("weight"), values.get("bias")
    if weight is None or not weight.numel():
        return _others(values)
    rest = {name: v for name, v in values.items() if name not in ("weight", "bias")}
    if isinstance(module, nn.modules.conv._ConvNd):
        blocks = _convolution(module, weight, bias, which, unit, channel, sort)
    elif isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        blocks = _embedding(weight, which, part)
    elif isinstance(module, nn.Bilinear):
        blocks = [*filter_blocks(weight.unsqueeze(1), bias, unit=unit, colours=False)]
    elif weight.dim() == 2:
        blocks = [matrix_block(weight)]
        if unit is not None and unit < len(weight):
            blocks += row_block(weight, unit)
    elif weight.dim() == 1:
        blocks = vector_block(weight, ("ui.inspector.weights.scale", {}), unit)
    else:
        blocks = plain_block(weight, _named("weight"))
    if bias is not None and bias.numel():
        shift = weight.dim() == 1 or weight.shape == bias.shape
        key = "ui.inspector.weights.shift" if shift else "ui.inspector.weights.bias"
        blocks += vector_block(bias, (key, {}), unit) if bias.dim() < 2 else _others({"bias": bias})
    return blocks + _others(rest, taken=1)


def _named(name: str) -> Words:
    return ("ui.inspector.weights.of", {"name": name})


def _others(values: Mapping[str, Tensor], taken: int = 0) -> list[Block]:
    """Draw parameters under the names they have, the first few."""
    drawn = [(name, value) for name, value in values.items() if value.numel()]
    shown = drawn[: _MOST - taken]
    cells = _CELLS // max(len(shown) + taken, 1)
    blocks: list[Block] = []
    for name, value in shown:
        blocks += plain_block(value, _named(name), cells)
    if len(shown) < len(drawn):
        blocks.append(note("probe.weights.some", shown=str(len(shown)), count=str(len(drawn))))
    return blocks or ([] if taken else [note("probe.weights.empty")])


def _convolution(
    module: Any,
    weight: Tensor,
    bias: Tensor | None,
    which: Which,
    unit: int | None,
    channel: int | None,
    sort: str,
) -> list[Block]:
    filters = filters_of(module, weight)
    if filters[0, 0].numel() == 1:  # one weight for each input and output: a matrix
        table = filters.flatten(1)
        row = row_block(table, unit) if unit is not None and unit < len(table) else []
        return [matrix_block(table), *row]
    blocks = filter_blocks(
        filters, bias, unit=unit, channel=channel, sort=sort, colours=which == "weight"
    )
    if min(filters.shape[2:]) > SIDE // 2:
        blocks.append(note("probe.weights.averaged"))
    return blocks


def _embedding(weight: Tensor, which: Which, part: int) -> list[Block]:
    if which == "weight":
        return embedding_blocks(weight, part)
    # Most entries did not occur in the batch, and have a gradient of zeros.
    touched = weight.ne(0).any(1).nonzero().squeeze(1)
    if not len(touched):
        return [note("probe.weights.untouched")]
    shown = touched[:256]
    block = matrix_block(weight[shown], rows="entry", columns="feature", units=False)
    block.arrays["row_numbers"] = shown.cpu().numpy().astype(np.int32)
    count, total = f"{len(touched):,}", f"{len(weight):,}"
    return [
        block,
        note("probe.weights.touched", shown=f"{len(shown):,}", count=count, total=total),
    ]


def _recurrent(module: Any, values: Mapping[str, Tensor], part: int) -> list[Block]:
    mode = getattr(module, "mode", "") or type(module).__name__.removesuffix("Cell")
    gates = next((g for kind, g in _GATES.items() if kind in mode), ("",))
    suffixes = _suffixes(values)
    at = min(max(part, 0), len(suffixes) - 1)
    suffix = suffixes[at]
    here = {n: values[n + suffix] for n in _RECURRENT if n + suffix in values}
    matrices = [name for name in here if name.startswith("weight")]
    cells = _CELLS // max(len(matrices), 1)
    blocks: list[Block] = []
    for name in matrices:
        columns = "input" if name == "weight_ih" else "state"
        if name == "weight_hr":
            title: Words = ("ui.inspector.weights.projection", {})
            blocks.append(
                matrix_block(here[name], columns=columns, title=title, cells=cells, units=False)
            )
            continue
        if len(gates) == 1:
            title = (_UNGATED[name], {})
            blocks.append(
                matrix_block(here[name], columns=columns, title=title, cells=cells, units=False)
            )
        else:
            blocks += gate_blocks(here[name], gates, _RECURRENT[name], columns, cells)
    for name in here:
        if name.startswith("bias"):
            table = here[name].reshape(len(gates), -1)
            title = (_RECURRENT[name], {})
            block = matrix_block(table, rows="gate", columns="unit", title=title, units=False)
            block.meta["row_labels"] = list(gates)
            blocks.append(block)
    if not blocks:
        return _others(values)
    blocks[0].meta["parts"] = [each.lstrip("_") for each in suffixes]
    blocks[0].meta["part"] = at
    return blocks


_RECURRENT: Final = {
    "weight_ih": "ui.inspector.weights.from_input",
    "weight_hh": "ui.inspector.weights.from_state",
    "weight_hr": "ui.inspector.weights.projection",
    "bias_ih": "ui.inspector.weights.bias_input",
    "bias_hh": "ui.inspector.weights.bias_state",
}

_UNGATED: Final = {
    "weight_ih": "ui.inspector.weights.input",
    "weight_hh": "ui.inspector.weights.state",
}


def _suffixes(values: Mapping[str, Tensor]) -> list[str]:
    """Return what tells layers and directions apart, such as ``"_l0_reverse"``."""
    found = [name.removeprefix("weight_ih") for name in values if name.startswith("weight_ih")]
    return found or [""]


def _attention(values: Mapping[str, Tensor]) -> list[Block]:
    blocks: list[Block] = []
    rest = dict(values)
    letters = ("q", "k", "v")
    joined = rest.pop("in_proj_weight", None)
    apart = [rest.pop(f"{letter}_proj_weight", None) for letter in letters]
    key = "ui.inspector.weights.projects"
    if joined is not None:
        blocks += gate_blocks(joined, letters, key, "input", _CELLS)
    for letter, weight in zip(letters, apart, strict=True):
        if weight is not None:
            title: Words = (key, {"gate": letter})
            blocks.append(matrix_block(weight, title=title, cells=_CELLS // 3, units=False))
    bias = rest.pop("in_proj_bias", None)
    if bias is not None:
        table = bias.reshape(3, -1)
        title = ("ui.inspector.weights.bias", {})
        block = matrix_block(table, rows="gate", columns="unit", title=title, units=False)
        block.meta["row_labels"] = list(letters)
        blocks.append(block)
    return blocks + _others(rest, taken=min(len(blocks), _MOST - 1))
