"""Class activation maps: which places of a layer's maps speak for the target.

All start from a layer's activation A (channels k, places i) and the gradient g = dS/dA of the
target's score S, and end in one map over the input's plane.

=================== =====================================================================
grad_cam            Σ_k mean_i(g_k) A_k            Selvaraju et al. 2017, without the ReLU
grad_cam_plus_plus  relu Σ_k Σ_i(α_ki relu g_ki) A_k   Chattopadhyay et al. 2018
layer_cam           relu Σ_k relu(g_ki) A_ki       Jiang et al. 2021
=================== =====================================================================

Grad-CAM itself is captum's (`nnwidgets.explain.methods_cam`) and keeps its sign, as captum's does;
the two others are defined with the ReLU. The option ``relu_attributions`` says otherwise. The token
grid of a transformer is a map like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from nnwidgets.explain.layer_pass import layer_pass
from nnwidgets.explain.plane import over_inputs
from nnwidgets.explain.registry import Method, Result, Run, register
from nnwidgets.explain.spatial import as_maps, mixed_tokens, spatial_layer

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = [
    "cam_result",
    "grad_cam_map",
    "grad_cam_plus_plus_map",
    "layer_cam_map",
    "maps_of",
]

Weighing = Callable[[Tensor, Tensor], Tensor]


def grad_cam_map(activation: Tensor, gradient: Tensor) -> Tensor:
    """Return Σ_k w_k A_k, where w_k is the mean of channel k's gradient.

    Parameters
    ----------
    activation, gradient
        (1, channels, height, width), or (1, channels, length).

    Returns
    -------
    Tensor
        One channel, signed: (1, 1, height, width) or (1, 1, length).

    Notes
    -----
    Selvaraju et al., "Grad-CAM" (2017), equations 1 and 2, without the ReLU of equation 2.
    """
    weights = gradient.mean(_places(gradient), keepdim=True)
    return (weights * activation).sum(1, keepdim=True)


def grad_cam_plus_plus_map(activation: Tensor, gradient: Tensor) -> Tensor:
    """Return Σ_k w_k A_k with w_k = Σ_i α_ki relu(g_ki).

    Parameters
    ----------
    activation, gradient
        (1, channels, height, width), or (1, channels, length).

    Returns
    -------
    Tensor
        One channel, before the final ReLU.

    Notes
    -----
    Chattopadhyay et al., "Grad-CAM++" (2018), with Y = exp(S): equation 19 gives
    α_ki = g_ki² / (2 g_ki² + Σ_j A_kj g_ki³), 0 where the denominator is. The factor exp(S), which
    all weights share and which overflows, is left out.
    """
    total = activation.sum(_places(activation), keepdim=True)
    # With g² taken out above and below, so that small gradients do not underflow.
    denominator = 2 + total * gradient
    exists = (gradient != 0) & (denominator != 0)
    alpha = torch.where(exists, 1 / denominator, 0.0)
    weights = (alpha * gradient.relu()).sum(_places(gradient), keepdim=True)
    return (weights * activation).sum(1, keepdim=True)


def layer_cam_map(activation: Tensor, gradient: Tensor) -> Tensor:
    """Return Σ_k relu(g_ki) A_ki: each place is weighed by its own positive gradient.

    Parameters
    ----------
    activation, gradient
        (1, channels, height, width), or (1, channels, length).

    Returns
    -------
    Tensor
        One channel, before the final ReLU.

    Notes
    -----
    Jiang et al., "LayerCAM" (2021), equations 6 to 8.
    """
    return (gradient.relu() * activation).sum(1, keepdim=True)


def maps_of(asked: Asked, layer: str, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Bring what a layer gave (and its gradient) into the form of maps.

    Parameters
    ----------
    asked
        The sample and the target.
    layer
        Name of the layer.
    *tensors
        Of the form of its output.

    Returns
    -------
    tuple of Tensor
        (1, channels, height, width) or (1, channels, length); class tokens left out.

    Raises
    ------
    Refusal
        If the layer keeps no places.
    """
    module = asked.root.get_submodule(layer)
    if tensors[0].dim() == 4 or (tensors[0].dim() == 3 and isinstance(module, _MAPS)):
        return tensors  # seen at once; anything else takes a run of the model to find out
    found = spatial_layer(asked, layer)
    return tuple(as_maps(each, found) for each in tensors)


def cam_result(run: Run, weigh: Weighing, *, relu: bool) -> Result:
    """Work out a class activation map and lay it over the input.

    Parameters
    ----------
    run
        What was asked. Its options ``relu_attributions``, ``attribute_to_layer_input`` and
        ``interpolate_mode`` are looked at.
    weigh
        Makes one map of activation and gradient.
    relu
        Whether negative places become zero, unless the option says otherwise.

    Returns
    -------
    Result
        ``details["layer_map"]`` holds the map at the layer's own resolution.
    """
    asked, layer, options = run.asked, str(run.layer), run.options
    run.expect(2)
    seen = layer_pass(asked, layer, of_input=bool(options.get("attribute_to_layer_input", False)))
    activation, gradient = maps_of(asked, layer, seen.activation, seen.gradient)
    found = weigh(activation, gradient)
    if options.get("relu_attributions", relu):
        found = found.relu()
    values, warned = over_inputs(
        asked, found, layer=layer, reached=seen.reached, mode=options.get("interpolate_mode")
    )
    details = {"layer_map": found[0, 0].float().cpu().numpy()}
    return Result(values, warnings=(*warned, *mixed_tokens(asked, layer)), details=details)


def _places(maps: Tensor) -> tuple[int, ...]:
    return tuple(range(2, maps.dim()))


_MAPS: Final = (
    nn.Conv1d,
    nn.ConvTranspose1d,
    nn.BatchNorm1d,
    nn.MaxPool1d,
    nn.AvgPool1d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveMaxPool1d,
)
_OPTIONS: Final = frozenset({"relu_attributions", "attribute_to_layer_input", "interpolate_mode"})

register(
    Method(
        "grad_cam_plus_plus",
        lambda run: cam_result(run, grad_cam_plus_plus_map, relu=True),
        needs_layer=True,
        options=_OPTIONS,
    )
)
register(
    Method(
        "layer_cam",
        lambda run: cam_result(run, layer_cam_map, relu=True),
        needs_layer=True,
        options=_OPTIONS,
    )
)
