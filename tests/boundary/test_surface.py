"""`surface()` against scikit-learn's own picture of the same model, and against plain torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from nnwidgets import DecisionBoundaryPlot
from tests.boundary.conftest import (
    Make,
    asked,
    cloud,
    entropy,
    grid,
    refused,
    small_net,
    softmax,
)


class Classifier(ClassifierMixin, BaseEstimator):
    """A torch model as scikit-learn sees classifiers."""

    def __init__(self, ask: Callable[[Any], np.ndarray], classes: int) -> None:
        self.ask = ask
        self.classes = classes
        self.classes_ = np.arange(classes)
        self.n_features_in_ = 2

    def fit(self, X: Any, y: Any = None) -> Any:
        raise AssertionError("it is fitted already")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, rows: Any) -> np.ndarray:
        return self.ask(rows)

    def predict(self, rows: Any) -> np.ndarray:
        return self.ask(rows).argmax(1)


class Regressor(RegressorMixin, BaseEstimator):
    """A torch model as scikit-learn sees regressors."""

    def __init__(self, ask: Callable[[Any], np.ndarray]) -> None:
        self.ask = ask
        self.n_features_in_ = 2

    def fit(self, X: Any, y: Any = None) -> Any:
        raise AssertionError("it is fitted already")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, rows: Any) -> np.ndarray:
        return self.ask(rows)


def drawn_by_sklearn(estimator: Any, corners: Any, side: int, method: str) -> Any:
    """scikit-learn's surface on the same grid: its own spans the data, less or more by eps."""
    (left, right, bottom, top) = corners
    data = np.array([[left, bottom], [right, top]])
    return DecisionBoundaryDisplay.from_estimator(
        estimator, data, grid_resolution=side, eps=0.0, response_method=method
    )


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_it_is_what_sklearn_draws(make: Make, classes: int) -> None:
    torch.manual_seed(classes)
    model = small_net(classes)
    plot = make(model, *cloud(classes=classes), resolution=40)
    found = plot.surface()
    estimator = Classifier(lambda rows: softmax(asked(model, rows)), classes)
    labels = drawn_by_sklearn(estimator, found.rectangle, 40, "predict")
    np.testing.assert_allclose(labels.xx0[0], found.x)
    np.testing.assert_allclose(labels.xx1[:, 0], found.y)
    assert found.label is not None
    # Where two classes are equal to the last bit either may be first.
    clear = found.margin > 1e-5
    np.testing.assert_array_equal(labels.response[clear], found.label[clear])
    assert clear.mean() > 0.99
    shares = drawn_by_sklearn(estimator, found.rectangle, 40, "predict_proba").response
    assert found.probabilities is not None
    assert found.probabilities.shape == (classes, 40, 40)
    if classes == 2:
        np.testing.assert_allclose(found.probabilities[1], shares, atol=1e-5)
    else:
        np.testing.assert_allclose(np.moveaxis(found.probabilities, 0, -1), shares, atol=1e-5)


def test_a_regression_is_what_sklearn_draws(make: Make) -> None:
    torch.manual_seed(0)
    model = small_net(1)
    x, _ = cloud()
    plot = make(model, x, x[:, 0] * x[:, 1], resolution=30)
    found = plot.surface()
    estimator = Regressor(lambda rows: asked(model, rows)[:, 0])
    drawn = drawn_by_sklearn(estimator, found.rectangle, 30, "predict")
    assert found.values is not None
    np.testing.assert_allclose(found.values[0], drawn.response, rtol=1e-5, atol=1e-6)
    assert found.probabilities is found.label is found.entropy is None
    assert plot.view == "value"
    assert plot.views == ("value",)


# -- every kind of output ------------------------------------------------------------------------


@dataclass
class Out:
    """As models of the transformers library return."""

    loss: Any
    logits: Tensor


