"""A parameter group that is added in the middle of a run: seen, steered, scheduled like others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import TrainingMonitor
from tests.monitor.conftest import Make


class Unfrozen:
    """A head that trains alone, and a body that is given to the optimiser later."""

    def __init__(self, lr: float | torch.Tensor = 0.1) -> None:
        torch.manual_seed(0)
        self.body, self.head = nn.Linear(3, 3), nn.Linear(3, 1)
        self.body.requires_grad_(False)
        self.model = nn.Sequential(self.body, self.head)
        self.optimizer = torch.optim.SGD(self.head.parameters(), lr=lr)

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.model(torch.ones(4, 3)).square().mean().backward()
        self.optimizer.step()

    def unfreeze(self, lr: float) -> None:
        self.body.requires_grad_(True)
        self.optimizer.add_param_group({"params": list(self.body.parameters()), "lr": lr})


def rates(monitor: TrainingMonitor) -> dict[str, tuple[list[int], list[float]]]:
    return {
        name: (series.steps.tolist(), series.values.tolist())
        for name, series in monitor.history.items()
        if name.startswith("learning_rate")
    }


def test_the_rate_of_a_group_that_comes_later_is_a_series_of_its_own(make: Make) -> None:
    run = Unfrozen()
    monitor = make(run.model, run.optimizer)
    for _ in monitor.track(range(5)):
        run.step()
    run.unfreeze(0.01)
    for _ in monitor.track(range(5)):
        run.step()
    assert rates(monitor)["learning_rate/1"] == ([6], [0.01])
    assert rates(monitor)["learning_rate"] == ([1], [0.1])  # what was seen before stays readable


@pytest.mark.parametrize("factor", [0.5, 10.0])
def test_it_is_scaled_by_the_slider(make: Make, factor: float) -> None:
    run, twin = Unfrozen(), Unfrozen()
    monitor = make(run.model, run.optimizer)
    monitor.lr_scale = factor
    for number in range(6):
        for one in (run, twin):
            if number == 3:
                one.unfreeze(0.01)
        # The twin is trained without us, at the rates that the slider stands for.
        for group, rate in zip(twin.optimizer.param_groups, (0.1, 0.01), strict=False):
            group["lr"] = rate * factor
        run.step()
        twin.step()
    for mine, its in zip(run.model.parameters(), twin.model.parameters(), strict=True):
        assert torch.equal(mine, its)
    assert [group["lr"] for group in run.optimizer.param_groups] == [0.1, 0.01]
    assert rates(monitor)["learning_rate/1"] == ([4], [0.01 * factor])
    monitor.lr_scale = 1.0
    run.step()
    assert rates(monitor)["learning_rate/1"] == ([4, 7], [0.01 * factor, 0.01])


def test_the_groups_of_an_optimizer_with_a_name(make: Make) -> None:
    run = Unfrozen()
    monitor = make(run.model, {"g": run.optimizer})
    run.step()
    run.unfreeze(0.01)
    run.step()
    assert rates(monitor)["learning_rate/g"] == ([1], [0.1])
    assert rates(monitor)["learning_rate/g/1"] == ([2], [0.01])


def test_both_groups_follow_their_scheduler(make: Make) -> None:
    run = Unfrozen()
    monitor = make(run.model, run.optimizer)
    run.step()
    run.unfreeze(0.01)
    schedule = torch.optim.lr_scheduler.ExponentialLR(run.optimizer, 0.5)
    for _ in range(3):
        run.step()
        schedule.step()
    found = rates(monitor)
    np.testing.assert_allclose(found["learning_rate/1"][1], [0.01, 0.005, 0.0025])
    assert found["learning_rate/1"][0] == [2, 3, 4]
    # The first group goes on under the name that it began with.
    np.testing.assert_allclose(found["learning_rate"][1], [0.1, 0.05, 0.025])
    assert found["learning_rate"][0] == [1, 3, 4]
    assert set(found) == {"learning_rate", "learning_rate/1"}


def test_a_rate_in_a_tensor(make: Make) -> None:
    run = Unfrozen(torch.tensor(0.1))
    monitor = make(run.model, run.optimizer)
    monitor.lr_scale = 2.0
    run.step()
    run.unfreeze(0.01)
    run.step()
    assert rates(monitor)["learning_rate/1"] == ([2], [0.02])
    assert run.optimizer.param_groups[0]["lr"].item() == pytest.approx(0.1)


def test_a_group_that_goes_again(make: Make) -> None:
    """As some do who freeze the body again; nothing may raise or be mixed up."""
    run = Unfrozen()
    monitor = make(run.model, run.optimizer)
    run.step()
    for lr in (0.01, 0.02):
        run.unfreeze(lr)
        run.step()
        del run.optimizer.param_groups[1]
        run.step()
    assert rates(monitor)["learning_rate/1"] == ([2, 4], [0.01, 0.02])
    assert monitor._error is None
