"""What the browser gets: codes, lines, verdicts; against what the model says at those places."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from tests.boundary.conftest import (
    Make,
    asked,
    click,
    cloud,
    entropy,
    finished,
    grid,
    part,
    places,
    refused,
    shown,
    small_net,
    softmax,
)
from tests.training import Training

STEPS = 250  # of the codes, from one end of the scale to the other


def shares_at(plot: DecisionBoundaryPlot, model: nn.Module) -> np.ndarray:
    """(classes, rows, columns) by plain torch, at the places that the browser reads off."""
    x, y = places(plot)
    return np.moveaxis(softmax(asked(model, grid(x, y))).reshape(len(y), len(x), -1), -1, 0)


def expected(view: str, interest: int | None, shares: np.ndarray) -> np.ndarray:
    ordered = np.sort(shares, axis=0)
    if view == "probability":
        return ordered[-1] if interest is None else shares[interest]
    if view == "entropy":
        return entropy(shares, 0)
    return ordered[-1] - ordered[-2]


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize(
    ("view", "interest"),
    [("probability", None), ("probability", 1), ("entropy", None), ("margin", None)],
)
def test_codes_are_the_surface_rounded(
    make: Make, classes: int, view: str, interest: int | None
) -> None:
    torch.manual_seed(classes)
    model = small_net(classes)
    plot = make(model, *cloud(classes=classes))
    plot.view, plot.interest = view, interest
    meta, values = shown(plot)
    shares = shares_at(plot, model)
    assert (meta["view"], meta["interest"], meta["kind"]) == (view, interest, "classes")
    assert (meta["state"], meta["columns"], meta["rows"]) == ("ready", 24, 24)
    half = 0.5 * (meta["high"] - meta["low"]) / STEPS
    np.testing.assert_allclose(values, expected(view, interest, shares), atol=half * 1.001 + 1e-5)
    ends, palette, unit = {
        ("probability", None): ((1 / classes, 1.0), "classes", "probability"),
        ("probability", 1): ((0.0, 1.0), "sequential", "probability"),
        ("entropy", None): ((0.0, log(classes)), "sequential", "nats"),
        ("margin", None): ((0.0, 1.0), "sequential", "difference"),
    }[view, interest]
    assert (meta["low"], meta["high"]) == pytest.approx(ends)
    assert (meta["palette"], meta["unit"]) == (palette, unit)
    label = part(plot, "_surface")[1]["label"]
    ordered = np.sort(shares, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-5
    np.testing.assert_array_equal(label[clear], shares.argmax(0)[clear])


def test_labels_alone_need_no_values(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    plot.view = "label"
    meta, arrays = part(plot, "_surface")
    assert meta["palette"] == "labels"
    assert "value" not in arrays
    found = plot.surface()
    np.testing.assert_array_equal(arrays["label"], found.label)


def test_values_of_a_regression_and_its_outputs(make: Make) -> None:
    torch.manual_seed(3)
    model = small_net(2)
    with torch.no_grad():
        model[3].bias.copy_(torch.tensor([0.0, 40.0]))
    x, _ = cloud()
    target = model(x)[:, 0].detach() + 0.2 * torch.randn(len(x))
    plot = make(model, x, target)
    for output in (None, 0, 1):
        plot.interest = output
        meta, values = shown(plot)
        at = asked(model, grid(*places(plot)))[:, output or 0].reshape(24, 24)
        half = 0.5 * (meta["high"] - meta["low"]) / STEPS
        np.testing.assert_allclose(values, at, atol=half * 1.001 + 1e-5)
        assert (meta["view"], meta["unit"], meta["kind"]) == ("value", "value", "values")
        if output == 1:
            assert meta["palette"] == "sequential"  # far from zero
        else:  # both signs: centred on zero
            assert meta["palette"] == "diverging"
            assert meta["low"] == -meta["high"]
    with pytest.raises(Exception, match="interest"):
        plot.interest = 2


def test_level_lines_lie_where_the_value_is_theirs(make: Make) -> None:
    torch.manual_seed(4)
    model = small_net(1)
    x, _ = cloud()
    plot = make(model, x, x[:, 0], resolution=64)
    meta, arrays = part(plot, "_surface")
    assert len(meta["levels"]) > 1
    begin, far = 0, 0.0
    for end, of in zip(arrays["line_ends"], arrays["line_of"], strict=True):
        line = arrays["lines"][begin:end]
        begin = end
        values = asked(model, line)[:, 0]
        far = max(far, np.abs(values - meta["levels"][of]).max())
    assert begin == len(arrays["lines"])
    assert far < 0.01 * (meta["high"] - meta["low"])


@pytest.mark.parametrize("classes", [2, 4])
def test_boundaries_lie_where_two_classes_are_equally_probable(make: Make, classes: int) -> None:
    """On every line the two most probable classes are equal, and one of them is the line's."""
    torch.manual_seed(classes)
    model = small_net(classes)
    plot = make(model, *cloud(classes=classes), resolution=80)
    _, arrays = part(plot, "_surface")
    assert len(arrays["lines"]) > 20
    begin = 0
    for end, of in zip(arrays["line_ends"], arrays["line_of"], strict=True):
        shares = softmax(asked(model, arrays["lines"][begin:end]))
        ordered = np.sort(shares, axis=1)
        # Three classes meet in a point, which is cut within a cell of the grid.
        assert np.quantile(ordered[:, -1] - ordered[:, -2], 0.9) < 0.02
        assert np.quantile(ordered[:, -1] - shares[:, of], 0.9) < 0.02
        begin = end
    # And wherever the label changes from one place to the next, a line is near.
    label = arrays["label"].astype(int)
    x, y = places(plot)
    i, j = np.nonzero(np.diff(label, axis=1))
    cell = np.hypot(x[1] - x[0], y[1] - y[0])
    for at in np.column_stack([(x[j] + x[j + 1]) / 2, y[i]]):
        assert np.hypot(*(arrays["lines"] - at).T).min() < cell


