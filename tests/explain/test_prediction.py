"""Predictions: every number against the model's own, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.explain.answers import Answers
from nnwidgets.explain.committee import Ensemble
from nnwidgets.explain.joint_predictor import JointPredictor
from nnwidgets.explain.prediction import prediction_of
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.surface import grid, surface_of

X = np.random.default_rng(0).normal(size=(30, 2))


def some(array: Any) -> np.ndarray:
    assert array is not None
    return np.asarray(array)


def test_classes_are_read_off_the_probabilities() -> None:
    model = nn.Linear(2, 3).double().eval()
    with torch.no_grad():
        p = model(torch.tensor(X)).softmax(1).numpy()
    found = prediction_of(Predictor(model).answer(X))
    np.testing.assert_allclose(some(found.probabilities), p)
    np.testing.assert_array_equal(some(found.label), p.argmax(1))
    np.testing.assert_allclose(some(found.entropy), -(p * np.log(p)).sum(1))
    ranked = np.sort(p, 1)
    np.testing.assert_allclose(some(found.margin), ranked[:, -1] - ranked[:, -2])
    assert found.values is found.epistemic is found.aleatoric is None
    assert len(found) == 30


def test_as_an_array_it_is_what_the_model_gives() -> None:
    classes = prediction_of(Answers(np.array([[0.2, 0.8]], np.float32)))
    assert np.asarray(classes) is classes.probabilities
    assert np.asarray(classes, np.float64).dtype == np.float64
    again = np.array(classes)
    again[0] = 5
    assert some(classes.probabilities)[0, 1] == np.float32(0.8)
    np.testing.assert_allclose(np.abs(classes).sum(), 1)
    values = prediction_of(Answers(None, np.array([[1.0], [2], [3]])))
    np.testing.assert_array_equal(np.asarray(values), [[1], [2], [3]])
    assert len(values) == 3
    nothing = (values.label, values.entropy, values.margin, values.probabilities)
    assert nothing == (None,) * 4


def test_a_row_that_is_not_finite_has_no_label() -> None:
    found = prediction_of(Answers(np.array([[np.nan, np.nan], [0.9, 0.1]])))
    assert some(found.label).tolist() == [-1, 0]
    assert np.isnan(some(found.entropy)).tolist() == [True, False]


def test_questions_of_their_own_have_entropies_that_add_up() -> None:
    p = np.array([[0.3, 0.9, 0.5]])
    found = prediction_of(Answers(p, exclusive=False))
    by_hand = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(1)
    np.testing.assert_allclose(some(found.entropy), by_hand)


def test_of_a_committee_the_entropy_is_the_total() -> None:
    models: list[nn.Module] = [nn.Linear(2, 3).double().eval() for _ in range(4)]
    found = prediction_of(JointPredictor(Predictor(models[0]), Ensemble(models)).answer(X))
    parts = some(found.epistemic) + some(found.aleatoric)
    np.testing.assert_allclose(some(found.entropy), parts, atol=1e-12)
    assert some(found.epistemic).min() > 0


@pytest.mark.parametrize("classes", [2, 5])
def test_it_agrees_with_the_surface_of_the_same_places(classes: int) -> None:
    x, y = np.linspace(-1, 1, 4), np.linspace(-2, 2, 3)
    answers = Predictor(nn.Linear(2, classes).eval()).answer(grid(x, y))
    found, picture = prediction_of(answers), surface_of(x, y, answers)
    for name in ("label", "entropy", "margin"):
        np.testing.assert_array_equal(
            some(getattr(found, name)).reshape(3, 4), some(getattr(picture, name))
        )
