"""Where each tensor of a running forward pass comes from, without keeping any of them alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.probe.tensors import tensors_in

__all__ = ["CONSTANT", "Provenance"]

CONSTANT: Final = -1
"""The place of a tensor that does not depend on the input: weights, buffers, fresh zeros."""

_HOLDERS: Final = (list, tuple, dict)


class Provenance:
    """Where each living tensor comes from."""

    def __init__(self, model: nn.Module) -> None:
        self._of: dict[int, tuple[weakref.ref[Tensor], int, int]] = {}
        self._at: dict[int, set[int]] = {}
        for module in model.modules():
            registered = (*module._parameters.values(), *module._buffers.values())
            self.set([tensor for tensor in registered if tensor is not None], CONSTANT)
            for name, value in vars(module).items():
                # Tensors that a module holds without having registered them.
                plain = isinstance(value, Tensor) or (type(value) in _HOLDERS and name[0] != "_")
                if plain:
                    self.set(list(tensors_in(value)), CONSTANT)

    def of(self, tensor: Tensor) -> int | None:
        """Return the place; None if it was never seen."""
        entry = self._of.get(id(tensor))
        if entry is not None and entry[0]() is tensor:
            return entry[1]
        return CONSTANT if isinstance(tensor, nn.Parameter) else None  # made in a forward

    def set(self, tensors: list[Tensor], site: int) -> None:
        """Say where tensors come from, and with them those that are the same memory."""
        for tensor in tensors:
            key, at = id(tensor), _address(tensor)
            known = self._of.get(key)
            if known is not None and known[0]() is tensor and known[1] == site:
                continue
            rewritten = known is not None and known[0]() is tensor
            self._of[key] = weakref.ref(tensor, self._forget(key)), site, at
            if at:
                self._at.setdefault(at, set()).add(key)
            if rewritten:
                self._same_memory(tensor, at, site)

    def _same_memory(self, tensor: Tensor, at: int, site: int) -> None:
        others = set(self._at.get(at, ()))
        if tensor._base is not None:
            others.add(id(tensor._base))
        for key in others:
            reference, _, address = self._of.get(key, (None, 0, 0))
            other = reference() if reference is not None else None
            if other is not None and (other is tensor._base or other.numel() == tensor.numel()):
                assert reference is not None
                self._of[key] = reference, site, address

    def _forget(self, key: int) -> Callable[[Any], None]:
        def gone(reference: Any) -> None:
            entry = self._of.get(key)
            if entry is not None and entry[0] is reference:
                del self._of[key]
                at = self._at.get(entry[2])
                if at is not None:
                    at.discard(key)
                    if not at:
                        del self._at[entry[2]]

        return gone


def _address(tensor: Tensor) -> int:
    try:
        return tensor.data_ptr() if tensor.layout is torch.strided else 0
    except (RuntimeError, ValueError):  # without memory: fake, functional, not yet materialised
        return 0
