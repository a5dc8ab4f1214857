"""Spatial layers: found by their outputs, and turned into maps place by place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.applicability import applicable
from nnwidgets.explain.asked import Asked
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.explain.spatial import (
    SpatialLayer,
    as_maps,
    default_layer,
    spatial_layer,
    spatial_layers,
)
from nnwidgets.probe.refusal import Refusal
from tests.explain import models, models_hf
from tests.explain.models import ids, noise, seeded


def asked_of(make: Any, sample: Any, target: Any = 0) -> Asked:
    return Question(seeded(make), sample).ask(0, target)


def grids(asked: Asked) -> dict[str, tuple[int, ...]]:
    return {layer.name: layer.grid for layer in spatial_layers(asked)}


def test_the_maps_of_a_convolutional_network() -> None:
    asked = asked_of(models.SmallCNN, noise(2, 3, 12, 8))
    assert grids(asked) == {
        "conv1": (12, 8),
        "relu1": (12, 8),
        "pool": (6, 4),
        "conv2": (6, 4),
        "relu2": (6, 4),
    }
    assert default_layer(asked) == "relu2"
    (last,) = [layer for layer in spatial_layers(asked) if layer.name == "relu2"]
    assert last == SpatialLayer("relu2", "ReLU", (8, 6, 4), (6, 4))
    activation = noise(2, 8, 6, 4)
    assert as_maps(activation, last) is activation


def test_a_single_place_is_no_map_and_a_reused_layer_counts_at_its_last_call() -> None:
    asked = asked_of(models.ResNetish, noise(2, 3, 8, 8))
    assert list(grids(asked)) == ["stem", "bn", "conv1", "conv2", "relu"]
    assert default_layer(asked) == "relu"


def test_the_outermost_of_modules_that_return_the_same() -> None:
    def make() -> nn.Module:
        features = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), nn.Identity())
        return nn.Sequential(features, nn.Flatten(), nn.Linear(32, 2))

    assert default_layer(asked_of(make, noise(2, 1, 6, 6))) == "0"


def test_the_patches_of_a_vision_transformer() -> None:
    root = models_hf.tiny_vit()
    images = noise(2, 3, 16, 16)
    asked = Question(root, {"pixel_values": images}).ask(0, 1)
    found = {layer.name: layer for layer in spatial_layers(asked)}
    tokens = [layer for layer in found.values() if layer.tokens and layer.shape[0] == 17]
    assert tokens
    assert all(layer.grid == (4, 4) and layer.dropped == 1 for layer in tokens)
    name = default_layer(asked)
    assert name is not None
    # The score is read from the class token: what leaves the last block holds no other evidence.
    seen: dict[str, Tensor] = {}

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        seen["it"] = output[0] if isinstance(output, tuple) else output
        seen["it"].retain_grad()

    handle = root.get_submodule(name).register_forward_hook(keep)
    root(pixel_values=images[:1].requires_grad_()).logits[0, 1].backward()
    handle.remove()
    root.zero_grad()
    gradient = seen["it"].grad
    assert gradient is not None
    assert gradient[0, 1:].abs().max() > 0


def test_tokens_become_a_grid_row_by_row() -> None:
    layer = SpatialLayer("", "", (8, 5), (2, 3), tokens=True, dropped=2)
    tokens = torch.arange(40.0).reshape(1, 8, 5)
    maps = as_maps(tokens, layer)
    assert maps.shape == (1, 5, 2, 3)
    for row in range(2):
        for column in range(3):
            torch.testing.assert_close(maps[0, :, row, column], tokens[0, 2 + row * 3 + column])


@pytest.mark.parametrize(
    ("size", "extra", "grid"), [((16, 16), 1, (4, 4)), ((16, 16), 5, (4, 4)), ((8, 24), 0, (2, 6))]
)
def test_tokens_of_patches_that_no_convolution_cut(
    size: tuple[int, int], extra: int, grid: tuple[int, int]
) -> None:
    height, width = size

    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.mix = nn.Linear(16, 6), nn.Linear(6, 6)
            self.extra = nn.Parameter(torch.randn(1, extra, 6))
            self.head = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = x.unfold(2, 4, 4).unfold(3, 4, 4).reshape(len(x), -1, 16)
            x = torch.cat([self.extra.expand(len(x), -1, -1), self.embed(x)], 1)
            return self.head(self.mix(x).mean(1))

    asked = asked_of(Patches, noise(2, 1, height, width))
    layer = spatial_layer(asked, "mix")
    assert (layer.grid, layer.dropped, layer.tokens) == (grid, extra, True)


def test_signals_have_one_axis() -> None:
    asked = asked_of(models.Conv1dNet, noise(2, 2, 9))
    assert grids(asked) == {"conv": (9,), "relu": (9,)}
    turned = asked_of(lambda: models.Conv1dNet(True), noise(2, 9, 2))
    assert grids(turned) == {"conv": (9,), "relu": (9,)}


@pytest.mark.parametrize(
    ("make", "sample"),
    [
        (models.MLP, noise(3, 6)),
        (models.SequenceLSTM, noise(3, 7, 3)),  # which is read at its last step
    ],
)
def test_there_may_be_none(make: Any, sample: Any) -> None:
    asked = asked_of(make, sample)
    assert spatial_layers(asked) == ()
    assert default_layer(asked) is None


class ReadAt(nn.Module):
    """Token ids, two linear layers with a norm between them; read at one token or at all."""

    def __init__(self, read: str, front: int = 0, wide: int = 8) -> None:
        super().__init__()
        self.read, self.front = read, nn.Parameter(torch.randn(1, front, 4))
        self.embed = nn.Embedding(20, 4)
        self.first, self.norm = nn.Linear(4, wide), nn.LayerNorm(wide)
        self.last = nn.Linear(wide, wide)
        self.mix = nn.Linear(5 + front, 5 + front)
        self.head = nn.Linear(wide, 3)

    def forward(self, ids: Tensor) -> Tensor:
        """Give logits (N, 3)."""
        x = self.embed(ids)
        x = torch.cat([self.front.expand(len(x), -1, -1), x], 1)
        x = self.norm(self.first(x).relu())
        x = self.last(x + self.mix(x.transpose(1, 2)).transpose(1, 2))
        logits: Tensor = self.head(x[:, 0] if self.read == "first" else x.mean(1))
        return logits


@pytest.mark.parametrize("front", [0, 1])
def test_the_tokens_of_a_text_are_places(front: int) -> None:
    """Where more than one of them reaches the score; the embedding is the input itself."""
    asked = asked_of(lambda: ReadAt("mean", front), ids(2, 5))
    assert grids(asked) == {"first": (5,), "norm": (5,), "last": (5,)}
    assert default_layer(asked) == "last"
    assert spatial_layer(asked, "last") == SpatialLayer(
        "last", "Linear", (5 + front, 8), (5,), True, front
    )
    # One feature more than there are tokens, turned round, is no row of tokens with a class token.
    turned = asked_of(lambda: ReadAt("mean", 0, 6), ids(2, 5))
    assert grids(turned) == {"first": (5,), "norm": (5,), "last": (5,)}
    # Read at one token, the last layer tells of no other one.
    assert grids(asked_of(lambda: ReadAt("first", front), ids(2, 5))) == {
        "first": (5,),
        "norm": (5,),
    }


@pytest.mark.parametrize("front", [0, 1])
@pytest.mark.parametrize("layer", ["norm", "last"])
def test_the_map_over_tokens_by_hand(layer: str, front: int) -> None:
    """Grad-CAM, Σ_k mean_t(g_tk) A_tk, and LayerCAM, with plain hooks; a class token left out."""
    torch.manual_seed(0)
    model = ReadAt("mean", front).eval()
    sample = ids(2, 5)
    question = Question(model, sample)
    kept: list[Tensor] = []
    handle = getattr(model, layer).register_forward_hook(lambda m, a, out: kept.append(out))
    score = model(sample[1:2])[0, 2]
    handle.remove()
    (gradient,) = torch.autograd.grad(score, kept[0])
    of_places = kept[0][0, front:].detach(), gradient[0, front:]
    grad_cam = (of_places[0] * of_places[1].mean(0)).sum(1)
    layer_cam = (of_places[0] * of_places[1].relu()).sum(1).relu()
    asked = question.ask(1, 2)
    for method, expected in (("grad_cam", grad_cam), ("layer_cam", layer_cam)):
        found = explain(asked, method, question=question, layer=layer)
        np.testing.assert_allclose(found.arrays[0], expected.numpy(), rtol=1e-5, atol=1e-7)
        assert found.arrays[0].shape == (5,)


def test_guided_grad_cam_of_tokens_is_refused_with_a_reason() -> None:
    """captum would take the tokens for channels."""
    net = nn.Sequential(
        nn.Embedding(20, 4), nn.Linear(4, 6), nn.ReLU(), nn.Flatten(), nn.Linear(30, 2)
    )
    question = Question(net.eval(), ids(2, 5))
    found = applicable(question)
    assert {"grad_cam", "guided_backprop"} <= set(found.methods)
    assert found.unavailable["guided_grad_cam"][0] == "explain.why.guided_tokens"
    with pytest.raises(Refusal, match="the tokens stand there"):
        explain(question.ask(0, 0), "guided_grad_cam", question=question)


def test_a_layer_that_cannot_be_drawn_is_said() -> None:
    asked = asked_of(models.SmallCNN, noise(2, 3, 8, 8))
    with pytest.raises(Refusal, match="nearest name is conv2"):
        spatial_layer(asked, "conv_2")
    with pytest.raises(Refusal, match=r"head keeps no places.*relu2"):
        spatial_layer(asked, "head")
    asked.root.conv2.bias.data.zero_()  # type: ignore[union-attr,operator]
    assert all(not module._forward_hooks for module in asked.root.modules())


def test_no_hook_is_left_when_the_model_raises() -> None:
    asked = asked_of(models.SmallCNN, noise(2, 3, 8, 8))
    asked.root.head = nn.Linear(3, 2)
    with pytest.raises(RuntimeError):
        spatial_layers(asked)
    assert all(not module._forward_hooks for module in asked.root.modules())


def test_asking_again_costs_no_run() -> None:
    asked = asked_of(models.SmallCNN, noise(2, 3, 8, 8))
    first = spatial_layers(asked)
    runs: list[int] = []
    handle = asked.root.register_forward_hook(lambda *_: runs.append(1))
    assert spatial_layers(asked) == first
    assert default_layer(asked) == "relu2"
    assert spatial_layer(asked, "conv1").grid == (8, 8)
    assert not runs
    other = Question(asked.root, noise(2, 3, 12, 12)).ask(1, 2)
    assert default_layer(other) == "relu2"
    assert grids(other)["conv1"] == (12, 12)
    assert runs
    handle.remove()
