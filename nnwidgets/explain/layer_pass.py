"""One pass through the scored model that is cut open at a layer: what it gave, and its gradient.

The layer's output is put back into the run as a leaf of its own, so that the backward pass ends
there: what lies before the layer costs no backward at all, and an operation that later changes
the output in place changes a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

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
        (1, …): the layer's first output and d score / d output, of one shape; of halves float32.
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
    for cut in (_Cut(), _Kept()):
        score, inputs = _run(asked, asked.root.get_submodule(layer), cut, of_input)
        if cut.tensor is None or cut.origin is None:
            raise Refusal("explain.layer.silent", layer=layer)
        if score.requires_grad and not cut.changed:
            (gradient,) = torch.autograd.grad(score, [cut.tensor], allow_unused=True)
            if gradient is not None:
                found = _leaves_of(cut.origin, cut.earlier)
                reached = tuple(id(value) in found for value in inputs)
                # Halves are too coarse for sums over places and channels.
                activation, gradient = _wide(cut.tensor.detach()), _wide(gradient)
                return LayerPass(activation, gradient, float(score.detach()), reached)
        # What a layer gives may also be used inside it: a backbone that hands out its features
        # beside their mean. Then it is looked at where it is, without being replaced.
    raise Refusal("explain.layer.unused", layer=layer)


def _run(
    asked: Asked, module: nn.Module, cut: _Cut, of_input: bool
) -> tuple[Tensor, Sequence[Tensor]]:
    """Return the score with its graph, and the inputs that it was made of."""
    handle = (
        module.register_forward_pre_hook(cut.before, with_kwargs=True)
        if of_input
        else module.register_forward_hook(cut.after)
    )
    try:
        with torch.enable_grad():
            # Inputs that want a gradient keep torch off the fused paths that call no hooks.
            inputs = [value.detach().requires_grad_() for value in asked.inputs]
            return asked.model(*inputs, *asked.others).sum(), inputs
    finally:
        handle.remove()


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _leaves_of(tensor: Tensor, cut: Sequence[tuple[Tensor, Tensor]] = ()) -> set[int]:
    """Return the identities of the leaves that a tensor's graph leads to.

    Where the graph ends at a leaf that was put in, it goes on at what that leaf stands for.
    """
    found: set[int] = set()
    if tensor.grad_fn is None:
        return {id(tensor)}
    seen: set[Any] = set()
    origins = {id(leaf): origin for leaf, origin in cut}
    waiting: list[Any] = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            found.add(id(leaf))
            origin = origins.pop(id(leaf), None)
            if origin is not None:
                waiting.append(origin.grad_fn)
                found.add(id(origin))  # where the layer gave an input itself
        waiting += [following for following, _ in node.next_functions]
    return found


class _Cut:
    """Hooks that put a leaf in the place of the first tensor that passes."""

    def __init__(self) -> None:
        self.tensor: Tensor | None = None  # whose gradient is wanted
        self.origin: Tensor | None = None  # with the graph that leads to it
        self.earlier: list[tuple[Tensor, Tensor]] = []  # the same of the layer's calls before

    @property
    def changed(self) -> bool:
        """Whether it no longer holds what the layer gave."""
        return False

    def after(self, module: object, args: object, output: Any) -> Any:
        return self._replaced(output)

    def before(self, module: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return (self._replaced(args), kwargs) if args else (args, self._replaced(kwargs))

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            if not value.is_floating_point():
                return value
            return self._taken(value)
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

    def _taken(self, value: Tensor) -> Tensor:
        if self.tensor is not None and self.origin is not None:
            self.earlier.append((self.tensor, self.origin))
        self.origin = value
        # A copy, because the layer's own tensor may be changed in place by whoever else holds it.
        self.tensor = value.detach().clone().requires_grad_()
        return self.tensor.clone()


class _Kept(_Cut):
    """Hooks that keep the first tensor that passes, in its place in the graph."""

    _version = 0

    @property
    def changed(self) -> bool:
        return self.tensor is not None and self.tensor._version != self._version

    def _taken(self, value: Tensor) -> Tensor:
        self.origin = self.tensor = value
        self._version = value._version
        return value
