"""The meta device, on which tensors hold no numbers: as the default one, and of models and data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import LayerInspector, SaliencyViewer, TrainingMonitor
from nnwidgets.explain.question import Question
from nnwidgets.probe.own_device import with_data
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

DOES: dict[str, Callable[[Any], Any]] = {
    "explain": lambda plot: plot.explain([0.0, 0.0]),
    "rules": lambda plot: plot.rules(),
    "landscape": lambda plot: plot.landscape(side=3),
    "units": lambda plot: plot.units("0"),
    "figure": lambda plot: plot.figure(),
    "toy": lambda plot: plot.toy("moons"),
    "predict": lambda plot: plot.predict([[0.0, 1.0]]),
    "refresh": lambda plot: plot.refresh(),
}


@pytest.mark.parametrize("projection", [None, "pca", "layer:0"])
def test_a_plot_made_under_the_meta_device(
    make: Make, training: Training, projection: str | None
) -> None:
    with torch.device("meta"):
        plot = make(training.model, training.x, training.y, projection=projection)
        found = plot.surface()
        finished(plot)
        assert torch.zeros(1).device.type == "meta"  # which it stays for the user
    assert found.probabilities is not None
    assert np.isfinite(found.probabilities).all()
    assert part(plot, "_surface")[0]["state"] == "ready"
    if projection is None:
        shares = softmax(asked(training.model, grid(found.x, found.y)))
        np.testing.assert_allclose(found.probabilities[2].ravel(), shares[:, 2], atol=1e-6)


@pytest.mark.parametrize("what", list(DOES))
def test_what_is_asked_under_the_meta_device(make: Make, training: Training, what: str) -> None:
    plot = make(training.model, training.x, training.y)
    with torch.device("meta"):
        DOES[what](plot)
        rows, labels = next(iter(plot.loader(4)))
    assert rows.device.type == labels.device.type == "cpu"
    assert plot._error is None


@pytest.mark.parametrize("way", ["mc_dropout", "laplace", "ensemble"])
def test_a_committee_under_the_meta_device(make: Make, training: Training, way: str) -> None:
    other = small_net()
    uncertainty = [training.model, other] if way == "ensemble" else way
    with torch.device("meta"):
        plot = make(training.model, training.x, training.y, uncertainty=uncertainty)
        found = plot.surface()
    assert found.epistemic is not None
    assert np.isfinite(found.epistemic).all()


def test_the_other_widgets_under_the_meta_device(training: Training) -> None:
    with torch.device("meta"):
        with LayerInspector(training.model, training.x) as inspector:
            assert np.isfinite(inspector.stats("0").mean)
        with SaliencyViewer(training.model, training.x) as viewer:
            for method in ("integrated_gradients", "lime", "gradient_shap"):
                assert np.isfinite(viewer.explain(0, method=method).values).all()
        with TrainingMonitor(training.model) as monitor:
            monitor.log(loss=1.0)
            assert monitor.history["loss"].values.tolist() == [1.0]


def test_points_without_numbers(make: Make, training: Training) -> None:
    x, y = training.x.to("meta"), training.y.to("meta")
    with_axes = torch.zeros(5, 1, 2, device="meta")
    for call in (
        lambda: make(training.model, x, training.y),
        lambda: make(training.model, training.x, y),
        lambda: make(training.model, with_axes),
        lambda: make(training.model, training.x, training.y, test=(x, training.y)),
    ):
        assert "meta device" in refused(call)


def test_a_model_without_weights_is_waited_for(make: Make) -> None:
    with torch.device("meta"):
        model = small_net()
    plot = make(model, *cloud())
    assert "no weights yet" in plot.status
    assert "no weights yet" in refused(plot.surface)
    meta, _ = part(plot, "_surface")
    assert (meta["state"], "no weights yet" in meta["problem"]) == ("failed", True)
    model.to_empty(device="cpu")
    model.load_state_dict(small_net().state_dict())
    click(plot, "refresh")
    assert part(plot, "_surface")[0]["state"] == "ready"
    assert "no weights yet" not in plot.status


def test_a_question_to_a_model_or_about_data_without_numbers() -> None:
    model, x = small_net().eval(), torch.zeros(3, 2)
    assert "no weights yet" in refused(lambda: Question(small_net().to("meta").eval(), x))
    assert "hold" in refused(lambda: Question(model, x.to("meta")))
    assert "hold" in refused(lambda: Question(nn.Softmax(1), x.to("meta")))


def test_a_default_device_that_holds_numbers_is_left_alone() -> None:
    with torch.device("cpu"), with_data():
        assert torch.zeros(1).device.type == "cpu"
    with torch.device("meta"):
        with with_data():
            assert torch.zeros(1).device.type == "cpu"
        assert torch.zeros(1).device.type == "meta"
