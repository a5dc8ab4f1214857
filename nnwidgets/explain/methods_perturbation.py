"""Methods that switch parts of the input off, or swap them, and watch the score.

occlusion            a window slides over the input                      Zeiler & Fergus 2013
feature_ablation     each feature is put to its baseline, one after another
feature_permutation  each feature is swapped among the samples               Breiman 2001

All are captum's. What is switched off together, where nobody says otherwise, is told in
`nnwidgets.explain.methods_features`; how many variants run at once follows from measured memory
(captum: one at a time). Occlusion's window has no default in captum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from nnwidgets.explain.batching import rows_at_once
from nnwidgets.explain.methods_features import (
    feature_count,
    feature_masks,
    given_masks,
    mean_over_vectors,
    own_count,
    windows,
)
from nnwidgets.explain.methods_gradient import whole_number
from nnwidgets.explain.methods_random import generator
from nnwidgets.explain.registry import Method, Result, Run, register
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["ABLATION_SEGMENTS", "masks_of", "perturbed_at_once"]

ABLATION_SEGMENTS: Final = 16
_MOST_SAMPLES: Final = 256  # that features are permuted among
_MOST_AT_ONCE: Final = 64


def masks_of(asked: Asked, options: Mapping[str, Any], segments: int) -> tuple[Tensor, ...]:
    """Return the given ``feature_mask`` in the inputs' shape, or ours."""
    given = options.get("feature_mask")
    if given is None:
        return feature_masks(asked, segments=segments)
    return given_masks(asked, given)


def perturbed_at_once(run: Run, count: int) -> int:
    """Return captum's ``perturbations_per_eval``: the one given, or as many as fit."""
    if run.options.get("perturbations_per_eval") is not None:
        return whole_number(run.options, "perturbations_per_eval", 1)
    # captum holds for each variant a copy, an integer mask and a few products of the two.
    beside = 32 * sum(value.numel() for value in run.asked.inputs)
    return rows_at_once(run.asked, count, gradient=False, beside=beside, most=_MOST_AT_ONCE)


def _occlusion(run: Run) -> Result:
    from captum.attr import Occlusion

    options = run.options
    shapes, strides, count = windows(
        run.asked, options.get("sliding_window_shapes"), options.get("strides")
    )
    at_once = perturbed_at_once(run, count)
    run.expect(count + 1)
    values = Occlusion(run.asked.model).attribute(
        run.asked.inputs,
        sliding_window_shapes=shapes,
        strides=strides,
        baselines=run.baselines,
        additional_forward_args=run.asked.others or None,
        perturbations_per_eval=at_once,
    )
    return Result(mean_over_vectors(run.asked, values), details={"windows": count})


def _feature_ablation(run: Run) -> Result:
    from captum.attr import FeatureAblation

    masks = masks_of(run.asked, run.options, ABLATION_SEGMENTS)
    count = feature_count(masks)
    at_once = perturbed_at_once(run, count)
    run.expect(count + 1)
    values = FeatureAblation(run.asked.model).attribute(
        run.asked.inputs,
        baselines=run.baselines,
        feature_mask=masks,
        additional_forward_args=run.asked.others or None,
        perturbations_per_eval=at_once,
    )
    return Result(mean_over_vectors(run.asked, values), details={"features": count})


def _feature_permutation(run: Run) -> Result:
    from captum.attr import FeaturePermutation

    question, asked = run.question, run.asked
    if question is None or question.count < 2:
        raise Refusal("explain.permutation.one")
    most = rows_at_once(asked, min(question.count, _MOST_SAMPLES), gradient=False)
    others = [n for n in range(question.count) if n != asked.index]
    picked = [asked.index, *others[: max(most, 2) - 1]]
    rows = question.inputs_of(picked)
    along = question.others_of(picked)
    masks = masks_of(asked, run.options, ABLATION_SEGMENTS)
    count = feature_count(masks)
    at_once = 1
    if run.options.get("perturbations_per_eval") is not None:
        at_once = whole_number(run.options, "perturbations_per_eval", 1)
    drawn = generator(run.seed)

    def permuted(values: Tensor, mask: Tensor) -> Tensor:
        # As captum does it by default: never left in order.
        order = torch.randperm(len(values), generator=drawn)
        while bool((order == torch.arange(len(values))).all()):
            order = torch.randperm(len(values), generator=drawn)
        return torch.where(mask, values[order.to(values.device)], values)

    run.expect((count + 1) * len(picked))
    values = FeaturePermutation(asked.model, perm_func=permuted).attribute(
        rows,
        feature_mask=masks,
        additional_forward_args=along or None,
        perturbations_per_eval=at_once,
    )
    mine = tuple(value[:1] for value in values)
    details = {"features": count, "samples": len(picked)}
    return Result(mean_over_vectors(asked, mine), details=details)


def _occlusion_cost(asked: Asked, options: Mapping[str, Any]) -> int:
    return windows(asked, options.get("sliding_window_shapes"), options.get("strides"))[2] + 1


def _feature_cost(asked: Asked, options: Mapping[str, Any]) -> int:
    if options.get("feature_mask") is None:
        return own_count(asked, segments=ABLATION_SEGMENTS) + 1
    return feature_count(masks_of(asked, options, ABLATION_SEGMENTS)) + 1


register(
    Method(
        "occlusion",
        _occlusion,
        uses_baseline=True,
        options=frozenset({"sliding_window_shapes", "strides", "perturbations_per_eval"}),
        cost=_occlusion_cost,
    )
)
register(
    Method(
        "feature_ablation",
        _feature_ablation,
        uses_baseline=True,
        options=frozenset({"feature_mask", "perturbations_per_eval"}),
        cost=_feature_cost,
    )
)
register(
    Method(
        "feature_permutation",
        _feature_permutation,
        random=True,
        options=frozenset({"feature_mask", "perturbations_per_eval"}),
        # Every feature is swapped in a batch; how large it is only the question knows.
        cost=lambda asked, options: 16 * _feature_cost(asked, options),
    )
)
