"""Ways to several models: those that cannot tell say so; they are chosen, left, taken again."""

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
    click,
    cloud,
    finished,
    grid,
    part,
    places,
    refused,
    shown,
    small_net,
    softmax,
)
from tests.boundary.test_uncertainty import nets
from tests.training import Training


def is_alone(plot: DecisionBoundaryPlot, model: nn.Module, words: str) -> None:
    """The model alone is shown, and it is said why."""
    finished(plot)
    meta, values = shown(plot)
    assert (meta["members"], meta["state"]) == (0, "ready")
    assert any(words in note for note in meta["notes"])
    shares = softmax(asked(model, grid(*places(plot))))
    np.testing.assert_allclose(values.ravel(), shares.max(1), atol=0.5 / 250)
    assert plot._error is None
    found = plot.surface()
    assert found.epistemic is None
    np.testing.assert_allclose(
        found.probabilities.ravel(),
        softmax(asked(model, grid(found.x, found.y))).T.ravel(),
        atol=1e-6,
    )
    assert words in plot.status


def test_no_dropout(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Dropout(0.0), nn.Linear(4, 3))
    plot = make(model, *cloud(), uncertainty="mc_dropout")
    is_alone(plot, model, "no dropout module")
    ways = {one["name"]: one["problem"] for one in part(plot, "_choices")[0]["uncertainties"]}
    assert "no dropout module" in ways["mc_dropout"]
    assert ways["laplace"] is None


@pytest.mark.parametrize("members", [0, 1])
def test_one_member_only(make: Make, training: Training, members: int) -> None:
    kept = nets(1)[:members]
    try:
        plot = make(training.model, training.x, training.y, uncertainty=kept)
    except ValueError as problem:
        said = str(problem)
    else:
        is_alone(plot, training.model, "disagree with itself")
        return
    assert "two models" in said or "model" in said


def test_no_snapshots_yet(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y, uncertainty="snapshots")
    is_alone(plot, training.model, "train on")


def test_no_last_linear_layer(make: Make) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.randn(2, 3))

        def forward(self, x: Any) -> Any:
            return x @ self.weights

    torch.manual_seed(0)
    model = Odd()
    plot = make(model, *cloud(), uncertainty="laplace")
    is_alone(plot, model, "No linear layer")


def test_members_of_different_shapes(make: Make, training: Training) -> None:
    odd = [small_net(3), small_net(4)]
    plot = make(training.model, training.x, training.y, uncertainty=odd)
    finished(plot)
    meta, _ = part(plot, "_surface")
    assert meta["state"] == "failed"
    assert "different questions" in meta["problem"]
    assert "different questions" in refused(plot.surface)
    assert plot._error is None


def test_ways_are_clicked_and_set(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    with pytest.raises(Exception, match="one model alone"):
        plot.view = "epistemic"
    click(plot, "uncertainty", uncertainty="mc_dropout")
    plot.view = "epistemic"
    finished(plot)
    assert shown(plot)[0]["view"] == "epistemic"
    assert plot.uncertainty == "mc_dropout"
    found = plot.surface()
    assert found.epistemic is not None
    np.testing.assert_allclose(
        decode(part(plot, "_surface")[1]["value"], 0.0, part(plot, "_surface")[0]["high"]),
        found.epistemic,
        atol=found.epistemic.max() / 250,
    )
    plot.uncertainty = None
    finished(plot)
    assert plot.view == "entropy"
    assert part(plot, "_surface")[0]["members"] == 0
    for way in ("ensemble", "swag", 3):
        refused(lambda way=way: setattr(plot, "uncertainty", way))
    assert plot.uncertainty is None


def test_members_are_asked_as_they_are_now_and_left_alone(make: Make, training: Training) -> None:
    ensemble = nets(2)
    for net in ensemble:
        net.train()
    plot = make(training.model, training.x, training.y, uncertainty=ensemble)
    plot.surface()
    with torch.no_grad():
        for net in ensemble:
            for value in net.parameters():
                value.mul_(-1.5)
    found = plot.surface()
    mean = np.mean([softmax(asked(net, grid(found.x, found.y))) for net in ensemble], axis=0)
    np.testing.assert_allclose(
        np.moveaxis(found.probabilities, 0, -1).reshape(-1, 3), mean, atol=1e-6
    )
    assert all(net.training for net in ensemble)
    assert not any(one._forward_hooks for net in ensemble for one in net.modules())


def test_a_way_that_is_left_and_taken_again(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    finished(plot)
    for way in ("mc_dropout", None, "mc_dropout", "laplace", "mc_dropout"):
        plot.uncertainty = way
        finished(plot)
        meta, _ = part(plot, "_surface")
        assert (meta["state"], meta["members"] > 0) == ("ready", way is not None)


def test_a_place_that_is_left_and_come_back_to(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y, uncertainty="mc_dropout")
    finished(plot)
    whole = part(plot, "_surface")[1]["value"]
    for wait in (True, False):
        click(plot, "zoom", rectangle=[0, 1, 0, 1])
        if wait:
            finished(plot)
        click(plot, "zoom", rectangle=None)
        finished(plot)
        meta, arrays = part(plot, "_surface")
        assert (meta["state"], meta["members"]) == ("ready", 30)
        np.testing.assert_array_equal(arrays["value"], whole)


def test_a_way_that_is_given_up_before_it_is_there(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    for _ in range(3):
        click(plot, "uncertainty", uncertainty="mc_dropout")
        click(plot, "uncertainty", uncertainty=None)
        finished(plot)
        meta, values = shown(plot)
        assert (meta["members"], meta["state"]) == (0, "ready")
        shares = softmax(asked(training.model, grid(*places(plot)))).max(1)
        np.testing.assert_allclose(values.ravel(), shares, atol=0.5 / 250)
