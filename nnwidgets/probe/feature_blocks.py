"""How an input that was made for a unit is shown."""

from __future__ import annotations

import numpy as np
import torch

from nnwidgets.probe.blocks import Block, Words, bars, note, picture
from nnwidgets.probe.features import Feature
from nnwidgets.probe.natural import natural
from nnwidgets.probe.pooling import pooled
from nnwidgets.probe.sentences import whole

__all__ = ["feature_blocks"]

_TITLE: Words = ("ui.inspector.feature.image", {})


def feature_blocks(found: Feature) -> list[Block]:
    """Return the input as a picture, what the unit says to it and to other inputs, and why.

    Parameters
    ----------
    found
        From `nnwidgets.probe.features.maximise`.

    Returns
    -------
    list of Block
        ``"image"`` for one or three channels, else ``"maps"``, ``"matrix"`` or ``"bars"``; then
        ``"numbers"`` and notes.
    """
    items = ["activation", "best_sample", "mean_sample", "noise"]
    values = [found.activation, found.best_sample, found.mean_sample, found.noise]
    numbers = Block(
        "numbers",
        {"items": [[f"ui.inspector.feature.{item}", "number", None] for item in items]},
        {"values": np.asarray(values, np.float64)},
    )
    blocks = [_input(found), numbers]
    if found.stopped:
        level = "info" if found.stopped == "cancelled" else "warning"
        blocks.append(note(f"probe.feature.{found.stopped}", level, steps=whole(found.steps)))
    blocks.append(note("probe.feature.meaning"))
    return blocks


def _input(found: Feature) -> Block:
    values = found.image
    if values.ndim == 3 and values.shape[0] in (1, 3):
        low, high = torch.from_numpy(found.low), torch.from_numpy(found.high)
        pixels = natural(torch.from_numpy(values)[None], low, high)[0]
        return Block("image", {}, {"pixels": pixels}, _TITLE)
    if values.ndim == 1:
        return bars(values, title=_TITLE, meta={"units": False})
    if values.ndim == 2:
        small, reduced = pooled(torch.from_numpy(values)[None], 256, 256)
        meta = {"rows": "token", "columns": "feature", "reduced": reduced, "units": False}
        return picture("matrix", small[0].numpy(), signed=_signed(values), title=_TITLE, meta=meta)
    planes = values.reshape(-1, *values.shape[-2:])
    small, reduced = pooled(torch.from_numpy(planes[:64]), 64, 64)
    return picture(
        "maps", small.numpy(), signed=_signed(values), title=_TITLE,
        meta={
            "count": len(planes), "sort": "index", "rgb": False, "caption": None,
            "reduced": reduced, "units": False,
        },
        arrays={
            "units": np.arange(len(small), dtype=np.int32),
            "values": planes[:64].mean((1, 2)).astype(np.float32),
        },
    )  # fmt: skip


def _signed(values: np.ndarray) -> bool:
    return bool((values < 0).any() and (values > 0).any())
