"""Lattices from coarse to fine: nested, complete, and interpolating what is bilinear exactly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.explain.levels import levels

SHAPES = st.tuples(st.integers(2, 40), st.integers(2, 40))


@given(SHAPES, st.integers(1, 16))
def test_each_lattice_has_all_lines_of_the_coarser_one(shape: tuple[int, int], gap: int) -> None:
    found = levels(shape, gap)
    assert found[0].gap <= gap
    for coarse, fine in pairwise(found):
        assert set(coarse.rows) <= set(fine.rows)
        assert set(coarse.columns) <= set(fine.columns)
        assert fine.gap == -(-coarse.gap // 2)
    for level in found:
        assert level.rows[0] == level.columns[0] == 0
        assert (level.rows[-1], level.columns[-1]) == (shape[0] - 1, shape[1] - 1)
    assert found[-1].rows.tolist() == list(range(shape[0]))
    assert found[-1].columns.tolist() == list(range(shape[1]))


@given(SHAPES, st.integers(1, 16), st.integers(0, 2**20))
def test_what_is_bilinear_is_interpolated_exactly(
    shape: tuple[int, int], gap: int, seed: int
) -> None:
    a, b, c, d = np.random.default_rng(seed).normal(size=4)
    i, j = np.indices(shape)
    field = a + b * i + c * j + d * i * j
    first, *finer = levels(shape, gap)
    values = first.of(field)
    for level in finer:
        values = level.from_coarser(values)
        np.testing.assert_allclose(values, level.of(field), rtol=1e-4, atol=1e-4)


@given(SHAPES, st.integers(2, 16), st.integers(0, 2**20))
def test_a_cell_is_finished_when_its_places_are_known(
    shape: tuple[int, int], gap: int, seed: int
) -> None:
    found = levels(shape, gap)
    rng = np.random.default_rng(seed)
    for coarse, fine in pairwise(found):
        known = rng.random(shape) < 0.6
        unfinished = fine.unfinished(known)
        assert unfinished.shape == (len(coarse.rows) - 1, len(coarse.columns) - 1)
        for (row, column), wanted in np.ndenumerate(unfinished):
            low, high = coarse.rows[row], coarse.rows[row + 1]
            left, right = coarse.columns[column], coarse.columns[column + 1]
            rows = [r for r in fine.rows if low <= r <= high]
            columns = [c for c in fine.columns if left <= c <= right]
            assert wanted == (not known[np.ix_(rows, columns)].all())
            chosen = np.zeros(shape, dtype=bool)
            fine.mark(chosen, np.array([row]), np.array([column]))
            by_hand = np.zeros(shape, dtype=bool)
            by_hand[np.ix_(rows, columns)] = True
            assert np.array_equal(chosen, by_hand)
