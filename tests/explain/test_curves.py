"""Deletion and insertion against brute force, and the random maps that they are held against."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.explain.curves import area, chance, curves, elements, neighbours, surrogate
from nnwidgets.explain.inputs import Slot
from nnwidgets.probe.refusal import Refusal

IMAGE = Slot("0", "image", (2, 3, 4), channel_axis=0)
LAST = Slot("0", "image", (3, 4, 2), channel_axis=-1)
FLAT = Slot("0", "image", (3, 4))
ROW = Slot("0", "table", (5,))
SIGNAL = Slot("0", "signal", (2, 6))
SEQUENCE = Slot("0", "sequence", (6, 2))
TOKENS = Slot("0", "tokens", (4,), np.arange(4), integer=True)
COLUMNS = Slot("0", "table", (4,), np.arange(4), integer=True)


@pytest.mark.parametrize(
    ("slot", "shape", "axis", "grid"),
    [
        (IMAGE, (2, 3, 4), 0, (3, 4)),
        (LAST, (3, 4, 2), 2, (3, 4)),
        (FLAT, (3, 4), None, (3, 4)),
        (ROW, (5,), None, (5,)),
        (SIGNAL, (2, 6), 0, (6,)),
        (SEQUENCE, (6, 2), 1, (6,)),
        (TOKENS, (4, 3), 1, (4,)),
        (COLUMNS, (4, 3), 1, (4,)),
        (Slot("0", "other", (2, 2, 2)), (2, 2, 2), None, (2, 2, 2)),
    ],
)
def test_elements_are_pixels_steps_tokens_and_features(
    slot: Slot, shape: tuple[int, ...], axis: int | None, grid: tuple[int, ...]
) -> None:
    given = np.random.default_rng(0).normal(size=shape)
    parts = elements([given], [shape], [slot])
    expected = given if axis is None else given.sum(axis)
    np.testing.assert_allclose(parts.values, expected.ravel())
    assert (parts.grids, parts.count) == ((grid,), math.prod(grid))
    # All numbers of an element carry its number.
    places = parts.places[0]
    assert places.shape == shape
    folded = places if axis is None else places.take(0, axis)
    assert folded.ravel().tolist() == list(range(parts.count))
    if axis is not None:
        assert (places == np.expand_dims(folded, axis)).all()
    # A map with one value an element (class activation, tokens) is taken as it is.
    plain = elements([expected], [shape], [slot])
    np.testing.assert_allclose(plain.values, parts.values)


def test_several_inputs_are_one_list_of_elements() -> None:
    picture, row = np.arange(24.0).reshape(2, 3, 4), np.array([5.0, -1, 0, 2, 3])
    parts = elements([picture, row], [(2, 3, 4), (5,)], [IMAGE, ROW])
    np.testing.assert_array_equal(parts.values, [*picture.sum(0).ravel(), *row])
    assert parts.places[1].tolist() == [12, 13, 14, 15, 16]


def test_a_map_that_fits_no_input_is_refused() -> None:
    with pytest.raises(Refusal, match=r"shape \(7,\)"):
        elements([np.zeros(7)], [(2, 3, 4)], [IMAGE])


def additive(weights: Tensor) -> Callable[..., Tensor]:
    return lambda x: (x * weights).flatten(1).sum(1).sigmoid()


def brute_force(
    probability: Callable[..., Tensor], x: NDArray[np.float64], blank: float, order: list[int]
) -> tuple[list[float], list[float]]:
    """One element at a time, one call each; x holds one number an element."""
    gone, back = [], []
    for k in range(len(order) + 1):
        deleted, inserted = x.copy(), np.full_like(x, blank)
        deleted[order[:k]] = blank
        inserted[order[:k]] = x[order[:k]]
        gone.append(float(probability(torch.tensor(deleted)[None])))
        back.append(float(probability(torch.tensor(inserted)[None])))
    return gone, back


@given(
    st.lists(st.floats(-2, 2), min_size=2, max_size=9, unique=True),
    st.floats(-1, 1),
    st.integers(0, 5),
)
def test_curves_are_those_of_brute_force(values: list[float], blank: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, weights = torch.randn(2, len(values), generator=generator, dtype=torch.float64)
    map_ = np.array(values)
    slot = Slot("0", "table", (len(values),))
    parts = elements([map_], [(len(values),)], [slot])
    base = torch.full((1, len(values)), blank, dtype=torch.float64)
    found = curves(additive(weights), (x[None],), (base,), parts, maps=3, seed=seed)
    gone, back = brute_force(additive(weights), x.numpy(), blank, list(np.argsort(-map_)))
    np.testing.assert_allclose(found.deletion, gone, rtol=1e-9)
    np.testing.assert_allclose(found.insertion, back, rtol=1e-9)
    np.testing.assert_allclose(found.fraction, np.linspace(0, 1, len(values) + 1), rtol=1e-12)
    by_numpy = getattr(np, "trapezoid", getattr(np, "trapz", None))
    assert by_numpy is not None
    np.testing.assert_allclose(found.deletion_area, by_numpy(gone, found.fraction), rtol=1e-9)
    np.testing.assert_allclose(found.insertion_area, by_numpy(back, found.fraction), rtol=1e-9)
    assert found.random_deletion.shape == found.random_insertion.shape == (3, len(values) + 1)
    for row, mean in zip(found.random_deletion, found.random_deletion_areas, strict=True):
        np.testing.assert_allclose(mean, by_numpy(row, found.fraction), rtol=1e-9)


def test_the_area_of_a_straight_line_and_of_uneven_steps() -> None:
    assert area(np.array([0.0, 0.5, 1]), np.array([1.0, 0.5, 0])) == pytest.approx(0.5)
    # ½·0.2·(1 + 0) + ½·0.8·(0 + 1), by hand
    assert area(np.array([0.0, 0.2, 1]), np.array([1.0, 0, 1])) == pytest.approx(0.5)
    assert area(np.array([0.0, 0.2, 1]), np.array([1.0, 0, 0])) == pytest.approx(0.1)


def test_a_feature_decides_alone() -> None:
    """By hand: with the first of four features gone, the probability is 0 at once."""
    x, base = torch.ones(1, 4), torch.zeros(1, 4)
    slot = Slot("0", "table", (4,))

    def first(x: Tensor) -> Tensor:
        return (x[:, 0] > 0.5).float()

    good = curves(
        first, (x,), (base,), elements([np.array([4.0, 3, 2, 1])], [(4,)], [slot]), maps=2
    )
    assert good.deletion.tolist() == [1, 0, 0, 0, 0]
    assert good.insertion.tolist() == [0, 1, 1, 1, 1]
    assert (good.deletion_area, good.insertion_area) == (0.125, 0.875)
    bad = curves(first, (x,), (base,), elements([np.arange(4.0)], [(4,)], [slot]), maps=2)
    assert bad.deletion.tolist() == [1, 1, 1, 1, 0]
    assert (bad.deletion_area, bad.insertion_area) == (0.875, 0.125)


def test_channels_of_a_pixel_go_together() -> None:
    x = torch.arange(1.0, 25).reshape(1, 2, 3, 4)
    seen: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        seen.append(x.clone())
        return x.flatten(1).sum(1)

    map_ = np.random.default_rng(1).normal(size=(3, 4))
    found = curves(keep, (x,), (torch.zeros(1, 2, 1, 1),), elements([map_], [(2, 3, 4)], [IMAGE]))
    rows = torch.cat(seen)
    both = (rows == 0).sum(1)
    assert set(both.unique().tolist()) == {0, 2}
    pixels = x[0].sum(0).flatten().numpy()[np.argsort(-map_.ravel())]
    np.testing.assert_allclose(found.insertion, [0, *np.cumsum(pixels)], rtol=1e-6)
    np.testing.assert_allclose(found.deletion, 300 - found.insertion, rtol=1e-6)


def test_many_elements_are_changed_in_sixteen_steps() -> None:
    n = 1000
    slot = Slot("0", "table", (n,))
    x, base = torch.ones(1, n), torch.zeros(1, n)
    rows = 0

    def mean(x: Tensor) -> Tensor:
        nonlocal rows
        rows += len(x)
        return x.mean(1)

    parts = elements([np.arange(n, dtype=float)], [(n,)], [slot])
    found = curves(mean, (x,), (base,), parts, maps=4)
    assert len(found.fraction) == 17
    assert rows == 2 + 2 * 15 * 5
    np.testing.assert_allclose(found.deletion, 1 - found.fraction, atol=1e-6)


def test_ties_are_broken_by_chance_not_from_the_top_down() -> None:
    """Of a constant map, half of the top rows are not deleted before all of the bottom ones."""
    x = torch.zeros(1, 1, 8, 8)
    x[..., :4, :] = 1  # the upper half alone counts
    slot = Slot("0", "image", (1, 8, 8), channel_axis=0)
    parts = elements([np.zeros((8, 8))], [(1, 8, 8)], [slot])
    found = curves(
        lambda x: x.flatten(1).mean(1) * 2, (x,), (torch.zeros(1, 1, 1, 1),), parts, maps=2
    )
    middle = found.deletion[len(found.deletion) // 2]
    assert 0.3 < middle < 0.7
    again = curves(
        lambda x: x.flatten(1).mean(1) * 2, (x,), (torch.zeros(1, 1, 1, 1),), parts, maps=2
    )
    np.testing.assert_array_equal(found.deletion, again.deletion)


@pytest.mark.parametrize(
    ("slot", "shape", "axes"),
    [(IMAGE, (2, 12, 16), (1, 2)), (SIGNAL, (2, 60), (1,)), (SEQUENCE, (60, 2), (0,))],
)
def test_random_maps_are_as_smooth_and_lie_elsewhere(
    slot: Slot, shape: tuple[int, ...], axes: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    white = np.fft.fftn(rng.normal(size=shape), axes=axes)
    weight = 1.0
    for axis in axes:
        along = np.exp(-((np.fft.fftfreq(shape[axis]) * 8) ** 2))
        weight = weight * along.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    map_ = np.fft.ifftn(white * weight, axes=axes).real
    assert neighbours(map_, slot, shape) == axes
    made = surrogate(map_, axes, np.random.default_rng(1))
    assert made.shape == shape
    # Mean, spread and autocorrelation (the amplitudes) of each channel stay.
    np.testing.assert_allclose(made.mean(axes), map_.mean(axes), atol=1e-12)
    amplitudes = [np.abs(np.fft.fftn(array, axes=axes)) for array in (made, map_)]
    np.testing.assert_allclose(amplitudes[0], amplitudes[1], atol=1e-9)
    # So does what channels have in common: their cross spectrum.
    channel = 1 - axes[0] if len(axes) == 1 else 0
    spectra = [np.fft.fftn(array, axes=axes) for array in (made, map_)]
    cross = [s.take(0, channel) * s.take(1, channel).conj() for s in spectra]
    np.testing.assert_allclose(cross[0], cross[1], atol=1e-8)
    assert abs(np.corrcoef(made.ravel(), map_.ravel())[0, 1]) < 0.8


def test_random_maps_of_features_are_shuffled() -> None:
    map_ = np.array([3.0, 1, 2, 9, 5])
    assert neighbours(map_, ROW, (5,)) == ()
    made = surrogate(map_, (), np.random.default_rng(0))
    assert sorted(made) == sorted(map_)
    assert made.tolist() != map_.tolist()


@pytest.mark.parametrize("large", [True, False])
def test_chance_is_a_permutation_test(large: bool) -> None:
    others = np.array([0.2, 0.5, 0.35, 0.3])
    signed = 1 if large else -1
    assert chance(signed * 0.9, signed * others, large=large) == 1 / 5
    assert chance(signed * 0.4, signed * others, large=large) == 2 / 5
    assert chance(signed * 0.5, signed * others, large=large) == 2 / 5  # equal is as good
    assert chance(signed * 0.1, signed * others, large=large) == 1
    # One of twenty equals is among the best two with probability 0.1.
    draws = np.random.default_rng(0).exponential(size=(4000, 20))
    found = np.mean([chance(row[0], row[1:], large=large) <= 0.1 for row in draws])
    assert 0.085 < found < 0.115


def test_curves_stop_between_two_batches() -> None:
    class Stop(Exception):
        pass

    calls = 0

    def probability(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return x.sum(1)

    def tick(fraction: float) -> None:
        if fraction > 0.05:
            raise Stop

    parts = elements([np.arange(40.0)], [(40,)], [Slot("0", "table", (40,))])
    with pytest.raises(Stop):
        curves(probability, (torch.ones(1, 40),), (torch.zeros(1, 40),), parts, tick=tick)
    assert 1 <= calls <= 5
