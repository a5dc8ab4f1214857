"""Where there are no contributions, and units and samples that are not there."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nnwidgets.catalogue import text
from nnwidgets.probe.contribution_blocks import contribution_blocks
from nnwidgets.probe.contributions import NoContributions, contributions, has_contributions
from nnwidgets.probe.look import Call
from nnwidgets.probe.units import UnitError
from tests.probe.refilled import called, check, randn, refill, seeded


@pytest.mark.parametrize(
    ("layer", "key"),
    [
        (nn.ReLU(), "no_weights"),
        (nn.Dropout(), "no_weights"),
        (nn.MaxPool2d(1), "no_weights"),
        (nn.Softmax(dim=1), "softmax"),
        (nn.Sequential(nn.ReLU()), "container"),
        (nn.PReLU(), "unknown"),
        (nn.LSTM(4, 4, batch_first=True), "gates"),
        (nn.RNN(4, 4, batch_first=True), "recurrent"),
        (nn.MultiheadAttention(4, 1, batch_first=True), "attention"),
    ],
)
def test_other_layers_say_why_there_are_no_terms(layer: nn.Module, key: str) -> None:
    assert not has_contributions(layer)
    x = torch.rand(1, 4, 4, generator=seeded())
    args = (x, x, x) if key == "attention" else (x,)
    with pytest.raises(NoContributions) as caught:
        contributions(layer, called(layer, *args), 0, (0, 0))
    assert caught.value.key == f"probe.contributions.{key}"
    assert type(layer).__name__ in str(caught.value)
    assert text(caught.value.key, "zh", **caught.value.params) != str(caught.value)


class Doubled(nn.Linear):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input)


class Named(nn.Linear):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return F.linear(input, self.weight, self.bias)


def test_a_derived_layer_is_believed_if_its_terms_add_up() -> None:
    layer = refill(Named(4, 3))
    call = called(layer, randn(2, 4))
    check(contributions(layer, call, 0, 0), call.output[0, 0])
    other = refill(Doubled(4, 3))
    with pytest.raises(NoContributions, match="Doubled is derived from Linear"):
        contributions(other, called(other, randn(2, 4)), 0, 0)


class Matrix(nn.Module):
    """A linear layer of somebody else's, either way round."""

    def __init__(self, turned: bool, bias: bool, bent: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 4) if turned else torch.zeros(4, 3))
        self.register_parameter("bias", nn.Parameter(torch.zeros(3)) if bias else None)
        self.turned, self.bent = turned, bent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x @ (self.weight.T if self.turned else self.weight)
        x = x if self.bias is None else x + self.bias
        return x.abs().sqrt() if self.bent else x


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_with_a_matrix_is_believed_if_its_terms_add_up(turned: bool, bias: bool) -> None:
    layer = refill(Matrix(turned, bias))
    assert has_contributions(layer)
    call = called(layer, randn(2, 5, 4))
    found = contributions(layer, call, 1, (2, 1))
    check(found, call.output[1, 2, 1])
    assert found.inputs.tolist() == [[2, i] for i in range(4)]
    assert (found.bias is None) != bias
    other = refill(Matrix(turned, bias, bent=True))
    with pytest.raises(NoContributions, match="how it uses them is not known"):
        contributions(other, called(other, randn(2, 5, 4)), 1, (2, 1))


@pytest.mark.parametrize("unit", [3, -4, (0, 0), (), "a", 1.5, True, None])
def test_a_unit_that_is_not_there(unit: Any) -> None:
    layer = nn.Linear(4, 3)
    with pytest.raises(UnitError):
        contributions(layer, called(layer, torch.ones(2, 4)), 0, unit)


@pytest.mark.parametrize("sample", [2, -1])
def test_a_sample_that_is_not_there(sample: int) -> None:
    layer = nn.Linear(4, 3)
    with pytest.raises(UnitError, match="the batch holds 2"):
        contributions(layer, called(layer, torch.ones(2, 4)), sample, 0)


def test_packed_sequences_and_complex_numbers_are_refused() -> None:
    embedded = nn.utils.rnn.pack_sequence([torch.ones(2, 4), torch.ones(1, 4)])
    linear = nn.Linear(4, 4)
    with pytest.raises(NoContributions, match="packed"):
        contributions(linear, Call((embedded.data,), {}, embedded), 0, (0, 0))
    layer = nn.Linear(4, 3, dtype=torch.complex64)
    with pytest.raises(NoContributions, match="complex"):
        contributions(layer, called(layer, torch.ones(1, 4, dtype=torch.complex64)), 0, 0)


def test_values_that_are_not_finite_stay_what_they_are() -> None:
    layer = refill(nn.Linear(3, 1))
    call = called(layer, torch.tensor([[math.nan, 1.0, math.inf]], dtype=torch.float64))
    found = contributions(layer, call, 0, 0)
    assert math.isnan(found.values[0])
    assert math.isinf(found.values[2])
    blocks = contribution_blocks(layer, call, 0, 0)
    assert blocks[0].meta["sum"] is None
    assert blocks[0].arrays["inputs"][:2].tolist() == [[0], [2]]  # the worst first
