"""Checking what a LayerInspector is given, before anything is changed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nnwidgets.live.registry import inner_model

__all__ = [
    "check_inspected",
    "check_sample",
    "first_choice",
    "layer_names",
    "nearest",
    "wanted_layers",
]


def check_inspected(model: object) -> None:
    """Raise TypeError unless `model` is a module."""
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise TypeError(
            f"model must be a module, not the class {model.__name__}; pass {model.__name__}(…)."
        )
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module, not {type(model).__name__}; several models are "
            "passed as one: nn.ModuleDict({'generator': g, 'critic': c})."
        )
    if not isinstance(model, torch.jit.ScriptModule) and "_modules" not in vars(model):
        raise TypeError(
            f"the model is not a module yet: {type(model).__name__}.__init__ has to call "
            "super().__init__() first."
        )


def check_sample(sample: object) -> None:
    """Raise TypeError or ValueError unless `sample` can be an input of a model."""
    if sample is None:
        return
    if isinstance(sample, list):
        raise TypeError(
            "sample must be what the model is called with: a tensor, a tuple of positional "
            "inputs or a dictionary of keyword inputs; not a list."
        )
    if isinstance(sample, Mapping):
        odd = [name for name in sample if not isinstance(name, str)]
        if odd:
            raise TypeError(
                f"a sample that is a dictionary holds keyword inputs; {odd[0]!r} is no keyword."
            )
        inside: Iterable[Any] = sample.values()
    else:
        inside = sample if isinstance(sample, tuple) else (sample,)
    for value in inside:
        if isinstance(value, Tensor) and value.ndim and value.size(0) == 0:
            raise ValueError(
                f"the sample is empty (a tensor of shape {tuple(value.shape)}); pass one sample "
                "at least."
            )
    if type(sample).__module__ == "numpy":
        raise TypeError("sample must be a tensor; pass torch.as_tensor(sample).")


def nearest(name: object, known: Collection[str]) -> str:
    """Return a sentence on a layer that does not exist."""
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.4)
    if near:
        return f"there is no layer {name!r}; did you mean {near[0]!r}?"
    shown = ", ".join(map(repr, list(known)[:8])) + (", …" if len(known) > 8 else "")
    return f"there is no layer {name!r}; there are {shown or 'none'}."


def layer_names(model: nn.Module) -> list[str]:
    """Return the names of the layers, and ``""`` for a model that owns parameters itself."""
    return [
        name
        for name, module in inner_model(model).named_modules()
        if name or next(module.parameters(recurse=False), None) is not None
    ]


def wanted_layers(model: nn.Module, layers: object) -> tuple[str, ...] | None:
    """Return the names of the layers to show, None for all.

    Raises
    ------
    TypeError, ValueError
        If `layers` is no collection of names, or one is unknown.
    """
    if layers is None:
        return None
    if isinstance(layers, str):
        layers = [layers]
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers must be names of layers or None, not {type(layers).__name__}.")
    known = layer_names(model)
    wanted = list(layers)
    for name in wanted:
        if not isinstance(name, str):
            raise TypeError(
                f"layers must be names as in model.named_modules(), not {type(name).__name__}."
            )
        if name not in known:
            raise ValueError(nearest(name, known))
    if not wanted:
        raise ValueError("layers is empty; leave it out to see all of them.")
    return tuple(name for name in known if name in set(wanted))


def first_choice(model: nn.Module, shown: Sequence[str] | None) -> str:
    """Return the layer to show first: the first one with parameters."""
    modules = [(name, m) for name, m in inner_model(model).named_modules() if name]
    if shown is not None:
        if not any(shown):
            return ""
        modules = [(name, m) for name, m in modules if name in shown]
    owners = [name for name, m in modules if dict(m._parameters.items())]
    names = owners or [name for name, _ in modules] or [""]
    first: str = names[0]
    return first
