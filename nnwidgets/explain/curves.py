"""Deletion and insertion: how the prediction follows the order that a map gives the input.

Elements (pixels with all their channels, features, tokens, time steps) are taken in the order of
the map, the highest value first. Deletion replaces them by the baseline one after the other:
where the map points at what the model uses, the target's probability falls early and the area
under its curve is small. Insertion goes from the baseline to the input: there the area is large
(Petsiuk, Das & Saenko 2018, "RISE", §4.2). An area means little by itself, since any order of
deleting hurts; it is held against those of random maps.

Random maps are as smooth as the map. A map that varies slowly deletes whole regions, one of
independent values scatters holes over the input, and a network reacts to the two differently
whatever it uses. So the Fourier amplitudes of the map are kept and its phases drawn at random:
the surrogates of Theiler et al. 1992, which share its autocorrelation and nothing of its place.
Where elements have no neighbourhood (features, tokens), the values are shuffled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.explain.inputs import Slot
from nnwidgets.probe.refusal import Refusal

__all__ = [
    "INTERVALS",
    "Curves",
    "Elements",
    "area",
    "chance",
    "curves",
    "elements",
    "neighbours",
    "surrogate",
]

Floats = NDArray[np.float64]

INTERVALS: Final = 16
"""Steps of a curve. On scikit-learn's digits (64 pixels, 40 pictures, integrated gradients) areas
from 16 steps differ from those with a step for each pixel by 0.011 in the mean, 0.030 at most;
random maps, which are held against them, by 0.014."""

_SLICE_SECONDS: Final = 0.05  # a batch that took longer is not followed by a larger one
_LARGEST_BATCH: Final = 32


@dataclass(frozen=True, eq=False)
class Elements:
    """What is deleted and inserted as one.

    Attributes
    ----------
    values
        Shape (n,): the map's value of each element, over all inputs; channels are summed.
    places
        For each input, of its shape without the batch: which element each number belongs to.
    grids
        For each input the arrangement of its elements: ``(h, w)``, ``(length,)``, …
    """

    values: Floats
    places: tuple[NDArray[np.int64], ...]
    grids: tuple[tuple[int, ...], ...]
    slots: tuple[Slot, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.values.size)

    def surrogate(self, rng: np.random.Generator) -> Floats:
        """Return the values of a random map that is as smooth as the map; shape (n,)."""
        made, first = [], 0
        for grid, slot in zip(self.grids, self.slots, strict=True):
            values = self.values[first : first + math.prod(grid)].reshape(grid)
            first += values.size
            made.append(surrogate(values, neighbours(values, slot, ()), rng).ravel())
        return np.concatenate(made)


@dataclass(frozen=True, eq=False)
class Curves:
    """The target's probability (regression: the value) as elements change.

    Attributes
    ----------
    fraction
        Shape (m,), from 0 to 1: how many of the elements have been changed.
    deletion, insertion
        Shape (m,): by the map's order.
    random_deletion, random_insertion
        Shape (maps, m): by the orders of random maps.
    """

    fraction: Floats
    deletion: Floats
    insertion: Floats
    random_deletion: Floats
    random_insertion: Floats

    @property
    def deletion_area(self) -> float:
        """The area under the deletion curve."""
        return area(self.fraction, self.deletion)

    @property
    def insertion_area(self) -> float:
        """The area under the insertion curve."""
        return area(self.fraction, self.insertion)

    @property
    def random_deletion_areas(self) -> Floats:
        """Shape (maps,): the areas under the random maps' deletion curves."""
        return np.array([area(self.fraction, row) for row in self.random_deletion])

    @property
    def random_insertion_areas(self) -> Floats:
        """Shape (maps,): the areas under the random maps' insertion curves."""
        return np.array([area(self.fraction, row) for row in self.random_insertion])


