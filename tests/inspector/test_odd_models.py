"""Odd but legitimate models: each tab says something true, and nothing raises or changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets import LayerInspector
from nnwidgets._inspector_scene import TABS


def _tour(inspector: LayerInspector, layer: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    inspector.selected = layer
    for inspector.tab in TABS:
        inspector._at_rest(inspector._look)
        found[inspector.tab] = [(b.kind, b.title, b.arrays) for b in inspector._blocks]
        assert found[inspector.tab], inspector.tab
        assert not inspector._error, inspector.tab
    return found


def test_what_runs_inside_vmap_is_seen_for_all_samples() -> None:
    class Mapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = torch.vmap(self.net, in_dims=1)(x.T)
            return result

    torch.manual_seed(0)
    model, x = Mapped(), torch.randn(5, 3)
    with LayerInspector(model, x) as inspector:
        _tour(inspector, "net")
        wanted = (x @ model.net.weight.T + model.net.bias).detach()
        np.testing.assert_allclose(inspector.activations("net"), wanted, atol=1e-6)
        best = inspector.best_samples("net", 1)
        assert best.indices[0] == int(wanted[:, 1].argmax())


def test_a_model_on_the_meta_device_is_said_to_have_no_weights() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with LayerInspector(model, torch.randn(5, 3, device="meta")) as inspector:
        said = _tour(inspector, "0")
        assert said["contributions"][0][1][0] == "explain.meta_model"
        for ask in (
            lambda: inspector.stats("0"),
            lambda: inspector.stats("0", "weight"),
            lambda: inspector.weights("0"),
            lambda: inspector.activations("0"),
            lambda: inspector.best_samples("0", 0),
            lambda: inspector.feature("0", 0),
            lambda: inspector.ablate("0"),
        ):
            with pytest.raises(ValueError, match="has no weights yet"):
                ask()  # type: ignore[no-untyped-call]


def test_a_sparse_input_is_read_like_a_dense_one() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(3, 2, bias=False), torch.randn(5, 3)
    model = nn.Sequential(layer)
    with LayerInspector(model, (x.to_sparse(),)) as inspector:
        _tour(inspector, "0")
        terms = inspector.contributions("0", 1)
        np.testing.assert_allclose(terms, (x[0] * layer.weight[1]).detach(), atol=1e-6)
        values = (x @ layer.weight.T)[:, 1]
        assert inspector.best_samples("0", 1).indices[0] == int(values.argmax())
        with pytest.raises(ValueError, match="dense tensors"):
            inspector.feature("0", 0)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_a_nested_input() -> None:
    given = torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(4, 3)])
    model = nn.Sequential(nn.Linear(3, 2))
    with LayerInspector(model, (given,)) as inspector:
        inspector.sample_index = 1
        _tour(inspector, "0")


def test_a_scripted_layer_says_why_it_cannot_be_seen() -> None:
    scripted: nn.Module = torch.jit.trace(nn.Linear(3, 4), torch.randn(1, 3))  # type: ignore[no-untyped-call]
    model = nn.Sequential(scripted, nn.Linear(4, 2))
    with LayerInspector(model, torch.randn(5, 3)) as inspector:
        _tour(inspector, "0")
        for ask in (
            lambda: inspector.best_samples("0", 0),
            lambda: inspector.feature("0", 0),
            lambda: inspector.ablate("0"),
        ):
            with pytest.raises(ValueError, match="scripted"):
                ask()  # type: ignore[no-untyped-call]
