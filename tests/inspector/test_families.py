"""Every tab of every layer, on every family of models that the inspector must open."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import LayerInspector
from nnwidgets._inspector_tabs import SORTS, TABS
from nnwidgets.live import wire
from tests.inspector.conftest import Make
from tests.probe.model_families import FAMILIES

_LARGEST = 300_000  # bytes of a picture on the wire


def look_at_everything(inspector: LayerInspector) -> dict[tuple[str, str], list[str]]:
    """Show every tab of every layer; return the kinds of blocks seen."""
    seen: dict[tuple[str, str], list[str]] = {}
    for number, layer in enumerate(inspector.layers):
        inspector.selected = layer.name
        for tab in TABS:
            inspector.tab = tab
            inspector._click_sort(SORTS[number % len(SORTS)])
            inspector.flush()
            assert inspector._error is None, (layer.name, tab, inspector._error)
            head = wire.unpack(inspector._layer)[0]
            assert (head["name"], head["tab"]) == (layer.name, tab)
            assert head["blocks"], (layer.name, tab)
            assert wire.size(inspector._layer) <= _LARGEST, (layer.name, tab)
            for block in head["blocks"]:
                assert block["title"] is None or block["text"], block
                assert "{" not in block["text"], block["text"]
            seen[layer.name, tab] = [block["kind"] for block in head["blocks"]]
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_every_tab_of_every_layer(family: str, make: Make) -> None:
    torch.manual_seed(0)
    model, sample = FAMILIES[family]()
    before = {name: value.clone() for name, value in _state(model).items()}
    inspector = make(model, sample)
    seen = look_at_everything(inspector)
    assert seen
    tree = wire.unpack(inspector._tree)[0]
    named = [row for row in tree["rows"] if row["name"]]  # the others: the model itself
    assert len(named) == len(inspector.layers)
    json.dumps(tree, allow_nan=False)
    wire.unpack(inspector._graph)
    assert inspector.summary()
    for name, value in _state(model).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)


def _state(model: nn.Module) -> dict[str, Any]:
    return {
        name: value
        for name, value in model.state_dict().items()
        if isinstance(value, torch.Tensor) and not nn.parameter.is_lazy(value)
    }


def test_a_gan_pair_has_two_inspectors(make: Make) -> None:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
    critic = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    g_step = torch.optim.Adam(generator.parameters())
    c_step = torch.optim.Adam(critic.parameters())
    one = make(generator, torch.randn(4, 4), optimizer=g_step)
    two = make(critic, torch.randn(4, 8), optimizer=c_step)
    assert one.session is not two.session
    for _ in range(5):
        for inspector in (one, two):
            inspector.session.sampling.want()
            inspector.session.pulse.wake()
        c_step.zero_grad()
        fake = generator(torch.randn(16, 4))
        (critic(fake.detach()).mean() - critic(torch.randn(16, 8)).mean()).backward()
        c_step.step()
        g_step.zero_grad()
        (-critic(fake).mean()).backward()
        g_step.step()
    assert (one.session.step, two.session.step) == (5, 5)
    for inspector, layers in ((one, 3), (two, 3)):
        assert len(inspector.layers) == layers
        assert inspector.stats("0").step > 0
        look_at_everything(inspector)


def test_a_compiled_model_is_seen_through_the_probe_batch(make: Make) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    fast = torch.compile(model, backend="eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.randn(6, 4)
    inspector = make(fast, x, optimizer=optimizer)
    assert [layer.name for layer in inspector.layers] == ["0", "1", "2"]
    for _ in range(4):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        optimizer.zero_grad()
        fast(x).sum().backward()
        optimizer.step()
    with torch.no_grad():
        np.testing.assert_allclose(inspector.activations("2"), model(x).numpy(), rtol=1e-5)
    assert "compile" in inspector.status
    torch.compiler.reset()


def test_a_replicated_model_is_seen_through_the_module_inside(make: Make) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapped = nn.DataParallel(model)
    x = torch.randn(6, 4)
    inspector = make(wrapped, x, optimizer=optimizer)
    for _ in range(4):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        optimizer.zero_grad()
        wrapped(x).sum().backward()
        optimizer.step()
    with torch.no_grad():
        np.testing.assert_allclose(inspector.activations("0"), model[0](x).numpy(), rtol=1e-5)
    assert "DataParallel" in inspector.status or "replica" in inspector.status


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_half_and_double_precision(make: Make, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).to(dtype)
    sample = torch.randn(3, 1, 8, 8, dtype=dtype)
    inspector = make(model, sample)
    look_at_everything(inspector)
    with torch.no_grad():
        expected = model(sample).double().numpy()
    np.testing.assert_allclose(inspector.activations("3"), expected, rtol=1e-2, atol=1e-2)
    terms = inspector.contributions("3", 1)
    bias = model[3].bias[1].item()
    assert terms.sum() + bias == pytest.approx(expected[0, 1], rel=2e-2, abs=2e-2)
