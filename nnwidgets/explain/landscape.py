"""The loss around the current weights, on a plane through them.

Li et al. 2018, "Visualizing the loss landscape of neural nets": two random directions, each filter
of a direction scaled to the length of the filter it is added to. Without that, layers with small
weights would look sharp and such with large ones flat, though a network with ReLU can shift size
from one layer to the next and stay the same function. Biases and normalisation stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.cancelling import Cancelled, never
from nnwidgets.explain.committee import evaluating, set_aside
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal

__all__ = ["Landscape", "directions", "landscape"]

_SIDE: Final = 21


@dataclass(frozen=True, eq=False)
class Landscape:
    """The loss on a plane through the current weights.

    Attributes
    ----------
    alpha, beta
        (side,), ascending: steps along the first and the second direction. At 1 every filter has
        moved by its own length.
    loss
        (side, side): ``loss[i, j]`` at ``alpha[j]``, ``beta[i]``; what is not finite stays so.
    centre
        The loss at the current weights.
    moved
        Names of the parameters that were moved.
    notes
        What is to be said, as keys of the catalogue.
    """

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    loss: NDArray[np.float64]
    centre: float
    moved: tuple[str, ...]
    notes: tuple[Words, ...]


def landscape(
    model: nn.Module,
    loss: Callable[[nn.Module], Any],
    *,
    span: float = 1.0,
    side: int = _SIDE,
    seed: int = 0,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Landscape:
    """Work out the loss on a plane of weights.

    Parameters
    ----------
    model
        A private copy. When this returns or raises, every weight, buffer and mode is what it was,
        bit by bit.
    loss
        Runs a module, in evaluation mode and without gradients, and gives its loss: a number.
    span
        How far the plane reaches to each side, in lengths of the filters.
    side
        How many weights are tried along each direction; odd, so that the current ones are among
        them.
    seed
        Of the directions' generator, and of what the model draws: the same for each place.
    cancelled
        Asked before each place whether nobody waits any more.
    progress
        Told the share that is done after each place.

    Raises
    ------
    Cancelled
        If nobody waits any more.
    Refusal
        If the model has no weights to move, or the loss at the current ones is not finite.
    ValueError
        If `span` or `side` is not what is said above.
    """
    size: Any = side  # a caller may give anything
    whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
    if not whole or side < 3 or side % 2 == 0:
        raise ValueError(f"side is an odd number from 3 on, not {side!r}")
    if not (span > 0 and np.isfinite(span)):
        raise ValueError(f"span is a length above zero, not {span!r}")
    generator = torch.Generator().manual_seed(seed)
    first, second = directions(model, generator), directions(model, generator)
    if not first:
        raise Refusal("explain.landscape.no_weights")
    steps = np.linspace(-span, span, side)
    steps[side // 2] = 0.0
    found = np.full((side, side), np.nan)
    parameters = dict(model.named_parameters())

    def ask() -> float:
        with OwnRandom(seed):
            given = loss(model)
        try:
            return float(given.detach() if isinstance(given, Tensor) else given)
        except (TypeError, ValueError, RuntimeError):
            raise TypeError(f"the loss must give one number, not {given!r:.100}") from None

    with evaluating(model), torch.no_grad():
        with set_aside(model):
            centre = ask()
        if not np.isfinite(centre):
            raise Refusal("explain.landscape.centre")
        places = [(i, j) for i in range(side) for j in range(side)]
        for number, (i, j) in enumerate(places):
            if cancelled():
                raise Cancelled
            # Set aside each time: what a forward changes must not reach the next place.
            with set_aside(model):
                for name, one in first.items():
                    away = steps[j] * one + steps[i] * second[name]
                    parameters[name].detach().add_(away.to(parameters[name]))
                found[i, j] = centre if steps[i] == steps[j] == 0 else ask()
            progress((number + 1) / len(places))
    notes: list[Words] = [("explain.landscape.made", {"count": str(len(first))})]
    if not np.isfinite(found).all():
        lost = str(int((~np.isfinite(found)).sum()))
        notes.append(("explain.landscape.not_finite", {"count": lost, "total": str(found.size)}))
    return Landscape(steps, steps.copy(), found, centre, tuple(first), tuple(notes))


def directions(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw a direction in the space of weights, each filter as long as the model's own.

    Parameters
    ----------
    model
        Its floating parameters with two axes or more are moved; a filter is what belongs to one
        output, ``weight[k]``.
    generator
        On the CPU.

    Returns
    -------
    dict
        By name, float64 on the CPU. Shared parameters are there once.
    """
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2 or not parameter.dtype.is_floating_point or not parameter.numel():
            continue
        drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        own = parameter.detach().to("cpu", torch.float64)
        axes = tuple(range(1, parameter.dim()))
        length = drawn.square().sum(axes, keepdim=True).sqrt()
        target = own.square().sum(axes, keepdim=True).sqrt()
        found[name] = drawn * (target / length)
    return found
