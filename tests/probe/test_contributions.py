"""Contributions against each layer's own output in float64, and against sums by brute force."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets.probe.contributions import contributions
from tests.probe.refilled import called, check, randn, refill

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


# ---- linear


def test_linear_terms_are_activation_times_weight() -> None:
    layer = refill(nn.Linear(5, 3))
    x = randn(4, 5)
    call = called(layer, x)
    found = contributions(layer, call, 2, 1)
    np.testing.assert_array_equal(found.values, (x[2] * layer.weight[1]).detach().numpy())
    assert found.values.shape == (5,)
    assert found.bias == float(layer.bias[1].detach())
    assert found.inputs.tolist() == [[0], [1], [2], [3], [4]]
    check(found, call.output[2, 1])


def test_linear_over_tokens_and_without_a_bias() -> None:
    layer = refill(nn.Linear(5, 3, bias=False))
    x = randn(2, 7, 5)
    call = called(layer, x)
    found = contributions(layer, call, 1, (6, 2))
    assert found.bias is None
    assert found.inputs.tolist() == [[6, i] for i in range(5)]
    check(found, call.output[1, 6, 2])


def test_linear_of_one_vector_without_a_batch() -> None:
    layer = refill(nn.Linear(5, 3))
    call = called(layer, randn(5))
    check(contributions(layer, call, 0, 2), call.output[2])


def test_input_by_name_and_negative_indices() -> None:
    layer = refill(nn.Linear(5, 3))
    call = called(layer, input=randn(2, 5))
    found = contributions(layer, call, 0, -1)
    assert found.unit == (2,)
    check(found, call.output[0, 2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_precisions_are_added_up_in_float64(dtype: torch.dtype) -> None:
    layer = refill(nn.Linear(300, 2)).to(dtype)
    x = randn(2, 300).to(dtype)
    call = called(layer, x)
    found = contributions(layer, call, 0, 1)
    wide = (x[0].double() * layer.weight[1].double()).sum() + layer.bias[1].double()
    assert math.isclose(found.total, float(wide.detach()), rel_tol=1e-12)
    assert found.values.dtype == np.float64


def test_a_parametrised_weight_is_the_weight_that_is_used() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3)).double().eval()
    call = called(layer, randn(2, 4))
    check(contributions(layer, call, 1, 0), call.output[1, 0])


# ---- convolutions


@st.composite
def geometry(draw: st.DrawFn, transposed: bool = False) -> tuple[nn.Module, torch.Tensor]:
    dims = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    options: dict[str, Any] = {"groups": groups, "bias": draw(st.booleans())}

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    kernel, stride, dilation = each(1, 4), each(1, 3), each(1, 2)
    size = [draw(st.integers(1, 4)) + d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    width = groups * draw(st.integers(1, 2))
    out = groups * draw(st.integers(1, 2))
    if transposed:
        extra = tuple(
            draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
        )
        padding = tuple(
            min(p, d * (k - 1) // 2) for p, d, k in zip(each(0, 2), dilation, kernel, strict=True)
        )
        kind = TRANSPOSED[dims]
        options |= {"padding": padding, "output_padding": extra, "stride": stride}
    else:
        kind = CONVOLUTIONS[dims]
        mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
        form = draw(st.sampled_from(["numbers", "same", "valid"]))
        if mode == "reflect":
            size = [
                max(n, d * (k - 1) + 1, 3) for n, k, d in zip(size, kernel, dilation, strict=True)
            ]
        padding = tuple(min(p, n - 1) for p, n in zip(each(0, 2), size, strict=True))
        if form == "same":
            stride = (1,) * dims
        options |= {"padding": padding if form == "numbers" else form, "stride": stride}
        options["padding_mode"] = mode
    layer = kind(width, out, kernel, dilation=dilation, **options)
    batch = () if draw(st.booleans()) else (2,)
    return refill(layer, draw(st.integers(0, 9))), randn(*batch, width, *size)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@given(geometry(), st.randoms(use_true_random=False))
def test_terms_of_any_convolution_sum_to_its_own_output(
    case: tuple[nn.Module, torch.Tensor], random: Any
) -> None:
    compare_with_output(*case, random)


@given(geometry(transposed=True), st.randoms(use_true_random=False))
def test_terms_of_any_transposed_convolution_sum_to_its_own_output(
    case: tuple[nn.Module, torch.Tensor], random: Any
) -> None:
    compare_with_output(*case, random)


def compare_with_output(layer: Any, x: torch.Tensor, random: Any) -> None:
    call = called(layer, x)
    batched = x.dim() == len(layer.kernel_size) + 2
    shape = call.output.shape[1:] if batched else call.output.shape
    for _ in range(3):
        unit = tuple(random.randrange(n) for n in shape)
        sample = random.randrange(2) if batched else 0
        index = (sample, *unit) if batched else unit
        found = contributions(layer, call, sample, unit)
        check(found, call.output[index])
        assert found.values.shape == (layer.in_channels // layer.groups, *layer.kernel_size)
        # Each term's input is where it says, and is what it says.
        maps = (x[sample] if batched else x).numpy()
        for place, activation in zip(found.inputs, found.activation, strict=True):
            inside = all(0 <= i < n for i, n in zip(place, maps.shape, strict=True))
            assert activation == (maps[tuple(place)] if inside else 0.0)


def test_a_convolution_by_hand() -> None:
    layer = nn.Conv2d(1, 1, 2, padding=1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
        layer.bias.fill_(0.5)
    call = called(layer, torch.tensor([[[[5.0, 6.0], [7.0, 8.0]]]], dtype=torch.float64))
    found = contributions(layer, call, 0, (0, 0, 1))
    assert found.values.tolist() == [[[0.0, 0.0], [15.0, 24.0]]]
    assert found.inputs.tolist() == [[0, -1, 0], [0, -1, 1], [0, 0, 0], [0, 0, 1]]
    assert (found.bias, found.total) == (0.5, 39.5)


# ---- the other kinds


def test_embedding_is_its_row() -> None:
    layer = refill(nn.Embedding(9, 4))
    call = called(layer, torch.tensor([[3, 8], [1, 0]]))
    found = contributions(layer, call, 1, (0, 2))
    assert found.values.tolist() == [float(layer.weight.detach()[1, 2])]
    assert found.inputs.tolist() == [[1]]
    check(found, call.output[1, 0, 2])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize("flat", [False, True])
def test_embedding_bag(mode: str, padding_idx: int | None, flat: bool) -> None:
    layer = refill(nn.EmbeddingBag(9, 4, mode=mode, padding_idx=padding_idx))
    ids = torch.tensor([[3, 8, 2], [1, 2, 2]])
    args = (ids.reshape(-1), torch.tensor([0, 4])) if flat else (ids,)
    call = called(layer, *args)
    for bag in (0, 1):
        check(contributions(layer, call, bag, 3), call.output[bag, 3])


def test_embedding_bag_with_weights() -> None:
    layer = refill(nn.EmbeddingBag(9, 4, mode="sum"))
    scales = randn(2, 3)
    call = called(layer, torch.tensor([[3, 8, 2], [1, 2, 2]]), per_sample_weights=scales)
    found = contributions(layer, call, 1, 0)
    np.testing.assert_array_equal(found.activation, scales[1].numpy())
    check(found, call.output[1, 0])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(6), (3, 6)),
        (nn.BatchNorm1d(6), (3, 6, 5)),
        (nn.BatchNorm2d(6), (3, 6, 4, 5)),
        (nn.BatchNorm3d(6, affine=False), (3, 6, 2, 3, 4)),
        (nn.BatchNorm2d(6, track_running_stats=False), (3, 6, 4, 5)),
        (nn.LayerNorm(6), (3, 6)),
        (nn.LayerNorm((4, 6)), (3, 5, 4, 6)),
        (nn.LayerNorm(6, elementwise_affine=False), (3, 5, 6)),
        (nn.LayerNorm(6, bias=False), (3, 5, 6)),
        (nn.GroupNorm(2, 6), (3, 6, 4)),
        (nn.GroupNorm(3, 6, affine=False), (3, 6, 4, 5)),
        (nn.InstanceNorm1d(6, affine=True), (3, 6, 5)),
        (nn.InstanceNorm2d(6), (3, 6, 4, 5)),
        (nn.InstanceNorm2d(6, track_running_stats=True), (3, 6, 4, 5)),
    ],
)
def test_normalisation_is_scale_times_what_it_normalised(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    refill(layer)
    call = called(layer, randn(*shape))
    for place in [(0,) * (len(shape) - 1), tuple(n - 1 for n in shape[1:])]:
        found = contributions(layer, call, 2, place if len(place) > 1 else place[0])
        assert found.values.shape == (1,)
        assert found.inputs.tolist() == [list(place)]
        np.testing.assert_allclose(found.total, float(call.output[(2, *place)]), rtol=1e-9)


@pytest.mark.skipif(not hasattr(nn, "RMSNorm"), reason="new in torch 2.4")
def test_rms_norm() -> None:
    layer = refill(nn.RMSNorm(6))
    call = called(layer, randn(3, 5, 6))
    np.testing.assert_allclose(
        contributions(layer, call, 1, (4, 2)).total, float(call.output[1, 4, 2]), rtol=1e-9
    )


def test_a_recurrent_cell_sums_before_its_tanh() -> None:
    layer = refill(nn.RNNCell(3, 4))
    for args in [(randn(2, 3), randn(2, 4, seed=1)), (randn(2, 3),)]:
        call = called(layer, *args)
        found = contributions(layer, call, 1, 2)
        assert found.values.shape == (7,)
        assert math.isclose(math.tanh(found.total), float(call.output[1, 2]), rel_tol=1e-12)
        assert found.inputs[3:].tolist() == [[1, i] for i in range(4)]


def test_bilinear() -> None:
    layer = refill(nn.Bilinear(3, 4, 2))
    call = called(layer, randn(5, 3), randn(5, 4, seed=1))
    found = contributions(layer, call, 3, 1)
    assert found.values.shape == (3, 4)
    check(found, call.output[3, 1])
