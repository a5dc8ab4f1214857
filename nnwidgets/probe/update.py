"""What one update of the optimiser shows: the gradients before it, the weights before and after."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from torch import Tensor
from torch.nn.parameter import Parameter

from nnwidgets.probe import tensors

__all__ = ["UpdateView"]

_COMPARED: Final = 65_536  # elements of a weight that the update ratio is taken from


class UpdateView:
    """Gradient norms and weight changes of one sampled step, by parameter.

    With several optimisers, or several updates in a step, each parameter counts from the first
    update that it is in.
    """

    def __init__(self) -> None:
        # By identity: all within one step, while the model holds its parameters.
        self._gradients: dict[int, Tensor] = {}
        self._changes: dict[int, tuple[Tensor, Tensor]] = {}
        self._scales: dict[int, Tensor | float] = {}
        self._before: list[tuple[Parameter, Tensor, Tensor]] = []
        self.unreadable = False

    @property
    def has_gradients(self) -> bool:
        """Whether any gradient was read."""
        return bool(self._gradients)

    def knows(self, parameter: Parameter) -> bool:
        """Whether the gradient of `parameter` was read."""
        return id(parameter) in self._gradients

    def read_gradients(
        self, parameters: Iterable[Parameter], scale: Tensor | float | None = None
    ) -> None:
        """Take the norms of the gradients as they are now; parameters without one are left out."""
        found: list[tuple[Parameter, Tensor]] = []
        for p in parameters:
            gradient = p.grad
            if gradient is None:
                continue
            if tensors.is_readable(gradient):
                found.append((p, gradient))
            else:
                self.unreadable = True
        norms = tensors.norms([gradient for _, gradient in found])
        for (p, _), size in zip(found, norms, strict=True):
            self._gradients[id(p)] = size
            if scale is not None:
                self._scales[id(p)] = scale

    def keep_weights(self, parameters: Iterable[Parameter]) -> None:
        """Remember the weights, or an evenly spaced part of the large ones."""
        kept = [
            (p, tensors.sample_elements(p, _COMPARED))
            for p in parameters
            if p.requires_grad and id(p) not in self._changes and tensors.is_readable(p)
        ]
        norms = tensors.norms([view for _, view in kept])
        self._before = [
            (p, view.clone(), size) for (p, view), size in zip(kept, norms, strict=True)
        ]

    def compare_weights(self) -> None:
        """Measure how far the weights have moved from where they were."""
        before, self._before = self._before, []
        moved = [tensors.sample_elements(p, _COMPARED) - old for p, old, _ in before]
        for (p, _, size), change in zip(before, tensors.norms(moved), strict=True):
            self._changes[id(p)] = (change, size)

    def rows(
        self, layers: Sequence[Sequence[tuple[str, Parameter]]]
    ) -> tuple[np.ndarray, np.ndarray, list[bool | None]]:
        """Return gradient norm, update ratio and state for each layer (waits for the device).

        Parameters
        ----------
        layers
            The named parameters of each layer.

        Returns
        -------
        grad_norm, update_ratio : ndarray
            Float64, one entry a layer, NaN where nothing is known.
        bad : list of bool or None
            Whether a gradient of the layer holds NaN or an infinity, None where there is none.
        """
        keys = list(self._gradients)
        moved = list(self._changes)
        numbers = tensors.to_numpy(
            [self._gradients[k] for k in keys]
            + [self._changes[k][0] for k in moved]
            + [self._changes[k][1] for k in moved]
        ).tolist()
        sizes = dict(zip(keys, numbers, strict=False))
        for key, scale in self._scales.items():
            sizes[key] /= float(scale)
        changes = numbers[len(keys) : len(keys) + len(moved)]
        weights = numbers[len(keys) + len(moved) :]
        ratios = dict(zip(moved, zip(changes, weights, strict=True), strict=True))
        gradient = np.full(len(layers), np.nan)
        ratio = np.full(len(layers), np.nan)
        bad: list[bool | None] = [None] * len(layers)
        for row, parameters in enumerate(layers):
            squares = [self._exact(p, sizes[id(p)]) ** 2 for _, p in parameters if id(p) in sizes]
            if squares:
                gradient[row] = sum(squares) ** 0.5
                bad[row] = not math.isfinite(gradient[row])
            known = [(name, ratios[id(p)]) for name, p in parameters if id(p) in ratios]
            main = [pair for name, pair in known if "bias" not in name] or [p for _, p in known]
            weight = sum(w * w for _, w in main) ** 0.5
            if weight > 0:
                ratio[row] = sum(c * c for c, _ in main) ** 0.5 / weight
        return gradient, ratio, bad

    @staticmethod
    def _exact(parameter: Parameter, size: float) -> float:
        # Squares overflow float32 from 1e19 on; such a gradient is huge, but not infinite.
        gradient = parameter.grad
        if math.isinf(size) and gradient is not None and not tensors.has_bad(gradient):
            values = tensors.stored_values(gradient.detach())
            largest = float(values.abs().max())
            return float((values.double() / largest).norm()) * largest
        return size
