"""A network that was really trained, questions about it, and what a report is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.explain.verdict import Check, TrustReport
from tests.generators import generators


@cache
def digits() -> tuple[nn.Sequential, Tensor, float]:
    """A CNN trained on 1,500 of scikit-learn's digits, the other 297, its accuracy on them."""
    data = load_digits()
    x = torch.tensor(data.images[:, None] / 16, dtype=torch.float32)
    y = torch.tensor(data.target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 32)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 64, 10))
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
        for _ in range(8):
            for rows in torch.randperm(1500).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
    model.eval()
    for parameter in model.parameters():
        parameter.grad = None
    with torch.no_grad():
        accuracy = float((model(x[1500:]).argmax(1) == y[1500:]).float().mean())
    return model, x[1500:], accuracy


@cache
def question() -> Question:
    return Question(digits()[0], digits()[1][:40])


def check_of(report: TrustReport, kind: str) -> Check:
    (found,) = [check for check in report.checks if check.kind == kind]
    return found


class Recorder:
    """`explain`, remembering what it was asked and what it said."""

    def __init__(self, change: Callable[[NDArray[Any]], NDArray[Any]] | None = None) -> None:
        self.calls: list[tuple[Asked, dict[str, Any], NDArray[Any]]] = []
        self._change = change

    def __call__(self, asked: Asked, method: str, **given: Any) -> Explanation:
        found = explain(asked, method, **given)
        if self._change is not None:
            found = replace(found, values=self._change(np.asarray(found.values)))
        self.calls.append((asked, given, np.asarray(found.values)))
        return found


def spearman(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(pd.DataFrame({"a": a.ravel(), "b": b.ravel()}).corr("spearman").iloc[0, 1])


def state(model: nn.Module) -> list[Any]:
    """Everything that must be as before."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [
        generators(),
        [p.detach().clone().tolist() for p in (*model.parameters(), *model.buffers())],
        [p.grad is None and p.requires_grad for p in model.parameters()],
        [m.training for m in model.modules()],
        [list(getattr(m, hook)) for m in model.modules() for hook in hooks],
        [sorted(vars(m)) for m in model.modules()],
    ]
