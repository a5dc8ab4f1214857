"""Small networks trained in a moment on the tables that ship with scikit-learn."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from torch import Tensor, nn

__all__ = ["Trained", "breast_cancer", "diabetes", "wine"]


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode, the rows it has learnt from, and what is right."""

    model: nn.Module
    rows: Tensor
    targets: np.ndarray
    names: tuple[str, ...]


def _trained(data: object, outputs: int, hidden: int = 16) -> Trained:
    table = np.asarray(data.data, np.float32)  # type: ignore[attr-defined]
    rows = torch.from_numpy((table - table.mean(0)) / table.std(0))
    targets = np.asarray(data.target)  # type: ignore[attr-defined]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(rows.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, outputs)
        )
    quantity = outputs == 1
    y = torch.from_numpy(targets).float() if quantity else torch.from_numpy(targets).long()
    if quantity:
        y = (y - y.mean()) / y.std()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    for _ in range(120):
        given = model(rows)
        loss = (
            nn.functional.mse_loss(given[:, 0], y)
            if quantity
            else nn.functional.cross_entropy(given, y)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    names = tuple(map(str, data.feature_names))  # type: ignore[attr-defined]
    return Trained(model.eval(), rows, y.numpy(), names)


@functools.cache
def breast_cancer() -> Trained:
    """30 features, two classes."""
    return _trained(load_breast_cancer(), 2)


@functools.cache
def wine() -> Trained:
    """13 features, three classes."""
    return _trained(load_wine(), 3)


@functools.cache
def diabetes() -> Trained:
    """10 features, a quantity (standardised)."""
    return _trained(load_diabetes(), 1)
