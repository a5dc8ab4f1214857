"""A small model in the plane, plots on it, and what a browser would be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets.live import wire
from nnwidgets.probe.blocks import decode
from tests.training import Training

Make = Callable[..., DecisionBoundaryPlot]


def small_net(classes: int = 3, features: int = 2) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(features, 12), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, classes)
    )


def cloud(n: int = 40, features: int = 2, classes: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points around one middle a class."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % classes
    middles = torch.randn(classes, features, generator=generator) * 2
    return middles[y] + 0.7 * torch.randn(n, features, generator=generator), y


@pytest.fixture
def training() -> Training:
    torch.manual_seed(0)
    model = small_net()
    return Training(model, torch.optim.SGD(model.parameters(), lr=0.2), *cloud())


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[DecisionBoundaryPlot] = []

    def build(*args: Any, **kwargs: Any) -> DecisionBoundaryPlot:
        kwargs.setdefault("resolution", 24)
        made.append(DecisionBoundaryPlot(*args, **kwargs))
        return made[-1]

    yield build
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No look is cut short because the machine is slow; `test_long` has its own slow models."""
    for limit in ("_PASSING", "_WAITED_FOR", "_AT_REST", "_MOVING"):
        monkeypatch.setattr(f"nnwidgets._boundary_looking.{limit}", 60.0)
    for limit in ("_PASSING", "_FILLING"):
        monkeypatch.setattr(f"nnwidgets._boundary_extras.{limit}", 60.0)


def at_any_price(plot: DecisionBoundaryPlot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look as often as there is a safe point: what time passes does not matter to a test."""
    monkeypatch.setattr(type(plot), "_looks_apart", 0.0)
    monkeypatch.setattr(plot.session.governor, "allows", lambda *_: True)


def click(plot: DecisionBoundaryPlot, action: str, **args: Any) -> None:
    """Ask as the browser does."""
    plot._receive({"type": "request", "id": 1, "action": action, "args": args}, [])


def look(plot: DecisionBoundaryPlot, *, visible: bool = True, language: str = "en") -> None:
    """Report a view."""
    plot._receive({"type": "view", "view": "v", "visible": visible, "language": language}, [])


def part(plot: DecisionBoundaryPlot, trait: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What the browser knows of one part, once all is sent."""
    plot.flush()
    packed = getattr(plot, trait)
    return wire.unpack(packed) if packed else ({}, {})


def shown(plot: DecisionBoundaryPlot) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """The surface that is drawn: words, and values in their own units."""
    meta, arrays = part(plot, "_surface")
    return meta, decode(arrays["value"], meta["low"], meta["high"])


def finished(plot: DecisionBoundaryPlot) -> None:
    """Wait for all answers, as before a file is written."""
    plot._have_answers()


def places(plot: DecisionBoundaryPlot) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the places of the drawn surface are, by its rectangle alone."""
    meta, _ = part(plot, "_surface")
    left, right, bottom, top = meta["rectangle"]
    return np.linspace(left, right, meta["columns"]), np.linspace(bottom, top, meta["rows"])


def asked(model: nn.Module, rows: Any) -> NDArray[np.float64]:
    """What a model returns for rows in evaluation mode, by plain torch."""
    training = model.training
    model.eval()
    with torch.no_grad():
        found = model(torch.tensor(np.asarray(rows, np.float64).copy(), dtype=torch.float32))
    model.train(training)
    return np.asarray(found, np.float64)


def grid(x: Any, y: Any) -> NDArray[np.float64]:
    """All places, row by row from the bottom, by numpy's own meshgrid."""
    columns, rows = np.meshgrid(x, y)
    return np.column_stack([columns.ravel(), rows.ravel()])


def softmax(scores: Any) -> NDArray[np.float64]:
    """Shares of classes along the last axis."""
    scores = np.asarray(scores, np.float64)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def entropy(shares: Any, axis: int = -1) -> NDArray[np.float64]:
    """In nats, 0 log 0 being 0."""
    shares = np.asarray(shares, np.float64)
    logs = np.log(np.where(shares > 0, shares, 1))
    return np.asarray(-(shares * logs).sum(axis))


def refused(call: Callable[[], Any], *kinds: type[Exception]) -> str:
    """The one sentence with which a call is refused."""
    with pytest.raises(kinds or (ValueError, TypeError)) as caught:
        call()
    said = str(caught.value).strip().strip("'\"")
    assert "\n" not in said
    assert len(said) > 15
    return said
