"""Pictures of activations, against numpy on plainly hooked tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets.probe.display import value_at
from nnwidgets.probe.display_shapes import BARS
from nnwidgets.probe.look import Call
from nnwidgets.probe.pooling import cell_starts, fitted, pooled, ranked
from nnwidgets.probe.refusal import Refusal
from tests.probe.pictured import keys, level, numbers, pixels, returned, returned_by, shown

# --- vectors -------------------------------------------------------------------------------------


def test_a_vector_is_bars() -> None:
    layer, x = nn.Linear(5, 7), torch.randn(3, 5)
    expected = F.linear(x, layer.weight, layer.bias).detach().numpy()
    blocks = shown(layer, x, sample=2, unit=4)
    assert keys(blocks) == ["bars", "numbers", "histogram"]
    np.testing.assert_allclose(blocks[0].arrays["values"], expected[2], rtol=1e-6)
    assert blocks[0].arrays["units"].tolist() == list(range(7))
    assert blocks[0].meta["unit"] == 4
    assert blocks[0].meta["value"] == pytest.approx(expected[2, 4], rel=1e-6)
    assert numbers(blocks)["std"] == pytest.approx(expected[2].std(), rel=1e-5)
    assert numbers(blocks)["zeros"] == 0
    assert blocks[2].arrays["counts"].sum() == 7


@pytest.mark.parametrize("sort", ["activity", "variance", "contribution"])
def test_units_are_sorted(sort: str) -> None:
    output = torch.tensor([[1.0, -3.0, 0.0], [1.0, -3.5, 9.0], [2.5, -3.0, 3.0]])
    scores = [0.5, 0.0, -2.0]
    by = {
        "activity": output[0].abs().numpy(),
        "variance": output.numpy().var(axis=0),
        "contribution": np.abs(scores),
    }[sort]
    bars = returned(output, sort=sort, scores=scores)[0]
    assert bars.arrays["units"].tolist() == np.argsort(-by).tolist()
    np.testing.assert_array_equal(bars.arrays["values"], output[0, bars.arrays["units"]])
    assert bars.meta["sort"] == sort


def test_without_scores_activity_is_used_and_said() -> None:
    blocks = returned(torch.tensor([[1.0, -3.0]]), sort="contribution")
    assert blocks[0].arrays["units"].tolist() == [1, 0]
    assert "probe.display.no_scores" in keys(blocks)
    with pytest.raises(ValueError, match="sorted by"):
        ranked(torch.zeros(2, 1), "size")


def test_of_very_many_units_some_are_shown() -> None:
    output = torch.arange(50_000.0)[None]
    blocks = returned(output, sort="activity")
    assert blocks[0].arrays["units"][0] == 49_999
    assert len(blocks[0].arrays["values"]) == BARS
    assert blocks[0].meta["count"] == 50_000
    assert "probe.display.some_units" in keys(blocks)


# --- maps ----------------------------------------------------------------------------------------


def test_channels_are_maps() -> None:
    torch.manual_seed(0)
    layer, x = nn.Conv2d(3, 8, 3), torch.randn(2, 3, 12, 10)
    expected = layer(x).detach().numpy()[1]
    maps, *rest = shown(layer, x, sample=1, sort="activity")
    assert maps.kind == "maps"
    activity = np.abs(expected).mean((1, 2))
    order = np.argsort(-activity)
    assert maps.arrays["units"].tolist() == order.tolist()
    np.testing.assert_allclose(maps.arrays["values"], activity[order], rtol=1e-5)
    np.testing.assert_allclose(pixels(maps), expected[order], atol=level(maps))
    assert maps.meta["signed"]
    assert maps.meta["high"] == pytest.approx(np.abs(expected).max(), rel=1e-6)
    assert maps.meta["low"] == -maps.meta["high"]
    assert (maps.meta["count"], maps.meta["caption"]) == (8, "activity")
    assert not maps.meta["reduced"]
    assert keys(rest) == ["numbers", "histogram"]
    assert numbers(rest)["mean"] == pytest.approx(expected.mean(), abs=1e-6)


def test_variance_is_over_the_positions() -> None:
    output = torch.relu(torch.randn(2, 6, 5, 5))
    maps = returned(output, sort="variance")[0]
    variance = output[0].numpy().var((1, 2))
    assert maps.arrays["units"].tolist() == np.argsort(-variance).tolist()
    np.testing.assert_allclose(maps.arrays["values"], np.sort(variance)[::-1], rtol=1e-5)
    assert (maps.meta["caption"], maps.meta["signed"]) == ("variance", False)
    assert maps.meta["low"] == 0


def test_contributions_sort_maps_and_are_written_under_them() -> None:
    maps = returned(torch.rand(1, 3, 2, 2), sort="contribution", scores=[0.1, -9.0, 4.0])[0]
    assert maps.arrays["units"].tolist() == [1, 2, 0]
    np.testing.assert_allclose(maps.arrays["values"], [-9.0, 4.0, 0.1])
    assert maps.meta["caption"] == "contribution"


@pytest.mark.parametrize("unit", [3, (3,), (3, 5, 7)])
def test_a_chosen_channel_is_large_and_exact(unit: Any) -> None:
    output = torch.randn(1, 100, 40, 60)
    maps, large, *_ = returned(output, unit=unit)
    assert maps.arrays["pixels"].shape[0] == 64
    assert (maps.meta["count"], maps.meta["unit"]) == (100, 3)
    assert large.kind == "map"
    assert large.arrays["pixels"].dtype == np.float32
    np.testing.assert_array_equal(large.arrays["pixels"], output[0, 3].numpy())
    assert (large.meta["low"], large.meta["high"]) == (maps.meta["low"], maps.meta["high"])
    if unit == (3, 5, 7):
        assert large.meta["value"] == pytest.approx(float(output[0, 3, 5, 7]))
    else:
        assert "value" not in large.meta


def test_large_maps_are_averaged() -> None:
    output = torch.randn(1, 70, 256, 128)
    maps, large, *_ = returned(output, unit=(2, 200, 100))
    _, rows, columns = maps.arrays["pixels"].shape
    assert maps.meta["reduced"]
    assert maps.meta["shape"] == [256, 128]
    assert rows <= 64
    assert rows == pytest.approx(2 * columns, abs=1)
    assert large.meta["reduced"]
    assert large.meta["value"] == pytest.approx(float(output[0, 2, 200, 100]))
    one = returned(torch.arange(128.0 * 128).reshape(1, 1, 128, 128))[0]
    blocks_of_two = np.arange(128.0 * 128).reshape(64, 2, 64, 2).mean((1, 3))
    np.testing.assert_allclose(pixels(one)[0], blocks_of_two, atol=level(one))


def test_channels_last_are_maps_too() -> None:
    """As ConvNeXt and Swin have them: a linear layer over four dimensions."""
    layer, x = nn.Linear(3, 5), torch.randn(2, 4, 6, 3)
    expected = layer(x).detach().numpy()[0]
    maps, large, *_ = shown(layer, x, unit=(1, 2, 4))
    np.testing.assert_allclose(pixels(maps), expected.transpose(2, 0, 1), atol=level(maps))
    np.testing.assert_allclose(large.arrays["pixels"], expected[:, :, 4], atol=1e-6)
    assert large.meta["value"] == pytest.approx(expected[1, 2, 4], abs=1e-6)


def test_an_image_without_a_batch() -> None:
    layer, x = nn.Conv2d(1, 4, 3), torch.randn(1, 6, 6)
    maps = shown(layer, x, sample=5)[0]
    np.testing.assert_allclose(pixels(maps), layer(x).detach().numpy(), atol=level(maps))


def test_volumes_are_shown_in_slices() -> None:
    output = torch.randn(2, 3, 5, 4, 6)
    values = output.numpy()[1]
    for options, depth in (
        ({}, 2),
        ({"depth": 4}, 4),
        ({"unit": (1, 0, 2, 3)}, 0),
        ({"unit": (1, 2, 3)}, 2),
    ):
        maps, *rest = returned(output, 1, **options)
        np.testing.assert_allclose(pixels(maps), values[:, depth], atol=level(maps))
        assert (maps.meta["depth"], maps.meta["depths"]) == (depth, 5)
        if "unit" in options:
            np.testing.assert_array_equal(rest[0].arrays["pixels"], values[1, depth])
            assert rest[0].meta["value"] == pytest.approx(values[1, depth, 2, 3])


# --- signals and tokens --------------------------------------------------------------------------


def test_signals_are_thin_maps() -> None:
    layer, x = nn.Conv1d(2, 4, 3), torch.randn(2, 2, 20)
    expected = layer(x).detach().numpy()[0]
    maps, large, curve, *_ = shown(layer, x, unit=(2, 7))
    assert maps.arrays["pixels"].shape == (4, 1, 18)
    np.testing.assert_allclose(pixels(maps)[:, 0], expected, atol=1e-6)
    np.testing.assert_allclose(large.arrays["pixels"], expected[2:3], atol=1e-6)
    assert large.meta["value"] == pytest.approx(expected[2, 7], abs=1e-6)
    np.testing.assert_allclose(curve.arrays["values"][0], expected[2], atol=1e-6)
    long = returned_by(nn.Conv1d(1, 2, 1), torch.randn(1, 2, 1000))[0]
    assert long.arrays["pixels"].shape == (2, 1, 256)
    assert long.meta["reduced"]


def test_three_dimensions_are_read_from_the_module() -> None:
    output = torch.randn(2, 4, 4)
    channels = [nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4), nn.MaxPool1d(1), nn.GroupNorm(2, 4)]
    channels.append(nn.Sequential(nn.Linear(4, 4), nn.Conv1d(4, 4, 1), nn.ReLU()))
    tokens = [nn.Linear(4, 4), nn.LayerNorm(4), nn.Embedding(3, 4), nn.Identity()]
    tokens.append(nn.Sequential(nn.Conv1d(4, 4, 1), nn.Linear(4, 4), nn.ReLU()))
    assert {returned_by(m, output)[0].kind for m in channels} == {"maps"}
    assert {returned_by(m, output)[0].kind for m in tokens} == {"matrix"}
    assert returned_by(nn.ReLU(), output, before=[nn.Conv1d(4, 4, 1)])[0].kind == "maps"
    assert returned_by(nn.ReLU(), output, before=[nn.Linear(4, 4)])[0].kind == "matrix"
    assert returned_by(nn.BatchNorm1d(4), output[0])[0].kind == "bars"


def test_tokens_are_a_matrix() -> None:
    output = torch.randn(2, 6, 9)
    matrix, curve, *rest = returned(output, 1, unit=(4, 7))
    assert matrix.kind == "matrix"
    assert (matrix.meta["rows"], matrix.meta["columns"]) == ("token", "feature")
    np.testing.assert_array_equal(matrix.arrays["pixels"], output[1].numpy())
    assert matrix.meta["unit"] == [4, 7]
    assert matrix.meta["value"] == pytest.approx(float(output[1, 4, 7]))
    assert matrix.arrays["column_numbers"].tolist() == list(range(9))
    assert curve.kind == "lines"
    np.testing.assert_array_equal(curve.arrays["values"][0], output[1, :, 7].numpy())
    assert keys(rest) == ["numbers", "histogram"]


def test_features_of_tokens_are_sorted() -> None:
    output = torch.randn(1, 5, 400)
    matrix = returned(output, sort="variance")[0]
    order = np.argsort(-output[0].numpy().var(0), kind="stable")[:256]
    assert matrix.arrays["column_numbers"].tolist() == order.tolist()
    np.testing.assert_array_equal(matrix.arrays["pixels"], output[0].numpy()[:, order])
    assert not matrix.meta["reduced"]


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_batch_of_transformers_is_where_they_say(batch_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first).eval()
    stack = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    x = torch.randn(3, 5, 8)
    for module in (layer, layer.self_attn, stack):
        args = (x, x, x) if module is layer.self_attn else (x,)
        output = module(*args)
        output = (output[0] if isinstance(output, tuple) else output).detach()
        expected = output[1] if batch_first else output[:, 1]
        blocks = shown(module, *args, sample=1)
        np.testing.assert_allclose(pixels(blocks[0]), expected, atol=1e-6)


def test_many_tokens_and_features_are_averaged() -> None:
    output = torch.randn(1, 600, 512)
    matrix = returned(output)[0]
    assert matrix.arrays["pixels"].shape == (256, 256)
    assert matrix.meta["reduced"]
    starts = [round(i * 600 // 256) for i in range(256)]
    assert matrix.arrays["row_numbers"].tolist() == starts
    assert matrix.arrays["column_numbers"].tolist() == list(range(0, 512, 2))
    cell = output[0, starts[3] : -(-4 * 600 // 256), 6:8].mean()
    assert pixels(matrix)[3, 3] == pytest.approx(float(cell), abs=level(matrix))


# --- values, sizes -------------------------------------------------------------------------------


def test_value_at_is_the_number() -> None:
    conv, x = nn.Conv2d(1, 3, 3), torch.randn(2, 1, 6, 6)
    call = Call((x,), {}, conv(x).detach())
    assert value_at(conv, call, 1, (2, 3, 0)) == float(call.output[1, 2, 3, 0])
    for unit, words in ((2, "3 indices"), ((9, 0, 0), "no unit"), ((0, 0), "3 indices")):
        with pytest.raises(Refusal, match=words):
            value_at(conv, call, 0, unit)
    with pytest.raises(Refusal, match="no sample 5"):
        value_at(conv, call, 5, (0, 0, 0))


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 5000))
def test_what_is_fitted_fits(height: int, width: int, cells: int) -> None:
    rows, columns = fitted(height, width, cells)
    assert 1 <= rows <= height
    assert 1 <= columns <= width
    assert rows * columns <= cells or (rows == 1 and columns == 1)


@given(st.integers(1, 90), st.integers(1, 20))
def test_cells_average_the_numbers_from_their_start(size: int, cells: int) -> None:
    values = torch.randn(1, size, dtype=torch.float64)
    small, reduced = pooled(values, 1, cells)
    starts = cell_starts(size, cells)
    assert reduced == (size > cells)
    for index, start in enumerate(starts):
        end = -(-(index + 1) * size // len(starts))  # as adaptive pooling is defined
        expected = values[0, start:end].mean()
        assert float(small[0, index]) == pytest.approx(float(expected), abs=1e-12)
