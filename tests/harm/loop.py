"""A training loop that can be taken one step at a time, and the list of them.

A case is a function that builds a `Loop`: everything random in it comes from the global
generators, which `tests.harm.observe` seeds, so that two runs are bit for bit the same unless
somebody interferes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Loop:
    """A training loop that can be taken one step at a time.

    Attributes
    ----------
    model
        What a widget is given to watch.
    optimizers
        All of them, in the order in which they step.
    step
        One turn of the user's loop; returns its loss.
    state
        Whatever else the user's code keeps; compared as well.
    compiles
        Uses torch.compile, which has to be reset afterwards.
    """

    model: nn.Module
    optimizers: list[torch.optim.Optimizer]
    step: Callable[[], Tensor]
    state: dict[str, Any] = field(default_factory=dict)
    compiles: bool = False


Case = Callable[[], Loop]
CASES: dict[str, Case] = {}


def case(build: Case) -> Case:
    """Register a case under the name of its function."""
    CASES[build.__name__] = build
    return build


def sgd(model: nn.Module, lr: float = 0.05) -> torch.optim.Optimizer:
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(trained, lr=lr, momentum=0.9, weight_decay=1e-3)


def simple(
    model: nn.Module,
    batch: Callable[[], Any],
    optimizer: torch.optim.Optimizer | None = None,
    loss: Callable[[Any], Tensor] = lambda out: out.float().square().mean(),
    **options: Any,
) -> Loop:
    """The usual loop around `model`, whose inputs come from `batch`."""
    optimizer = optimizer or sgd(model)

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss(model(batch()))
        value.backward()
        optimizer.step()
        return value.detach()

    return Loop(model, [optimizer], step, **options)


def mlp(*extra: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), *extra, nn.Linear(16, 2))


def vectors() -> Tensor:
    return torch.randn(16, 4)
