"""What a model does on the way from its inputs to the score: modules, and functions beside them.

Some methods put hooks on modules and see nothing of what a forward does with plain functions. The
model is run once under a ``TorchFunctionMode``, with the parameters taken for constants, so that
only what depends on the inputs counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nnwidgets.probe.tensors import tensors_in

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["PRODUCTS", "RELUS", "Operation", "Structure", "structure_of"]

RELUS: Final = frozenset({"relu", "relu_", "clamp_min", "clamp_min_", "threshold", "threshold_"})
PRODUCTS: Final = frozenset(
    {
        "mul",
        "mul_",
        "multiply",
        "div",
        "div_",
        "truediv",
        "true_divide",
        "matmul",
        "bmm",
        "baddbmm",
        "bilinear",
        "einsum",
        "dot",
        "outer",
    }
)
_SPECIAL: Final = {"__get__": "", "__set__": "", "__mul__": "mul", "__rmul__": "mul"}


@dataclass(frozen=True)
class Operation:
    """A function that was applied to something that depends on the inputs.

    Attributes
    ----------
    function
        Its name: ``"relu"``.
    layer
        Name of the innermost module that was running; empty: the model itself.
    type
        Class of that module.
    operands
        How many tensors that depend on the inputs it took.
    """

    function: str
    layer: str
    type: type[nn.Module]
    operands: int


@dataclass(eq=False)
class Structure:
    """What a run has shown.

    Attributes
    ----------
    calls
        By name of the module: how often it was called with something that depends on the inputs.
    operations
        In order.
    scripted
        Whether parts of the model are compiled code that nobody can see into.
    """

    calls: dict[str, int] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    scripted: bool = False

    def outside(self, types: tuple[type[nn.Module], ...]) -> list[Operation]:
        """Return the operations that are not done by modules of these very types."""
        return [operation for operation in self.operations if operation.type not in types]


def structure_of(asked: Asked) -> Structure:
    """Run the scored model once, and return what it did.

    Parameters
    ----------
    asked
        The sample and the target. Whatever the model raises is raised.
    """
    seen = Structure()
    running: list[tuple[str, type[nn.Module]]] = []
    handles: list[Any] = []

    def enters(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            running.append((name, type(module)))
            if any(t.requires_grad for t in tensors_in((args, list(kwargs.values())))):
                seen.calls[name] = seen.calls.get(name, 0) + 1

        return hook

    def leaves(module: nn.Module, args: Any, output: Any) -> None:
        running.pop()

    with _constant(asked.root), torch.enable_grad():
        try:
            for name, module in asked.root.named_modules():
                if isinstance(module, torch.jit.ScriptModule):
                    seen.scripted = True
                    continue
                enter = module.register_forward_pre_hook(enters(name), with_kwargs=True)
                handles += [enter, module.register_forward_hook(leaves)]
            inputs = [value.detach().clone().requires_grad_() for value in asked.inputs]
            with _Functions(seen.operations, running):
                asked.model.call(*inputs, *asked.others)
        finally:
            for handle in handles:
                handle.remove()
    return seen


class _Functions(TorchFunctionMode):
    """Writes down every function that gives something that depends on the inputs."""

    def __init__(
        self, operations: list[Operation], running: list[tuple[str, type[nn.Module]]]
    ) -> None:
        super().__init__()
        self._operations = operations
        self._running = running

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operands = sum(t.requires_grad for t in tensors_in((args, list(kwargs.values()))))
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        name = _SPECIAL.get(name, name).strip("_") if name.startswith("__") else name
        if name and operands and any(t.requires_grad for t in tensors_in(result)):
            layer, kind = self._running[-1] if self._running else ("", nn.Module)
            self._operations.append(Operation(name, layer, kind, operands))
        return result


@contextmanager
def _constant(root: nn.Module) -> Iterator[None]:
    """Let the parameters be constants, so that only the inputs want a gradient."""
    changed: list[Tensor] = [p for p in root.parameters() if p.requires_grad and p.is_leaf]
    try:
        for parameter in changed:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)
