"""Pictures of outputs of every form and size: several, strange, not finite, large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from nnwidgets.probe.display import activation_blocks
from nnwidgets.probe.look import look
from nnwidgets.probe.outputs import batch_size, parts
from tests.probe.model_families import FAMILIES
from tests.probe.pictured import checked, keys, numbers, returned, returned_by


@dataclass
class Answer:
    loss: torch.Tensor
    logits: torch.Tensor
    states: tuple[torch.Tensor, ...]


def test_one_of_several_outputs_is_shown_and_the_others_listed() -> None:
    answer = Answer(torch.tensor(1.0), torch.randn(2, 3), (torch.randn(2, 4, 5),))
    blocks = returned(answer)
    np.testing.assert_array_equal(blocks[0].arrays["values"], answer.logits[0].numpy())
    assert blocks[0].meta["outputs"] == [
        {"label": "loss", "shape": ""},
        {"label": "logits", "shape": "2×3"},
        {"label": "states.0", "shape": "2×4×5"},
    ]
    assert blocks[0].meta["output"] == 1
    other = returned(answer, output=2)
    assert (other[0].kind, other[0].meta["output"]) == ("matrix", 2)
    assert keys(returned(answer, output=0))[0] == "probe.display.scalar"
    assert returned({"a": torch.ones(2, 3)})[0].kind == "bars"
    assert [part.label for part in parts([{"a": torch.ones(1)}, torch.ones(1)])] == ["0.a", "1"]


def test_what_cannot_be_drawn_is_said() -> None:
    assert keys(returned(None)) == ["probe.display.nothing"]
    assert keys(returned("text")) == ["probe.display.nothing"]
    assert keys(returned(torch.tensor(3.0))) == ["probe.display.scalar"]
    assert keys(returned(torch.zeros(2, 0)))[0] == "probe.display.empty"
    assert keys(returned(torch.zeros(0, 3)))[0] == "probe.display.empty"
    assert keys(returned(torch.eye(3).to_sparse()))[0] == "probe.display.sparse"
    assert keys(returned(torch.empty(2, 3, device="meta")))[0] == "probe.display.unreadable"
    assert keys(returned(torch.zeros(2, 1, 2, 1, 2, 1)))[0] == "probe.display.dimensions"
    assert keys(returned(torch.zeros(2, 3), 7)) == ["probe.unit.sample"]


def test_what_is_computed_once_is_the_same_for_every_sample() -> None:
    output = torch.randn(1, 4, 3)
    blocks = returned(output, 5)
    np.testing.assert_array_equal(blocks[0].arrays["pixels"], output[0].numpy())
    assert "probe.display.shared" in keys(blocks)
    assert "probe.display.shared" not in keys(returned(output, 0))


def test_other_types_of_numbers() -> None:
    np.testing.assert_array_equal(
        returned(torch.tensor([[3, -1]]))[0].arrays["values"], np.float32([3, -1])
    )
    assert returned(torch.tensor([[True, False]]))[0].arrays["values"].tolist() == [1, 0]
    half = torch.randn(1, 4).to(torch.bfloat16)
    np.testing.assert_array_equal(returned(half)[0].arrays["values"], half[0].float().numpy())
    blocks = returned(torch.tensor([[3 + 4j, 0]]))
    assert blocks[0].arrays["values"].tolist() == [5, 0]
    assert "probe.display.complex" in keys(blocks)


def test_nan_and_infinities_are_shown_as_such() -> None:
    output = torch.randn(1, 3, 200, 200)
    output[0, 1, 5, 5] = torch.nan
    output[0, 2, 0, 0] = torch.inf
    blocks = returned(output, unit=(1, 5, 5), sort="activity")
    assert blocks[0].arrays["units"][:2].tolist() in ([1, 2], [2, 1])
    assert np.isnan(blocks[1].arrays["pixels"]).sum() == 1 or blocks[1].meta["reduced"]
    assert blocks[1].meta["value"] is None
    assert (numbers(blocks)["nan_count"], numbers(blocks)["inf_count"]) == (1, 1)
    checked(returned(torch.full((1, 4), torch.nan)))
    checked(returned(torch.full((1, 2, 3, 3), torch.inf), unit=0))


def test_packed_and_nested_outputs_of_other_modules() -> None:
    first, second = torch.randn(4, 3), torch.randn(2, 3)
    packed = pack_sequence([second, first], enforce_sorted=False)
    for sample, expected in ((0, second), (1, first)):
        matrix = returned(packed, sample)[0]
        np.testing.assert_array_equal(matrix.arrays["pixels"], expected.numpy())
    nested = torch.nested.nested_tensor([first, second], layout=torch.jagged)
    np.testing.assert_array_equal(returned(nested, 1)[0].arrays["pixels"], second.numpy())
    assert batch_size(packed) == batch_size(nested) == 2


def test_batch_sizes() -> None:
    assert batch_size(torch.zeros(5, 2)) == 5
    assert batch_size((torch.tensor(0.0), torch.zeros(3, 2))) == 3
    assert batch_size(torch.zeros(7, 4, 2), nn.LSTM(2, 2)) == 4
    assert batch_size(torch.zeros(1, 6, 6), nn.Conv2d(1, 1, 1)) == 1
    assert batch_size(None) == 1


@settings(max_examples=30)
@given(
    shape=st.lists(st.integers(1, 300), min_size=1, max_size=3).map(tuple),
    sort=st.sampled_from(["index", "activity", "variance"]),
    module=st.sampled_from([nn.Identity(), nn.Conv1d(1, 1, 1)]),
    data=st.data(),
)
def test_every_picture_is_small(shape: Any, sort: str, module: nn.Module, data: Any) -> None:
    while np.prod(shape) > 2_000_000:
        shape = tuple(max(1, side // 2) for side in shape)
    unit = tuple(data.draw(st.integers(0, side - 1)) for side in shape)
    output = torch.rand(1, *shape) - 0.5
    blocks = returned_by(module, output, sort=sort, unit=unit)
    assert numbers(blocks)["mean"] == pytest.approx(float(output.double().mean()), abs=1e-6)


@pytest.mark.parametrize("shape", [(512, 224, 224), (2048, 7, 7), (64, 64, 64), (4096, 512)])
def test_the_largest_pictures_are_small(shape: tuple[int, ...]) -> None:
    unit = (1,) * len(shape)
    assert returned(torch.randn(1, *shape), unit=unit, sort="activity")[0].kind != "note"


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_of_every_family_has_a_picture(family: str) -> None:
    model, sample = FAMILIES[family]()
    model.eval()
    names = [name for name, _ in model.named_modules()]
    seen = look(model, sample, names, copy=True)
    assert seen.problem is None
    modules = dict(model.named_modules())
    for name, calls in seen.calls.items():
        for call in calls:
            for sort in ("index", "activity"):
                checked(activation_blocks(modules[name], call, 0, sort=sort))
