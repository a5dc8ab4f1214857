"""Rules against scikit-learn's own tree, and fidelity and coverage counted again by hand."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from nnwidgets.explain.rules import Rules, fit_rules, rectangle
from nnwidgets.explain.rules_text import read_tree
from nnwidgets.probe.refusal import Refusal
from tests.generators import generators


def boxes(points: np.ndarray) -> np.ndarray:
    """Class 1 where x0 > 0.5 and x1 ≤ −0.25, class 2 where x0 ≤ −1; else class 0."""
    found = np.zeros((len(points), 3)) + 0.1
    label = np.where(
        (points[:, 0] > 0.5) & (points[:, 1] <= -0.25), 1, np.where(points[:, 0] <= -1, 2, 0)
    )
    found[np.arange(len(points)), label] = 0.8
    return found


SQUARE = rectangle([-2, -2], [2, 2])


def test_boxes_are_found_and_written() -> None:
    data = np.random.default_rng(3).uniform(-2, 2, (500, 2))
    rules = fit_rules(
        boxes, SQUARE, data, class_names=["sea", "wood", "hill"], feature_names=["east", "north"]
    )
    assert rules.fidelity > 0.99
    assert rules.score == "agreement"
    assert rules.n_leaves == len(rules.rules) == len(rules.text.splitlines())
    lines = rules.text.splitlines()
    assert any("hill" in line and line.startswith("If east ≤ −1.0") for line in lines)
    wood = next(rule for rule in rules.rules if rule.name == "wood")
    low = {bound.name: bound for bound in wood.bounds}
    assert low["east"].low == pytest.approx(0.5, abs=0.02)
    assert low["north"].high == pytest.approx(-0.25, abs=0.02)
    truth = boxes(data).argmax(1)
    assert wood.coverage == pytest.approx((truth == 1).mean(), abs=0.02)
    assert sum(rule.coverage or 0 for rule in rules.rules) == pytest.approx(1)
    assert "若" in rules.text_in("zh")
    assert rules.text == rules.text_in("en")


def test_fidelity_and_coverage_counted_by_hand() -> None:
    weights = np.random.default_rng(0).normal(size=(2, 3))

    def model(points: np.ndarray) -> np.ndarray:
        return np.asarray(torch.as_tensor(np.sin(2 * points) @ weights * 3).softmax(1))

    data = np.random.default_rng(5).normal(size=(300, 2))
    for depth in (1, 2, 3, 5):
        rules = fit_rules(model, SQUARE, data, max_depth=depth)
        points = np.random.default_rng(99).uniform(-2, 2, (20_000, 2))
        agreement = (model(points).argmax(1) == rules.predict(points)).mean()
        assert rules.fidelity == pytest.approx(agreement, abs=0.02)
        assert rules.n_leaves <= 2**depth
        # Each point has one rule: each row of the masks adds up to one.
        masks = np.stack([rule.holds(points.astype(np.float32)) for rule in rules.rules])
        assert (masks.sum(0) == 1).all()
        shares = []
        for rule, mask in zip(rules.rules, masks, strict=True):
            inside = np.ones(len(data), bool)
            for bound in rule.bounds:
                inside &= (data[:, bound.feature] > bound.low) & (
                    data[:, bound.feature] <= bound.high
                )
            assert rule.coverage == pytest.approx(inside.mean(), abs=0.004)
            assert rule.fidelity is not None
            if mask.sum() > 500:
                same = (model(points[mask]).argmax(1) == rule.answer).mean()
                assert rule.fidelity == pytest.approx(same, abs=0.06)
            shares.append(rule.fidelity * mask.mean())
        assert rules.fidelity == pytest.approx(sum(shares), abs=0.02)
        at = rules.rule_for(points[0])
        assert at.answer == rules.predict(points[:1])[0]
        assert at.holds(points[:1].astype(np.float32)).all()


@settings(max_examples=30)
@given(
    depth=st.integers(1, 5),
    width=st.integers(1, 4),
    kinds=st.integers(0, 4),
    ties=st.booleans(),
    seed=st.integers(0, 999),
)
def test_rules_say_what_the_tree_says(
    depth: int, width: int, kinds: int, ties: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(60, width))
    if ties:
        rows = rows.round()
    tree: Any
    if kinds:
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
        tree.fit(rows, generator.integers(0, kinds, 60))
    else:
        tree = DecisionTreeRegressor(max_depth=depth, random_state=0)
        tree.fit(rows, generator.normal(size=60))
    names = [f"f{n}" for n in range(width)]
    rules = read_tree(tree, names, (), np.ones(width), classes=kinds > 0)
    made = Rules("", 0, "", len(rules), rules, (), width)
    # Also on the thresholds themselves, where single precision shows.
    thresholds = tree.tree_.threshold[tree.tree_.feature >= 0]
    points = generator.normal(size=(200, width))
    if len(thresholds):
        points[:100] = generator.choice(thresholds, (100, width))
    np.testing.assert_array_equal(made.predict(points), tree.predict(points))
    assert len(rules) <= tree.get_n_leaves()
    if kinds:
        answers = [rule.answer for rule in rules]
        assert set(answers) <= set(range(kinds))
    else:
        assert len(rules) == tree.get_n_leaves()


def test_values_have_rules_too() -> None:
    def model(points: np.ndarray) -> np.ndarray:
        return np.asarray(points[:, 0] ** 2 + 0.1 * points[:, 1])

    rules = fit_rules(model, SQUARE, np.zeros((1, 2)), max_depth=2)
    assert rules.score == "own_r2"
    points = np.random.default_rng(7).uniform(-2, 2, (20_000, 2))
    truth, found = model(points), rules.predict(points)
    r2 = 1 - ((truth - found) ** 2).mean() / truth.var()
    assert rules.fidelity == pytest.approx(r2, abs=0.01)
    assert rules.fidelity > 0.75
    for rule in rules.rules:
        mask = rule.holds(points.astype(np.float32))
        assert rule.fidelity is None
        assert rule.error == pytest.approx(
            float(np.sqrt(((truth - found)[mask] ** 2).mean())), rel=0.1
        )
    assert "off the model by" in rules.text
    # One column is a value, too.
    column = fit_rules(lambda p: model(p)[:, None], SQUARE, max_depth=2)
    assert column.score == "own_r2"
    with pytest.raises(ValueError, match="one output"):
        fit_rules(lambda p: np.zeros((len(p), 2)), SQUARE, regression=True)


def test_the_others_are_held_fixed_and_the_plotted_are_even() -> None:
    draw = rectangle([0, 10], [1, 30], features=[2, 0], fixed=[5, 6, 7, 8])
    rows = draw(np.random.default_rng(0), 20_000)
    assert (rows[:, 1] == 6).all()
    assert (rows[:, 3] == 8).all()
    assert rows[:, 2].min() >= 0
    assert rows[:, 2].max() <= 1
    counts, _, _ = np.histogram2d(rows[:, 2], rows[:, 0], bins=5, range=[[0, 1], [10, 30]])
    assert counts.sum() == 20_000
    assert counts.min() > 680
    assert counts.max() < 930

    # A condition on what is held fixed can only come from the data.
    def model(points: np.ndarray) -> np.ndarray:
        first = points[:, 1] > 6.5
        return np.stack([~first, first], 1).astype(float)

    data = np.random.default_rng(1).normal(6, 2, (400, 4))
    rules = fit_rules(model, draw, data, feature_names=["a", "b", "c", "d"])
    assert rules.fidelity == 1
    assert {bound.name for rule in rules.rules for bound in rule.bounds} == {"b"}
    assert all(rule.coverage for rule in rules.rules)


def test_a_model_that_always_says_the_same_has_one_rule() -> None:
    rules = fit_rules(lambda p: np.tile([0.2, 0.8], (len(p), 1)), SQUARE, np.zeros((5, 2)))
    assert rules.text.startswith("Always: class 1 (100 % of the data")
    assert (rules.n_leaves, rules.fidelity) == (1, 1)
    assert rules.notes == (("explain.rules.constant", {}),)
    assert rules.predict(np.zeros((3, 2))).tolist() == [1, 1, 1]
    flat = fit_rules(lambda p: np.full(len(p), 3.5), SQUARE)
    assert flat.fidelity == 1
    assert flat.rules[0].coverage is None
    assert "–" in flat.text


def test_answers_that_are_not_finite_are_left_out_and_said() -> None:
    def some(points: np.ndarray) -> np.ndarray:
        found = boxes(points)
        found[points[:, 0] > 1.5] = np.nan
        return found

    rules = fit_rules(some, SQUARE, [[np.nan, 0], [0, 0]])
    assert rules.notes[0][0] == "explain.rules.some_not_finite"
    assert rules.fidelity > 0.98
    with pytest.raises(Refusal, match="no finite answer"):
        fit_rules(lambda p: np.full((len(p), 2), np.nan), SQUARE)


def test_bad_arguments_are_said() -> None:
    for depth in (0, 2.5, True):
        with pytest.raises(ValueError, match="max_depth"):
            fit_rules(boxes, SQUARE, max_depth=depth)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="feature names"):
        fit_rules(boxes, SQUARE, feature_names=["a"])
    with pytest.raises(ValueError, match="the data must"):
        fit_rules(boxes, SQUARE, np.zeros((3, 5)))
    rules = fit_rules(boxes, SQUARE)
    with pytest.raises(ValueError, match="as the model is asked"):
        rules.predict(np.zeros((3, 5)))
    assert len(rules.predict(torch.zeros(3, 2))) == 3


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.tree", None)
    with pytest.raises(Refusal, match=r"nnwidgets\[rules\]"):
        fit_rules(boxes, SQUARE)


def test_no_global_generator_is_touched() -> None:
    before = generators()
    first, second = fit_rules(boxes, SQUARE, seed=4), fit_rules(boxes, SQUARE, seed=4)
    assert first.text == second.text
    assert generators() == before
