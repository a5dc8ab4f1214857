"""Running a private module only as far as one of its layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nnwidgets.probe.inside_vmap import unwrapped
from nnwidgets.probe.look import Look
from nnwidgets.probe.nests import fresh_arguments, replaced
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.tree import type_name

__all__ = [
    "ReachError",
    "canonical",
    "earlier_modules",
    "not_called",
    "reach",
    "submodule",
    "why_not_seen",
]


class ReachError(Refusal):
    """The layer does not exist, was not called, or the model failed before it."""


class _ReachedError(Exception):
    """The rest of the forward pass is not needed."""


def submodule(model: nn.Module, layer: str) -> nn.Module:
    """Return a module by its name, as in ``named_modules()``.

    Raises
    ------
    ReachError
        If there is none.
    """
    found: nn.Module | None = dict(model.named_modules(remove_duplicate=False)).get(layer)
    if found is None:
        raise ReachError("probe.reach.unknown", layer=layer)
    return found


def canonical(model: nn.Module, layer: str) -> str:
    """Return the first name of a module that is known by several.

    Raises
    ------
    ReachError
        If there is none.
    """
    module = submodule(model, layer)
    names: list[str] = [name for name, other in model.named_modules() if other is module]
    return names[0]


def earlier_modules(model: nn.Module, layer: str) -> list[nn.Module]:
    """Return the modules before a layer in order of definition, the nearest last."""
    module = submodule(model, layer)
    found = []
    for other in model.modules():
        if other is module:
            break
        found.append(other)
    return found


def reach(
    model: nn.Module,
    sample: Any,
    layer: str,
    *,
    call: int = 0,
    gradients: bool = False,
    given: bool = False,
) -> Any:
    """Return what a layer returns for a sample; what comes after the layer is not run.

    Parameters
    ----------
    model
        A private copy.
    sample
        See `nnwidgets.probe.look.call_arguments`; what comes out can be differentiated with
        respect to its tensors.
    layer
        Its name.
    call
        Which of its calls, from 0.
    gradients
        Record a graph.
    given
        Return what the layer is given instead, a tuple of positional arguments.

    Raises
    ------
    ReachError
        If there is no such layer or call, or the model raised before.
    """
    module = submodule(model, layer)
    if isinstance(module, torch.jit.ScriptModule):  # takes no hooks
        raise Refusal("probe.inspect.scripted", layer=layer)
    outputs: list[Any] = []

    def returned(_: nn.Module, args: Any, output: Any) -> None:
        seen = args if given else output
        inside = {id(t): u for t in tensors_in(seen) if (u := unwrapped(t)) is not t}
        outputs.append(replaced(seen, inside) if inside else seen)
        if len(outputs) > call:
            raise _ReachedError

    handle = module.register_forward_hook(returned)
    try:
        args, kwargs = fresh_arguments(sample)
        with torch.set_grad_enabled(gradients):
            model(*args, **kwargs)
    except _ReachedError:
        pass
    except Exception as problem:
        words = f"{type(problem).__name__}: {problem}"
        raise ReachError("probe.reach.failed", layer=layer, problem=words) from problem
    finally:
        handle.remove()
    if len(outputs) <= call:
        raise not_called(model, layer)
    return outputs[call]


def not_called(model: nn.Module, layer: str) -> ReachError:
    """Return the reason why a module did not run although the model did."""
    module = submodule(model, layer)
    if isinstance(module, torch.jit.ScriptModule):
        return ReachError("probe.inspect.scripted", layer=layer)
    if type(module).forward is nn.Module.forward:  # lists and the like: nothing could call them
        kind = type_name(module)
        if module._modules:
            return ReachError("probe.reach.holds_modules", layer=layer, type=kind)
        if module._parameters:
            return ReachError("probe.reach.holds_parameters", layer=layer, type=kind)
        return ReachError("probe.reach.no_forward", layer=layer, type=kind)
    owner, _, _ = layer.rpartition(".")
    if owner and isinstance(submodule(model, owner), nn.MultiheadAttention):
        return ReachError("probe.reach.only_held", layer=layer, owner=owner)
    return ReachError("probe.reach.not_called", layer=layer)


def why_not_seen(root: nn.Module, layer: str, seen: Look) -> Refusal:
    """Return the reason why a look has found no call of a layer."""
    if seen.problem is not None:
        where = seen.failed_in or type(root).__name__
        problem = f"{type(seen.problem).__name__}: {seen.problem}"[:300]
        return Refusal("probe.inspect.failed", layer=where, problem=problem)
    if isinstance(submodule(root, layer), torch.jit.ScriptModule):
        return Refusal("probe.inspect.scripted", layer=layer)
    return not_called(root, layer)
