"""The tests that a map can fail, each a function from an inquiry to what it found."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.explain import completeness as sums
from nnwidgets.explain import stability as steadiness
from nnwidgets.explain.baselines import baseline_names, baseline_tensors
from nnwidgets.explain.curves import curves, elements, neighbours, surrogate
from nnwidgets.explain.inquiry import Inquiry
from nnwidgets.explain.randomise import cascade, randomise
from nnwidgets.explain.ranks import similarity
from nnwidgets.explain.stability import similarities
from nnwidgets.explain.verdict import (
    Check,
    baseline_check,
    completeness_check,
    curve_check,
    randomisation_check,
    seeds_check,
    stability_check,
    unknown,
)
from nnwidgets.probe.sentences import number

__all__ = [
    "baselines",
    "completeness",
    "deletion_and_insertion",
    "randomisation",
    "seeds",
    "stability",
]

_SURROGATES: Final = 100  # for the similarity that chance reaches: their 95 % quantile
_RANDOM_MODELS: Final = 3  # with all weights random: one may be alike by accident

Floats = NDArray[np.float64]


def randomisation(inquiry: Inquiry, count: int) -> list[Check]:
    """Take away what was learned, from the output backwards.

    Parameters
    ----------
    inquiry
        Its model is copied; the copy is changed.
    count
        After how many of the layers, evenly spread, the map is asked for; the last one always.
    """
    asked = inquiry.asked
    with inquiry.running():
        names = cascade(asked.root, lambda: asked.model(*asked.inputs, *asked.others))
    inquiry.evaluations += 1
    if not names:
        return [unknown("randomisation", "explain.trust.randomisation.no_weights")]
    try:
        private = copy.deepcopy(asked.root)
    except Exception as problem:
        why = f"{type(problem).__name__}: {problem}"[:200]
        return [unknown("randomisation", "explain.trust.randomisation.no_copy", problem=why)]

    def ask() -> tuple[Floats | None, float]:
        found = inquiry.again(asked.on(private), private)
        return found, float(np.abs(similarities(inquiry.map, [found])[0]))

    def spoil(turn: int, place: int) -> None:
        randomise(private.get_submodule(names[place]), inquiry.seed + 1_000_003 * turn + place)

    points = np.unique(np.linspace(1, len(names), count).round().astype(int))
    chain: list[tuple[str, float]] = []
    done = 0
    ends: list[tuple[Floats | None, float]] = []
    for point in points:
        for place in range(done, point):
            spoil(0, place)
        done = int(point)
        ends = [ask()]
        chain.append((names[done - 1], ends[0][1]))
    for turn in range(1, min(count, _RANDOM_MODELS)):
        for place in range(len(names)):
            spoil(turn, place)
        ends.append(ask())
    inquiry.details["cascade"] = tuple(chain)
    usable = [(found, alike) for found, alike in ends if found is not None and np.isfinite(alike)]
    if not usable:
        return [unknown("randomisation", "explain.trust.no_other_maps")]
    value = float(np.mean([alike for _, alike in usable]))
    sizes = similarities(np.abs(inquiry.map), [np.abs(found) for found, _ in usable])
    chance = _chance(inquiry, [found for found, _ in usable])
    inquiry.details.update(randomisation=value, sizes=float(sizes.mean()), chance=chance)
    return [randomisation_check(value, chance, float(sizes.mean()), inquiry.map.size)]


def completeness(inquiry: Inquiry) -> list[Check]:
    """Add the values up."""
    if not sums.promises(inquiry.method, inquiry.options):
        return [unknown("completeness", "explain.trust.completeness.not_promised")]
    asked = inquiry.asked
    with torch.no_grad(), inquiry.running():
        score = float(asked.model(*asked.inputs, *asked.others)[0])
        blank = float(asked.model(*inquiry.baselines(), *asked.others)[0])
    inquiry.evaluations += 2
    inquiry.details.update(score=score, baseline_score=blank)
    whole = sums.difference(inquiry.method, score, blank)
    if whole is None:
        return [unknown("completeness", "explain.trust.completeness.no_difference")]
    return [completeness_check(sums.gap(inquiry.first.arrays, whole), whole)]


def deletion_and_insertion(
    inquiry: Inquiry, maps: int, tick: Callable[[float], None]
) -> list[Check]:
    """Take elements away, and bring them back, in the map's order and in those of random maps."""
    asked = inquiry.asked
    shapes = [tuple(value.shape[1:]) for value in asked.inputs]
    parts = elements(inquiry.first.arrays, shapes, asked.slots)
    if parts.count < 2:
        return _neither("explain.trust.curves_one")

    def probability(*inputs: Tensor) -> Tensor:
        inquiry.evaluations += len(inputs[0])
        return asked.class_probability(*inputs)

    blank = inquiry.baselines()
    found = curves(probability, asked.inputs, blank, parts, maps=maps, seed=inquiry.seed, tick=tick)
    drawn = (found.deletion, found.insertion, found.random_deletion, found.random_insertion)
    everything = np.concatenate([array.ravel() for array in drawn])
    ends = float(found.deletion[0]), float(found.deletion[-1])
    if not np.isfinite(everything).all():
        return _neither("explain.trust.curves_not_finite")
    if np.ptp(everything) <= 1e-6 * np.abs(everything).max():  # rounding of float32
        return _neither("explain.trust.curves_flat", input=number(ends[0]))
    inquiry.details["curves"] = found
    checks = []
    for kind, value, others in (
        ("deletion", found.deletion_area, found.random_deletion_areas),
        ("insertion", found.insertion_area, found.random_insertion_areas),
    ):
        inquiry.details[f"random_{kind}"] = float(others.mean()), float(others.std(ddof=1))
        checks.append(curve_check(kind, value, others, ends))
    return checks


