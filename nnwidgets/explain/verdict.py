"""What the tried checks say about a map, in words with the numbers beside them.

A check can speak against a map; none can show that a map tells how the model works. The words are
chosen so: the best that is said is that nothing tried speaks against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import best_language, text
from nnwidgets.explain.curves import chance
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.sentences import number

__all__ = [
    "KINDS",
    "LEVELS",
    "Check",
    "TrustReport",
    "baseline_check",
    "completeness_check",
    "curve_check",
    "randomisation_check",
    "seeds_check",
    "stability_check",
    "unknown",
    "verdict",
]

KINDS: Final = (
    "randomisation", "completeness", "deletion", "insertion", "stability", "seeds", "baseline",
)  # fmt: skip
"""Every kind of check, in the order in which they are told."""

LEVELS: Final = ("bad", "warn", "good", "unknown")
"""From "speaks against the map" to "could not be tried", or says nothing here."""

_JOINED: Final = {"en": (", ", " "), "zh": ("、", "")}  # names in a list, sentences in a row

_REACTED: Final = 0.3
_UNMOVED: Final = 0.5
_OUTLINE: Final = 0.7
_SUMS: Final = 0.05
_ROUGHLY_SUMS: Final = 0.2
_BY_CHANCE: Final = 0.1
_STEADY: Final = 0.8
_UNSTEADY: Final = 0.5


@dataclass(frozen=True)
class Check:
    """One thing that was tried.

    Attributes
    ----------
    kind
        One of `KINDS`.
    level
        ``"good"`` (does not speak against the map), ``"warn"``, ``"bad"`` or ``"unknown"``.
    words
        The sentence, as a key of the catalogue and what stands in its gaps.
    value
        The number that was judged; None if there is none.
    """

    kind: str
    level: str
    words: Words
    value: float | None = None

    def text(self, language: str = "en") -> str:
        """Return the sentence."""
        key, params = self.words
        return text(key, language, **params)


@dataclass(frozen=True, eq=False)
class TrustReport:
    """How far a map can be believed: numbers, and words beside them.

    Attributes
    ----------
    randomisation
        Similarity (absolute rank correlation, 0 to 1) of the map with that of the model with all
        weights made random. High is bad.
    completeness
        |sum of the values − score difference| ÷ |score difference|. None where the method does not
        promise that they add up.
    deletion, insertion
        Area under the target's probability (regression: the value) over the fraction of elements
        replaced by the baseline, or brought back. To be held against the areas of random maps, in
        `details`.
    stability
        Mean rank correlation with the maps under small noise; of methods that draw random numbers
        the smaller of that and the one with other seeds.
    verdict
        What was tried and what follows from it, in `language`.
    checks
        One for each thing tried, in the order of `KINDS`.
    details
        ``cascade``: (layer, similarity) from the output backwards; ``sizes``: similarity of the
        absolute values when all is random; ``chance``: similarity that random maps as smooth
        exceed 5 times in 100; ``curves``: `nnwidgets.explain.curves.Curves`;
        ``random_deletion``, ``random_insertion``: mean and standard deviation of the random maps'
        areas; ``baselines``: similarity by name; ``score``, ``baseline_score``. Missing where it
        was not tried.
    method, index, target, layer
        What was judged.
    evaluations
        Times the model was run.
    language
        Of the verdict.

    Notes
    -----
    None stands for what could not be tried or says nothing; the check says why.
    """

    randomisation: float | None
    completeness: float | None
    deletion: float | None
    insertion: float | None
    stability: float | None
    verdict: str
    checks: tuple[Check, ...] = ()
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    method: str = ""
    index: int = 0
    target: Any = None
    layer: str | None = None
    evaluations: int = 0
    language: str = "en"

    def __repr__(self) -> str:
        """Return the numbers and the verdict, without the curves."""
        names = ("randomisation", "completeness", "deletion", "insertion", "stability")
        numbers = (f"{name}={_short(getattr(self, name))}" for name in names)
        return f"TrustReport({', '.join(numbers)}, verdict={self.verdict!r})"

    @property
    def level(self) -> str:
        """The worst level of all checks; ``"unknown"`` if none could be tried."""
        return _worst(self.checks)

    def in_language(self, language: str) -> TrustReport:
        """Return the report with its verdict in another language."""
        return replace(self, verdict=verdict(self.checks, language), language=language)


def _short(value: float | None) -> str:
    return "None" if value is None else f"{value:.3g}"


def verdict(checks: Sequence[Check], language: str = "en") -> str:
    """Say what was tried, what follows from it, and what was not tried.

    Parameters
    ----------
    checks
        At least one.
    language
        Of the sentences.
    """
    tried = [check for check in checks if check.level != "unknown"]
    missing = [check for check in checks if check.level == "unknown"]
    parts = []
    if tried:
        parts.append(text("explain.trust.verdict.tried", language, names=_names(tried, language)))
        parts += [
            text(f"explain.trust.follows.{check.kind}", language)
            for level in ("bad", "warn")
            for check in tried
            if check.level == level
        ]
    if missing:
        names = _names(missing, language)
        parts.append(text("explain.trust.verdict.not_tried", language, names=names))
    parts.append(text(f"explain.trust.verdict.{_worst(checks)}", language))
    return _JOINED[best_language(language)][1].join(dict.fromkeys(parts))


def unknown(kind: str, key: str, **params: str) -> Check:
    """Return a check that could not be tried, or says nothing, with the reason."""
    return Check(kind, "unknown", (key, params))


def randomisation_check(value: float, chance: float, sizes: float | None, count: int) -> Check:
    """Judge how much of a map is left when nothing learned is left.

    Parameters
    ----------
    value
        Absolute rank correlation of the map with the randomised model's.
    chance
        What random maps of this size and smoothness exceed 5 times in 100.
    sizes
        Rank correlation of the absolute values.
    count
        Number of values in the map.

    Notes
    -----
    Measured on a CNN trained on scikit-learn's digits (20 test pictures, 3 random models each,
    median with the span from the 10 % to the 90 % quantile): gradient 0.11 (0.07–0.18), integrated
    gradients 0.13 (0.09–0.25), Grad-CAM 0.26 (0.17–0.42, where chance reaches 0.32), guided
    backprop 0.62 (0.49–0.71, chance 0.26). The limits 0.3 and 0.5 lie between the methods that
    Adebayo et al. 2018 found to react and the one that they found not to; the first does not count
    below what chance alone reaches.

    The same paper (§4.2) shows that a product with the input keeps the input's outline: on the
    digits the *sizes* of integrated gradients keep 0.92. Such a map reacts in its signs and order,
    and still looks the same, so that is said.
    """
    said = {"value": two(value), "chance": two(chance)}
    if chance >= _UNMOVED and value >= _REACTED:
        # Neither small enough to have reacted nor more than so small or smooth a map may reach.
        return Check(
            "randomisation",
            "unknown",
            ("explain.trust.randomisation.few", {**said, "count": str(count)}),
            value,
        )
    if value >= _UNMOVED:
        return Check("randomisation", "bad", ("explain.trust.randomisation.bad", said), value)
    if value >= max(_REACTED, chance):
        return Check("randomisation", "warn", ("explain.trust.randomisation.warn", said), value)
    if sizes is not None and sizes >= max(_OUTLINE, chance):
        said = {**said, "sizes": two(sizes)}
        return Check("randomisation", "warn", ("explain.trust.randomisation.outline", said), value)
    return Check("randomisation", "good", ("explain.trust.randomisation.good", said), value)


def completeness_check(value: float, whole: float) -> Check:
    """Judge whether values add up.

    Notes
    -----
    Sundararajan et al. 2017 (§5) take the integral for good when the sum is within 5 %; above a
    fifth the sum misses more than what most single elements contribute.
    """
    level = "good" if value <= _SUMS else "warn" if value <= _ROUGHLY_SUMS else "bad"
    params = {"gap": _percent(value), "difference": number(whole)}
    return Check("completeness", level, (f"explain.trust.completeness.{level}", params), value)


def curve_check(
    kind: str, value: float, others: NDArray[np.float64], ends: tuple[float, float]
) -> Check:
    """Judge an area against those of random maps.

    Parameters
    ----------
    kind
        ``"deletion"`` (small is better) or ``"insertion"`` (large is better).
    value
        The area.
    others
        Those of the random maps.
    ends
        The probability of the input and of the baseline.

    Notes
    -----
    Good if at most one random map in ten would do as well by chance (`curves.chance`), bad if at
    most one in ten would do as badly. The limit is a convention, so the count stands beside it.
    """
    large = kind == "insertion"
    if chance(value, others, large=large) <= _BY_CHANCE:
        level = "good"
    else:
        level = "bad" if chance(value, others, large=not large) <= _BY_CHANCE else "warn"
    beaten = int((others < value).sum() if large else (others > value).sum())
    params = {
        "area": three(value),
        "mean": three(float(others.mean())),
        "spread": three(float(others.std(ddof=1))),
        "beaten": str(beaten),
        "maps": str(len(others)),
        "input": number(ends[0]),
        "baseline": number(ends[1]),
    }
    return Check(kind, level, (f"explain.trust.{kind}.{level}", params), value)


def stability_check(value: float, count: int) -> Check:
    """Judge the mean similarity under small noise.

    Notes
    -----
    On the digits (see `randomisation_check`) the median is 0.99 for the gradient, 1.00 for
    Grad-CAM, 0.92 for integrated gradients, DeepLift and occlusion, 0.83 for LIME, 0.74 for kernel
    SHAP. Below a half less than a quarter (0.5²) of the variance of the ranks is shared.
    """
    return _steadiness("stability", value, count)


def seeds_check(value: float, count: int) -> Check:
    """Judge the mean similarity with other seeds, by the limits of `stability_check`."""
    return _steadiness("seeds", value, count)


def baseline_check(values: Mapping[str, float]) -> Check:
    """Judge the similarity with the maps for other baselines.

    Parameters
    ----------
    values
        By name of the baseline; not empty. The least similar one counts, by the limits of
        `stability_check`. Never bad: another baseline is another question (Sturmfels, Lundberg &
        Lee 2020, "Visualizing the impact of feature attribution baselines").
    """
    name = min(values, key=lambda key: values[key])
    level = "good" if values[name] >= _STEADY else "warn"
    params = {"value": two(values[name]), "name": name}
    return Check("baseline", level, (f"explain.trust.baseline.{level}", params), values[name])


def two(value: float) -> str:
    """Write a similarity."""
    return f"{value:.2f}".replace("-", "−")


def three(value: float) -> str:
    """Write an area under a probability; a value of a regression may be large."""
    return f"{value:.3f}".replace("-", "−") if abs(value) < 10 else number(value)


def _steadiness(kind: str, value: float, count: int) -> Check:
    level = "good" if value >= _STEADY else "warn" if value >= _UNSTEADY else "bad"
    params = {"value": two(value), "count": str(count)}
    return Check(kind, level, (f"explain.trust.{kind}.{level}", params), value)


def _percent(share: float) -> str:
    if share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:,.0f} %"


def _names(checks: Sequence[Check], language: str) -> str:
    names = [text(f"explain.trust.name.{check.kind}", language) for check in checks]
    return _JOINED[best_language(language)][0].join(names)


def _worst(checks: Sequence[Check]) -> str:
    levels = {check.level for check in checks}
    return next((level for level in LEVELS if level in levels), "unknown")
