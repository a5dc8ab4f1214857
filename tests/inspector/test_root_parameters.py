"""Parameters that the model itself owns: reachable like those of any layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import traitlets as t
from torch import Tensor, nn
from torch.nn import functional as F

from nnwidgets import LayerInspector
from nnwidgets.live import wire


class Placed(nn.Module):
    """Learned positions and a scale of its own, and one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.pos = nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4))
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fc(x + self.pos).mean(1) * self.scale
        return result


@pytest.fixture
def model() -> Placed:
    torch.manual_seed(0)
    return Placed()


X, Y = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(1)), torch.randn(6, 2)


def _tree(inspector: LayerInspector) -> list[dict[str, Any]]:
    inspector.flush()
    rows: list[dict[str, Any]] = wire.unpack(inspector._tree)[0]["rows"]
    return rows


def _look(inspector: LayerInspector, tab: str) -> dict[str, list[Any]]:
    inspector.tab = tab
    inspector._at_rest(inspector._look)
    found: dict[str, list[Any]] = {}
    for block in inspector._blocks:
        found.setdefault(block.kind, []).append(block)
    return found


def test_the_model_has_a_row_and_its_weights_are_drawn(model: Placed) -> None:
    with LayerInspector(model, X) as inspector:
        assert [info.name for info in inspector.layers] == ["fc"]  # the modules below the root
        assert inspector.selected == "fc"
        model_row, row = _tree(inspector)
        assert (model_row["name"], model_row["label"]) == ("", "Placed")
        assert (model_row["params"], model_row["trainable"]) == (13, "all")
        assert (model_row["parent"], row["parent"]) == (-1, -1)
        assert sum(r["params"] for r in (model_row, row)) == sum(
            p.numel() for p in model.parameters()
        )
        inspector.selected = ""
        weights = _look(inspector, "weights")
        (matrix,) = weights["matrix"]
        shown = matrix.arrays["pixels"].astype(np.float64)
        # A signed map: its codes rise with the numbers.
        wanted = model.pos.detach().numpy()
        assert shown.shape == wanted.shape
        assert np.corrcoef(shown.ravel(), wanted.ravel())[0, 1] > 0.999
        assert inspector.figure() is not None


def test_gradients_and_history(model: Placed) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with LayerInspector(model, X, optimizer=optimizer, budget=0.5) as inspector:
        inspector.selected = ""
        before = model.pos.detach().clone()
        norms: list[float] = []
        means: list[float] = []
        for _ in range(3):
            inspector.session.look_into_next_step()
            optimizer.zero_grad()
            F.mse_loss(model(X), Y).backward()  # type: ignore[no-untyped-call]
            own = [model.pos.grad, model.scale.grad]
            norms.append(float(torch.stack([g.norm() for g in own if g is not None]).norm()))
            optimizer.step()
            means.append(float(model.pos.detach().mean()))
        assert not torch.equal(before, model.pos)
        gradient = _look(inspector, "gradients")
        (matrix,) = gradient["matrix"]
        assert model.pos.grad is not None
        assert (
            np.corrcoef(
                matrix.arrays["pixels"].ravel().astype(float), model.pos.grad.numpy().ravel()
            )[0, 1]
            > 0.999
        )
        # Norm of the gradients of its own parameters, and what the update did to them.
        newest = inspector._newest
        assert newest is not None
        row = newest.row("")
        assert row is not None
        assert newest.of_layers(newest.layers.grad_norm)[row] == pytest.approx(
            norms[newest.step - 1]
        )
        weight = newest.summary("", "weight")
        assert weight is not None
        assert weight.mean == pytest.approx(means[newest.step - 1], abs=1e-6)
        seen = newest.summary("", "activation")
        assert seen is not None
        assert seen.shape == (6, 2)
        assert bool(newest.final[row])
        history = _look(inspector, "history")
        assert "ridge" in history
        assert not inspector._error


def test_the_training_batch_of_the_model_itself(model: Placed) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with LayerInspector(model, X, optimizer=optimizer, budget=0.5) as inspector:
        inspector.selected = ""
        inspector._click_source("batch")
        for _ in range(4):
            inspector.session.look_into_next_step()
            model(X).sum().backward()
            optimizer.step()
        (bars,) = _look(inspector, "activations")["bars"]
        np.testing.assert_allclose(bars.arrays["values"], model(X)[0].detach(), rtol=1e-3)
        inspector._click_source("probe")
        assert inspector._watch.chosen is None


def test_every_tab_of_the_model_itself_says_something(model: Placed) -> None:
    with LayerInspector(model, X) as inspector:
        inspector._click_select("")
        for tab in ("activations", "weights", "gradients", "history", "contributions", "feature"):
            assert _look(inspector, tab), tab
            assert not inspector._error


def test_only_where_it_owns_any() -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    with LayerInspector(model, torch.zeros(2, 3)) as inspector:
        assert [row["name"] for row in _tree(inspector)] == ["0"]
        with pytest.raises(t.TraitError, match="only where it owns parameters"):
            inspector.selected = ""
    with pytest.raises(ValueError, match="there is no layer"):
        LayerInspector(model, layers=[""])


def test_it_can_be_named_and_left_out(model: Placed) -> None:
    with LayerInspector(model, X, layers=["fc"]) as inspector:
        assert [row["name"] for row in _tree(inspector)] == ["fc"]
        with pytest.raises(t.TraitError):
            inspector.selected = ""
    with LayerInspector(model, X, layers=[""]) as inspector:
        assert [row["name"] for row in _tree(inspector)] == [""]
        assert inspector.selected == ""


def test_a_saved_page_holds_it(model: Placed, tmp_path: Any) -> None:
    with LayerInspector(model, X) as inspector:
        inspector.flush()
        assert {"\nweights", "fc\nweights"} <= set(inspector.held()["pages"])


@pytest.mark.parametrize("wrap", [False, True])
def test_a_model_that_is_one_layer(wrap: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    model: nn.Module = nn.DataParallel(layer) if wrap else layer
    with LayerInspector(model, torch.randn(4, 3)) as inspector:
        assert inspector.selected == ""
        assert [row["label"] for row in _tree(inspector)] == ["Linear 3→2"]
        assert _look(inspector, "weights")["matrix"]
        assert inspector.stats("", "weight").shape == (2, 3)
