"""How terms are shown, which layer an input comes from, and channels by what they contribute."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nnwidgets.probe.contribution_blocks import contribution_blocks
from nnwidgets.probe.contributions import contributions
from nnwidgets.probe.flow import producer
from nnwidgets.probe.look import look
from nnwidgets.probe.relevance import channel_scores
from tests.probe.refilled import called, randn, refill, seeded


def test_the_list_is_sorted_and_what_is_left_out_is_summed() -> None:
    layer = refill(nn.Linear(200, 2))
    call = called(layer, randn(1, 200))
    block = contribution_blocks(layer, call, 0, 1)[0]
    assert (block.meta["total"], block.meta["shown"]) == (200, 64)
    product = block.arrays["product"].astype(np.float64)
    assert (np.diff(np.abs(product)) <= 0).all()
    total = product.sum() + block.meta["rest"] + block.meta["bias"]
    assert math.isclose(total, float(call.output[0, 1]), rel_tol=1e-5)
    row = block.arrays["inputs"][:, 0]
    expected = (call.args[0][0, row] * layer.weight[1, row]).detach().numpy()
    np.testing.assert_allclose(product, expected, rtol=1e-6)


def test_a_short_list_leaves_nothing_out() -> None:
    layer = refill(nn.Linear(3, 2, bias=False))
    block, sentence = contribution_blocks(layer, called(layer, randn(1, 3)), 0, 1)
    assert block.meta["rest"] is None
    assert block.meta["bias"] is None
    assert sentence.title is not None
    assert sentence.title[0] == "probe.contributions.sum"


def test_a_picture_of_the_products_for_each_input_channel() -> None:
    layer = refill(nn.Conv2d(4, 2, 3))
    call = called(layer, randn(1, 4, 5, 5))
    found = contributions(layer, call, 0, (1, 2, 2))
    block = contribution_blocks(layer, call, 0, (1, 2, 2))[1]
    assert block.kind == "maps"
    assert block.arrays["pixels"].shape == (4, 3, 3)
    np.testing.assert_allclose(
        block.arrays["pixels"], found.values[block.arrays["units"]], rtol=1e-6
    )
    np.testing.assert_allclose(
        block.arrays["values"], found.values.sum((1, 2))[block.arrays["units"]], rtol=1e-6
    )
    assert (np.diff(np.abs(block.arrays["values"])) <= 0).all()
    assert -block.meta["low"] == block.meta["high"] > 0


@pytest.mark.parametrize(
    ("layer", "shape", "kind", "pixels"),
    [
        (nn.Conv2d(1, 2, 3), (1, 1, 5, 5), "map", (3, 3)),
        (nn.Conv1d(4, 2, 3), (1, 4, 5), "matrix", (4, 3)),
        (nn.Conv3d(2, 2, (2, 3, 4)), (1, 2, 5, 5, 5), "maps", (2, 3, 8)),
        (nn.ConvTranspose2d(3, 2, 2), (1, 3, 5, 5), "maps", (3, 2, 2)),
        (nn.Conv2d(6, 6, 3, groups=6), (1, 6, 5, 5), "map", (3, 3)),
    ],
)
def test_pictures_of_other_convolutions(
    layer: nn.Module, shape: tuple[int, ...], kind: str, pixels: tuple[int, ...]
) -> None:
    block = contribution_blocks(layer, called(layer, torch.ones(shape)), 0, (1,) * (len(shape) - 1))
    assert block[1].kind == kind
    assert block[1].arrays["pixels"].shape == pixels


def test_slices_of_a_volume_stand_side_by_side() -> None:
    layer = refill(nn.Conv3d(2, 1, (2, 1, 3)))
    call = called(layer, randn(1, 2, 4, 4, 4))
    found = contributions(layer, call, 0, (0, 1, 1, 1))
    block = contribution_blocks(layer, call, 0, (0, 1, 1, 1))[1]
    for pixels, channel in zip(block.arrays["pixels"], block.arrays["units"], strict=True):
        np.testing.assert_allclose(
            pixels, np.concatenate(list(found.values[channel]), axis=-1), rtol=1e-6
        )


def test_errors_are_notes() -> None:
    layer = nn.Linear(3, 2)
    (block,) = contribution_blocks(layer, called(layer, torch.ones(1, 3)), 0, 7)
    assert (block.kind, block.meta["level"]) == ("note", "warning")


# ---- where a layer's input comes from


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.act = nn.Tanh()
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.body(x))
        x = self.act(x)
        x = self.act(x)
        return self.head(x.flatten(1))


def test_the_layer_that_made_the_input() -> None:
    model = Branches().eval()
    x = torch.rand(2, 1, 8, 8, generator=seeded())
    assert producer(model, x, "body.0") is None
    assert producer(model, x, "body.2") == ("body.1", 0)
    assert producer(model, x, "pool") == ("body.2", 0)
    assert producer(model, x, "act") == ("pool", 0)
    assert producer(model, x, "act", call=1) == ("act", 0)
    assert producer(model, x, "head") is None  # flattened in between
    assert producer(model, torch.ones(3), "body.2") is None
    assert model.body[2].inplace
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_an_activation_function_shows_the_terms_of_the_layer_before() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    x = torch.rand(2, 4, generator=seeded())
    seen = look(model, x, ["0", "1"], copy=True)
    before = ("0", model[0], seen.calls["0"][0])
    blocks = contribution_blocks(model[1], seen.calls["1"][0], 1, 2, before=before)
    assert [block.kind for block in blocks] == ["note", "terms", "note"]
    assert blocks[0].title is not None
    assert blocks[0].title[1] == {"type": "ReLU", "layer": "0"}
    own = contribution_blocks(model[0], seen.calls["0"][0], 1, 2)
    np.testing.assert_array_equal(blocks[1].arrays["product"], own[0].arrays["product"])


# ---- channels by what they contribute


def test_channel_scores_are_activation_times_gradient() -> None:
    model = copy.deepcopy(Branches()).double().eval()
    x = randn(3, 1, 8, 8)
    scores = channel_scores(model, x, "body.1", 1)
    normed = model.body[1](model.body[0](x)).detach().requires_grad_()
    out = model.head(model.act(model.act(model.pool(F.relu(normed)))).flatten(1))
    (gradient,) = torch.autograd.grad(out[1, out[1].argmax()], normed)
    expected = (normed * gradient).abs()[1].sum((1, 2)).detach().numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
    assert scores.shape == (4,)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_channel_scores_of_vectors_tokens_and_other_targets() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2)).double()
    x = randn(2, 7, 3)
    scores = channel_scores(model, x, "1", 0, target=(3, 1))
    hidden = model[:2](x)[0, 3].detach().numpy()
    np.testing.assert_allclose(scores, np.abs(hidden * model[2].weight[1].detach().numpy()))
    flat = channel_scores(model, x[0], "1", 4, target=0)
    hidden = model[:2](x)[0, 4].detach().numpy()
    np.testing.assert_allclose(flat, np.abs(hidden * model[2].weight[0].detach().numpy()))


def test_channel_scores_after_an_activation_function_of_a_signal() -> None:
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(15, 2)).double()
    assert channel_scores(model, randn(2, 2, 7), "1", 0).shape == (3,)


def test_channel_scores_where_the_score_does_not_depend_on_the_layer() -> None:
    class Detached(Branches):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).detach()

    x = torch.rand(2, 1, 8, 8, generator=seeded())
    assert channel_scores(Detached().eval(), x, "body.0").tolist() == [0.0] * 4