def stability(inquiry: Inquiry, count: int) -> list[Check]:
    """Add small noise to the input, `count` times."""
    asked, question = inquiry.asked, inquiry.question
    sets: Sequence[Tensor | None] = (None,) * len(asked.inputs)
    kinds = [slot.kind for slot in asked.slots]
    if question is not None and "table" in kinds:
        sets = question.inputs_of(range(question.count))
    units = steadiness.spreads(asked.inputs, kinds, sets)
    if not any(bool(unit.any()) for unit in units):
        return [unknown("stability", "explain.trust.stability.no_spread")]
    generator = torch.Generator().manual_seed(inquiry.seed)
    others = [
        inquiry.again(replace(asked, inputs=steadiness.noisy(asked.inputs, units, generator)))
        for _ in range(count)
    ]
    return _steady(inquiry, "stability", others, stability_check)


def seeds(inquiry: Inquiry, count: int) -> list[Check]:
    """Draw other random numbers, `count` times."""
    first = int(inquiry.options.get("seed", 0))
    others = [
        inquiry.again(inquiry.asked, options={**inquiry.options, "seed": first + turn})
        for turn in range(1, count + 1)
    ]
    return _steady(inquiry, "seeds", others, seeds_check)


def baselines(inquiry: Inquiry) -> list[Check]:
    """Compare with the maps for the other baselines that stand for "nothing there".

    Another sample as the baseline is left out: why this and not that is another question.
    """
    asked, question = inquiry.asked, inquiry.question
    used = inquiry.baselines()
    found: dict[str, float] = {}
    for name in baseline_names(asked, question):
        tensors = () if name == "sample" else baseline_tensors(asked, question, name)
        if not tensors or all(map(torch.equal, used, tensors)):
            continue
        alike = float(similarities(inquiry.map, [inquiry.again(asked, baseline=name)])[0])
        if np.isfinite(alike):
            found[name] = alike
    inquiry.details["baselines"] = found
    if not found:
        return [unknown("baseline", "explain.trust.no_other_maps")]
    return [baseline_check(found)]


def _steady(
    inquiry: Inquiry,
    kind: str,
    others: Sequence[Floats | None],
    judge: Callable[[float, int], Check],
) -> list[Check]:
    found = similarities(inquiry.map, others)
    found = found[np.isfinite(found)]
    if not len(found):
        return [unknown(kind, "explain.trust.no_other_maps")]
    return [judge(float(found.mean()), len(found))]


def _chance(inquiry: Inquiry, others: Sequence[Floats]) -> float:
    """Return the mean similarity to the map that random maps as smooth as `others` rarely exceed.

    A mean over several is less often large by accident than a single one, so each draw is a mean
    over as many.
    """
    rng = np.random.default_rng(inquiry.seed)
    shapes = [np.shape(array) for array in inquiry.first.arrays]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    axes = [
        neighbours(array, slot, tuple(value.shape[1:]))
        for array, slot, value in zip(
            inquiry.first.arrays, inquiry.asked.slots, inquiry.asked.inputs, strict=True
        )
    ]

    def thinned(values: Floats) -> list[Floats]:
        parts = np.split(values, ends)
        return [_thinned(p.reshape(s), a) for p, s, a in zip(parts, shapes, axes, strict=True)]

    own = thinned(inquiry.map)
    whole = np.concatenate([part.ravel() for part in own])
    # Where random weights left nothing: a constant has no smoothness.
    drawn = [thinned(other) if np.ptp(other) else own for other in others]

    def alike(parts: list[Floats]) -> float:
        made = [
            surrogate(part, along, rng).ravel() for part, along in zip(parts, axes, strict=True)
        ]
        return abs(similarity(whole, np.concatenate(made)) or 0.0)

    draws = []
    for _ in range(_SURROGATES):
        inquiry.check()
        draws.append(np.mean([alike(parts) for parts in drawn]))
    return float(np.quantile(draws, 0.95))


def _thinned(values: Floats, axes: tuple[int, ...]) -> Floats:
    """Leave out rows and columns of a large map; what is wider than a few pixels stays as wide."""
    steps = [1] * values.ndim
    for axis in axes:
        steps[axis] = math.ceil(values.shape[axis] / (64 if len(axes) > 1 else 4096)) or 1
    return values[tuple(slice(None, None, step) for step in steps)]


def _neither(key: str, **params: str) -> list[Check]:
    return [unknown(kind, key, **params) for kind in ("deletion", "insertion")]
