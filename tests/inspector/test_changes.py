"""A model that changes while it is inspected, and models that are not quite models."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import traitlets as t
from torch import nn

from nnwidgets import LayerInspector
from nnwidgets._inspector_tabs import TABS
from nnwidgets.live import wire
from tests.inspector.conftest import Make
from tests.training import Training


def rows(inspector: LayerInspector) -> list[dict[str, Any]]:
    """What the browser is told of the tree."""
    inspector.flush()
    return wire.unpack(inspector._tree)[0]["rows"]  # type: ignore[no-any-return]


def test_layers_follow_the_model(make: Make) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    inspector = make(model, torch.randn(2, 3))
    assert [row["name"] for row in rows(inspector)] == ["0", "1", "2"]
    model.append(nn.Linear(2, 5))
    assert [layer.name for layer in inspector.layers] == ["0", "1", "2", "3"]
    assert inspector.layers[3].output_shape == (2, 5)
    assert [row["name"] for row in rows(inspector)] == ["0", "1", "2", "3"]
    assert "3" in inspector.summary()
    model[0].requires_grad_(False)
    assert not inspector.layers[0].trainable
    model[2] = nn.Linear(4, 2, bias=False)
    assert inspector.layers[2].n_params == 8
    assert rows(inspector)[2]["params"] == 8


def test_lazy_modules_get_their_sizes(make: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
    inspector = make(model)
    assert sum(layer.n_params for layer in inspector.layers) == 0
    model(torch.ones(2, 3))
    assert [layer.n_params for layer in inspector.layers] == [16, 0, 10]


def test_a_layer_that_is_no_longer_there_is_said(make: Make) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    inspector = make(model, torch.randn(2, 3))
    inspector.selected = "2"
    inspector.flush()
    del model[2]
    inspector.refresh()
    for tab in TABS:
        inspector.tab = tab
        inspector.flush()
        head = wire.unpack(inspector._layer)[0]
        assert (head["name"], head["tab"]) == ("2", tab)
        assert "no layer 2" in head["blocks"][0]["text"]
    assert inspector._error is None
    inspector.selected = "0"


def test_a_picture_that_fails_is_not_taken_for_the_one_before(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector = make(training.model, training.x[:5])
    inspector.selected = "6"
    inspector.flush()

    def wrong(*args: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("nnwidgets._inspector_looking.blocks_of", wrong)
    inspector.selected = "4"
    inspector.flush()
    head = wire.unpack(inspector._layer)[0]
    assert head["name"] == "4"
    assert "planted" in head["blocks"][0]["text"]
    assert "planted" in (inspector._error or "")


def test_what_was_known_of_a_model_stays_when_it_is_gone(make: Make, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2))
    inspector = make(model, torch.randn(2, 3))
    assert len(inspector.layers) == 1
    del model
    gc.collect()
    for call in (inspector.refresh, lambda: inspector.stats("0"), lambda: inspector.figure()):
        with pytest.raises(ValueError, match="no longer exists"):
            call()
    assert len(inspector.layers) == 1
    assert "Linear" in inspector.summary()
    inspector.save_html(tmp_path / "page.html")


def test_a_model_that_was_never_looked_at_and_is_gone(make: Make) -> None:
    inspector = make(nn.Sequential(nn.Linear(3, 2)))
    gc.collect()
    with pytest.raises(ValueError, match="no longer exists"):
        _ = inspector.layers


def test_a_module_without_its_beginning_is_refused_before_anything_changes() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            pass

    layer = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with pytest.raises(TypeError, match=r"super\(\).__init__\(\) first"):
        LayerInspector(Half(), optimizer=optimizer)
    assert not optimizer._optimizer_step_post_hooks


def test_a_scripted_model_shows_what_can_be_seen(make: Make, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.jit.script(nn.Sequential(nn.Linear(3, 4), nn.ReLU()))
    inspector = make(model, torch.randn(2, 3))
    assert inspector.selected == "0"
    for tab in TABS:
        inspector.tab = tab
        inspector.flush()
        assert wire.unpack(inspector._layer)[0]["blocks"], tab
    assert inspector._error is None
    weight = dict(model.named_parameters())["0.weight"]
    np.testing.assert_array_equal(inspector.weights("0"), weight.detach())
    with pytest.raises(ValueError, match="scripted"):
        inspector.activations("0")
    inspector.save_html(tmp_path / "page.html")


def test_a_layer_that_is_there_but_not_shown_is_not_said_to_be_missing(make: Make) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    inspector = make(model, torch.randn(2, 3), layers=["1"])
    with pytest.raises(t.TraitError, match="not shown"):
        inspector.selected = "0"
    assert inspector.stats("0").shape == (2, 4)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.bfloat16, torch.complex64])
def test_weights_of_every_type(make: Make, dtype: torch.dtype) -> None:
    model = nn.Module()
    model.layer = nn.Module()
    values = torch.tensor([[0.5, -1.0], [2.0, 0.0]])
    model.layer.weight = nn.Parameter(values.to(dtype), requires_grad=False)
    inspector = make(model)
    np.testing.assert_array_equal(inspector.weights("layer"), values.numpy())


def test_sparse_weights_and_gradients(make: Make) -> None:
    model = nn.Sequential(nn.Embedding(5, 2, sparse=True))
    inspector = make(model, torch.tensor([[1, 2]]))
    model(torch.tensor([[1, 2]])).sum().backward()
    assert inspector.stats("0", "gradient").max == 1.0


def test_the_cursor_at_the_newest_step_shows_the_newest_weights(
    training: Training, make: Make
) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.session.sampling.want()
    for _ in range(6):
        training.step()
    inspector.session.control.end("finished")
    assert inspector._snapshots.steps
    assert inspector._snapshots.steps[-1] < 6
    inspector.session.set_cursor(6)
    inspector.flush()
    head = wire.unpack(inspector._layer)[0]
    assert (head["step"], head["source"]) == (6, "probe")


def test_the_training_batch_is_of_the_step_it_was_seen_in(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.selected = "6"
    training.step()
    inspector._receive(
        {"type": "request", "id": 1, "action": "source", "args": {"source": "batch"}}, []
    )
    while inspector._newest is None or inspector._newest.batch is None:
        training.step()
    seen = inspector._newest.step
    inspector.session.sampling.remove(inspector._watch)  # what follows is not looked into
    for _ in range(3):
        training.step()
    inspector.session.control.end("finished")
    inspector._click_refresh()
    inspector.flush()
    head = wire.unpack(inspector._layer)[0]
    assert (head["source"], head["step"]) == ("batch", seen)
    assert inspector.session.step > seen
