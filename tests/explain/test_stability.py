"""Rank correlation against pandas, and noise in the units of the input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnwidgets.explain.ranks import ranks, similarity
from nnwidgets.explain.stability import NOISE, noisy, similarities, spreads

PAIRS = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        *[hnp.arrays(np.float64, n, elements=st.integers(-4, 4) | st.floats(-1e6, 1e6))] * 2
    )
)


@given(PAIRS)
def test_similarity_is_spearmans_with_ties_as_pandas_says(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    a, b = pair
    np.testing.assert_array_equal(ranks(a), pd.Series(a).rank().to_numpy())
    found = similarity(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        expected = pd.DataFrame({"a": a, "b": b}).corr(method="spearman").iloc[0, 1]
        assert found == pytest.approx(expected, abs=1e-12)


def test_similarity_by_hand() -> None:
    assert similarity([1, 2, 3, 4], [10, 20, 30, 1000]) == 1
    assert similarity([1, 2, 3], [3, 2, 1]) == -1
    # 1 − 6 Σd² ÷ (n (n² − 1)) with d = (0, 1, 1)
    assert similarity([1, 2, 3], [1, 3, 2]) == pytest.approx(1 - 6 * 2 / (3 * 8))
    assert ranks([5, 1, 5, 7]).tolist() == [2.5, 1, 2.5, 4]
    assert similarity(np.ones((2, 3)), np.arange(6).reshape(2, 3)) is None
    assert similarity([1], [1]) is None
    assert similarity([], []) is None
    assert similarity([1, np.nan, 2], [1, 2, 3]) is None
    assert similarity([1, 2, 3], [1, np.inf, 3]) is None
    with pytest.raises(ValueError, match="3 and 2"):
        similarity([1, 2, 3], [1, 2])


def test_a_constant_map_shares_nothing_and_a_broken_one_is_missing() -> None:
    found = similarities(
        np.arange(4.0),
        [np.arange(4.0), np.ones(4), None, np.array([1, np.nan, 2, 3]), np.arange(3.0)],
    )
    np.testing.assert_array_equal(found, [1, 0, np.nan, np.nan, np.nan])


def test_noise_is_in_the_units_of_each_column_of_a_table() -> None:
    generator = torch.Generator().manual_seed(0)
    units = torch.tensor([1000.0, 1.0, 0.001, 0.0])
    table = torch.randn(200, 4, generator=generator) * units
    (found,) = spreads((table[:1],), ("table",), (table,))
    np.testing.assert_allclose(found[0], np.std(table.numpy(), 0, ddof=1), rtol=1e-5)
    draws = torch.cat([noisy((table[:1],), (found,), generator)[0] for _ in range(2000)])
    deviation = (draws - table[:1]).std(0)
    np.testing.assert_allclose(deviation, NOISE * found[0], rtol=0.1, atol=1e-12)
    assert float(deviation[3]) == 0
    # Without other rows, the size of each number is the unit.
    (alone,) = spreads((table[:1],), ("table",), (None,))
    np.testing.assert_array_equal(alone, table[:1].abs())


def test_one_row_says_nothing_of_its_columns() -> None:
    row = torch.tensor([[3.0, -0.5]])
    (spread,) = spreads((row,), ("table",), (row,))
    np.testing.assert_array_equal(spread, [[3.0, 0.5]])  # the size of each number, as without rows


def test_noise_of_a_picture_is_in_the_units_of_all_its_pixels() -> None:
    generator = torch.Generator().manual_seed(1)
    picture = torch.rand(1, 3, 16, 16, generator=generator) * 255
    (unit,) = spreads((picture,), ("image",), (None,))
    assert float(unit) == pytest.approx(float(np.std(picture.numpy(), ddof=1)), rel=1e-4)
    (made,) = noisy((picture,), (unit,), generator)
    assert made.shape == picture.shape
    assert float((made - picture).std()) == pytest.approx(NOISE * float(unit), rel=0.1)


def test_what_does_not_vary_gets_no_noise() -> None:
    blank = torch.zeros(1, 1, 4, 4)
    (unit,) = spreads((blank,), ("image",), (None,))
    assert not unit.any()
    broken = torch.tensor([[np.nan, 1.0]])
    (unit,) = spreads((broken,), ("image",), (None,))
    assert torch.isfinite(unit).all()


def test_the_same_generator_gives_the_same_noise() -> None:
    x = (torch.ones(1, 5), torch.ones(1, 2, 3))
    units = (torch.ones(1, 1), torch.ones(1, 1, 1))
    first, second = (noisy(x, units, torch.Generator().manual_seed(4)) for _ in range(2))
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], x[0])
