"""Findings on curves and layers of models that were really trained, on scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, OneCycleLR, StepLR

from nnwidgets.probe.findings import Finding, curve_findings
from nnwidgets.probe.health import layer_findings
from tests.probe.real_runs import Run, mlp, train

Schedule = Callable[[optim.Optimizer], optim.lr_scheduler.LRScheduler]


def sgd(model: nn.Module, rate: float, momentum: float = 0.0) -> optim.Optimizer:
    return optim.SGD(model.parameters(), rate, momentum=momentum)


def alarms(findings: list[Finding]) -> list[str]:
    return [f.message for f in findings if f.severity != "info"]


def kinds(run: Run) -> set[str]:
    found = curve_findings(run.series) + layer_findings(run.rows, run.samples)
    return {f.kind for f in found if f.severity != "info"}


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10),
    )  # fmt: skip


HEALTHY: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], optim.Optimizer], int]] = {
    "adam": (lambda: mlp(64, 64, 10), lambda m: optim.Adam(m.parameters(), 1e-3), 20),
    "adamw": (lambda: mlp(64, 64, 10), lambda m: optim.AdamW(m.parameters(), weight_decay=1), 30),
    "deeper": (lambda: mlp(64, 64, 64, 10), lambda m: optim.Adam(m.parameters(), 1e-3), 30),
    "momentum": (lambda: mlp(64, 64, 10), lambda m: sgd(m, 0.1, 0.9), 20),
    "slow": (lambda: mlp(64, 64, 10), lambda m: sgd(m, 0.003), 20),
    "tanh": (lambda: mlp(64, 64, 64, 64, 10, activation=nn.Tanh), lambda m: sgd(m, 0.1, 0.9), 15),
    "sigmoid": (
        lambda: mlp(64, 64, 64, 10, activation=nn.Sigmoid),
        lambda m: optim.Adam(m.parameters(), 1e-2),
        15,
    ),
    "hardtanh": (
        lambda: mlp(64, 64, 64, 10, activation=nn.Hardtanh),
        lambda m: optim.Adam(m.parameters(), 1e-2),
        15,
    ),
    "cnn": (cnn, lambda m: sgd(m, 0.05, 0.9), 6),
}


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("seed", [0, 1])
def test_healthy_runs_raise_no_alarm_at_any_time(name: str, seed: int) -> None:
    make, optimise, epochs = HEALTHY[name]
    torch.manual_seed(seed)
    model = make()
    run = train(model, optimise(model), epochs=epochs, seed=seed)
    for share in (0.25, 0.5, 0.75, 1.0):
        assert alarms(curve_findings(run.until(share).series)) == []
        assert alarms(layer_findings(run.rows, run.until(share).samples)) == []


@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: CosineAnnealingWarmRestarts(o, 190),
        lambda o: OneCycleLR(o, 0.5, total_steps=570),
        lambda o: StepLR(o, 190, 0.1),
    ],
    ids=["restarts", "one cycle", "steps"],
)
def test_scheduled_runs_raise_no_alarm(schedule: Schedule) -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 10)
    optimizer = sgd(model, 0.3, 0.9)
    run = train(model, optimizer, epochs=30, scheduler=schedule(optimizer))
    for share in (0.2, 0.4, 0.6, 0.8, 1.0):
        assert alarms(curve_findings(run.until(share).series)) == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_few_samples_and_a_big_network_overfit(seed: int) -> None:
    torch.manual_seed(seed)
    model = mlp(64, 512, 512, 10)
    optimizer = optim.Adam(model.parameters(), 1e-3)
    run = train(model, optimizer, epochs=80, samples=60, batch=20, seed=seed)
    (found,) = (f for f in curve_findings(run.series) if f.kind == "overfitting")
    steps, values = run.series["val_loss"]
    assert found.step == steps[values.argmin()]
    assert found.severity == "warning"


def test_wrong_labels_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    model = mlp(64, 512, 512, 10)
    optimizer = optim.Adam(model.parameters(), 1e-3)
    run = train(model, optimizer, epochs=40, samples=300, batch=50, label_noise=0.3)
    assert "overfitting" in kinds(run)


@pytest.mark.parametrize(
    ("rate", "momentum"), [(2, 0), (5, 0), (10, 0), (50, 0), (0.5, 0.9), (1, 0.9), (2, 0.9)]
)
def test_a_rate_that_is_too_high_is_found(rate: float, momentum: float) -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 64, 10)
    run = train(model, sgd(model, rate, momentum))
    found = [f for f in curve_findings(run.series) if f.severity != "info"]
    assert {f.kind for f in found} & {"diverging", "oscillating", "underfitting"}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gradient_descent_that_jumps_across_its_valley_oscillates(seed: int) -> None:
    """Above two over the sharpness a convex loss has nowhere to settle: it jumps to and fro."""

    def descend(rate: float) -> Run:
        torch.manual_seed(seed)
        model = mlp(64, 10)
        optimizer = optim.SGD(model.parameters(), rate, weight_decay=0.005)
        return train(model, optimizer, epochs=200, batch=400, samples=400, seed=seed)

    run = descend(4.0)
    (found,) = (f for f in curve_findings(run.series) if f.severity != "info")
    newest = run.series["loss"][1][-128:]
    assert (found.kind, found.step) == ("oscillating", 72)
    assert (found.evidence["period"], found.evidence["points"]) == (2, 128)
    turns = np.diff(newest[-64:])
    assert (turns[1:] * turns[:-1] < 0).all()
    ends = np.sort([newest[-64::2].mean(), newest[-63::2].mean()])
    assert [found.evidence["low"], found.evidence["high"]] == pytest.approx(list(ends), rel=0.1)

    # What is advised helps: with half the rate it goes down in peace, and farther.
    settled = descend(2.0)
    assert curve_findings(settled.series) == []
    assert (np.diff(settled.series["loss"][1][-64:]) < 0).all()
    assert settled.series["loss"][1][-1] < ends[0]


@pytest.mark.parametrize("rate", [0.0, 1e-9])
def test_no_rate_no_learning(rate: float) -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 10)
    run = train(model, sgd(model, rate))
    (curves,) = curve_findings(run.series)
    assert (curves.kind, curves.severity, curves.step) == ("underfitting", "warning", 0)
    (layers,) = layer_findings(run.rows, run.samples)
    assert layers.key == "finding.underfitting_frozen"


def test_nan_is_traced_to_where_it_came_from() -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 64, 10)

    def spoil(step: int) -> None:
        if step == 150:
            next(model.parameters()).grad[0, 0] = float("nan")  # type: ignore[index]

    run = train(model, sgd(model, 0.1), after_backward=spoil)
    found = next(f for f in curve_findings(run.series) if f.kind == "nan")
    assert (found.step, found.severity, found.key) == (151, "error", "finding.nan_sudden")
    (layers,) = layer_findings(run.rows, run.samples)
    assert (layers.kind, layers.severity, layers.step) == ("nan", "error", 150)
    assert layers.evidence["layer"] == "0"


def test_an_enormous_rate_ends_in_nan_after_growing() -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 10, activation=nn.Identity)  # nothing that could die and stop it
    run = train(model, sgd(model, 100.0, 0.99), epochs=30)
    found = [f for f in curve_findings(run.series) if f.kind in ("nan", "diverging")]
    assert found
    assert found[0].severity == "error"


def test_deep_sigmoids_vanish() -> None:
    torch.manual_seed(0)
    model = mlp(*[64] * 10, 10, activation=nn.Sigmoid)
    run = train(model, sgd(model, 0.1, 0.9))
    found = next(f for f in layer_findings(run.rows, run.samples) if f.kind == "vanishing")
    assert found.severity == "warning"
    assert found.evidence["layer"] == "0"
    assert found.evidence["ratio"] < 1e-5
    assert found.step == 0


def test_large_weights_explode_backwards() -> None:
    torch.manual_seed(0)
    model = mlp(*[64] * 16, 10, activation=nn.Tanh)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(10)
    run = train(model, sgd(model, 1e-6), epochs=4)
    found = next(f for f in layer_findings(run.rows, run.samples) if f.kind == "exploding")
    assert found.key == "finding.exploding_depth"
    assert found.evidence["layer"] == "0"


@pytest.mark.parametrize(("act", "scale"), [(nn.Sigmoid, 900), (nn.Tanh, 300), (nn.Hardtanh, 300)])
def test_weights_that_are_far_too_large_saturate(act: type[nn.Module], scale: float) -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 64, 10, activation=act)
    with torch.no_grad():
        model[2].weight.mul_(scale)  # type: ignore[operator, union-attr]
    run = train(model, sgd(model, 0.01), epochs=10)
    found = next(f for f in layer_findings(run.rows, run.samples) if f.kind == "saturated")
    assert (found.severity, found.step, found.evidence["layer"]) == ("warning", 0, "2")
    assert found.evidence["share"] > 0.9


def test_a_rate_that_drives_units_to_their_ends_says_since_when() -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 64, 10, activation=nn.Tanh)
    optimizer = sgd(model, 0.05, 0.9)

    def spoil(step: int) -> None:
        optimizer.param_groups[0]["lr"] = 2.0 if step >= 100 else 0.05

    run = train(model, optimizer, after_backward=spoil)
    early = [s for s in run.samples if s.step < 100]
    assert layer_findings(run.rows, early) == []
    found = next(f for f in layer_findings(run.rows, run.samples) if f.kind == "saturated")
    assert found.step is not None
    assert 100 < found.step <= 140


def test_steps_as_large_as_the_weights_are_found() -> None:
    torch.manual_seed(0)
    model = mlp(64, 32, 10, activation=nn.Tanh)
    run = train(model, sgd(model, 4.0), epochs=100, batch=1200, sample_every=2)
    found = next(f for f in layer_findings(run.rows, run.samples) if f.kind == "exploding")
    assert found.key == "finding.exploding_updates"
    assert found.evidence["update_ratio"] > 0.3


def test_relus_killed_by_their_bias_are_dead() -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 64, 10)
    with torch.no_grad():
        model[2].bias[:40] = -100.0  # type: ignore[index]
    run = train(model, sgd(model, 0.05, 0.9), epochs=10)
    (found,) = (f for f in layer_findings(run.rows, run.samples) if f.kind == "dead_units")
    assert found.severity == "warning"
    assert found.evidence["layer"] == "2"
    assert 40 <= found.evidence["dead"] <= 64
    assert found.evidence["units"] == 64


def test_a_layer_that_dies_is_one_error() -> None:
    torch.manual_seed(0)
    model = mlp(64, 64, 64, 10)
    with torch.no_grad():
        model[2].bias.fill_(-100.0)  # type: ignore[operator, union-attr]
    run = train(model, sgd(model, 0.05), epochs=10)
    (found,) = layer_findings(run.rows, run.samples)
    assert (found.kind, found.severity, found.evidence["layer"]) == ("dead_units", "error", "2")
