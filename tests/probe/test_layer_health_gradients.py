"""Badges of gradients that vanish or explode, and of updates that are too large."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.probe.digit_nets import mlp, only, train
from tests.probe.stepping import clean

__all__ = ["clean"]


def test_vanishing_gradients_on_each_layer_that_is_left_behind() -> None:
    torch.manual_seed(0)
    model = mlp(nn.Sigmoid, 8)
    health, _ = train(model, 30, 2, torch.optim.SGD(model.parameters(), lr=0.01))
    badges = only(health.badges(), "vanishing")
    assert badges[0].layer == "1"
    layers = [b.layer for b in badges]
    assert layers == [str(1 + 2 * i) for i in range(len(layers))], "an unbroken run"
    assert 1 < len(layers) < 8
    assert [b.value for b in badges] == sorted(b.value for b in badges)
    assert badges[-1].value < 1e-3
    assert "1/" in badges[0].text()


def test_gradients_that_explode_with_depth() -> None:
    class Amplifies(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 20 * x - (19 * x).detach()  # the same, with twenty times the slope

    torch.manual_seed(0)
    model = mlp(Amplifies, 6)
    health, _ = train(model, 16, 2, torch.optim.SGD(model.parameters(), lr=1e-9))
    badges = only(health.badges(), "exploding")
    assert badges
    assert badges[0].layer == "1"
    assert badges[0].value > 1e3
    assert [b.value for b in badges] == sorted((b.value for b in badges), reverse=True)
    assert "near the loss" in badges[0].text()


def test_gradients_far_above_their_own_past() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU)
    factor = [1.0]

    def jump(step: int) -> None:
        factor[0] = 1.0 if step < 24 else 1e3

    optimizer = torch.optim.SGD(model.parameters(), lr=0.002)
    health, _ = train(
        model, 27, 1, optimizer, lambda out, y: F.cross_entropy(out, y) * factor[0], jump
    )
    badges = only(health.badges(), "exploding")
    assert badges
    assert {b.step for b in badges} == {24}
    assert all(b.value > 100 for b in badges)


def test_updates_that_are_too_large() -> None:
    torch.manual_seed(0)
    model = mlp(nn.ReLU)
    groups: list[dict[str, Any]] = [
        {"params": model[3].parameters(), "lr": 0.01},
        {"params": [*model[1].parameters(), *model[5].parameters()], "lr": 1e-6},
    ]
    optimizer = torch.optim.Adam(groups)

    def faster(step: int) -> None:
        optimizer.param_groups[0]["lr"] *= 2

    health, _ = train(model, 14, 1, optimizer, each=faster)
    (badge,) = only(health.badges(), "exploding")
    assert (badge.layer, badge.severity) == ("3", "warning")
    assert badge.value >= 0.3
    assert "of their size" in badge.text()
