"""Pictures whose class is decided by a small patch somewhere, and a network trained on them.

Two patches as loud as that one lie beside it and say nothing: who looks for contrast alone is
right in one picture of three.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["PATCH", "SIDE", "Planted", "planted"]

SIDE, PATCH = 24, 5
_STRIPES = torch.tensor([[1.0, 1.0, -1.0, -1.0, 1.0]]).repeat(PATCH, 1)
# One class a pattern, all of the same brightness: stripes that stand, that lie, and squares.
_SQUARES = torch.ones(PATCH, PATCH)
_SQUARES[1:4, 1:4] = -1
_SQUARES[2, 2] = 1
_PATTERNS = (_STRIPES, _STRIPES.t(), _SQUARES)
_DECOY = torch.ones(PATCH, PATCH)  # stripes that lean
_DECOY[(torch.arange(PATCH)[:, None] + torch.arange(PATCH)) % 4 > 1] = -1


@dataclass(frozen=True)
class Planted:
    """A trained network, and pictures it has not seen with where their patch lies."""

    model: nn.Module
    pictures: Tensor
    labels: Tensor
    corners: np.ndarray

    def inside(self, index: int, row: int, column: int) -> bool:
        """Whether a pixel lies in the patch, or at its very edge."""
        top, left = self.corners[index]
        return bool(-1 <= row - top <= PATCH and -1 <= column - left <= PATCH)


def _pictures(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, np.ndarray]:
    pictures = torch.randn(count, 1, SIDE, SIDE, generator=generator) * 0.3
    labels = torch.randint(0, len(_PATTERNS), (count,), generator=generator)
    corners = np.zeros((count, 2), int)
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        # Four fields, so that no two patches touch: one stays empty.
        fields = torch.randperm(4, generator=generator)[:3].tolist()
        for field, pattern in zip(fields, (_PATTERNS[label], _DECOY, _DECOY), strict=True):
            inner = torch.randint(0, SIDE // 2 - PATCH + 1, (2,), generator=generator)
            top, left = (
                field // 2 * SIDE // 2 + int(inner[0]),
                field % 2 * SIDE // 2 + int(inner[1]),
            )
            picture[0, top : top + PATCH, left : left + PATCH] += pattern
            if pattern is not _DECOY:
                corners[number] = top, left
    return pictures, labels, corners


@functools.cache
def planted() -> Planted:
    """Train for a few seconds; the same each time."""
    generator = torch.Generator().manual_seed(0)
    pictures, labels, _ = _pictures(1500, generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(24, 3),
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(10):
        order = torch.randperm(len(pictures), generator=generator)
        for batch in order.split(50):
            loss = nn.functional.cross_entropy(model(pictures[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return Planted(model.eval(), *_pictures(60, generator))
