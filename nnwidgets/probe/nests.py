"""Tensors in nests of tuples, lists and dicts, put in place of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from nnwidgets.probe.look import call_arguments
from nnwidgets.probe.tensors import tensors_in

__all__ = ["fresh_arguments", "replaced"]


def replaced(value: Any, new: Mapping[int, Tensor]) -> Any:
    """Return a nest of tuples, lists and dicts with some tensors replaced, found by their id."""
    if isinstance(value, Tensor):
        return new.get(id(value), value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(replaced(item, new) for item in value))
    if type(value) in (tuple, list):
        return type(value)(replaced(item, new) for item in value)
    if type(value) is dict:
        return {key: replaced(item, new) for key, item in value.items()}
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
