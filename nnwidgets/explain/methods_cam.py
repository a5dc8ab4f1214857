"""Grad-CAM and guided Grad-CAM, worked out by captum.

grad_cam         Σ_k mean_i(dS/dA_ki) A_k, signed                    Selvaraju et al. 2017
guided_grad_cam  relu of that, times guided backprop                 Selvaraju et al. 2017

captum takes the second axis of a layer for its channels. Where a layer gives tokens instead, its
output is first laid out as maps, and the same formula is applied (`nnwidgets.explain.cam`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nnwidgets.explain.cam import grad_cam_map
from nnwidgets.explain.layer_pass import layer_pass
from nnwidgets.explain.methods_gradient import Gradients, plain, with_gradient
from nnwidgets.explain.plane import over_inputs
from nnwidgets.explain.registry import Method, Result, Run, Warned, register
from nnwidgets.explain.spatial import as_maps, spatial_layer
from nnwidgets.probe.refusal import Refusal

__all__: list[str] = []


def _grad_cam(run: Run) -> Result:
    from captum.attr import LayerGradCam

    asked, name = run.asked, str(run.layer)
    layer = spatial_layer(asked, name)
    of_input = bool(run.options.get("attribute_to_layer_input", False))
    run.expect(2)
    if layer.tokens or of_input:
        cut = layer_pass(asked, name, of_input=of_input)
        found = grad_cam_map(as_maps(cut.activation, layer), as_maps(cut.gradient, layer))
        if run.options.get("relu_attributions", False):
            found = found.relu()
    else:
        method = LayerGradCam(asked.model, asked.root.get_submodule(name))
        maps = method.attribute(
            with_gradient(asked.inputs),
            additional_forward_args=asked.others or None,
            relu_attributions=bool(run.options.get("relu_attributions", False)),
        )
        found = (maps if isinstance(maps, Tensor) else maps[0]).detach()
    reached = _reached(run, name)
    mode = run.options.get("interpolate_mode")
    values, warned = over_inputs(asked, found, layer=name, reached=reached, mode=mode)
    return Result(values, warnings=warned)


def _guided_grad_cam(run: Run) -> Result:
    from captum.attr import GuidedGradCam

    asked, name = run.asked, str(run.layer)
    method: Any = GuidedGradCam(asked.model, asked.root.get_submodule(name))
    gradients = Gradients(asked)
    method.guided_backprop.gradient_func = gradients
    run.expect(4)
    found = method.attribute(
        with_gradient(asked.inputs),
        additional_forward_args=asked.others or None,
        interpolate_mode=run.options.get("interpolate_mode", "nearest"),
        attribute_to_layer_input=bool(run.options.get("attribute_to_layer_input", False)),
    )
    values = []
    blank = []
    for slot, given, value in zip(asked.slots, asked.inputs, plain(found), strict=True):
        fits = value.shape == given.shape
        # captum gives nothing where the map cannot be laid over an input.
        values.append(value if fits else torch.full_like(given, torch.nan))
        blank += [] if fits else [slot.name]
    if len(blank) == len(values):
        raise Refusal("explain.plane.none", layer=name)
    warned: tuple[Warned, ...] = gradients.warnings
    if blank:
        warned += (("explain.plane.blank", {"layer": name, "inputs": ", ".join(blank)}),)
    return Result(tuple(values), warnings=warned)


def _reached(run: Run, name: str) -> tuple[bool, ...]:
    """Say which inputs the layer looks at; a single one it must."""
    asked = run.asked
    if len(asked.inputs) == 1:
        return (True,)
    seen: list[Tensor] = []

    def keep(module: object, args: object, output: Any) -> None:
        first = output if isinstance(output, Tensor) else output[0]
        seen.append(first.sum())

    inputs = with_gradient(asked.inputs)
    handle = asked.root.get_submodule(name).register_forward_hook(keep)
    try:
        asked.model(*inputs, *asked.others)
    finally:
        handle.remove()
    if not seen or not seen[-1].requires_grad:
        return (False,) * len(inputs)
    slopes = torch.autograd.grad(seen[-1], inputs, allow_unused=True)
    return tuple(slope is not None for slope in slopes)


register(
    Method(
        "grad_cam",
        _grad_cam,
        needs_layer=True,
        options=frozenset({"relu_attributions", "attribute_to_layer_input", "interpolate_mode"}),
    )
)
register(
    Method(
        "guided_grad_cam",
        _guided_grad_cam,
        needs_layer=True,
        options=frozenset({"interpolate_mode", "attribute_to_layer_input"}),
        cost=lambda asked, options: 6,
    )
)
