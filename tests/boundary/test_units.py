"""Hidden units: small surfaces of a layer, and one of them large."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets.probe.blocks import decode
from tests.boundary.conftest import (
    Make,
    asked,
    at_any_price,
    click,
    cloud,
    finished,
    grid,
    look,
    part,
    places,
    refused,
)
from tests.every_step import keep_every_step
from tests.live.doubles import install_browser
from tests.training import Training


def small(plot: DecisionBoundaryPlot) -> tuple[dict[str, Any], np.ndarray]:
    """The small surfaces, in the units' own numbers."""
    meta, arrays = part(plot, "_units")
    values = [
        decode(codes, float(low), float(high))
        for codes, low, high in zip(arrays["values"], arrays["low"], arrays["high"], strict=True)
    ]
    return meta, np.stack(values)


@pytest.mark.parametrize("layer", ["0", "1", "3"])
def test_units_are_what_the_layer_gives(make: Make, training: Training, layer: str) -> None:
    net = training.model
    assert isinstance(net, nn.Sequential)
    plot = make(net, training.x, training.y)
    found = plot.units(layer)
    given = asked(net[: int(layer) + 1], grid(found.x, found.y))
    count = given.shape[1]
    assert (found.count, found.units) == (count, tuple(range(count)))
    np.testing.assert_allclose(
        found.values, given.T.reshape(count, len(found.y), len(found.x)), atol=1e-5
    )
    finished(plot)
    meta, values = small(plot)
    assert (meta["layer"], meta["state"], meta["count"]) == (layer, "ready", count)
    left, right, bottom, top = part(plot, "_surface")[0]["rectangle"]
    rows = grid(np.linspace(left, right, 24), np.linspace(bottom, top, 24))
    given = asked(net[: int(layer) + 1], rows).T.reshape(count, 24, 24)
    half = 0.5 * 2 * np.abs(given).max() / 250
    np.testing.assert_allclose(values, given, atol=half + 1e-4)


def test_some_units(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    found = plot.units("0", [3, 1])
    assert found.units == (3, 1)
    whole = plot.units("0")
    np.testing.assert_allclose(found.values[0], whole.values[3])
    for units in ([12], [-1], ["a"], 3):
        refused(lambda units=units: plot.units("0", units))
    for layer in ("9", "", 0, None):
        refused(lambda layer=layer: plot.units(layer))


def test_one_unit_large(make: Make, training: Training) -> None:
    net = training.model
    assert isinstance(net, nn.Sequential)
    plot = make(net, training.x, training.y)
    click(plot, "units", layer="1")
    click(plot, "unit", unit=5)
    finished(plot)
    meta, arrays = part(plot, "_units")
    assert meta["large"] == 5
    values = decode(arrays["large"], meta["large_low"], meta["large_high"])
    assert min(values.shape) >= 24
    left, right, bottom, top = part(plot, "_surface")[0]["rectangle"]
    rows = grid(
        np.linspace(left, right, values.shape[1]), np.linspace(bottom, top, values.shape[0])
    )
    half = 0.5 * (meta["large_high"] - meta["large_low"]) / 250
    np.testing.assert_allclose(values.ravel(), asked(net[:2], rows)[:, 5], atol=half + 1e-5)
    click(plot, "unit", unit=12)  # there is none
    assert part(plot, "_units")[0]["large"] == 5
    click(plot, "unit", unit=None)
    finished(plot)
    assert part(plot, "_units")[0]["large"] is None
    click(plot, "units", layer=None)
    meta, arrays = part(plot, "_units")
    assert (meta["state"], meta["layer"], arrays) == ("none", None, {})


def test_another_layer_has_other_units(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    click(plot, "units", layer="0")
    click(plot, "unit", unit=11)
    finished(plot)
    click(plot, "units", layer="3")
    finished(plot)
    meta, _ = part(plot, "_units")
    assert (meta["layer"], meta["count"], meta["large"]) == ("3", 3, None)
    click(plot, "units", layer="nothing")
    assert part(plot, "_units")[0]["layer"] == "3"
    assert plot._error is None


def test_feature_maps_are_their_mean(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Unflatten(1, (1, 1, 2)), nn.Conv2d(1, 3, (1, 1)), nn.Flatten(), nn.Linear(6, 2)
    )
    x, y = cloud(classes=2)
    plot = make(model, x, y)
    found = plot.units("1")
    given = asked(model[:2], grid(found.x, found.y)).mean((2, 3))
    np.testing.assert_allclose(found.values.reshape(3, -1), given.T, atol=1e-6)


def test_a_layer_that_cannot_be_drawn_is_one_line(make: Make) -> None:
    class Sums(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.sum(0)

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sums = Sums()
            self.out = nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            self.sums(x)
            return self.out(x)

    model = Odd()
    x, y = cloud(classes=2)
    plot = make(model, x, y)
    assert "one row for each point" in refused(lambda: plot.units("sums"))
    click(plot, "units", layer="sums")
    finished(plot)
    meta, _ = part(plot, "_units")
    assert meta["state"] == "failed"
    assert "one row for each point" in meta["problem"]
    assert part(plot, "_surface")[0]["state"] == "ready"


def test_units_follow_the_training(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = training.model
    assert isinstance(net, nn.Sequential)
    install_browser(monkeypatch)
    plot = make(net, training.x, training.y)
    look(plot)
    finished(plot)
    click(plot, "units", layer="1")
    finished(plot)
    at_any_price(plot, monkeypatch)
    keep_every_step(plot, monkeypatch)
    plot.session.loop_began()
    seen = set()
    for _ in range(6):
        training.step()
        seen.add(part(plot, "_units")[0]["step"])
    assert len(seen) > 3
    plot.session.loop_ended("finished")
    finished(plot)
    meta, values = small(plot)
    assert meta["step"] == 6
    x, y = places(plot)
    rows = grid(np.linspace(x[0], x[-1], 24), np.linspace(y[0], y[-1], 24))
    given = asked(net[:2], rows).T.reshape(12, 24, 24)
    np.testing.assert_allclose(values, given, atol=1 / 250 + 1e-4)
