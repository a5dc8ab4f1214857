"""LIME and kernel SHAP: a linear model of which parts, switched on, raise the score.

lime         Lasso, near the sample                     Ribeiro et al. 2016
kernel_shap  least squares with Shapley's weights       Lundberg & Lee 2017

Both are captum's, with its surrogates and similarities. Other than captum's by default are the
features (`nnwidgets.explain.methods_features`; captum takes each number for one) and how many
samples are drawn: ten for each feature, from 100 to 1,000 (captum: 25, fewer than the weights that
are to be found). The surrogates come from scikit-learn; where that is missing, plain weighted least
squares takes their place, and a warning says so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from nnwidgets.explain.methods_features import mean_over_vectors, own_count
from nnwidgets.explain.methods_gradient import whole_number
from nnwidgets.explain.methods_perturbation import masks_of, perturbed_at_once
from nnwidgets.explain.methods_random import generator
from nnwidgets.explain.registry import Method, Result, Run, Warned, register
from nnwidgets.explain.surrogate import Surrogate, over_seeds

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["SEGMENTS", "LeastSquares", "sample_count"]

SEGMENTS: Final = 8
_SAMPLES_A_FEATURE: Final = 10
_FEWEST: Final = 100
_MOST: Final = 1000


def sample_count(options: Mapping[str, Any], features: int) -> int:
    """Return captum's ``n_samples``: the one given, or ten for each feature within bounds."""
    usual = max(_FEWEST, min(_MOST, _SAMPLES_A_FEATURE * features))
    return whole_number(options, "n_samples", usual)


