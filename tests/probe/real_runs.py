"""Small models trained on scikit-learn's digits in a second or two: curves that nobody made up."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from nnwidgets.probe.layers import LayerRow, LayerSample, LayerWatch

Series = dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass
class Run:
    """What a run left behind: logged points and sampled layers."""

    rows: tuple[LayerRow, ...]
    samples: list[LayerSample] = field(default_factory=list)
    points: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def log(self, step: int, **values: float) -> None:
        for name, value in values.items():
            self.points.setdefault(name, []).append((step, value))

    @property
    def series(self) -> Series:
        return {
            name: (np.array([s for s, _ in p]), np.array([v for _, v in p]))
            for name, p in self.points.items()
        }

    def until(self, share: float) -> Run:
        """Return the same run as it was after a share of its steps."""
        end = share * max(p[-1][0] for p in self.points.values())
        points = {name: [q for q in p if q[0] <= end] for name, p in self.points.items()}
        samples = [sample for sample in self.samples if sample.step <= end]
        return Run(self.rows, samples, {name: p for name, p in points.items() if p})


@cache
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return training images, training labels, validation images and labels, shuffled once."""
    data = load_digits()
    order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(data.data, dtype=torch.float32)[order] / 16
    y = torch.tensor(data.target)[order]
    return x[:1200], y[:1200], x[1200:], y[1200:]


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        layers += [nn.Linear(n_in, n_out)]
        if i < len(widths) - 2:
            layers += [activation()]
    return nn.Sequential(*layers)


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int = 20,
    batch: int = 64,
    samples: int = 1200,
    seed: int = 0,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    after_backward: Callable[[int], None] = lambda step: None,
    label_noise: float = 0.0,
    sample_every: int = 10,
) -> Run:
    """Train and record ``loss`` at each step, ``val_loss``, ``acc`` and ``val_acc`` each epoch.

    Every ``sample_every`` steps the layers are sampled as well.
    """
    x, y, x_val, y_val = digits()
    x, y = x[:samples], y[:samples].clone()
    noise = torch.Generator().manual_seed(seed)
    if label_noise:
        wrong = torch.rand(len(y), generator=noise) < label_noise
        y[wrong] = torch.randint(0, 10, (int(wrong.sum()),), generator=noise)
    watch = LayerWatch(model)
    record = Run(watch.rows)
    step = 0
    for _ in range(epochs):
        model.train()
        hits = 0
        for index in batches(len(x), batch, noise):
            if step % sample_every == 0:
                watch.arm()
            out = model(x[index])
            loss = F.cross_entropy(out, y[index])
            optimizer.zero_grad()
            loss.backward()
            after_backward(step)
            if watch.armed:
                watch.before_update()
            optimizer.step()
            if watch.armed:
                watch.after_update()
                sample = watch.finish(step)
                if sample is not None:
                    record.samples.append(sample)
            record.log(step, loss=loss.item())
            hits += int((out.argmax(1) == y[index]).sum())
            step += 1
            if scheduler is not None:
                scheduler.step()
        model.eval()
        with torch.no_grad():
            out = model(x_val)
        record.log(
            step - 1,
            val_loss=F.cross_entropy(out, y_val).item(),
            acc=hits / len(x),
            val_acc=float((out.argmax(1) == y_val).float().mean()),
        )
    return record


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    yield from torch.randperm(n, generator=generator).split(size)
