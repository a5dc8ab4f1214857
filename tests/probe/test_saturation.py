"""Which layers drive the sigmoid or tanh behind them to the ends of its range, and how far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnwidgets.probe.layers import LayerWatch
from nnwidgets.probe.sample import LayerSample
from tests.probe.stepping import clean, row, step

__all__ = ["clean"]


def look(model: nn.Module, x: Tensor) -> tuple[LayerWatch, LayerSample]:
    watch = LayerWatch(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    return watch, step(watch, optimizer, lambda: sum_of(model(x)))


def sum_of(out: Any) -> Tensor:
    return (
        sum((part.square().sum() for part in out), torch.zeros(()))
        if isinstance(out, tuple)
        else out.square().sum()
    )


ENDS = {
    nn.Sigmoid: lambda y: (y < 0.01) | (y > 0.99),
    nn.Tanh: lambda y: y.abs() > 0.98,
    nn.Hardtanh: lambda y: y.abs() > 0.98,
}


@pytest.mark.parametrize("act", ENDS)
def test_the_share_at_the_ends_is_counted_for_the_layer_in_front(act: type[nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), act(), nn.Linear(16, 8), act(),
                          nn.Linear(8, 3))  # fmt: skip
    with torch.no_grad():
        model[0].weight.mul_(3)
        model[1].weight.mul_(2)  # type: ignore[operator]
        model[3].weight.mul_(9)
    x = torch.randn(64, 6)
    seen = []
    y = x
    for module in model:
        y = module(y)
        if isinstance(module, act):
            seen.append(float(ENDS[act](y).double().mean()))
    watch, sample = look(model, x)
    assert 0 < seen[0] < seen[1] < 1
    np.testing.assert_allclose(
        sample.saturated[[row(watch, "0"), row(watch, "3")]], seen, rtol=1e-6
    )
    assert np.isnan(sample.saturated[[row(watch, "1"), row(watch, "5")]]).all()


@pytest.mark.parametrize(
    "behind", [nn.ReLU(), nn.ReLU6(), nn.GELU(), nn.Identity(), nn.Softmax(1), nn.Hardtanh(-3, 3)]
)
def test_of_other_activations_nothing_is_told(behind: nn.Module) -> None:
    watch, sample = look(nn.Sequential(nn.Linear(4, 4), behind, nn.Linear(4, 2)), torch.ones(8, 4))
    share = sample.saturated[row(watch, "0")]
    assert share == 0 if type(behind) is nn.Hardtanh else np.isnan(share)


class Gate(nn.Module):
    """A gate inside, and two things returned: a sigmoid's and a layer's own."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.value, self.sure, self.raw = (nn.Linear(4, 4) for _ in range(4))
        self.sigmoid, self.flat = nn.Sigmoid(), nn.Sigmoid()
        with torch.no_grad():
            for layer in (self.gate, self.value, self.sure):
                layer.weight.mul_(1e4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.sigmoid(self.gate(x)) * torch.tanh(self.value(x))
        return self.flat(self.sure(hidden)), self.raw(hidden)


def test_what_the_model_returns_and_functions_are_left_out() -> None:
    watch, sample = look(Gate(), torch.randn(32, 4))
    told = dict(zip((r.name for r in watch.rows), sample.saturated.tolist(), strict=True))
    assert told["gate"] > 0.9
    assert np.isnan([told["value"], told["sure"], told["raw"]]).all()


def test_calls_of_one_step_are_averaged() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.tanh, self.out = nn.Linear(1, 1, bias=False), nn.Tanh(), nn.Linear(1, 1)
            with torch.no_grad():
                self.cell.weight.fill_(1.0)

        def forward(self, x: Tensor) -> Tensor:
            parts = [self.tanh(self.cell(size * x)) for size in (0.1, 100.0, 0.2, 0.3)]
            return self.out(torch.stack(parts).sum(0))

    watch, sample = look(Loop(), torch.ones(8, 1))
    assert sample.saturated[row(watch, "cell")] == pytest.approx(0.25)


def test_a_step_that_cannot_be_seen_tells_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.full((8, 4), 1e3)
    watch, sample = look(model, x)
    assert sample.saturated[0] > 0.5
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with torch.no_grad():
        hidden = F.linear(x, model[0].weight, model[0].bias).tanh()
    blind = step(watch, optimizer, lambda: F.linear(hidden, model[2].weight).sum())
    assert np.isnan(blind.saturated).all()
