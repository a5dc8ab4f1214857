"""Projections: components against scikit-learn, the way back, and what is said of its quality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from nnwidgets.explain.layer_plane import layer_projection
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.projection import Projection, pca, principal_axes
from nnwidgets.probe.refusal import Refusal

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5)) @ RNG.normal(size=(5, 5)) + 3


def test_components_are_those_of_scikit_learn() -> None:
    images = load_digits().images
    flat = images.reshape(len(images), 64)
    theirs = PCA(2, svd_solver="full").fit(flat)
    plane = pca(images)
    places = theirs.transform(flat)
    signs = np.sign((plane.to_plane(flat) * places).sum(0))
    np.testing.assert_allclose(plane.to_plane(images), places * signs, atol=1e-8)
    back = theirs.inverse_transform(places)
    np.testing.assert_allclose(plane.to_inputs(places * signs), back, atol=1e-8)
    assert plane.quality.share == pytest.approx(theirs.explained_variance_ratio_.sum())
    assert plane.quality.error == pytest.approx(np.sqrt(np.mean((flat - back) ** 2)))
    assert "carry 15 % and 14 % of the variance" in str(plane.quality)
    assert plane.labels == ("PC 1 (15 %)", "PC 2 (14 %)")


def test_standardised_components() -> None:
    data = X * [1, 10, 100, 1, 1]
    scaled = (data - data.mean(0)) / data.std(0)
    theirs = PCA(2, svd_solver="full").fit(scaled)
    plane = pca(data, standardise=True)
    np.testing.assert_allclose(
        np.abs(plane.to_plane(data)), np.abs(theirs.transform(scaled)), atol=1e-9
    )
    back = theirs.inverse_transform(theirs.transform(scaled)) * data.std(0) + data.mean(0)
    np.testing.assert_allclose(plane.to_inputs(plane.to_plane(data)), back, atol=1e-9)


@given(st.integers(2, 8), st.integers(1, 12), st.integers(0, 3), st.integers(0, 2**20))
def test_places_come_back_to_where_they_were(
    features: int, rows: int, rank: int, seed: int
) -> None:
    """Also with one sample, more axes than samples, and data of few dimensions."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, features)) + rng.normal()
    plane = pca(data)
    xy = rng.normal(size=(9, 2))
    np.testing.assert_allclose(plane.to_plane(plane.to_inputs(xy)), xy, atol=1e-9)
    assert np.isfinite(plane.rectangle).all()
    if rank <= 2:
        np.testing.assert_allclose(plane.to_inputs(plane.to_plane(data)), data, atol=1e-8)
        assert plane.quality.error == pytest.approx(0, abs=1e-8)


def test_pictures_are_not_mirrored_when_made_again() -> None:
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(X))
        np.testing.assert_allclose(pca(X[order]).to_plane(X), pca(X).to_plane(X), atol=1e-9)
    axes, _ = principal_axes(X - X.mean(0))
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in axes)


def test_data_that_does_not_vary() -> None:
    plane = pca(np.full((6, 3), 0.1), standardise=True)
    assert plane.quality.share is None
    assert plane.quality.error == pytest.approx(0)
    assert plane.to_inputs(plane.to_plane([[0.1, 0.1, 0.1]])) == pytest.approx(0.1)


def test_rows_that_are_not_finite_do_not_count() -> None:
    data = X.copy()
    data[3, 2] = np.nan
    np.testing.assert_allclose(
        pca(data).to_plane(X), pca(np.delete(X, 3, axis=0)).to_plane(X), atol=1e-12
    )


def test_huge_numbers_have_components() -> None:
    axes, shares = principal_axes((X - X.mean(0)) * 1e200)
    plain, same = principal_axes(X - X.mean(0))
    np.testing.assert_allclose(axes, plain, atol=1e-9)
    np.testing.assert_allclose(shares, same)


def test_distance_is_the_part_outside_the_plane() -> None:
    plane = pca(X)
    centred = X - X.mean(0)
    _, _, axes = np.linalg.svd(centred)
    outside = np.linalg.norm(centred @ axes[2:].T, axis=1)
    radius = np.sqrt((centred**2).sum(1).mean())
    np.testing.assert_allclose(plane.distance(X), outside / radius, atol=1e-9)


# --- any pair of functions ------------------------------------------------------------------------


