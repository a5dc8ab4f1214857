"""Blocks: what is rounded stays within half a level, and what is not finite stays what it is."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnwidgets.probe.blocks import LEVELS, bars, decode, encode, note, picture, span

any_float = st.floats(width=64)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=8)
any_array = hnp.arrays(np.float64, shapes, elements=any_float)
ends = st.tuples(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300)).map(sorted)


@given(any_array, ends)
def test_codes_keep_values_within_half_a_level(array: np.ndarray, limits: list[float]) -> None:
    low, high = limits
    codes = encode(array, low, high)
    assert codes.dtype == np.uint8
    assert codes.shape == array.shape
    kept = decode(codes, low, high)
    np.testing.assert_array_equal(np.isnan(kept), np.isnan(array))
    np.testing.assert_array_equal(np.isposinf(kept), np.isposinf(array))
    np.testing.assert_array_equal(np.isneginf(kept), np.isneginf(array))
    finite = np.isfinite(array)
    assert (codes[finite] <= LEVELS).all()
    clipped = np.clip(array[finite], low, high)
    # Half a level, and what rounding at the ends' own size costs.
    allowed = (high - low) / LEVELS / 2 + 4 * np.spacing(max(abs(low), abs(high)))
    assert (np.abs(kept[finite] - clipped) <= allowed * (1 + 1e-9)).all()


@given(any_array, st.booleans())
def test_span_holds_what_is_finite(array: np.ndarray, signed: bool) -> None:
    low, high = span(array, signed=signed)
    finite = array[np.isfinite(array)]
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low <= high
    if finite.size:
        assert low <= finite.min()
        assert finite.max() <= high
        assert low in (finite.min(), -np.abs(finite).max())
    else:
        assert (low, high) == (0, 0)
    if signed:
        assert low == -high


@given(any_array)
def test_the_whole_range_of_floats_can_be_a_scale(array: np.ndarray) -> None:
    low, high = span(array, signed=True)
    finite = np.isfinite(array)
    kept = decode(encode(array, low, high), low, high)
    assert np.isfinite(kept[finite]).all()
    assert (np.abs(kept[finite] - array[finite]) / max(high, 1e-300) <= 1.01 / LEVELS).all()


def test_the_ends_are_exact() -> None:
    codes = encode([-2.0, 0.0, 2.0, -9.0, 9.0], -2.0, 2.0)
    assert codes.tolist() == [0, LEVELS // 2, LEVELS, 0, LEVELS]
    assert decode(codes, -2.0, 2.0).tolist() == [-2.0, 0.0, 2.0, -2.0, 2.0]
    assert encode([np.nan, np.inf, -np.inf], 0, 1).tolist() == [253, 254, 255]
    assert encode([3.0, 3.0], 3.0, 3.0).tolist() == [0, 0]


@given(st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_codes_are_in_order(first: float, second: float) -> None:
    assume(first <= second)
    one, other = encode([first, second], -1e30, 1e30)
    assert one <= other


def test_few_numbers_stay_floats_and_many_become_codes() -> None:
    few = picture("matrix", np.eye(3), signed=True, meta={"rows": "token"}, title=("k", {}))
    assert few.arrays["pixels"].dtype == np.float32
    assert few.meta == {"low": -1.0, "high": 1.0, "signed": True, "rows": "token"}
    assert few.title == ("k", {})
    generator = np.random.default_rng(0)
    array = generator.normal(size=(200, 200))
    many = picture("maps", array, signed=False, arrays={"units": [1, 2]})
    assert many.arrays["pixels"].dtype == np.uint8
    kept = decode(many.arrays["pixels"], many.meta["low"], many.meta["high"])
    assert np.abs(kept - array).max() <= (array.max() - array.min()) / LEVELS / 2 * 1.0001
    assert many.arrays["units"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="finite"):
        picture("map", array, signed=False, ends=(0.0, math.inf))


@given(any_array)
def test_every_picture_is_strict_json(array: np.ndarray) -> None:
    block = picture("matrix", array, signed=bool(array.size % 2))
    json.dumps(block.meta, allow_nan=False)


def test_bars_and_notes() -> None:
    block = bars([1.0, np.nan, 1e300], units=[4, 2, 9], labels=["a", "b", "c"], meta={"unit": 2})
    assert block.arrays["units"].tolist() == [4, 2, 9]
    assert block.arrays["units"].dtype == np.int32
    assert block.arrays["values"].dtype == np.float32
    assert np.isnan(block.arrays["values"][1])
    assert block.meta == {"unit": 2, "labels": ["a", "b", "c"]}
    assert bars([3, 4]).arrays["units"].tolist() == [0, 1]
    said = note("probe.x", "warning", count="3")
    assert said.title == ("probe.x", {"count": "3"})
    assert said.meta == {"level": "warning"}


@given(st.integers(0, 2**20), st.floats(-9, 9), st.floats(1e-3, 9))
def test_codes_are_the_same_whatever_stands_beside_a_number(
    seed: int, low: float, size: float
) -> None:
    """Finite numbers have a way of their own; one NaN among them must not change theirs."""
    values = np.random.default_rng(seed).normal(size=40) * 5
    codes = encode(values, low, low + size)
    mixed = encode(np.append(values, np.nan), low, low + size)
    assert codes.tolist() == mixed[:-1].tolist()
    assert mixed[-1] == 253
