"""Toy data: what each set is known by, and that a call can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from nnwidgets.explain.toy_data import NAMES, toy
from tests.generators import generators


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 99])
def test_every_set_has_its_form_and_touches_no_generator(name: str, n: int) -> None:
    drawn = generators()
    made, again, other = toy(name, n), toy(name, n), toy(name, n, seed=1)
    assert made.X.shape == (n, 2)
    assert made.X.dtype == np.float32
    assert made.y.shape == (n,)
    np.testing.assert_array_equal(made.X, again.X)
    np.testing.assert_array_equal(made.y, again.y)
    assert not np.array_equal(made.X, other.X)
    assert np.abs(toy(name, 500, noise=0).X).max() <= 1.75
    if name == "plane":
        assert made.classes == 0
        assert made.y.dtype == np.float32
    else:
        assert made.y.dtype == np.int64
        sizes = np.bincount(made.y, minlength=made.classes)
        assert sizes.max() - sizes.min() <= 1
    assert generators() == drawn


def test_without_noise_each_set_is_what_it_is_called() -> None:
    moons = toy("moons", 300, noise=0)
    centre = np.where(moons.y[:, None] == 0, [-0.5, -0.25], [0.5, 0.25])
    np.testing.assert_allclose(np.linalg.norm(moons.X - centre, axis=1), 1, atol=1e-6)

    circles = toy("circles", 300, classes=3, noise=0)
    np.testing.assert_allclose(np.linalg.norm(circles.X, axis=1), (circles.y + 1) / 3, atol=1e-6)

    xor = toy("xor", 300, noise=0)
    np.testing.assert_array_equal(xor.y, (xor.X[:, 0] * xor.X[:, 1] < 0).astype(int))
    four = toy("xor", 300, noise=0, classes=4)
    angle = np.arctan2(four.X[:, 1], four.X[:, 0]) % (2 * np.pi)
    np.testing.assert_array_equal(four.y, (angle // (np.pi / 2)).astype(int))

    spirals = toy("spirals", 300, classes=3, noise=0)
    radius = np.linalg.norm(spirals.X, axis=1)
    turn = np.arctan2(spirals.X[:, 1], spirals.X[:, 0]) - radius / 1.2 * 3.5 * np.pi
    arm = turn % (2 * np.pi) / (2 * np.pi / 3)
    np.testing.assert_allclose((arm - spirals.y + 1.5) % 3 - 1.5, 0, atol=1e-4)

    plane = toy("plane", 300, noise=0)
    np.testing.assert_allclose(plane.y, plane.X @ [0.8, -0.5] + 0.2, atol=1e-6)


def test_noise_is_a_standard_deviation() -> None:
    calm, noisy = toy("circles", 4000, noise=0), toy("circles", 4000, noise=0.3)
    np.testing.assert_array_equal(calm.y, noisy.y)
    assert (noisy.X - calm.X).std() == pytest.approx(0.3, rel=0.05)
    plane = toy("plane", 4000, noise=0.4)
    assert (plane.y - plane.X @ [0.8, -0.5] - 0.2).std() == pytest.approx(0.4, rel=0.05)
    blobs = toy("blobs", 4000, noise=0.15)
    for label in range(3):
        assert blobs.X[blobs.y == label].std(0) == pytest.approx([0.25, 0.25], rel=0.1)


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(ValueError, match="did you mean 'spirals'"):
        toy("spiral")
    with pytest.raises(ValueError, match="moons have 2 classes"):
        toy("moons", classes=3)
    with pytest.raises(ValueError, match="2 or 4"):
        toy("xor", classes=3)
    with pytest.raises(ValueError, match="2 to 20"):
        toy("blobs", classes=21)
    for n in (0, 2.5, True):
        with pytest.raises(ValueError, match="number of points"):
            toy("blobs", n)
    for noise in (-1, float("nan")):
        with pytest.raises(ValueError, match="standard deviation"):
            toy("blobs", noise=noise)