class Wrapped(nn.Module):
    """Something around what a net says."""

    def __init__(self, net: nn.Module, form: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net = net
        self.form = form

    def forward(self, x: Tensor) -> Any:
        return self.form(self.net(x))


def sigmoid(z: np.ndarray) -> np.ndarray:
    one = 1 / (1 + np.exp(-z))
    return np.column_stack([1 - one, one])


KINDS: dict[str, tuple[int, Callable[[Tensor], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "one logit": (1, lambda z: z, lambda z: sigmoid(z[:, 0])),
    "one logit, flat": (1, lambda z: z[:, 0], lambda z: sigmoid(z[:, 0])),
    "one probability": (1, torch.sigmoid, lambda z: sigmoid(z[:, 0])),
    "two logits": (2, lambda z: z, softmax),
    "ten logits": (10, lambda z: z, softmax),
    "probabilities": (3, lambda z: z.softmax(1), softmax),
    "log-probabilities": (3, lambda z: z.log_softmax(1), softmax),
    "a tuple": (3, lambda z: (z, z.sum()), softmax),
    "a dictionary": (3, lambda z: {"hidden": z * 2, "logits": z}, softmax),
    "an output object": (3, lambda z: Out(None, z), softmax),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_output(make: Make, kind: str) -> None:
    size, form, expected = KINDS[kind]
    torch.manual_seed(1)
    net = small_net(size)
    classes = max(size, 2)
    x, y = cloud(classes=classes)
    model = Wrapped(net, form)  # which a plot holds weakly
    plot = make(model, x, y)
    found = plot.surface()
    shares = expected(asked(net, grid(found.x, found.y))).reshape(24, 24, classes)
    assert found.probabilities is not None
    np.testing.assert_allclose(np.moveaxis(found.probabilities, 0, -1), shares, atol=2e-6)
    np.testing.assert_allclose(found.entropy, entropy(shares), atol=1e-5)
    two = np.sort(shares, axis=-1)
    np.testing.assert_allclose(found.margin, two[..., -1] - two[..., -2], atol=5e-6)
    clear = two[..., -1] - two[..., -2] > 1e-4
    np.testing.assert_array_equal(found.label[clear], shares.argmax(-1)[clear])
    np.testing.assert_allclose(np.asarray(plot.predict(x)), expected(asked(net, x)), atol=2e-6)


@pytest.mark.parametrize("outputs", [1, 2])
def test_float_labels_mean_values(make: Make, outputs: int) -> None:
    torch.manual_seed(2)
    model = small_net(outputs)
    x, _ = cloud()
    plot = make(model, x, torch.linspace(0, 1, len(x)))
    found = plot.surface()
    values = asked(model, grid(found.x, found.y)).T.reshape(outputs, 24, 24)
    np.testing.assert_allclose(found.values, values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(plot.predict(x)), asked(model, x), atol=1e-6)


def test_whole_numbers_for_one_output_are_classes(make: Make) -> None:
    """The same model, asked as a classifier of two classes by its labels alone."""
    torch.manual_seed(2)
    model = small_net(1)
    x, y = cloud(classes=2)
    assert make(model, x, y).surface().values is None
    assert make(model, x, y.float()).surface().probabilities is None


def test_the_first_index_is_the_row_along_y(make: Make) -> None:
    """A model that looks at one feature alone, so that a transposition is seen."""
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0], [0.0, 3.0]]))
        model.bias.zero_()
    x, y = cloud(classes=2)
    found = make(model, x, y).surface()
    assert found.probabilities is not None
    for i in (0, 7, 23):
        expected = 1 / (1 + np.exp(-3 * found.y[i]))
        np.testing.assert_allclose(found.probabilities[1, i], expected, atol=1e-6)
    assert (np.diff(found.x) > 0).all()
    assert (np.diff(found.y) > 0).all()


