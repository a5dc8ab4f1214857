"""Activation × weight: what each place of a layer's maps adds to the score, as far as that is true.

Where the layer's maps go through a pooling (or a flatten) into one linear layer whose output is the
score, the weights are simply those of that linear layer: the class activation mapping of Zhou et
al. 2016, with no gradient. That is found out by looking at the numbers of the run, not at the
model's text. Everywhere else the weight of an activation is taken to be d score / d activation,
which holds near this sample only; then it is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.explain.cam import maps_of
from nnwidgets.explain.layer_pass import LayerPass, layer_pass
from nnwidgets.explain.plane import over_inputs
from nnwidgets.explain.registry import Method, Result, Run, register
from nnwidgets.explain.spatial import mixed_tokens

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["Head", "find_head", "terms_pass"]


@dataclass(frozen=True, eq=False)
class Head:
    """The linear layer that turns a layer's maps into the score.

    Attributes
    ----------
    pooling
        What is between: ``"mean"`` or ``"sum"`` over the places, or ``"flatten"``.
    weights
        Of the target, as the maps are laid out: (1, channels, 1, …) after a pooling, (1, channels,
        height, width) after a flatten.
    bias
        Of the target.
    """

    pooling: str
    weights: Tensor
    bias: float


@dataclass(frozen=True, eq=False)
class LinearCall:
    """The last call of a linear layer: what it got and gave, for the one sample."""

    module: nn.Linear
    given: Tensor
    gave: Tensor


class _Linears:
    """Hooks that keep the last call of any ``nn.Linear``."""

    def __init__(self, root: nn.Module) -> None:
        self.last: LinearCall | None = None
        self._handles = [
            module.register_forward_hook(self._keeps)
            for module in root.modules()
            if isinstance(module, nn.Linear)
        ]

    def __enter__(self) -> _Linears:
        return self

    def __exit__(self, *problem: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keeps(self, module: nn.Linear, args: tuple[Any, ...], output: Tensor) -> None:
        if args and isinstance(args[0], Tensor):
            self.last = LinearCall(module, args[0].detach().clone(), output.detach().clone())


def terms_pass(asked: Asked, layer: str) -> tuple[LayerPass, LinearCall | None]:
    """Run the model once, and return what a layer gave and what the last linear layer did.

    Parameters
    ----------
    asked
        The sample and the target.
    layer
        Name of a module in ``asked.root``.

    Returns
    -------
    seen
        Of the layer.
    last
        Of the last linear layer that ran; None if none did.

    Raises
    ------
    Refusal
        As `nnwidgets.explain.layer_pass.layer_pass`.
    """
    with _Linears(asked.root) as linears:
        return layer_pass(asked, layer), linears.last


def find_head(
    maps: Tensor, score: float, target: object, kind: str, last: LinearCall | None
) -> Head | None:
    """Return the linear head over a layer's maps, if the numbers of the run show that there is one.

    Parameters
    ----------
    maps
        (1, channels, …): what the layer gave.
    score
        Of the target.
    target
        The class, or None for the one output.
    kind
        Of the output (`nnwidgets.explain.outputs.OutputKind`).
    last
        The last linear layer's call.

    Returns
    -------
    Head or None
        None if that layer's input is not the pooled or flattened maps, or its output for the
        target is not the score.
    """
    if last is None or last.given.numel() != last.given.shape[-1]:  # of one sample, one row
        return None
    row = _row(last, score, target, kind)
    if row is None:
        return None
    unit, sign = row
    weights = sign * last.module.weight.detach()[unit].to(maps.dtype)
    biases: Tensor | None = getattr(last.module, "bias", None)
    bias = 0.0 if biases is None else sign * float(biases.detach()[unit])
    given = last.given.flatten()
    close = _CLOSE if given.dtype in (torch.float32, torch.float64) else _CLOSE_OF_HALVES
    given = given.to(maps.dtype)
    places = tuple(range(2, maps.dim()))
    if maps.shape[1] == given.numel():
        for name, pooled in (("mean", maps.mean(places)), ("sum", maps.sum(places))):
            if _same(pooled.flatten(), given, close):
                return Head(name, weights.reshape(1, -1, *(1 for _ in places)), bias)
    if maps.numel() == given.numel() and _same(maps.flatten(), given, close):
        return Head("flatten", weights.reshape(maps.shape), bias)
    return None


def _row(last: LinearCall, score: float, target: object, kind: str) -> tuple[int, int] | None:
    """Return the unit of the linear layer that is the score, and its sign in it."""
    outputs = last.gave.flatten()
    unit: object = 0 if target is None else target
    sign = 1
    if outputs.numel() == 1:  # one logit: class 0 has its negative for a score
        unit, sign = 0, -1 if kind == "logit" and target == 0 else 1
    if not isinstance(unit, int) or not 0 <= unit < outputs.numel():
        return None
    found = _same(sign * outputs[unit], torch.tensor(score).to(outputs))
    return (unit, sign) if found else None


_CLOSE: Final = 1e-5
_CLOSE_OF_HALVES: Final = 1e-2


def _same(one: Tensor, other: Tensor, close: float = _CLOSE) -> bool:
    scale = float(other.abs().max()) if other.numel() else 0.0
    return bool(torch.allclose(one, other, rtol=close, atol=close * scale))


def _run(run: Run) -> Result:
    asked, layer = run.asked, str(run.layer)
    run.expect(2)
    seen, last = terms_pass(asked, layer)
    maps, gradient = maps_of(asked, layer, seen.activation, seen.gradient)
    head = find_head(maps, seen.score, asked.target, asked.output.kind, last)
    found = (maps * (gradient if head is None else head.weights)).sum(1, keepdim=True)
    values, warned = over_inputs(
        asked, found, layer=layer, reached=seen.reached, mode=run.options.get("interpolate_mode")
    )
    warned += mixed_tokens(asked, layer)
    details: dict[str, Any] = {
        "rule": "gradient" if head is None else f"linear_{head.pooling}",
        "layer_map": found[0, 0].float().cpu().numpy(),
    }
    if head is None:
        return Result(
            values, None, (*warned, ("explain.terms.gradient", {"layer": layer})), details
        )
    details["bias"] = head.bias
    return Result(values, None, warned, details)


register(
    Method(
        "activation_x_weight",
        _run,
        needs_layer=True,
        options=frozenset({"interpolate_mode"}),
    )
)