def elements(
    arrays: Sequence[NDArray[np.floating]],
    shapes: Sequence[tuple[int, ...]],
    slots: Sequence[Slot],
) -> Elements:
    """Divide inputs into elements and give each its value.

    Parameters
    ----------
    arrays
        The map of each input: of the input's shape, or of the shape of its elements (class
        activation maps, tokens).
    shapes
        Shape of each attributed input, without the batch; of tokens that of their embeddings.
    slots
        What each input is. An element of an image is a pixel, of a signal a place of the last
        axis, of tokens a token, of a sequence a place of the first axis, of others each number.

    Raises
    ------
    Refusal
        If a map does not fit its input.
    """
    values, places, grids, first = [], [], [], 0
    for array, shape, slot in zip(arrays, shapes, slots, strict=True):
        axes = _axes(len(shape), slot)
        grid = tuple(shape[axis] for axis in axes)
        count = math.prod(grid)
        given = np.asarray(array, dtype=np.float64)
        if given.shape == tuple(shape):
            rest = tuple(axis for axis in range(len(shape)) if axis not in axes)
            given = given.sum(axis=rest)
        if given.size != count:
            raise Refusal(
                "explain.trust.curves_shape", map=str(np.shape(array)), input=str(tuple(shape))
            )
        values.append(given.ravel())
        spread = [shape[axis] if axis in axes else 1 for axis in range(len(shape))]
        numbers = np.arange(first, first + count, dtype=np.int64).reshape(spread)
        places.append(np.broadcast_to(numbers, shape))
        grids.append(grid)
        first += count
    return Elements(np.concatenate(values), tuple(places), tuple(grids), tuple(slots))


def curves(
    probability: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    baselines: Sequence[Tensor],
    parts: Elements,
    *,
    maps: int = 19,
    seed: int = 0,
    tick: Callable[[float], None] = lambda fraction: None,
) -> Curves:
    """Work out the curves of a map and of random ones.

    Parameters
    ----------
    probability
        Called with one tensor for each input, of shape (n, …); gives (n,).
    inputs, baselines
        One tensor for each input, of shape (1, …).
    parts
        From `elements`; the values are finite.
    maps
        How many random maps.
    seed
        Of the random maps, and of the order of elements with equal values: taken as they stand,
        a flat area of a picture would be deleted from the top down.
    tick
        Called after each slice with the fraction that is done; may raise.
    """
    rng = np.random.default_rng(seed)
    count = parts.count
    steps = np.unique(np.linspace(0, count, min(count, INTERVALS) + 1).round().astype(np.int64))
    orders = [_positions(parts.values, rng)]
    orders += [_positions(parts.surrogate(rng), rng) for _ in range(maps)]
    # Both ends are the same for all orders: the input itself, the baseline itself.
    inner = [(order, int(step)) for order in orders for step in steps[1:-1]]
    jobs = [(orders[0], 0), (orders[0], count)]
    jobs += inner
    jobs += [(count - 1 - order, count - step) for order, step in inner]
    found = _probabilities(probability, inputs, baselines, parts.places, jobs, tick)
    whole, nothing = found[:2]
    middle = found[2:].reshape(2, len(orders), len(steps) - 2)

    def rows(start: float, inside: Floats, end: float) -> Floats:
        sides = np.ones((len(inside), 1))
        return np.hstack([start * sides, inside, end * sides])

    deletion = rows(whole, middle[0], nothing)
    insertion = rows(nothing, middle[1], whole)
    return Curves(steps / count, deletion[0], insertion[0], deletion[1:], insertion[1:])


def area(fraction: Floats, values: Floats) -> float:
    """Return the area under a curve by the trapezoidal rule."""
    return float(((values[1:] + values[:-1]) / 2 * np.diff(fraction)).sum())


