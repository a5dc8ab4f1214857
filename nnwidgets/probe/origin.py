"""Where NaN or an infinity began: the answer, and the part of it a forward pass can give."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple

import torch
from torch import Tensor, nn

from nnwidgets.probe.tensors import bad_counts, has_bad, is_readable, tensors_in, to_numpy

__all__ = [
    "GradientState",
    "NonFiniteOrigin",
    "OutputWatch",
    "Where",
    "bad_parameters",
    "origin_in_gradients",
    "with_counts",
]

Where = Literal["output", "weights", "input", "gradient", "loss", "batch"]


@dataclass(frozen=True, slots=True)
class NonFiniteOrigin:
    """Where the first NaN or infinity came from.

    Attributes
    ----------
    step
        The step in which it was seen.
    layer
        Name of the layer, as in ``named_modules()``; None when it is not a layer's doing, or not
        known.
    where
        ``"output"``: the layer's output was not finite although its inputs and weights were.
        ``"weights"``: the layer's own parameters were not finite (`layer` is None when all layers'
        were, so that the beginning can no longer be told).
        ``"input"``: the batch given to the model was not finite.
        ``"gradient"``: outputs were finite; backpropagation made the gradient of this layer, the
        first it came to, non-finite.
        ``"loss"``: outputs were finite, the gradient was not from the loss on.
        ``"batch"``: the same weights give finite outputs on the next batch: it came with that one,
        or from the loss function.
    what
        ``"nan"`` or ``"inf"``.
    count, size
        How many elements were not finite, of how many; 0 where it was not counted.
    exact
        Seen in the very step it happened. Otherwise found by running the same weights on the next
        batch, or from what was left behind.
    """

    step: int
    layer: str | None
    where: Where
    what: Literal["nan", "inf"]
    count: int = 0
    size: int = 0
    exact: bool = True


def bad_parameters(module: nn.Module) -> tuple[int, int, int]:
    """Return how many of a module's own parameters are NaN, infinite, and how many there are."""
    nan = inf = size = 0
    for p in module._parameters.values():
        if p is not None and is_readable(p):
            bad = bad_counts(p)
            nan, inf, size = nan + bad[0], inf + bad[1], size + p.numel()
    return nan, inf, size


def what_of(nan: int) -> Literal["nan", "inf"]:
    """Return the name of what was found; NaN wins, infinities often accompany it."""
    return "nan" if nan else "inf"


class GradientState(NamedTuple):
    """What is known of one layer's gradients."""

    name: str
    order: int
    """Position in the forward pass; any growing number, only compared."""
    bad: bool | None
    """Whether they hold NaN or an infinity; None: there are none."""


def origin_in_gradients(
    step: int, layers: Sequence[GradientState], forward_was_finite: bool
) -> NonFiniteOrigin | None:
    """Return where backpropagation first met a number that is not finite.

    It runs from the last layer to the first and carries what it met along: the last bad layer,
    with good ones behind it, is where it began. With bad gradients from the very last layer on, it
    was in the loss already.

    Parameters
    ----------
    step
        The step the gradients are from.
    layers
        The layers with their gradients' state.
    forward_was_finite
        Whether all outputs of this step were seen and found finite; `layers` then holds the order
        of execution, otherwise only that of definition.

    Returns
    -------
    NonFiniteOrigin or None
        Without counts. None when all gradients are finite.
    """
    backwards = sorted((s for s in layers if s.bad is not None), key=lambda s: -s.order)
    first = next((i for i, s in enumerate(backwards) if s.bad), None)
    if first is None:
        return None
    if first > 0:
        return NonFiniteOrigin(
            step, backwards[first].name, "gradient", "nan", exact=forward_was_finite
        )
    if forward_was_finite:
        return NonFiniteOrigin(step, None, "loss", "nan")
    return NonFiniteOrigin(step, None, "gradient", "nan", exact=False)


def with_counts(origin: NonFiniteOrigin, found: Iterable[Tensor | None]) -> NonFiniteOrigin:
    """Return `origin` with what these tensors hold (waits for the device)."""
    nan = inf = size = 0
    for tensor in found:
        if tensor is not None and is_readable(tensor):
            bad = bad_counts(tensor)
            nan, inf, size = nan + bad[0], inf + bad[1], size + tensor.numel()
    return replace(origin, what=what_of(nan), count=nan + inf, size=size) if nan + inf else origin


