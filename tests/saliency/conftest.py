"""A small trained model, viewers on it, and what a browser would be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nnwidgets import SaliencyViewer
from nnwidgets.live import wire
from nnwidgets.probe.blocks import decode
from tests.training import Training, small_cnn, train_on_pictures

Make = Callable[..., SaliencyViewer]


@pytest.fixture
def training() -> Training:
    torch.manual_seed(0)
    return train_on_pictures(small_cnn())


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[SaliencyViewer] = []

    def build(*args: Any, **kwargs: Any) -> SaliencyViewer:
        made.append(SaliencyViewer(*args, **kwargs))
        return made[-1]

    yield build
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No map is worked out aside because the machine is slow; `test_long` has its slow methods."""
    monkeypatch.setattr("nnwidgets._saliency_sources._QUICK_SECONDS", 5.0)
    monkeypatch.setattr("nnwidgets._saliency_pages._EACH", 5.0)
    monkeypatch.setattr("nnwidgets._saliency_filming._BACKFILL_SECONDS", 60.0)


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
