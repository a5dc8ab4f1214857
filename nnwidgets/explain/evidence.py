"""How strong a prior the data themselves speak for: the largest marginal likelihood.

MacKay 1992, "Bayesian interpolation". With the eigenvalues λ of the loss's curvature and the
trained weights θ, the logarithm of the marginal likelihood under Laplace's approximation is, up to
a constant, ½ (P log δ − δ |θ|² − Σ log(λ + δ)), and for normal noise of variance s² with λ/s² for
λ also −½ (N log s² + R/s²), where R is the sum of N squared residuals.
"""

from __future__ import annotations

from math import exp, log, pi
from typing import Final

from torch import Tensor

__all__ = ["Evidence"]

_LOWEST: Final = log(1e-10)
_HIGHEST: Final = log(1e10)
_ROUNDS: Final = 200


class Evidence:
    """The marginal likelihood as a function of the prior's precision and of the noise.

    Parameters
    ----------
    curvature
        Eigenvalues of the curvature, none negative; of a regression those for a noise of one.
    norm
        Sum of the squares of the weights.
    copies
        How often each eigenvalue counts: outputs that have the same one.
    residuals
        Of a regression, what the trained weights leave; None for classes.

    Notes
    -----
    The weights stay those that training found; they need not be the best ones for the prior.
    """

    def __init__(
        self, curvature: Tensor, norm: float, *, copies: int = 1, residuals: Tensor | None = None
    ) -> None:
        self._curvature = curvature.double().flatten()
        # Diagonal curvature comes with one entry for each weight of each output.
        self._copies = copies if curvature.dim() == 1 else 1
        self._norm = norm
        self._rows = 0 if residuals is None else residuals.numel()
        self._squares = 0.0 if residuals is None else float(residuals.square().sum())

    def log_likelihood(self, precision: float, noise: float = 1.0) -> float:
        """Return its logarithm, up to the training loss itself for classes."""
        values = self._curvature / noise + precision
        fit = self._rows * log(2 * pi * noise) + self._squares / noise if self._rows else 0.0
        prior = self._copies * len(values) * log(precision) - precision * self._norm
        return 0.5 * (prior - self._copies * float(values.log().sum()) - fit)

    def best_precision(self, noise: float = 1.0) -> float:
        """Return the δ with the largest marginal likelihood, between 1e−10 and 1e10.

        It is where δ |θ|² is the number of weights that the data determine, γ = Σ λ/(λ + δ); the
        left side grows with δ and the right side falls, so there is one such place.
        """
        low, high = _LOWEST, _HIGHEST
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            if exp(middle) * self._norm < self._determined(exp(middle), noise):
                low = middle
            else:
                high = middle
        return exp((low + high) / 2)

    def best(self, precision: float | None, noise: float | None) -> tuple[float, float]:
        """Return precision and noise, those that are not given by marginal likelihood.

        For the best noise, s² = R / (N − γ): the weights that the data determine cost each one
        number. The two are found in turns.
        """
        floor = max(self._squares / max(self._rows, 1), 1e-300) * 1e-6
        at = noise if noise is not None else max(self._squares / max(self._rows, 1), 1e-12)
        found = precision if precision is not None else self.best_precision(at)
        for _ in range(_ROUNDS):
            before = found, at
            if noise is None:
                left = self._rows - self._determined(found, at)
                at = max(self._squares / max(left, 1e-6 * self._rows), floor, 1e-12)
            if precision is None:
                found = self.best_precision(at)
            if abs(log(found / before[0])) + abs(log(at / before[1])) < 1e-12:
                break
        return found, at

    def _determined(self, precision: float, noise: float) -> float:
        scaled = self._curvature / noise
        return self._copies * float((scaled / (scaled + precision)).sum())
