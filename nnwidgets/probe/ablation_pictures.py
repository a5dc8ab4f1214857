"""What switching units off changes in a model that returns pictures, such as an autoencoder."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from nnwidgets.probe.blocks import Block, Words, picture
from nnwidgets.probe.natural import natural, spread
from nnwidgets.probe.pooling import pooled
from nnwidgets.probe.readout import model_output

__all__ = ["Pictures", "changed_pictures", "pictures_of"]

Pictures = tuple[Tensor, Tensor]

_TITLES: Final = ("ui.inspector.ablation.with", "ui.inspector.ablation.without")
_SIDE: Final = 128  # cells of a picture
_MAPS: Final = 16  # channels whose difference is drawn
_CELLS: Final = 64  # of the side of such a map


def pictures_of(before: Any, after: Any) -> Pictures | None:
    """Return what a model gave with and without some units, if that is pictures.

    Returns
    -------
    tuple of Tensor or None
        float32, shape (samples, channels, rows, columns) each.
    """
    found = []
    for result in (before, after):
        output = model_output(result).detach()
        if output.dim() != 4 or min(output.shape[2:]) < 2 or output.is_complex():
            return None
        found.append(output.to("cpu", torch.float32))
    return found[0], found[1]


def changed_pictures(pictures: Pictures, sample_index: int) -> list[Block]:
    """Return one sample's picture with and without the units, and what changed.

    Parameters
    ----------
    pictures
        See `pictures_of`.
    sample_index
        Which sample.

    Returns
    -------
    list of Block
        For one or three channels two ``"image"``, black and white at the same values; then
        ``"maps"``, the difference of each channel.
    """
    blocks: list[Block] = []
    before, after = (one[sample_index] for one in pictures)
    if len(before) in (1, 3):
        both = torch.stack([pooled(one, _SIDE, _SIDE)[0] for one in (before, after)])
        drawn = natural(both, *spread(both))
        for key, pixels in zip(_TITLES, drawn, strict=True):
            blocks.append(Block("image", {}, {"pixels": pixels}, (key, {})))
    difference = (after - before)[:_MAPS]
    small, reduced = pooled(difference, _CELLS, _CELLS)
    meta = {
        "count": len(before), "sort": "index", "rgb": False, "caption": None,
        "reduced": reduced, "units": False,
    }  # fmt: skip
    arrays = {
        "units": np.arange(len(small), dtype=np.int32),
        "values": difference.flatten(1).mean(1).numpy(),
    }
    title: Words = ("ui.inspector.ablation.difference", {})
    maps = picture("maps", small.numpy(), signed=True, title=title, meta=meta, arrays=arrays)
    return [*blocks, maps]
