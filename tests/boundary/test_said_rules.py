"""What is said of rules: their words, where they hold, and that some have no place."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnwidgets._boundary_said import rules_part
from nnwidgets.explain.plane_base import Plane
from nnwidgets.explain.projection import pca
from nnwidgets.explain.rules import Rules, fit_rules, rectangle
from nnwidgets.explain.rules_text import Bound, Rule
from nnwidgets.explain.view_plane import Slice
from tests.boundary.ruled import fitted
from tests.boundary.travels import travels


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
