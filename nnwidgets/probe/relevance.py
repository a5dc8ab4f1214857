"""How much each channel of a layer bears on what the model decides.

|activation × gradient| of the decided class's score, summed over a channel: the first-order change
of the score if each unit of it were switched off (Molchanov et al. 2017, "Pruning convolutional
neural networks for resource efficient inference", equation 8, without its average). It orders
channels; it is no share of the score.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nnwidgets.probe.leaf import run_from
from nnwidgets.probe.reach import earlier_modules
from nnwidgets.probe.readout import model_output, score_index
from nnwidgets.probe.units import batch_axis, channel_axis, locate, samples_first

__all__ = ["channel_scores"]


def channel_scores(
    model: nn.Module,
    sample: Any,
    layer: str,
    sample_index: int = 0,
    *,
    target: int | tuple[int, ...] | None = None,
    axis: int | None = None,
    call: int = 0,
) -> NDArray[np.float64]:
    """Return the sum of |activation × gradient| over each channel of a layer.

    Parameters
    ----------
    model
        A private copy, in evaluation mode.
    sample
        See `nnwidgets.probe.look.call_arguments`.
    layer
        Name of the layer.
    sample_index
        Which sample of the batch.
    target
        The score, see `nnwidgets.probe.readout.score_index`; by default that of the predicted
        class.
    axis
        The dimension of the layer's output that counts channels; by default as
        `nnwidgets.probe.units.channel_axis` says.
    call
        Which of the layer's calls.

    Returns
    -------
    ndarray
        float64, one number a channel; zeros where the score does not depend on the layer.

    Raises
    ------
    Refusal
        If the model fails, does not call the layer, or there is no such sample or target.
    """
    run = run_from(model, sample, layer, call=call)
    output = run.output
    result = samples_first(model, model_output(run.result))
    gradient = None
    with torch.enable_grad():
        score = result[score_index(result, sample_index, target)]
        if score.requires_grad:
            (gradient,) = torch.autograd.grad(score, output, allow_unused=True)
    if axis is None:
        axis = channel_axis(run.module, output, earlier_modules(model, layer))
    channels = output.shape[axis]
    if gradient is None:
        return np.zeros(channels)
    product = (output.detach() * gradient).abs().double()
    batch = batch_axis(run.module, output)
    axis += output.dim()
    if batch is not None:
        first = [0] * (output.dim() - 1)
        index, _ = locate(run.module, output, sample_index, first)
        product = product.select(batch, index[batch])
        axis -= batch < axis
    scores = product.movedim(axis, 0).flatten(1).sum(1) if product.dim() > 1 else product
    found: NDArray[np.float64] = scores.cpu().numpy()
    return found
