"""Methods that need nothing but gradients: captum's, with batches and random numbers of our own.

===================== ==================================================================
saliency              |dS/dx|                                        Simonyan et al. 2013
input_x_gradient      x dS/dx                                      Shrikumar et al. 2016
integrated_gradients  (x − b) ∫ dS/dx(b + a (x − b)) da          Sundararajan et al. 2017
smooth_grad           mean of saliency over noisy copies              Smilkov et al. 2017
gradient_shap         mean of (x' − b) dS/dx(b + u (x' − b))          Lundberg & Lee 2017
===================== ==================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from nnwidgets.explain.batching import in_batches, rows_at_once
from nnwidgets.explain.methods_random import generator
from nnwidgets.explain.registry import Method, Result, Run, Warned, register

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["Gradients", "plain", "whole_number", "with_gradient"]

_NOISE: Final = 0.15  # of the input's range: the middle of what the SmoothGrad paper recommends
_RULES: Final = (
    "gausslegendre",
    *(f"riemann_{where}" for where in ("left", "right", "middle", "trapezoid")),
)
_DRAWN: Final = 1 << 18  # random numbers in one go: some milliseconds
_KINDS: Final = ("smoothgrad", "smoothgrad_sq", "vargrad")


class Gradients:
    """Gradients that are zero where there is none, and remember that.

    Stands for the function of captum's that each of its objects holds as ``gradient_func``, which
    raises if the score does not depend on an input.
    """

    def __init__(self, asked: Asked) -> None:
        self._names = tuple(slot.name for slot in asked.slots)
        self._constant = False
        self._unused: set[str] = set()

    def __call__(
        self,
        forward_fn: Callable[..., Tensor],
        inputs: tuple[Tensor, ...],
        target_ind: Any = None,
        additional_forward_args: Any = None,
    ) -> tuple[Tensor, ...]:
        """Return dS/dx for each input, summed over the rows' scores."""
        from captum._utils.common import _run_forward

        with torch.enable_grad():
            score = _run_forward(forward_fn, inputs, target_ind, additional_forward_args)
            if not score.requires_grad:
                self._constant = True
                return tuple(torch.zeros_like(value) for value in inputs)
            found: Sequence[Tensor | None] = torch.autograd.grad(
                score.sum(), inputs, allow_unused=True
            )
        self._unused.update(n for n, g in zip(self._names, found, strict=False) if g is None)
        return tuple(
            torch.zeros_like(value) if gradient is None else gradient
            for value, gradient in zip(inputs, found, strict=True)
        )

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """What was missing."""
        if self._constant or (self._unused and len(self._unused) == len(self._names)):
            return (("explain.gradient.none", {}),)
        if self._unused:
            return (("explain.gradient.unused", {"inputs": ", ".join(sorted(self._unused))}),)
        return ()


