"""What travels beside the picture: every field against what was found, sentences word for word."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets._boundary_said import Part, landscape_part, point_part, rules_part
from nnwidgets.explain.at_point import AtPoint, at_point
from nnwidgets.explain.landscape import Landscape, landscape
from nnwidgets.explain.plane_base import Plane
from nnwidgets.explain.point_changes import Change
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.projection import pca
from nnwidgets.explain.rules import Rules, fit_rules, rectangle
from nnwidgets.explain.rules_text import Bound, Rule
from nnwidgets.explain.view_plane import Slice
from nnwidgets.live import wire
from nnwidgets.probe.blocks import decode

FOUND = AtPoint(
    point=np.array([0.5, -1.25]),
    place=np.array([0.5, -1.25]),
    probabilities=np.array([0.2, 0.7, 0.1]),
    spread=np.array([0.05, 0.1, 0.02]),
    value=None,
    label=1,
    true=2,
    target=1,
    total=0.612,
    aleatoric=0.483,
    epistemic=0.129,
    members=30,
    weights=np.array([0.25, -0.5]),
    slope_by="autograd",
    units=np.array([2.0, 0.1]),
    fit_weights=np.array([0.2, np.nan]),
    r2=0.934,
    rule=Rule(0, (Bound(0, "x₁", 0.0, np.inf, 2),), 1, "B", 0.4, 0.95),
    nearest=np.array([7, 3]),
    nearest_y=np.array([1, 0]),
    distances=np.array([0.1234, 2.0]),
    changes=(
        Change(0, 0.92, 0.42, 0, 1e-6, (-2.0, 2.0), 0.1),
        Change(1, None, None, None, None, (-1.2, 1.4), 0.1),
    ),
    change_places=((0.92, -1.25), None),
    by=None,
    class_names=("A", "B"),
    feature_names=("x₁", "x₂"),
    notes=(("explain.point.no_gradient", {}),),
)


def said(found: AtPoint | None = FOUND, **more: Any) -> Part:
    options: dict[str, Any] = {
        "state": "ready",
        "problem": None,
        "at": (0.5, -1.25),
        "id": None,
        "step": 12,
        "classes": ["A", "B"],
        "features": ["x₁", "x₂"],
        "language": "en",
        **more,
    }
    part = point_part(found, **options)
    travels(part)
    return part


def travels(part: Part) -> None:
    """It can be packed: strict JSON, and arrays of the kinds that travel."""
    meta, arrays = part
    json.dumps(meta, allow_nan=False)
    back, given = wire.unpack(wire.pack({"seq": 1, **meta}, arrays))
    assert back.keys() == {"seq", *meta}
    assert given.keys() == arrays.keys()


def test_a_place_of_classes() -> None:
    meta, arrays = said()
    assert meta == {
        "state": "ready",
        "problem": None,
        "at": [0.5, -1.25],
        "point": [["x₁", "0.500"], ["x₂", "−1.25"]],
        "id": None,
        "step": 12,
        "label": 1,
        "true": 2,
        "classes": ["A", "B"],
        "value": None,
        "target": 1,
        "uncertainty": {
            "total": 0.612,
            "aleatoric": 0.483,
            "epistemic": 0.129,
            "members": 30,
            "text": "Uncertainty 0.612 nats: 0.483 from noise in the data, 0.129 because the 30 "
            "models disagree.",
        },
        "weights_text": "By how much the probability of B would rise with one standard deviation "
        "more of each feature, by its slope exactly here. Nearby, a straight line follows the "
        "model closely (R² 0.93; 1 is exactly), so the slopes hold around this place.",
        "r2": 0.934,
        "features": ["x₁", "x₂"],
        "rule": "If x₁ > 0.00: B",
        "rule_fidelity": 0.95,
        "nearest": [
            {"id": 7, "text": "B, 0.123 standard deviations away"},
            {"id": 3, "text": "A, 2.00 standard deviations away"},
        ],
        "changes": [
            {
                "feature": "x₁",
                "text": "x₁ + 0.420 → A",
                "to": 0.92,
                "answer": 0,
                "at": [0.92, -1.25],
            },
            {
                "feature": "x₂",
                "text": "no change of x₂ between −1.20 and 1.40 changes the answer",
                "to": None,
                "answer": None,
                "at": None,
            },
        ],
        "notes": [
            "The model cuts the gradient (detach, no_grad, a step, or preprocessing outside "
            "torch), so slopes are finite differences."
        ],
    }
    for name, values in (
        ("probabilities", [0.2, 0.7, 0.1]),
        ("spread", [0.05, 0.1, 0.02]),
        ("weights", [0.5, -0.05]),  # for one standard deviation of each feature
        ("fit_weights", [0.4, np.nan]),
    ):
        assert arrays[name].dtype == np.float32
        np.testing.assert_allclose(arrays[name], values, rtol=1e-6)


def test_in_chinese() -> None:
    meta, _ = said(language="zh")
    unsure = meta["uncertainty"]
    assert unsure["text"] == (
        "不确定性共 0.612 nat：其中 0.483 来自数据中的噪声，0.129 来自 30 个模型之间的分歧。"
    )
    assert meta["changes"][0]["text"] == "x₁ + 0.420 → A"
    assert meta["changes"][1]["text"] == "x₂ 在 −1.20 到 1.40 之间怎样改变都不会改变回答"
    assert meta["rule"] == "若 x₁ > 0.00：B"
    assert meta["nearest"][0]["text"] == "B，相距 0.123 个标准差"
    assert "“B”的概率" in meta["weights_text"]


def test_nothing_yet_is_a_whole_part_too() -> None:
    full, _ = said()
    meta, arrays = said(None, state="working", at=None, id=4, step=None)
    assert meta.keys() == full.keys()
    assert (meta["state"], meta["at"], meta["id"], arrays) == ("working", None, 4, {})
    failed, _ = said(None, state="failed", problem="It cannot.")
    assert (failed["problem"], failed["at"]) == ("It cannot.", [0.5, -1.25])


def test_without_a_place_it_is_where_the_point_is() -> None:
    assert said(at=None)[0]["at"] == [0.5, -1.25]
    assert said(at=(3, 4))[0]["at"] == [3, 4]


def test_one_model_alone_says_what_it_cannot_tell() -> None:
    alone = replace(FOUND, spread=None, aleatoric=None, epistemic=None, members=0)
    meta, arrays = said(alone)
    unsure = meta["uncertainty"]
    assert unsure["text"] == (
        "Entropy 0.612 nats. One model alone cannot tell noise in the data from what it has not "
        "learned."
    )
    assert (unsure["total"], unsure["aleatoric"], unsure["members"]) == (0.612, None, 0)
    assert "spread" not in arrays


def values(**more: Any) -> AtPoint:
    return replace(
        FOUND,
        probabilities=None,
        label=None,
        true=1.5,
        target=0,
        value=1.23456,
        nearest_y=np.array([0.25, -3.0]),
        spread=np.array([0.2]),
        total=None,
        aleatoric=None,
        epistemic=0.04,
        changes=(Change(0, 0.1, -0.4, 2.5, 1e-6, (-2.0, 2.0), 0.1),),
        change_places=(None,),
        by=0.75,
        rule=Rule(2, (), 1.25, None, 1.0, None, 0.5),
        notes=(),
        **more,
    )


def test_a_place_of_values() -> None:
    meta, arrays = said(values())
    assert (meta["value"], meta["label"], meta["true"]) == (1.23456, None, 1.5)
    assert set(arrays) == {"weights", "fit_weights"}
    assert meta["uncertainty"]["text"] == (
        "The 30 models differ by ±0.200 (one standard deviation); how noisy the data are cannot "
        "be told from them."
    )
    assert meta["weights_text"].startswith("By how much the value would rise")
    (change,) = meta["changes"]
    assert change["text"] == "x₁ − 0.400 → 2.50"
    assert (change["answer"], change["to"], change["at"]) == (None, 0.1, None)
    assert meta["nearest"][1]["text"] == "−3.00, 2.00 standard deviations away"
    assert meta["rule"] == "Always: 1.25 (off by 0.500)"
    assert meta["rule_fidelity"] is None
    assert meta["notes"] == [
        "Another answer is one that differs by 0.750, the standard deviation of the training "
        "points' values."
    ]
    known, _ = said(replace(values(), total=0.1, aleatoric=0.06))
    assert known["uncertainty"]["text"] == (
        "Variance 0.100: 0.0600 from noise in the data, 0.0400 because the 30 models disagree."
    )
    alone = replace(values(), members=0, spread=None, epistemic=None)
    assert said(alone)[0]["uncertainty"] is None


@pytest.mark.parametrize(
    ("r2", "words"),
    [
        (0.9, "closely (R² 0.90"),
        (0.89, "roughly (R² 0.89"),
        (0.5, "roughly (R² 0.50"),
        (0.49, "hardly follows the model (R² 0.49"),
        (-0.2, "(R² −0.20"),
        (None, "the answer does not vary"),
    ],
)
def test_the_fit_is_said_in_words(r2: float | None, words: str) -> None:
    meta, _ = said(replace(FOUND, r2=r2))
    assert words in meta["weights_text"]
    assert meta["r2"] == r2


def test_classes_without_names_and_points_without_labels() -> None:
    meta, _ = said(replace(FOUND, nearest_y=None, rule=None), classes=[])
    assert "the probability of class 1 would rise" in meta["weights_text"]
    assert meta["changes"][0]["text"] == "x₁ + 0.420 → class 0"
    assert meta["nearest"][0]["text"] == "0.123 standard deviations away"
    assert meta["rule"] is None


def test_a_training_point_is_at_its_own_place() -> None:
    here = replace(FOUND, distances=np.array([0.0, 1.0]))
    assert [near["text"] for near in said(here)[0]["nearest"]] == [
        "B, at this very place",
        "A, 1.00 standard deviations away",
    ]
    (first, _) = said(replace(here, nearest_y=None))[0]["nearest"]
    assert first["text"] == "at this very place"


def test_what_changes_nothing_is_not_a_long_list() -> None:
    names = list("abcdefg")
    still = [Change(n, None, None, None, None, (0.0, 1.0), 0.1) for n in range(7)]
    still[4] = Change(4, 0.9, 0.3, 0, 1e-6, (0.0, 1.0), 0.1)
    wide = replace(
        FOUND,
        point=np.arange(7.0),
        weights=np.zeros(7),
        fit_weights=np.zeros(7),
        units=np.ones(7),
        changes=tuple(still),
        change_places=(None,) * 7,
    )
    meta, _ = said(wide, features=names)
    assert [change["text"] for change in meta["changes"]] == [
        "e + 0.300 → A",
        "no change of a, b, c, d … (+2) alone, within the data, changes the answer",
    ]
    few = replace(wide, changes=tuple(still[3:6]), change_places=(None,) * 3)
    assert [change["feature"] for change in said(few, features=names)[0]["changes"]] == [
        "d",
        "e",
        "f",
    ]


def test_a_rule_may_come_later() -> None:
    rules = fitted()
    late, _ = said(replace(FOUND, rule=None), rules=rules)
    own = rules.rule_for(FOUND.point)
    assert late["rule"] == own.said()
    assert late["rule_fidelity"] == own.fidelity
    assert said(rules=rules)[0]["rule"] == "If x₁ > 0.00: B"


def test_a_rule_that_is_wrong_here_is_not_passed_over() -> None:
    assert FOUND.rule is not None
    meta, _ = said(replace(FOUND, notes=(), rule=replace(FOUND.rule, answer=0, name="A")))
    assert meta["rule"] == "If x₁ > 0.00: A"
    assert meta["notes"] == [
        "The rule that applies here says something else than the model: rules follow it only "
        "nearly."
    ]
    assert said(replace(FOUND, notes=()))[0]["notes"] == []


def test_numbers_that_json_does_not_know_are_left_out() -> None:
    odd = replace(FOUND, r2=float("nan"), epistemic=float("inf"), weights=np.array([np.inf, 1]))
    meta, arrays = said(odd)
    assert meta["r2"] is meta["uncertainty"]["epistemic"] is None
    assert arrays["weights"][0] == np.inf


def test_of_hundreds_of_features_those_travel_that_were_looked_at() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 100))
    model = nn.Linear(100, 3).eval()
    points = Snapshot(0, rows, np.zeros(40, int), np.zeros(40, bool), np.arange(40))
    found = at_point(Predictor(model), rows[0], plane=Slice(rows, (5, 50)), snapshot=points)
    names = [f"pixel {n}" for n in range(100)]
    meta, arrays = said(found, features=names, classes=list("abc"))
    columns = [change.feature for change in found.changes]
    assert meta["features"] == [names[column] for column in columns]
    assert len(columns) == 16
    assert meta["point"][0][0] == "pixel 5"
    scaled = found.weights * found.units
    np.testing.assert_allclose(arrays["weights"], scaled[columns], rtol=1e-6)
    scaled = found.fit_weights * found.units
    np.testing.assert_allclose(arrays["fit_weights"], scaled[columns], rtol=1e-6)
    assert np.isfinite(arrays["fit_weights"]).all()


# --- rules ----------------------------------------------------------------------------------------


def thirds(rows: np.ndarray) -> np.ndarray:
    """Class 1 where x₁ > 0.5, class 2 elsewhere where x₂ > 1, else class 0."""
    label = np.where(rows[:, 0] > 0.5, 1, np.where(rows[:, 1] > 1, 2, 0))
    return np.eye(3)[label]


def fitted() -> Rules:
    data = np.random.default_rng(1).uniform(-2, 2, (200, 2))
    return fit_rules(thirds, rectangle([-2, -2], [2, 2]), data, feature_names=["x₁", "x₂"])


def ruled(found: Rules | None, plane: Slice | None, **more: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "state": "ready",
        "problem": None,
        "step": 5,
        "max_depth": 3,
        "rectangle": (-2.0, 2.0, -2.0, 2.0),
        "language": "en",
        **more,
    }
    part = rules_part(found, plane=plane, **options)
    travels(part)
    assert part[1] == {}
    return part[0]


def test_rules_and_where_they_hold() -> None:
    rules = fitted()
    plane = Slice(np.random.default_rng(0).normal(size=(20, 2)))
    meta = ruled(rules, plane)
    assert (meta["fidelity"], meta["score"], meta["max_depth"]) == (
        rules.fidelity,
        "agreement",
        3,
    )
    assert [rule["text"] for rule in meta["rules"]] == [rule.said() for rule in rules.rules]
    assert "agrees" not in meta["rules"][0]["text"]
    for shown, rule in zip(meta["rules"], rules.rules, strict=True):
        assert (shown["answer"], shown["coverage"]) == (rule.answer, rule.coverage)
        assert shown["fidelity"] == rule.fidelity
        # Exactly the places of the picture where it holds lie in its box.
        left, right, bottom, top = shown["box"]
        places = np.random.default_rng(2).uniform(-2, 2, (5000, 2)).astype(np.float32)
        x, y = places.T
        inside = (x > left) & (x <= right) & (y > bottom) & (y <= top)
        np.testing.assert_array_equal(inside, rule.holds(places))
    narrow = ruled(rules, plane, rectangle=(1.0, 2.0, 0.0, 0.5))["rules"]
    assert [rule["box"] for rule in narrow if rule["answer"] != 1] == [None, None]
    assert [rule["box"] for rule in narrow if rule["answer"] == 1] == [[1.0, 2.0, 0.0, 0.5]]
    assert "若" in ruled(rules, plane, language="zh")["rules"][0]["text"]


def test_a_rule_that_a_held_value_contradicts_has_no_box() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 3))
    plane = Slice(rows, (2, 0), {1: 0.25})
    bounds = [
        Bound(1, "b", 0.25, np.inf, 2),  # 0.25 is not above 0.25
        Bound(1, "b", -np.inf, 0.25, 2),
        Bound(1, "b", -1.0, 0.2, 2),
    ]
    across = Bound(2, "c", -1.0, 0.5, 2)
    made = tuple(Rule(n, (bound, across), 0) for n, bound in enumerate(bounds))
    rules = Rules("", 0.5, "agreement", 3, made, (("explain.rules.constant", {}),), 3)
    meta = ruled(rules, plane)
    assert [rule["box"] for rule in meta["rules"]] == [None, [-1.0, 0.5, -2.0, 2.0], None]
    assert meta["notes"] == [
        "The model says nearly the same everywhere here, so one rule holds for all."
    ]
    # Held at a value that single precision rounds: as the rule itself decides.
    held = 0.1
    edge = Slice(rows, (2, 0), {1: held})
    single = float(np.float32(held))
    above = Rule(0, (Bound(1, "b", held, np.inf, 2),), 0)
    holds = bool(above.holds(np.array([[0, held, 0]], np.float32))[0])
    assert holds == (single > held)
    one = Rules("", 0.5, "agreement", 1, (above,), (), 3)
    assert (ruled(one, edge)["rules"][0]["box"] is not None) == holds


def test_on_a_projection_and_without_a_picture_no_rule_has_a_box() -> None:
    rules = fitted()
    plane: Plane = pca(np.random.default_rng(0).normal(size=(20, 3)))
    cut = plane if isinstance(plane, Slice) else None
    assert {rule["box"] for rule in ruled(rules, cut)["rules"]} == {None}
    plane = Slice(np.random.default_rng(0).normal(size=(20, 2)))
    assert {rule["box"] for rule in ruled(rules, plane, rectangle=None)["rules"]} == {None}


def test_rules_of_values_and_none_at_all() -> None:
    plane = Slice(np.random.default_rng(0).normal(size=(20, 2)))
    rules = fit_rules(lambda rows: rows[:, 0], rectangle([-2, -2], [2, 2]), max_depth=1)
    meta = ruled(rules, plane)
    assert (meta["score"], meta["fidelity"]) == ("own_r2", rules.fidelity)
    for shown, rule in zip(meta["rules"], rules.rules, strict=True):
        assert (shown["coverage"], shown["fidelity"]) == (None, None)
        assert shown["text"].startswith(rule.said() + " (off by 0.5")
    none = ruled(None, plane, state="failed", problem="No.")
    assert none.keys() == meta.keys()
    assert (none["rules"], none["fidelity"], none["problem"]) == ([], None, "No.")


# --- the loss around ------------------------------------------------------------------------------


def around(loss: np.ndarray) -> Landscape:
    steps = np.linspace(-0.5, 0.5, len(loss))
    notes = (("explain.landscape.not_finite", {"count": "1", "total": "9"}),)
    return Landscape(steps, steps, loss, float(loss[1, 1]), ("0.weight",), notes)


def surveyed(found: Landscape | None, **more: Any) -> Part:
    options: dict[str, Any] = {
        "state": "ready",
        "problem": None,
        "step": 3,
        "loss": ("explain.loss.squared", {"count": "40"}),
        "language": "en",
        **more,
    }
    part = landscape_part(found, **options)
    travels(part)
    return part


def test_a_loss_of_many_sizes_is_drawn_by_its_logarithm() -> None:
    loss = np.array([[1.0, 10, 100], [0.5, 0.1, 40], [np.nan, np.inf, 7]])
    meta, arrays = surveyed(around(loss))
    assert meta["log"]
    assert (meta["low"], meta["high"]) == (-1, 2)
    assert (meta["centre"], meta["span"]) == (pytest.approx(0.1), 0.5)
    assert meta["loss_name"] == "Mean squared error on 40 labelled points"
    assert meta["notes"] == ["The loss is not finite at 1 of 9 places."]
    assert arrays["loss"].dtype == np.uint8
    back = decode(arrays["loss"], meta["low"], meta["high"])
    np.testing.assert_allclose(back, np.log10(loss), atol=3 / 500 + 1e-12)
    assert arrays["loss"][2, :2].tolist() == [253, 254]
    np.testing.assert_allclose(arrays["alpha"], [-0.5, 0, 0.5])
    assert arrays["beta"].dtype == np.float32


@pytest.mark.parametrize(
    "loss",
    [
        np.array([[1.0, 30.0], [2, 3]]),  # thirty times, not more
        np.array([[0.0, 1000.0], [2, 3]]),  # zero has no logarithm
        np.array([[-1.0, 1000.0], [2, 3]]),
        np.array([[2.0, 2.0], [2, 2]]),
    ],
)
def test_other_losses_are_drawn_as_they_are(loss: np.ndarray) -> None:
    steps = np.array([-1.0, 1.0])
    meta, arrays = surveyed(Landscape(steps, steps, loss, 2.0, (), ()))
    assert not meta["log"]
    assert (meta["low"], meta["high"]) == (loss.min(), loss.max())
    back = decode(arrays["loss"], meta["low"], meta["high"])
    np.testing.assert_allclose(back, loss, atol=np.ptp(loss) / 500 + 1e-12)


def test_a_real_landscape_and_none_at_all() -> None:
    torch.manual_seed(0)
    rows = torch.randn(20, 2)
    found = landscape(nn.Linear(2, 1), lambda module: module(rows).square().mean(), side=5)
    meta, arrays = surveyed(found, loss=None)
    assert meta["loss_name"] == ""
    assert arrays["loss"].shape == (5, 5)
    values = np.log10(found.loss) if meta["log"] else found.loss
    back = decode(arrays["loss"], meta["low"], meta["high"])
    np.testing.assert_allclose(back, values, atol=np.ptp(values) / 500 + 1e-12)
    none, empty = surveyed(None, state="none", step=None)
    assert none.keys() == meta.keys()
    assert (empty, none["loss_name"], none["centre"]) == ({}, "", None)
