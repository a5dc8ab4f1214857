"""What is said of one place, and in rules: recomputed by hand; clicks and verbs say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from tests.boundary.conftest import (
    Make,
    asked,
    click,
    cloud,
    entropy,
    finished,
    part,
    refused,
    small_net,
    softmax,
)
from tests.training import Training


@pytest.fixture
def learned(training: Training) -> Training:
    for _ in range(80):
        training.step()
    training.optimizer.zero_grad(set_to_none=True)
    return training


@pytest.fixture
def plot(learned: Training, make: Make) -> DecisionBoundaryPlot:
    return make(learned.model, learned.x, learned.y, class_names=["red", "green", "blue"])


# -- rules ---------------------------------------------------------------------------------------


def fresh(plot: DecisionBoundaryPlot, count: int = 20_000) -> np.ndarray:
    """Points drawn evenly from the picture, by another generator than the rules'."""
    left, right, bottom, top = plot.surface().rectangle
    return np.random.default_rng(77).uniform((left, bottom), (right, top), (count, 2))


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_fidelity_is_the_agreement_on_new_points(
    plot: DecisionBoundaryPlot, learned: Training, depth: int
) -> None:
    rules = plot.rules(max_depth=depth)
    rows = fresh(plot)
    model = asked(learned.model, rows).argmax(1)
    said = rules.predict(rows)
    assert rules.fidelity == pytest.approx((said == model).mean(), abs=0.02)
    assert rules.n_leaves <= 2**depth
    assert len(rules.text.splitlines()) == rules.n_leaves
    assert "red" in rules.text or "green" in rules.text or "blue" in rules.text
    single = rows.astype(np.float32)
    for rule in rules.rules:
        holds = rule.holds(single)
        if rule.fidelity is not None and holds.sum() > 500:
            assert rule.fidelity == pytest.approx((model[holds] == rule.answer).mean(), abs=0.05)
        assert rule.coverage == pytest.approx(rule.holds(learned.x.numpy()).mean())
        assert (said[holds] == rule.answer).all()
    assert sum(rule.coverage or 0 for rule in rules.rules) == pytest.approx(1)


def test_rules_of_values(make: Make) -> None:
    torch.manual_seed(0)
    model = small_net(1)
    x, _ = cloud()
    plot = make(model, x, x[:, 0])
    rules = plot.rules(max_depth=4)
    rows = fresh(plot)
    assert rules.score == "own_r2"
    assert rules.fidelity == pytest.approx(
        r2_score(asked(model, rows)[:, 0], rules.predict(rows)), abs=0.02
    )


def test_rules_hold_the_other_features_where_the_picture_does(make: Make) -> None:
    torch.manual_seed(0)
    model = small_net(3, 4)
    x, y = cloud(60, 4)
    plot = make(model, x, y, features=(1, 3), fixed={0: 1.0, 2: "mean"})
    rules = plot.rules(max_depth=3)
    assert {bound.feature for rule in rules.rules for bound in rule.bounds} <= {0, 1, 2, 3}
    rows = np.zeros((20_000, 4))
    rows[:, [1, 3]] = fresh(plot)
    rows[:, 0], rows[:, 2] = 1.0, float(x[:, 2].mean())
    assert rules.fidelity == pytest.approx(
        (rules.predict(rows) == asked(model, rows).argmax(1)).mean(), abs=0.02
    )


def test_rules_are_of_the_committee_where_there_is_one(make: Make, training: Training) -> None:
    nets = [small_net() for _ in range(3)]
    plot = make(training.model, training.x, training.y, uncertainty=nets)
    rules = plot.rules(max_depth=3)
    rows = fresh(plot)
    mean = np.mean([softmax(asked(net, rows)) for net in nets], axis=0)
    assert rules.fidelity == pytest.approx((rules.predict(rows) == mean.argmax(1)).mean(), abs=0.02)


def test_clicked_rules_are_those_of_the_verb(plot: DecisionBoundaryPlot) -> None:
    click(plot, "rules", on=True, max_depth=2)
    finished(plot)
    meta, _ = part(plot, "_rules")
    assert (meta["state"], meta["max_depth"], meta["score"]) == ("ready", 2, "agreement")
    verb = plot.rules(max_depth=2)
    assert meta["fidelity"] == pytest.approx(verb.fidelity)
    assert len(meta["rules"]) == verb.n_leaves
    left, right, bottom, top = plot.surface().rectangle
    area = 0.0
    for told, rule in zip(meta["rules"], verb.rules, strict=True):
        assert told["answer"] == rule.answer
        assert told["coverage"] == pytest.approx(rule.coverage)
        low, high, down, up = told["box"]
        assert left <= low < high <= right
        assert bottom <= down < up <= top
        area += (high - low) * (up - down)
        inside = np.array([[(low + high) / 2, (down + up) / 2]])
        assert verb.predict(inside)[0] == rule.answer
    assert area == pytest.approx((right - left) * (top - bottom))  # they tile the picture
    click(plot, "rules", on=False)
    assert part(plot, "_rules")[0]["state"] == "none"
    assert part(plot, "_rules")[0]["rules"] == []


