"""Pictures of a module's weights, and what stands in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nnwidgets.probe.blocks import Block
from nnwidgets.probe.weights import weight_blocks
from tests.probe.pictured import checked


def drawn(module: nn.Module, which: Any = "weight", **options: Any) -> list[Block]:
    state = {name: value.clone() for name, value in module.state_dict().items()}
    random = torch.get_rng_state()
    blocks = checked(weight_blocks(module, which, **options))
    assert torch.equal(random, torch.get_rng_state())
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0, equal_nan=True)
    return blocks


def plain(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().numpy()


def titled(blocks: list[Block], key: str, **params: str) -> Block:
    (found,) = [b for b in blocks if b.title == (f"ui.inspector.weights.{key}", params)]
    return found


def kinds(blocks: list[Block]) -> list[str]:
    return [block.kind for block in blocks]
