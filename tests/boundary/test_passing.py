"""Surfaces in passing say what surfaces and verdicts say that are asked for one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets._boundary_judging import judged
from nnwidgets._boundary_passing import Passing
from nnwidgets.explain.answers import Answers, waiting
from nnwidgets.explain.layer_plane import layer_projection
from nnwidgets.explain.points_store import PointStore
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.surface import surface
from nnwidgets.explain.view_plane import Slice

RECTANGLE = (-2.0, 2.0, -1.0, 3.0)


class Counting(Predictor):
    """Counts how often the model is asked."""

    asked = 0

    def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
        self.asked += 1
        return super().answer(points, check)


def asking(outputs: int, features: int) -> Counting:
    torch.manual_seed(outputs)
    layers = nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, outputs)
    return Counting(nn.Sequential(*layers).eval(), output="regression" if outputs == 1 else None)


@pytest.mark.parametrize(("outputs", "features"), [(3, 2), (2, 5), (1, 2)])
def test_it_is_the_surface_and_the_verdict(outputs: int, features: int) -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(40, features))
    y = generator.normal(size=40) if outputs == 1 else np.arange(40) % outputs
    points = PointStore(X, y).snapshot()
    plane, predictor, passing = Slice(X, (0, 1)), asking(outputs, features), Passing()
    for turn in range(2):  # the second time with places that are known
        with torch.no_grad():
            for parameter in predictor.root.parameters():
                parameter.add_(0.1)
        before = predictor.asked
        made, verdict = passing.ask(predictor, plane, RECTANGLE, 24, points, 30)
        assert predictor.asked == before + 1, f"asked more than once in turn {turn}"
        expected = surface(predictor, plane, 24, RECTANGLE)
        told = judged(points, predictor, plane, 30, waiting)
        assert verdict is not None
        assert told is not None
        for name in ("x", "y", "probabilities", "values", "label", "entropy"):
            one, other = getattr(made, name), getattr(expected, name)
            assert (one is None) == (other is None)
            if one is not None:
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(verdict.places, told.places)
        np.testing.assert_allclose(verdict.said, told.said, rtol=1e-5, atol=1e-6)
        assert verdict.train == pytest.approx(told.train)


def test_another_rectangle_has_other_places() -> None:
    X = np.zeros((2, 2))
    X[1] = 1.0
    points, plane, passing = PointStore(X).snapshot(), Slice(X, (0, 1)), Passing()
    predictor = asking(2, 2)
    passing.ask(predictor, plane, RECTANGLE, 8, points, 10)
    made, _ = passing.ask(predictor, plane, (0.0, 1.0, 0.0, 1.0), 8, points, 10)
    assert made.rectangle == (0.0, 1.0, 0.0, 1.0)
    expected = surface(predictor, plane, 8, (0.0, 1.0, 0.0, 1.0))
    assert made.probabilities is not None
    assert expected.probabilities is not None
    np.testing.assert_allclose(made.probabilities, expected.probabilities, rtol=1e-5)


def test_without_points_there_is_no_verdict() -> None:
    X = np.array([[0.0, 0.0], [1.0, 1.0]])
    store = PointStore(X)
    store.clear()
    plane = Slice(X, (0, 1))
    made, verdict = Passing().ask(asking(3, 2), plane, RECTANGLE, 8, store.snapshot(), 10)
    assert verdict is None
    assert made.probabilities is not None


def test_where_points_are_follows_a_plane_that_asks_the_model() -> None:
    """A layer's view moves with the weights; only a slice may be remembered."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 4))
    points, predictor, passing = PointStore(X).snapshot(), asking(3, 4), Passing()
    plane = layer_projection(predictor, "0", X)
    for _ in range(2):
        _, verdict = passing.ask(predictor, plane, RECTANGLE, 8, points, 30)
        assert verdict is not None
        np.testing.assert_allclose(verdict.xy, plane.to_plane(X))
        with torch.no_grad():
            predictor.root[0].weight.mul_(1.5)  # type: ignore[index]


def test_points_that_were_edited_are_asked_anew() -> None:
    X = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.5]])
    store, passing, predictor = PointStore(X, np.array([0, 1, 2])), Passing(), asking(3, 2)
    plane = Slice(X, (0, 1))
    passing.ask(predictor, plane, RECTANGLE, 8, store.snapshot(), 30)
    store.move([int(store.snapshot().ids[0])], np.array([[5.0, -7.0]]))
    _, verdict = passing.ask(predictor, plane, RECTANGLE, 8, store.snapshot(), 30)
    told = judged(store.snapshot(), predictor, plane, 30, waiting)
    assert verdict is not None
    assert told is not None
    np.testing.assert_array_equal(verdict.xy, [[5.0, -7.0], [1.0, 1.0], [-1.0, 0.5]])
    np.testing.assert_array_equal(verdict.said, told.said)
    assert verdict.train == told.train
