"""Surfaces: against scikit-learn's on the same grid, and against the model asked at each place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.inspection import DecisionBoundaryDisplay
from torch import nn

from nnwidgets.explain.answers import Answers
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.projection import pca
from nnwidgets.explain.surface import VIEWS, grid, lines, surface, surface_of
from nnwidgets.explain.view_plane import Slice
from nnwidgets.probe.refusal import Refusal

X = np.random.default_rng(0).normal(size=(60, 2)) * [1, 3] + [2, 0]


def net(outputs: int, features: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, outputs)).eval()


class AsClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A torch model as scikit-learn wants it."""

    def __init__(self, model: nn.Module, classes: int) -> None:
        self.model = model
        self.classes_ = np.arange(classes)
        self.n_features_in_ = 2

    def fit(self, points: Any, y: Any = None) -> Any:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, points: Any) -> Any:
        with torch.no_grad():
            scores = self.model(torch.tensor(points, dtype=torch.float32))
        if scores.shape[1] == 1:
            scores = torch.cat([torch.zeros_like(scores), scores], 1)
        return scores.softmax(1).numpy()

    def predict(self, points: Any) -> Any:
        return self.predict_proba(points).argmax(1)


class AsRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def fit(self, points: Any, y: Any = None) -> Any:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, points: Any) -> Any:
        with torch.no_grad():
            return self.model(torch.tensor(points, dtype=torch.float32))[:, 0].numpy()


def theirs(estimator: Any, how: str, **options: Any) -> Any:
    """The surface of scikit-learn, not drawn."""

    from matplotlib.figure import Figure

    return DecisionBoundaryDisplay.from_estimator(
        estimator, X, grid_resolution=40, eps=0.5, response_method=how, ax=Figure().subplots(),
        **options,
    )  # fmt: skip


RECTANGLE = (X[:, 0].min() - 0.5, X[:, 0].max() + 0.5, X[:, 1].min() - 0.5, X[:, 1].max() + 0.5)


@pytest.mark.parametrize("outputs", [1, 2, 3, 7])
def test_classes_are_as_scikit_learn_has_them(outputs: int) -> None:
    model = net(outputs)
    classes = max(outputs, 2)
    found = surface(Predictor(model, classes=classes), Slice(X), 40, RECTANGLE)
    assert found.probabilities is not None
    assert found.probabilities.shape == (classes, 40, 40)
    estimator = AsClassifier(model, classes)
    for k in range(classes):
        display = theirs(estimator, "predict_proba", class_of_interest=k)
        np.testing.assert_allclose(display.xx0[0], found.x)
        np.testing.assert_allclose(display.xx1[:, 0], found.y)
        np.testing.assert_allclose(display.response, found.probabilities[k], atol=1e-6)
    assert found.label is not None
    assert found.label.dtype.kind == "i"
    assert np.array_equal(theirs(estimator, "predict").response, found.label)


def test_values_are_as_scikit_learn_has_them() -> None:
    model = net(1)
    found = surface(Predictor(model), Slice(X), 40, RECTANGLE)
    assert found.values is not None
    np.testing.assert_allclose(
        theirs(AsRegressor(model), "predict").response, found.values[0], atol=1e-6
    )
    assert (found.label, found.entropy, found.probabilities, found.margin) == (None,) * 4
    assert found.views == ("value",)


def test_every_place_is_the_model_asked_there() -> None:
    """More features than two, rows and columns of different number, and axes that are turned."""
    data = np.random.default_rng(1).normal(size=(30, 4))
    plane = Slice(data, (3, 1), {0: 0.5})
    model = net(3, 4).double()
    found = surface(Predictor(model), plane, (7, 5), (-1, 2, -3, 1))
    assert found.probabilities is not None
    assert found.label is not None
    assert found.entropy is not None
    assert found.margin is not None
    assert found.probabilities.shape == (3, 5, 7)
    for i, y in enumerate(np.linspace(-3, 1, 5)):
        for j, x in enumerate(np.linspace(-1, 2, 7)):
            point = torch.tensor([[0.5, y, np.median(data[:, 2]), x]])
            with torch.no_grad():
                p = model(point).softmax(1)[0].numpy()
            np.testing.assert_allclose(found.probabilities[:, i, j], p, rtol=1e-10)
            assert found.label[i, j] == p.argmax()
            assert found.entropy[i, j] == pytest.approx(-(p * np.log(p)).sum())
            assert found.margin[i, j] == pytest.approx(np.sort(p)[-1] - np.sort(p)[-2])


