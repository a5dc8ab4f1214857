"""Sampled steps as a session would make them, and a model with dead units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from nnwidgets.catalogue import be_strict
from nnwidgets.probe.layers import LayerWatch


@pytest.fixture(autouse=True)
def clean() -> Any:
    be_strict()
    torch.manual_seed(0)
    torch.compiler.reset()  # a test before this one, in the same process, may have compiled
    yield
    be_strict(False)
    torch.compiler.reset()
    assert not torch_module._global_forward_hooks, "a hook was left behind"
    assert not torch_module._has_any_global_hook()


SampleT = TypeVar("SampleT", covariant=True)


class Watch(Protocol[SampleT]):
    """What is told of a step, and makes a sample of it."""

    def arm(self) -> None: ...
    def before_update(
        self, params: Any = None, *, grad_scale: Tensor | float | None = None
    ) -> None: ...
    def after_update(self, params: Any = None) -> None: ...
    def finish(self, step: int) -> SampleT | None: ...


def step(
    watch: Watch[SampleT],
    optimizer: torch.optim.Optimizer,
    loss: Callable[[], Tensor],
    number: int = 0,
    **options: Any,
) -> SampleT:
    """One sampled step, called as a session would."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    watch.arm()
    optimizer.zero_grad()
    loss().backward()
    watch.before_update(parameters, **options)
    optimizer.step()
    watch.after_update(parameters)
    sample = watch.finish(number)
    assert sample is not None
    return sample


def row(watch: LayerWatch, name: str) -> int:
    return [r.name for r in watch.rows].index(name)


class Functional(nn.Module):
    """A hidden layer whose units 0–2 never pass their functional ReLU."""

    def __init__(self, rectify: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(4, 8), nn.Linear(8, 3)
        self.rectify = rectify
        with torch.no_grad():
            self.hidden.bias[:3] = -100.0

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rectify(self.hidden(x)))


def dead_after(model: nn.Module, loss: Callable[[], Tensor], steps: int = 6) -> tuple[Any, Any]:
    watch = LayerWatch(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    samples = [step(watch, optimizer, loss, i) for i in range(steps)]
    return watch, samples
