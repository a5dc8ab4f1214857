"""Optimisers of a user's own around another one: the factor is put on once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import StepLR

from nnwidgets.live.learning_rate import LearningRateScale, rates
from nnwidgets.live.session import Session

BASE, FACTOR = 0.1, 3.0


class Lookahead(Optimizer):
    """As published: it shares the inner optimiser's groups, and its step contains that one's."""

    def __init__(self, inner: Optimizer) -> None:
        super().__init__(inner.param_groups, {})
        self.inner = inner
        self.param_groups = inner.param_groups
        self.slow = [p.detach().clone() for group in self.param_groups for p in group["params"]]

    def step(self, closure: Any = None) -> Any:
        loss = self.inner.step(closure)
        fast = [p for group in self.param_groups for p in group["params"]]
        with torch.no_grad():
            for slow, p in zip(self.slow, fast, strict=True):
                slow.add_(p - slow, alpha=0.5)
                p.copy_(slow)
        return loss


class Listening:
    """Notes the rates that a session tells."""

    def __init__(self) -> None:
        self.told: list[tuple[int, str, float]] = []

    def on_rate(self, step: int, name: str, value: float) -> None:
        self.told.append((step, name, value))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *args, **params: None
        raise AttributeError(name)


def net(lr: Any = BASE) -> tuple[nn.Linear, Optimizer, Lookahead]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    inner = SGD(model.parameters(), lr=lr)
    return model, inner, Lookahead(inner)


def train(model: nn.Module, optimizer: Optimizer, steps: int = 4) -> None:
    scheduler = StepLR(optimizer, 2, gamma=0.5)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("which", ["outer", "inner", "both", "both, the other way round", "found"])
def test_two_that_share_their_groups_scale_once(which: str, tensor: bool) -> None:
    bare, _, bare_outer = net(FACTOR * BASE)
    train(bare, bare_outer)
    model, inner, outer = net(torch.tensor(BASE, dtype=torch.float64) if tensor else BASE)
    session, listener = Session(model), Listening()
    session.join(listener, 0.02)
    if which == "found":
        session.seek_optimizers()
        outer.step()  # without a gradient: it changes nothing, and is seen
        assert [slot.optimizer for slot in session.slots] == [inner, outer]
    for name, one in (("outer", outer), ("inner", inner)):
        if which in (name, "both"):
            session.attach(one, name)
    if which == "both, the other way round":
        session.attach(inner, "inner")
        session.attach(outer, "outer")
    session.set_lr_scale(FACTOR)
    seen: list[float] = []
    inner.register_step_pre_hook(lambda o, a, k: seen.append(float(o.param_groups[0]["lr"])))
    begun = session.step
    train(model, outer)
    assert seen == pytest.approx([0.3, 0.3, 0.15, 0.15], rel=1e-12)
    assert float(inner.param_groups[0]["lr"]) == pytest.approx(BASE / 4, rel=1e-12)
    for p, same in zip(model.parameters(), bare.parameters(), strict=True):
        torch.testing.assert_close(p, same)
    assert session.step - begun == 4
    shown = {round(value, 12) for step, _, value in listener.told if step > begun}
    assert shown == {0.3, 0.15}
    session.close()


def test_what_one_has_scaled_another_neither_scales_nor_restores() -> None:
    group = {"lr": 2.0}
    outer, inner = LearningRateScale(), LearningRateScale()
    outer.apply([group], 10.0)
    inner.apply([group], 10.0)
    assert (group["lr"], inner.applied, rates([group])) == (20.0, False, [2.0])
    inner.restore()
    assert group["lr"] == 20.0
    outer.restore()
    assert (group["lr"], rates([group])) == (2.0, [2.0])
    inner.apply([group], 0.5)  # free again
    assert (group["lr"], rates([group])) == (1.0, [2.0])
    inner.restore()
    assert group["lr"] == 2.0
