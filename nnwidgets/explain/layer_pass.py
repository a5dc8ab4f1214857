"""One pass through the scored model that is cut open at a layer: what it gave, and its gradient.

The layer's output is put back into the run as a leaf of its own, so that the backward pass ends
there: what lies before the layer costs no backward at all, and an operation that later changes
the output in place changes a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["LayerPass", "layer_pass"]


@dataclass(frozen=True, eq=False)
class LayerPass:
    """What a layer gave on the asked sample, and how the score depends on it.

    Attributes
    ----------
    activation, gradient
        (1, …): the layer's first output and d score / d output, of one shape.
    score
        Of the target, in the model's own units.
    reached
        Whether the layer's output depends on each of the inputs.
    """

    activation: Tensor
    gradient: Tensor
    score: float
    reached: tuple[bool, ...]


def layer_pass(asked: Asked, layer: str, *, of_input: bool = False) -> LayerPass:
    """Run the model forward once and backward to a layer.

    Parameters
    ----------
    asked
        The sample and the target.
    layer
        Name of a module in ``asked.root``. Of one that is called several times, its last call.
    of_input
        Look at what goes into the layer, not at what comes out of it.

    Raises
    ------
    Refusal
        If the layer does not run, gives no tensor, or the score does not depend on it.
    """
    module = asked.root.get_submodule(layer)
    cut = _Cut()
    handle = (
        module.register_forward_pre_hook(cut.before, with_kwargs=True)
        if of_input
        else module.register_forward_hook(cut.after)
    )
    try:
        with torch.enable_grad():
            # Inputs that want a gradient keep torch off the fused paths that call no hooks.
            inputs = [
                value.detach().requires_grad_() if value.is_floating_point() else value
                for value in asked.inputs
            ]
            score = asked.model(*inputs, *asked.others).sum()
        if cut.leaf is None:
            raise Refusal("explain.layer.silent", layer=layer)
        if not score.requires_grad:
            raise Refusal("explain.layer.unused", layer=layer)
        (gradient,) = torch.autograd.grad(score, [cut.leaf], allow_unused=True)
    finally:
        handle.remove()
    if gradient is None:
        raise Refusal("explain.layer.unused", layer=layer)
    found = _leaves_of(cut.origin)
    reached = tuple(id(value) in found for value in inputs)
    return LayerPass(cut.leaf.detach(), gradient, float(score.detach()), reached)


def _leaves_of(tensor: Tensor | None) -> set[int]:
    """Return the identities of the leaves that a tensor's graph leads to."""
    found: set[int] = set()
    if tensor is None:
        return found
    if tensor.grad_fn is None:
        return {id(tensor)}
    seen: set[Any] = set()
    waiting: list[Any] = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            found.add(id(leaf))
        waiting += [following for following, _ in node.next_functions]
    return found


class _Cut:
    """Hooks that put a leaf in the place of the first tensor that passes."""

    def __init__(self) -> None:
        self.leaf: Tensor | None = None
        self.origin: Tensor | None = None  # with the graph that leads to it

    def after(self, module: object, args: object, output: Any) -> Any:
        return self._replaced(output)

    def before(self, module: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return (self._replaced(args), kwargs) if args else (args, self._replaced(kwargs))

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            if not value.is_floating_point():
                return value
            self.origin = value
            # detach shares memory with what may be changed in place outside the graph
            self.leaf = value.detach().clone().requires_grad_()
            return self.leaf.clone()
        if isinstance(value, tuple | list):
            for place, part in enumerate(value):
                if isinstance(part, Tensor) and part.is_floating_point():
                    parts = [*value[:place], self._replaced(part), *value[place + 1 :]]
                    return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        if isinstance(value, Mapping):
            for key, part in value.items():
                if isinstance(part, Tensor) and part.is_floating_point():
                    changed: Any = copy.copy(value)
                    changed[key] = self._replaced(part)
                    return changed
        return value
