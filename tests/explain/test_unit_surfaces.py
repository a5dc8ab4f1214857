"""Surfaces of units: each against its layer called plainly at each place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.layer_rows import layer_rows, unit_rows
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.surface import grid
from nnwidgets.explain.unit_surfaces import unit_surfaces
from nnwidgets.explain.view_plane import Slice
from nnwidgets.probe.refusal import Refusal

X = np.random.default_rng(0).normal(size=(40, 2))
PLANE = Slice(X)


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, 8), nn.ReLU(inplace=True), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 2)
    ).eval()


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


@pytest.mark.parametrize("layer", ["0", "1", "2", "3", "4"])
def test_each_unit_is_what_the_layer_gives(layer: str) -> None:
    model = net()
    found = unit_surfaces(Predictor(model), PLANE, layer, resolution=(7, 5))
    places = torch.tensor(grid(found.x, found.y), dtype=torch.float32)
    with torch.no_grad():
        wanted = model[: int(layer) + 1](places).numpy()
        if layer == "0":  # not what the next layer makes of it in place
            wanted = model[0](places).numpy()
    assert found.values.shape == (wanted.shape[1], 5, 7)
    assert found.count == wanted.shape[1]
    np.testing.assert_allclose(
        found.values.reshape(found.count, -1).T, wanted, rtol=1e-5, atol=1e-6
    )
    assert hooks(model) == 0


def test_some_units_in_the_order_asked_for() -> None:
    predictor = Predictor(net())
    all_of_them = unit_surfaces(predictor, PLANE, "2")
    some = unit_surfaces(predictor, PLANE, "2", units=[5, 0])
    assert some.units == (5, 0)
    assert some.count == 6
    np.testing.assert_allclose(some.values, all_of_them.values[[5, 0]])
    few = unit_surfaces(predictor, PLANE, "2", most=3)
    assert few.units == (0, 1, 2)
    assert few.count == 6
    assert unit_surfaces(predictor, PLANE, "2", most=None).units == (0, 1, 2, 3, 4, 5)


def test_enlarged_it_is_the_same_unit() -> None:
    predictor = Predictor(net())
    small = unit_surfaces(predictor, PLANE, "3", resolution=11)
    large = unit_surfaces(predictor, PLANE, "3", units=[4], resolution=101)
    np.testing.assert_allclose(large.values[0, ::10, ::10], small.values[4], rtol=1e-4, atol=1e-6)


def test_units_that_say_nothing_are_known() -> None:
    model = net()
    with torch.no_grad():
        model.get_parameter("0.bias")[3] = -1e6
    found = unit_surfaces(Predictor(model), PLANE, "1")
    assert found.idle.tolist() == [number == 3 for number in range(8)]


def test_feature_maps_are_averaged() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 10)).eval()
    images = np.random.default_rng(0).normal(size=(20, 1, 8, 8))
    predictor = Predictor(model, shape=(1, 8, 8))
    with torch.no_grad():
        wanted = model[0](torch.tensor(images).float())
    np.testing.assert_allclose(
        unit_rows(predictor, "0", images), wanted.mean((2, 3)).numpy(), atol=1e-6
    )
    np.testing.assert_allclose(
        layer_rows(predictor, "0", images), wanted.flatten(1).numpy(), atol=1e-6
    )
    plane = Slice(images, (9, 10))
    assert unit_surfaces(predictor, plane, "0", resolution=5).values.shape == (3, 5, 5)


class Sequence_(nn.Module):
    """Takes the features as steps of a sequence."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.first = batch_first
        self.steps = nn.GRU(1, 4, batch_first=batch_first)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, None]
        out, _ = self.steps(x if self.first else x.transpose(0, 1))
        scores: Tensor = self.head(out[:, -1] if self.first else out[-1])
        return scores


@pytest.mark.parametrize("batch_first", [True, False])
def test_sequences_are_averaged_wherever_the_batch_is(batch_first: bool) -> None:
    model = Sequence_(batch_first).eval()
    with torch.no_grad():
        x = torch.tensor(X).float()[:, :, None]
        out, _ = model.steps(x if batch_first else x.transpose(0, 1))
    wanted = out.mean(1 if batch_first else 0).numpy()
    np.testing.assert_allclose(unit_rows(Predictor(model), "steps", X), wanted, atol=1e-6)


def test_the_last_call_of_a_layer_counts() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.spare = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.inner(self.inner(x))
            return found

    model = Twice().eval()
    with torch.no_grad():
        wanted = model(torch.tensor(X).float()).numpy()
    np.testing.assert_allclose(unit_rows(Predictor(model), "inner", X), wanted, atol=1e-6)
    with pytest.raises(Refusal, match="spare is not called"):
        unit_rows(Predictor(model), "spare", X)
    assert hooks(model) == 0


def test_halves_become_single_numbers() -> None:
    model = net().bfloat16()
    assert unit_rows(Predictor(model), "2", X).dtype == np.float32


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"layer": "7"}, "no layer 7"),
        ({"layer": "2", "units": [6]}, "no unit 6 in the layer 2: they go from 0 to 5"),
        ({"layer": "2", "units": [-1]}, "no unit -1"),
        ({"layer": "2", "rectangle": (0, 0, 0, 1)}, "empty or not finite"),
    ],
)
def test_what_does_not_exist_is_said(how: dict[str, Any], words: str) -> None:
    model = net()
    with pytest.raises(Refusal, match=words):
        unit_surfaces(Predictor(model), PLANE, **how)
    assert hooks(model) == 0


def test_a_layer_that_gives_one_row_for_all() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = x - self.mean(x.mean(0))
            return found

    with pytest.raises(Refusal, match=r"^The layer mean does not give one row for each point"):
        unit_rows(Predictor(Pooled()), "mean", X)


def test_no_hook_is_left_when_it_is_cancelled_or_fails() -> None:
    model = net()

    def check() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        unit_rows(Predictor(model), "2", X, check=check)
    assert hooks(model) == 0
    with pytest.raises(Refusal, match="points of size 3"):
        unit_rows(Predictor(model), "2", np.zeros((4, 3)))
    assert hooks(model) == 0
