"""More than two features: what is held fixed, projections, images, and how much is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from nnwidgets import DecisionBoundaryPlot
from tests.boundary.conftest import (
    Make,
    asked,
    click,
    cloud,
    finished,
    grid,
    part,
    places,
    refused,
    shown,
    small_net,
    softmax,
)

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return small_net(3, 4)


@pytest.fixture
def data() -> tuple[Tensor, Tensor]:
    return cloud(60, 4)


def held_at(x: Any, y: Any, axes: tuple[int, int], point: Any) -> np.ndarray:
    """The rows that a slice stands for, by hand."""
    full = np.repeat(np.asarray(point, np.float64)[None], len(x) * len(y), axis=0)
    full[:, axes] = grid(x, y)
    return full


def is_slice(
    plot: DecisionBoundaryPlot, model: nn.Module, axes: tuple[int, int], point: Any
) -> None:
    """Both `surface()` and what is drawn are the model's answers in this slice."""
    found = plot.surface()
    rows = held_at(found.x, found.y, axes, point)
    shares = softmax(asked(model, rows))
    np.testing.assert_allclose(
        np.moveaxis(found.probabilities, 0, -1).reshape(-1, 3), shares, atol=5e-6
    )
    finished(plot)
    _, values = shown(plot)
    x, y = places(plot)
    shares = softmax(asked(model, held_at(x, y, axes, point)))
    np.testing.assert_allclose(values.ravel(), shares.max(1), atol=0.5 / 250)
    assert part(plot, "_choices")[0]["axes"] == list(axes)


def test_others_are_held_at_their_median(make: Make, model: nn.Module, data: Any) -> None:
    x, y = data
    plot = make(model, x, y)
    is_slice(plot, model, (0, 1), np.median(x, axis=0))
    choices = part(plot, "_choices")[0]
    assert (choices["others"], choices["sample"]) == ("median", None)
    for slider, column in zip(choices["held"], (2, 3), strict=True):
        assert slider["column"] == column
        assert slider["value"] == pytest.approx(float(np.median(x[:, column])))
        assert slider["low"] == pytest.approx(float(x[:, column].min()))
        assert slider["high"] == pytest.approx(float(x[:, column].max()))


@pytest.mark.parametrize(
    ("fixed", "point"),
    [
        ("mean", lambda x: x.mean(0)),
        ("median", lambda x: np.median(x, axis=0)),
        (7, lambda x: x[7]),
        ({"c": 1.5}, lambda x: [0, 0, 1.5, np.median(x[:, 3])]),
        ({3: "mean", "c": -2}, lambda x: [0, 0, -2, x[:, 3].mean()]),
        ({}, lambda x: np.median(x, axis=0)),
    ],
)
def test_others_are_held_where_one_says(
    make: Make, model: nn.Module, data: Any, fixed: Any, point: Any
) -> None:
    x, y = data
    plot = make(model, x, y, fixed=fixed, feature_names=NAMES)
    is_slice(plot, model, (0, 1), point(x.numpy().astype(np.float64)))


def test_features_by_name_and_in_any_order(make: Make, model: nn.Module, data: Any) -> None:
    x, y = data
    median = np.median(x, axis=0)
    plot = make(model, x, y, features=("d", "b"), feature_names=NAMES)
    is_slice(plot, model, (3, 1), median)
    assert part(plot, "_surface")[0]["labels"] == ["d", "b"]
    frame = pd.DataFrame(x.numpy(), columns=NAMES)
    plot = make(model, frame, y, features=["c", 0])
    is_slice(plot, model, (2, 0), median)
    assert part(plot, "_choices")[0]["features"] == NAMES


