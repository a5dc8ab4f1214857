"""How the terms of a unit are shown: as a list, and for a convolution as a picture."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nnwidgets.probe.blocks import Block, Words, note, picture
from nnwidgets.probe.contributions import Contributions, NoContributions, contributions
from nnwidgets.probe.look import Call
from nnwidgets.probe.packed_rows import PackedRows, packed_contributions, rows_of
from nnwidgets.probe.pooling import SIDE, pooled
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number, whole
from nnwidgets.probe.units import Unit

__all__ = ["contribution_blocks", "terms_block"]

SHOWN: Final = 64
"""Terms that are listed one by one, and channels that are drawn."""
_CONVOLUTIONS: Final = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d
)  # fmt: skip


def contribution_blocks(
    module: nn.Module,
    call: Call,
    sample_index: int,
    unit: Unit,
    *,
    before: tuple[str, nn.Module, Call] | None = None,
    rows: PackedRows | None = None,
) -> list[Block]:
    """Return blocks on what makes up a unit: the terms, a picture of them, their sum in words.

    Parameters
    ----------
    module, call, sample_index, unit
        As in `nnwidgets.probe.contributions.contributions`.
    before
        Name, module and call of the layer that produced this one's input (see
        `nnwidgets.probe.flow.producer`). Where this layer has no weights and changes no shape (an
        activation function, a dropout), that one's unit is shown instead, and this said.
    rows
        Where the rows of the output are those of packed sequences (see
        `nnwidgets.probe.packed_rows`): the unit is (time step, feature) of the sample then.

    Returns
    -------
    list of Block
        ``"terms"``, for a convolution ``"maps"`` (or ``"map"``, ``"matrix"``), and a ``"note"``.
        Where there are no terms, one note that says why.
    """
    try:
        return _blocks(module, _terms(module, call, rows, sample_index, unit))
    except NoContributions as refusal:
        if before is None or refusal.key != "probe.contributions.no_weights":
            return [refusal.block()]
        name, source, produced = before
        try:
            blocks = _blocks(source, _terms(source, produced, rows, sample_index, unit))
        except Refusal:  # another shape, or no terms there either
            return [refusal.block()]
        told = note("probe.contributions.from", type=refusal.params["type"], layer=name)
        return [told, *blocks]
    except Refusal as refusal:
        return [refusal.block("warning")]


def _terms(
    module: nn.Module, call: Call, rows: PackedRows | None, sample_index: int, unit: Unit
) -> Contributions:
    rows = None if rows is None else rows_of(call, rows)
    if rows is None:
        return contributions(module, call, sample_index, unit)
    return packed_contributions(module, call, rows, sample_index, unit)


def _blocks(module: nn.Module, found: Contributions) -> list[Block]:
    blocks = [terms_block(found)]
    if isinstance(module, _CONVOLUTIONS):
        blocks.append(_products(found))
    blocks.append(_sum_in_words(found))
    return blocks


def terms_block(found: Contributions, *, shown: int = SHOWN) -> Block:
    """Return the largest terms of a unit, by size of the product, and what the others sum to.

    Parameters
    ----------
    found
        The terms.
    shown
        How many are listed one by one.
    """
    size = np.nan_to_num(np.abs(found.product), nan=np.inf, posinf=np.inf)
    order = np.argsort(-size, kind="stable")
    listed, others = order[:shown], order[shown:]
    rest = float(found.product[others].sum())
    with np.errstate(over="ignore"):
        arrays: dict[str, Any] = {
            "inputs": found.inputs[listed].astype(np.int32),
            "activation": found.activation[listed].astype(np.float32),
            "weight": found.weight[listed].astype(np.float32),
            "product": found.product[listed].astype(np.float32),
        }
    meta = {
        "total": len(found.product),
        "shown": len(listed),
        "bias": _finite(found.bias),
        "sum": _finite(found.total),
        "output": _finite(found.output),
        "unit": found.words,
        "rest": _finite(rest) if len(others) else None,
    }
    return Block("terms", meta, arrays, ("ui.inspector.contributions.terms", {"unit": found.words}))


def _products(found: Contributions) -> Block:
    """Draw the products under the kernel, one picture for each input channel."""
    channels = found.inputs[:, 0].reshape(len(found.values), -1)[:, 0]
    sums = found.values.reshape(len(channels), -1).sum(axis=1)
    order = np.argsort(-np.nan_to_num(np.abs(sums), nan=np.inf), kind="stable")[:SHOWN]
    title: Words = ("ui.inspector.contributions.products", {"unit": found.words})
    meta: dict[str, Any] = {"count": len(channels), "units": False}  # a click picks nothing
    if found.values.ndim == 2:  # a signal: channels × taps
        order = np.sort(order)
        rows, meta["reduced"] = _fitted(found.values[order], 256)
        meta |= {"rows": "input", "columns": "tap"}
        numbers = {"row_numbers": channels[order].astype(np.int32)}
        return picture("matrix", rows, signed=True, title=title, meta=meta, arrays=numbers)
    values = found.values[order]
    if values.ndim == 4:  # the slices of a volume side by side
        values = values.transpose(0, 2, 1, 3).reshape(len(order), values.shape[2], -1)
        title = ("ui.inspector.contributions.slices", {"unit": found.words})
    values, meta["reduced"] = _fitted(values, SIDE)
    if len(channels) == 1:
        return picture("map", values[0], signed=True, title=title, meta=meta)
    meta |= {"sort": "contribution", "rgb": False, "caption": "sum"}
    units = channels[order].astype(np.int32)
    named = {"units": units, "values": sums[order].astype(np.float32)}
    return picture("maps", values, signed=True, title=title, meta=meta, arrays=named)


def _fitted(values: NDArray[np.float64], side: int) -> tuple[NDArray[np.float64], bool]:
    """Average the last two dimensions of a picture down to a size that can be drawn."""
    small, reduced = pooled(torch.from_numpy(np.ascontiguousarray(values)), side, side)
    return small.numpy(), reduced


def _sum_in_words(found: Contributions) -> Block:
    sum_of_terms = number(float(found.product.sum()))
    params = {"count": whole(len(found.product)), "sum": sum_of_terms, "total": number(found.total)}
    if found.bias is None:
        return note("probe.contributions.sum", **params)
    return note("probe.contributions.sum_bias", bias=number(found.bias), **params)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
