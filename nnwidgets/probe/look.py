"""Running a model of ours (see `nnwidgets.probe.twin`) and keeping what some layers saw and said.

Hooks go on the modules themselves, so the model must be a private copy, or guarded by whoever
calls. They are taken off however the run ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nnwidgets.probe.inside_vmap import unwrapped

__all__ = ["Arguments", "Call", "Look", "call_arguments", "look"]


@dataclass(frozen=True)
class Arguments:
    """A sample that has both kinds of inputs.

    Attributes
    ----------
    args, kwargs
        Positional and keyword inputs.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass
class Call:
    """One call of one module, in order of return.

    Attributes
    ----------
    args, kwargs, output
        As the module got and gave them. Tensors are the very ones of the run unless the look
        was asked to copy them.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any


@dataclass
class Look:
    """What a run has shown.

    Attributes
    ----------
    calls
        By name of the layer, those that were asked for, one entry a call.
    result
        What the model returned; None if it raised.
    problem
        What the model raised, if it did.
    failed_in
        Name of the innermost module that was running then.
    """

    calls: dict[str, list[Call]] = field(default_factory=dict)
    result: Any = None
    problem: Exception | None = None
    failed_in: str | None = None


def call_arguments(sample: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return positional and keyword arguments for a sample.

    Parameters
    ----------
    sample
        A tensor (or anything else that is one argument), a tuple (positional inputs), a
        mapping (keyword inputs) or `Arguments`.
    """
    if isinstance(sample, Arguments):
        return sample.args, dict(sample.kwargs)
    if isinstance(sample, Mapping):
        return (), dict(sample)
    if type(sample) is tuple:
        return sample, {}
    return (sample,), {}


def look(
    model: nn.Module,
    sample: Any,
    layers: Collection[str] = (),
    *,
    gradients: bool = False,
    edit: Mapping[str, Callable[[Any], Any]] | None = None,
    copy: bool = False,
) -> Look:
    """Run `model` on `sample` and keep the calls of some layers.

    Parameters
    ----------
    model
        A private copy; run in the mode it is in.
    sample
        See `call_arguments`. Inputs are cloned first, because a forward may work in place.
    layers
        Names as in ``named_modules()``; unknown ones are left out.
    gradients
        Record a graph, so that what comes out can be differentiated.
    edit
        By name of the layer: takes what it returned and gives what it shall return instead
        (None: the same).
    copy
        Detach and clone what is kept, before a later module works on it in place.

    Returns
    -------
    Look
        Whatever the model raises is in it, never raised; KeyboardInterrupt is.
    """
    seen = Look({name: [] for name in layers})
    edits = edit or {}
    keep = copied if copy else _same
    running: list[tuple[str, Any, Any]] = []
    handles = []

    def enters(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            # Copied on the way in: the module may work in place.
            wanted = name in seen.calls
            running.append((name, keep(args) if wanted else (), keep(kwargs) if wanted else {}))

        return hook

    def leaves(name: str) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:
            _, given, named = running.pop()
            changed = edits[name](output) if name in edits else None
            if name in seen.calls:
                out = output if changed is None else changed
                seen.calls[name].append(Call(given, named, keep(out)))
            return changed

        return hook

    try:
        for name, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # takes no hooks
            handles.append(module.register_forward_pre_hook(enters(name), with_kwargs=True))
            handles.append(module.register_forward_hook(leaves(name)))
        args, kwargs = copied(call_arguments(sample))
        with torch.set_grad_enabled(gradients):
            seen.result = model(*args, **kwargs)
    except Exception as problem:
        seen.problem = problem
        seen.failed_in = running[-1][0] if running else None
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _same(value: Any) -> Any:
    return value


def copied(value: Any) -> Any:
    """Detach and clone the tensors in tuples, lists and mappings."""
    if isinstance(value, Tensor):
        return unwrapped(value).detach().clone()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(copied(item) for item in value))
    if type(value) in (tuple, list):
        return type(value)(copied(item) for item in value)
    if isinstance(value, Mapping):  # a ModelOutput too: only what it holds matters here
        return {key: copied(item) for key, item in value.items()}
    return value
