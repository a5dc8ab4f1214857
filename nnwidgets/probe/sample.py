"""What a sampled step has to say: the layers, and a number of each kind for every one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnwidgets.probe.origin import NonFiniteOrigin

__all__ = ["LayerRow", "LayerSample"]


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer: a module that owns parameters.

    Attributes
    ----------
    name
        As in ``named_modules()``; ``""`` for a model that owns parameters itself.
    type
        Class name.
    label
        Class and sizes, such as ``"Conv2d 16→32"``.
    frozen
        None of its own parameters takes part in training.
    dead_known
        Whether dead units can be told of this layer (see ``nnwidgets.probe.dead``).
    """

    name: str
    type: str
    label: str
    frozen: bool
    dead_known: bool


@dataclass(frozen=True, slots=True)
class LayerSample:
    """What one sampled step showed; arrays are float64 with one entry a row, NaN is unknown.

    Attributes
    ----------
    step
        The step that was looked at.
    grad_norm
        2-norm of all gradients of the layer's own parameters, right before the update.
    update_ratio
        ‖Δw‖ / ‖w‖ over the update, of the layer's parameters other than biases (of the biases where
        it has nothing else). NaN where the weight was zero.
    dead
        Dead output units (see ``nnwidgets.probe.dead``), NaN where that cannot be told.
    units
        Output units, NaN for layers that have none in that sense.
    saturated
        Share of the outputs of the sigmoid or tanh that follows the layer which lie at the ends of
        their range (see ``nnwidgets.probe.saturation``); NaN where no such module was seen, and for
        the layer that gives the model's output.
    nonfinite
        Where NaN or an infinity began, if this step held any.
    seconds
        Time spent inside the forward pass of the user's model, in hooks. The owner measures the
        time in the other calls.
    """

    step: int
    grad_norm: np.ndarray
    update_ratio: np.ndarray
    dead: np.ndarray
    units: np.ndarray
    saturated: np.ndarray
    nonfinite: tuple[NonFiniteOrigin, ...]
    seconds: float
