"""A small trained model and inspectors on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnwidgets import LayerInspector

Make = Callable[..., LayerInspector]


@dataclass
class Training:
    """A model, its optimiser, data, and one step of training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    x: Tensor
    y: Tensor

    def step(self) -> None:
        """Take one step."""
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(self.x), self.y).backward()
        self.optimizer.step()


@pytest.fixture
def training() -> Training:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 3),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Training(model, optimizer, torch.randn(16, 1, 8, 8), torch.randint(3, (16,)))


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[LayerInspector] = []

    def build(*args: Any, **kwargs: Any) -> LayerInspector:
        made.append(LayerInspector(*args, **kwargs))
        return made[-1]

    yield build
    for one in made:
        one.close()


def blocks(inspector: LayerInspector) -> dict[str, Any]:
    """Return the blocks that are shown, by kind."""
    inspector.flush()
    return {block.kind: block for block in inspector._blocks}
