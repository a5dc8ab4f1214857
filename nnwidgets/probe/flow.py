"""Which layer a layer's input comes from, as a run of a private module shows it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nnwidgets.probe.nests import fresh_arguments
from nnwidgets.probe.reach import canonical
from nnwidgets.probe.tensors import tensors_in

__all__ = ["not_in_place", "producer"]


@contextmanager
def not_in_place(model: nn.Module) -> Iterator[None]:
    """Let modules with an ``inplace`` switch return new tensors; put the switches back."""
    switched = [m for m in model.modules() if getattr(m, "inplace", None) is True]
    for module in switched:
        module.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in switched:
            module.inplace = True  # type: ignore[assignment]


class _FoundError(Exception):
    """The rest of the forward pass is not needed."""


def producer(model: nn.Module, sample: Any, layer: str, *, call: int = 0) -> tuple[str, int] | None:
    """Return the layer whose output a layer was given, the very tensor.

    Parameters
    ----------
    model
        A private copy.
    sample
        See `nnwidgets.probe.look.call_arguments`.
    layer
        Name of the layer that was given something.
    call
        Which of its calls.

    Returns
    -------
    tuple of str and int, or None
        Name of the innermost layer that returned the tensor, and which of its calls did. None if
        the tensor was made by operations between the layers, or is the model's own input.
    """
    names = {id(module): name for name, module in model.named_modules()}
    layer = canonical(model, layer)
    # By identity; the references are weak, so that the run holds no more memory than it would.
    made: dict[int, tuple[weakref.ref[Tensor], tuple[str, int]]] = {}
    calls: dict[int, int] = {}
    answer: list[tuple[str, int] | None] = []

    def enters(module: nn.Module, args: Any, kwargs: Any) -> None:
        number = calls.get(id(module), 0)
        calls[id(module)] = number + 1
        if names[id(module)] != layer or number != call:
            return
        given = next(tensors_in((args, kwargs)), None)
        reference, who = made.get(id(given), (None, None))
        answer.append(who if reference is not None and reference() is given else None)
        raise _FoundError

    def leaves(module: nn.Module, args: Any, output: Any) -> None:
        who = (names[id(module)], calls[id(module)] - 1)
        for tensor in tensors_in(output):
            known = made.get(id(tensor))
            # A container passes on what its last layer returned.
            if known is None or known[0]() is not tensor or not any(module.children()):
                made[id(tensor)] = (weakref.ref(tensor), who)

    handles = []
    try:
        for module in model.modules():
            handles.append(module.register_forward_pre_hook(enters, with_kwargs=True))
            handles.append(module.register_forward_hook(leaves))
        args, kwargs = fresh_arguments(sample)
        with torch.no_grad(), not_in_place(model):
            model(*args, **kwargs)
    except _FoundError:
        pass
    except Exception:  # a model that fails is told of by whoever looks at it first
        return None
    finally:
        for handle in handles:
            handle.remove()
    return answer[0] if answer else None
