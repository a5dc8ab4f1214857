"""A model that begins to draw random numbers in the middle of a run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets import _boundary_space as space

X = np.random.default_rng(0).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(int)
SENTENCE = "random"


class Noisy(nn.Module):
    """Noise on the input, in evaluation mode too, once it is switched on."""

    def __init__(self, *, own: bool = False) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)
        self.noise = 0.0
        self.own = own
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.noise and not self.own:
            x = x + self.noise * torch.randn_like(x)
        result: Tensor = self.net(x)
        return result


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "_EVERY", 0.0)
    monkeypatch.setattr(space, "_RARELY", 0.0)


@pytest.mark.usefixtures("at_once")
def test_noise_that_is_switched_on_and_off_again() -> None:
    torch.manual_seed(0)
    model = Noisy()
    with DecisionBoundaryPlot(model, X, Y, resolution=16) as plot:
        plot.surface()
        assert SENTENCE not in plot.status
        model.noise = 1.0
        state = torch.get_rng_state()
        plot.surface()
        assert SENTENCE in plot.status
        assert torch.equal(state, torch.get_rng_state())
        model.noise = 0.0
        plot.surface()
        assert SENTENCE not in plot.status


@pytest.mark.usefixtures("at_once")
def test_from_the_third_epoch_of_a_training_on() -> None:
    torch.manual_seed(0)
    model = Noisy()
    inputs, labels = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(Y)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    told = []
    with DecisionBoundaryPlot(model, X, Y, resolution=16) as plot:
        for epoch in range(4):
            model.noise = 1.0 if epoch >= 2 else 0.0
            for _ in range(3):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), labels).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            plot.surface()
            told.append(SENTENCE in plot.status)
    assert told == [False, False, True, True]


def test_a_model_is_not_asked_twice_at_every_look() -> None:
    class Counting(Noisy):
        rows: list[int] = []  # noqa: RUF012  # shared with the copy that is asked

        def forward(self, x: Tensor) -> Tensor:
            self.rows.append(len(x))
            return super().forward(x)

    model = Counting()
    with DecisionBoundaryPlot(model, X, Y, resolution=16) as plot:
        plot.surface()
        few = Counting.rows.count(space._FEW)
        for _ in range(3):
            plot.surface()
        assert Counting.rows.count(space._FEW) <= few + 2  # at most once in half a second
