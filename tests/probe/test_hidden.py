"""Hidden states over time, against torch's own padding and a plain loop over cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnwidgets.probe.blocks import Block
from nnwidgets.probe.display import activation_blocks, value_at
from nnwidgets.probe.hidden import layer_states
from nnwidgets.probe.look import Call
from tests.probe.pictured import checked, keys, numbers

KINDS = [nn.RNN, nn.LSTM, nn.GRU]


def called(module: nn.Module, *args: Any) -> Call:
    with torch.no_grad():
        return Call(args, {}, module(*args))


def shown(module: nn.Module, call: Call, sample: int, **options: Any) -> list[Block]:
    return checked(activation_blocks(module, call, sample, **options))


def matrices(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block.kind == "matrix"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_over_time(kind: Any, batch_first: bool, packed: bool, bidirectional: bool) -> None:
    module = kind(3, 5, batch_first=batch_first, bidirectional=bidirectional)
    lengths = torch.tensor([4, 7, 2])
    x = torch.randn(3, 7, 3)
    given: Any = x if batch_first else x.transpose(0, 1)
    if packed:
        given = pack_padded_sequence(given, lengths, batch_first, enforce_sorted=False)
    call = called(module, given)
    whole = pad_packed_sequence(call.output[0], batch_first)[0] if packed else call.output[0]
    whole = whole if batch_first else whole.transpose(0, 1)
    for sample in range(3):
        expected = whole[sample, : lengths[sample] if packed else 7].numpy()
        blocks = shown(module, call, sample)
        drawn = matrices(blocks)
        assert len(drawn) == 1 + bidirectional
        for direction, block in enumerate(drawn):
            part = expected[:, direction * 5 : direction * 5 + 5]
            np.testing.assert_array_equal(block.arrays["pixels"], part)
            assert block.meta["rows"] == "time"
            numbers_of = list(range(direction * 5, direction * 5 + 5))
            assert block.arrays["column_numbers"].tolist() == numbers_of
        assert numbers(blocks)["mean"] == pytest.approx(expected.mean(), abs=1e-6)
        assert blocks[0].meta["outputs"][0]["label"] == "0"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_layers_below_are_those_of_a_loop_over_cells(kind: Any, bidirectional: bool) -> None:
    torch.manual_seed(0)
    module = kind(3, 4, num_layers=3, bidirectional=bidirectional, batch_first=True)
    x = torch.randn(2, 6, 3)
    call = called(module, x)
    states = layer_states(module, call, 1)
    np.testing.assert_allclose(states[-1], call.output[0][1], atol=1e-6)
    inputs = x[1]
    for layer, found in enumerate(states):
        inputs = by_cells(module, layer, inputs)
        np.testing.assert_allclose(found, inputs, atol=1e-6)
    drawn = matrices(shown(module, call, 1))
    directions = 1 + bidirectional
    assert len(drawn) == 3 * directions
    np.testing.assert_allclose(drawn[directions].arrays["pixels"], states[1][:, :4], atol=1e-6)
    assert drawn[directions].meta["units"] is False
    assert drawn[directions].title is not None
    assert drawn[directions].title[1] == {"layer": "1"}


def by_cells(module: Any, layer: int, inputs: torch.Tensor) -> torch.Tensor:
    """One layer, step by step, with torch's cells."""
    kind = {"LSTM": nn.LSTMCell, "GRU": nn.GRUCell}.get(module.mode, nn.RNNCell)
    halves = []
    with torch.no_grad():
        for suffix in ("", "_reverse")[: 1 + module.bidirectional]:
            cell: Any = kind(inputs.shape[1], module.hidden_size)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(cell, name).copy_(getattr(module, f"{name}_l{layer}{suffix}"))
            state, out = None, []
            for step in inputs.flip(0) if suffix else inputs:
                state = cell(step[None], state)
                out.append(state[0][0] if isinstance(state, tuple) else state[0])
            halves.append(torch.stack(out[::-1] if suffix else out))
    return torch.cat(halves, 1)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_start_projection_and_packing_below() -> None:
    module = nn.LSTM(3, 6, num_layers=2, proj_size=2, bias=False)
    start = (torch.randn(2, 3, 2), torch.randn(2, 3, 6))
    packed = pack_padded_sequence(torch.randn(5, 3, 3), [2, 5, 4], enforce_sorted=False)
    call = called(module, packed, start)
    padded, lengths = pad_packed_sequence(call.output[0])
    for sample, length in enumerate(lengths):
        states = layer_states(module, call, sample)
        np.testing.assert_allclose(states[1], padded[:length, sample], atol=1e-6)
        # The first layer, alone.
        alone = nn.LSTM(3, 6, proj_size=2, bias=False)
        alone.load_state_dict({n: v for n, v in module.state_dict().items() if "l0" in n})
        x = pad_packed_sequence(packed)[0][:length, sample : sample + 1]
        here = tuple(part[:1, sample : sample + 1].contiguous() for part in start)
        np.testing.assert_allclose(states[0], alone(x, here)[0][:, 0].detach(), atol=1e-6)
    called_by_name = Call((), {"input": packed, "hx": start}, call.output)
    assert len(matrices(shown(module, called_by_name, 1))) == 2