def with_gradient(values: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return copies that want a gradient, so that captum need not change those given."""
    return tuple(value.detach().clone().requires_grad_() for value in values)


def plain(values: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return values without a graph."""
    return tuple(value.detach() for value in values)


def _saliency(run: Run) -> Result:
    from captum.attr import Saliency

    gradients, method = _prepared(run, Saliency(run.asked.model))
    run.expect(2)
    values = method.attribute(
        with_gradient(run.asked.inputs),
        abs=run.options.get("abs", True),
        additional_forward_args=run.asked.others or None,
    )
    return Result(plain(values), warnings=gradients.warnings)


def _input_x_gradient(run: Run) -> Result:
    from captum.attr import InputXGradient

    gradients, method = _prepared(run, InputXGradient(run.asked.model))
    run.expect(2)
    values = method.attribute(
        with_gradient(run.asked.inputs), additional_forward_args=run.asked.others or None
    )
    return Result(plain(values), warnings=gradients.warnings)


def _integrated_gradients(run: Run) -> Result:
    from captum.attr import IntegratedGradients

    options = dict(run.options)
    by_inputs = bool(options.pop("multiply_by_inputs", True))
    steps = whole_number(options, "n_steps", 50)
    options.pop("n_steps", None)
    # Where `method` is the name of the explanation, captum's option goes by another one.
    name = "integration" if "integration" in options else "method"
    if name == "integration" and "method" in options:
        raise ValueError("integration is captum's method: give one of them, not both")
    rule = options.pop(name, "gausslegendre")
    if rule not in _RULES:
        raise ValueError(f"{name} is one of {', '.join(_RULES)}, not {rule!r}")
    batch = options.pop("internal_batch_size", None)
    if batch is None:
        # captum keeps each scaled input and each gradient of a batch, in float.
        inputs = sum(value.numel() for value in run.asked.inputs)
        size = rows_at_once(run.asked, steps, gradient=True, beside=12 * inputs)
        batch = None if size >= steps else size
    gradients, method = _prepared(run, IntegratedGradients(run.asked.model, by_inputs))
    run.expect(2 * steps + 2)
    values, delta = method.attribute(
        run.asked.inputs,
        baselines=run.baselines,
        additional_forward_args=run.asked.others or None,
        n_steps=steps,
        method=rule,
        internal_batch_size=batch,
        return_convergence_delta=True,
        **options,
    )
    # Without the factor the values are slopes, which add up to nothing.
    return Result(plain(values), float(delta.detach()) if by_inputs else None, gradients.warnings)


def _smooth_grad(run: Run) -> Result:
    from captum.attr import Saliency

    kind = run.options.get("nt_type", "smoothgrad")
    if kind not in _KINDS:
        raise ValueError(f"nt_type is one of {', '.join(_KINDS)}, not {kind!r}")
    count = whole_number(run.options, "nt_samples", 5)
    noisy = _noisy(run, count, _deviations(run, "stdevs", None))
    gradients, method = _prepared(run, Saliency(run.asked.model))
    run.expect(2 * count)

    def attributed(rows: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values: tuple[Tensor, ...] = method.attribute(
            with_gradient(rows),
            abs=run.options.get("abs", True),
            additional_forward_args=run.asked.others or None,
        )
        return plain(values)

    size = run.options.get("nt_samples_batch_size")
    values = in_batches(run.asked, noisy, attributed, gradient=True, size=size)
    # As captum.attr.NoiseTunnel reduces them.
    mean = tuple(value.mean(0, keepdim=True) for value in values)
    if kind != "smoothgrad":
        square = tuple(value.square().mean(0, keepdim=True) for value in values)
        mean = square if kind == "smoothgrad_sq" else _less(square, [m * m for m in mean])
    return Result(mean, warnings=gradients.warnings)


def _gradient_shap(run: Run) -> Result:
    from captum.attr import Saliency

    count = whole_number(run.options, "n_samples", 5)
    # The draws, and their order, are those of captum.attr.GradientShap after both
    # numpy.random.seed(seed) and torch.manual_seed(seed), from generators of our own.
    numbers = np.random.RandomState(run.seed)
    picks = [numbers.choice(base.shape[0], count) for base in run.baselines]
    noisy = _noisy(run, count, _deviations(run, "stdevs", 0.0))
    along = numbers.uniform(0.0, 1.0, count)
    starts = tuple(
        base[torch.as_tensor(pick, device=base.device)]
        for base, pick in zip(run.baselines, picks, strict=True)
    )
    points = tuple(
        start + _column(along, value) * (value - start)
        for value, start in zip(noisy, starts, strict=True)
    )
    gradients, method = _prepared(run, Saliency(run.asked.model))
    run.expect(4 * count)

    def slopes(rows: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values: tuple[Tensor, ...] = method.attribute(
            with_gradient(rows), abs=False, additional_forward_args=run.asked.others or None
        )
        return plain(values)

    def scores(rows: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return (run.asked.model(*rows, *run.asked.others),)

    found = in_batches(run.asked, points, slopes, gradient=True)
    if not run.options.get("multiply_by_inputs", True):
        values = tuple(value.mean(0, keepdim=True) for value in found)
        return Result(values, None, gradients.warnings)
    parts = [slope * way for slope, way in zip(found, _less(noisy, starts), strict=True)]
    (end,) = in_batches(run.asked, noisy, scores, gradient=False)
    (start,) = in_batches(run.asked, starts, scores, gradient=False)
    total = sum((part.flatten(1).sum(1).double() for part in parts), torch.zeros(()).double())
    delta = (total - (end - start).double()).mean()
    values = tuple(part.mean(0, keepdim=True) for part in parts)
    return Result(values, float(delta.detach()), gradients.warnings)


def _prepared(run: Run, method: Any) -> tuple[Gradients, Any]:
    gradients = Gradients(run.asked)
    method.gradient_func = gradients
    return gradients, method


def _noisy(run: Run, count: int, deviations: Sequence[float]) -> tuple[Tensor, ...]:
    """Return `count` copies of each input with normal noise, drawn as captum's NoiseTunnel does."""
    device = run.asked.inputs[0].device
    drawn = generator(run.seed, device)
    copies = []
    for value, deviation in zip(run.asked.inputs, deviations, strict=True):
        parts = []
        for rows in _parts(count, value[:1].numel(), device):
            run.check()
            spread = torch.full((rows, *value.shape[1:]), float(deviation), device=device)
            parts.append(value + torch.normal(0, spread, generator=drawn).to(value.dtype))
        copies.append(torch.cat(parts))
    return tuple(copies)


def _parts(count: int, size: int, device: torch.device) -> list[int]:
    """Return how many rows of noise to draw at once, so that somebody can cancel in between.

    torch's generator of the CPU fills sixteen numbers at a time: cut there, the numbers are those
    that it would draw in one go, as captum does.
    """
    if device.type != "cpu" or size % 16 or not size:
        return [count]
    each = max(1, _DRAWN // size)
    return [min(each, count - done) for done in range(0, count, each)]


def _deviations(run: Run, name: str, default: float | None) -> tuple[float, ...]:
    given = run.options.get(name, default)
    if given is None:
        spans = [float(v.max() - v.min()) if v.numel() else 0.0 for v in run.asked.inputs]
        return tuple(_NOISE * span if np.isfinite(span) else 0.0 for span in spans)
    count = len(run.asked.inputs)
    each = tuple(given) if isinstance(given, tuple | list) else (given,) * count
    if len(each) != count or any(not float(number) >= 0 for number in each):
        raise ValueError(
            f"{name} must be a number of at least 0, or one for each of {count} inputs"
        )
    return tuple(float(number) for number in each)


def whole_number(options: Mapping[str, Any], name: str, default: int) -> int:
    """Return an option that must be a whole number of at least 1."""
    value = options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}")
    return int(value)


def _column(numbers: Any, like: Tensor) -> Tensor:
    column = torch.as_tensor(numbers, dtype=like.dtype, device=like.device)
    return column.view(-1, *(1,) * (like.dim() - 1))


def _less(these: Sequence[Tensor], those: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(this - that for this, that in zip(these, those, strict=True))


def _count(name: str, default: int) -> Callable[[Any, Mapping[str, Any]], int]:
    return lambda asked, options: 3 * int(options.get(name) or default)


register(Method("saliency", _saliency, options=frozenset({"abs"})))
register(Method("input_x_gradient", _input_x_gradient))
register(
    Method(
        "integrated_gradients",
        _integrated_gradients,
        uses_baseline=True,
        options=frozenset(
            {"n_steps", "method", "integration", "internal_batch_size", "multiply_by_inputs"}
        ),
        promises_completeness=True,
        cost=_count("n_steps", 50),
    )
)
register(
    Method(
        "smooth_grad",
        _smooth_grad,
        random=True,
        options=frozenset({"nt_type", "nt_samples", "nt_samples_batch_size", "stdevs", "abs"}),
        cost=_count("nt_samples", 5),
    )
)
register(
    Method(
        "gradient_shap",
        _gradient_shap,
        uses_baseline=True,
        random=True,
        options=frozenset({"n_samples", "stdevs", "multiply_by_inputs"}),
        promises_completeness=True,
        takes_several_baselines=True,
        cost=_count("n_samples", 5),
    )
)
