"""A small trained model, viewers on it, and what a browser would be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nnwidgets import SaliencyViewer
from nnwidgets.live import wire
from nnwidgets.probe.blocks import decode

Make = Callable[..., SaliencyViewer]


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


def small_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 3),
    )


@pytest.fixture
def training() -> Training:
    torch.manual_seed(0)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Training(model, optimizer, torch.randn(16, 1, 8, 8), torch.randint(3, (16,)))


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[SaliencyViewer] = []

    def build(*args: Any, **kwargs: Any) -> SaliencyViewer:
        made.append(SaliencyViewer(*args, **kwargs))
        return made[-1]

    yield build
    for one in made:
        one.close()


def click(viewer: SaliencyViewer, action: str, **args: Any) -> None:
    """Ask as the browser does."""
    viewer._receive({"type": "request", "id": 1, "action": action, "args": args}, [])


def look(viewer: SaliencyViewer) -> None:
    """Report a view."""
    viewer._receive({"type": "view", "view": "v", "visible": True, "language": "en"}, [])


def part(viewer: SaliencyViewer, trait: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What the browser knows of one part, once all is sent."""
    viewer.flush()
    packed = getattr(viewer, trait)
    return wire.unpack(packed) if packed else ({}, {})


def panes(viewer: SaliencyViewer) -> list[dict[str, Any]]:
    """The words of the panes that are shown."""
    found: list[dict[str, Any]] = part(viewer, "_picture")[0]["panes"]
    return found


def shown_map(viewer: SaliencyViewer, pane: int = 0) -> np.ndarray:
    """The map that is drawn, in the method's own units."""
    meta, arrays = part(viewer, "_picture")
    return decoded(arrays[f"{pane}.map"], meta["low"], meta["high"])


def decoded(values: Any, low: float, high: float) -> np.ndarray:
    """What an array of the wire says."""
    if values.dtype == np.uint8:
        return np.asarray(decode(values, low, high), np.float64)
    return np.asarray(values, np.float64)


def summed(values: Any) -> np.ndarray:
    """An image's attributions as they are drawn: the sum over its channels."""
    return np.asarray(values, np.float64).sum(0)
