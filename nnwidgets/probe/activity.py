"""Looking at what every module of a model says, in one step of the user's own training.

`ActivityWatch` is told by its owner when a step is to be looked at and gives its numbers, like
`nnwidgets.probe.layers.LayerWatch`, which does part of the work. In between nothing of it is
attached anywhere, and nothing ever is to the model's own modules.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from nnwidgets.catalogue import text
from nnwidgets.probe import reduction, tree
from nnwidgets.probe.activity_forward import CALLS, ActivityView, Seen
from nnwidgets.probe.activity_sample import (
    ActivityRow,
    ActivitySample,
    BatchActivity,
    Distributions,
    distributions,
)
from nnwidgets.probe.first_inputs import FirstInputs, Inputs
from nnwidgets.probe.layers import LayerWatch
from nnwidgets.probe.reduction import Floats, Numbers
from nnwidgets.probe.sample import LayerSample
from nnwidgets.probe.taps import looking_is_unsafe
from nnwidgets.probe.tensors import is_readable, quietly
from nnwidgets.probe.weight_tensors import main_parameter

__all__ = ["ActivityRow", "ActivitySample", "ActivityWatch", "BatchActivity", "Distributions"]

_REFRESH_EVERY: Final = 16  # sampled steps after which modules that were added are looked for
_SCALED: Final = [
    reduction.MEAN, reduction.STD, reduction.LOW, reduction.HIGH,
    *range(reduction.RANKS.start, reduction.RANKS.stop),
]  # fmt: skip


class ActivityWatch:
    """Activations, weights and gradients of every module, in the steps one asks for.

    Parameters
    ----------
    model
        Any module; held weakly. Compiled and replicated models are watched through the module
        inside; their activations are not seen, and `notes` says so.
    layers
        A watch of the same model that somebody else asks, always before this one is asked; None
        for one of its own.

    Attributes
    ----------
    chosen : str or None
        Name of the module whose activation on the training batch is kept; None for none.
    max_samples : int
        So many samples of it, of 4 MB at most.
    want_inputs : bool
        Ask for the inputs of the model's next training call in a sampled step, to serve as a probe
        batch; goes back to False when `inputs` has them, or when they cannot be had.

    Notes
    -----
    Training stays bit for bit what it was: nothing is attached to the model (global hooks, for the
    sampled step only), no random number is drawn, no flag, gradient or buffer changes, and a GPU is
    waited for in `finish` alone.

    Large tensors are read in part, evenly spaced (`nnwidgets.probe.reduction` says what is exact up
    to which size); NaN and infinities are counted in all of them. A histogram has 64 equal bins
    from the smallest to the largest value *of this step*; where a module is called several times
    (the first eight are looked into), the histograms of the calls are moved to the edges that hold
    all of them, each bin's count divided in proportion to the overlap.

    The activation of a module is the first tensor of numbers in what it returns.
    """

    def __init__(self, model: nn.Module, layers: LayerWatch | None = None) -> None:
        self.chosen: str | None = None
        self.max_samples = 32
        self.want_inputs = False
        self._model = weakref.ref(model)
        self._layers = LayerWatch(model) if layers is None else layers
        self._own_layers = layers is None
        self._inputs: Inputs | None = None
        self._first: FirstInputs | None = None
        self._notes: dict[str, dict[str, str]] = {}
        self._arms = 0
        self._armed = False
        # Of the step under way:
        self._weights: list[Parameter | None] = []
        self._updating: list[Parameter] = []
        self._scale: Tensor | float | None = None
        # By identity, while the model holds its parameters; a tied weight is read once.
        self._gradients: dict[int, tuple[Numbers, tuple[int, ...], Tensor | float | None]] = {}
        self._refresh(model)
        self._begin()

    @property
    def rows(self) -> tuple[ActivityRow, ...]:
        """Every module below the root, in order of definition; they follow when it changes."""
        return self._rows

    @property
    def layers(self) -> LayerWatch:
        """The watch of the modules that own parameters."""
        return self._layers

    @property
    def armed(self) -> bool:
        """Whether the step under way is being looked at."""
        return self._armed

    @property
    def inputs(self) -> Inputs | None:
        """What the model was given in one training call, if that was wanted and seen."""
        return self._inputs

    @property
    def notes(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """What could not be observed, as catalogue keys with their parameters."""
        return tuple({**dict(self._layers.notes), **self._notes}.items())

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
        if self._arms % _REFRESH_EVERY == 0 or self._lazy:
            self._refresh(model)
        self._notes.clear()
        self._armed = True
        if self._own_layers:
            self._layers.arm()
        self._weights = [_own_weight(seen.module()) for seen in self._seen]
        if self._layers.looking:
            self._forward.open(self.chosen, self.max_samples, self._layers.outputs)
            if self.want_inputs:
                self._first = FirstInputs(tree.unwrap(model))
                self._first.open()

    def before_update(
        self,
        params: Iterable[Parameter] | None = None,
        *,
        grad_scale: Tensor | float | None = None,
    ) -> None:
        """Read the gradients; right before an optimiser changes the weights.

        Parameters
        ----------
        params
            The optimiser's parameters; None for all of the model's.
        grad_scale
            What the gradients are still multiplied by (see `LayerWatch.before_update`).
        """
        params = None if params is None else list(params)
        if self._own_layers:
            self._layers.before_update(params, grad_scale=grad_scale)
        if not self._armed or looking_is_unsafe():
            return
        wanted = None if params is None else {id(p) for p in params}
        self._updating = [
            p
            for p in self._weights
            if p is not None
            and (wanted is None or id(p) in wanted)
            and id(p) not in self._gradients
        ]
        self._scale = grad_scale
        self._calls = self._seen_calls()
        self._read(self._updating)

    def after_update(self, params: Iterable[Parameter] | None = None) -> None:
        """Look at what changed; right after the optimiser changed the weights."""
        if self._own_layers:
            self._layers.after_update(params)
        if not self._armed or looking_is_unsafe():
            return
        # A forward pass during the update means a closure: the gradients are newer now.
        again = self._seen_calls() != self._calls
        self._read([p for p in self._updating if again or id(p) not in self._gradients])
        self._updating = []

    def finish(self, step: int) -> ActivitySample | None:
        """Detach, and return what the step showed.

        Parameters
        ----------
        step
            The number the step is known by; only passed on.

        Returns
        -------
        ActivitySample or None
            None when the watch was not armed or the model is gone.
        """
        self._forward.close()
        try:
            layers = self._layers.finish(step) if self._own_layers else self._layers.newest
            if not self._armed or layers is None or layers.step != step:
                return None
            with quietly():
                return self._sample(step, layers)
        finally:
            self.disarm()

    def disarm(self) -> None:
        """Detach and forget the step under way; may be called at any time."""
        if self._own_layers:
            self._layers.disarm()
        if self._first is not None:
            self._first.close()
        self._forward.forget()
        self._begin()

    def _begin(self) -> None:
        self._armed = False
        self._first = None
        self._weights = []
        self._updating = []
        self._scale = None
        self._calls = 0
        self._gradients = {}

    def _refresh(self, model: nn.Module) -> None:
        root = tree.unwrap(model)
        named = [
            (name, module)
            for name, module in root.named_modules()
            if name or next(tree.own_parameters(module), None) is not None
        ]
        self._seen = [Seen(name, module) for name, module in named]
        self._rows = tuple(
            ActivityRow(
                name, tree.type_name(m), tree.describe(m), next(m.children(), None) is not None
            )
            for name, m in named
        )
        self._lazy = any(tree.has_lazy(module) for _, module in named)
        self._forward = ActivityView(root, self._seen)

    def _seen_calls(self) -> int:
        tap = self._forward.tap
        return 0 if tap is None else tap.calls

    def _read(self, parameters: Sequence[Parameter]) -> None:
        with quietly():
            for p in parameters:
                gradient = p.grad
                if gradient is not None and is_readable(gradient):
                    numbers = reduction.read(gradient)
                    self._gradients[id(p)] = numbers, tuple(gradient.shape), self._scale

    def _sample(self, step: int, layers: LayerSample) -> ActivitySample:
        if not self._gradients:  # nobody told of an update; they may still be there
            self._read([p for p in self._weights if p is not None])
        weights = [_readable_weight(seen.module()) for seen in self._seen]
        unique = {id(w): reduction.read(w) for w in weights if w is not None}
        packs: list[Numbers] = [*unique.values()]
        packs += [numbers for numbers, _, _ in self._gradients.values()]
        for seen in self._seen:
            packs += seen.numbers
            packs += [extras for extras in seen.extras if isinstance(extras, Tensor)]
        # One copy from the device for all of them; the same tensor may be in there twice.
        numbers = iter(reduction.fetched(packs))
        of_weight = {key: next(numbers) for key in unique}
        of_gradient = {
            key: (_unscaled(next(numbers), scale), shape)
            for key, (_, shape, scale) in self._gradients.items()
        }
        activation: list[Floats | None] = []
        extras = np.full((len(self._seen), 3), np.nan)
        for row, seen in enumerate(self._seen):
            calls = [next(numbers) for _ in seen.numbers]
            activation.append(reduction.merged(calls) if calls else None)
            if calls:
                said = [next(numbers) if isinstance(e, Tensor) else e for e in seen.extras]
                extras[row] = said[0] if len(said) == 1 else _merged_extras(said)
        gradients = [of_gradient.get(id(p)) if p is not None else None for p in self._weights]
        self._note()
        tap, finals = self._forward.tap, self._forward.finals
        return ActivitySample(
            step=step,
            rows=self._rows,
            activation=distributions(activation, [seen.shape for seen in self._seen]),
            weight=distributions(
                [None if w is None else of_weight[id(w)] for w in weights],
                [None if w is None else tuple(w.shape) for w in weights],
            ),
            gradient=distributions(
                [None if g is None else g[0] for g in gradients],
                [None if g is None else g[1] for g in gradients],
            ),
            order=np.array([seen.order for seen in self._seen], np.int64),
            calls=np.array([seen.calls for seen in self._seen], np.int64),
            saturated=extras[:, 0],
            varies=extras[:, 1],
            given_varies=extras[:, 2],
            final=np.array([seen in finals for seen in self._seen], bool),
            layers=layers,
            layer_rows=self._layers.rows,
            batch=self._forward.batch,
            seconds=(layers.seconds if self._own_layers else 0.0)
            + (0.0 if tap is None else tap.seconds),
        )

    def _note(self) -> None:
        tap, first = self._forward.tap, self._first
        if tap is not None and tap.error is not None:
            problem = f"{type(tap.error).__name__}: {tap.error}"
            self._notes["probe.failed"] = {"problem": problem[:200]}
        elif tap is not None and tap.truncated:
            self._notes["probe.activity_truncated"] = {}
        elif any(seen.calls > CALLS for seen in self._seen):
            self._notes["probe.activity_calls"] = {"count": str(CALLS)}
        if first is not None and first.found is not None:
            self._inputs, self.want_inputs = first.found, False
        elif first is not None and first.problem is not None:
            self._notes["probe.inputs_not_kept"] = {"problem": first.problem}
            self.want_inputs = False


def _own_weight(module: nn.Module | None) -> Parameter | None:
    found = None if module is None else main_parameter(module)
    return None if found is None else found[1]


def _readable_weight(module: nn.Module | None) -> Tensor | None:
    """Return the tensor that stands for the module if looking at it computes nothing.

    A parametrized weight is computed each time it is asked for (a spectral norm takes a step of its
    power iteration); the older hooks leave theirs as a plain attribute.
    """
    weight: object = _own_weight(module)
    if weight is None and module is not None:
        weight = vars(module).get("weight")
    return weight if isinstance(weight, Tensor) and is_readable(weight) else None


def _unscaled(numbers: Floats, scale: Tensor | float | None) -> Floats:
    if scale is None:
        return numbers
    result: Floats = numbers.copy()
    result[_SCALED] /= float(scale)
    return result


def _merged_extras(calls: Sequence[Floats | tuple[float, ...]]) -> Floats:
    """Put the calls of a module together: mean saturation; whether any of them varied."""
    table = np.array(calls, np.float64)
    known = ~np.isnan(table)
    saturated = table[known[:, 0], 0]
    return np.array(
        [
            saturated.mean() if saturated.size else np.nan,
            *(table[known[:, i], i].max() if known[:, i].any() else np.nan for i in (1, 2)),
        ]
    )