def test_a_pair_of_functions() -> None:
    plane = Projection(
        lambda x: np.log(x[:, :2]),
        lambda xy: np.column_stack([np.exp(xy), np.zeros(len(xy))]),
        np.exp(X[:, :3] - 3),
        labels=("log a", "log b"),
    )
    data = np.exp(X[:, :3] - 3)
    np.testing.assert_allclose(plane.to_plane(data), X[:, :2] - 3)
    lost = (data[:, 2] ** 2).sum() / (data.size)
    assert plane.quality.error == pytest.approx(np.sqrt(lost))
    assert plane.quality.share == pytest.approx(1 - lost / data.var(0).mean())
    assert "root mean square" in str(plane.quality)
    assert plane.labels == ("log a", "log b")


def test_functions_may_work_in_place_and_give_tensors() -> None:
    def forward(x: Any) -> Tensor:
        x *= 2
        return torch.tensor(x[:, :2], requires_grad=True)

    before = X.copy()
    plane = Projection(forward, lambda xy: np.repeat(xy[:, :1], 5, axis=1), X)
    assert np.array_equal(X, before)
    np.testing.assert_allclose(plane.to_plane(X), 2 * X[:, :2])


@pytest.mark.parametrize(
    ("forward", "inverse", "words"),
    [
        (lambda x: x[:, :3], lambda xy: xy, r"forward .* returned \(200, 3\), .* \(200, 2\)"),
        (lambda x: x[:, :2], lambda xy: xy, r"inverse .* returned \(200, 2\), .* \(200, 5\)"),
        (lambda x: "text", lambda xy: xy, "forward .* returned str"),
        (lambda x: x[:, [0, 9]], lambda xy: xy, "forward .* raised IndexError"),
    ],
)
def test_functions_that_do_not_do_their_part(forward: Any, inverse: Any, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        Projection(forward, inverse, X)


def test_something_else_than_functions() -> None:
    with pytest.raises(TypeError, match="pair of callables"):
        Projection(None, None, X)  # type: ignore[arg-type]


# --- the view of a layer --------------------------------------------------------------------------


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(5, 16), nn.ReLU(inplace=True), nn.Linear(16, 4), nn.Linear(4, 3)
    ).eval()


def activations(model: nn.Sequential, until: int, points: Any = X) -> Any:
    with torch.no_grad():
        return model[:until](torch.tensor(points, dtype=torch.float32)).double().numpy()


def test_a_layer_is_seen_through_its_components() -> None:
    model = net()
    plane = layer_projection(Predictor(model), "2", X)
    given_ = activations(model, 3)
    theirs = PCA(2, svd_solver="full").fit(given_)
    np.testing.assert_allclose(
        np.abs(plane.to_plane(X)), np.abs(theirs.transform(given_)), atol=1e-4
    )
    assert plane.labels[0].startswith("layer 2, PC 1")
    assert "what the layer 2 gives" in str(plane.quality)


def test_places_of_samples_lead_back_to_them() -> None:
    plane = layer_projection(Predictor(net().double()), "1", X)
    np.testing.assert_allclose(plane.to_inputs(plane.to_plane(X)), X, atol=1e-9)
    assert plane.quality.share is not None
    assert plane.quality.share < 1  # of samples left out, not of these


def test_the_nearest_sample_left_out() -> None:
    """With one neighbour the error is that of the nearest other sample, as scikit-learn finds."""
    plane = layer_projection(Predictor(net().double()), "1", X, neighbours=1)
    places = plane.to_plane(X)
    near = NearestNeighbors(n_neighbors=2).fit(places).kneighbors(places)[1][:, 1]
    assert plane.quality.error == pytest.approx(np.sqrt(np.mean((X - X[near]) ** 2)))


def test_places_between_samples_are_between_them() -> None:
    plane = layer_projection(Predictor(net().double()), "1", X)
    places = plane.to_plane(X)
    found = plane.to_inputs(RNG.uniform(places.min(0), places.max(0), size=(300, 2)))
    assert (found >= X.min(0) - 1e-9).all()
    assert (found <= X.max(0) + 1e-9).all()
    start, end = places[0], places[1]
    line = start + np.linspace(0, 1, 20_001)[:, None] * (end - start)
    steps = np.abs(np.diff(plane.to_inputs(line), axis=0)).max()
    assert steps < 0.1 * np.ptp(X)  # no jumps where the neighbours change


