"""Small nets that are trained on scikit-learn's digits, with their badges."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnwidgets.probe.activity import ActivityWatch
from nnwidgets.probe.badge import Badge
from nnwidgets.probe.layer_health import LayerHealth


@cache
def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return torch.tensor(data.images, dtype=torch.float32)[:, None] / 16, torch.tensor(data.target)


def mlp(act: Callable[[], nn.Module], depth: int = 2, *norm: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(depth):
        layers += [nn.Linear(64, 64), *(kind(64) for kind in norm), act()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def cnn(act: Callable[[], nn.Module], norm: bool) -> nn.Sequential:
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        between = [nn.BatchNorm2d(outputs)] if norm else []
        return [nn.Conv2d(inputs, outputs, 3, padding=1), *between, act(), nn.MaxPool2d(2)]

    head = [nn.Flatten(), nn.Linear(64, 32), act(), nn.Dropout(0.2), nn.Linear(32, 10)]
    return nn.Sequential(*block(1, 8), *block(8, 16), *head)


def train(
    model: nn.Module,
    steps: int = 60,
    every: int = 2,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    each: Callable[[int], None] = lambda step: None,
) -> tuple[LayerHealth, list[Badge]]:
    """Train on the digits; return the health and every badge that was ever shown."""
    x, y = digits()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    watch, health = ActivityWatch(model), LayerHealth()
    shown: list[Badge] = []
    for step in range(steps):
        each(step)
        chosen = torch.randint(0, len(x), (64,))
        if step % every == 0:
            watch.arm()
        optimizer.zero_grad()
        loss(model(x[chosen]), y[chosen]).backward()
        watch.before_update()
        optimizer.step()
        watch.after_update()
        if step % every == 0:
            sample = watch.finish(step)
            assert sample is not None
            health.add(sample)
            shown += health.badges()
    return health, shown


def only(badges: Any, kind: str) -> list[Badge]:
    return [badge for badge in badges if badge.kind == kind]