_LATER_LIMIT: Final = 1024  # outputs on a device whose sums are kept until the step is over


class OutputWatch:
    """Finds the first module, in order of execution, whose output is not finite.

    On a CPU each output is looked at as it comes, so that the first can be examined on the spot.
    On a device only sums are taken, and looked at in `origin`, at the end of the step.
    """

    __slots__ = ("_checked", "_first", "_later", "_newest")

    def __init__(self) -> None:
        self._first: NonFiniteOrigin | None = None
        self._later: list[tuple[str, Tensor, Tensor | None, int]] = []
        self._checked = 0
        self._newest: tuple[weakref.ref[Tensor], int, float] | None = None

    def total_of(self, tensor: Tensor) -> float | None:
        """Return the sum of a tensor, if it is the one that was looked at last, on a CPU."""
        newest = self._newest
        if newest is None or newest[0]() is not tensor or newest[1] != tensor._version:
            return None
        return newest[2]

    def check(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        """Look at the output of a call that has just returned."""
        if self._first is not None:
            return
        for tensor in (output,) if isinstance(output, Tensor) else tensors_in(output, 2, 8):
            if not is_readable(tensor) or tensor.layout is not torch.strided:
                continue
            found, tensor = tensor, tensor.detach()
            if tensor.device.type == "cpu":
                wide = torch.float32 if tensor.dtype is torch.float16 else None
                total = tensor.sum(dtype=wide).item()
                if tensor.dtype is torch.float32 and not found.is_inference():
                    self._newest = weakref.ref(found), found._version, total
                if total - total != 0:
                    nan, inf = bad_counts(tensor)
                    if nan or inf:
                        self._examine(name, module, args, nan, inf, tensor.numel())
                        return
            elif len(self._later) < _LATER_LIMIT:
                given = args[0] if args else None
                before = _total(given) if isinstance(given, Tensor) and is_readable(given) else None
                self._later.append((name, _total(tensor), before, tensor.numel()))
        self._checked += 1

    def _examine(
        self, name: str, module: nn.Module, args: Any, nan: int, inf: int, size: int
    ) -> None:
        what = what_of(nan)
        own_nan, own_inf, own_size = bad_parameters(module)
        if own_nan or own_inf:
            self._first = NonFiniteOrigin(
                0, name, "weights", what_of(own_nan), own_nan + own_inf, own_size
            )
        elif any(has_bad(t) for t in tensors_in(args) if is_readable(t)):
            # What came in was bad already: the batch, or an operation between the layers, which
            # is the surrounding module's.
            if self._checked == 0:
                self._first = NonFiniteOrigin(0, None, "input", what)
            else:
                around = name.rpartition(".")[0]
                self._first = NonFiniteOrigin(0, around, "output", what, exact=False)
        else:
            self._first = NonFiniteOrigin(0, name, "output", what, nan + inf, size)

    def origin(self, step: int) -> NonFiniteOrigin | None:
        """Return what was found in this step (waits for the device), None if all was finite."""
        if self._first is None and self._later:
            outputs = to_numpy([total for _, total, _, _ in self._later])
            bad = (outputs - outputs != 0).nonzero()[0]
            if len(bad):
                name, _, before, _ = self._later[bad[0]]
                nan = int(outputs[bad[0]] != outputs[bad[0]])
                given = 0.0 if before is None else before.item()
                if given - given == 0:
                    self._first = NonFiniteOrigin(0, name, "output", what_of(nan))
                elif bad[0] == 0:
                    self._first = NonFiniteOrigin(0, None, "input", what_of(nan))
                else:
                    around = name.rpartition(".")[0]
                    self._first = NonFiniteOrigin(0, around, "output", what_of(nan), exact=False)
        return None if self._first is None else replace(self._first, step=step)


def _total(tensor: Tensor) -> Tensor:
    # Wide enough that finite elements cannot add up to an infinity; Apple's devices lack float64.
    tensor = tensor.detach()
    wide = torch.float32 if tensor.device.type == "mps" else torch.float64
    return tensor.sum(dtype=None if tensor.dtype.is_complex else wide)
