"""Pictures of weights, against the weights themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nnwidgets.probe.weight_pictures import filters_of
from nnwidgets.probe.weights import weight_blocks
from tests.probe.pictured import keys, level, numbers, pixels
from tests.probe.weights_drawn import drawn, kinds, plain, titled

# --- linear layers, norms ------------------------------------------------------------------------


def test_a_linear_layer_is_a_matrix_with_its_biases() -> None:
    layer = nn.Linear(6, 4)
    blocks = drawn(layer, unit=2)
    assert kinds(blocks) == ["matrix", "bars", "bars", "numbers", "histogram"]
    matrix, row, bias = blocks[:3]
    np.testing.assert_array_equal(matrix.arrays["pixels"], plain(layer.weight))
    assert (matrix.meta["rows"], matrix.meta["columns"]) == ("output", "input")
    high = float(layer.weight.detach().abs().max())
    assert (matrix.meta["low"], matrix.meta["high"]) == (-high, high)
    np.testing.assert_array_equal(row.arrays["values"], plain(layer.weight)[2])
    assert row.meta["units"] is False
    np.testing.assert_array_equal(bias.arrays["values"], plain(layer.bias))
    assert bias.title == ("ui.inspector.weights.bias", {})
    assert bias.meta["unit"] == 2
    told = numbers(blocks)
    assert told["std"] == pytest.approx(plain(layer.weight).std(), rel=1e-5)
    assert told["norm"] == pytest.approx(np.linalg.norm(plain(layer.weight)), rel=1e-5)
    assert blocks[-1].arrays["counts"].sum() == 24
    assert kinds(drawn(nn.Linear(6, 4, bias=False))) == ["matrix", "numbers", "histogram"]
    # A unit of a sequence is (token, feature).
    assert drawn(layer, unit=(7, 2))[2].meta["unit"] == 2


def test_a_large_matrix_is_averaged() -> None:
    layer = nn.Linear(1024, 512)
    matrix = drawn(layer)[0]
    assert matrix.arrays["pixels"].shape == (256, 256)
    assert matrix.meta["reduced"]
    expected = plain(layer.weight).reshape(256, 2, 256, 4).mean((1, 3))
    np.testing.assert_allclose(pixels(matrix), expected, atol=level(matrix))
    assert matrix.arrays["row_numbers"].tolist() == list(range(0, 512, 2))
    assert matrix.arrays["column_numbers"].tolist() == list(range(0, 1024, 4))


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(5), nn.LayerNorm(5), nn.GroupNorm(1, 5)])
def test_norms_are_bars_of_scale_and_shift(layer: Any) -> None:
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    blocks = drawn(layer)
    scale, shift = titled(blocks, "scale"), titled(blocks, "shift")
    np.testing.assert_array_equal(scale.arrays["values"], plain(layer.weight))
    np.testing.assert_array_equal(shift.arrays["values"], plain(layer.bias))


def test_norms_of_several_dimensions_and_single_numbers() -> None:
    layer = nn.LayerNorm((3, 4, 5))
    assert kinds(drawn(layer)) == ["matrix", "matrix", "numbers", "histogram"]
    assert kinds(drawn(nn.PReLU())) == ["bars", "numbers", "histogram"]
    assert kinds(drawn(nn.LayerNorm(4, bias=False))) == ["bars", "numbers", "histogram"]


def test_bilinear_weights_are_maps() -> None:
    layer = nn.Bilinear(3, 4, 5)
    maps = drawn(layer)[0]
    np.testing.assert_array_equal(maps.arrays["pixels"], plain(layer.weight))
    np.testing.assert_array_equal(maps.arrays["values"], plain(layer.bias))


# --- convolutions --------------------------------------------------------------------------------


def test_first_filters_are_in_colour() -> None:
    layer = nn.Conv2d(3, 5, 4)
    maps = drawn(layer)[0]
    assert maps.meta["rgb"]
    shown = maps.arrays["pixels"]
    assert shown.shape == (5, 4, 4, 3)
    assert shown.min() >= 0
    assert shown.max() <= 1
    low, high = maps.meta["ends"]
    assert low == -high
    back = low + shown * (high - low)
    np.testing.assert_allclose(back.transpose(0, 3, 1, 2), plain(layer.weight), atol=1e-6)
    np.testing.assert_array_equal(maps.arrays["values"], plain(layer.bias))
    assert maps.meta["caption"] == "bias"
    zero = nn.Conv2d(3, 2, 3, bias=False)
    nn.init.zeros_(zero.weight)
    assert (drawn(zero)[0].arrays["pixels"] == 0.5).all()


def test_filters_of_one_input_channel() -> None:
    layer = nn.Conv2d(16, 100, 3)
    maps, kernels, *rest = drawn(layer, channel=7, unit=(4, 0, 0), sort="activity")
    norms = np.linalg.norm(plain(layer.weight).reshape(100, -1), axis=1)
    order = np.argsort(-norms)[:64]
    assert maps.arrays["units"].tolist() == order.tolist()
    np.testing.assert_array_equal(maps.arrays["pixels"], plain(layer.weight)[order, 7])
    assert (maps.meta["input"], maps.meta["inputs"], maps.meta["count"]) == (7, 16, 100)
    np.testing.assert_array_equal(maps.arrays["values"], plain(layer.bias)[order])
    assert kernels.title == ("ui.inspector.weights.kernels", {"unit": "4"})
    np.testing.assert_array_equal(kernels.arrays["pixels"], plain(layer.weight)[4])
    assert kernels.meta["units"] is False
    assert rest[0].title == ("ui.inspector.weights.bias", {})
    plain_order = drawn(layer)[0]
    assert plain_order.arrays["units"].tolist() == list(range(64))
    assert plain_order.meta["input"] == 0
    bare = drawn(nn.Conv2d(2, 3, 2, bias=False))[0]
    assert bare.meta["caption"] == "norm"


def test_other_convolutions() -> None:
    signal = nn.Conv1d(4, 6, 3)
    np.testing.assert_array_equal(drawn(signal)[0].arrays["pixels"], plain(signal.weight))
    volume = nn.Conv3d(2, 3, (2, 3, 4))
    maps = drawn(volume, channel=1)[0]
    assert maps.arrays["pixels"].shape == (3, 3, 8)
    np.testing.assert_array_equal(maps.arrays["pixels"][:, :, 4:], plain(volume.weight)[:, 1, 1])
    points = nn.Conv2d(5, 7, 1)
    blocks = drawn(points, unit=3)
    np.testing.assert_array_equal(blocks[0].arrays["pixels"], plain(points.weight)[:, :, 0, 0])
    np.testing.assert_array_equal(blocks[1].arrays["values"], plain(points.weight)[3, :, 0, 0])
    large = drawn(nn.Conv2d(1, 64, 80))
    assert large[0].meta["reduced"]
    assert "probe.weights.averaged" in keys(large)


@pytest.mark.parametrize("groups", [1, 2])
def test_filters_of_transposed_convolutions_belong_to_their_outputs(groups: int) -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
    filters = filters_of(layer, layer.weight.detach())
    assert filters.shape == (6, 4 // groups, 3, 3)
    # One input pixel of one channel paints the filters' kernels, and nothing else.
    for channel in range(4):
        x = torch.zeros(1, 4, 1, 1)
        x[0, channel] = 1
        painted = layer(x)[0].detach()
        group, inside = divmod(channel, 4 // groups)
        for unit in range(6):
            same = unit // (6 // groups) == group
            expected = filters[unit, inside] if same else torch.zeros(3, 3)
            torch.testing.assert_close(painted[unit], expected)
    np.testing.assert_array_equal(drawn(layer)[0].arrays["pixels"], filters[:, 0].numpy())


# --- embeddings ----------------------------------------------------------------------------------


def test_embeddings_are_compared() -> None:
    layer = nn.Embedding(9, 5, padding_idx=0)
    blocks = drawn(layer)
    cosines = titled(blocks, "cosines")
    weight = layer.weight.detach()
    expected = F.cosine_similarity(weight[1:, None], weight[None, 1:], dim=-1)
    np.testing.assert_allclose(cosines.arrays["pixels"][1:, 1:], expected, atol=1e-6)
    assert np.isnan(cosines.arrays["pixels"][0]).all()  # the entry of zeros has no direction
    assert (cosines.meta["low"], cosines.meta["high"]) == (-1.0, 1.0)
    np.testing.assert_array_equal(titled(blocks, "rows").arrays["pixels"], weight.numpy())
    norms = titled(blocks, "norms").arrays["values"]
    np.testing.assert_allclose(norms, weight.norm(dim=1), rtol=1e-6)
    assert "parts" not in cosines.meta


def test_of_large_embeddings_a_part_is_shown_and_named() -> None:
    layer = nn.Embedding(600, 4)
    blocks = drawn(layer, part=2)
    cosines = titled(blocks, "cosines")
    assert cosines.meta["parts"] == ["0–255", "256–511", "512–599"]
    assert cosines.meta["part"] == 2
    assert cosines.arrays["row_numbers"].tolist() == list(range(512, 600))
    rows = titled(blocks, "rows")
    np.testing.assert_array_equal(rows.arrays["pixels"], plain(layer.weight)[512:])
    assert rows.arrays["row_numbers"].tolist() == list(range(512, 600))
    (said,) = [b for b in blocks if b.kind == "note"]
    assert said.title == (
        "probe.weights.entries",
        {"first": "512", "last": "599", "count": "600"},
    )
    assert drawn(layer, part=99)[0].meta["part"] == 2


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_of_embeddings_are_those_of_the_entries_seen(sparse: bool) -> None:
    layer = nn.Embedding(1000, 4, sparse=sparse)
    layer(torch.tensor([7, 500, 7])).sum().backward()
    matrix, said, *_ = drawn(layer, "gradient")
    assert matrix.arrays["row_numbers"].tolist() == [7, 500]
    np.testing.assert_array_equal(matrix.arrays["pixels"], [[2.0] * 4, [1.0] * 4])
    assert said.title == (
        "probe.weights.touched",
        {"shown": "2", "count": "2", "total": "1,000"},
    )
    layer.weight.grad = torch.zeros(1000, 4)
    assert keys(drawn(layer, "gradient"))[0] == "probe.weights.untouched"


# --- recurrent layers, attention -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "gates"),
    [(nn.LSTM, "ifgo"), (nn.GRU, "rzn"), (nn.LSTMCell, "ifgo"), (nn.GRUCell, "rzn")],
)
def test_gates_are_apart(kind: Any, gates: str) -> None:
    layer = kind(3, 4)
    suffix = "" if issubclass(kind, nn.RNNCellBase) else "_l0"
    blocks = drawn(layer)
    for name, key in (("weight_ih", "from_input"), ("weight_hh", "from_state")):
        whole = plain(getattr(layer, name + suffix))
        for index, gate in enumerate(gates):
            block = titled(blocks, key, gate=gate)
            np.testing.assert_array_equal(block.arrays["pixels"], whole[index * 4 : index * 4 + 4])
            assert block.meta["high"] == pytest.approx(np.abs(whole).max())
    bias = titled(blocks, "bias_input")
    np.testing.assert_array_equal(
        bias.arrays["pixels"], plain(getattr(layer, "bias_ih" + suffix)).reshape(len(gates), 4)
    )
    assert bias.meta["row_labels"] == list(gates)


def test_the_order_of_the_gates_is_torchs() -> None:
    """A forget gate that is shut forgets, wherever torch keeps it."""
    layer = nn.LSTMCell(2, 3)
    with torch.no_grad():
        for gate, value in (("i", -99.0), ("f", 99.0), ("g", 0.0), ("o", 0.0)):
            place = "ifgo".index(gate)
            layer.bias_ih[place * 3 : place * 3 + 3] = value
            layer.weight_ih.zero_()
            layer.weight_hh.zero_()
            layer.bias_hh.zero_()
    state = torch.randn(1, 3)
    _, after = layer(torch.randn(1, 2), (torch.randn(1, 3), state))
    torch.testing.assert_close(after, state)  # nothing let in, everything kept


def test_layers_and_directions_are_chosen() -> None:
    layer = nn.LSTM(3, 6, num_layers=2, bidirectional=True, proj_size=2)
    first = drawn(layer)[0]
    assert first.meta["parts"] == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert first.meta["part"] == 0
    blocks = drawn(layer, part=3)
    projection = titled(blocks, "projection")
    np.testing.assert_array_equal(projection.arrays["pixels"], plain(layer.weight_hr_l1_reverse))
    np.testing.assert_array_equal(
        titled(blocks, "from_input", gate="g").arrays["pixels"],
        plain(layer.weight_ih_l1_reverse)[12:18],
    )
    simple = drawn(nn.RNN(3, 4))
    assert titled(simple, "input").arrays["pixels"].shape == (4, 3)
    assert titled(simple, "state").arrays["pixels"].shape == (4, 4)
    assert kinds(drawn(nn.LSTM(300, 400)))[-1] == "histogram"


def test_projections_of_attention_are_apart() -> None:
    layer = nn.MultiheadAttention(8, 2, add_bias_kv=True)
    nn.init.normal_(layer.in_proj_bias)
    blocks = drawn(layer)
    for index, letter in enumerate("qkv"):
        np.testing.assert_array_equal(
            titled(blocks, "projects", gate=letter).arrays["pixels"],
            plain(layer.in_proj_weight)[index * 8 : index * 8 + 8],
        )
    bias = titled(blocks, "bias")
    np.testing.assert_array_equal(bias.arrays["pixels"], plain(layer.in_proj_bias).reshape(3, 8))
    assert titled(blocks, "of", name="bias_k").kind == "matrix"
    other = nn.MultiheadAttention(8, 2, kdim=3, vdim=5)
    blocks = drawn(other)
    np.testing.assert_array_equal(
        titled(blocks, "projects", gate="k").arrays["pixels"], plain(other.k_proj_weight)
    )


# --- gradients -----------------------------------------------------------------------------------


def test_gradients_are_drawn_likewise() -> None:
    layer = nn.Conv2d(3, 4, 3)
    assert keys(drawn(layer, "gradient")) == ["probe.weights.no_gradient"]
    layer(torch.randn(2, 3, 5, 5)).square().sum().backward()
    maps = drawn(layer, "gradient")[0]
    assert not maps.meta["rgb"]
    np.testing.assert_array_equal(maps.arrays["pixels"], plain(layer.weight.grad)[:, 0])
    np.testing.assert_array_equal(maps.arrays["values"], plain(layer.bias.grad))
    kept = {"weight": torch.ones(4, 3, 3, 3)}
    layer.zero_grad()
    np.testing.assert_array_equal(
        drawn(layer, "gradient", gradients=kept)[0].arrays["pixels"], np.ones((4, 3, 3))
    )
    layer.requires_grad_(False)
    assert keys(drawn(layer, "gradient")) == ["probe.weights.frozen"]
    with pytest.raises(ValueError, match="which"):
        weight_blocks(layer, "activation")  # type: ignore[arg-type]


def test_a_bias_may_have_a_gradient_alone() -> None:
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad_(False)
    layer(torch.randn(4, 3)).sum().backward()
    blocks = drawn(layer, "gradient")
    np.testing.assert_array_equal(blocks[0].arrays["values"], [4.0, 4.0])
