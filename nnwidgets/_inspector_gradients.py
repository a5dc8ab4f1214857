"""The gradients of the newest sampled step, for loops that clear them after each step.

Many a loop ends its steps with ``optimizer.zero_grad()``: by the time anybody looks, nothing is
left in ``.grad``. The tensors themselves are kept here, not copies of them: a cleared ``.grad``
lets go of its tensor and never writes to it again.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Final

from torch import Tensor, nn
from torch.nn.parameter import Parameter

from nnwidgets.probe.tree import own_parameters

__all__ = ["KeptGradients"]

_MOST: Final = 32 << 20  # bytes


class KeptGradients:
    """What stood in ``.grad`` right after a sampled step.

    Attributes
    ----------
    step
        Which step that was.
    """

    def __init__(self) -> None:
        self.step = 0
        self._held: dict[int, tuple[weakref.ref[Parameter], Tensor]] = {}

    def take(self, modules: Iterable[nn.Module], step: int) -> None:
        """Hold on to the gradients of some modules; of none if they take more than 32 MB."""
        self.step, self._held = step, {}
        room, held = _MOST, {}
        for module in modules:
            for _, parameter in own_parameters(module):
                gradient = parameter.grad
                if gradient is None or id(parameter) in held:
                    continue
                room -= gradient.numel() * gradient.element_size()
                if room < 0:
                    return
                held[id(parameter)] = (weakref.ref(parameter), gradient.detach())
        self._held = held

    def forget(self) -> None:
        """Let go of them."""
        self._held = {}

    def of(self, parameter: Tensor) -> Tensor | None:
        """Return the gradient that a parameter had, None if it is not known."""
        known = self._held.get(id(parameter))
        return None if known is None or known[0]() is not parameter else known[1]

    def of_module(self, module: nn.Module) -> dict[str, Tensor] | None:
        """Return the gradients by local name, if a module has none left of its own.

        None where one of its parameters still holds a gradient, or none is known.
        """
        own = list(own_parameters(module))
        if any(parameter.grad is not None for _, parameter in own):
            return None
        found = {name: self.of(parameter) for name, parameter in own}
        return {name: value for name, value in found.items() if value is not None} or None
