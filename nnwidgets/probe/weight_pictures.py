"""Pictures of weights: filters, matrices, similarities, gates. Signed, each on a stated scale."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.probe.blocks import Block, Words, bars, note, picture
from nnwidgets.probe.display_shapes import BARS, MATRIX, finite_ends, matrix_blocks
from nnwidgets.probe.pooling import MAPS, SIDE, pooled

__all__ = [
    "TRANSPOSED",
    "embedding_blocks",
    "filter_blocks",
    "filters_of",
    "gate_blocks",
    "matrix_block",
    "plain_block",
    "row_block",
    "scale_of",
    "vector_block",
]

TRANSPOSED: Final = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_COLOURS: Final = 3


def scale_of(values: Tensor) -> tuple[float, float]:
    """Return ends around zero that hold all finite values."""
    low, high = finite_ends(values)
    high = max(-low, high)
    return -high, high


def matrix_block(
    values: Tensor,
    *,
    rows: str = "output",
    columns: str = "input",
    ends: tuple[float, float] | None = None,
    title: Words | None = None,
    cells: int = MATRIX * MATRIX,
    first: int = 0,
    units: bool = True,
) -> Block:
    """Draw a matrix as a heat map around zero, averaged down where it is large.

    Parameters
    ----------
    values
        Rows × columns.
    rows, columns, ends, title, cells, first
        See `nnwidgets.probe.display_shapes.matrix_blocks`.
    units
        Whether rows are units of the layer, to be chosen by a click.
    """
    block = matrix_blocks(
        values, None, rows=rows, columns=columns, ends=ends or scale_of(values), title=title,
        cells=cells, first=first,
    )[0]  # fmt: skip
    if not units:
        block.meta["units"] = False
    return block


def vector_block(
    values: Tensor, title: Words, unit: int | None = None, *, units: bool = True
) -> list[Block]:
    """Draw a vector as bars: biases, scales, shifts."""
    numbers = values.reshape(-1).cpu().numpy()
    meta: dict[str, Any] = {"count": len(numbers)}
    if unit is not None and unit < len(numbers):
        meta["unit"] = unit
    if not units:
        meta["units"] = False
    blocks = [bars(numbers[:BARS], title=title, meta=meta)]
    if len(numbers) > BARS:
        shown, count = f"{BARS:,}", f"{len(numbers):,}"
        blocks.append(note("probe.weights.some", shown=shown, count=count))
    return blocks


def row_block(values: Tensor, unit: int) -> list[Block]:
    """Draw the weights of one unit, exactly."""
    title: Words = ("ui.inspector.weights.into", {"unit": str(unit)})
    return vector_block(values[unit], title, units=False)


def plain_block(values: Tensor, title: Words, cells: int = MATRIX * MATRIX) -> list[Block]:
    """Draw a parameter of which nothing more is known, by its shape."""
    if values.dim() < 2:
        return vector_block(values, title, units=False)
    table = values.flatten(1)
    return [matrix_block(table, rows="row", columns="column", title=title, cells=cells)]


# --- convolutions --------------------------------------------------------------------------------


def filters_of(module: Any, weight: Tensor) -> Tensor:
    """Return the weight of any convolution as (outputs, inputs of each, *kernel)."""
    if not isinstance(module, TRANSPOSED):
        return weight
    # (inputs, outputs / groups, *kernel): output g · n + j is column j of the g-th rows.
    split = weight.reshape(module.groups, -1, *weight.shape[1:])
    return split.transpose(1, 2).flatten(0, 1)


def filter_blocks(
    filters: Tensor,
    bias: Tensor | None,
    *,
    unit: int | None = None,
    channel: int | None = None,
    sort: str = "index",
    colours: bool = True,
) -> list[Block]:
    """Draw filters as images.

    Parameters
    ----------
    filters
        (outputs, inputs, *kernel), see `filters_of`.
    bias
        (outputs,): written under each filter; its norm where there is none.
    unit
        A filter whose kernels are all drawn besides.
    channel
        Input channel that is drawn of each filter, by default the first. ``meta["input"]``, of
        ``meta["inputs"]``.
    sort
        ``"index"``, or by the size of the filters (2-norm), largest first.
    colours
        Draw three input channels as red, green and blue.
    """
    count, inputs, *kernel = filters.shape
    ends = scale_of(filters)
    norms = torch.linalg.vector_norm(filters.flatten(1), dim=1)
    order = np.arange(count)
    if sort != "index":
        sizes = np.nan_to_num(norms.cpu().numpy(), nan=np.inf)
        order = np.argsort(-sizes, kind="stable")
    shown = order[:MAPS]
    values = (norms if bias is None else bias).cpu().numpy()[shown].astype(np.float32)
    meta: dict[str, Any] = {
        "count": count,
        "sort": "index" if sort == "index" else "norm",
        "caption": "norm" if bias is None else "bias",
        "rgb": False,
    }
    if unit is not None and unit < count:
        meta["unit"] = unit
    arrays = {"units": shown.astype(np.int32), "values": values}
    if len(kernel) == 2 and inputs == _COLOURS and colours:
        blocks = [_coloured(filters[shown.tolist()], ends, meta, arrays)]
    else:
        images, more = _images(filters[shown.tolist()], channel)
        blocks = [_drawn(images, ends, meta | more, arrays)]
    if "unit" in meta and len(kernel) > 1 and inputs > 1:
        blocks.append(_kernels(filters[meta["unit"]], ends, meta["unit"]))
    return blocks


def _images(filters: Tensor, channel: int | None) -> tuple[Tensor, dict[str, Any]]:
    """Return one picture a filter; of a filter on signals, inputs × kernel."""
    inputs, *kernel = filters.shape[1:]
    if len(kernel) == 1:
        return filters, {}
    at = min(max(channel or 0, 0), inputs - 1)
    return _flat(filters[:, at]), {"input": at, "inputs": inputs}


def _flat(kernels: Tensor) -> Tensor:
    """Lay the slices of kernels on volumes side by side: (n, depth, h, w) to (n, h, depth · w)."""
    return kernels if kernels.dim() == 3 else kernels.transpose(1, 2).flatten(2)


def _drawn(
    images: Tensor, ends: tuple[float, float], meta: dict[str, Any], arrays: dict[str, Any]
) -> Block:
    small, reduced = pooled(images, SIDE // 2, SIDE // 2)
    return picture(
        "maps", small.cpu().numpy(), signed=True, ends=ends, arrays=arrays,
        meta=meta | {"reduced": reduced},
    )  # fmt: skip


def _coloured(
    filters: Tensor, ends: tuple[float, float], meta: dict[str, Any], arrays: dict[str, Any]
) -> Block:
    """Mid grey is zero; black and full colour are the two ends of the scale of all filters."""
    small, reduced = pooled(filters, 16, 16)
    half = ends[1] or 1.0
    pixels = (0.5 + small / half / 2).movedim(1, -1).cpu().numpy().astype(np.float32)
    meta = meta | {
        "low": 0.0,
        "high": 1.0,
        "signed": False,
        "rgb": True,
        "reduced": reduced,
        "ends": list(ends),
    }
    return Block("maps", meta, {"pixels": pixels, **arrays})


def _kernels(kernels: Tensor, ends: tuple[float, float], unit: int) -> Block:
    """Draw what one filter does to each of its input channels, the largest if there are many."""
    norms = torch.linalg.vector_norm(kernels.flatten(1), dim=1).cpu().numpy()
    sizes = np.nan_to_num(norms, nan=np.inf)
    shown = np.sort(np.argsort(-sizes, kind="stable")[:MAPS])
    meta = {
        "count": len(kernels),
        "sort": "index",
        "caption": "norm",
        "rgb": False,
        "units": False,
    }
    arrays = {"units": shown.astype(np.int32), "values": norms[shown].astype(np.float32)}
    block = _drawn(_flat(kernels[shown.tolist()]), ends, meta, arrays)
    return Block(
        block.kind, block.meta, block.arrays, ("ui.inspector.weights.kernels", {"unit": str(unit)})
    )


# --- embeddings ----------------------------------------------------------------------------------


def embedding_blocks(weight: Tensor, part: int = 0) -> list[Block]:
    """Draw how alike the rows of an embedding are: the cosine of each two of them.

    Parameters
    ----------
    weight
        Entries × features.
    part
        Of more than 256 entries, which 256 are drawn. ``meta["part"]``, of ``meta["parts"]``.

    Returns
    -------
    list of Block
        A ``"matrix"`` from −1 to 1; a row of zeros has no direction, and its cosines are NaN.
        A note on which entries are drawn, if not all. The rows themselves, and their norms.
    """
    count = len(weight)
    starts = range(0, count, MATRIX)
    part = min(max(part, 0), len(starts) - 1)
    first = starts[part]
    rows = weight[first : first + MATRIX]
    wide = rows.to(torch.float64)
    norms = torch.linalg.vector_norm(wide, dim=1)
    directions = wide / norms.unsqueeze(1)
    cosines = (directions @ directions.T).clamp(-1, 1)
    numbers: NDArray[np.int32] = np.arange(first, first + len(rows), dtype=np.int32)
    arrays = {"row_numbers": numbers, "column_numbers": numbers}
    meta: dict[str, Any] = {
        "rows": "entry",
        "columns": "entry",
        "reduced": False,
        "count": count,
        "units": False,
    }
    if len(starts) > 1:
        meta["parts"] = [f"{start}–{min(start + MATRIX, count) - 1}" for start in starts]
        meta["part"] = part
    blocks = [
        picture(
            "matrix", cosines.cpu().numpy(), signed=True, ends=(-1.0, 1.0), meta=meta,
            arrays=arrays, title=("ui.inspector.weights.cosines", {}),
        )
    ]  # fmt: skip
    if len(rows) < count:
        end = f"{first + len(rows) - 1:,}"
        blocks.append(
            note("probe.weights.entries", first=f"{first:,}", last=end, count=f"{count:,}")
        )
    table = matrix_block(
        rows, rows="entry", columns="feature", title=("ui.inspector.weights.rows", {}), units=False
    )
    table.arrays["row_numbers"] = numbers
    title: Words = ("ui.inspector.weights.norms", {})
    lengths = bars(norms.cpu().numpy(), units=numbers.tolist(), title=title, meta={"units": False})
    return [*blocks, table, lengths]


# --- gates ---------------------------------------------------------------------------------------


def gate_blocks(
    values: Tensor, gates: tuple[str, ...], key: str, columns: str, cells: int
) -> list[Block]:
    """Draw a stack of matrices, one under the other in memory, each by itself on one scale.

    Parameters
    ----------
    values
        (gates · units, inputs).
    gates
        Names of the parts, in order.
    key
        Of the title, with a gap ``{gate}``.
    columns
        Name of the axis of the inputs.
    cells
        Of all of them together.
    """
    ends = scale_of(values)
    parts = values.chunk(len(gates))
    return [
        matrix_block(
            part, columns=columns, ends=ends, title=(key, {"gate": gate}),
            cells=cells // len(gates), units=False,
        )
        for gate, part in zip(gates, parts, strict=True)
    ]  # fmt: skip