def test_axes_and_sliders_are_moved_by_clicks(make: Make, model: nn.Module, data: Any) -> None:
    x, y = data
    point = np.median(x, axis=0).astype(np.float64)
    plot = make(model, x, y)
    click(plot, "held", column=3, value=2.5)
    is_slice(plot, model, (0, 1), [0, 0, point[2], 2.5])
    click(plot, "axes", x=3, y=0)
    is_slice(plot, model, (3, 0), point)  # an axis is held no longer
    click(plot, "held", column=1, value=-1.0)
    is_slice(plot, model, (3, 0), [0, -1.0, point[2], 0])
    click(plot, "others", others="mean")
    is_slice(plot, model, (3, 0), x.mean(0))
    click(plot, "others", others="sample", sample=11)
    is_slice(plot, model, (3, 0), x[11])
    choices = part(plot, "_choices")[0]
    assert (choices["others"], choices["sample"]) == ("sample", 11)


@pytest.mark.parametrize(
    ("action", "args"),
    [
        ("axes", {"x": 1, "y": 1}),
        ("axes", {"x": 0, "y": 4}),
        ("held", {"column": 0, "value": 1.0}),
        ("held", {"column": 9, "value": 1.0}),
        ("held", {"column": 2, "value": float("nan")}),
        ("others", {"others": "mode"}),
        ("others", {"others": "sample", "sample": 60}),
        ("others", {"others": "sample"}),
        ("projection", {"projection": "umap"}),
        ("projection", {"projection": "layer:9"}),
        ("projection", {"projection": "given"}),
        ("zoom", {"rectangle": [1, 0, 0, 1]}),
    ],
)
def test_a_click_that_cannot_be_meant_changes_nothing(
    make: Make, model: nn.Module, data: Any, action: str, args: dict[str, Any]
) -> None:
    plot = make(model, *data)
    finished(plot)
    wish = plot._wish
    name, _ = plot._actions[action]
    refused(lambda: getattr(plot, name)(**args))
    assert plot._wish == wish
    click(plot, action, **args)  # answered with the same sentence, and no failure of the widget's
    assert plot._wish == wish
    assert plot._error is None
    assert part(plot, "_surface")[0]["state"] == "ready"


# -- how much is shown ---------------------------------------------------------------------------


def test_the_quality_of_a_slice(make: Make, model: nn.Module, data: Any) -> None:
    x, y = data
    plot = make(model, x, y)
    meta, _ = part(plot, "_surface")
    assert meta["share"] == pytest.approx(0.5)  # two of four scaled features
    rows = x.numpy().astype(np.float64)
    away = ((rows - np.median(rows, axis=0)) / rows.std(0))[:, 2:]
    assert meta["error"] == pytest.approx(np.sqrt((away**2).mean()), rel=1e-6)
    assert "2 of 4 features are held fixed" in meta["quality"]
    assert "50 %" in meta["quality"]
    # Points far from the slice fade.
    fade = part(plot, "_points")[1]["fade"]
    distance = np.sqrt((away**2).mean(1))
    np.testing.assert_allclose(fade / 255, distance / (1 + distance), atol=0.003)


@pytest.mark.parametrize("scaled", [False, True])
def test_principal_components(make: Make, model: nn.Module, data: Any, scaled: bool) -> None:
    """Axes, places and shares as scikit-learn has them, up to the sign."""
    x, y = data
    rows = x.numpy().astype(np.float64) * [1, 3, 1, 1]
    plot = make(model, rows, y, projection="pca_scaled" if scaled else "pca")
    scaler = StandardScaler() if scaled else StandardScaler(with_std=False)
    oracle = PCA(2).fit(scaler.fit_transform(rows))
    there = oracle.transform(scaler.transform(rows))
    _, drawn = part(plot, "_points")
    signs = np.sign((there * drawn["xy"]).sum(0))
    np.testing.assert_allclose(drawn["xy"], there * signs, atol=1e-4)
    found = plot.surface()
    back = scaler.inverse_transform(oracle.inverse_transform(grid(found.x, found.y) * signs))
    shares = softmax(asked(model, back))
    np.testing.assert_allclose(
        np.moveaxis(found.probabilities, 0, -1).reshape(-1, 3), shares, atol=1e-5
    )
    meta, _ = part(plot, "_surface")
    returned = scaler.inverse_transform(oracle.inverse_transform(there))
    assert meta["error"] == pytest.approx(np.sqrt(((rows - returned) ** 2).mean()), rel=1e-5)
    for share in oracle.explained_variance_ratio_:
        assert f"{100 * share:.0f} %" in meta["quality"]
    assert part(plot, "_choices")[0]["axes"] is None
    assert part(plot, "_choices")[0]["held"] == []


