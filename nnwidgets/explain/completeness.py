"""The sum of the values against what they were to add up to.

Some methods promise it: the sum of the attributions is the score less the score of the baseline
(Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks", axiom of completeness;
for Shapley values the axiom of efficiency, Lundberg & Lee 2017). Relevance propagation shares out
the score itself (Bach et al. 2015).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMPLETE", "SCORE_ONLY", "difference", "gap", "promises"]

COMPLETE: Final = frozenset(
    {"integrated_gradients", "deep_lift", "gradient_shap", "kernel_shap", "lrp"}
)
"""Methods that promise it, for values of the input."""

SCORE_ONLY: Final = frozenset({"lrp"})
"""Methods whose values add up to the score itself, whatever the baseline."""

_NOTHING: Final = 1e-6
"""A difference below this share of the scores is rounding of float32 (eps 1.2e-7 at some tens of
operations), not something to divide by."""


def promises(method: str, options: Mapping[str, Any]) -> bool:
    """Whether a method promises that its values add up.

    With ``multiply_by_inputs=False`` they are slopes and add up to nothing.
    """
    return method in COMPLETE and bool(options.get("multiply_by_inputs", True))


def difference(method: str, score: float, baseline_score: float) -> float | None:
    """Return what the values have to add up to; None if that is as good as nothing."""
    whole = score if method in SCORE_ONLY else score - baseline_score
    size = max(abs(score), 0.0 if method in SCORE_ONLY else abs(baseline_score))
    if not math.isfinite(whole) or abs(whole) <= _NOTHING * max(size, 1e-30):
        return None
    return whole


def gap(arrays: Sequence[NDArray[np.floating]], whole: float) -> float:
    """Return |sum of the values − whole| ÷ |whole|.

    Parameters
    ----------
    arrays
        The values for every attributed input.
    whole
        The score difference, not zero.
    """
    total = math.fsum(float(np.sum(array, dtype=np.float64)) for array in arrays)
    return abs(total - whole) / abs(whole)
