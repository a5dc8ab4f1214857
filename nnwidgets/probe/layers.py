"""Looking at every layer of a model during one training step.

`LayerWatch` is told by its owner when a step is to be looked at (`LayerWatch.arm`), when the
optimiser is about to change the weights and when it has (`LayerWatch.before_update`,
`LayerWatch.after_update`), and gives the numbers of that step (`LayerWatch.finish`). In between
nothing of it is attached anywhere. It knows of no widget, no thread and no schedule.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Final, TypeGuard

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from nnwidgets.catalogue import text
from nnwidgets.probe import tree
from nnwidgets.probe.forward import ForwardView, Layer
from nnwidgets.probe.origin import (
    GradientState,
    NonFiniteOrigin,
    OutputWatch,
    origin_in_gradients,
    with_counts,
)
from nnwidgets.probe.sample import LayerRow, LayerSample
from nnwidgets.probe.taps import looking_is_unsafe
from nnwidgets.probe.tensors import is_readable, masks_to_numpy, quietly, to_numpy
from nnwidgets.probe.update import UpdateView

__all__ = ["LayerRow", "LayerSample", "LayerWatch"]

_REFRESH_EVERY: Final = 16  # sampled steps after which layers that were added are looked for


class LayerWatch:
    """Gradient norm, update ratio, dead and saturated units of layers, in the steps one asks for.

    Parameters
    ----------
    model
        Any module; held weakly. Compiled and replicated models are watched through the module
        inside. Lazy modules are left as they are and join when they have their shape.

    Attributes
    ----------
    newest : LayerSample or None
        What `finish` returned last.

    Notes
    -----
    Training stays bit for bit what it was: nothing is attached to the model (one global hook, for
    the sampled step only), no random number is drawn, no flag, gradient or buffer changes, and a
    GPU is waited for in `finish` alone.

    The update ratio of a weight with more than 65,536 elements is taken from a fixed, evenly spaced
    subset of about that size; gradient norms are of all elements. With several optimisers each
    parameter counts from the first update it is in. A closure (LBFGS) computes the gradients inside
    the update; they are then read after it.
    """

    def __init__(self, model: nn.Module) -> None:
        self.newest: LayerSample | None = None
        self._model = weakref.ref(model)
        self._layers: list[Layer] = []
        self._rows: tuple[LayerRow, ...] = ()
        self._arms = 0
        self._notes: dict[str, dict[str, str]] = {}
        self._flags: list[tuple[bool, bool]] = []
        # Of the step under way:
        self._own: list[list[tuple[str, Parameter]]] = []
        self._updating: list[Parameter] = []
        self._scale: Tensor | float | None = None
        self._begin()
        self._refresh(model)

    @property
    def model(self) -> nn.Module | None:
        """The model as it was given; None when it is gone."""
        return self._model()

    @property
    def rows(self) -> tuple[LayerRow, ...]:
        """The layers, in order of definition; they follow when the model gains or loses some."""
        return self._rows

    @property
    def armed(self) -> bool:
        """Whether the step under way is being looked at."""
        return self._armed

    @property
    def looking(self) -> bool:
        """Whether the forward pass of the step under way is seen (not: compiled, replicated)."""
        return self._looking

    @property
    def outputs(self) -> OutputWatch:
        """What has looked at the outputs of the step under way."""
        return self._forward.outputs

    @property
    def notes(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """What could not be observed, as catalogue keys with their parameters."""
        return tuple(self._notes.items())

    @property
    def status(self) -> str:
        """What could not be observed, in plain English; empty when all could."""
        return " ".join(text(key, "en", **params) for key, params in self.notes)

    def arm(self) -> None:
        """Look at the step that begins now."""
        self.disarm()
        model = self._model()
        if model is None:
            return
        self._arms += 1
        if self._arms % _REFRESH_EVERY == 0 or any(layer.lazy for layer in self._layers):
            self._refresh(model)
        self._notes.clear()
        for layer in self._layers:
            if layer.dead is not None:
                layer.dead.begin()
        self._own = self._parameters()
        self._armed = True
        if isinstance(model, nn.DataParallel):
            self._notes["probe.replicated"] = {}
        elif self._compiled or tree.compile_in_use():
            self._notes["probe.compiled"] = {}
        else:
            self._forward.open()
            self._looking = True

    def before_update(
        self,
        params: Iterable[Parameter] | None = None,
        *,
        grad_scale: Tensor | float | None = None,
    ) -> None:
        """Read the gradients and keep the weights; right before an optimiser changes them.

        Parameters
        ----------
        params
            The optimiser's parameters; None for all of the model's.
        grad_scale
            What the gradients are still multiplied by: the optimiser's own ``grad_scale``
            attribute, which a ``GradScaler`` sets on fused optimisers for the length of the step.
        """
        if not self._armed or looking_is_unsafe():
            return
        with quietly():
            wanted = None if params is None else {id(p) for p in params}
            self._updating = [
                p
                for own in self._own
                for _, p in own
                if (wanted is None or id(p) in wanted) and not self._update.knows(p)
            ]
            self._scale = grad_scale
            self._calls = self._seen_calls()
            self._read(self._updating)
            self._update.keep_weights(self._updating)

    def after_update(self, params: Iterable[Parameter] | None = None) -> None:
        """Compare the weights with what they were; right after the optimiser changed them."""
        if not self._armed or looking_is_unsafe():
            return
        with quietly():
            # A forward pass during the update means a closure: the gradients are newer now.
            again = self._seen_calls() != self._calls
            late = [p for p in self._updating if again or not self._update.knows(p)]
            self._read(late)
            self._update.compare_weights()
            self._updating = []

    def finish(self, step: int) -> LayerSample | None:
        """Detach, and return what the step showed.

        Parameters
        ----------
        step
            The number the step is known by; only passed on.

        Returns
        -------
        LayerSample or None
            None when the watch was not armed or the model is gone.
        """
        self._forward.close()
        try:
            if not self._armed or self._model() is None:
                return None
            with quietly():
                self.newest = self._sample(step)
            return self.newest
        finally:
            self.disarm()

    def disarm(self) -> None:
        """Detach and forget the step under way; may be called at any time."""
        self._forward.close()
        self._begin()

    def _begin(self) -> None:
        self._armed = False
        self._looking = False
        self._own = []
        self._update = UpdateView()
        self._updating = []
        self._scale = None
        self._calls = 0

    def _seen_calls(self) -> int:
        tap = self._forward.tap
        return tap.calls if self._looking and tap is not None else 0

    def _parameters(self) -> list[list[tuple[str, Parameter]]]:
        modules = [layer.module() for layer in self._layers]
        return [[] if m is None else list(tree.own_parameters(m)) for m in modules]

    def _refresh(self, model: nn.Module) -> None:
        root = tree.unwrap(model)
        known = {(layer.name, id(layer.module())): layer for layer in self._layers}
        self._layers = []
        for name, module in tree.layer_modules(root):
            layer = known.get((name, id(module)))
            self._layers.append(Layer(name, module) if layer is None or layer.lazy else layer)
        owners: dict[int, int] = {}
        for own in self._parameters():
            for _, p in own:
                owners[id(p)] = owners.get(id(p), 0) + 1
        for layer, own in zip(self._layers, self._parameters(), strict=True):
            weight = dict(own).get("weight")
            layer.trusted = (
                weight is not None and owners[id(weight)] == 1 and weight.dtype != torch.float16
            )
        counted = [layer for layer in self._layers if layer.dead is not None]
        if counted and not any(layer.output for layer in counted):
            counted[-1].output = True  # a guess, until a forward pass shows which it is
        self._forward = ForwardView(root, self._layers)
        self._compiled = tree.is_compiled(model)
        self._flags = []
        self._describe()

    def _describe(self) -> None:
        flags = [(layer.frozen, layer.dead_known) for layer in self._layers]
        if flags == self._flags:
            return
        self._flags = flags
        rows = []
        for layer, (frozen, known) in zip(self._layers, flags, strict=True):
            module = layer.module()
            kind = label = "?"
            if module is not None:
                kind, label = tree.type_name(module), tree.describe(module)
            rows.append(LayerRow(layer.name, kind, label, frozen, known))
        self._rows = tuple(rows)

    def _read(self, parameters: list[Parameter]) -> None:
        if parameters:
            self._update.read_gradients(parameters, self._scale)
            self._read_units(parameters)

    def _read_units(self, updating: list[Parameter]) -> None:
        wanted = {id(p) for p in updating}
        tap = self._forward.tap if self._looking else None
        seen = tap is not None and not tap.truncated
        for layer in self._layers:
            unit = layer.dead
            if (
                unit is None
                or layer.output
                or not layer.trusted
                or (seen and unit.alive is not None)
            ):
                continue
            module = layer.module()
            weight = None if module is None else module._parameters.get("weight")
            if module is None or weight is None or id(weight) not in wanted:
                continue
            bias = module._parameters.get("bias")
            trained = bias if bias is not None and bias.requires_grad else None
            if _is_dense(weight.grad) and (trained is None or _is_dense(trained.grad)):
                unit.saw_gradient(weight.grad, None if trained is None else trained.grad)

    def _sample(self, step: int) -> LayerSample:
        own, tap = self._own, self._forward.tap if self._looking else None
        if not self._update.has_gradients:  # nobody told of an update; they may still be there
            self._read([p for layer in own for _, p in layer])
        grad_norm, ratio, bad = self._update.rows(own)
        if self._looking:
            self._forward.mark_outputs()
        self._close_units(any(norm > 0 for norm in grad_norm.tolist()))
        dead = np.full(len(own), np.nan)
        units = np.full(len(own), np.nan)
        for row, layer in enumerate(self._layers):
            if layer.dead is not None:
                units[row] = layer.dead.units.count
                if layer.dead_known:
                    dead[row] = layer.dead.dead
        self._note(own)
        self._describe()
        found = self._origin(step, own, bad)
        seconds = tap.seconds if tap is not None else 0.0
        return LayerSample(
            step=step,
            grad_norm=grad_norm,
            update_ratio=ratio,
            dead=dead,
            units=units,
            saturated=self._saturated(),
            nonfinite=() if found is None else (found,),
            seconds=seconds,
        )

    def _saturated(self) -> np.ndarray:
        """Return the mean share over the calls of each layer, unknown for the model's output."""
        told = [
            layer.saturated if self._looking and not layer.output else [] for layer in self._layers
        ]
        shares = iter(to_numpy([share for calls in told for share in calls]).tolist())
        result = np.full(len(told), np.nan)
        for row, calls in enumerate(told):
            if calls:
                result[row] = np.mean([next(shares) for _ in calls])
        return result

    def _close_units(self, any_gradient: bool) -> None:
        tap = self._forward.tap if self._looking else None
        ended: list[tuple[Layer, Tensor]] = []
        for layer in self._layers:
            unit = layer.dead
            if unit is None:
                continue
            if tap is not None and tap.truncated:
                unit.alive = None  # not all of the step's samples were seen
            mask = unit.mask()
            if mask is not None and (unit.alive is not None or any_gradient):
                ended.append((layer, mask))
        for (layer, _), quiet in zip(ended, masks_to_numpy([m for _, m in ended]), strict=True):
            assert layer.dead is not None
            unused = self._looking and layer.order < 0 and bool(quiet.all())
            layer.dead.end(None if unused else quiet)

    def _origin(
        self, step: int, own: list[list[tuple[str, Parameter]]], bad: list[bool | None]
    ) -> NonFiniteOrigin | None:
        tap = self._forward.tap if self._looking else None
        origin = self._forward.outputs.origin(step) if tap is not None else None
        if origin is not None or not any(bad):
            return origin
        seen = tap is not None and tap.calls > 0 and not tap.truncated and tap.error is None
        states = [
            GradientState(layer.name, layer.order if seen else row, bad[row])
            for row, layer in enumerate(self._layers)
        ]
        origin = origin_in_gradients(step, states, seen)
        if origin is None:
            return None
        rows = [r for r, s in enumerate(states) if s.bad and origin.layer in (None, s.name)]
        return with_counts(origin, [p.grad for r in rows for _, p in own[r]])

    def _note(self, own: list[list[tuple[str, Parameter]]]) -> None:
        tap = self._forward.tap if self._looking else None
        if tap is not None and tap.error is not None:
            problem = f"{type(tap.error).__name__}: {tap.error}"
            self._notes["probe.failed"] = {"problem": problem[:200]}
        elif tap is not None and tap.truncated:
            self._notes["probe.truncated"] = {}
        elif tap is not None and tap.calls == 0:
            self._notes["probe.unseen"] = {}
        lazy = sum(layer.lazy for layer in self._layers)
        if lazy:
            self._notes["probe.lazy"] = {"count": str(lazy)}
        pairs = zip(self._layers, own, strict=True)
        parameters = [p for layer, named in pairs if not layer.lazy for _, p in named]
        odd = sum(not is_readable(p) for p in parameters)
        if odd or self._update.unreadable:
            self._notes["probe.unreadable"] = {"count": str(odd or 1)}
        if parameters and not self._update.has_gradients:
            self._notes["probe.no_gradients"] = {}


def _is_dense(gradient: Tensor | None) -> TypeGuard[Tensor]:
    return gradient is not None and is_readable(gradient) and gradient.layout is torch.strided
