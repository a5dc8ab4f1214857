"""What one forward pass shows of the layers: which ran, which units spoke, what was not finite."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.probe import tree
from nnwidgets.probe.dead import DeadUnits, units_of
from nnwidgets.probe.origin import OutputWatch
from nnwidgets.probe.saturation import SQUASHING, saturation
from nnwidgets.probe.taps import ForwardTap
from nnwidgets.probe.tensors import is_readable, tensors_in

__all__ = ["ForwardView", "Layer"]

_RECTIFIERS: Final = (nn.ReLU, nn.ReLU6)
_CALLS: Final = 8  # of one layer in a step, in which saturation is measured

# Modules that keep the channels of their input apart: behind them, a zero is still the same unit's.
_SAME_CHANNELS: Final = (
    nn.Identity,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
)


class Layer:
    """What is kept of a layer from one sampled step to the next."""

    __slots__ = ("dead", "lazy", "module", "name", "order", "output", "saturated", "trusted")

    def __init__(self, name: str, module: nn.Module) -> None:
        self.name = name
        self.module = weakref.ref(module)
        self.lazy = tree.has_lazy(module)
        units = None if self.lazy else units_of(module)
        self.dead = None if units is None else DeadUnits(units)
        self.trusted = True  # the rows of its weight's gradient tell of its units
        self.output = False  # gives the model's output
        self.order = -1  # when its last call in the sampled step was; -1: none was seen
        self.saturated: list[Tensor] = []  # share of what a sigmoid or tanh made of each call

    @property
    def frozen(self) -> bool:
        """Whether none of its own parameters is trained."""
        module = self.module()
        return module is None or not any(p.requires_grad for _, p in tree.own_parameters(module))

    @property
    def dead_known(self) -> bool:
        """Whether its dead units can be told."""
        if self.dead is None or self.output:
            return False
        return self.dead.has_evidence or (self.trusted and not self.frozen)


class _Watched:
    """One module a forward pass is looked at through."""

    __slots__ = ("layer", "name", "role")

    def __init__(self, name: str, module: nn.Module, layer: Layer | None, root: bool) -> None:
        self.name = name
        self.layer = layer
        if layer is not None and layer.dead is not None:
            self.role = "units"
        elif isinstance(module, _RECTIFIERS):
            self.role = "rectifier"
        elif isinstance(module, SQUASHING):
            self.role = "squashing"
        elif isinstance(module, _SAME_CHANNELS):
            self.role = "same"
        else:
            self.role = "root" if root else ""


class ForwardView:
    """Follows the forward calls of one sampled step at a time.

    Parameters
    ----------
    root
        The model (unwrapped).
    layers
        Its layers; `Layer.order`, `Layer.output`, `Layer.saturated` and the activations in
        `Layer.dead` are filled in.
    """

    def __init__(self, root: nn.Module, layers: Sequence[Layer]) -> None:
        by_module = {id(layer.module()): layer for layer in layers}
        self._layers = layers
        self._table: dict[int, tuple[weakref.ref[nn.Module], _Watched]] = {}
        for name, module in root.named_modules():
            layer = by_module.get(id(module))
            if layer is not None or module is root or not module._modules:
                watched = _Watched(name, module, layer, module is root)
                self._table[id(module)] = (weakref.ref(module), watched)
        self._tap: ForwardTap | None = None
        self._reset()

    def _reset(self) -> None:
        self._outputs = OutputWatch()
        # The layer a tensor came from, as long as only channel-wise modules were in between.
        self._source: dict[int, tuple[weakref.ref[Tensor], Layer]] = {}
        self._last: Layer | None = None
        self._returned: set[Layer] = set()

    def open(self) -> None:
        """Attach for the step that begins now."""
        self.close()
        self._reset()
        for layer in self._layers:
            layer.order = -1
            layer.saturated = []
        self._tap = ForwardTap(self._table, self._saw)
        self._tap.open()

    def close(self) -> ForwardTap | None:
        """Detach; returns the tap, which knows what it cost."""
        if self._tap is not None:
            self._tap.close()
        self._source.clear()
        return self._tap

    @property
    def tap(self) -> ForwardTap | None:
        """The tap of the step under way or just over."""
        return self._tap

    @property
    def outputs(self) -> OutputWatch:
        """What was seen of outputs that are not finite."""
        return self._outputs

    def mark_outputs(self) -> None:
        """Set `Layer.output` from what this step showed; leave it when it showed nothing."""
        if self._tap is None or self._tap.truncated or all(x.order < 0 for x in self._layers):
            return
        for layer in self._layers:
            layer.output = layer in self._returned if self._returned else layer is self._last

    def _saw(self, watched: _Watched, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        layer, role = watched.layer, watched.role
        if layer is not None:
            assert self._tap is not None
            layer.order = self._tap.calls
        if watched.name or role != "root":
            self._outputs.check(watched.name, module, args, out)
        if role == "units":
            assert layer is not None
            assert layer.dead is not None
            if isinstance(out, Tensor) and is_readable(out):
                layer.dead.samples += layer.dead.units.samples_in(out)
                self._source[id(out)] = (weakref.ref(out), layer)
                self._last = layer
        elif role in ("same", "squashing", "rectifier") and args and isinstance(out, Tensor):
            source = self._source_of(args[0])
            if source is not None and role != "rectifier":
                self._source[id(out)] = (weakref.ref(out), source)
                if role == "squashing" and is_readable(out) and len(source.saturated) < _CALLS:
                    source.saturated.append(torch.as_tensor(saturation(module, out)))
            elif source is not None and is_readable(out):
                assert source.dead is not None
                source.dead.saw_activation(out)
                self._source.pop(id(out), None)
                if self._last is source:
                    self._last = None
        if not watched.name:
            for tensor in tensors_in(out):
                source = self._source_of(tensor)
                if source is None and tensor._base is not None:  # a squeeze of the last output
                    source = self._source_of(tensor._base)
                if source is not None:
                    self._returned.add(source)

    def _source_of(self, tensor: Any) -> Layer | None:
        entry = self._source.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None
