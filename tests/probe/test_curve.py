"""Thinning, scaling and the robust statistics under the rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nnwidgets.probe.curve import LIMIT, TAIL, curve, thin
from nnwidgets.probe.robust import blocks, noise, recovered_rise, smooth, trend
from nnwidgets.probe.sentences import factor, names, number, signed_change, whole

RNG = np.random.default_rng(0)


@given(st.integers(0, 20_000), st.integers(0, 2**32 - 1), st.integers(16, 3000))
def test_thinning_keeps_what_counts(n: int, seed: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    steps, values = np.arange(n) * 3, rng.standard_normal(n)
    values[rng.random(n) < rng.choice([0, 0.01])] = np.nan
    thin_steps, thin_values = thin(steps, values, limit)
    assert len(thin_steps) == len(thin_values) <= max(limit, 16)
    assert len(thin_values) == n or n > limit
    index = (thin_steps / 3).astype(int)
    np.testing.assert_array_equal(values[index], thin_values)
    assert (np.diff(thin_steps) > 0).all()
    if n:
        assert {0, n - 1} <= set(index)
        finite = np.isfinite(values)
        if finite.any():
            assert {np.nanargmin(values), np.nanargmax(values)} <= set(index)
        if not finite.all():
            assert np.argmin(finite) in index


def test_thinning_keeps_noise_and_alternation() -> None:
    values = RNG.standard_normal(100_000)
    _, thinned = thin(np.arange(100_000), values)
    assert noise(thinned) == pytest.approx(noise(values), rel=0.1)
    _, swinging = thin(np.arange(100_000), (-1.0) ** np.arange(100_000))
    assert abs(swinging.mean()) < 0.1


def test_curve_is_scaled_by_a_power_of_two_and_turned_so_that_lower_is_better() -> None:
    steps = np.arange(5)
    loss = curve("val_loss", steps, np.array([5.0, 4.0, np.nan, 3.0, 3.0]))
    assert (loss.base, loss.role, loss.higher, loss.positive) == ("loss", "val", False, True)
    np.testing.assert_array_equal(loss.y, [5 / 8, 4 / 8, 3 / 8, 3 / 8])
    assert loss.steps[loss.best] == 3  # the first of two equal ones
    assert loss.shown(loss.y[0]) == 5
    acc = curve("acc", steps, np.array([0.5, 0.7, 0.9, 0.8, 0.8]))
    assert acc.steps[acc.best] == 2
    assert acc.shown(acc.y[2]) == 0.9


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.0, 1e300, 1.7976931348623157e308])
def test_curve_of_any_size(size: float) -> None:
    made = curve("loss", np.arange(3), np.array([size, -size, size]))
    assert 0.5 <= np.abs(made.y).max() <= 1
    assert made.shown(made.y[1]) == -size


def test_long_curve_keeps_its_tail_whole() -> None:
    values = RNG.standard_normal(50_000)
    made = curve("loss", np.arange(50_000), values)
    assert len(made) <= LIMIT
    assert made.points(len(made)) == 50_000
    np.testing.assert_array_equal(made.tail * 2.0**made.exponent, values[-TAIL:])


def test_noise_ignores_trend_and_outliers() -> None:
    clean = 0.01 * RNG.standard_normal(2000)
    assert noise(clean) == pytest.approx(0.01, rel=0.1)
    wild = clean + np.linspace(5, 0, 2000)
    wild[::100] += 3
    assert noise(wild) == pytest.approx(0.01, rel=0.15)


def test_trend_is_kendalls() -> None:
    y = RNG.standard_normal(24).cumsum()
    tau = stats.kendalltau(np.arange(24), y)
    expected = stats.norm.isf(tau.pvalue / 2) * np.sign(tau.statistic)
    assert trend(y) == pytest.approx(expected, abs=0.4)  # exact there, normal here
    z = [trend(RNG.standard_normal(240)) for _ in range(400)]
    assert np.std(z) == pytest.approx(1, abs=0.12)
    assert np.mean(z) == pytest.approx(0, abs=0.15)


def test_smooth_is_the_running_median() -> None:
    y = RNG.standard_normal(50)
    for i in range(2, 48):
        assert smooth(y, 5)[i] == np.median(y[i - 2 : i + 3])
    assert len(smooth(y, 6)) == 50
    np.testing.assert_array_equal(smooth(y[:2], 5), y[:2])


def test_blocks_are_medians_of_the_newest_points() -> None:
    np.testing.assert_array_equal(blocks(np.arange(11.0), 3), [3, 6, 9])
    np.testing.assert_array_equal(blocks(np.arange(3.0), 9), [0, 1, 2])


@given(st.lists(st.floats(-10, 10), max_size=30))
def test_recovered_rise_is_the_obvious_one(values: list[float]) -> None:
    y = np.array(values)
    slow = 0.0
    for i in range(len(y)):
        for j in range(i):
            # Risen from j to i, and at or below the level of j again later.
            if (y[i + 1 :] <= y[: i + 1].min() + 1e-12).any() and y[j] == y[: i + 1].min():
                slow = max(slow, y[i] - y[j])
    assert recovered_rise(y) == pytest.approx(slow, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (0.2123, "0.212"), (2.3, "2.30"), (12.34, "12.3"), (999.4, "999"),
     (1000, "1,000"), (123456, "123,456"), (1.5e7, "1.5e7"), (1.234e-7, "1.23e−7"),
     (-0.5, "−0.500"), (float("nan"), "NaN"), (float("inf"), "∞"), (float("-inf"), "−∞"),
     (0.001, "0.00100"), (9.999, "10.0"), (999.9, "1,000"), (5e-324, "4.94e−324")],
)  # fmt: skip
def test_number(value: float, written: str) -> None:
    assert number(value) == written


def test_other_formats() -> None:
    assert whole(2309.6) == "2,310"
    assert [factor(x) for x in (1.44, 40.2, 4000, 2e7, 0.25)] == [
        "1.4", "40", "4,000", "2e7", "0.250",
    ]  # fmt: skip
    assert signed_change(0.274, 0.212) == "+29 %"
    assert signed_change(0.2, 0.212) == "−5.7 %"
    assert signed_change(-0.2, -0.5) == "+0.300"
    assert signed_change(5.0, 1e-9) == "×5e9"
    assert signed_change(1e308, 5e-324) == "×∞"
    assert names(["a", "b"]) == "a, b"
    assert names(list("abcdefg"), 2) == "a, b … (+5)"
