"""Data that is not as it should be: it works, or one sentence says what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
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
    refused,
    small_net,
    softmax,
)
from tests.training import Training


def test_rows_with_NaN_are_left_out_and_that_is_said(make: Make, training: Training) -> None:
    x = training.x.clone()
    x[3, 0], x[9, 1], x[10, 0] = float("nan"), float("inf"), float("-inf")
    plot = make(training.model, x, training.y)
    kept = [n for n in range(40) if n not in (3, 9, 10)]
    np.testing.assert_array_equal(plot.X, x[kept])
    np.testing.assert_array_equal(plot.y, training.y[kept])
    assert "3 of 40 points" in plot.status
    assert np.isfinite(plot.surface().probabilities).all()
    said = part(plot, "_live")[0]["status"]
    assert any("3 of 40" in one for one in said)


def test_values_that_are_NaN_are_left_out(make: Make) -> None:
    model = small_net(1)
    x, _ = cloud()
    y = x[:, 0].clone()
    y[5] = float("nan")
    plot = make(model, x, y)
    assert len(plot.X) == len(plot.y) == 39


def test_one_class_alone(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, torch.ones(40, dtype=torch.long))
    assert "one class" in plot.status
    found = plot.surface()
    shares = softmax(asked(training.model, grid(found.x, found.y)))
    np.testing.assert_allclose(found.probabilities[2].ravel(), shares[:, 2], atol=1e-6)
    assert part(plot, "_surface")[0]["state"] == "ready"


def test_a_model_that_gives_one_answer_everywhere(make: Make) -> None:
    model = nn.Linear(2, 3)
    with torch.no_grad():
        model.weight.zero_()
        model.bias.copy_(torch.tensor([0.0, 5.0, 0.0]))
    plot = make(model, *cloud())
    meta, arrays = part(plot, "_surface")
    assert set(arrays["label"].ravel()) == {1}
    assert len(arrays["lines"]) == 0
    assert meta["state"] == "ready"
    assert plot.rules().n_leaves == 1
    assert plot.explain([0.0, 0.0]).label == 1


def test_a_feature_that_is_constant(make: Make, training: Training) -> None:
    x = training.x.clone()
    x[:, 1] = 4.0
    plot = make(training.model, x, training.y)
    left, right, bottom, top = plot.surface().rectangle
    assert bottom < 4 < top
    assert left < float(x[:, 0].min())
    assert right > float(x[:, 0].max())
    plot.explain(x[0])
    model = small_net(3, 4)
    x, y = cloud(features=4)
    x[:, 2:] = 1.5
    plot = make(model, x, y)
    meta, _ = part(plot, "_surface")
    assert meta["error"] == 0
    assert not part(plot, "_points")[1]["fade"].any()


@pytest.mark.parametrize("value", [0.0, 7.0, -1e30])
def test_points_that_are_all_in_one_place(make: Make, training: Training, value: float) -> None:
    plot = make(training.model, np.full((5, 2), value), [0, 1, 2, 0, 1])
    found = plot.surface()
    assert found.x[0] < value < found.x[-1]
    assert part(plot, "_surface")[0]["state"] == "ready"


def test_one_point(make: Make, training: Training) -> None:
    plot = make(training.model, [[1.0, 2.0]], [1])
    assert plot.surface().probabilities is not None
    assert plot.explain([1.0, 2.0]).nearest.tolist() == [0]
    plot.rules()
    plot.figure()


def test_huge_numbers(make: Make, training: Training) -> None:
    x = training.x.double() * 1e36
    plot = make(training.model, x, training.y)
    assert np.isfinite(plot.surface().probabilities).all()
    plot.flush()
    assert plot._error is None
    assert part(plot, "_surface")[0]["state"] == "ready"


def test_a_model_that_says_NaN_somewhere(make: Make) -> None:
    class Holes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            scores = torch.stack([x[:, 0], -x[:, 0]], 1)
            return torch.where(x[:, 1:] > 0, scores, torch.full_like(scores, float("nan")))

    model = Holes()
    x, y = cloud(classes=2)
    plot = make(model, x, y)
    found = plot.surface()
    below = found.y <= 0
    assert np.isnan(found.probabilities[:, below]).all()
    assert np.isfinite(found.probabilities[:, ~below]).all()
    assert (found.label[below] == -1).all()
    meta, arrays = part(plot, "_surface")
    assert (arrays["label"][below] == 255).all()
    assert (arrays["value"][below] == 253).all()
    assert meta["state"] == "ready"
    refused(lambda: plot.explain([0.0, -1.0]))
    assert plot.rules().fidelity > 0.9
    plot.figure()
    assert plot._error is None


def test_a_model_that_says_NaN_everywhere(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    with torch.no_grad():
        training.model[0].weight.fill_(float("nan"))
    found = plot.surface()
    assert np.isnan(found.probabilities).all()
    finished(plot)
    meta, arrays = part(plot, "_surface")
    assert set(arrays["label"].ravel()) == {255}
    assert meta["state"] == "ready"
    refused(plot.rules)
    refused(lambda: plot.landscape(side=3))
    refused(lambda: plot.explain([0.0, 0.0]))
    plot.figure()
    assert plot._error is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_regression_that_is_not_finite_somewhere(make: Make, value: float) -> None:
    class Wild(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x[:, :1] > 0, x[:, 1:2], torch.full_like(x[:, :1], value))

    model = Wild()
    x, _ = cloud()
    plot = make(model, x, x[:, 0])
    meta, arrays = part(plot, "_surface")
    code = {"nan": 253, "inf": 254, "-inf": 255}[str(value)]
    left = plot.surface().x <= 0
    assert (arrays["value"][:, left] == code).all()
    assert (arrays["value"][:, ~left] <= 250).all()
    assert np.isfinite([meta["low"], meta["high"]]).all()
    assert plot._error is None


class Raises(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 3)
        self.broken = False

    def forward(self, x: Tensor) -> Tensor:
        if self.broken:
            raise RuntimeError("planted\nin two lines")
        out: Tensor = self.inner(x)
        return out


def test_a_model_that_raises_one_day(make: Make) -> None:
    model = Raises()
    plot = make(model, *cloud())
    finished(plot)
    model.broken = True
    said = refused(plot.surface, Exception)
    assert "planted" in said
    click(plot, "refresh")
    plot.flush()
    meta, _ = part(plot, "_surface")
    assert (meta["state"], "planted" in meta["problem"]) == ("failed", True)
    assert "\n" not in meta["problem"]
    assert "planted" in plot.status
    model.broken = False
    assert plot.surface().probabilities is not None
    click(plot, "refresh")
    assert part(plot, "_surface")[0]["state"] == "ready"
    assert "planted" not in plot.status


def test_a_model_that_cannot_be_run_yet_is_no_mistake_of_the_call(make: Make) -> None:
    model = Raises()
    model.broken = True
    plot = make(model, *cloud())
    assert "planted" in plot.status
    meta, _ = part(plot, "_surface")
    assert (meta["state"], "planted" in meta["problem"]) == ("failed", True)
    model.broken = False
    click(plot, "refresh")
    assert part(plot, "_surface")[0]["state"] == "ready"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (3, 4))), "3×4"),
        (nn.Flatten(0), ""),
        (nn.Linear(5, 3), "2"),
    ],
)
def test_models_that_answer_something_else(make: Make, model: nn.Module, words: str) -> None:
    """Refused at once, or said in the widget: never left blank."""
    x, y = cloud()
    try:
        plot = make(model, x, y)
    except (ValueError, TypeError) as problem:
        said = str(problem)
    else:
        said = refused(plot.surface)
        assert part(plot, "_surface")[0]["state"] == "failed"
        assert said == part(plot, "_surface")[0]["problem"]
    assert words in said
    assert "\n" not in said


def test_one_number_for_three_classes(make: Make) -> None:
    model = small_net(1)
    said = refused(lambda: make(model, *cloud()))
    assert "float" in said
    plot = make(model, cloud()[0], cloud()[1].float())
    assert plot.surface().values is not None


def test_markup_in_names_is_text(make: Make, training: Training) -> None:
    evil = "<img src=x onerror=alert(1)>"
    plot = make(
        training.model, training.x, training.y, class_names=[evil, "b", "c"],
        feature_names=[evil, "y"],
    )  # fmt: skip
    assert part(plot, "_choices")[0]["classes"][0] == evil
    figure = plot.figure()
    assert figure.axes


def test_several_hundred_features(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Linear(300, 2)
    x = torch.randn(50, 300)
    y = (x[:, 0] > 0).long()
    plot = make(model, x, y)
    choices = part(plot, "_choices")[0]
    assert len(choices["features"]) == 300
    assert len(choices["held"]) <= 64
    found = plot.explain(x[0])
    np.testing.assert_allclose(found.probabilities, softmax(asked(model, x[:1]))[0], atol=1e-6)
    finished(plot)
    assert part(plot, "_point")[0]["state"] == "ready"
    assert plot.rules(max_depth=2).n_leaves >= 1


def test_a_model_on_another_device_is_asked_there(make: Make) -> None:
    class Where(nn.Module):
        """Refuses points that are not of its own type, as a device refuses others'."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 3).double()

        def forward(self, x: Tensor) -> Tensor:
            assert x.dtype == torch.float64
            out: Tensor = self.inner(x)
            return out

    model = Where()
    plot = make(model, *cloud())
    assert plot.surface().probabilities is not None


