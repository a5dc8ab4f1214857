"""Grad-CAM and guided Grad-CAM.

grad_cam         Σ_k mean_i(dS/dA_ki) A_k, signed                    Selvaraju et al. 2017
guided_grad_cam  relu of that, times guided backprop                 Selvaraju et al. 2017

The second is captum's. The first gives captum's numbers (they are compared in the tests) but shares
the code of the other activation maps (`nnwidgets.explain.cam`): captum takes the second axis of
every layer for its channels, which it is not where a layer gives tokens; it reads a layer's output
after an operation in place has changed it; and it runs backward through the whole model, where
backward to the layer is enough.
"""

from __future__ import annotations

from typing import Any

import torch

from nnwidgets.explain.cam import cam_result, grad_cam_map
from nnwidgets.explain.methods_gradient import Gradients, plain, with_gradient
from nnwidgets.explain.registry import Method, Result, Run, Warned, register
from nnwidgets.explain.spatial import spatial_layers
from nnwidgets.probe.refusal import Refusal

__all__: list[str] = []


def _guided_grad_cam(run: Run) -> Result:
    from captum.attr import GuidedGradCam

    asked, name = run.asked, str(run.layer)
    if any(layer.tokens for layer in spatial_layers(asked) if layer.name == name):
        raise Refusal("explain.why.guided_tokens", layer=name)
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


register(
    Method(
        "grad_cam",
        lambda run: cam_result(run, grad_cam_map, relu=False),
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