def test_any_pair_of_functions(make: Make, model: nn.Module, data: Any) -> None:
    x, y = data

    def forward(points: np.ndarray) -> np.ndarray:
        return points[:, [1, 3]] * 2

    def inverse(xy: np.ndarray) -> np.ndarray:
        full = np.ones((len(xy), 4))
        full[:, [1, 3]] = xy / 2
        return full

    plot = make(model, x, y, projection=(forward, inverse))
    found = plot.surface()
    shares = softmax(asked(model, inverse(grid(found.x, found.y))))
    np.testing.assert_allclose(
        np.moveaxis(found.probabilities, 0, -1).reshape(-1, 3), shares, atol=1e-6
    )
    np.testing.assert_allclose(part(plot, "_points")[1]["xy"], x[:, [1, 3]] * 2, atol=1e-6)
    click(plot, "projection", projection="pca")
    finished(plot)
    assert part(plot, "_choices")[0]["projection"] == "pca"
    click(plot, "projection", projection="given")
    finished(plot)
    meta, _ = part(plot, "_surface")
    rows = x.numpy().astype(np.float64)
    error = np.sqrt(((rows - inverse(forward(rows))) ** 2).mean())
    assert meta["error"] == pytest.approx(error)
    assert meta["state"] == "ready"


def test_functions_that_do_not_do_their_part(make: Make, model: nn.Module, data: Any) -> None:
    def broken(points: np.ndarray) -> np.ndarray:
        raise RuntimeError("planted")

    x, y = data
    said = refused(lambda: make(model, x, y, projection=(broken, broken)))
    assert "planted" in said
    said = refused(lambda: make(model, x, y, projection=(lambda p: p, lambda p: p)))
    assert "(60, 2)" in said


def test_a_layer_sees_the_points(make: Make, model: nn.Sequential, data: Any) -> None:
    """Places are the principal components of the layer's output, by scikit-learn."""
    x, y = data
    plot = make(model, x, y, projection="layer:1")
    _, drawn = part(plot, "_points")
    given = asked(model[:2], x)
    there = PCA(2).fit_transform(given)
    signs = np.sign((there * drawn["xy"]).sum(0))
    np.testing.assert_allclose(drawn["xy"], there * signs, atol=1e-4)
    meta, values = shown(plot)
    assert "layer 1" in meta["quality"]
    assert meta["state"] == "ready"
    assert np.isfinite(values).all()
    # Places between samples are convex mixtures of them: no input is outside of the data.
    inputs = plot._now.plane.to_inputs(grid(*places(plot)))
    assert (inputs.min(0) >= x.numpy().min(0) - 1e-6).all()
    assert (inputs.max(0) <= x.numpy().max(0) + 1e-6).all()
    np.testing.assert_allclose(values.ravel(), softmax(asked(model, inputs)).max(1), atol=0.5 / 250)


# -- images --------------------------------------------------------------------------------------


