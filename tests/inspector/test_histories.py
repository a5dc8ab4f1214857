"""The history of layers whose weights have other names than ``weight``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.inspector.conftest import Make


class Several(nn.Module):
    """A recurrent layer, attention, and parameters by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(4, 6, batch_first=True)
        self.attend = nn.MultiheadAttention(6, 2, batch_first=True)
        self.own = Shift()
        self.computed = nn.utils.parametrizations.weight_norm(nn.Linear(6, 2))

    def forward(self, x: Tensor) -> Tensor:
        states = self.own(self.memory(x)[0])
        out: Tensor = self.computed(self.attend(states, states, states)[0])
        return out


class Shift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros(6))
        self.mix = nn.Parameter(torch.eye(6))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x @ self.mix + self.by
        return out


@pytest.mark.parametrize(
    ("layer", "name"),
    [("memory", "weight_hh_l0"), ("attend", "in_proj_weight"), ("own", "mix")],
)
def test_the_largest_parameter_stands_for_the_layer(make: Make, layer: str, name: str) -> None:
    torch.manual_seed(0)
    model, x = Several(), torch.randn(3, 5, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inspector = make(model, x, optimizer=optimizer)
    after: list[Tensor] = []
    before: list[Tensor] = []
    for _ in range(6):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        optimizer.zero_grad()
        model(x).pow(2).sum().backward()
        parameter = model.get_parameter(f"{layer}.{name}")
        assert parameter.grad is not None
        before.append(parameter.grad.clone())
        optimizer.step()
        after.append(parameter.detach().clone())
    inspector.session.control.end("finished")
    inspector.selected, inspector.tab = layer, "history"
    inspector.flush()
    for kind, truth in (("weight", after), ("gradient", before)):
        titles = [block.title[0] for block in inspector._blocks]
        lines = inspector._blocks[titles.index(f"ui.inspector.history.{kind}") + 1]
        steps = lines.arrays["steps"].astype(int)
        assert len(steps) > 1
        expected = [float(truth[step - 1].double().mean()) for step in steps]
        means = lines.arrays["values"][lines.meta["names"].index("mean")]
        np.testing.assert_allclose(means, expected, rtol=1e-4, atol=1e-7)
    last = inspector._blocks[-1]
    assert last.title == ("probe.inspect.history_of", {"name": name})


def test_a_computed_weight_is_not_replaced_by_another(make: Make) -> None:
    """Its parameters are those it is computed from; the bias would pass for the weight."""
    torch.manual_seed(0)
    model, x = Several(), torch.randn(3, 5, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    inspector = make(model, x, optimizer=optimizer)
    for _ in range(4):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        optimizer.zero_grad()
        model(x).pow(2).sum().backward()
        optimizer.step()
    inspector.session.control.end("finished")
    inspector.selected, inspector.tab = "computed", "history"
    inspector.flush()
    titles = [block.title[0] for block in inspector._blocks]
    assert "ui.inspector.history.activation" in titles
    assert "ui.inspector.history.weight" not in titles