def test_images_through_a_projection() -> None:
    from sklearn.datasets import load_digits

    images = load_digits().images[:, None]
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 10)).eval()
    plane = pca(images)
    found = surface(Predictor(model, shape=(1, 8, 8)), plane, 9)
    assert found.rectangle == pytest.approx(plane.rectangle)
    place = np.array([[found.x[2], found.y[6]]])
    with torch.no_grad():
        image = torch.tensor(plane.to_inputs(place).reshape(1, 1, 8, 8)).float()
        p = model(image).softmax(1)[0].numpy()
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities[:, 6, 2], p, atol=1e-5)


def test_a_model_that_breaks_somewhere() -> None:
    class Broken(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.log(x)

    found = surface(Predictor(Broken()), Slice(X), 12, (-1, 1, -1, 1))
    assert found.label is not None
    outside = (grid(found.x, found.y) < 0).any(1).reshape(12, 12)
    assert np.array_equal(found.label == -1, outside)


# --- views ----------------------------------------------------------------------------------------


def made(classes: int, **more: Any) -> Any:
    shares = np.random.default_rng(0).dirichlet(np.ones(classes), size=12)
    return surface_of(np.arange(4.0), np.arange(3.0), Answers(shares, **more))


def test_probability_of_which_class() -> None:
    two, three = made(2), made(3)
    assert np.array_equal(two.view("probability"), two.probabilities[1])
    assert np.array_equal(three.view("probability"), three.probabilities.max(0))
    for k in range(3):
        assert np.array_equal(three.view("probability", k), three.probabilities[k])
    with pytest.raises(Refusal, match="class or output 3: they go from 0 to 2"):
        three.view("probability", 3)


def test_each_view_of_classes() -> None:
    uncertain = made(3, epistemic=np.arange(12.0), aleatoric=np.ones(12))
    assert uncertain.views == VIEWS[:6]
    for name in VIEWS[:6]:
        assert uncertain.view(name).shape == (3, 4)
    assert uncertain.view("epistemic")[2, 1] == 9
    assert np.array_equal(uncertain.view("label"), uncertain.probabilities.argmax(0))
    with pytest.raises(Refusal, match="no picture of the kind epistemic; it has probability"):
        made(3).view("epistemic")
    with pytest.raises(ValueError, match="view must be one of"):
        made(3).view("heat")


def test_uncertain_values() -> None:
    values = np.arange(24.0).reshape(12, 2)
    found = surface_of(np.arange(4.0), np.arange(3.0), Answers(None, values, epistemic=values + 1))
    assert found.views == ("epistemic", "value")
    assert found.view("value", 1)[1, 2] == values[6, 1]
    assert found.view("value")[1, 2] == values[6, 0]
    assert found.view("epistemic", 1)[1, 2] == values[6, 1] + 1


def test_independent_classes_add_their_entropies() -> None:
    shares = np.full((12, 2), 0.5)
    found = surface_of(np.arange(4.0), np.arange(3.0), Answers(shares, exclusive=False))
    assert found.entropy == pytest.approx(np.full((3, 4), 2 * np.log(2)))


# --- where ----------------------------------------------------------------------------------------


def test_lines_reach_both_ends() -> None:
    assert len(lines((0, 1, -2, 2), np.int64(7))[1]) == 7
    x, y = lines((0, 1, -2, 2), (3, 5))
    assert x.tolist() == [0, 0.5, 1]
    assert y.tolist() == [-2, -1, 0, 1, 2]
    assert grid(x, y)[4].tolist() == [0.5, -1]


@pytest.mark.parametrize("bad", [(1, 1, 0, 1), (0, 1, 1, 0), (0, np.nan, 0, 1), (0, np.inf, 0, 1)])
def test_a_rectangle_that_is_none(bad: Any) -> None:
    with pytest.raises(Refusal, match="empty or not finite"):
        lines(bad, 10)


def test_wrong_calls() -> None:
    with pytest.raises(TypeError, match="four numbers"):
        lines((0, 1, 2), 10)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 2"):
        lines((0, 1, 0, 1), 1)
    for bad in (10.5, "ab", (3, 4, 5)):
        with pytest.raises(TypeError, match="resolution must be a whole number or two"):
            lines((0, 1, 0, 1), bad)  # type: ignore[arg-type]


def test_it_can_be_cancelled() -> None:
    def check() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        surface(Predictor(net(2)), Slice(X), 10, check=check)
