"""Tensors in nests of tuples, lists, dicts and dataclasses, put in place of others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from nnwidgets.probe.look import call_arguments
from nnwidgets.probe.tensors import tensors_in

__all__ = ["fresh_arguments", "replaced"]


def replaced(value: Any, new: Mapping[int, Tensor]) -> Any:
    """Return a new nest with some tensors, found by their id, replaced."""
    if isinstance(value, Tensor):
        return new.get(id(value), value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(replaced(item, new) for item in value))
    if type(value) in (tuple, list):
        return type(value)(replaced(item, new) for item in value)
    if type(value) is dict:
        return {key: replaced(item, new) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value) if f.init}
        changed = {name: replaced(item, new) for name, item in held.items()}
        different = {name: item for name, item in changed.items() if item is not held[name]}
        return dataclasses.replace(value, **different) if different else value
    return value


def fresh_arguments(sample: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments a sample stands for, cloned: a forward may work in place on them.

    A clone is part of the graph of what it was cloned from.

    Parameters
    ----------
    sample
        See `nnwidgets.probe.look.call_arguments`.
    """
    arguments = call_arguments(sample)
    clones = {id(tensor): tensor.clone() for tensor in tensors_in(arguments)}
    args, kwargs = replaced(arguments, clones)
    return args, kwargs
