"""Leaving a module as it was, whatever happened to it meanwhile.

captum takes its hooks off again, but not in every case: LRP keeps attributes on each layer, and
says no to a layer it has no rule for only after having marked those before it; DeepLift leaves two
tensors on each activation when a backward pass fails. So everything that hangs on a module is
noted before and put back afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn

__all__ = ["untouched"]

_TABLES: Final = (
    "_parameters",
    "_buffers",
    "_modules",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@contextmanager
def untouched(root: nn.Module) -> Iterator[None]:
    """Put every module back as it was: hooks, attributes, flags, buffers, weights.

    Parameters
    ----------
    root
        And all below it.

    Notes
    -----
    Of parameters their ``requires_grad``, ``grad`` and place in memory are kept, of buffers the
    values. No method writes into a parameter; LRP gives it other memory for a while.
    """
    modules = list(root.modules())
    kept = [(module, *_noted(module)) for module in modules]
    tensors = [
        (p, p.requires_grad, p.grad, p.data_ptr(), p.data)
        for p in root.parameters(recurse=True)
        if p.is_leaf  # those of a copied TorchScript module are not, and have no flags of their own
    ]
    buffers = [(b, b._version, b.detach().clone()) for b in root.buffers()]
    try:
        yield
    finally:
        for module, attributes, tables in kept:
            _put_back(module, attributes, tables)
        with torch.no_grad():
            for parameter, required, gradient, place, data in tensors:
                if parameter.data_ptr() != place:
                    parameter.data = data  # the memory it had, which nobody wrote into
                parameter.requires_grad_(required)
                if parameter.grad is not gradient:
                    parameter.grad = gradient
            for buffer, version, value in buffers:
                if buffer._version != version:
                    buffer.copy_(value)


def _noted(module: nn.Module) -> tuple[dict[str, Any], dict[str, dict[Any, Any]]]:
    attributes = dict(vars(module))
    tables = {name: dict(attributes[name]) for name in _TABLES if attributes.get(name) is not None}
    return attributes, tables


def _put_back(
    module: nn.Module, attributes: dict[str, Any], tables: dict[str, dict[Any, Any]]
) -> None:
    now = vars(module)
    for name in [name for name in now if name not in attributes]:
        del now[name]
    for name, value in attributes.items():
        if now.get(name, now) is not value:
            now[name] = value
    for name, entries in tables.items():
        table = now[name]
        if len(table) != len(entries) or any(
            key not in entries or value is not entries[key] for key, value in table.items()
        ):
            table.clear()
            table.update(entries)
