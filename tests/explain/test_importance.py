"""Permutation importance, against scikit-learn's, shuffle by shuffle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance as sklearn_importance
from sklearn.metrics import r2_score

from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.importance import permutation_importance, scoring
from nnwidgets.probe.refusal import Refusal
from tests.generators import generators


class Given(BaseEstimator):
    """A function, dressed as an estimator."""

    def __init__(self, predict: Any, classifies: bool) -> None:
        self.predict_scores, self.classifies = predict, classifies

    def fit(self, X: Any, y: Any) -> Given:
        return self

    def score(self, X: Any, y: Any) -> float:
        given = self.predict_scores(X)
        if self.classifies:
            return float((given.argmax(1) == y).mean())
        return float(r2_score(y, given))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(2, 30),
    columns=st.integers(1, 6),
    outputs=st.integers(1, 3),
    classes=st.booleans(),
    repeats=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_it_is_scikit_learns(
    rows: int, columns: int, outputs: int, classes: bool, repeats: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    table = generator.normal(size=(rows, columns))
    weights = generator.normal(size=(columns, outputs + classes))
    targets = (
        generator.integers(0, outputs + 1, rows)
        if classes
        else generator.normal(size=(rows, outputs))
    )

    def predict(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(x @ weights))

    name, score = scoring(predict(table), targets, classes=classes)
    ours = permutation_importance(predict, table, score, name=name, repeats=repeats, seed=seed)
    theirs = sklearn_importance(
        Given(predict, classes), table, targets, n_repeats=repeats, random_state=seed
    )
    np.testing.assert_allclose(ours.raw, theirs.importances, atol=1e-12)
    np.testing.assert_allclose(ours.mean, theirs.importances_mean, atol=1e-12)
    np.testing.assert_allclose(ours.spread, theirs.importances_std, atol=1e-12)
    assert ours.score == ("accuracy" if classes else "r2")
    assert ours.count == rows


def test_the_one_column_that_decides_is_found() -> None:
    table = np.random.default_rng(0).normal(size=(200, 4))

    def predict(x: np.ndarray) -> np.ndarray:
        return x[:, 2]  # one logit

    name, score = scoring(predict(table), table[:, 2] > 0, classes=True)
    found = permutation_importance(predict, table, score, name=name)
    assert found.base == 1
    assert found.mean[2] == pytest.approx(0.5, abs=0.05)  # a coin is right half of the time
    assert not found.mean[[0, 1, 3]].any()


@pytest.mark.parametrize(("classes", "name"), [(True, "agreement"), (False, "own_r2")])
def test_without_targets_the_model_is_held_against_itself(classes: bool, name: str) -> None:
    table = np.random.default_rng(1).normal(size=(50, 3))
    outputs = np.stack([table[:, 0], -table[:, 0]], 1)
    found_name, score = scoring(outputs, None, classes=classes)
    assert found_name == name
    assert score(outputs) == 1
    assert score(outputs[::-1]) < 0.9


def test_an_output_that_never_varies_has_no_r2_to_lose() -> None:
    flat = np.full((5, 1), 3.0)
    _, score = scoring(flat, None, classes=False)
    assert score(flat) == 1
    assert score(flat + 1) == 0


def test_nothing_is_changed_and_no_other_generator_drawn_from() -> None:
    table = np.random.default_rng(2).normal(size=(20, 3))
    before, drawn = table.copy(), generators()
    permutation_importance(lambda x: x[:, 0], table, lambda given: float(given[0]))
    np.testing.assert_array_equal(table, before)
    assert generators() == drawn


def test_progress_runs_to_one_and_can_stop_it() -> None:
    table = np.zeros((4, 3))
    told: list[float] = []
    permutation_importance(
        lambda x: x[:, 0], table, lambda given: 0.0, repeats=2, progress=told.append
    )
    assert told == pytest.approx([n / 6 for n in range(1, 7)])

    def stop(fraction: float) -> None:
        if fraction > 0.4:
            raise Cancelled

    seen = []

    def predict(x: np.ndarray) -> np.ndarray:
        seen.append(1)
        return x[:, 0]

    with pytest.raises(Cancelled):
        permutation_importance(predict, table, lambda given: 0.0, repeats=2, progress=stop)
    assert len(seen) == 4  # the base, and three shuffles


def test_what_cannot_work_is_said() -> None:
    table = np.zeros((4, 3))
    with pytest.raises(Refusal, match="two"):
        permutation_importance(lambda x: x[:, 0], table[:1], lambda given: 0.0)
    with pytest.raises(ValueError, match="3 axes"):
        permutation_importance(lambda x: x, np.zeros((2, 2, 2)), lambda given: 0.0)
    with pytest.raises(ValueError, match="repeats"):
        permutation_importance(lambda x: x, table, lambda given: 0.0, repeats=0)
    with pytest.raises(ValueError, match="3 targets for 4 rows"):
        scoring(np.zeros((4, 2)), [0, 1, 0], classes=True)
