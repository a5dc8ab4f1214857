"""One point: slopes by algebra, neighbours by scikit-learn, borders where they were put."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from nnwidgets.explain.point import differences, explain_point, feature_units, nearest
from nnwidgets.explain.point_changes import changes
from nnwidgets.probe.refusal import Refusal
from tests.generators import generators

W = np.array([[2.0, -1.0, 0.5], [-0.5, 1.5, 0.0]])


def logistic(rows: np.ndarray) -> np.ndarray:
    z = np.asarray(rows) @ W
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def in_torch(rows: Tensor) -> Tensor:
    return (rows @ torch.as_tensor(W)).softmax(1)


POINT = np.array([0.4, -0.2])
DATA = np.random.default_rng(0).normal([1, -2], [0.5, 3], (80, 2))


def test_slopes_are_the_derivative_of_the_probability() -> None:
    p = logistic(POINT[None])[0]
    jacobian = (np.diag(p) - np.outer(p, p)) @ W.T  # (classes, features)
    exact = explain_point(logistic, POINT, differentiable=in_torch, data=DATA)
    assert exact.label == int(p.argmax()) == exact.target
    assert exact.slope_by == "autograd"
    np.testing.assert_allclose(exact.weights, jacobian[exact.label], rtol=1e-10)
    assert exact.probabilities is not None
    np.testing.assert_allclose(exact.probabilities, p)
    near = explain_point(logistic, POINT, data=DATA)
    assert near.slope_by == "differences"
    np.testing.assert_allclose(near.weights, exact.weights, rtol=1e-4)
    other = explain_point(logistic, POINT, data=DATA, target=2)
    np.testing.assert_allclose(other.weights, jacobian[2], rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="no target 3"):
        explain_point(logistic, POINT, target=3)


def test_a_single_precision_network_has_slopes_by_differences() -> None:
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3), nn.Softmax(1))

    def ask(rows: np.ndarray) -> Tensor:
        with torch.no_grad():
            return net(torch.as_tensor(rows, dtype=torch.float32))

    exact = explain_point(ask, POINT, differentiable=lambda rows: net(rows.float()))
    near = explain_point(ask, POINT)
    scale = np.abs(exact.weights).max()
    np.testing.assert_allclose(near.weights, exact.weights, atol=2e-3 * scale)


def test_where_the_gradient_is_cut_differences_are_taken_and_said() -> None:
    for cut in (
        lambda rows: in_torch(rows.detach()),
        lambda rows: in_torch(torch.zeros_like(rows)) + 0 * in_torch(rows).log().sqrt(),
    ):
        found = explain_point(logistic, POINT, differentiable=cut)
        assert found.slope_by == "differences"
        assert found.notes == (("explain.point.no_gradient", {}),)
        assert (found.step > 0).all()


def test_a_large_value_still_has_a_slope() -> None:
    def ask(rows: np.ndarray) -> np.ndarray:
        return 3 * np.asarray(rows, np.float32)[:, 0].astype(float)

    found = explain_point(ask, [1e6, 0.0])
    np.testing.assert_allclose(found.weights, [3, 0], rtol=1e-3)


def test_a_slope_is_taken_over_what_single_precision_was_really_asked() -> None:
    """The two places are rounded; the distance between them is not that of the step."""

    def ask(rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows, np.float32)[:, 0].astype(float)

    at, step = np.array([12345.678]), np.array([0.0123])
    np.testing.assert_allclose(differences(ask, at, step), [1], rtol=1e-12)


def test_the_linear_fit_is_least_squares_and_knows_how_good_it_is() -> None:
    asked: list[np.ndarray] = []

    def ask(rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return np.sin(3 * rows[:, 0]) + rows[:, 1]

    found = explain_point(ask, POINT, data=DATA, radius=0.5)
    cloud = max(asked, key=len)
    np.testing.assert_allclose(cloud.std(0), 0.5 * DATA.std(0), rtol=0.1)
    fit = LinearRegression().fit(cloud, ask(cloud))
    np.testing.assert_allclose(found.fit_weights, fit.coef_, rtol=1e-8)
    assert found.fit_intercept == pytest.approx(fit.predict(POINT[None])[0])
    assert found.r2 == pytest.approx(fit.score(cloud, ask(cloud)))
    assert found.value == pytest.approx(np.sin(1.2) - 0.2)
    assert found.label is None
    assert found.changes == ()
    line = explain_point(lambda rows: 2 * rows[:, 0] - rows[:, 1], POINT)
    assert line.r2 == pytest.approx(1)
    np.testing.assert_allclose(line.fit_weights, [2, -1])
    assert explain_point(lambda rows: np.full(len(rows), 0.3), POINT).r2 is None


def test_neighbours_are_those_of_standardised_data() -> None:
    data = np.concatenate([DATA, [[np.nan, 0]]])
    found = explain_point(logistic, POINT, data=data, neighbours=7)
    scale = DATA.std(0)
    tree = NearestNeighbors(n_neighbors=7).fit(DATA / scale)
    distances, places = tree.kneighbors(POINT[None] / scale)
    np.testing.assert_array_equal(found.nearest, places[0])
    np.testing.assert_allclose(found.distances, distances[0])
    np.testing.assert_allclose(found.units, scale)
    few = explain_point(logistic, POINT, data=[[0, 0], [1, 1]])
    assert few.nearest.tolist() == [0, 1]
    assert explain_point(logistic, POINT).nearest.tolist() == []


def test_rows_that_are_not_finite_are_nobodys_neighbours() -> None:
    data = np.array([[np.nan, 0], [2, 0], [np.inf, 1], [1, 0], [0, -np.inf]])
    places, distances = nearest(data, np.zeros(2), np.array([0.5, 1]), 5)
    assert places.tolist() == [3, 1]
    assert distances.tolist() == [2, 4]


def test_units_of_features_that_do_not_vary() -> None:
    data = np.array([[1.0, 5, 0], [3, 5, 0]])
    np.testing.assert_allclose(feature_units(data, None, None, 3), [1, 1, 1])
    np.testing.assert_allclose(feature_units(data, [0, 0, 0], [8, 8, 0], 3), [1, 2, 1])
    np.testing.assert_allclose(feature_units(None, -2, 2, 2), [1, 1])


# --- counterfactuals ------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    # Never closer than what halving can tell.
    borders=st.lists(
        st.integers(-4999, 4999).map(lambda n: n / 1000 + 0.0005),
        min_size=1,
        max_size=3,
        unique=True,
    ),
    at=st.integers(-4900, 4900).map(lambda n: n / 1000),
)
def test_the_nearest_border_is_found(borders: list[float], at: float) -> None:
    """Classes change at each border; those a step apart from the point and each other are found."""
    edges = np.sort(borders)
    step = 10 / 64

    def ask(rows: np.ndarray) -> np.ndarray:
        return np.eye(4)[np.searchsorted(edges, rows[:, 0])]

    (found, still) = changes(
        ask, np.array([at, 0.0]), np.array([-5.0, -1]), np.array([5.0, 1]), features=[0, 1]
    )
    assert still.to is None
    assert still.searched == (-1, 1)
    old = np.searchsorted(edges, at)
    near = edges[np.abs(edges - at).argmin()]
    others = np.abs(edges - near)
    if (others[others > 0] < 2 * step).any() or min(abs(near - 5), abs(near + 5)) < 1e-3:
        return
    assert found.to is not None
    assert found.change == pytest.approx(near - at, abs=1e-5)
    assert found.answer == np.searchsorted(edges, found.to) != old
    assert found.within is not None
    # It is a change, and what is nearer by `within` is none: a bracket around the border.
    assert np.searchsorted(edges, found.to - found.within) == old
    assert abs(found.within) < 1e-5
    assert abs(found.change or 0) >= abs(near - at)
    assert found.step <= step


def test_changes_of_a_logistic_model_are_where_its_scores_are_equal() -> None:
    low, high = np.array([-4.0, -4]), np.array([4.0, 4])
    found = explain_point(logistic, POINT, low=low, high=high)
    old = POINT @ W
    best = int(old.argmax())
    for change in found.changes:
        f = change.feature
        # (x + t e_f)·(w_best − w_k) = 0
        t = [(old[best] - old[k]) / (W[f, k] - W[f, best]) for k in range(3) if k != best]
        inside = [v for v in t if low[f] <= POINT[f] + v <= high[f]]
        assert change.change == pytest.approx(min(inside, key=abs), abs=1e-5)
        assert change.answer == logistic((POINT + change.change * np.eye(2)[f])[None]).argmax()
    only = explain_point(logistic, POINT, low=low, high=high, features=[1])
    assert [change.feature for change in only.changes] == [1]
    assert only.changes[0] == found.changes[1]


def test_a_value_changes_by_as_much_as_was_said() -> None:
    found = explain_point(
        lambda rows: rows[:, 0] ** 2, [1.0, 0.0], low=[-4, -4], high=[4, 4], by=0.5
    )
    first, second = found.changes
    assert first.to == pytest.approx(np.sqrt(1.5), abs=1e-5)
    assert first.answer == pytest.approx(1.5, abs=1e-4)
    assert second.to is None
    with pytest.raises(ValueError, match="above zero"):
        explain_point(lambda rows: rows[:, 0], [1.0], by=0)


def test_where_there_is_no_answer_there_is_no_change() -> None:
    def ask(rows: np.ndarray) -> np.ndarray:
        found = np.tile([0.9, 0.1], (len(rows), 1))
        found[rows[:, 0] > 1] = np.nan
        found[rows[:, 0] > 2] = [0.1, 0.9]
        return found

    (change,) = changes(ask, np.zeros(1), np.array([-3.0]), np.array([3.0]), features=[0])
    assert change.to == pytest.approx(2, abs=1e-4)
    # A point outside of what is searched looks only towards it.
    (inwards,) = changes(ask, np.array([-5.0]), np.array([-3.0]), np.array([3.0]), features=[0])
    assert inwards.to == pytest.approx(2, abs=1e-3)


def test_bad_points_are_said() -> None:
    with pytest.raises(Refusal, match="NaN or an infinity"):
        explain_point(logistic, [0, np.nan])
    with pytest.raises(Refusal, match="not finite"):
        explain_point(lambda rows: np.full((len(rows), 2), np.nan), [0.0, 0])
    with pytest.raises(ValueError, match="form"):
        explain_point(logistic, [[0.0, 0]])
    with pytest.raises(ValueError, match="as the point"):
        explain_point(logistic, POINT, data=np.zeros((3, 5)))
    with pytest.raises(ValueError, match="no feature 2"):
        explain_point(logistic, POINT, features=[2])


def test_no_generator_is_touched() -> None:
    before = generators()
    first = explain_point(logistic, POINT, data=DATA, differentiable=in_torch)
    second = explain_point(logistic, POINT, data=DATA, differentiable=in_torch)
    np.testing.assert_array_equal(first.fit_weights, second.fit_weights)
    assert generators() == before
