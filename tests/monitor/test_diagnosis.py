"""Findings of a monitored run, from what was logged and what its layers showed together."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nnwidgets import TrainingMonitor
from tests.monitor.conftest import Make


def sampled_step(
    monitor: TrainingMonitor, model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor
) -> Tensor:
    """One step, with the next one sampled: of such steps in a row, every second one is."""
    monitor.session.look_into_next_step()
    optimizer.zero_grad()
    loss: Tensor = model(x).square().mean()
    loss.backward()
    optimizer.step()
    return loss


@pytest.mark.parametrize(("scale", "severity"), [(1e4, "warning"), (1.0, None)])
def test_a_monitor_says_which_layer_is_saturated(
    make: Make, scale: float, severity: str | None
) -> None:
    model = nn.Sequential(nn.Linear(8, 32), nn.Sigmoid(), nn.Linear(32, 32), nn.Sigmoid(),
                          nn.Linear(32, 2))  # fmt: skip
    with torch.no_grad():
        model[2].weight.mul_(scale)  # type: ignore[operator]
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    monitor = make(model, optimizer)
    for _ in range(16):
        monitor.log(loss=sampled_step(monitor, model, optimizer, torch.randn(64, 8)))
    found = [f for f in monitor.findings() if f.kind == "saturated"]
    assert [f.severity for f in found] == ([] if severity is None else [severity])
    for finding in found:
        assert finding.evidence["layer"] == "2"
        assert finding.step is not None
        assert finding.step <= 3  # the first step that was sampled
        assert "smaller weights" in finding.advice
        assert "饱和" in next(f for f in monitor._find("zh") if f.kind == "saturated").title


def test_units_that_die_with_the_run_are_not_a_finding_of_their_own(make: Make) -> None:
    """A third of a layer was dead before the NaN; all of it is afterwards, and so is the run."""
    model = nn.Sequential(nn.Linear(8, 30), nn.ReLU(), nn.Linear(30, 2))
    hidden = model[0]
    assert isinstance(hidden, nn.Linear)
    with torch.no_grad():
        hidden.bias.fill_(3.0)
        hidden.bias[:10] = -100.0
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    monitor = make(model, optimizer)
    x = torch.randn(64, 8)

    def dead() -> list[tuple[str, object]]:
        found = [f for f in monitor.findings() if f.kind == "dead_units"]
        return [(f.severity, f.evidence["dead"]) for f in found]

    for _ in range(24):
        monitor.log(loss=sampled_step(monitor, model, optimizer, x))
    assert dead() == [("info", 10)]
    with torch.no_grad():
        hidden.bias.fill_(-100.0)
    for _ in range(24):
        sampled_step(monitor, model, optimizer, x)
        monitor.log(loss=math.nan)
    assert monitor._samples.all()[-1].dead[0] == 30, "the samples do show it"
    assert [f.kind for f in monitor.findings()] == ["nan", "dead_units"]
    assert dead() == [("info", 10)]
