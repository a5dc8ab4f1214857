"""The weights that a module itself holds, or their gradients, under the names they have in it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import Parameter, is_lazy

from nnwidgets.probe.tree import own_parameters

__all__ = ["Held", "holders_inside", "main_parameter", "own_gradients", "own_weights"]


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor of a module.

    Attributes
    ----------
    name
        Local: ``"weight"``, ``"bias"``, ``"weight_ih_l0"``.
    value
        It, or its gradient; None if there is none.
    trained
        Whether a gradient is asked for.
    """

    name: str
    value: Tensor | None
    trained: bool = True


def main_parameter(module: nn.Module) -> tuple[str, Parameter] | None:
    """Return the parameter that stands for a module over a run, with its local name.

    Its ``weight``; where it has none (LSTM, attention, parameters of its own under other names) the
    largest of its parameters. None where the weight is computed from others.
    """
    own: dict[str, Parameter | None] = dict(module._parameters.items())  # a scripted one has no get
    weight = own.get("weight")
    if weight is not None:
        return "weight", weight
    if "weight" in vars(module) or getattr(module, "parametrizations", None) is not None:
        return None
    found: tuple[str, Parameter] | None = None
    for name, parameter in own.items():
        if parameter is None or _waits(parameter) or not parameter.dtype.is_floating_point:
            continue
        if found is None or parameter.numel() > found[1].numel():
            found = name, parameter
    return found


def own_weights(module: nn.Module) -> list[Held]:
    """Return what the module computes with: parameters, and weights that are computed from some.

    Nothing of the module changes, also where reading a weight is an event (spectral norm advances
    its estimate whenever it is read in training mode): such a weight is computed by a copy.
    """
    found = [
        Held(name, parameter, parameter.requires_grad)
        for name, parameter in module._parameters.items()
        if parameter is not None
    ]
    computed = getattr(module, "parametrizations", None)
    if isinstance(computed, nn.ModuleDict):
        for name, how in computed.items():
            value = copy.deepcopy(how).eval()()
            found.insert(0, Held(name, value, any(p.requires_grad for p in how.parameters())))
    names = {held.name for held in found}
    for name in ("weight", "bias"):
        # The hooks of the older weight norm leave the result as a plain attribute, and quantised
        # layers give theirs out by a method.
        if name in names or name in module._buffers or name in module._modules:
            continue
        value = getattr(module, name, None) if name not in _computed_names(module) else None
        if callable(value) and not isinstance(value, Tensor):
            value = value() if hasattr(module, "_packed_params") else None
        if isinstance(value, Tensor):
            found.insert(0 if name == "weight" else len(found), Held(name, value))
    return [held for held in found if not _waits(held.value)]


def _waits(value: Any) -> bool:
    """Whether it has no shape before the first batch."""
    return bool(is_lazy(value))


def _computed_names(module: nn.Module) -> Any:
    return getattr(module, "parametrizations", ())


def own_gradients(module: nn.Module, kept: Mapping[str, Tensor] | None = None) -> list[Held]:
    """Return the gradients of the parameters that the module owns.

    Parameters
    ----------
    module
        The one that is trained.
    kept
        Gradients by local name, to be shown in place of ``.grad`` (which most training loops have
        cleared again by the time that anybody looks).
    """
    return [
        Held(
            name,
            parameter.grad if kept is None else kept.get(name),
            parameter.requires_grad,
        )
        for name, parameter in own_parameters(module)
        if not _waits(parameter)
    ]


def holders_inside(module: nn.Module) -> list[str]:
    """Return the names, as seen from the module, of those inside it that hold weights."""
    return [
        name
        for name, inner in module.named_modules()
        if inner is not module
        and "parametrizations" not in name.split(".")
        and next(own_parameters(inner), None) is not None
    ]
