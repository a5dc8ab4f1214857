"""Copies of a watched model, taken between steps and within: equal to those of a bare one."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.harm.loop import Loop, sgd
from tests.harm.observe import MODULE_HOOKS, OPTIMIZER_HOOKS, Record, exact, seed
from tests.harm.watchers import Attach, Attached

_inside: list[Callable[[nn.Module], None]] = []  # not an attribute: it would be pickled


class Confiding(nn.Module):
    """Lets somebody in, in the middle of its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.first(x))
        for call in _inside:
            call(self)
        return self.last(x)


def take(loop: Loop) -> Record:
    """Copy a model and its optimisers in every way there is, and describe the copies."""
    model, optimizer = loop.model, loop.optimizers[0]
    saved, states = io.BytesIO(), io.BytesIO()
    torch.save(model, saved)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, states)
    pickled = pickle.dumps(model)
    stream = pickled + pickle.dumps(optimizer) + saved.getvalue() + states.getvalue()
    for stored in (saved, states):
        stored.seek(0)
    return {
        "ours in them": b"nnwidgets" in stream,
        "deepcopy": described(copy.deepcopy(model)),
        "pickle": described(pickle.loads(pickled)),
        "torch.save": described(torch.load(saved, weights_only=False)),
        "states": exact(torch.load(states)),
        "optimizer": [len(getattr(copy.deepcopy(optimizer), k)) for k in OPTIMIZER_HOOKS],
    }


def described(model: nn.Module) -> Any:
    return [
        [type(m).__name__, m.training, sorted(vars(m)), [len(getattr(m, k)) for k in MODULE_HOOKS]]
        for m in model.modules()
    ], exact(model.state_dict())


def copies(attach: Attach | None, steps: int = 5) -> Record:
    """Train, copying in the middle of each forward and after each step; return all copies."""
    seed()
    model = Confiding()
    optimizer = sgd(model)
    taken: Record = {}

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.randn(8, 4)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    loop = Loop(model, [optimizer], step)
    attached = attach(loop) if attach is not None else Attached()
    try:
        for index in range(steps):

            def within(running: nn.Module, index: int = index) -> None:
                if running is not model:  # a widget runs a copy of its own
                    return
                taken.update({f"{index}/within/{k}": v for k, v in take(loop).items()})

            _inside.append(within)
            try:
                loss = loop.step()
            finally:
                _inside.clear()
            attached.stepped(loss)
            taken.update({f"{index}/after/{k}": v for k, v in take(loop).items()})
        attached.check()
    finally:
        attached.close()
    return taken


def compiled(attach: Attach | None, where: str) -> list[Any]:
    """Compile while attached, between two steps or in the middle of one; return what comes out."""
    seed()
    model = Confiding()
    optimizer = sgd(model)
    results: list[Any] = []

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = model(torch.randn(8, 4)).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    def compile_and_call() -> None:
        fast = torch.compile(model.last, backend="eager")
        x = torch.ones(3, 8, requires_grad=True)
        out = fast(x)
        out.sum().backward()
        results.extend([exact(out), exact(x.grad)])

    attached = attach(Loop(model, [optimizer], step)) if attach is not None else Attached()
    try:
        for index in range(4):
            if where == "within" and index == 2:
                _inside.append(lambda _: compile_and_call())
            try:
                loss = step()
            finally:
                _inside.clear()
            attached.stepped(loss)
            if where == "after" and index == 1:
                compile_and_call()
            results.append(exact(loss))
    finally:
        attached.close()
        torch.compiler.reset()
    return results
