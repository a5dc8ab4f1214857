"""A small trained model and inspectors on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from nnwidgets import LayerInspector
from tests.compiling import nothing_compiled
from tests.training import Training, small_cnn, train_on_pictures

__all__ = ["nothing_compiled"]

Make = Callable[..., LayerInspector]


@pytest.fixture
def training() -> Training:
    torch.manual_seed(0)
    return train_on_pictures(small_cnn())


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
