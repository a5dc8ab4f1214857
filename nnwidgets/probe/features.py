"""An input that drives a unit most, found by climbing the unit's gradient.

Activation maximisation (Erhan et al. 2009, "Visualizing higher-layer features of a deep network"),
with the two things that keep it from ending in high-frequency noise: the picture is moved by a few
pixels before each step, and steps are taken on its spectrum (see
`nnwidgets.probe.parametrise`). Values stay between those of the given samples.

What comes out is one input that the unit likes, not a portrait of what it stands for: beside it
stand what the unit says to noise, to the mean sample and to the best of the samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.probe.flow import not_in_place
from nnwidgets.probe.look import Arguments, call_arguments
from nnwidgets.probe.nests import replaced
from nnwidgets.probe.parametrise import Parametrisation
from nnwidgets.probe.reach import earlier_modules, reach, submodule
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import whole
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.time_first import input_axes
from nnwidgets.probe.units import Unit, UnitError, main_tensor, packed, unit_values

__all__ = ["Feature", "maximise"]

_NOISES: Final = 8
_LOOKS: Final = 16  # times that the input is tried without a shift, to keep the best


@dataclass(frozen=True, eq=False)
class Feature:
    """What `maximise` found.

    Attributes
    ----------
    image
        The input, float32, without the batch.
    activation
        The unit's value for it; of a channel the mean over its units.
    noise
        Its mean value for a few inputs of noise of the kind the search began with.
    mean_sample
        Its value for the mean of the samples.
    best_sample, best_index
        Its largest value for any of the samples, and for which.
    low, high
        Between what values the input was kept, float32: for each channel of a picture, for each
        element of anything else.
    steps
        How many steps were taken.
    stopped
        Why there were not more: ``""`` (all were taken), ``"cancelled"``, ``"not_finite"`` (the
        value or its gradient was NaN or infinite), ``"flat"`` (the gradient stayed zero).
    """

    image: NDArray[np.float32]
    activation: float
    noise: float
    mean_sample: float
    best_sample: float
    best_index: int
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    steps: int
    stopped: str


def maximise(
    model: nn.Module,
    layer: str,
    unit: Unit,
    like: Any,
    *,
    steps: int = 160,
    rate: float = 0.1,
    jitter: int | None = None,
    decay: float = 1.0,
    seed: int = 0,
    call: int = 0,
    progress: Callable[[float], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Feature:
    """Look for an input that drives a unit as much as possible.

    Parameters
    ----------
    model
        A private copy, in evaluation mode; run only as far as the layer.
    layer
        Name of the layer.
    unit
        Index into the layer's output without the batch; an int where that takes several: a channel,
        by the mean of its units.
    like
        Samples (see `nnwidgets.probe.look.call_arguments`). The first tensor is searched for, in
        its samples' range; other inputs stay as they are for the first sample.
    steps
        Of Adam, uphill.
    rate
        Its learning rate, on numbers of size 1.
    jitter
        A picture is shifted by up to so many pixels, around its edges, before each step; by default
        a sixteenth of its smaller side.
    decay
        See `nnwidgets.probe.parametrise.Parametrisation`.
    seed
        The same seed gives the same input. No global random number generator is used.
    call
        Which of the layer's calls.
    progress
        Told the fraction that is done, after each step.
    cancelled
        Asked before each step; if true, the best so far is returned.

    Raises
    ------
    Refusal
        If there is no such layer or unit, the input is not one that can be changed smoothly (whole
        numbers), the layer does not depend on it, or the model raises.
    """
    target = _Target(model, layer, unit, like, call)
    form = Parametrisation(target.samples, decay)
    generator = torch.Generator().manual_seed(seed)
    base = _baselines(target, form, generator)
    free = 0.3 * form.noise(generator)
    climb = _Climb(target, form, generator, rate, _jitter(form, jitter))
    best, image = -math.inf, form.render(free)
    stopped, done = "", 0
    for step in range(steps):
        if cancelled is not None and cancelled():
            stopped = "cancelled"
            break
        moved = climb.step(free)
        if moved is None:
            stopped = "not_finite"
            break
        free, done = moved, step + 1
        if done == steps or done % max(1, steps // _LOOKS) == 0:
            tried = form.render(free)
            value = target.value(tried)
            if value > best:
                best, image = value, tried
        if progress is not None:
            progress(done / steps)
    if best == -math.inf:  # ended before the first look
        tried = form.render(free)
        image = tried if bool(torch.isfinite(tried).all()) else image
        best = target.value(image)
    if not stopped and done and climb.flat == done:
        stopped = "flat"
    return replace(base, image=_array(image[0]), activation=best, steps=done, stopped=stopped)


class _Target:
    """The unit's value as a function of the first input."""

    def __init__(self, model: nn.Module, layer: str, unit: Unit, like: Any, call: int) -> None:
        self._model, self._layer, self._unit, self._call = model, layer, unit, call
        self._module = submodule(model, layer)
        self._before = earlier_modules(model, layer)
        self._arguments = call_arguments(like)
        tensors = list(tensors_in(self._arguments))
        if not tensors:
            raise Refusal("probe.feature.no_tensor")
        axes = input_axes(model, tensors)
        self._first, self._axis = tensors[0], axes[0] or 0
        self.samples = tensors[0].movedim(self._axis, 0) if self._axis else tensors[0]
        if not self.samples.dtype.is_floating_point:
            raise Refusal("probe.feature.whole_numbers")
        if self.samples.layout is not torch.strided or self.samples.is_nested:
            raise Refusal("probe.feature.sparse")
        if self.samples.dim() < 2 or not self.samples.numel():
            raise Refusal("probe.feature.empty")
        self._others = [
            (t, axis)
            for t, axis in zip(tensors[1:], axes[1:], strict=True)
            if axis is not None and t.shape[axis] == len(self.samples) and t is not tensors[0]
        ]

    def values(
        self,
        inputs: Tensor,
        *,
        samples: bool = False,
        gradients: bool = False,
        given: bool = False,
    ) -> Tensor:
        """Return the value for each of some inputs.

        Parameters
        ----------
        inputs
            All of the samples, or one that was made.
        samples
            Which of the two.
        gradients
            Record a graph.
        given
            Take the unit of what the layer is given, not of what it returns.
        """
        new = {id(self._first): inputs.movedim(0, self._axis)}
        if not samples:
            new |= {id(other): other.narrow(axis, 0, 1) for other, axis in self._others}
        args, kwargs = replaced(self._arguments, new)
        with not_in_place(self._model):
            output = reach(
                self._model, Arguments(args, kwargs), self._layer,
                call=self._call, gradients=gradients, given=given,
            )  # fmt: skip
        if packed(output):
            raise Refusal("probe.samples.packed")
        found = unit_values(self._module, main_tensor(output), self._unit, before=self._before)
        if found.is_complex():
            raise Refusal("probe.feature.no_gradient")
        return found

    def value(self, inputs: Tensor) -> float:
        """Return the value for one input."""
        return float(self.values(inputs).detach().double().mean())


