"""Pictures of what a module gives: drawn, checked against what every block promises, read back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import nn

from nnwidgets import catalogue
from nnwidgets.probe.blocks import Block, decode
from nnwidgets.probe.display import activation_blocks
from nnwidgets.probe.display_shapes import PICTURE
from nnwidgets.probe.look import Call


def shown(module: nn.Module, *args: Any, sample: int = 0, **options: Any) -> list[Block]:
    with torch.no_grad():
        call = Call(args, {}, module(*args))
    return checked(activation_blocks(module, call, sample, **options))


def returned(given: Any, sample: int = 0, **options: Any) -> list[Block]:
    return checked(activation_blocks(nn.Identity(), Call((), {}, given), sample, **options))


def checked(blocks: list[Block]) -> list[Block]:
    """What holds of every picture: small, strict JSON, known words, the types of arrays."""
    assert blocks
    known = catalogue.catalogue("en")
    for block in blocks:
        json.dumps(block.meta, allow_nan=False)
        if block.title is not None:
            key, params = block.title
            assert key in known
            assert set(params) == set(catalogue.placeholders(known[key]))
        for array in block.arrays.values():
            assert array.dtype in (np.float64, np.float32, np.int32, np.uint8)
    assert sum(a.nbytes for block in blocks for a in block.arrays.values()) <= PICTURE
    return blocks


def pixels(block: Block) -> np.ndarray:
    array = block.arrays["pixels"]
    if array.dtype == np.uint8:
        return decode(array, block.meta["low"], block.meta["high"])
    return array.astype(np.float64)


def level(block: Block) -> float:
    return (block.meta["high"] - block.meta["low"]) / 250 / 2 * 1.001 + 1e-6


def keys(blocks: list[Block]) -> list[str]:
    return [b.title[0] if b.kind == "note" and b.title else b.kind for b in blocks]


def numbers(blocks: list[Block]) -> dict[str, float]:
    block = next(b for b in blocks if b.kind == "numbers")
    names = [key.rpartition(".")[2] for key, _, _ in block.meta["items"]]
    return dict(zip(names, block.arrays["values"].tolist(), strict=True))


def returned_by(module: nn.Module, output: Any, **options: Any) -> list[Block]:
    return checked(activation_blocks(module, Call((), {}, output), 0, **options))