def neighbours(array: NDArray[np.floating], slot: Slot, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of a map along which its values are neighbours; none for features, tokens.

    Parameters
    ----------
    array
        The map: of the input's shape or of the shape of its elements.
    slot, shape
        What the input is, and its shape without the batch.
    """
    if slot.kind not in ("image", "signal", "sequence"):
        return ()
    return _axes(len(shape), slot) if array.shape == tuple(shape) else tuple(range(array.ndim))


def surrogate(
    array: NDArray[np.floating], axes: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    """Return a random map that is as smooth as a map.

    Parameters
    ----------
    array
        The map of one input.
    axes
        From `neighbours`.
    rng
        Drawn from.

    Returns
    -------
    ndarray
        Of the map's shape. Channels are moved together: what they have in common stays.
    """
    values = np.asarray(array, dtype=np.float64)
    if not axes:
        return rng.permutation(values.ravel()).reshape(values.shape)
    grid = [size if axis in axes else 1 for axis, size in enumerate(values.shape)]
    noise = np.fft.fftn(rng.standard_normal(grid), axes=axes)
    size = np.abs(noise)
    phase = np.divide(noise, size, out=np.ones_like(noise), where=size > 0)
    mean = values.mean(axis=axes, keepdims=True)
    # Amplitudes and phase differences between channels stay: the same phases are added to all.
    moved = np.fft.ifftn(np.fft.fftn(values - mean, axes=axes) * phase, axes=axes).real
    return np.asarray(moved + mean, dtype=np.float64)


def chance(value: float, others: Floats, *, large: bool) -> float:
    """Return how often a random map would do at least as well.

    Parameters
    ----------
    value
        An area.
    others
        Those of random maps.
    large
        Whether a large area is better.

    Returns
    -------
    float
        (1 + number of random maps that are as good or better) ÷ (1 + number of random maps): the
        p value of a permutation test (Phipson & Smyth 2010, "Permutation p-values should never be
        zero"). Areas of random maps are skewed, so mean and spread alone would not tell.
    """
    slack = 1e-9 * max(1.0, abs(value))  # equal but for rounding
    as_good = others >= value - slack if large else others <= value + slack
    return float((1 + as_good.sum()) / (1 + others.size))


def _axes(ndim: int, slot: Slot) -> tuple[int, ...]:
    """Return the axes along which elements lie."""
    every = tuple(range(ndim))
    if slot.kind == "image":
        channels = None if slot.channel_axis is None else slot.channel_axis % ndim
        return tuple(axis for axis in every if axis != channels)
    if slot.kind == "signal":
        return every[-1:]
    if slot.integer:
        return every[: len(slot.shape)]  # what is attributed has the embedding's axis as well
    return every[:1] if slot.kind == "sequence" else every


def _positions(values: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each element its place in the order: 0 for the highest value."""
    order = np.lexsort((rng.random(values.size), -values))
    positions = np.empty(values.size, dtype=np.int64)
    positions[order] = np.arange(values.size)
    return positions


def _probabilities(
    probability: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    baselines: Sequence[Tensor],
    places: Sequence[NDArray[np.int64]],
    jobs: Sequence[tuple[NDArray[np.int64], int]],
    tick: Callable[[float], None],
) -> Floats:
    """Return the probability for each (positions, k): the first k elements are the baseline's."""
    found: list[Floats] = []
    done, batch = 0, 1
    while done < len(jobs):
        chosen = jobs[done : done + batch]
        gone = np.stack([positions < k for positions, k in chosen])
        begun = perf_counter()
        changed = []
        for value, base, place in zip(inputs, baselines, places, strict=True):
            mask = torch.from_numpy(gone[:, place]).to(value.device)
            changed.append(torch.where(mask, base.to(value.dtype), value))
        with torch.no_grad():
            found.append(probability(*changed).detach().double().cpu().numpy().reshape(-1))
        if perf_counter() - begun < _SLICE_SECONDS:
            batch = min(2 * batch, _LARGEST_BATCH)
        done += len(chosen)
        tick(done / len(jobs))
    return np.concatenate(found)