class _Climb:
    """Adam, uphill, by hand: an optimiser of torch would tell its global hooks of each step."""

    def __init__(
        self,
        target: _Target,
        form: Parametrisation,
        generator: torch.Generator,
        rate: float,
        jitter: int,
    ) -> None:
        self.flat = 0  # steps in which the gradient was zero
        self._target, self._form, self._generator = target, form, generator
        self._rate, self._jitter = rate, jitter
        self._first: Tensor | float = 0.0
        self._second: Tensor | float = 0.0
        self._count = 0

    def step(self, free: Tensor) -> Tensor | None:
        """Return the numbers after one step, None if value or gradient are not finite."""
        with torch.enable_grad():
            numbers = free.detach().requires_grad_()
            inputs = self._shifted(self._form.render(numbers))
            value = self._target.values(inputs, gradients=True).mean()
            slope = _slope(value, numbers)
        if slope is None:
            raise Refusal("probe.feature.no_gradient")
        size = float(slope.abs().amax())
        if not (math.isfinite(size) and math.isfinite(float(value.detach()))):
            return None
        if size == 0:  # asleep: an activation function may have a way up below it
            slope = self._below(free)
            size = 0.0 if slope is None else float(slope.abs().amax())
        if slope is None or not 0 < size < math.inf:
            self.flat += 1
            return free + 0.3 * self._form.noise(self._generator)
        self._count += 1
        slope = slope / size  # half precision rounds small gradients; Adam needs no scale
        self._first = 0.9 * self._first + 0.1 * slope
        self._second = 0.99 * self._second + 0.01 * slope.square()
        first = self._first / (1 - 0.9**self._count)
        second = self._second / (1 - 0.99**self._count)
        return free + self._rate * first / (second.sqrt() + 1e-8)

    def _below(self, free: Tensor) -> Tensor | None:
        """Return the slope of what the layer is given at the unit's place, if there is one."""
        with torch.enable_grad():
            numbers = free.detach().requires_grad_()
            inputs = self._shifted(self._form.render(numbers))
            try:
                value = self._target.values(inputs, gradients=True, given=True).mean()
            except UnitError:
                return None
            return _slope(value, numbers)

    def _shifted(self, inputs: Tensor) -> Tensor:
        if not self._jitter:
            return inputs
        dims = tuple(range(2, inputs.dim()))
        shifts = torch.randint(
            -self._jitter, self._jitter + 1, (len(dims),), generator=self._generator
        )
        return torch.roll(inputs, tuple(int(s) for s in shifts), dims)


def _slope(value: Tensor, numbers: Tensor) -> Tensor | None:
    if not value.requires_grad:
        return None
    (slope,) = torch.autograd.grad(value, numbers, allow_unused=True)
    return slope


def _jitter(form: Parametrisation, asked: int | None) -> int:
    if not form.picture:
        return 0
    return max(1, min(form.shape[2:]) // 16) if asked is None else max(0, asked)


def _baselines(target: _Target, form: Parametrisation, generator: torch.Generator) -> Feature:
    """Return what the unit says to noise and to the samples, the image still missing."""
    with torch.no_grad():
        noises = [target.value(form.render(form.noise(generator))) for _ in range(_NOISES)]
        plain = target.samples.detach()
        mean = plain.float().mean(0, keepdim=True).to(plain.dtype)
        of_mean = target.value(mean)
        values = target.values(plain, samples=True).detach().double().cpu().numpy()
    count = len(plain)
    if len(values) > 1 and len(values) % count:
        raise Refusal("probe.samples.folded", given=whole(count), got=whole(len(values)))
    if len(values) > count:  # several rows of each sample: windows, patches
        values = values.reshape(count, -1).mean(1)
    ranked = np.where(np.isfinite(values), values, -np.inf)
    best = int(ranked.argmax())
    return Feature(
        np.zeros(0, np.float32), math.nan, float(np.mean(noises)), of_mean, float(values[best]),
        best, _array(form.low), _array(form.high), 0, "",
    )  # fmt: skip


def _array(values: Tensor) -> NDArray[np.float32]:
    result: NDArray[np.float32] = values.detach().to("cpu", torch.float32).numpy()
    return result