# -- the points ----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_wrong_points_and_accuracy(make: Make, classes: int) -> None:
    torch.manual_seed(8)
    model = small_net(classes)
    x, y = cloud(30, classes=classes)
    held, right = cloud(13, classes=classes, seed=5)
    plot = make(model, x, y, test=(held, right))
    meta, arrays = part(plot, "_surface")
    points, drawn = part(plot, "_points")
    said = asked(model, torch.cat([x, held])).argmax(1)
    truth = torch.cat([y, right]).numpy()
    np.testing.assert_array_equal(arrays["said"], said)
    np.testing.assert_array_equal(arrays["wrong"], said != truth)
    assert 0 < (said != truth).sum() < len(truth)
    assert meta["accuracy"]["train"] == pytest.approx((said == truth)[:30].mean())
    assert meta["accuracy"]["test"] == pytest.approx((said == truth)[30:].mean())
    assert meta["counts"] == points["count"] == {"train": 30, "test": 13}
    assert meta["points_version"] == points["version"]
    np.testing.assert_allclose(drawn["xy"], torch.cat([x, held]))
    np.testing.assert_array_equal(drawn["y"], truth)
    np.testing.assert_array_equal(drawn["test"], [0] * 30 + [1] * 13)
    assert len(set(drawn["id"])) == 43
    assert not drawn["fade"].any()


def test_the_share_explained_of_a_regression(make: Make) -> None:
    torch.manual_seed(9)
    model = small_net(1)
    x, _ = cloud(30)
    held, _ = cloud(11, seed=3)
    y = model(x)[:, 0].detach() + 0.3 * torch.randn(30)
    right = model(held)[:, 0].detach() + 0.3 * torch.randn(11)
    plot = make(model, x, y, test=(held, right))
    meta, arrays = part(plot, "_surface")
    assert meta["accuracy"]["train"] == pytest.approx(r2_score(y, asked(model, x)[:, 0]), abs=1e-5)
    assert meta["accuracy"]["test"] == pytest.approx(
        r2_score(right, asked(model, held)[:, 0]), abs=1e-5
    )
    np.testing.assert_allclose(
        arrays["said"], asked(model, torch.cat([x, held]))[:, 0], rtol=1e-5, atol=1e-6
    )
    assert set(arrays["wrong"]) == {2}
    assert part(plot, "_points")[0]["kind"] == "values"