@pytest.mark.parametrize("depth", [0, -1, True, "a", None])
def test_depths_that_cannot_be_meant(plot: DecisionBoundaryPlot, depth: Any) -> None:
    refused(lambda: plot.rules(max_depth=depth))
    refused(lambda: plot.rules(max_depth=2.5))
    click(plot, "rules", on=True, max_depth=depth)
    assert part(plot, "_rules")[0]["state"] == "none"


def test_rules_in_another_language(learned: Training, make: Make) -> None:
    plot = make(learned.model, learned.x, learned.y, language="zh")
    plot.rules(max_depth=2)
    said = part(plot, "_rules")[0]["rules"][0]["text"]
    assert any("一" <= sign <= "鿿" for sign in said)


# -- one place -----------------------------------------------------------------------------------


def slope(model: nn.Module, row: Any, target: int) -> np.ndarray:
    """Central differences of the target's probability, in double precision."""
    double = small_net().double()
    double.load_state_dict(model.state_dict())
    double.eval()
    found = []
    for column in range(2):
        ends = []
        for sign in (1, -1):
            moved = torch.tensor(np.asarray(row, np.float64))[None].clone()
            moved[0, column] += sign * 1e-5
            with torch.no_grad():
                ends.append(double(moved).softmax(1)[0, target].item())
        found.append((ends[0] - ends[1]) / 2e-5)
    return np.array(found)


def test_what_is_said_of_a_point(plot: DecisionBoundaryPlot, learned: Training) -> None:
    row = learned.x[7].numpy()
    found = plot.explain(row)
    shares = softmax(asked(learned.model, row[None]))[0]
    np.testing.assert_allclose(found.probabilities, shares, atol=1e-6)
    assert found.label == shares.argmax()
    assert found.total == pytest.approx(entropy(shares), abs=1e-5)
    assert (found.members, found.spread, found.epistemic) == (0, None, None)
    np.testing.assert_allclose(found.weights, slope(learned.model, row, found.label), atol=1e-4)
    np.testing.assert_allclose(found.place, row, rtol=1e-6)
    rows = learned.x.numpy().astype(np.float64)
    away = np.sqrt((((rows - row) / rows.std(0)) ** 2).sum(1))
    assert found.nearest[0] == 7
    np.testing.assert_allclose(found.distances, np.sort(away)[: len(found.nearest)], rtol=1e-3)
    np.testing.assert_array_equal(found.nearest_y, learned.y.numpy()[found.nearest])
    rule = plot.rules(max_depth=3).rule_for(row)
    assert found.rule is not None
    assert (found.rule.answer, found.rule.bounds) == (rule.answer, rule.bounds)


def test_a_change_that_is_told_changes_the_answer_and_less_does_not(
    plot: DecisionBoundaryPlot, learned: Training
) -> None:
    told = 0
    for row in learned.x.numpy()[:12]:
        found = plot.explain(row)
        for change, place in zip(found.changes, found.change_places, strict=True):
            moved = row.astype(np.float64).copy()
            if change.to is None:
                for value in np.linspace(*change.searched, 60):
                    moved[change.feature] = value
                    assert asked(learned.model, moved[None]).argmax(1)[0] == found.label
                continue
            told += 1
            beyond = change.to + 1e-3 * np.sign(change.change)
            moved[change.feature] = beyond
            assert asked(learned.model, moved[None]).argmax(1)[0] == change.answer != found.label
            assert place is not None
            assert place[change.feature] == pytest.approx(change.to)
            for share in np.linspace(0, 0.97, 15):
                for sign in (1, -1):  # no smaller change either way
                    at = row[change.feature] + sign * share * abs(change.change)
                    if change.searched[0] <= at <= change.searched[1]:
                        moved[change.feature] = at
                        assert asked(learned.model, moved[None]).argmax(1)[0] == found.label
    assert told > 5


