"""How good a linear surrogate is: how well it fits its own samples, how much luck is in it.

LIME and kernel SHAP explain a model by a linear one that is fitted to its answers near a sample.
Whether that says anything shows in two numbers that captum does not give: the local R², weighted
as the fit was, and the standard deviation of each weight when other samples are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Spread", "Surrogate", "over_seeds", "weighted_r2"]


def weighted_r2(truth: Tensor, predicted: Tensor, weights: Tensor | None = None) -> float | None:
    """Return 1 − Σ w (y − ŷ)² / Σ w (y − ȳ)², where ȳ is the weighted mean.

    Parameters
    ----------
    truth, predicted
        The model's and the surrogate's answers, of one size.
    weights
        Not negative, of the same size; None: all alike.

    Returns
    -------
    float or None
        At most 1; below 0 where the weighted mean alone does better. None where there is nothing
        to explain (all answers are the same) or a number is not finite.
    """
    y, guess = truth.detach().double().flatten(), predicted.detach().double().flatten()
    w = torch.ones_like(y) if weights is None else weights.detach().double().flatten()
    # Their scale drops out, and would overflow with the huge weights of kernel SHAP's ends.
    w = w / w.sum()
    spread = (w * (y - (w * y).sum()).square()).sum()
    left = (w * (y - guess).square()).sum()
    noise = torch.finfo(truth.dtype if truth.is_floating_point() else torch.float64).eps
    scale = (w * y.abs()).sum() * noise
    if not bool(torch.isfinite(left) & torch.isfinite(spread)) or spread <= scale.square():
        return None
    return float(1 - left / spread)


class Surrogate:
    """A surrogate of captum's that remembers how well it fits.

    To be given to ``captum.attr.Lime`` as its ``interpretable_model``, or put in the place of the
    one that an object of captum's already has.

    Parameters
    ----------
    model
        What is fitted: an interpretable model of captum's (``fit``, ``representation``, call).

    Attributes
    ----------
    r2
        Weighted R² of the last fit on its own samples; None before one, and where there is none
        (see `weighted_r2`).
    samples
        How many samples the last fit has seen.
    distinct
        How many of them were different: with no more than there are features, any surrogate fits.
    features
        How many weights it has.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.r2: float | None = None
        self.samples = self.distinct = self.features = 0

    def fit(self, train_data: Iterable[Any], **options: Any) -> Any:
        """Fit the surrogate, and see how well it does on what it was fitted to."""
        result = self.model.fit(train_data, **options)
        parts = list(zip(*train_data, strict=True))
        inputs, truth = torch.cat(parts[0]), torch.cat(parts[1])
        weights = torch.cat(parts[2]) if len(parts) > 2 else None
        self.samples, self.features = inputs.shape[0], inputs[0].numel()
        self.distinct = int(torch.unique(inputs, dim=0).shape[0])
        with torch.no_grad():
            self.r2 = weighted_r2(truth, self.model(inputs), weights)
        return result

    def representation(self) -> Any:
        """Return the weights, as captum asks for them."""
        return self.model.representation()

    def __call__(self, inputs: Tensor) -> Any:
        """Return the surrogate's answers."""
        return self.model(inputs)


@dataclass(frozen=True, eq=False)
class Spread:
    """What came out of one computation under several seeds.

    Attributes
    ----------
    first
        What the first seed gave.
    mean, std
        Element by element over the seeds; the standard deviation is the population's (÷ seeds).
    seeds
        Those used.
    """

    first: tuple[Tensor, ...]
    mean: tuple[Tensor, ...]
    std: tuple[Tensor, ...]
    seeds: tuple[int, ...]


def over_seeds(
    run: Callable[[int], tuple[Tensor, ...]],
    seeds: Sequence[int],
    *,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Spread:
    """Compute the same thing once a seed.

    Parameters
    ----------
    run
        Computes it under a seed, for instance the attributions of LIME.
    seeds
        At least one.
    progress
        Told the share that is done after each; may raise to stop.

    Returns
    -------
    Spread
        Of the results.

    Raises
    ------
    ValueError
        If there is no seed.
    """
    if not seeds:
        raise ValueError("at least one seed is needed")
    results = []
    for done, seed in enumerate(seeds, 1):
        results.append(run(seed))
        progress(done / len(seeds))
    stacked = [torch.stack(parts).double() for parts in zip(*results, strict=True)]
    return Spread(
        first=results[0],
        mean=tuple(each.mean(0) for each in stacked),
        std=tuple(each.std(0, correction=0) for each in stacked),
        seeds=tuple(seeds),
    )
