"""Slices: there and back, what is held fixed, how far points are, and what is wrong with a call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.explain.plane_base import around, usable_rows
from nnwidgets.explain.view_plane import Slice
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number

X = np.random.default_rng(0).normal(size=(50, 4)) * [1, 10, 0.1, 5] + [0, 3, 1, -2]
NAMES = ["age", "height", "weight", "income"]


def test_others_are_held_at_the_median() -> None:
    plane = Slice(X, (3, 1))
    points = plane.to_inputs([[7.0, 8.0], [9.0, 10.0]])
    median = np.median(X, axis=0)
    assert points.tolist() == [[median[0], 8, median[2], 7], [median[0], 10, median[2], 9]]
    assert plane.fixed == {0: median[0], 2: median[2]}
    assert plane.labels == ("x₄", "x₂")


def test_each_way_to_hold_a_feature() -> None:
    plane = Slice(X, ("age", "income"), {"height": 4, 2: "mean"}, feature_names=NAMES)
    assert plane.fixed == {1: 4.0, 2: X[:, 2].mean()}
    assert Slice(X, others="mean").fixed == {2: X[:, 2].mean(), 3: X[:, 3].mean()}
    assert Slice(X, others=7).fixed == {2: X[7, 2], 3: X[7, 3]}
    assert Slice(X, fixed={3: "median"}, others=7).fixed == {2: X[7, 2], 3: np.median(X[:, 3])}


def test_a_slider_moves_one_and_leaves_the_others() -> None:
    plane = Slice(X, (0, 1), others=7, feature_names=NAMES)
    moved = plane.holding({"income": 100})
    assert moved.fixed == {2: X[7, 2], 3: 100}
    assert plane.fixed[3] == X[7, 3]
    assert moved.labels == ("age", "height")
    assert moved.extent(3) == (X[:, 3].min(), X[:, 3].max())


@given(st.integers(2, 6), st.integers(1, 20), st.integers(0, 2**20))
def test_there_and_back(features: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(rows, features))
    axes = tuple(int(n) for n in rng.permutation(features)[:2])
    plane = Slice(data, axes)
    xy = rng.normal(size=(7, 2))
    points = plane.to_inputs(xy)
    assert points.shape == (7, features)
    assert np.array_equal(plane.to_plane(points), xy)
    assert np.array_equal(plane.distance(points), np.zeros(7))
    left, right, bottom, top = plane.rectangle
    inside = plane.to_plane(data)
    assert ((inside[:, 0] > left) & (inside[:, 0] < right)).all()
    assert ((inside[:, 1] > bottom) & (inside[:, 1] < top)).all()


def test_distance_is_in_standard_deviations() -> None:
    plane = Slice(X, (0, 1))
    point = plane.to_inputs([[0.0, 0.0]])
    point[0, 2] += 3 * X[:, 2].std()
    point[0, 3] -= 4 * X[:, 3].std()
    assert plane.distance(point)[0] == pytest.approx(np.sqrt((9 + 16) / 2))
    assert np.isnan(plane.distance([[0, 0, np.nan, 0]])[0])


def test_quality_says_what_is_left_out() -> None:
    quality = Slice(X, (0, 1)).quality
    away = (X - np.median(X, axis=0)) / X.std(0)
    by_hand = np.sqrt(np.mean(away[:, 2:] ** 2))
    assert quality.error == pytest.approx(by_hand)
    assert quality.share == 0.5
    assert "2 of 4 features are held fixed; the two axes carry 50 %" in str(quality)
    assert f"lie {number(by_hand)} standard deviations" in str(quality)
    assert str(Slice(X[:, :2]).quality).startswith("The picture shows the whole space")


def test_a_constant_feature() -> None:
    data = np.column_stack([X[:, :2], np.full(50, 0.1)])
    plane = Slice(data, (0, 1))
    assert plane.quality.error == 0
    assert plane.quality.share == 1
    assert np.array_equal(plane.distance(data), np.zeros(50))
    assert plane.distance([[0, 0, 5.1]])[0] == 5
    assert Slice(data, (0, 2)).rectangle[2:] == pytest.approx((-0.4, 0.6))


def test_one_row_has_a_rectangle() -> None:
    plane = Slice([[3.0, 100.0, 5.0]])
    assert plane.rectangle == pytest.approx((2.5, 3.5, 90, 110))
    assert plane.quality.share is None


def test_rows_that_are_not_finite_do_not_count() -> None:
    data = X.copy()
    data[3, 2] = np.nan
    data[4, 0] = np.inf
    assert Slice(data).fixed == Slice(np.delete(data, [3, 4], axis=0)).fixed
    with pytest.raises(Refusal, match="Sample 3 holds NaN"):
        Slice(data, others=3)
    assert Slice(data, others=5).fixed[3] == X[5, 3]
    with pytest.raises(Refusal, match="No row of the data"):
        Slice(np.full((4, 3), np.nan))


def test_images_are_flattened() -> None:
    images = np.arange(48.0).reshape(3, 1, 4, 4)
    plane = Slice(images, (0, 15))
    assert plane.features == 16
    assert plane.to_inputs([[1.0, 2.0]]).shape == (1, 16)
    assert plane.to_plane(images).tolist() == [[0, 15], [16, 31], [32, 47]]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"features": (0, 4)}, "no column 4: they go from 0 to 3"),
        ({"features": (0, -1)}, "no column -1"),
        ({"features": ("age", "hight")}, "no feature hight; the nearest name is height"),
        ({"features": (1, "height")}, "Both axes are height"),
        ({"fixed": {"age": 3}}, "age is an axis"),
        ({"fixed": {"income": np.nan}}, "income cannot be held at nan"),
        ({"fixed": {"income": "mode"}}, "income cannot be held at mode"),
        ({"others": 50}, "no sample 50: they go from 0 to 49"),
        ({"others": "mode"}, "cannot be held at mode"),
        ({"feature_names": ["a"]}, "1 feature names were given for 4 features"),
    ],
)
def test_what_does_not_exist_is_said(how: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        Slice(X, **{"feature_names": NAMES, **how})


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"features": (0, 1, 2)}, "two columns or names"),
        ({"features": "ab"}, "two columns or names"),
        ({"features": (0, 1.5)}, "a column or a name, not 1.5"),
        ({"fixed": [1, 2]}, "fixed must map columns"),
        ({"fixed": {2: [1]}}, "held at a number"),
        ({"others": 1.5}, "others must be"),
        ({"feature_names": "abcd"}, "sequence of names"),
    ],
)
def test_wrong_types(how: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Slice(X, **how)


def test_data_that_is_no_table() -> None:
    with pytest.raises(TypeError, match="X must be numbers"):
        Slice([["a", "b"]])
    with pytest.raises(TypeError, match="one row a point"):
        Slice(np.zeros(5))
    with pytest.raises(Refusal, match="at least two features, and the data has 1"):
        usable_rows(np.zeros((5, 1)))
    with pytest.raises(Refusal, match="3 features were given where the model takes 4"):
        Slice(X).to_plane(X[:, :3])


def test_a_rectangle_around_anything() -> None:
    assert around([[0, 0], [10, 100]], 0.1) == (-1, 11, -10, 110)
    assert around([[0, 1], [np.nan, 7], [10, 11]], 0) == (0, 10, 1, 11)
    assert around(np.zeros((0, 2))) == (-1, 1, -1, 1)
    assert np.isfinite(around([[-1e308, 0], [1e308, 1]])).all()
