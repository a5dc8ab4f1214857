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
    kept = [_Kept(module) for module in root.modules()]
    # Those of a copied TorchScript module are no leaves, and have no flags of their own.
    parameters = [_KeptParameter(each) for each in root.parameters() if each.is_leaf]
    buffers = [(buffer, buffer._version, buffer.detach().clone()) for buffer in root.buffers()]
    try:
        yield
    finally:
        for module in kept:
            module.put_back()
        for parameter in parameters:
            parameter.put_back()
        with torch.no_grad():
            for buffer, version, value in buffers:
                if buffer._version != version:
                    buffer.copy_(value)


class _Kept:
    """What hangs on one module."""

    __slots__ = ("attributes", "empty", "tables")

    def __init__(self, module: nn.Module) -> None:
        own = vars(module)
        self.attributes = _Entries(own)
        # Those of a TorchScript module are views of what lies in C++, and not ours to refill.
        tables = [own[name] for name in _TABLES if isinstance(own.get(name), dict)]
        # Most are empty, and a model may have hundreds of modules with ten of them each.
        self.empty = [table for table in tables if not table]
        self.tables = [_Entries(table) for table in tables if table]

    def put_back(self) -> None:
        # The attributes first: they say which tables there are.
        for entries in (self.attributes, *self.tables):
            entries.put_back()
        for table in self.empty:
            if table:
                table.clear()


class _Entries:
    """What stands in a dictionary, by identity."""

    __slots__ = ("entries", "ids", "table")

    def __init__(self, table: dict[Any, Any]) -> None:
        self.table = table
        self.entries = dict(table)
        self.ids = [*map(id, table.values())]

    def put_back(self) -> None:
        table = self.table
        if [*map(id, table.values())] != self.ids or table.keys() != self.entries.keys():
            table.clear()
            table.update(self.entries)


class _KeptParameter:
    """What may be changed about a parameter other than its values."""

    __slots__ = ("data", "gradient", "parameter", "place", "required")

    def __init__(self, parameter: nn.Parameter) -> None:
        self.parameter = parameter
        self.required, self.gradient = parameter.requires_grad, parameter.grad
        self.data, self.place = parameter.data, parameter.data_ptr()

    def put_back(self) -> None:
        parameter = self.parameter
        if parameter.data_ptr() != self.place:
            parameter.data = self.data  # the memory it had, which nobody wrote into
        if parameter.requires_grad is not self.required:
            parameter.requires_grad_(self.required)
        if parameter.grad is not self.gradient:
            parameter.grad = self.gradient