class LeastSquares:
    """Weighted linear regression with an intercept, in the form of captum's surrogates."""

    def __init__(self) -> None:
        self._weights = torch.zeros(0)
        self._intercept = 0.0

    def fit(self, train_data: Any, **options: Any) -> None:
        """Fit batches of (inputs, truth, weights); the smallest solution where there are many."""
        x, y, w = (torch.cat(part).double() for part in zip(*train_data, strict=True))
        root = w.reshape(-1, 1).sqrt()
        design = torch.cat([x, torch.ones_like(root)], 1)
        solved = torch.linalg.pinv(design * root) @ (y.reshape(-1, 1) * root)
        self._weights, self._intercept = solved[:-1, 0].float(), float(solved[-1, 0])

    def representation(self) -> Tensor:
        """Return the weights, (1, features)."""
        return self._weights.view(1, -1)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the predictions, (n, 1)."""
        return (inputs.float() @ self._weights + self._intercept).view(-1, 1)


class _Remembered:
    """What captum fits: remembers the samples, and has no weights for what is not a number."""

    def __init__(self, model: Any) -> None:
        self.surrogate = Surrogate(model)
        self.truth = torch.zeros(0)
        self._empty: Tensor | None = None

    def fit(self, train_data: Any, **options: Any) -> None:
        inputs, self.truth, weights = train_data.dataset.tensors
        # A loader would draw from torch's generator; what it holds is at hand.
        rows = [(inputs.cpu(), self.truth.cpu(), weights.cpu())]
        if bool(torch.isfinite(self.truth).all() and torch.isfinite(weights).all()):
            self.surrogate.fit(rows)
        else:
            self._empty = torch.full((1, inputs.shape[1]), torch.nan)

    def representation(self) -> Tensor:
        if self._empty is not None:
            return self._empty
        weights: Tensor = self.surrogate.representation()
        return weights

    def __call__(self, inputs: Tensor) -> Any:
        return self.surrogate(inputs)


def _lime(run: Run) -> Result:
    return _explained(run, _lime_object)


def _kernel_shap(run: Run) -> Result:
    return _explained(run, _kernel_shap_object)


def _explained(run: Run, build: Any) -> Result:
    asked = run.asked
    masks = _from_zero(masks_of(asked, run.options, SEGMENTS))
    features = max(int(mask.max()) for mask in masks if mask.numel()) + 1
    samples = sample_count(run.options, features)
    seeds = whole_number(run.options, "seeds", 1)
    if features == 1 and build is _kernel_shap_object:
        return _single_feature(run)
    at_once = perturbed_at_once(run, samples)
    run.expect(samples * seeds)
    fits: list[_Remembered] = []

    def weights(seed: int) -> tuple[Tensor, ...]:
        method, fit = build(run, seed)
        fits.append(fit)
        with torch.no_grad():  # captum's own loop would keep every graph
            found = method.attribute(
                asked.inputs,
                baselines=run.baselines,
                feature_mask=masks,
                additional_forward_args=asked.others or None,
                n_samples=samples,
                perturbations_per_eval=at_once,
                return_input_shape=False,
            )
        flat = found.detach().flatten()
        return tuple(flat.to(mask.device)[mask] for mask in masks)

    spread = over_seeds(weights, range(run.seed, run.seed + seeds))
    details: dict[str, Any] = {
        "r2": fits[0].surrogate.r2,
        "features": features,
        "samples": samples,
        "seeds": seeds,
    }
    if seeds > 1:
        details["spread"] = asked.shaped(mean_over_vectors(asked, spread.std))
    warned: tuple[Warned, ...] = ()
    if run.options.get("interpretable_model") is None:
        if not _has_sklearn():
            warned = (("explain.surrogate.no_sklearn", {}),)
        elif build is _lime_object and _all_zero(spread.first) and _varies(fits[0].truth):
            warned = (("explain.surrogate.penalty", {}),)
    delta = _delta(fits[0], spread.first, masks) if build is _kernel_shap_object else None
    return Result(mean_over_vectors(asked, spread.first), delta, warned, details)


def _single_feature(run: Run) -> Result:
    """Give the only player all there is; captum has no distribution for one."""
    asked = run.asked
    with torch.no_grad():
        score = asked.model(*asked.inputs, *asked.others)
        effect = score - asked.model(*run.baselines, *asked.others)
    values = tuple(torch.ones_like(value) * effect.to(value) for value in asked.inputs)
    details = {"r2": None, "features": 1, "samples": 2, "seeds": 1}
    return Result(mean_over_vectors(asked, values), 0.0, (), details)


def _lime_object(run: Run, seed: int) -> tuple[Any, _Remembered]:
    from captum.attr import Lime

    fit = _Remembered(_surrogate(run, lasso=True))
    drawn = generator(seed)

    def perturbed(original: Any, **more: Any) -> Tensor:
        odds = torch.full((1, more["num_interp_features"]), 0.5)
        first = original if isinstance(original, Tensor) else original[0]
        return torch.bernoulli(odds, generator=drawn).to(first.device).long()

    similarity = run.options.get("similarity_func")
    return Lime(run.asked.model, fit, similarity, perturbed), fit


def _kernel_shap_object(run: Run, seed: int) -> tuple[Any, _Remembered]:
    from captum.attr import KernelShap

    fit = _Remembered(_surrogate(run, lasso=False))
    drawn = generator(seed)
    method: Any = KernelShap(run.asked.model)
    method.interpretable_model = fit

    def perturbed(original: Any, **more: Any) -> Iterator[Tensor]:
        first = original if isinstance(original, Tensor) else original[0]
        count, device = more["num_interp_features"], first.device
        yield torch.ones(1, count, device=device, dtype=torch.long)
        yield torch.zeros(1, count, device=device, dtype=torch.long)
        odds = more["num_select_distribution"].probs
        while True:
            on = int(torch.multinomial(odds, 1, True, generator=drawn))
            places = torch.randn(1, count, generator=drawn)
            threshold = torch.kthvalue(places, count - on).values.item()
            yield (places > threshold).to(device=device).long()

    method.perturb_func = perturbed
    return method, fit


def _surrogate(run: Run, *, lasso: bool) -> Any:
    given = run.options.get("interpretable_model")
    if given is not None:
        return given
    if not _has_sklearn():
        return LeastSquares()
    from captum._utils.models.linear_model import SkLearnLasso, SkLearnLinearRegression

    # scikit-learn's Lasso draws a number from numpy's generator even where it needs none.
    return SkLearnLasso(alpha=0.01, random_state=run.seed) if lasso else SkLearnLinearRegression()


def _has_sklearn() -> bool:
    return importlib.util.find_spec("sklearn") is not None


def _all_zero(values: tuple[Tensor, ...]) -> bool:
    return not any(bool(value.any()) for value in values)


def _varies(truth: Tensor) -> bool:
    return bool(truth.numel() and truth.max() > truth.min())


def _from_zero(masks: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    lowest = min((int(mask.min()) for mask in masks if mask.numel()), default=0)
    return tuple(mask - lowest for mask in masks)


def _delta(fit: _Remembered, values: tuple[Tensor, ...], masks: tuple[Tensor, ...]) -> float | None:
    """Return Σ weights − (score − baseline's score): those two are the first samples drawn."""
    if len(fit.truth) < 2:
        return None
    weights: dict[int, float] = {}
    for value, mask in zip(values, masks, strict=True):
        names, first = _first_of_each(mask)
        weights.update(zip(names, value.flatten()[first].double().tolist(), strict=True))
    return sum(weights.values()) - float(fit.truth[0].double() - fit.truth[1].double())


def _first_of_each(mask: Tensor) -> tuple[list[int], Tensor]:
    names, where = torch.unique(mask.flatten(), return_inverse=True)
    places = torch.arange(where.numel(), device=where.device)
    first = torch.full((len(names),), where.numel(), device=where.device)
    first.scatter_reduce_(0, where, places, "amin")
    return names.tolist(), first


def _cost(asked: Asked, options: Mapping[str, Any]) -> int:
    if options.get("feature_mask") is None:
        features = own_count(asked, segments=SEGMENTS)
    else:
        features = int(max(mask.max() for mask in masks_of(asked, options, SEGMENTS))) + 1
    return sample_count(options, features) * int(options.get("seeds") or 1)


_SHARED = frozenset(
    {"n_samples", "feature_mask", "perturbations_per_eval", "interpretable_model", "seeds"}
)
register(
    Method(
        "lime",
        _lime,
        uses_baseline=True,
        random=True,
        options=_SHARED | {"similarity_func"},
        cost=_cost,
    )
)
register(
    Method(
        "kernel_shap",
        _kernel_shap,
        uses_baseline=True,
        random=True,
        options=_SHARED,
        promises_completeness=True,
        cost=_cost,
    )
)