def test_a_clicked_place_is_told_as_the_verb_tells_it(
    plot: DecisionBoundaryPlot, learned: Training
) -> None:
    part(plot, "_surface")
    click(plot, "point", at=[0.25, -0.5])
    finished(plot)
    meta, arrays = part(plot, "_point")
    assert (meta["state"], meta["at"], meta["id"]) == ("ready", [0.25, -0.5], None)
    verb = plot.explain([0.25, -0.5])
    np.testing.assert_allclose(arrays["probabilities"], verb.probabilities, atol=1e-6)
    np.testing.assert_allclose(arrays["weights"], verb.weights * verb.units, atol=1e-6)
    assert meta["label"] == verb.label
    assert meta["classes"] == ["red", "green", "blue"]
    assert meta["true"] is None
    assert [one["id"] for one in meta["nearest"]] == verb.nearest.tolist()
    assert meta["rule"] is not None
    assert (meta["r2"] is None) == (verb.r2 is None)
    assert meta["r2"] == pytest.approx(verb.r2)
    after = part(plot, "_point")[0]
    assert after["at"] == pytest.approx([0.25, -0.5])
    click(plot, "unpoint")
    assert part(plot, "_point")[0]["state"] == "none"


def test_a_drawn_point_is_explained_with_its_label(
    plot: DecisionBoundaryPlot, learned: Training
) -> None:
    part(plot, "_surface")
    at = learned.x[11].tolist()
    click(plot, "point", at=at, id=11)
    finished(plot)
    meta, arrays = part(plot, "_point")
    assert (meta["id"], meta["true"]) == (11, int(learned.y[11]))
    shares = softmax(asked(learned.model, [at]))[0]
    np.testing.assert_allclose(arrays["probabilities"], shares, atol=1e-6)


def test_four_features_by_all_of_them_or_by_the_place(make: Make) -> None:
    torch.manual_seed(0)
    model = small_net(3, 4)
    x, y = cloud(60, 4)
    plot = make(model, x, y, features=(2, 0))
    full = plot.explain(x[5])
    np.testing.assert_allclose(full.probabilities, softmax(asked(model, x[5:6]))[0], atol=1e-6)
    np.testing.assert_allclose(full.place, x[5][[2, 0]], rtol=1e-6)
    place = plot.explain([0.5, -1.0])
    row = np.median(x, axis=0)
    row[2], row[0] = 0.5, -1.0
    np.testing.assert_allclose(place.point, row, rtol=1e-6)
    np.testing.assert_allclose(place.probabilities, softmax(asked(model, row[None]))[0], atol=1e-6)
    assert [len(one.weights) for one in (full, place)] == [4, 4]
    # A drawn point that is clicked is explained with features of its own, not those of the slice.
    part(plot, "_surface")
    click(plot, "point", at=x[5][[2, 0]].tolist(), id=5)
    finished(plot)
    np.testing.assert_allclose(
        part(plot, "_point")[1]["probabilities"], full.probabilities, atol=1e-6
    )


def test_a_value_at_a_point(make: Make) -> None:
    torch.manual_seed(0)
    model = small_net(1)
    x, _ = cloud()
    plot = make(model, x, x[:, 0])
    found = plot.explain(x[2])
    assert found.value == pytest.approx(asked(model, x[2:3])[0, 0], abs=1e-6)
    assert (found.probabilities, found.label) == (None, None)
    meta, _ = part(plot, "_point")
    assert meta["value"] == pytest.approx(found.value)


@pytest.mark.parametrize(
    "point",
    [
        [1.0], [1.0, 2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]], [float("nan"), 0.0],
        [float("inf"), 0.0], "ab", None, 3.0, [],
    ],
)  # fmt: skip
def test_points_that_are_none(plot: DecisionBoundaryPlot, point: Any) -> None:
    refused(lambda: plot.explain(point))
    assert part(plot, "_point")[0]["state"] == "none"
    assert plot._error is None


def test_what_was_said_is_said_anew_when_the_model_has_changed(
    plot: DecisionBoundaryPlot, learned: Training
) -> None:
    part(plot, "_surface")
    click(plot, "point", at=[0.25, -0.5])
    click(plot, "rules", on=True, max_depth=2)
    finished(plot)
    before = part(plot, "_point")[1]["probabilities"]
    for _ in range(5):
        learned.step()
    plot.session.control.end("finished")
    finished(plot)
    meta, arrays = part(plot, "_point")
    assert meta["state"] == "ready"
    assert meta["step"] == plot.session.step == part(plot, "_rules")[0]["step"]
    shares = softmax(asked(learned.model, [[0.25, -0.5]]))[0]
    np.testing.assert_allclose(arrays["probabilities"], shares, atol=1e-6)
    assert not np.array_equal(before, arrays["probabilities"])


def test_what_was_said_follows_the_data(plot: DecisionBoundaryPlot) -> None:
    part(plot, "_surface")
    click(plot, "point", at=[0.25, -0.5])
    finished(plot)
    (name,) = plot.add([0.25, -0.5], 1)
    finished(plot)
    meta, _ = part(plot, "_point")
    assert meta["nearest"][0]["id"] == name
    plot.delete([name])
    finished(plot)
    assert part(plot, "_point")[0]["nearest"][0]["id"] != name
