"""One point, explained: closed forms of linear and quadratic models, brute force for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain import point_data
from nnwidgets.explain.at_point import AtPoint
from nnwidgets.explain.committee import Ensemble
from nnwidgets.explain.committee_answers import CommitteePredictor, committee_for
from nnwidgets.explain.points_store import PointStore
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.rules import fit_rules, rectangle
from nnwidgets.probe.refusal import Refusal
from tests.explain.at_points import POINT, B, Of, W, X, asked, entropy, linear, snapshot, softmax
from tests.generators import generators


def test_a_linear_model_in_closed_form() -> None:
    found = asked(linear(W, B), class_names=["a", "b", "c"])
    p = softmax(POINT @ W + B)
    jacobian = (np.diag(p) - np.outer(p, p)) @ W.T
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, p)
    assert found.label == found.target == p.argmax()
    np.testing.assert_allclose(found.weights, jacobian[p.argmax()], rtol=1e-9)
    assert found.slope_by == "autograd"
    assert found.total == pytest.approx(float(entropy(p)))
    assert (found.aleatoric, found.epistemic, found.members) == (None, None, 0)
    nothing = (found.spread, found.value, found.by, found.rule, found.true)
    assert nothing == (None,) * 5
    np.testing.assert_array_equal(found.place, POINT)
    assert found.feature_names == ("x₁", "x₂")
    assert found.class_names == ("a", "b", "c")
    assert found.r2 is not None
    assert 0.8 < found.r2 <= 1
    np.testing.assert_allclose(found.fit_weights, found.weights, rtol=0.2)
    other = asked(linear(W, B), target=2)
    np.testing.assert_allclose(other.weights, jacobian[2], rtol=1e-9)
    assert other.label == found.label


def test_the_smallest_changes_are_where_scores_are_equal() -> None:
    found = asked(linear(W, B))
    scores, best = POINT @ W + B, found.label
    low, high = X.min(0), X.max(0)
    assert [change.feature for change in found.changes] == [0, 1]
    for change, place in zip(found.changes, found.change_places, strict=True):
        f = change.feature
        ways = [(scores[best] - scores[k]) / (W[f, k] - W[f, best]) for k in range(3) if k != best]
        inside = [way for way in ways if low[f] <= POINT[f] + way <= high[f]]
        assert change.change == pytest.approx(min(inside, key=abs), abs=1e-4)
        assert change.searched == (low[f], high[f])
        beyond = POINT.copy()
        beyond[f] = change.to
        assert place == pytest.approx(tuple(beyond))
        assert change.answer == (beyond @ W + B).argmax() != best


def test_a_quadratic_value_in_closed_form() -> None:
    model = Of(lambda rows: (rows[:, 0] ** 2 + 3 * rows[:, 1])[:, None])
    y = np.random.default_rng(1).normal(0, 0.5, 60)
    found = asked(model, snapshot=snapshot(y=y))
    assert found.value == pytest.approx(POINT[0] ** 2 + 3 * POINT[1])
    nothing = (found.probabilities, found.label, found.total, found.spread)
    assert nothing == (None,) * 4
    np.testing.assert_allclose(found.weights, [2 * POINT[0], 3])
    assert found.by == pytest.approx(y.std())
    first, second = found.changes
    assert first.to == pytest.approx(np.sqrt(POINT[0] ** 2 + y.std()), abs=1e-4)
    # As far to both sides; a hair's breadth decides which is told.
    assert abs(second.change or 0) == pytest.approx(y.std() / 3, abs=1e-4)
    assert asked(model).changes == ()
    assert asked(model).by is None


def test_one_of_several_values_is_explained() -> None:
    model = linear(W, B)
    y = np.zeros(60)
    found = asked(
        model, predictor=Predictor(model, output="regression"), target=1, snapshot=snapshot(y=y)
    )
    assert found.value == pytest.approx(POINT @ W[:, 1])
    np.testing.assert_allclose(found.weights, W[:, 1])
    np.testing.assert_allclose(found.fit_weights, W[:, 1])
    assert found.r2 == pytest.approx(1)
    assert (found.target, found.changes) == (1, ())


# --- several models -------------------------------------------------------------------------------


def both(first: Any, second: Any, **more: Any) -> AtPoint:
    models = [linear(first), linear(second)]
    predictor = Predictor(models[0], classes=2)
    joint = CommitteePredictor(predictor, Ensemble(models))
    return asked(models[0], predictor=predictor, joint=joint, **more)


def test_two_linear_models_by_hand() -> None:
    """Two logistic models: everything is of the mean of their probabilities."""
    w = [np.array([1.0, 2.0]), np.array([3.0, -1.0])]
    found = both(w[0][:, None], w[1][:, None])
    one = np.array([1 / (1 + np.exp(-POINT @ v)) for v in w])
    p = np.stack([1 - one, one], -1)
    assert found.probabilities is not None
    assert found.spread is not None
    np.testing.assert_allclose(found.probabilities, p.mean(0))
    np.testing.assert_allclose(found.spread, [abs(one[0] - one[1]) / 2] * 2)
    assert found.members == 2
    assert found.total == pytest.approx(float(entropy(p.mean(0))))
    assert found.aleatoric == pytest.approx(float(entropy(p).mean()))
    assert found.epistemic == pytest.approx(float(entropy(p.mean(0)) - entropy(p).mean()))
    slopes = np.stack([q * (1 - q) * v for q, v in zip(one, w, strict=True)]).mean(0)
    sign = 1 if one.mean() > 0.5 else -1
    np.testing.assert_allclose(found.weights, sign * slopes, rtol=1e-9)
    assert found.slope_by == "autograd"
    for change in found.changes:
        beyond = POINT.copy()
        beyond[change.feature] = change.to
        mean = np.mean([1 / (1 + np.exp(-beyond @ v)) for v in w])
        assert mean == pytest.approx(0.5, abs=1e-4)
    # A straight fit of the mean, not of either.
    steep = np.linalg.norm(found.fit_weights - found.weights) / np.linalg.norm(found.weights)
    assert steep < 0.4


def test_values_of_several_models_have_a_variance() -> None:
    models = [linear([[1.0], [0.0]]), linear([[3.0], [1.0]])]
    predictor = Predictor(models[0])
    joint = CommitteePredictor(predictor, Ensemble(models))
    found = asked(models[0], predictor=predictor, joint=joint)
    values = np.array([POINT @ [1, 0], POINT @ [3, 1]])
    assert found.value == pytest.approx(values.mean())
    assert found.epistemic == pytest.approx(values.var())
    assert found.aleatoric is found.total is None
    assert found.spread == pytest.approx([values.std()])
    np.testing.assert_allclose(found.weights, [2, 0.5])


@pytest.mark.parametrize("way", ["mc_dropout", "laplace", "snapshots"])
def test_members_made_of_one_model_are_asked_and_nothing_is_left_changed(way: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 3))
    model.double().eval()
    states = [
        {name: value + 0.05 * torch.randn_like(value) for name, value in model.state_dict().items()}
        for _ in range(4)
    ]
    predictor = Predictor(model, classes=3)
    joint = CommitteePredictor(
        predictor, committee_for(way, predictor, data=X, snapshots=states, count=6)
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = generators()
    found = asked(model, predictor=predictor, joint=joint)
    assert generators() == drawn
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert found.members == 6
    assert found.spread is not None
    assert found.spread.max() > 0
    assert found.aleatoric is not None
    assert found.epistemic is not None
    assert found.total == pytest.approx(found.aleatoric + found.epistemic)
    # The mean answer's slope, by differences of what the committee answers.
    step = 1e-5 * np.eye(2)
    sides: Any = [joint.answer(POINT + sign * step).probabilities for sign in (1, -1)]
    by_differences = (sides[0] - sides[1])[:, found.label] / 2e-5
    np.testing.assert_allclose(found.weights, by_differences, rtol=1e-5)


# --- neighbours -----------------------------------------------------------------------------------


def test_neighbours_are_the_nearest_training_points_of_all(monkeypatch: Any) -> None:
    test = np.random.default_rng(3).random(60) < 0.4
    points = snapshot(test=test, y=np.arange(60))
    train = np.flatnonzero(~test)
    scale = X[train].std(0)
    away = np.sqrt((((X[train] - POINT) / scale) ** 2).sum(1))
    order = np.argsort(away)[:5]
    for chunk in (8192, 7):
        monkeypatch.setattr(point_data, "_CHUNK", chunk)
        found = asked(linear(W), snapshot=points)
        assert found.nearest.tolist() == (train[order] * 10).tolist()
        np.testing.assert_allclose(found.distances, away[order])
        assert found.nearest_y is not None
        assert found.nearest_y.tolist() == train[order].tolist()
    assert len(asked(linear(W), snapshot=points, neighbours=2).nearest) == 2
    assert len(asked(linear(W), snapshot=points, neighbours=100).nearest) == len(train)


def test_a_drawn_point_has_a_label_and_is_its_own_neighbour() -> None:
    store = PointStore(X, np.arange(60) % 3, test=(X[:2] + 1, [2, 0]))
    store.delete([4])
    now = store.snapshot()
    found = asked(linear(W), X[7], snapshot=now, drawn=7)
    assert (found.true, int(found.nearest[0]), found.distances[0]) == (1, 7, 0)
    held_out = asked(linear(W), X[0] + 1, snapshot=now, drawn=60)
    assert held_out.true == 2
    assert 60 not in held_out.nearest
    assert asked(linear(W), X[4], snapshot=now, drawn=4).true is None
    values = asked(linear(W[:, :1]), X[7], snapshot=snapshot(y=X[:, 0]), drawn=70)
    assert values.true == X[7, 0]


def test_without_points_there_are_no_neighbours_and_a_change_is_looked_for_in_the_picture() -> None:
    box = (-1.0, 1.0, -2.0, 3.0)
    for points in (None, snapshot(test=np.ones(60, bool))):
        found = asked(linear(W, B), snapshot=points, rectangle=box)
        assert len(found.nearest) == len(found.distances) == 0
        assert [change.searched for change in found.changes] == [(-1, 1), (-2, 3)]
    wide = asked(linear(W, B), rectangle=(-50.0, 50.0, 0.0, 0.1))
    low, high = X.min(0), X.max(0)
    assert [change.searched for change in wide.changes] == [(-50, 50), (low[1], high[1])]


# --- the rest -------------------------------------------------------------------------------------


def test_the_rule_that_applies_comes_with_its_figures() -> None:
    def ask(rows: np.ndarray) -> np.ndarray:
        return softmax(rows @ W + B)

    rules = fit_rules(ask, rectangle([-2, -4], [4, 4]), X)
    found = asked(linear(W, B), rules=rules)
    assert found.rule is not None
    (applies,) = [rule for rule in rules.rules if rule.holds(POINT[None].astype(np.float32))[0]]
    assert found.rule is applies
    assert found.rule.fidelity is not None


def test_it_can_be_ended_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # As many batches each time, however slow the machine was in the first of them.
    monkeypatch.setattr("nnwidgets.explain.predictor._SECONDS", 1000.0)
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    w = np.array([[1.0, -1], [2, 0]])
    both(w, -w, check=count)
    assert calls > 30
    for stop in (1, 5, 12, 20, calls - 1, calls):
        left = stop

        def check() -> None:
            nonlocal left
            left -= 1
            if not left:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            both(w, -w, check=check)


def test_bad_points_are_said_before_anything_is_asked() -> None:
    def fail(rows: Tensor) -> Tensor:
        raise AssertionError

    with pytest.raises(Refusal, match="NaN or an infinity"):
        asked(Of(fail), [0, np.nan])
    with pytest.raises(Refusal, match="3"):
        asked(Of(fail), [0.0, 1, 2])
    with pytest.raises(Refusal, match="not finite"):
        asked(linear(W * np.nan))
    for target in (3, -1):
        with pytest.raises(ValueError, match=f"no target {target}"):
            asked(linear(W), target=target)
    # A torch point and a list are points, too.
    assert asked(linear(W), torch.tensor(POINT)).label == asked(linear(W), POINT.tolist()).label
