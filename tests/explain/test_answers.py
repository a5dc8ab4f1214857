"""What follows from probabilities: labels, entropies and margins, against the plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.explain.answers import entropies, labels, margins


@given(st.integers(2, 7), st.integers(1, 9), st.integers(0, 2**20))
def test_they_are_what_the_formulas_say(classes: int, points: int, seed: int) -> None:
    raw = np.random.default_rng(seed).gamma(0.3, size=(classes, points))
    shares = raw / raw.sum(0)
    for at in range(points):
        p = [float(value) for value in shares[:, at]]
        ranked = sorted(p, reverse=True)
        assert labels(shares)[at] == p.index(ranked[0])
        by_hand = -sum(value * math.log(value) for value in p if value > 0)
        assert entropies(shares)[at] == pytest.approx(by_hand, abs=1e-12)
        assert margins(shares)[at] == pytest.approx(ranked[0] - ranked[1], abs=1e-12)


@given(st.integers(1, 12), st.integers(0, 2**20))
def test_of_equal_classes_the_first_is_the_label(classes: int, seed: int) -> None:
    shares = np.random.default_rng(seed).integers(0, 3, (classes, 4, 5)) / 4
    np.testing.assert_array_equal(labels(shares), shares.argmax(0))


def test_certainty_and_ignorance() -> None:
    sure = np.array([[1.0], [0.0], [0.0]], dtype=np.float32)
    assert entropies(sure)[0] == 0
    assert margins(sure)[0] == 1
    even = np.full((4, 1), 0.25)
    assert entropies(even)[0] == pytest.approx(math.log(4))
    assert margins(even)[0] == 0
    assert labels(even)[0] == 0


def test_one_class_has_its_probability_for_a_margin() -> None:
    assert margins(np.array([[0.3, 0.9]])).tolist() == [0.3, 0.9]


def test_independent_classes_add_their_entropies() -> None:
    shares = np.array([[0.5], [0.9]])
    by_hand = math.log(2) - 0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert entropies(shares, exclusive=False)[0] == pytest.approx(by_hand)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("classes", [2, 3])
def test_where_a_probability_is_no_number_there_is_no_label(classes: int, bad: float) -> None:
    shares = np.full((classes, 2), 1 / classes)
    shares[1, 1] = bad
    assert labels(shares).tolist() == [0, -1]


def test_an_unknown_probability_has_no_entropy() -> None:
    assert math.isnan(entropies(np.array([[np.nan], [0.5]]))[0])
