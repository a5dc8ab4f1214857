"""How far the last layer's weights could be off: a Laplace approximation around the trained ones.

Daxberger et al. 2021, "Laplace Redux": the posterior is taken as normal around the weights θ that
training found, with the precision H + δ I. H is the Gauss–Newton matrix of the training loss,
Σᵢ Jᵢᵀ Λᵢ Jᵢ, which for a linear layer needs its inputs alone; δ is the prior's precision. For a
linear model with normal noise nothing is approximated. Of the layers before, nothing is doubted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import log, pi
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from nnwidgets.explain.committee import evaluating, holding
from nnwidgets.explain.evidence import Evidence
from nnwidgets.explain.last_layer import LastLayer, Scores
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number

__all__ = ["FORMS", "LaplaceCommittee"]

FORMS: Final = ("auto", "full", "diagonal")
_LARGEST: Final = 1200  # weights whose full matrix is taken apart in about a second


class LaplaceCommittee:
    """Networks with other last layers that explain the training data about as well.

    Parameters
    ----------
    model
        A private copy of the model.
    layer
        Its last linear layer (`nnwidgets.explain.last_layer.find_last_layer`).
    train
        Runs a module on the training points.
    targets
        (n,) or (n, outputs): of a regression whose noise is not given. Classes need none.
    form
        ``"full"``: all of H; ``"diagonal"``: its diagonal, so weights are taken as independent;
        ``"auto"``: full while there are at most 1200 weights.
    prior_precision
        δ, above zero; None: the one with the largest marginal likelihood (MacKay 1992).
    noise
        Variance of a regression's noise; None: also by marginal likelihood.
    count, seed
        How many members are drawn, by a generator of its own.

    Attributes
    ----------
    form
        ``"full"`` or ``"diagonal"``.
    prior_precision
        δ.
    noise
        Variance of the noise; None for classes.

    Raises
    ------
    Refusal
        If the layer is given nothing finite, or a regression has neither targets nor noise.
    ValueError
        If an argument is none of what is said above.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: LastLayer,
        train: Scores,
        *,
        targets: ArrayLike | None = None,
        form: str = "auto",
        prior_precision: float | None = None,
        noise: float | None = None,
        count: int = 30,
        seed: int = 0,
    ) -> None:
        _check(form, prior_precision, noise, count)
        if not layer.classes and targets is None and noise is None:
            raise Refusal("explain.uncertainty.no_targets")
        self._model, self.layer = model, layer
        self._count, self._seed = count, seed
        rows = layer.features(model, train)
        fine = rows.isfinite().all(1)
        if not bool(fine.any()):
            raise Refusal("explain.uncertainty.not_finite")
        self._theta = layer.weights
        outputs = len(self._theta)
        # Outputs that only their own weights reach have blocks of their own, all the same one.
        self._joint = layer.classes and outputs > 1
        many = self._theta.numel() if self._joint else self._theta.shape[1]
        self.form = form if form != "auto" else ("full" if many <= _LARGEST else "diagonal")
        curvature, self._vectors = self._curvature(rows[fine])
        residuals = None
        if not layer.classes and targets is not None:
            residuals = _residuals(rows, self._theta, targets)[fine]
        copies = 1 if layer.classes else outputs
        evidence = Evidence(
            curvature, float(self._theta.square().sum()), copies=copies, residuals=residuals
        )
        self.noise: float | None = None
        if layer.classes:
            self.prior_precision = prior_precision or evidence.best_precision()
        else:
            self.prior_precision, self.noise = evidence.best(prior_precision, noise)
        self._variances = 1 / (curvature / (self.noise or 1.0) + self.prior_precision)

    @property
    def count(self) -> int:
        """How many members there are."""
        return self._count

    @property
    def notes(self) -> tuple[Words, ...]:
        """Which layer it is about, and how it was made."""
        words = {
            "layer": self.layer.name or type(self.layer.module).__name__,
            "prior": number(self.prior_precision),
        }
        if self.form == "full":
            return (("explain.uncertainty.laplace_full", words),)
        return (("explain.uncertainty.laplace_diagonal", words),)

    @contextmanager
    def member(self, index: int) -> Iterator[nn.Module]:
        """Give the network with a last layer that was drawn."""
        drawn = self.draw(index)
        module = self.layer.module
        width = module.weight.shape[1]
        values: list[tuple[Tensor, Tensor]] = [(module.weight, drawn[:, :width])]
        if module.bias is not None:
            values.append((module.bias, drawn[:, width]))
        with ExitStack() as stack:
            stack.enter_context(evaluating(self._model))
            stack.enter_context(holding(values))
            yield self._model

    def draw(self, index: int) -> Tensor:
        """Return the weights of one member, (outputs, features + 1), float64: the bias last."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + index)
        z = torch.randn(self._theta.shape, generator=generator, dtype=torch.float64)
        if self._vectors is None:
            return self._theta + z * self._variances.sqrt()
        if self._joint:
            away = self._vectors @ (self._variances.sqrt() * z.flatten())
            return self._theta + away.reshape(self._theta.shape)
        return self._theta + (z * self._variances.sqrt()) @ self._vectors.T

    def covariance(self, points: Scores) -> Tensor:
        """Return how the layer's outputs vary under the posterior.

        Parameters
        ----------
        points
            Runs a module on the points.

        Returns
        -------
        Tensor
            (n, outputs, outputs), float64. For a regression its diagonal is the epistemic
            variance; `noise` is the aleatoric one.
        """
        return self._covariance(self.layer.features(self._model, points))

    def probabilities(self, points: Scores) -> NDArray[np.float64]:
        """Return the predictive probabilities, without drawing.

        Parameters
        ----------
        points
            Runs a module on the points.

        Returns
        -------
        ndarray
            (n, classes), of one logit two: z ÷ √(1 + π/8 Var z) goes through the sigmoid
            (MacKay 1992). Of several classes each difference of two scores is tempered so,
            pₖ ∝ 1 / Σⱼ exp(−(zₖ − zⱼ) ÷ √(1 + π/8 Var(zₖ − zⱼ))), as in Lu et al. 2020,
            "Mean-field approximation to Gaussian-softmax integral". With the variance of each
            score alone, what shifts all of them together would count, though it changes nothing.

        Raises
        ------
        ValueError
            If the model gives no classes.
        """
        if not self.layer.classes:
            raise ValueError("this model predicts values, which have no probabilities")
        rows = self.layer.features(self._model, points)
        covariance, z = self._covariance(rows), rows @ self._theta.T
        variance = covariance.diagonal(dim1=1, dim2=2)
        if z.shape[1] == 1:
            one = torch.sigmoid(z / (1 + pi / 8 * variance).sqrt())
            return np.asarray(torch.cat([1 - one, one], 1).numpy(), np.float64)
        between = variance[:, :, None] + variance[:, None, :] - 2 * covariance
        tempered = (z[:, None, :] - z[:, :, None]) / (1 + pi / 8 * between.clamp_min(0)).sqrt()
        return np.asarray((-tempered.logsumexp(2)).softmax(1).numpy(), np.float64)

    def _curvature(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the eigenvalues and eigenvectors of H; of a regression for a noise of one.

        Of a diagonal H its entries, with the shape of the weights, and no vectors.
        """
        if not self.layer.classes:
            if self.form == "diagonal":
                return rows.square().sum(0).expand_as(self._theta), None
            return _eigen(rows.T @ rows)
        z = rows @ self._theta.T
        p = z.softmax(1) if self._joint else z.sigmoid()
        if self.form == "diagonal":
            return (p * (1 - p)).T @ rows.square(), None
        outputs, width = self._theta.shape
        whole = rows.new_empty(outputs, width, outputs, width)
        for one in range(outputs):
            for other in range(one + 1):
                weight = p[:, one] * (float(one == other) - p[:, other])
                if not self._joint:
                    weight = p[:, 0] * (1 - p[:, 0])
                block = rows.T @ (weight[:, None] * rows)
                whole[one, :, other], whole[other, :, one] = block, block
        return _eigen(whole.reshape(outputs * width, -1))

    def _covariance(self, rows: Tensor) -> Tensor:
        outputs, width = self._theta.shape
        if self._vectors is None:
            return torch.diag_embed(rows.square() @ self._variances.T)
        if not self._joint:
            alone = (rows @ self._vectors).square() @ self._variances
            return torch.diag_embed(alone[:, None].expand(-1, outputs))
        inverse = (self._vectors * self._variances) @ self._vectors.T
        blocks = inverse.reshape(outputs, width, outputs, width)
        found = rows.new_empty(len(rows), outputs, outputs)
        for one in range(outputs):
            for other in range(one + 1):
                value = ((rows @ blocks[one, :, other]) * rows).sum(1)
                found[:, one, other] = found[:, other, one] = value
        return found


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(matrix)
    return values.clamp_min(0), vectors  # H has no negative ones: those are rounding


def _residuals(rows: Tensor, theta: Tensor, targets: ArrayLike) -> Tensor:
    right = torch.as_tensor(np.asarray(targets, np.float64))
    right = right[:, None] if right.dim() == 1 else right
    if right.shape != (len(rows), len(theta)):
        raise ValueError(
            f"targets of the shape ({len(rows)}, {len(theta)}) are needed, one row a training "
            f"point, not {tuple(right.shape)}"
        )
    return right - rows @ theta.T


def _check(form: str, prior: float | None, noise: float | None, count: int) -> None:
    if form not in FORMS:
        raise ValueError(f"form is one of {', '.join(FORMS)}, not {form!r}")
    for name, value in (("prior_precision", prior), ("noise", noise)):
        if value is not None and not (value > 0 and abs(log(value)) < 700):
            raise ValueError(f"{name} is a number above zero, or None, not {value!r}")
    if count < 2:
        raise ValueError(f"a committee has two members at least, not {count!r}")
