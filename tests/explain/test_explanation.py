"""A map that says nothing is said to say nothing, with the likely cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from nnwidgets.catalogue import text
from nnwidgets.explain.explanation import Explanation


def of(values: Any, method: str = "saliency", **more: Any) -> Explanation:
    given = {"target": 0, "layer": None, "convergence_delta": None, "seconds": 0.0} | more
    return Explanation(values=values, method=method, **given)


@pytest.mark.parametrize(
    ("values", "flaw"),
    [
        (np.zeros((2, 3)), "empty"),
        (np.zeros(0), "empty"),
        (np.full((2, 3), 0.5), "constant"),
        (np.array([[1.0, np.nan]]), "not_finite"),
        (np.array([[1.0, -np.inf]]), "not_finite"),
        (np.array([0.0, 1.0]), None),
        (np.array([2.0]), None),  # one feature is no constant map
        ((np.zeros(3), np.array([0.0, 1.0])), None),
        ((np.zeros(3), np.zeros(2)), "empty"),
        ({"a": np.zeros(3), "b": np.array([np.nan])}, "not_finite"),
        ({}, "empty"),
    ],
)
def test_flaws(values: Any, flaw: str | None) -> None:
    explanation = of(values)
    assert explanation.flaws == flaw
    assert (explanation.flaw_words is None) == (flaw is None)


def test_an_input_that_a_layer_does_not_look_at_is_no_flaw() -> None:
    pair = (np.array([[0.0, 1.0]]), np.full(4, np.nan))
    assert of(pair, "grad_cam", layer="conv").flaws is None
    assert of(pair).flaws == "not_finite"
    blank = (np.full(2, np.nan), np.full(4, np.nan))
    assert of(blank, "grad_cam", layer="conv").flaws == "not_finite"


@pytest.mark.parametrize(
    ("explanation", "word"),
    [
        (of(np.array([1.0, np.nan, np.inf])), "2 of 3"),
        (of(np.ones(3), "grad_cam", layer="block4"), "block4"),
        (of(np.ones(3)), "equal"),
        (of(np.zeros(3), "layer_cam", layer="conv"), "only evidence for"),
        (of(np.zeros(3), "integrated_gradients", baseline="zero"), "(zero)"),
        (of(np.zeros(3)), "saturated"),
    ],
)
def test_the_likely_cause_is_said(explanation: Explanation, word: str) -> None:
    assert explanation.flaw_words is not None
    key, params = explanation.flaw_words
    assert word in text(key, **params)
    assert "{" not in text(key, "zh", **params)


@given(arrays(np.float64, array_shapes(max_dims=3, max_side=4)))
def test_any_numbers(values: np.ndarray) -> None:
    flaw = of(values).flaws
    finite = all(abs(number) < np.inf for number in values.ravel().tolist())
    different = set(values.ravel().tolist())
    if not finite:
        assert flaw == "not_finite"
    elif different == {0.0}:
        assert flaw == "empty"
    elif len(different) == 1 and values.size > 1:
        assert flaw == "constant"
    else:
        assert flaw is None


@given(st.integers(0, 3))
def test_the_arrays_keep_their_order(count: int) -> None:
    made = tuple(np.full(2, float(number)) for number in range(count))
    named = {f"b{9 - number}": array for number, array in enumerate(made)}
    for values in (made, named):
        found = of(values).arrays
        assert [array[0] for array in found] == list(range(count))