def test_preprocess_stands_between_points_and_model(make: Make) -> None:
    torch.manual_seed(3)
    model = small_net(2)
    x, y = cloud(classes=2)
    raw = (x * torch.tensor([100.0, 0.01]) + torch.tensor([500.0, -3.0])).numpy()
    scaler = StandardScaler().fit(raw)
    plot = make(model, raw, y, preprocess=scaler.transform)
    found = plot.surface()
    left, right, bottom, top = found.rectangle
    assert left < raw[:, 0].min() < raw[:, 0].max() < right  # axes are in the user's units
    assert bottom < raw[:, 1].min() < raw[:, 1].max() < top
    assert right - left > 200
    assert top - bottom < 0.2
    shares = softmax(asked(model, scaler.transform(grid(found.x, found.y))))
    np.testing.assert_allclose(found.probabilities[1], shares[:, 1].reshape(24, 24), atol=1e-5)
    np.testing.assert_array_equal(plot.X, raw)


def test_the_model_is_asked_in_evaluation_mode_and_left_as_it_was(make: Make) -> None:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
    model.train()
    model[3].requires_grad_(False)
    x, y = cloud(classes=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    plot = make(model, x, y)
    plot.flush()
    found = plot.surface()
    plot.explain(x[0])
    plot.rules()
    plot.landscape(side=3)
    assert model.training
    assert [one.requires_grad for one in model.parameters()] == [True] * 4 + [False] * 2
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    np.testing.assert_allclose(
        found.probabilities[1],
        softmax(asked(model, grid(found.x, found.y)))[:, 1].reshape(24, 24),
        atol=1e-6,
    )


def test_it_is_asked_anew_each_time(make: Make) -> None:
    torch.manual_seed(5)
    model = small_net(2)
    plot = make(model, *cloud(classes=2))
    plot.surface()
    with torch.no_grad():
        for one in model.parameters():
            one.mul_(-2)
    found = plot.surface()
    expected = softmax(asked(model, grid(found.x, found.y)))[:, 1].reshape(24, 24)
    np.testing.assert_allclose(found.probabilities[1], expected, atol=1e-6)


def test_predict_takes_one_point_or_many_of_any_kind(make: Make) -> None:
    torch.manual_seed(6)
    model = small_net(3)
    x, y = cloud()
    plot = make(model, x, y)
    expected = softmax(asked(model, x))
    for points in (x, x.numpy(), x.tolist(), x.double()):
        np.testing.assert_allclose(plot.predict(points).probabilities, expected, atol=1e-6)
    one = plot.predict(x[3])
    assert len(one) == 1
    np.testing.assert_allclose(one.probabilities[0], expected[3], atol=1e-6)
    np.testing.assert_array_equal(plot.predict(x).label, expected.argmax(1))
    refused(lambda: plot.predict([[1.0, 2.0, 3.0]]))
    refused(lambda: plot.predict("abc"))
    refused(lambda: plot.predict([[1.0, float("nan")]]))


NUMBERS = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=25)
@given(data=st.data())
def test_any_finite_table(data: st.DataObject) -> None:
    """Whatever finite numbers and labels: a sentence, or a surface of finite numbers."""
    width = data.draw(st.integers(1, 4))
    rows = data.draw(
        st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=0, max_size=8)
    )
    label = data.draw(
        st.sampled_from(
            [st.integers(-1, 3), st.sampled_from("abc"), st.floats(-10, 10), st.booleans()]
        )
    )
    labels = data.draw(st.lists(label, min_size=len(rows), max_size=len(rows)))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(max(width, 1), 4), nn.Tanh(), nn.Linear(4, 3))
    table = np.array(rows, np.float64).reshape(len(rows), width)
    try:
        plot = DecisionBoundaryPlot(model, table, labels, resolution=8)
    except (ValueError, TypeError) as problem:
        said = str(problem)
        assert "\n" not in said
        assert len(said) > 10
        return
    with plot:
        found = plot.surface()
        said_all = found.values if found.probabilities is None else found.probabilities
        assert np.isfinite(said_all).all()
        assert np.isfinite(found.rectangle).all()
        np.testing.assert_allclose(plot.X, table.astype(plot.X.dtype))
        plot.flush()
        assert plot._error is None
