"""A badge on a row of the tree, and the one for numbers that are not finite."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from nnwidgets.catalogue import text
from nnwidgets.probe.activity_sample import ActivitySample
from nnwidgets.probe.origin import NonFiniteOrigin
from nnwidgets.probe.sentences import whole

__all__ = ["KINDS", "Badge", "first_not_finite", "of_origin"]

KINDS: Final = ("nan", "exploding", "vanishing", "dead", "saturated", "constant")
"""Every kind of badge, the most urgent first."""

_NOT_FINITE: Final = {"weights": "probe.badge.nan_weights", "gradient": "probe.badge.nan_gradient"}


@dataclass(frozen=True, slots=True)
class Badge:
    """One thing that is wrong with one layer.

    Attributes
    ----------
    row
        Which row of the newest sample.
    layer
        Its name.
    kind
        One of `KINDS`.
    severity
        ``"error"``, ``"warning"`` or ``"info"``.
    value
        The number it rests on: share of dead units or saturated outputs; how many numbers are not
        finite; gradient norm as a multiple of that near the loss (vanishing, exploding with depth)
        or of the layer's own usual one (exploding suddenly), or ‖Δw‖ / ‖w‖ (exploding updates); how
        many samples have the same output (constant).
    step
        Since when; the first bad step of ``"nan"``.
    key, params
        The sentence of the catalogue that says it.
    """

    row: int
    layer: str
    kind: str
    severity: str
    value: float
    step: int | None
    key: str
    params: dict[str, str] = field(default_factory=dict, compare=False)

    def text(self, language: str = "en") -> str:
        """Return the badge as a sentence."""
        return text(self.key, language, **self.params)


def first_not_finite(sample: ActivitySample) -> Badge | None:
    """Return a badge for the first layer, in order of execution, that is not finite.

    Parameters
    ----------
    sample
        What a step showed.

    Returns
    -------
    Badge or None
        Of severity ``"info"`` where infinities seem to be meant: no NaN follows from them, and the
        gradients are finite (the scores that a mask switches off). None if all is finite.
    """
    nan, inf = sample.activation.nan, sample.activation.inf
    bad = np.flatnonzero((nan > 0) | (inf > 0)).tolist()
    origin = sample.layers.nonfinite[0] if sample.layers.nonfinite else None
    if bad:
        row = min(bad, key=lambda i: sample.order[i])
        what = "NaN" if nan[row] else "∞"
        count = float(nan[row] + inf[row])
        size = count + float(sample.activation.size[row])
        harmless = not nan.any() and _gradients_are_finite(sample)
        named = origin is not None and origin.layer == sample.rows[row].name
        if origin is not None and named and origin.where == "weights":
            return of_origin(row, origin)
        key = "probe.badge.inf_harmless" if harmless else "probe.badge.nan"
        params = {
            "what": what, "count": whole(count), "size": whole(size), "step": whole(sample.step),
        }  # fmt: skip
        severity = "info" if harmless else "error"
        return Badge(row, sample.rows[row].name, "nan", severity, count, sample.step, key, params)
    if origin is None or origin.layer is None:
        return None
    row_of = sample.row(origin.layer)
    return None if row_of is None else of_origin(row_of, origin)


def _gradients_are_finite(sample: ActivitySample) -> bool:
    """Whether gradients were seen and are finite: the infinities were meant (a mask)."""
    norms = sample.layers.grad_norm[~np.isnan(sample.layers.grad_norm)]
    broken = (sample.gradient.nan > 0) | (sample.gradient.inf > 0)
    return bool(norms.size) and bool(np.isfinite(norms).all()) and not broken.any()


def of_origin(row: int, origin: NonFiniteOrigin) -> Badge:
    """Return the badge of the layer where NaN or an infinity is known to have begun."""
    params = {
        "what": "NaN" if origin.what == "nan" else "∞",
        "count": whole(origin.count),
        "size": whole(origin.size),
        "step": whole(origin.step),
    }
    key = _NOT_FINITE.get(origin.where, "probe.badge.nan")
    if not origin.size:
        key = "probe.badge.nan_uncounted"
    count = float(origin.count)
    return Badge(row, origin.layer or "", "nan", "error", count, origin.step, key, params)
