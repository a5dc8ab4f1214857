"""Weights that are computed, unnamed, half or not finite, of any size and of every family."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from nnwidgets.probe.weight_tensors import own_weights
from nnwidgets.probe.weights import weight_blocks
from tests.probe.model_families import FAMILIES
from tests.probe.pictured import checked, keys, numbers
from tests.probe.weights_drawn import drawn, kinds, plain, titled


def test_parametrised_weights_are_those_computed_with() -> None:
    spectral = parametrizations.spectral_norm(nn.Linear(4, 3)).train()
    expected = copy.deepcopy(spectral).eval().weight
    # Reading it in training mode would advance the estimate, which `drawn` would notice.
    np.testing.assert_allclose(drawn(spectral)[0].arrays["pixels"], plain(expected), atol=1e-6)
    normed = parametrizations.weight_norm(nn.Conv2d(1, 4, 3))
    blocks = drawn(normed)
    np.testing.assert_allclose(blocks[0].arrays["pixels"], plain(normed.weight)[:, 0], atol=1e-6)
    normed(torch.randn(1, 1, 5, 5)).sum().backward()
    blocks = drawn(normed, "gradient")
    named = titled(blocks[:-2], "of", name="weight.original1")
    gradient: Any = normed.parametrizations.weight.original1.grad
    np.testing.assert_array_equal(named.arrays["pixels"], plain(gradient).reshape(4, 9))


def test_weights_of_the_older_weight_norm() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.utils.weight_norm(nn.Linear(4, 3))
    assert [held.name for held in own_weights(layer)] == ["weight", "bias", "weight_g", "weight_v"]
    np.testing.assert_array_equal(drawn(layer)[0].arrays["pixels"], plain(layer.weight))


def test_modules_without_weights_name_those_inside() -> None:
    assert keys(drawn(nn.ReLU())) == ["probe.weights.none"]
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.BatchNorm1d(2))
    (said,) = drawn(model)
    assert said.title == ("probe.weights.inside", {"names": "0.0, 1"})
    assert keys(weight_blocks(nn.LazyLinear(3))) == ["probe.weights.lazy"]
    assert keys(weight_blocks(nn.Linear(3, 2, device="meta"))) == ["probe.weights.unreadable"]
    assert keys(drawn(nn.ParameterList([torch.zeros(0, 3)]))) == ["probe.weights.empty"]


def test_parameters_under_any_name() -> None:
    holder = nn.ParameterList([torch.randn(3), torch.randn(2, 3), torch.randn(2, 3, 4)] * 6)
    blocks = drawn(holder)
    np.testing.assert_array_equal(
        titled(blocks[:2], "of", name="1").arrays["pixels"], plain(holder[1])
    )
    assert "probe.weights.some" in keys(blocks)


def test_nan_and_halves() -> None:
    layer = nn.Linear(4, 3).to(torch.bfloat16)
    with torch.no_grad():
        layer.weight[1, 2] = torch.nan
    blocks = drawn(layer)
    assert np.isnan(blocks[0].arrays["pixels"]).sum() == 1
    assert numbers(blocks)["nan_count"] == 1
    filters = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        filters.weight[:] = torch.inf
    checked(weight_blocks(filters, unit=1, sort="activity"))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(4096, 4096),
        nn.Conv2d(3, 96, 11),
        nn.Conv2d(512, 512, 3),
        nn.Conv1d(512, 64, 64),
        nn.Conv3d(64, 64, 5),
        nn.LSTM(512, 512),
        nn.GRU(120, 120, bidirectional=True),
        nn.LSTM(64, 64),
        nn.MultiheadAttention(384, 4),
        nn.MultiheadAttention(120, 4, kdim=100, add_bias_kv=True),
        nn.Embedding(30_000, 128),
        nn.LayerNorm(5000),
        nn.Bilinear(50, 60, 100),
    ],
    ids=lambda layer: f"{type(layer).__name__}",
)
def test_large_layers_have_small_pictures(layer: nn.Module) -> None:
    drawn(layer, unit=1)
    for parameter in layer.parameters():
        parameter.grad = torch.randn_like(parameter)
    drawn(layer, "gradient", unit=1)


@settings(max_examples=30)
@given(shape=st.lists(st.integers(0, 90), min_size=0, max_size=3), count=st.integers(1, 4))
def test_any_parameters_have_small_pictures(shape: list[int], count: int) -> None:
    module = nn.ParameterDict({f"p{i}": torch.ones(shape) for i in range(count)})
    blocks = checked(weight_blocks(module))
    assert kinds(blocks)[0] == ("note" if 0 in shape else "bars" if len(shape) < 2 else "matrix")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_of_every_family(family: str) -> None:
    model, _ = FAMILIES[family]()
    for module in model.modules():
        checked(weight_blocks(module))
        checked(weight_blocks(module, "gradient"))
