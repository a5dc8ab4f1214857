"""What travels beside the picture: every field against what was found, sentences word for word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import nn

from nnwidgets._boundary_said import Part, point_part
from nnwidgets.explain.at_point import AtPoint, at_point
from nnwidgets.explain.point_changes import Change
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.rules_text import Bound, Rule
from nnwidgets.explain.view_plane import Slice
from tests.boundary.ruled import fitted
from tests.boundary.travels import travels

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
