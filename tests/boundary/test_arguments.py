"""The constructor: what it takes, what it refuses in which words; that it changes nothing."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from tests.boundary.conftest import (
    Make,
    asked,
    click,
    cloud,
    grid,
    part,
    refused,
    small_net,
)
from tests.generators import generators
from tests.training import Training

X, Y = cloud(20)


def a_net() -> nn.Module:
    torch.manual_seed(0)
    return small_net()


NET = a_net()


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "model"),
        ((NET,), {}, "X"),
        (("model", X, Y), {}, "torch.nn.Module"),
        ((NET, X, Y), {"colour": "red"}, "colour"),
        ((NET, X, Y, (0, 1)), {}, "positional"),
    ],
)
def test_calls_that_can_never_work(args: Any, kwargs: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        DecisionBoundaryPlot(*args, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"X": None}, "X"),
        ({"X": "abc"}, "X"),
        ({"X": [[1.0, 2.0], [3.0]]}, "X"),
        ({"X": [["a", "b"]] * 20}, "numbers"),
        ({"X": X[:, 0]}, "table"),
        ({"X": X[:, :1], "features": (0, 1)}, ""),
        ({"X": np.full((20, 2), np.nan)}, "finite"),
        ({"X": np.zeros((0, 2)), "y": []}, ""),
        ({"y": Y[:-1]}, "19"),
        ({"y": Y - 1}, "negative"),
        ({"y": Y + 1}, "class 3"),
        ({"y": torch.nn.functional.one_hot(Y)}, "argmax"),
        ({"y": [None] * 20}, "missing"),
        ({"y": 3}, ""),
        ({"features": (0, 0)}, "different"),
        ({"features": (0, 2)}, "column"),
        ({"features": (0, -1)}, "column"),
        ({"features": (0,)}, "two"),
        ({"features": "ab"}, "two"),
        ({"features": 0}, "two"),
        ({"features": ("left", "up"), "feature_names": ["lift", "up"]}, "lift"),
        ({"features": (0.5, 1)}, "feature"),
        ({"projection": "umap"}, "pca"),
        ({"projection": 3}, "pca"),
        ({"projection": "layer:9"}, "9"),
        ({"projection": "layer:"}, "layer"),
        ({"projection": (abs,)}, "pair"),
        ({"fixed": "mode"}, "median"),
        ({"fixed": 20}, "sample"),
        ({"fixed": -1}, "sample"),
        ({"fixed": 1.5}, "fixed"),
        ({"fixed": True}, "fixed"),
        ({"fixed": {0: 1.0}}, "axis"),
        ({"fixed": {5: 1.0}}, "column"),
        ({"test": X}, "test"),
        ({"test": (X, Y, Y)}, "test"),
        ({"test": (X, None)}, "label"),
        ({"test": (np.zeros((4, 3)), [0] * 4)}, "features"),
        ({"test": (X, Y + 1)}, "class 3"),
        ({"class_names": ["a", "b"]}, ""),
        ({"class_names": ["a", "b", "c", "d"]}, "4"),
        ({"class_names": "abc"}, "class_names"),
        ({"class_names": []}, "class_names"),
        ({"class_names": 3}, "class_names"),
        ({"feature_names": ["a"]}, "1"),
        ({"feature_names": "ab"}, "feature_names"),
        ({"preprocess": 3}, "preprocess"),
        ({"resolution": 7}, "resolution"),
        ({"resolution": 513}, "resolution"),
        ({"resolution": 100.0}, "resolution"),
        ({"resolution": True}, "resolution"),
        ({"resolution": "fine"}, "resolution"),
        ({"uncertainty": "dropout"}, "mc_dropout"),
        ({"uncertainty": 3}, "mc_dropout"),
        ({"uncertainty": [1, 2]}, "torch.nn.Module"),
        ({"budget": 0}, "budget"),
        ({"budget": 0.6}, "budget"),
        ({"budget": "2 %"}, "budget"),
        ({"budget": float("nan")}, "budget"),
        ({"language": "de"}, "language"),
        ({"y": ["a", "b"] * 10, "class_names": ["a", "x", "c"]}, "b"),
    ],
)
def test_arguments_that_cannot_be_meant(kwargs: dict[str, Any], words: str) -> None:
    model = a_net()
    said = refused(lambda: DecisionBoundaryPlot(model, **{"X": X, "y": Y, **kwargs}))
    assert words in said
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in model.modules())


def test_a_refused_plot_leaves_nothing_behind() -> None:
    from nnwidgets.live.session import Session

    model = a_net()
    session = Session.of(model)
    for _ in range(3):
        refused(lambda: DecisionBoundaryPlot(model, X, Y + 1))
        refused(lambda: DecisionBoundaryPlot(model, X, Y, features=(0, 9)))
    gc.collect()
    found = [one for one in gc.get_objects() if type(one) is DecisionBoundaryPlot]
    assert not [one for one in found if one.session is session and not one.closed]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"X": np.zeros((20, 3))}, "points of size 3"),
        ({"preprocess": lambda rows: 1 / 0}, "ZeroDivisionError"),
        ({"preprocess": lambda rows: rows[:1]}, "returned 1 rows"),
        ({"preprocess": lambda rows: None}, "NoneType"),
    ],
)
def test_what_the_model_cannot_be_asked_is_said(
    make: Make, kwargs: dict[str, Any], words: str
) -> None:
    """What can never be asked is refused at once, and nothing is left behind."""
    assert words in refused(lambda: make(NET, **{"X": X, "y": Y, **kwargs}))


def test_a_constructor_changes_nothing(make: Make) -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 3))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = generators()
    plot = make(model, X, Y, uncertainty="mc_dropout")
    plot.flush()
    assert model.training
    assert generators() == drawn
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(one.grad is None for one in model.parameters())


def test_a_lazy_model_stays_lazy_and_the_plot_says_so(make: Make) -> None:
    model = nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.Linear(4, 3))
    plot = make(model, X, Y)
    plot.flush()
    plot.surface()
    assert isinstance(model[0].weight, nn.UninitializedParameter)
    assert "random weights of its own" in plot.status
    model(X)  # now it has weights
    found = plot.surface()
    shares = asked(model, grid(found.x, found.y))
    assert found.label.ravel().tolist() == shares.argmax(1).tolist()
    assert "random weights" not in plot.status


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (X.numpy(), Y.numpy()),
        (X.tolist(), Y.tolist()),
        (X.double(), Y.int()),
        (pd.DataFrame(X.numpy()), pd.Series(Y.numpy())),
        (X, Y[:, None]),
        (X.clone().requires_grad_(), Y.to(torch.uint8)),
        (X.numpy().astype(np.float16), Y.numpy().astype(np.int8)),
        (np.asfortranarray(X.numpy()), Y.numpy()[::-1][::-1]),
    ],
)
def test_points_of_every_kind(make: Make, X: Any, y: Any) -> None:
    plot = make(NET, X, y)
    assert plot.X.shape == (20, 2)
    np.testing.assert_array_equal(plot.y, Y)
    assert plot.surface().probabilities.shape == (3, 24, 24)


def test_names_of_classes_as_labels(make: Make) -> None:
    names = np.array(["setosa", "versicolor", "virginica"])
    plot = make(NET, X, names[Y])
    np.testing.assert_array_equal(plot.y, Y)
    assert part(plot, "_choices")[0]["classes"] == names.tolist()
    plot.label([0], "virginica")
    assert plot.y[0] == 2
    plot = make(NET, X, names[Y], class_names=names[::-1])
    np.testing.assert_array_equal(plot.y, 2 - Y)
    words = pd.Series(pd.Categorical(names[Y]))
    assert make(NET, X, words).y.tolist() == Y.tolist()


def test_labels_that_are_true_or_false(make: Make, training: Training) -> None:
    model = small_net(1)
    plot = make(model, X, X[:, 0] > 0)
    assert part(plot, "_choices")[0]["kind"] == "classes"
    assert set(plot.y.tolist()) == {0, 1}


def test_more_names_than_labels_that_occur(make: Make) -> None:
    """Labels of the first two of three classes: the third is there all the same."""
    plot = make(NET, X, Y.clamp(max=1))
    assert part(plot, "_choices")[0]["classes"] == ["0", "1", "2"]
    plot.label([0], 2)
    assert plot.y[0] == 2


def test_an_own_vocabulary_of_traits(make: Make) -> None:
    plot = make(NET, X, Y)
    assert plot.view == "probability"
    assert plot.interest is None
    assert plot.uncertainty is None
    assert 0 <= plot.overhead < 1
    assert isinstance(plot.status, str)
    assert not plot.closed


PLANES = [
    "pca",
    "pca_scaled",
    "layer:0",
    (lambda rows: rows[:, :2], lambda xy: xy[:, [0, 1, 0, 1]]),
]


@pytest.mark.parametrize("projection", PLANES, ids=["pca", "pca_scaled", "layer", "given"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"features": (0, 9)},
        {"features": (1, 1)},
        {"features": ("a", 0)},
        {"features": (0.5, 1)},
        {"fixed": {"z": 0.0}},
        {"fixed": {9: 0.0}},
        {"fixed": {0: 1.0}},
        {"fixed": {2: "low"}},
        {"fixed": {2: float("nan")}},
        {"fixed": {2: [1.0]}},
        {"fixed": 99},
        {"feature_names": ["a", "b"]},
    ],
    ids=str,
)
def test_wrong_columns_are_noticed_behind_a_projection(
    wrong: dict[str, Any], projection: Any
) -> None:
    model = small_net(3, 4)
    x, y = cloud(20, features=4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    said = refused(lambda: DecisionBoundaryPlot(model, x, y, **wrong))
    assert (
        refused(lambda: DecisionBoundaryPlot(model, x, y, projection=projection, **wrong)) == said
    )
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_right_columns_are_kept_for_the_picture_of_two_features(make: Make) -> None:
    model = small_net(3, 4)
    x, y = cloud(20, features=4)
    names = ["a", "b", "c", "d"]
    there = make(model, x, y, features=("d", 1), fixed={"a": 0.25}, feature_names=names)
    later = make(
        model, x, y, features=("d", 1), fixed={"a": 0.25}, feature_names=names, projection="pca"
    )
    assert part(later, "_choices")[0]["axes"] is None
    click(later, "projection", projection="slice")
    assert part(later, "_choices")[0]["axes"] == [3, 1]
    for mine, theirs in zip(later.surface().x, there.surface().x, strict=True):
        assert mine == theirs
    np.testing.assert_array_equal(later.surface().probabilities, there.surface().probabilities)
    assert part(later, "_surface")[0]["labels"] == ["d", "b"]
