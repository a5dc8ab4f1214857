"""One point to be explained, models of which the answer is known by hand, and the question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nnwidgets.explain.at_point import AtPoint, at_point
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.view_plane import Slice

X = np.random.default_rng(0).normal([1, -1], [1.0, 2.0], (60, 2))
PLANE = Slice(X)
POINT = np.array([0.4, -0.3])


class Of(nn.Module):
    """A model that is a formula."""

    def __init__(self, formula: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.formula = formula
        self.register_buffer("precision", torch.zeros(1, dtype=torch.float64))

    def forward(self, rows: Tensor) -> Tensor:
        return self.formula(rows)


def linear(weights: Any, bias: Any = 0.0) -> Of:
    matrix = torch.as_tensor(np.asarray(weights, np.float64))
    return Of(lambda rows: rows @ matrix + torch.as_tensor(np.asarray(bias, np.float64)))


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def entropy(p: np.ndarray) -> np.ndarray:
    return np.asarray(-(p * np.log(p)).sum(-1))


def snapshot(rows: np.ndarray = X, y: Any = None, test: Any = None) -> Snapshot:
    held = np.zeros(len(rows), bool) if test is None else np.asarray(test)
    labels = None if y is None else np.asarray(y)
    return Snapshot(0, rows, labels, held, np.arange(len(rows)) * 10)


def asked(model: nn.Module, point: Any = POINT, **more: Any) -> AtPoint:
    options: dict[str, Any] = {"plane": PLANE, "snapshot": snapshot(), **more}
    predictor = options.pop("predictor", None) or Predictor(model)
    return at_point(predictor, point, **options)


W = np.array([[2.0, -1.0, 0.5], [-0.5, 1.5, 0.0]])
B = np.array([0.1, 0.0, -0.2])
