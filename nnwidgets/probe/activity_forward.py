"""What the forward calls of one sampled step show of every module."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.probe import reduction
from nnwidgets.probe.activity_sample import BatchActivity
from nnwidgets.probe.keep import UnkeepableError, batch_of, few_samples
from nnwidgets.probe.look import Call
from nnwidgets.probe.origin import OutputWatch
from nnwidgets.probe.reduction import Numbers
from nnwidgets.probe.saturation import saturation
from nnwidgets.probe.taps import ForwardTap
from nnwidgets.probe.tensors import quietly, tensors_in
from nnwidgets.probe.units import batch_axis
from nnwidgets.probe.variation import numbers_in, variation

__all__ = ["CALLS", "ActivityView", "Seen"]

CALLS: Final = 8
"""So many calls of one module are looked into in a step; the others are only counted."""

_BYTES: Final = 4 << 20  # of the chosen layer's activation


Extras = tuple[float, ...] | Tensor
"""Three numbers: saturated, varies, given varies."""


class Seen:
    """What was seen of one module in one step."""

    __slots__ = ("calls", "extras", "module", "name", "numbers", "order", "shape")

    def __init__(self, name: str, module: nn.Module) -> None:
        self.name = name
        self.module = weakref.ref(module)
        self.begin()

    def begin(self) -> None:
        """A sampled step begins."""
        self.calls = 0
        self.order = -1
        self.shape: tuple[int, ...] | None = None
        self.numbers: list[Numbers] = []
        self.extras: list[Extras] = []  # of each call


class ActivityView:
    """Follows the forward calls of one sampled step at a time.

    Parameters
    ----------
    root
        The model (unwrapped).
    modules
        What is looked at, in order of definition, without the root.
    """

    def __init__(self, root: nn.Module, modules: Sequence[Seen]) -> None:
        self._modules = modules
        self._table: dict[int, tuple[weakref.ref[nn.Module], Seen | None]] = {}
        for seen in modules:
            module = seen.module()
            if module is not None:
                self._table[id(module)] = (seen.module, seen)
        self._table.setdefault(id(root), (weakref.ref(root), None))
        self._top = {name for name, _ in root.named_children()}
        self.tap: ForwardTap | None = None
        self._outputs = OutputWatch()
        self._begin(None, 0)

    def _begin(self, chosen: str | None, samples: int) -> None:
        self._returned = 0
        self._whole = False  # the root has returned
        # Whose output the model returned, or one of its parts where it is not called as a whole.
        self._finals: set[Seen] = set()
        self._partial: set[Seen] = set()
        self._chosen, self._samples = chosen, samples
        self._kept: list[Call] = []
        self._kept_of = (0, 0)
        # Numbers of tensors that may come by again: a container returns what its last module
        # returned, a flattened view holds what the tensor holds.
        self._known: dict[tuple[int, int], tuple[weakref.ref[Tensor], int, Numbers]] = {}
        # The last tensors each module returned, to tell whose are the model's.
        self._last: dict[int, tuple[weakref.ref[Tensor], Seen]] = {}

    def open(self, chosen: str | None, samples: int, outputs: OutputWatch) -> None:
        """Attach for the step that begins now.

        Parameters
        ----------
        chosen
            Name of the module whose output is kept; None for none.
        samples
            How many samples of it.
        outputs
            Has looked at each output before.
        """
        self.close()
        self._begin(chosen, samples)
        self._outputs = outputs
        for seen in self._modules:
            seen.begin()
        self.tap = ForwardTap(self._table, self._saw, max(1024, 8 * len(self._table)))
        self.tap.open()

    def close(self) -> None:
        """Detach."""
        if self.tap is not None:
            self.tap.close()
        self._known.clear()
        self._last.clear()

    def forget(self) -> None:
        """Detach, and let go of what was seen."""
        self.close()
        self.tap = None
        self._kept = []
        for seen in self._modules:
            seen.begin()

    @property
    def finals(self) -> set[Seen]:
        """The modules that gave what the model returned."""
        return self._finals if self._whole else self._partial

    @property
    def batch(self) -> BatchActivity | None:
        """What was kept of the chosen module."""
        if not self._kept or self._chosen is None:
            return None
        return BatchActivity(self._chosen, tuple(self._kept), *self._kept_of)

    def _saw(self, seen: Seen | None, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        if seen is None or not seen.name:
            self._whole = True
            self._finals |= self._sources(out)
            if seen is None:
                return
            self._finals.add(seen)
        seen.calls += 1
        if seen.order < 0:
            seen.order = self._returned
            self._returned += 1
        if seen.calls > CALLS:
            return
        with quietly():
            tensor = numbers_in(out)
            if tensor is not None:
                numbers, extras = self._read(tensor), _extras(module, args, tensor)
                seen.shape = tuple(tensor.shape)
                seen.numbers.append(numbers)
                seen.extras.append(extras)
                self._last[id(tensor)] = (weakref.ref(tensor), seen)
            if seen.name == self._chosen:
                self._keep(module, out)
        if not self._whole and seen.name in self._top:
            self._partial |= self._sources(out)

    def _sources(self, out: Any) -> set[Seen]:
        """Return the modules that returned these very tensors last, or what they are views of."""
        found = set()
        for tensor in tensors_in(out):
            for candidate in (tensor, tensor._base):
                entry = self._last.get(id(candidate))
                if entry is not None and entry[0]() is candidate:
                    found.add(entry[1])
        return found

    def _read(self, tensor: Tensor) -> Numbers:
        if tensor.is_inference() or tensor.layout is not torch.strided:
            return reduction.read(tensor)
        key = (tensor.data_ptr(), tensor.numel())
        entry = self._known.get(key)
        if entry is not None:
            other, version, numbers = entry
            known = other()
            # Alive, so its memory is still its own; unchanged since; and all of it in this one.
            if (
                known is not None
                and known._version == version == tensor._version
                and known.dtype == tensor.dtype
                and (known is tensor or (known.is_contiguous() and tensor.is_contiguous()))
            ):
                return numbers
        numbers = reduction.read(tensor, self._outputs.total_of(tensor))
        self._known[key] = (weakref.ref(tensor), tensor._version, numbers)
        return numbers

    def _keep(self, module: nn.Module, out: Any) -> None:
        tensor = numbers_in(out)
        axis = 0 if tensor is None else batch_axis(module, tensor) or 0
        batch = batch_of(out, axis)
        try:
            part = few_samples(out, self._samples, _BYTES // CALLS, axis, strict=False)
        except UnkeepableError:
            return
        self._kept.append(Call((), {}, part))
        self._kept_of = batch_of(part, axis), batch


def _extras(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Extras:
    axis = batch_axis(module, out) or 0
    values = (saturation(module, out), *variation(args, out, axis))
    if out.device.type == "cpu":
        return tuple(map(float, values))
    return torch.stack([torch.as_tensor(v).to(out.device, torch.float32) for v in values])