def test_of_many_points_some_are_drawn_and_that_is_said(make: Make, training: Training) -> None:
    x, y = cloud(5000)
    plot = make(training.model, x, y)
    points, drawn = part(plot, "_points")
    assert points["count"] == {"train": 5000, "test": 0}
    assert points["drawn"] == len(drawn["xy"]) <= 3000
    meta, arrays = part(plot, "_surface")
    assert len(arrays["wrong"]) == len(drawn["xy"])
    ids = drawn["id"].astype(int)
    np.testing.assert_array_equal(
        arrays["wrong"], (asked(training.model, x).argmax(1) != y.numpy())[ids]
    )
    assert any(f"{len(ids):,}" in note and "5,000" in note for note in meta["notes"])
    assert len(plot.X) == 5000


def test_without_labels_nothing_is_wrong(make: Make, training: Training) -> None:
    plot = make(training.model, training.x)
    meta, arrays = part(plot, "_surface")
    assert meta["accuracy"] == {"train": None, "test": None}
    assert set(arrays["wrong"]) == {2}
    assert set(part(plot, "_points")[1]["y"]) == {255}
    assert part(plot, "_choices")[0]["labelled"] is False
    np.testing.assert_array_equal(arrays["said"], asked(training.model, training.x).argmax(1))


# -- choosing ------------------------------------------------------------------------------------


def test_what_can_be_chosen_is_told(make: Make, training: Training) -> None:
    plot = make(
        training.model, training.x, training.y, class_names=["a", "b", "c"],
        feature_names=["width", "height"],
    )  # fmt: skip
    choices = part(plot, "_choices")[0]
    assert choices["classes"] == ["a", "b", "c"]
    assert choices["features"] == ["width", "height"]
    assert choices["views"] == list(plot.views) == ["probability", "label", "entropy", "margin"]
    assert choices["axes"] == [0, 1]
    assert (choices["projection"], choices["held"]) == ("slice", [])
    assert [one["name"] for one in choices["layers"]] == ["0", "1", "2", "3"]
    meta, _ = part(plot, "_surface")
    assert meta["labels"] == ["width", "height"]
    plot.interest = 2
    assert part(plot, "_surface")[0]["interest_name"] == "c"


def test_views_are_clicked_and_set_alike(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    seen: list[Any] = []
    plot.observe(lambda change: seen.append((change["name"], change["new"])), ["view", "interest"])
    click(plot, "view", view="entropy")
    click(plot, "interest", interest=1)
    plot.view = "margin"
    assert seen == [("view", "entropy"), ("interest", 1), ("view", "margin")]
    assert part(plot, "_surface")[0]["view"] == "margin"
    number = plot._now.number
    plot.view = "label"
    part(plot, "_surface")
    assert plot._now.number == number  # another colouring asks the model nothing


@pytest.mark.parametrize("view", ["value", "epistemic", "aleatoric", "margn", ""])
def test_views_that_are_not_there_are_refused(make: Make, training: Training, view: str) -> None:
    plot = make(training.model, training.x, training.y)
    said = refused(lambda: setattr(plot, "view", view), Exception)
    assert "uncertainty" in said or "view" in said
    assert plot.view == "probability"


@pytest.mark.parametrize("interest", [-1, 3, True, 1.5, "a"])
def test_classes_that_are_not_there_are_refused(
    make: Make, training: Training, interest: Any
) -> None:
    plot = make(training.model, training.x, training.y)
    refused(lambda: setattr(plot, "interest", interest), Exception)
    assert plot.interest is None


def test_a_zoom_is_another_surface_of_the_same_model(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    whole = part(plot, "_surface")[0]["rectangle"]
    click(plot, "zoom", rectangle=[-0.5, 0.5, 0.0, 0.25])
    finished(plot)
    meta, values = shown(plot)
    assert meta["rectangle"] == [-0.5, 0.5, 0.0, 0.25]
    shares = softmax(asked(training.model, grid(*places(plot)))).max(1).reshape(24, 24)
    np.testing.assert_allclose(values, shares, atol=0.5 / STEPS)
    assert part(plot, "_choices")[0]["zoomed"] is True
    assert plot.surface().rectangle == (-0.5, 0.5, 0.0, 0.25)
    click(plot, "zoom", rectangle=None)
    finished(plot)
    assert part(plot, "_surface")[0]["rectangle"] == whole


def test_the_language_of_the_page_is_that_of_the_sentences(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y, language="zh")
    quality = part(plot, "_surface")[0]["quality"]
    assert any("一" <= sign <= "鿿" for sign in quality)
    assert any("一" <= sign <= "鿿" for sign in plot.status)
    plot.language = "en"
    assert "whole space" in part(plot, "_surface")[0]["quality"]
