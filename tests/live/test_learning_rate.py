"""The factor on the learning rate: in force during a step, and seen by nobody else."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as sched

from nnwidgets.live.session import Session
from tests.live.doubles import background, until

STEPS = 12
Make = Callable[[torch.optim.Optimizer], Any]

SCHEDULERS: dict[str, Make] = {
    "none": lambda o: None,
    "StepLR": lambda o: sched.StepLR(o, 3, gamma=0.5),
    "MultiStepLR": lambda o: sched.MultiStepLR(o, [2, 5], gamma=0.1),
    "ExponentialLR": lambda o: sched.ExponentialLR(o, 0.9),
    "LambdaLR": lambda o: sched.LambdaLR(o, lambda e: 1 / (1 + e)),
    "MultiplicativeLR": lambda o: sched.MultiplicativeLR(o, lambda e: 0.95),
    "OneCycleLR": lambda o: sched.OneCycleLR(
        o, max_lr=0.05, total_steps=STEPS + 1, cycle_momentum=False
    ),
    "CyclicLR": lambda o: sched.CyclicLR(o, 0.01, 0.05, step_size_up=3, cycle_momentum=False),
    "CosineAnnealingLR": lambda o: sched.CosineAnnealingLR(o, STEPS),
    "CosineAnnealingWarmRestarts": lambda o: sched.CosineAnnealingWarmRestarts(o, 4),
    "PolynomialLR": lambda o: sched.PolynomialLR(o, STEPS),
    "ReduceLROnPlateau": lambda o: sched.ReduceLROnPlateau(o, patience=1, factor=0.5),
    "SequentialLR": lambda o: sched.SequentialLR(
        o, [sched.LinearLR(o, 0.1, total_iters=4), sched.ExponentialLR(o, 0.8)], [4]
    ),
    "ChainedScheduler": lambda o: sched.ChainedScheduler(
        [sched.ConstantLR(o, 0.5, total_iters=3), sched.ExponentialLR(o, 0.9)]
    ),
}


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def groups(net: nn.Sequential) -> list[dict[str, Any]]:
    return [
        {"params": list(net[0].parameters()), "lr": 0.02},
        {"params": list(net[2].parameters()), "lr": 0.005},
    ]


def advance(scheduler: Any) -> None:
    if isinstance(scheduler, sched.ReduceLROnPlateau):
        scheduler.step(1.0)  # never better: it has to reduce
    elif scheduler is not None:
        scheduler.step()


def backward(net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    net(torch.linspace(-1, 1, 12).reshape(4, 3)).square().sum().backward()


def watched(optimizer: torch.optim.Optimizer) -> Session:
    session = Session()
    session.attach(optimizer)
    return session


def inside(optimizer: torch.optim.Optimizer) -> list[list[float]]:
    """A list that gets the rates which each step to come really sees."""
    seen: list[list[float]] = []
    optimizer.register_step_pre_hook(
        lambda o, args, kwargs: seen.append([float(group["lr"]) for group in o.param_groups])
    )
    return seen


def rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_keeps_its_schedule(name: str) -> None:
    """Outside a step the groups hold what a bare run has; inside, that times the factor."""
    factors = itertools.cycle([1.0, 10.0, 10.0, 0.1, 2.0])
    bare_net, net = model(), model()
    bare = torch.optim.SGD(groups(bare_net))
    optimizer = torch.optim.SGD(groups(net))
    session, seen = watched(optimizer), inside(optimizer)
    bare_scheduler, scheduler = SCHEDULERS[name](bare), SCHEDULERS[name](optimizer)
    for _ in range(STEPS):
        factor = next(factors)
        session.set_lr_scale(factor)
        scheduled = rates(bare)
        backward(bare_net, bare)
        backward(net, optimizer)
        before = [p.detach().clone() for p in net.parameters()]
        optimizer.step()
        bare.step()
        assert seen[-1] == [rate * factor for rate in scheduled]
        rate_of = {
            id(p): rate * factor
            for group, rate in zip(optimizer.param_groups, scheduled, strict=True)
            for p in group["params"]
        }
        for p, old in zip(net.parameters(), before, strict=True):  # plain SGD: w − lr·g
            torch.testing.assert_close(p.detach(), old - rate_of[id(p)] * p.grad)
        assert rates(optimizer) == scheduled
        advance(bare_scheduler)
        advance(scheduler)
        assert rates(optimizer) == rates(bare)
    if scheduler is not None:
        state = {key: v for key, v in scheduler.state_dict().items() if key != "_schedulers"}
        bare_state = {
            key: v for key, v in bare_scheduler.state_dict().items() if key != "_schedulers"
        }
        assert repr(state) == repr(bare_state)


@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR", "ReduceLROnPlateau", "SequentialLR"])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_a_factor_of_one_changes_no_bit(name: str, kind: type) -> None:
    finals = []
    for watch in (False, True):
        net = model()
        optimizer = kind(groups(net))
        session = watched(optimizer) if watch else None
        scheduler = SCHEDULERS[name](optimizer)
        for _ in range(STEPS):
            backward(net, optimizer)
            optimizer.step()
            advance(scheduler)
        finals.append([p.detach().clone() for p in net.parameters()])
        assert session is None or session.step == STEPS
    assert all(torch.equal(a, b) for a, b in zip(*finals, strict=True))


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop])
def test_a_factor_is_the_same_as_another_rate(kind: type) -> None:
    finals = []
    for lr, factor in ((0.02, 1.0), (0.01, 2.0)):
        net = model()
        optimizer = kind(net.parameters(), lr=lr)
        session = watched(optimizer)
        session.set_lr_scale(factor)
        for _ in range(STEPS):
            backward(net, optimizer)
            optimizer.step()
        finals.append([p.detach().clone() for p in net.parameters()])
        assert rates(optimizer) == [lr]
    assert all(torch.equal(a, b) for a, b in zip(*finals, strict=True))


def test_lbfgs_steps_with_a_closure() -> None:
    finals = []
    for lr, factor in ((0.5, 1.0), (0.25, 2.0)):
        net = model()
        optimizer = torch.optim.LBFGS(net.parameters(), lr=lr, max_iter=5)
        session = watched(optimizer)
        session.set_lr_scale(factor)

        def closure(net: nn.Module = net, optimizer: torch.optim.Optimizer = optimizer) -> Any:
            backward(net, optimizer)
            return net(torch.ones(1, 3)).sum()

        for _ in range(3):
            assert optimizer.step(closure) is not None
        assert session.step == 3
        finals.append([p.detach().clone() for p in net.parameters()])
        assert rates(optimizer) == [lr]
    assert all(torch.equal(a, b) for a, b in zip(*finals, strict=True))


@pytest.mark.parametrize("shared", [True, False])
def test_rates_held_as_tensors(shared: bool) -> None:
    """The optimiser puts one and the same tensor into every group that has none of its own."""
    net = model()
    lr = torch.tensor(0.1)
    made: list[dict[str, Any]] = [{"params": [p]} for p in net.parameters()]
    if not shared:
        for i, group in enumerate(made):
            group["lr"] = torch.tensor(0.1 / (i + 1))
    optimizer = torch.optim.Adam(made, lr=lr, foreach=False)
    holders = [group["lr"] for group in optimizer.param_groups]
    assert (len({id(h) for h in holders}) == 1) is shared
    scheduled = [h.clone() for h in holders]
    session, seen = watched(optimizer), inside(optimizer)
    session.set_lr_scale(3.0)
    for _ in range(4):
        backward(net, optimizer)
        optimizer.step()
        assert seen[-1] == [float(rate * 3.0) for rate in scheduled]
        assert all(
            group["lr"] is holder and torch.equal(holder, rate)
            for group, holder, rate in zip(optimizer.param_groups, holders, scheduled, strict=True)
        )


class Failing(torch.optim.SGD):
    fails = False

    def step(self, closure: Any = None) -> Any:
        if self.fails:
            raise RuntimeError("planted")
        return super().step(closure)


@pytest.mark.parametrize("name", ["none", "ExponentialLR", "CosineAnnealingLR", "LambdaLR"])
def test_a_step_that_raises_leaves_no_scaled_rate(name: str) -> None:
    """Not even for a scheduler that steps before the next step comes."""
    bare, net = model(), model()
    bare_optimizer, optimizer = Failing(groups(bare)), Failing(groups(net))
    session, seen = watched(optimizer), inside(optimizer)
    bare_scheduler, scheduler = SCHEDULERS[name](bare_optimizer), SCHEDULERS[name](optimizer)
    session.set_lr_scale(10.0)
    for i in range(6):
        optimizer.fails = bare_optimizer.fails = i in (1, 2, 4)
        for one, net_ in ((bare_optimizer, bare), (optimizer, net)):
            backward(net_, one)
            with suppress(RuntimeError):
                one.step()
        assert rates(optimizer) == rates(bare_optimizer)
        assert seen[-1] == [10.0 * rate for rate in rates(optimizer)]
        advance(bare_scheduler)
        advance(scheduler)
        assert rates(optimizer) == rates(bare_optimizer)
    assert session.step == 3


def test_an_optimizer_that_calls_the_step_of_its_base_class() -> None:
    """Torch runs the hooks for both; it is one step, and scaled once."""
    torch.optim.SGD(model().parameters())  # from now on torch wraps SGD.step too

    class Twice(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step()
            assert rates(self) == [0.1]  # still scaled behind the inner step
            return super().step()

    net = model()
    optimizer = Twice(net.parameters(), lr=0.01)
    session = watched(optimizer)
    session.set_lr_scale(10.0)
    for _ in range(3):
        backward(net, optimizer)
        before = [p.detach().clone() for p in net.parameters()]
        optimizer.step()
        for p, old in zip(net.parameters(), before, strict=True):
            torch.testing.assert_close(p.detach(), old - 2 * 0.1 * p.grad)
    assert session.step == 3
    assert rates(optimizer) == [0.01]


def test_a_raising_step_whose_traceback_is_kept_does_not_disturb_the_next() -> None:
    net = model()
    optimizer = Failing(net.parameters(), lr=1.0)
    session, seen = watched(optimizer), inside(optimizer)
    session.set_lr_scale(10.0)
    optimizer.fails = True
    backward(net, optimizer)
    with pytest.raises(RuntimeError) as kept:
        optimizer.step()
    optimizer.fails = False
    inner: list[float] = []

    def drop(*_: Any) -> None:
        kept.value.__traceback__ = None  # only now the frame of the failed step goes
        inner.append(float(optimizer.param_groups[0]["lr"]))

    optimizer.register_step_pre_hook(drop)
    optimizer.step()
    assert {rate for (rate,) in seen} == {10.0}
    assert set(inner) == {10.0}
    assert rates(optimizer) == [1.0]


def test_a_closure_that_raises() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    session = watched(optimizer)
    session.set_lr_scale(0.5)

    def closure() -> float:
        assert rates(optimizer) == [0.5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimizer.step(closure)
    assert rates(optimizer) == [1.0]
    assert optimizer.state_dict()["param_groups"][0]["lr"] == 1.0


def test_a_rate_set_during_the_step_is_left_alone() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    session = watched(optimizer)
    session.set_lr_scale(10.0)

    def closure() -> float:
        optimizer.param_groups[0]["lr"] = 0.25
        return 0.0

    optimizer.step(closure)
    assert rates(optimizer) == [0.25]


def test_a_tensor_rate_filled_during_the_step_is_left_alone() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=torch.tensor(1.0))
    session = watched(optimizer)
    session.set_lr_scale(10.0)

    def closure() -> float:
        optimizer.param_groups[0]["lr"].fill_(0.25)
        return 0.0

    optimizer.step(closure)
    assert rates(optimizer) == [0.25]


def test_closing_between_two_steps_restores_the_schedule() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    session, seen = watched(optimizer), inside(optimizer)
    session.set_lr_scale(10.0)
    backward(net, optimizer)
    optimizer.step()
    session.close()
    optimizer.step()
    assert seen == [[10.0], [1.0]]
    assert rates(optimizer) == [1.0]


def test_closing_in_the_middle_of_a_step_restores_the_schedule() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    session = watched(optimizer)
    session.set_lr_scale(10.0)

    def closure() -> float:
        session.close()
        return 0.0

    optimizer.step(closure)
    assert rates(optimizer) == [1.0]
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_two_sessions_on_one_optimizer_multiply_and_never_compound() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    one, two = Session(model()), Session(model())
    one.attach(optimizer)
    two.attach(optimizer)
    seen = inside(optimizer)
    one.set_lr_scale(2.0)
    two.set_lr_scale(3.0)
    for _ in range(3):
        backward(net, optimizer)
        optimizer.step()
        assert seen[-1] == [pytest.approx(0.06)]
        assert rates(optimizer) == [0.01]
    one.close()
    optimizer.step()
    assert seen[-1] == [0.03]
    assert rates(optimizer) == [0.01]
    assert (one.step, two.step) == (3, 4)
    two.close()
    assert not optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("others", [0, 1])
def test_closing_while_the_loop_waits_in_our_hook(others: int) -> None:
    """Torch walks over the post hooks just then; taking ours off must not break its walk."""
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    session = watched(optimizer)
    calls: list[int] = []
    for _ in range(others):
        optimizer.register_step_post_hook(lambda *_: calls.append(1))
    session.control.pause()
    with background(optimizer.step):
        until(lambda: session.control.waiting)
        session.close()
    optimizer.step()
    assert calls == [1, 1] * others
    assert session.step == 1
    assert not optimizer._optimizer_step_pre_hooks
    # a hook behind ours would be skipped if ours went; then ours stays, and does nothing
    assert len(optimizer._optimizer_step_post_hooks) == 2 * others


def test_watching_again_after_such_a_close_counts_once() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    session = watched(optimizer)
    optimizer.register_step_post_hook(lambda *_: None)
    session.control.pause()
    with background(optimizer.step):
        until(lambda: session.control.waiting)
        session.close()
    again = watched(optimizer)
    optimizer.step()
    assert again.step == 1
    again.close()
    assert not optimizer._optimizer_step_pre_hooks
    assert len(optimizer._optimizer_step_post_hooks) == 1


def test_copies_of_the_optimizer_hold_the_scheduled_rate_and_no_hook() -> None:
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    session = watched(optimizer)
    session.set_lr_scale(10.0)
    backward(net, optimizer)
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    assert rates(twin) == [1.0]
    assert not twin._optimizer_step_pre_hooks
    assert not twin._optimizer_step_post_hooks


def test_groups_without_a_rate_are_left_alone() -> None:
    class Odd(torch.optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {})

        def step(self, closure: Any = None) -> None:
            pass

    optimizer = Odd(model().parameters())
    session = watched(optimizer)
    session.set_lr_scale(10.0)
    optimizer.step()
    assert session.step == 1
    assert "lr" not in optimizer.param_groups[0]
