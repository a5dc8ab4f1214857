"""What a model that returns pictures gives without some units, against the layers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.ablation import ablate
from nnwidgets.probe.blocks import decode
from tests.probe.refilled import randn, refill


class Coder(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.code = nn.Linear(channels * 36, 3)
        self.back = nn.Linear(3, channels * 36)
        self.channels = channels

    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"loss": torch.zeros(()), "picture": self.draw(self.code(x.flatten(1)))}

    def draw(self, code: Tensor) -> Tensor:
        return torch.sigmoid(self.back(code)).unflatten(1, (self.channels, 6, 6))


def shown(block: Any) -> np.ndarray:
    data = block.arrays["pixels"]
    if data.dtype == np.uint8:
        return decode(data, block.meta["low"], block.meta["high"])
    return np.asarray(data)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pictures_with_and_without(channels: int) -> None:
    model = refill(Coder(channels))
    x = randn(4, channels, 6, 6)
    blocks = ablate(model, x, "code", [1]).blocks(2)
    with torch.no_grad():
        code = model.code(x.flatten(1))
        before = model.draw(code)[2].numpy()
        code[:, 1] = 0
        after = model.draw(code)[2].numpy()
    maps = next(block for block in blocks if block.kind == "maps")
    step = (maps.meta["high"] - maps.meta["low"]) / 200
    np.testing.assert_allclose(shown(maps), after - before, atol=step)
    assert maps.meta["low"] == -maps.meta["high"], "zero is pale"
    np.testing.assert_allclose(maps.arrays["values"], (after - before).mean((1, 2)), rtol=1e-4)
    images = [block.arrays["pixels"] for block in blocks if block.kind == "image"]
    assert len(images) == (2 if channels in (1, 3) else 0)
    if images:  # both from the same black to the same white, of each colour
        both = np.stack([before, after])
        low = both.min((0, 2, 3))[:, None, None]
        high = both.max((0, 2, 3))[:, None, None]
        for pixels, truth in zip(images, (before, after), strict=True):
            grey = pixels[None] if channels == 1 else np.moveaxis(pixels, -1, 0)
            np.testing.assert_allclose(grey / 255, (truth - low) / (high - low), atol=1 / 255)


def test_large_pictures_stay_small() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
    blocks = ablate(model, randn(1, 3, 600, 500).float(), "0", [0]).blocks(0)
    assert sum(array.nbytes for block in blocks for array in block.arrays.values()) < 150_000


def test_classes_are_no_pictures() -> None:
    model = refill(nn.Sequential(nn.Flatten(), nn.Linear(36, 5)))
    found = ablate(model, randn(3, 1, 6, 6), "0", None)
    assert found.pictures is None
    assert found.blocks(0)[0].kind == "outputs"
