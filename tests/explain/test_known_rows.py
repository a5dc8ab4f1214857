"""Rows that are known are answered like any others, and nobody writes to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.explain.predictor import Predictor
from nnwidgets.probe.refusal import Refusal


class InPlace(nn.Module):
    """Writes to what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 4)

    def forward(self, x: Any) -> Any:
        x.mul_(2).add_(1)
        return self.inner(x)


@pytest.mark.parametrize("count", [1, 2, 5_000])
@pytest.mark.parametrize("preprocess", [None, lambda rows: rows / 2])
def test_the_answers_are_the_same_again_and_again(count: int, preprocess: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(count, 3))
    before = rows.copy()
    predictor = Predictor(InPlace().eval(), preprocess=preprocess)
    expected: Any = predictor.answer(rows).probabilities
    known = predictor.known(rows)
    for _ in range(2):
        found: Any = predictor.answer(known).probabilities
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(rows, before)


def test_a_model_of_another_type_is_given_that_type() -> None:
    rows = np.random.default_rng(0).normal(size=(9, 3))
    model = nn.Linear(3, 2)
    predictor = Predictor(model.eval())
    known = predictor.known(rows)
    predictor.answer(known)
    double = predictor.on(nn.Linear(3, 2).double())
    found: Any = double.answer(known).probabilities
    expected: Any = double.answer(rows).probabilities
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_they_are_looked_over() -> None:
    predictor = Predictor(nn.Linear(3, 2).eval())
    predictor.answer(np.zeros((2, 3)))
    with pytest.raises(Refusal):
        predictor.known(np.full((2, 3), np.nan))
    with pytest.raises(Refusal):
        predictor.known(np.zeros((2, 4)))
    with pytest.raises(Refusal):
        Predictor(nn.Linear(4, 2).eval(), shape=(4,)).answer(predictor.known(np.zeros((2, 3))))
    with torch.no_grad():
        assert len(predictor.known(np.zeros((2, 3)))) == 2
