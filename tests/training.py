"""A model that is being trained, as the tests of several widgets need one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Training", "small_cnn", "train_on_pictures"]


@dataclass
class Training:
    """A model of classes, its optimiser, data, and one step of training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    x: Tensor
    y: Tensor

    def step(self) -> None:
        """Take one step."""
        self.optimizer.zero_grad()
        F.cross_entropy(self.model(self.x), self.y).backward()
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """The weights as they are now."""
        return {name: value.clone() for name, value in self.model.state_dict().items()}


def small_cnn() -> nn.Sequential:
    """For pictures of 8 × 8: with batch norm, dropout and a ReLU that works in place."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 3),
    )


def train_on_pictures(model: nn.Module) -> Training:
    """Sixteen pictures of noise in three classes."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Training(model, optimizer, torch.randn(16, 1, 8, 8), torch.randint(3, (16,)))
