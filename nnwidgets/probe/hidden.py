"""Hidden states of recurrent layers over time.

A stacked layer lets only its last layer's states out over time. Those of the layers below are
computed again here, from the call's own input and the layer's weights, and shown only if the last
layer then comes out as it did in the call.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from nnwidgets.probe.blocks import Block, note, picture
from nnwidgets.probe.display_shapes import Order, ends_of, matrix_blocks
from nnwidgets.probe.look import Call
from nnwidgets.probe.outputs import Part, sample_of
from nnwidgets.probe.pooling import cell_starts, pooled, ranked
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.summary import plain_values
from nnwidgets.probe.tensors import quietly
from nnwidgets.probe.units import Unit, as_unit

__all__ = ["hidden_blocks", "layer_states", "state_of"]

_CELLS: Final = 120_000  # of all matrices of one picture together
_WIDE: Final = 256


def hidden_blocks(
    module: nn.RNNBase,
    call: Call,
    part: Part,
    sample_index: int,
    unit: Unit | None = None,
    sort: str = "index",
    scores: Any = None,
) -> list[Block]:
    """Return the states of one sample.

    Parameters
    ----------
    module, call, sample_index, unit, sort, scores
        As in `nnwidgets.probe.display.activation_blocks`; `unit` is (time, feature), where the
        features of the backward direction follow those of the forward one, as in the output.
    part
        Which of the outputs: the sequence, or the last states.

    Returns
    -------
    list of Block
        For the sequence, a ``"matrix"`` (time × feature) for each direction of the last layer, then
        of the layers below. For the last states, one ``"matrix"`` (layer and direction × feature).

    Raises
    ------
    Refusal
        If there is no such sample.
    """
    if part.label != "0":
        return [_last_states(module, part, sample_index)]
    states = plain_values(state_of(module, part, sample_index))
    if not states.numel():
        return [note("probe.display.empty", shape="×".join(map(str, states.shape)))]
    directions = 2 if module.bidirectional else 1
    width = states.shape[1] // directions
    below, told = _below(module, call, sample_index, states)
    cells = _CELLS // (directions * (1 + len(below)))
    time, feature = _chosen(unit, states)
    blocks = []
    for direction in range(directions):
        first = direction * width
        values = states[:, first : first + width]
        inside = feature is not None and first <= feature < first + width
        own = sort
        share = None if scores is None else list(scores)[first : first + width]
        if sort == "contribution" and (share is None or len(share) != width):
            own, told = "activity", [*told, note("probe.display.no_scores")]
        order = Order(
            own,
            ranked(values.T, own, share),
            feature - first if feature is not None and inside else None,
            () if time is None else (time,),
        )
        title = _title(module, module.num_layers - 1, direction)
        blocks += matrix_blocks(
            values, order, rows="time", columns="feature", first=first, title=title, cells=cells
        )
    for layer, earlier in reversed(list(enumerate(below))):
        for direction in range(directions):
            part_of = earlier[:, direction * width : (direction + 1) * width]
            drawn = matrix_blocks(
                part_of,
                None,
                rows="time",
                columns="feature",
                title=_title(module, layer, direction),
                cells=cells,
            )
            drawn[0].meta["units"] = False  # it is no output: its cells cannot be chosen
            blocks += drawn
    return [*blocks, *told]


def layer_states(module: nn.RNNBase, call: Call, sample_index: int) -> list[Tensor]:
    """Return the hidden states of every layer over time, for one sample, without dropout.

    Parameters
    ----------
    module
        A recurrent layer with the weights it had in the call.
    call
        One of its calls.
    sample_index
        Position in the batch.

    Returns
    -------
    list of Tensor
        (time, directions × features) for each layer, the last one's as in the output.

    Raises
    ------
    Refusal
        If there is no such sample.
    """
    given = call.args[0] if call.args else call.kwargs["input"]
    start = call.args[1] if len(call.args) > 1 else call.kwargs.get("hx")
    inputs = sample_of(module, given, sample_index).unsqueeze(1)
    directions = 2 if module.bidirectional else 1
    found = []
    with quietly():
        for layer in range(module.num_layers):
            single = _single(module, layer)
            here = slice(layer * directions, (layer + 1) * directions)
            inputs, _ = single(inputs, _start(start, here, sample_index))
            found.append(inputs.squeeze(1))
    return found


def _start(start: Any, here: slice, sample_index: int) -> Any:
    if start is None:
        return None
    if isinstance(start, tuple):
        return tuple(_start(state, here, sample_index) for state in start)
    states = start[here]
    if states.dim() == 2:  # of a call without a batch
        return states.unsqueeze(1).contiguous()
    return states[:, sample_index : sample_index + 1].contiguous()


_KINDS: Final[dict[str, Any]] = {
    "LSTM": (nn.LSTM, {}),
    "GRU": (nn.GRU, {}),
    "RNN_TANH": (nn.RNN, {"nonlinearity": "tanh"}),
    "RNN_RELU": (nn.RNN, {"nonlinearity": "relu"}),
}


def _single(module: nn.RNNBase, layer: int) -> nn.RNNBase:
    """Return one layer of a stack as a module of its own, with the same weights."""
    kind, options = _KINDS[module.mode]
    weight = getattr(module, f"weight_ih_l{layer}")
    if module.proj_size:
        options = {**options, "proj_size": module.proj_size}
    # On the meta device nothing is drawn from a random number generator.
    single: nn.RNNBase = kind(
        weight.shape[1],
        module.hidden_size,
        bias=module.bias,
        bidirectional=module.bidirectional,
        device="meta",
        dtype=weight.dtype,
        **options,
    )
    names = [name for name, _ in single.named_parameters()]
    weights = {name: getattr(module, name.replace("_l0", f"_l{layer}")).detach() for name in names}
    single.load_state_dict(weights, assign=True)
    return single.eval()


def _below(
    module: nn.RNNBase, call: Call, sample_index: int, states: Tensor
) -> tuple[list[Tensor], list[Block]]:
    """Return the states of the layers below the last, or why they cannot be had."""
    if module.num_layers == 1:
        return [], []
    try:
        *below, last = layer_states(module, call, sample_index)
        same = torch.allclose(plain_values(last), states, rtol=1e-2, atol=1e-3, equal_nan=True)
    except Refusal:
        raise
    except Exception:  # a subclass that computes its states another way
        same = False
    if not same:
        return [], [note("probe.hidden.below")]
    return [plain_values(each) for each in below], []


def _chosen(unit: Unit | None, states: Tensor) -> tuple[int | None, int | None]:
    place = () if unit is None else as_unit(unit)
    if len(place) != 2 or not all(0 <= i < n for i, n in zip(place, states.shape, strict=True)):
        return None, None
    return place[0], place[1]


def _title(module: nn.RNNBase, layer: int, direction: int) -> tuple[str, dict[str, str]] | None:
    if module.num_layers == 1 and not module.bidirectional:
        return None
    if not module.bidirectional:
        return ("ui.inspector.hidden.layer", {"layer": str(layer)})
    if direction:
        return ("ui.inspector.hidden.backward", {"layer": str(layer)})
    return ("ui.inspector.hidden.forward", {"layer": str(layer)})


def state_of(module: nn.RNNBase, part: Part, sample_index: int) -> Tensor:
    """Return one sample of a part of the output: (time, features), or (layers, features).

    Raises
    ------
    Refusal
        If there is no such sample.
    """
    # The last states are (layers, batch, features), whatever `batch_first` says.
    if part.label == "0" or not isinstance(part.value, Tensor) or part.value.dim() < 3:
        return sample_of(module, part.value, sample_index)
    return sample_of(nn.Identity(), part.value.transpose(0, 1), sample_index)


def _last_states(module: nn.RNNBase, part: Part, sample_index: int) -> Block:
    """Draw the state after the last step: a row for each layer and direction."""
    states = plain_values(state_of(module, part, sample_index))
    ends, signed = ends_of(states)
    small, reduced = pooled(states, len(states), _WIDE)
    labels = [str(row) for row in range(len(states))]
    if module.bidirectional:
        labels = [f"{row // 2} {'←' if row % 2 else '→'}" for row in range(len(states))]
    return picture(
        "matrix",
        small.cpu().numpy(),
        signed=signed,
        ends=ends,
        meta={
            "rows": "layer",
            "columns": "feature",
            "row_labels": labels,
            "reduced": reduced,
        },
        arrays={"column_numbers": cell_starts(states.shape[1], _WIDE).astype(np.int32)},
    )
