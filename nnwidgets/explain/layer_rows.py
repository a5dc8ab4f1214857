"""What a layer gives for each of many points."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.answers import waiting
from nnwidgets.explain.predictor import Predictor
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.units import batch_axis, channel_axis, main_tensor

__all__ = ["layer_rows", "unit_rows"]


def layer_rows(
    predictor: Predictor, layer: str, points: Any, check: Callable[[], None] = waiting
) -> NDArray[np.floating[Any]]:
    """Return all that a layer gives, flattened behind the points.

    Parameters
    ----------
    predictor
        Knows the model and how points get in.
    layer
        Name of a module in it. Of one that is called several times, its last call.
    points
        (n, features).
    check
        Called between batches; what it raises ends the work.

    Returns
    -------
    ndarray
        (n, numbers).

    Raises
    ------
    Refusal
        As `nnwidgets.explain.predictor.Predictor.answer`, and if there is no such layer, if it is
        not called, or if it does not give one row a point.
    """
    return _gathered(predictor, layer, points, lambda tensor, axis: tensor.flatten(1), check)


def unit_rows(
    predictor: Predictor,
    layer: str,
    points: Any,
    units: Sequence[int] | None = None,
    check: Callable[[], None] = waiting,
) -> NDArray[np.floating[Any]]:
    """Return one number for each unit of a layer: of a map or a sequence its mean.

    Parameters
    ----------
    predictor, layer, points, check
        As for `layer_rows`.
    units
        Which channels (columns, feature maps, features of tokens); None: all of them.

    Returns
    -------
    ndarray
        (n, units).

    Raises
    ------
    Refusal
        As `layer_rows`, and if there is no such unit.
    """

    def means(tensor: Tensor, axis: int) -> Tensor:
        rows = tensor.movedim(axis, 1).flatten(2).mean(2) if tensor.dim() > 2 else tensor
        if units is None:
            return rows
        wrong = [unit for unit in units if not 0 <= unit < rows.shape[1]]
        if wrong:
            last = str(rows.shape[1] - 1)
            raise Refusal("explain.units.range", unit=str(wrong[0]), last=last, layer=layer)
        return rows[:, list(units)]

    return _gathered(predictor, layer, points, means, check)


def _gathered(
    predictor: Predictor,
    layer: str,
    points: Any,
    reduce: Callable[[Tensor, int], Tensor],
    check: Callable[[], None],
) -> NDArray[np.floating[Any]]:
    modules = dict(predictor.root.named_modules())
    if layer not in modules:
        near = difflib.get_close_matches(str(layer), [*modules], 1, 0.0)
        raise Refusal("explain.layer_unknown", layer=str(layer), nearest=near[0] if near else "–")
    module = modules[layer]
    names = [*modules]
    before = [modules[name] for name in names[: names.index(layer)]]
    kept: list[Tensor] = []

    def keep(module: nn.Module, args: object, output: Any) -> None:
        tensor = main_tensor(output).detach()
        axis = batch_axis(module, tensor)
        if axis is None or tensor.dim() < 2:
            raise Refusal("explain.units.rows", layer=layer)
        channel = channel_axis(module, tensor, before) % tensor.dim()
        # The axis of the channels once that of the samples stands first.
        place = channel + 1 if channel < axis else channel
        rows = reduce(tensor.movedim(axis, 0), place)
        # A copy, because what comes after the layer may work in place on its output.
        kept[:] = [rows.to(torch.get_default_dtype()) if rows.itemsize < 4 else rows.clone()]

    def read(output: Any) -> Tensor:
        if not kept:
            raise Refusal("explain.layer.silent", layer=layer)
        return kept.pop()

    handle = module.register_forward_hook(keep)
    try:
        return np.asarray(predictor.gather(points, read, check).numpy())
    finally:
        handle.remove()