class Small(nn.Module):
    """A convolutional net for 8 × 8 digits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.out = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1:] == (1, 8, 8)
        found: Tensor = self.out(self.conv(x).relu().flatten(1))
        return found


@pytest.fixture
def digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images[:150] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    return x, torch.tensor(labels[:150])


@pytest.mark.parametrize("projection", [None, "pca", "layer:conv"])
def test_images_are_seen_through_a_projection(
    make: Make, digits: tuple[Tensor, Tensor], projection: str | None
) -> None:
    torch.manual_seed(0)
    model = Small()
    x, y = digits
    plot = make(model, x, y, projection=projection, resolution=12)
    found = plot.surface()
    assert found.probabilities is not None
    assert found.probabilities.shape == (10, 12, 12)
    part(plot, "_surface")
    inputs = plot._now.plane.to_inputs(grid(found.x, found.y)).reshape(-1, 1, 8, 8)
    shares = softmax(asked(model, inputs))
    np.testing.assert_allclose(
        np.moveaxis(found.probabilities, 0, -1).reshape(-1, 10), shares, atol=1e-5
    )
    if projection != "layer:conv":
        pca = PCA(2).fit(x.flatten(1))
        assert part(plot, "_surface")[0]["share"] == pytest.approx(
            pca.explained_variance_ratio_.sum(), abs=1e-4
        )
    assert plot.X.shape == (150, 1, 8, 8)
    np.testing.assert_allclose(
        plot.predict(x[:5]).probabilities, softmax(asked(model, x[:5])), atol=1e-5
    )
    batch, _ = next(iter(plot.loader(16)))
    assert batch.shape == (16, 1, 8, 8)
    point = plot.explain(x[4])
    np.testing.assert_allclose(point.probabilities, softmax(asked(model, x[4:5]))[0], atol=1e-5)
    ids = plot.add(x[:2] * 0.5, y[:2])
    np.testing.assert_allclose(plot.X[-2:], x[:2] * 0.5)
    plot.move([ids[0]], x[9:10])
    np.testing.assert_allclose(plot.X[-2], x[9])


def test_drawing_into_a_projection_takes_the_way_back(
    make: Make, model: nn.Module, data: Any
) -> None:
    x, y = data
    plot = make(model, x, y, projection="pca")
    part(plot, "_points")
    plane = plot._now.plane
    click(plot, "add", at=[0.3, -0.2], y=1)
    np.testing.assert_allclose(plot.X[-1], plane.to_inputs([[0.3, -0.2]])[0], rtol=1e-5)
    before = plot.X[5].copy()
    there = plane.to_plane(before[None])[0]
    click(plot, "move", ids=[5], at=[[there[0] + 1.0, there[1]]], gesture="g")
    # By the difference only: what the plane does not show stays.
    shift = plane.to_inputs([[1.0, 0.0]]) - plane.to_inputs([[0.0, 0.0]])
    np.testing.assert_allclose(plot.X[5] - before, shift[0], atol=1e-5)


def test_drawing_into_a_slice_takes_what_is_held(make: Make, model: nn.Module, data: Any) -> None:
    x, y = data
    plot = make(model, x, y, features=(2, 0), fixed={1: 0.25})
    part(plot, "_points")
    click(plot, "add", at=[0.3, -0.2], y=1)
    np.testing.assert_allclose(plot.X[-1], [-0.2, 0.25, 0.3, np.median(x[:, 3])], rtol=1e-6)
    before = plot.X[5].copy()
    click(plot, "move", ids=[5], at=[[9.0, 8.0]], gesture="g")
    np.testing.assert_allclose(plot.X[5], [8.0, before[1], 9.0, before[3]])


@pytest.mark.parametrize("name", ["forward", "inverse"])
def test_a_pair_of_functions_that_gives_nan_is_refused(make: Make, name: str) -> None:
    model = small_net(3, 4)
    x, y = cloud(features=4)
    nothing = {
        "forward": lambda rows: np.full((len(rows), 2), np.nan),
        "inverse": lambda xy: np.full((len(xy), 4), np.nan),
    }
    pair = {"forward": lambda rows: rows[:, :2], "inverse": lambda xy: xy[:, [0, 1, 0, 1]]}
    pair[name] = nothing[name]
    said = refused(lambda: make(model, x, y, projection=(pair["forward"], pair["inverse"])))
    assert said.startswith(f"The function {name} of the projection gives NaN")
    assert not any(module._forward_hooks for module in model.modules())
