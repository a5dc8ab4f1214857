"""Stopping in the middle of somebody else's computation, and knowing how far it is.

captum's loops cannot be interrupted from outside. But they run the model again and again, so the
model itself asks: hooks on it, for as long as one explanation lasts, look whether anybody still
waits, before each forward and at the beginning of each backward of the whole; and where one such
pass takes long, in each module's forward and in the backward pass through each module's output.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

__all__ = ["Cancelled", "Watch", "never"]

_ASK_SECONDS: Final = 0.01  # between two questions whether somebody still waits
_TELL_SECONDS: Final = 0.05  # between two reports of progress
# A forward that lasts longer is watched module by module: its backward takes about twice as long.
_LONG_SECONDS: Final = 0.03
# Where such a module finds a hook on itself or below, it leaves its fused path in evaluation mode;
# its numbers would then differ in the last digits from those without us.
_FUSED: Final = (nn.TransformerEncoderLayer, nn.MultiheadAttention)

# Seconds a row, by the shape of one.
_speeds: weakref.WeakKeyDictionary[nn.Module, dict[tuple[int, ...], float]] = (
    weakref.WeakKeyDictionary()
)


class Cancelled(Exception):
    """Nobody waits for the explanation any more."""


def never() -> bool:
    """Say that somebody still waits."""
    return False


class Watch:
    """What goes on in a model while it is explained.

    Parameters
    ----------
    model
        The scored model: gives one number a row.
    cancelled
        Whether nobody waits any more; asked at most a hundred times a second.
    progress
        Told the fraction that is done, at most twenty times a second.

    Attributes
    ----------
    rows
        How many rows the model was run on so far, forward and backward counting once each.

    Notes
    -----
    Only while `open` is entered are there hooks on the model. The single operation that is running
    when somebody changes their mind is finished first: `nnwidgets.explain.batching` keeps it short.
    """

    def __init__(
        self,
        model: nn.Module,
        cancelled: Callable[[], bool] = never,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self._model = model
        self._cancelled = cancelled
        self._progress = progress
        self.rows = 0
        self._expected = 0
        self._asked = self._told = self._began = 0.0
        # What was seen of this model before; each explanation watches it anew.
        self._speeds = _speeds.setdefault(getattr(model, "root", model), {})
        self._shape: tuple[int, ...] = ()
        self._inner: list[RemovableHandle] = []
        self._inner_fused = False

    @contextmanager
    def open(self) -> Iterator[None]:
        """Watch the model until this is left.

        Raises
        ------
        Cancelled
            From any forward or backward of the model, if nobody waits any more.
        """
        self.check()
        outer = (
            self._model.register_forward_pre_hook(self._before),
            self._model.register_forward_hook(self._after),
        )
        try:
            yield
        finally:
            for handle in outer:
                handle.remove()
            self._unhook()

    def check(self) -> None:
        """Raise `Cancelled` if nobody waits any more."""
        now = perf_counter()
        if now - self._asked >= _ASK_SECONDS:
            self._asked = now
            if self._cancelled():
                self._asked = 0.0  # whoever swallows the exception meets the next one at once
                raise Cancelled

    def expect(self, rows: int) -> None:
        """Take progress from the rows counted: so many will come from now on."""
        self._expected = self.rows + rows

    def tell(self, fraction: float) -> None:
        """Report how far it is, from 0 to 1; raises `Cancelled` like `check`."""
        self.check()
        now = perf_counter()
        if self._progress is not None and now - self._told >= _TELL_SECONDS:
            self._told = now
            self._progress(min(max(fraction, 0.0), 1.0))

    def _before(self, module: nn.Module, inputs: Any) -> None:
        self.check()
        first = next((value for value in inputs if isinstance(value, Tensor)), None)
        rows = 1 if first is None or not first.dim() else first.shape[0]
        self._shape = () if first is None else tuple(first.shape[1:])
        seconds = self._speeds.get(self._shape)
        if seconds is None or seconds * rows > _LONG_SECONDS:
            self._hook(fused=torch.is_grad_enabled())
        else:
            self._unhook()
        self._began = perf_counter()

    def _after(self, module: nn.Module, inputs: object, output: Any) -> None:
        rows = output.shape[0] if isinstance(output, Tensor) and output.dim() else 1
        self._speeds[self._shape] = (perf_counter() - self._began) / max(rows, 1)
        self.rows += rows
        if isinstance(output, Tensor) and output.requires_grad:
            self.rows += rows
            output.register_hook(self._backward)  # type: ignore[no-untyped-call]
        if self._expected:
            self.tell(self.rows / self._expected)
        else:
            self.check()

    def _inside(self, module: nn.Module, inputs: object, output: Any) -> None:
        self.check()
        values = output if isinstance(output, tuple | list) else (output,)
        for value in values:
            if isinstance(value, Tensor) and value.requires_grad:
                value.register_hook(self._backward)  # type: ignore[no-untyped-call]

    def _backward(self, gradient: Tensor) -> None:
        self.check()

    def _hook(self, *, fused: bool) -> None:
        if self._inner:
            if self._inner_fused == fused:
                return
            self._unhook()
        self._inner_fused = fused
        for module in _below(self._model, fused=fused):
            self._inner.append(module.register_forward_hook(self._inside))

    def _unhook(self) -> None:
        for handle in self._inner:
            handle.remove()
        self._inner.clear()


def _below(module: nn.Module, *, fused: bool) -> Iterator[nn.Module]:
    """Give the modules below one, without the insides of fused ones unless `fused`."""
    seen: set[int] = {id(module)}

    def walk(parent: nn.Module) -> Iterator[nn.Module]:
        for child in parent.children():
            if id(child) in seen or (not fused and isinstance(child, _FUSED)):
                continue
            seen.add(id(child))
            # Inside what was scripted no hook of ours is called, and none can be put.
            if not isinstance(child, torch.jit.ScriptModule):
                yield child
                yield from walk(child)

    return walk(module)
