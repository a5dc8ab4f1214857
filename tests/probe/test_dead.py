"""Units that nothing moves, and units that only look like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnwidgets.probe.dead import DeadUnits, units_of
from tests.probe.stepping import Functional, clean, dead_after, row, step

__all__ = ["clean"]


@pytest.mark.parametrize("rectify", [F.relu, nn.ReLU(), nn.ReLU(inplace=True)])
def test_dead_units_of_functional_and_module_rectifiers(rectify: Any) -> None:
    model, x = Functional(rectify), torch.randn(64, 4)
    watch, samples = dead_after(model, lambda: F.cross_entropy(model(x), torch.zeros(64).long()))
    hidden, out = row(watch, "hidden"), row(watch, "out")
    assert [s.dead[hidden] for s in samples] == [0, 0, 0, 0, 3, 3]  # five steps, 256 samples
    assert samples[-1].units[hidden] == 8
    assert np.isnan(samples[-1].dead[out]), "nothing can die behind the last layer"
    assert watch.rows[hidden].dead_known
    assert not watch.rows[out].dead_known


def test_a_penalty_on_the_weights_does_not_hide_a_dead_unit() -> None:
    model, x = Functional(nn.ReLU()), torch.randn(64, 4)
    _, samples = dead_after(
        model, lambda: model(x).square().mean() + model.hidden.weight.square().sum()
    )
    assert samples[-1].dead[0] == 3


def test_few_samples_are_no_evidence() -> None:
    model, x = Functional(), torch.randn(2, 4)
    _, samples = dead_after(model, lambda: model(x).square().mean(), steps=20)
    assert samples[-1].dead[0] == 0


def test_a_unit_that_wakes_up_is_no_longer_dead() -> None:
    model, x = Functional(), torch.randn(64, 4)
    watch, samples = dead_after(model, lambda: model(x).square().mean())
    with torch.no_grad():
        model.hidden.bias[0] = 1.0
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    assert samples[-1].dead[0] == 3
    assert step(watch, optimizer, lambda: model(x).square().mean()).dead[0] == 2


def test_a_satisfied_loss_says_nothing_about_units() -> None:
    model, x = Functional(), torch.randn(64, 4)
    _, samples = dead_after(model, lambda: F.relu(model(x).sum() - 1e9))
    assert np.isnan(samples[-1].dead[0]) or samples[-1].dead[0] == 0
    assert samples[-1].grad_norm[0] == 0


def dead_of(steps: list[tuple[bool, int]]) -> float:
    """Of one unit: whether it was asleep in each step, and in how many samples of it."""
    units = units_of(nn.Linear(2, 1))
    assert units is not None
    window = DeadUnits(units)
    for asleep, samples in steps:
        window.begin()
        window.samples = samples
        window.end(np.array([asleep]))
    return window.dead


def test_steps_count_from_where_a_unit_fell_asleep_for_the_last_time() -> None:
    assert dead_of([(True, 300)] * 5) == 1
    assert dead_of([(True, 300)] * 4 + [(False, 300)] + [(True, 300)] * 4) == 0
    assert dead_of([(True, 300)] * 4 + [(False, 300)] + [(True, 300)] * 5) == 1


def test_samples_count_from_where_a_unit_fell_asleep_for_the_last_time() -> None:
    assert dead_of([(True, 20)] * 13) == 1  # 260 samples
    assert dead_of([(True, 20)] * 13 + [(False, 20)] + [(True, 20)] * 12) == 0
    assert dead_of([(True, 20)] * 13 + [(False, 20)] + [(True, 20)] * 13) == 1


class Branches(nn.Module):
    """One branch runs; one gets no gradient; one gets zeros without running."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused, self.idle = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.out = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.used(x))) + 0.0 * self.idle.weight.sum()


def test_unused_branches_are_unknown_not_dead() -> None:
    model, x = Branches(), torch.randn(64, 4)
    watch, samples = dead_after(model, lambda: model(x).square().mean())
    last = samples[-1]
    assert np.isnan(last.grad_norm[row(watch, "unused")])
    assert np.isnan(last.update_ratio[row(watch, "unused")]) or (
        last.update_ratio[row(watch, "unused")] == 0
    )
    assert np.isnan(last.dead[row(watch, "unused")])
    assert np.isnan(last.dead[row(watch, "idle")])


def test_dead_channels_of_convolutions() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2), nn.BatchNorm2d(4), nn.ReLU(),
        nn.ConvTranspose2d(4, 6, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2),
    )  # fmt: skip
    x = torch.randn(64, 2, 5, 5)
    model(x)
    with torch.no_grad():
        model[1].bias[1] = -100.0
        model[3].bias[4] = -100.0
    for replace in (False, True):
        if replace:  # the same without modules behind them: by gradient
            model[2], model[4] = _Functional(), _Functional()
        watch, samples = dead_after(model, lambda: model(x).square().mean())
        assert samples[-1].dead[row(watch, "0")] == 1
        assert samples[-1].dead[row(watch, "3")] == 1
        assert samples[-1].units[row(watch, "3")] == 6


class _Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_forward_hook(lambda *_: None)  # not a ReLU, but not alone either

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


def test_underflowing_halves_are_unknown() -> None:
    model = Functional().to(torch.float16)
    x = torch.randn(64, 4, dtype=torch.float16)
    watch, samples = dead_after(model, lambda: model(x).float().square().mean())
    assert np.isnan(samples[-1].dead[0])
    assert not watch.rows[0].dead_known


def test_tied_weights_are_unknown_by_gradient() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head, self.out = (
                nn.Embedding(12, 6), nn.Linear(6, 12, bias=False), nn.Linear(12, 2),
            )  # fmt: skip
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.out(F.relu(self.head(self.embed(x))))

    model, x = Tied(), torch.randint(0, 12, (64,))
    watch, samples = dead_after(model, lambda: model(x).square().mean())
    assert not watch.rows[row(watch, "head")].dead_known
    both = samples[-1].grad_norm
    assert both[row(watch, "head")] == both[row(watch, "embed")] > 0


def test_micro_batches_add_up() -> None:
    model = Functional(nn.ReLU())
    with torch.no_grad():
        model.hidden.weight.zero_()
        model.hidden.weight[3:, 0] = 1.0  # units 3–7 speak only for a positive first feature
        model.hidden.bias[3:] = 0.0
    awake, asleep = torch.ones(64, 4), -torch.ones(64, 4)
    _, samples = dead_after(model, lambda: model(awake).mean() + model(asleep).mean())
    assert samples[-1].dead[0] == 3
