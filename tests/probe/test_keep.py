"""Small copies of batches of every make."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence

from nnwidgets.probe.keep import UnkeepableError, batch_of, few_samples

Pair = namedtuple("Pair", "x y")


@dataclass
class Record:
    x: Tensor
    name: str


def test_structure_and_type_stay() -> None:
    x = torch.arange(60.0).reshape(20, 3)
    value: dict[str, Any] = {
        "pair": Pair(x, torch.arange(20)),
        "record": Record(x, "a"),
        "ordered": OrderedDict(a=x),
        "list": [x, None, 3, "text", torch.float32],
        "array": np.arange(20),
        "scalar": torch.tensor(2.0),
        "weights": torch.ones(3, 4),
        "labels": [str(i) for i in range(20)],
    }
    kept = few_samples(value, 5, 1 << 20)
    assert batch_of(value) == 20
    assert batch_of(kept) == 5
    assert type(kept["pair"]) is Pair
    assert torch.equal(kept["pair"].x, x[:5])
    assert kept["pair"].y.tolist() == [0, 1, 2, 3, 4]
    assert torch.equal(kept["record"].x, x[:5])
    assert kept["record"].name == "a"
    assert value["record"].x is x
    assert type(kept["ordered"]) is OrderedDict
    assert kept["list"][1:] == [None, 3, "text", torch.float32]
    assert kept["array"].tolist() == [0, 1, 2, 3, 4]
    assert kept["scalar"] == 2
    assert kept["weights"].shape == (3, 4), "not by sample"
    assert kept["labels"] == ["0", "1", "2", "3", "4"]
    kept["pair"].x.zero_()
    assert x[0, 1] == 1, "a copy"


@pytest.mark.parametrize("count", [2, 9])
def test_packed_sequences_can_be_run_again(count: int) -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 4)
    sequences = [torch.randn(n, 3) for n in (2, 5, 3, 4)]
    packed = pack_sequence(sequences, enforce_sorted=False)
    kept = few_samples(packed, count, 1 << 20)
    assert isinstance(kept, PackedSequence)
    for got, given in zip(unpack_sequence(kept), sequences, strict=False):
        assert torch.equal(got, given)
    assert len(unpack_sequence(kept)) == min(count, 4)
    out, _ = lstm(kept)
    expected, _ = lstm(packed)
    for got, wanted in zip(unpack_sequence(out), unpack_sequence(expected), strict=False):
        torch.testing.assert_close(got, wanted)


def test_as_few_as_fit() -> None:
    x = torch.zeros(64, 1000)
    assert few_samples(x, 64, 64 * 4000).shape == (64, 1000)
    assert few_samples(x, 64, 64 * 4000 - 1).shape == (32, 1000)
    assert few_samples(x, 64, 4000).shape == (1, 1000)
    with pytest.raises(UnkeepableError, match="4,000 B"):
        few_samples(x, 64, 3999)


def test_the_batch_may_be_the_second_dimension() -> None:
    out, state = torch.randn(7, 20, 3), torch.randn(2, 20, 3)
    kept, kept_state = few_samples((out, state), 4, 1 << 20, axis=1)
    assert torch.equal(kept, out[:, :4])
    assert torch.equal(kept_state, state[:, :4])


def test_what_is_unknown_is_refused_or_left_out() -> None:
    class Strange:
        pass

    with pytest.raises(UnkeepableError, match="Strange"):
        few_samples((torch.ones(2), Strange()), 2, 1 << 20)
    kept = few_samples((torch.ones(2), Strange()), 2, 1 << 20, strict=False)
    assert kept[1] is None


def test_it_ends_whatever_is_nested() -> None:
    loop: list[Any] = [torch.ones(3)]
    loop.append(loop)
    assert torch.equal(few_samples(loop, 2, 1 << 20)[0], torch.ones(2))