def test_frozen_and_inference_tensors(make: Make, training: Training) -> None:
    with torch.inference_mode():
        model = small_net()
        x, y = cloud()
    plot = make(model, x, y)
    assert plot.surface().probabilities is not None
    training.model.requires_grad_(False)
    plot = make(training.model, training.x, training.y)
    plot.explain(training.x[0])
    assert plot._error is None


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*")
@pytest.mark.parametrize(
    "wrap", [torch.jit.script, lambda net: torch.compile(net, backend="eager"), nn.DataParallel]
)
def test_scripted_compiled_and_replicated_models(make: Make, training: Training, wrap: Any) -> None:
    wrapped = wrap(training.model)
    plot = make(wrapped, training.x, training.y)
    found = plot.surface()
    shares = softmax(asked(training.model, grid(found.x, found.y)))
    np.testing.assert_allclose(found.probabilities[1].ravel(), shares[:, 1], atol=1e-6)
    assert part(plot, "_surface")[0]["state"] == "ready"
    assert "2" in [one["name"] for one in part(plot, "_choices")[0]["layers"]]


def test_the_model_that_nobody_keeps(training: Training, make: Make) -> None:
    plot = make(small_net(), *cloud())
    said = refused(plot.surface)
    assert "model = …" in said
    meta: Any = part(plot, "_surface")[0]
    assert meta.get("state") in (None, "failed")
    assert "no longer" in plot.status
    assert isinstance(plot, DecisionBoundaryPlot)
    plot.add([0.0, 0.0], 1)  # the points are still there
    assert len(plot.X) == 41


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("projection", [None, "pca", "pca_scaled", "layer:0"])
@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("scale", [8e37, 1e20, 1e-200, 1e-320])
def test_numbers_of_any_size_warn_of_nothing(
    make: Make, scale: float, regression: bool, projection: str | None
) -> None:
    torch.manual_seed(0)
    x = np.random.default_rng(0).uniform(-1, 1, (30, 4)) * scale
    x[:, 3] = x[:, 2]
    y = x[:, 0].copy() if regression else np.arange(30) % 3
    model = small_net(1 if regression else 3, 4)
    plot = make(model, x, y, projection=projection)
    assert np.isfinite(plot.surface().x).all()
    plot.explain(x[0])
    finished(plot)
    plot.rules()
    plot.predict(x)
    plot.add(x[0], y[0])
    plot.move([0], x[1])
    click(plot, "point", at=list(part(plot, "_surface")[0]["rectangle"][::2]))
    finished(plot)
    meta, _ = part(plot, "_surface")
    assert meta["state"] == "ready"
    assert part(plot, "_point")[0]["state"] == "ready"
    assert plot._error is None


@pytest.mark.filterwarnings("error")
def test_numbers_that_cannot_be_drawn(make: Make, training: Training) -> None:
    x = training.x.double().clone()
    x[3, 0], x[9, 1] = 1e200, float("nan")
    plot = make(training.model, x, training.y)
    assert len(plot.X) == 38
    assert plot.status.count("1 of 40 points") == 2
    assert "beyond" in plot.status
    assert np.isfinite(plot.surface().probabilities).all()
    before = plot.X.copy()
    for edit in (
        lambda: plot.move([0], [1e200, 0.0]),
        lambda: plot.add([1e200, 0.0], 1),
        lambda: plot.set_data(np.full((4, 2), -1e200), [0, 1, 2, 0]),
        lambda: make(training.model, np.full((4, 2), 1e200), [0, 1, 2, 0]),
        lambda: make(small_net(1), training.x, np.full(40, 1e200)),
    ):
        assert "8.5e37" in refused(edit)
    np.testing.assert_array_equal(plot.X, before)
    huge = plot.predict([[1e200, 0.0]])
    assert huge.probabilities.shape == (1, 3)