def test_a_sequence_without_a_batch() -> None:
    module = nn.GRU(3, 4, num_layers=2)
    call = called(module, torch.randn(5, 3), torch.randn(2, 4))
    drawn = matrices(shown(module, call, 0))
    np.testing.assert_array_equal(drawn[0].arrays["pixels"], call.output[0].numpy())
    assert len(drawn) == 2


def test_last_states_have_a_row_for_each_layer() -> None:
    module = nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
    call = called(module, torch.randn(3, 5, 3))
    for output, states in ((1, call.output[1][0]), (2, call.output[1][1])):
        blocks = shown(module, call, 2, output=output)
        np.testing.assert_array_equal(blocks[0].arrays["pixels"], states[:, 2].numpy())
        assert blocks[0].meta["row_labels"] == ["0 →", "0 ←", "1 →", "1 ←"]
        assert blocks[0].meta["output"] == output
        assert numbers(blocks)["max"] == pytest.approx(float(states[:, 2].max()))
    assert keys(shown(module, call, 3)) == ["probe.unit.sample"]
    assert keys(shown(module, call, 3, output=1)) == ["probe.unit.sample"]


def test_a_unit_is_time_and_feature() -> None:
    module = nn.GRU(3, 4, bidirectional=True, batch_first=True)
    call = called(module, torch.randn(2, 6, 3))
    blocks = shown(module, call, 1, unit=(2, 6), sort="variance")
    forward, backward, curve = blocks[:3]
    assert "unit" not in forward.meta
    assert backward.meta["unit"] == [2, 6]
    expected = float(call.output[0][1, 2, 6])
    assert backward.meta["value"] == pytest.approx(expected)
    assert value_at(module, call, 1, (2, 6)) == pytest.approx(expected)
    np.testing.assert_array_equal(curve.arrays["values"][0], call.output[0][1, :, 6].numpy())
    half = call.output[0][1, :, 4:].numpy()
    order = np.argsort(-half.var(0), kind="stable")
    assert backward.arrays["column_numbers"].tolist() == (order + 4).tolist()


class Doubling(nn.GRU):
    """A subclass that computes something else."""

    def forward(self, *args: Any) -> Any:
        """Give twice the states."""
        out, last = super().forward(*args)
        return out * 2, last


def test_states_that_do_not_come_out_again_are_left_out() -> None:
    module = Doubling(3, 4, num_layers=2)
    blocks = shown(module, called(module, torch.randn(5, 2, 3)), 0)
    assert len(matrices(blocks)) == 1
    assert "probe.hidden.below" in keys(blocks)


def test_long_deep_sequences_stay_small_and_draw_nothing_at_random() -> None:
    module = nn.LSTM(8, 300, num_layers=4, bidirectional=True)
    call = called(module, torch.randn(400, 2, 8))
    before = torch.get_rng_state()
    assert len(matrices(shown(module, call, 1, unit=(3, 5), sort="activity"))) == 8
    assert torch.equal(before, torch.get_rng_state())
    empty = Call((), {}, (torch.zeros(0, 2, 4), torch.zeros(1, 2, 4)))
    assert keys(shown(nn.GRU(3, 4), empty, 0))[0] == "probe.display.empty"
