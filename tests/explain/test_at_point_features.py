"""One point of many features, on a projection, or of a model whose gradient is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.projection import pca
from nnwidgets.explain.view_plane import Slice
from tests.explain.at_points import POINT, Of, W, X, asked, linear, snapshot, softmax


def brute(model: Callable[[np.ndarray], np.ndarray], at: np.ndarray, f: int, ends: Any) -> float:
    """The nearest value at which the class is another, of a hundred thousand tried; else NaN."""
    values = np.linspace(ends[0], ends[1], 100_001)
    rows = np.repeat(at[None], len(values), 0)
    rows[:, f] = values
    other = model(rows) != model(at[None])[0]
    return float(values[other][np.abs(values[other] - at[f]).argmin()]) if other.any() else np.nan


def test_plotted_features_come_first_and_held_ones_have_no_place() -> None:
    rows = np.random.default_rng(5).normal(size=(80, 5))
    rows[:, 4] = 2.0  # never varies: there is nowhere to go
    weights = np.random.default_rng(6).normal(size=(5, 2))
    plane = Slice(rows, (3, 1), feature_names=list("abcde"))
    model = linear(weights, [0.0, 0.3])
    point = np.array([0.2, 0.1, -0.4, 0.3, 2.0])
    found = asked(model, point, plane=plane, snapshot=snapshot(rows))
    spread = np.abs(found.weights) * rows.std(0)
    assert [change.feature for change in found.changes] == [
        3,
        1,
        *sorted((0, 2), key=lambda column: -spread[column]),
    ]
    assert found.feature_names == tuple("abcde")
    assert found.notes == (("explain.point.some_changes", {"count": "4", "total": "5"}),)
    assert np.isfinite(found.fit_weights).all()
    for change, place in zip(found.changes, found.change_places, strict=True):
        f = change.feature
        ends = rows[:, f].min(), rows[:, f].max()
        best = brute(lambda r: (r @ weights + [0, 0.3]).argmax(1), point, f, ends)
        if np.isnan(best):
            assert change.to is None
            assert place is None
            continue
        assert change.to == pytest.approx(best, abs=2e-4)
        if f in (0, 2):
            assert place is None
        else:
            moved = [change.to, 0.1] if f == 3 else [0.3, change.to]
            assert place == pytest.approx(moved)


def test_on_a_projection_a_change_moves_the_place() -> None:
    rows = np.random.default_rng(5).normal(size=(80, 4)) * [3, 2, 1, 0.5]
    plane = pca(rows)
    weights = np.array([[1.0, -1], [0.5, -0.5], [2, 0], [0, 0]])
    point = rows[3]
    found = asked(linear(weights), point, plane=plane, snapshot=snapshot(rows))
    np.testing.assert_allclose(found.place, plane.to_plane(point[None])[0])
    assert found.feature_names == ("x₁", "x₂", "x₃", "x₄")
    assert found.changes[-1].feature == 3  # nothing depends on it
    changed = [change for change in found.changes if change.to is not None]
    assert changed
    for change, place in zip(found.changes, found.change_places, strict=True):
        if change.to is None:
            assert place is None
            continue
        beyond = point.copy()
        beyond[change.feature] = change.to
        assert place == pytest.approx(tuple(plane.to_plane(beyond[None])[0]))


def test_of_many_features_the_fit_and_the_changes_look_at_the_steep_ones() -> None:
    rows = np.random.default_rng(7).normal(size=(200, 100))
    weights = np.random.default_rng(8).normal(size=(100, 3)) / 5
    point = rows[0]
    plane = Slice(rows, (90, 17))
    found = asked(linear(weights), point, plane=plane, snapshot=snapshot(rows))
    p = softmax(point @ weights)
    slopes = ((np.diag(p) - np.outer(p, p)) @ weights.T)[p.argmax()]
    np.testing.assert_allclose(found.weights, slopes, rtol=1e-9)
    steep = np.argsort(-np.abs(slopes) * rows.std(0))
    expected = [90, 17, *[f for f in steep if f not in (90, 17)][:14]]
    assert [change.feature for change in found.changes] == expected
    fitted = np.isfinite(found.fit_weights)
    assert sorted(np.flatnonzero(fitted)) == sorted(expected)
    np.testing.assert_allclose(found.fit_weights[fitted], slopes[fitted], atol=0.03)
    assert found.notes == (("explain.point.some_features", {"count": "16", "total": "100"}),)
    for change in found.changes[:4]:
        f = change.feature
        ends = rows[:, f].min(), rows[:, f].max()
        best = brute(lambda r: (r @ weights).argmax(1), point, f, ends)
        assert (change.to is None) == np.isnan(best)
        if change.to is not None:
            assert change.to == pytest.approx(best, abs=2e-4)


def test_images_go_through_in_their_own_shape() -> None:
    images = np.random.default_rng(9).random((30, 1, 4, 4))
    rows = images.reshape(30, 16)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)).double()
    predictor = Predictor(model.eval(), shape=(1, 4, 4))
    found = asked(model, images[2], predictor=predictor, plane=pca(rows), snapshot=snapshot(rows))
    image = torch.tensor(images[2:3], requires_grad=True)
    p = model(image).softmax(1)[0]
    (gradient,) = torch.autograd.grad(p[p.argmax()], image)
    np.testing.assert_allclose(found.weights, gradient.flatten().numpy(), rtol=1e-9)
    assert found.nearest[0] == 20


def test_where_the_gradient_is_cut_slopes_are_differences_and_it_is_said() -> None:
    model = Of(lambda rows: rows.detach() @ torch.as_tensor(W))
    found = asked(model)
    exact = asked(linear(W))
    assert (found.slope_by, found.notes) == ("differences", (("explain.point.no_gradient", {}),))
    np.testing.assert_allclose(found.weights, exact.weights, rtol=1e-4)
    wide = np.random.default_rng(7).normal(size=(20, 100))
    matrix = torch.as_tensor(np.random.default_rng(8).normal(size=(100, 2)) / 9)
    cut = Of(lambda rows: rows.detach() @ matrix)
    options: dict[str, Any] = {"plane": Slice(wide), "snapshot": snapshot(wide)}
    found = asked(cut, wide[0], **options)
    exact = asked(Of(lambda rows: rows @ matrix), wide[0], **options)
    scale = np.abs(exact.weights).max()
    np.testing.assert_allclose(found.weights, exact.weights, atol=1e-3 * scale)


def test_preprocessing_outside_of_torch_is_seen_through_by_differences() -> None:
    scaler = StandardScaler().fit(X)
    found = asked(linear(W), predictor=Predictor(linear(W), preprocess=scaler.transform))
    z = (POINT - X.mean(0)) / X.std(0)
    p = softmax(z @ W)
    slopes = ((np.diag(p) - np.outer(p, p)) @ W.T / X.std(0))[p.argmax()]
    assert found.slope_by == "differences"
    np.testing.assert_allclose(found.weights, slopes, rtol=1e-4)


def test_preprocessing_in_torch_has_a_gradient() -> None:
    found = asked(linear(W), predictor=Predictor(linear(W), preprocess=lambda rows: rows * 2))
    exact = asked(linear(2 * W))
    assert found.slope_by == "autograd"
    np.testing.assert_allclose(found.weights, exact.weights, rtol=1e-9)


def test_a_network_in_half_precision_has_a_gradient() -> None:
    model = nn.Linear(2, 3)
    with torch.no_grad():
        model.weight.copy_(torch.as_tensor(W.T))
        model.bias.zero_()
    found = asked(model.to(torch.bfloat16).eval())
    assert found.slope_by == "autograd"
    exact = asked(linear(W)).weights
    np.testing.assert_allclose(found.weights, exact, atol=0.02 * np.abs(exact).max())


def test_a_gradient_of_something_else_is_not_believed() -> None:
    """Preprocessing may make other numbers of a tensor than of an array."""

    def scaled(rows: Any) -> Any:
        return rows * 3 if isinstance(rows, np.ndarray) else rows

    found = asked(linear(W), predictor=Predictor(linear(W), preprocess=scaled))
    exact = asked(linear(3 * W))
    assert found.slope_by == "differences"
    np.testing.assert_allclose(found.weights, exact.weights, rtol=1e-4)