def test_places_asked_again_give_the_same_and_others_do_not() -> None:
    plane = layer_projection(Predictor(net().double()), "1", X)
    xy = plane.to_plane(X[:20] + 0.1)
    first = plane.to_inputs(xy)
    kept = first.copy()
    first[:] = 0  # what is done to the answer is nobody else's
    assert np.array_equal(plane.to_inputs(xy), kept)
    assert not np.array_equal(plane.to_inputs(xy[::-1]), kept)
    np.testing.assert_allclose(plane.to_inputs(xy[::-1]), kept[::-1])
    xy[0] += 1
    assert not np.array_equal(plane.to_inputs(xy)[0], kept[0])


def test_least_squares() -> None:
    model = net().double()
    plane = layer_projection(Predictor(model), "2", X, inverse="linear")
    places = plane.to_plane(X)
    terms = np.column_stack([np.ones(len(X)), places])
    fitted = terms @ np.linalg.lstsq(terms, X, rcond=None)[0]
    np.testing.assert_allclose(plane.to_inputs(places), fitted, atol=1e-9)
    assert plane.quality.error == pytest.approx(np.sqrt(np.mean((X - fitted) ** 2)))
    assert "least squares" in str(plane.quality)


def test_images_through_a_layer() -> None:
    digits = load_digits()
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(108, 10)).eval()
    predictor = Predictor(model, shape=(1, 8, 8))
    plane = layer_projection(predictor, "0", digits.images[:, None])
    assert plane.to_inputs([[0.0, 0.0]]).shape == (1, 64)
    assert plane.to_plane(digits.images[:5]).shape == (5, 2)


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("inverse", ["nearest", "linear"])
def test_few_samples(rows: int, inverse: str) -> None:
    plane = layer_projection(Predictor(net()), "2", X[:rows], inverse=inverse)
    assert np.isfinite(plane.to_inputs([[0.0, 0.0], [9.0, 9.0]])).all()


def test_a_layer_of_one_unit_has_one_axis() -> None:
    model = nn.Sequential(nn.Linear(5, 1), nn.Linear(1, 2)).eval()
    plane = layer_projection(Predictor(model), "0", X)
    assert np.abs(plane.to_plane(X)[:, 1]).max() == pytest.approx(0, abs=1e-6)


def test_what_is_wrong_with_a_layer() -> None:
    with pytest.raises(Refusal, match="no layer 7"):
        layer_projection(Predictor(net()), "7", X)
    with pytest.raises(ValueError, match="inverse must be"):
        layer_projection(Predictor(net()), "2", X, inverse="exact")
    with pytest.raises(ValueError, match="neighbours must be"):
        layer_projection(Predictor(net()), "2", X, neighbours=0)
    broken = net()
    with torch.no_grad():
        broken.get_parameter("2.weight").fill_(float("nan"))
    with pytest.raises(Refusal, match="layer 2 gives NaN"):
        layer_projection(Predictor(broken), "2", X)


def _nothing(width: int, value: float = np.nan) -> Any:
    return lambda rows: np.full((len(rows), width), value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pair_that_gives_no_numbers_at_all(value: float) -> None:
    with pytest.raises(Refusal, match=r"forward of the projection gives NaN .* 200 of 200"):
        Projection(_nothing(2, value), lambda xy: np.tile(xy, 3)[:, :5], X)
    with pytest.raises(Refusal, match=r"inverse of the projection gives NaN .* 200 of 200"):
        Projection(lambda rows: rows[:, :2], _nothing(5, value), X)


def test_places_that_lead_nowhere_are_said_to_be_the_functions_doing() -> None:
    low, high = X[:, 0].min() - 1, X[:, 0].max() + 1

    def back(xy: Any) -> Any:
        return np.where((xy[:, :1] > low) & (xy[:, :1] < high), np.tile(xy, 3)[:, :5], np.nan)

    plane = Projection(lambda rows: rows[:, :2], back, X)
    with pytest.raises(Refusal, match=r"inverse of the projection gives NaN .* 1 of 2 rows"):
        plane.to_inputs([[low + 0.5, 0.0], [low - 0.5, 0.0]])


def test_rows_without_a_place_do_not_count_for_the_quality() -> None:
    known = X[:, 0] > np.median(X[:, 0])

    def forward(rows: Any) -> Any:
        return np.where(rows[:, :1] > np.median(X[:, 0]), rows[:, :2], np.nan)

    def back(xy: Any) -> Any:
        return np.tile(xy, 3)[:, :5]

    plane = Projection(forward, back, X)
    kept = Projection(lambda rows: rows[:, :2], back, X[known])
    assert plane.quality == kept.quality
    assert plane.rectangle == kept.rectangle
    assert np.isnan(plane.distance(X)).tolist() == (~known).tolist()
