"""Gradients of loops that end each step with ``zero_grad()``."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import LayerInspector
from nnwidgets.probe.blocks import decode
from tests.inspector.conftest import Make, blocks


class Loop:
    """Clears its gradients at the end of each step; a bare twin tells what they were."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.last = nn.Linear(4, 2)
        self.model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), self.last)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.x, self.y = torch.randn(6, 5), torch.randn(6, 2)
        self.gradients: list[dict[str, torch.Tensor]] = []

    def step(self) -> None:
        bare = copy.deepcopy(self.model)
        nn.functional.mse_loss(bare(self.x), self.y).backward()
        self.gradients.append(
            {name: p.grad for name, p in bare.named_parameters() if p.grad is not None}
        )
        nn.functional.mse_loss(self.model(self.x), self.y).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def sampled(loop: Loop, inspector: LayerInspector, steps: int) -> None:
    for _ in range(steps):
        inspector.session.sampling.want()
        inspector.session.pulse.wake()
        loop.step()
    inspector.session.control.end("finished")


def pixels(block: Any) -> np.ndarray:
    data = block.arrays["pixels"]
    if data.dtype == np.uint8:
        return decode(data, block.meta["low"], block.meta["high"])
    return np.asarray(data)


@pytest.mark.parametrize("layer", ["0", "2"])
def test_the_last_sampled_ones_are_shown_and_dated(make: Make, layer: str) -> None:
    loop = Loop()
    inspector = make(loop.model, loop.x, optimizer=loop.optimizer)
    sampled(loop, inspector, 5)
    stats = inspector.stats(layer, "gradient")
    assert stats.step is not None
    expected = loop.gradients[stats.step - 1][f"{layer}.weight"].numpy()
    assert stats.mean == pytest.approx(expected.mean(), rel=1e-5)
    assert stats.max == pytest.approx(expected.max(), rel=1e-6)
    inspector.selected, inspector.tab = layer, "gradients"  # asked for only now
    shown = blocks(inspector)
    np.testing.assert_allclose(pixels(shown["matrix"]), expected, rtol=1e-5, atol=1e-8)
    assert shown["note"].title == ("probe.inspect.kept_gradient", {"step": f"{stats.step:,}"})


def test_those_that_are_there_go_first(make: Make) -> None:
    loop = Loop()
    inspector = make(loop.model, loop.x, optimizer=loop.optimizer)
    sampled(loop, inspector, 3)
    (7 * loop.model(loop.x).sum()).backward()
    now = loop.last.weight.grad
    assert now is not None
    assert inspector.stats("2", "gradient").max == pytest.approx(float(now.max()), rel=1e-6)
    inspector.selected, inspector.tab = "2", "gradients"
    shown = blocks(inspector)
    np.testing.assert_allclose(pixels(shown["matrix"]), now.numpy(), rtol=1e-5)
    assert "note" not in shown


def test_they_are_let_go_of(make: Make) -> None:
    loop = Loop()
    inspector = make(loop.model, loop.x, optimizer=loop.optimizer)
    sampled(loop, inspector, 3)
    weight = loop.last.weight
    kept = inspector._gradients.of(weight)
    assert kept is not None
    held = weakref.ref(kept)
    del kept
    inspector.close()
    gc.collect()
    assert held() is None
