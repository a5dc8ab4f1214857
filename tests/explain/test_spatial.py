"""Spatial layers: found by their outputs, and turned into maps place by place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked
from nnwidgets.explain.question import Question
from nnwidgets.explain.spatial import (
    SpatialLayer,
    as_maps,
    default_layer,
    spatial_layer,
    spatial_layers,
)
from nnwidgets.probe.refusal import Refusal
from tests.explain import models
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
    root = models.tiny_vit()
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
        (models.SequenceLSTM, noise(3, 7, 3)),
        (models.TokenTransformer, {"input_ids": ids(2, 5)}),
    ],
)
def test_there_may_be_none(make: Any, sample: Any) -> None:
    asked = asked_of(make, sample)
    assert spatial_layers(asked) == ()
    assert default_layer(asked) is None


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
    asked.root.head = nn.Linear(3, 2)  # type: ignore[assignment]
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
