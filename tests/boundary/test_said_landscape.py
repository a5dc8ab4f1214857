"""What is said of the loss around the weights, and on which scale it is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets._boundary_said import Part, landscape_part
from nnwidgets.explain.landscape import Landscape, landscape
from nnwidgets.probe.blocks import decode
from tests.boundary.travels import travels


def around(loss: np.ndarray) -> Landscape:
    steps = np.linspace(-0.5, 0.5, len(loss))
    notes = (("explain.landscape.not_finite", {"count": "1", "total": "9"}),)
    return Landscape(steps, steps, loss, float(loss[1, 1]), ("0.weight",), notes)


def surveyed(found: Landscape | None, **more: Any) -> Part:
    options: dict[str, Any] = {
        "state": "ready",
        "problem": None,
        "step": 3,
        "loss": ("explain.loss.squared", {"count": "40"}),
        "language": "en",
        **more,
    }
    part = landscape_part(found, **options)
    travels(part)
    return part


def test_a_loss_of_many_sizes_is_drawn_by_its_logarithm() -> None:
    loss = np.array([[1.0, 10, 100], [0.5, 0.1, 40], [np.nan, np.inf, 7]])
    meta, arrays = surveyed(around(loss))
    assert meta["log"]
    assert (meta["low"], meta["high"]) == (-1, 2)
    assert (meta["centre"], meta["span"]) == (pytest.approx(0.1), 0.5)
    assert meta["loss_name"] == "Mean squared error on 40 labelled points"
    assert meta["notes"] == ["The loss is not finite at 1 of 9 places."]
    assert arrays["loss"].dtype == np.uint8
    back = decode(arrays["loss"], meta["low"], meta["high"])
    np.testing.assert_allclose(back, np.log10(loss), atol=3 / 500 + 1e-12)
    assert arrays["loss"][2, :2].tolist() == [253, 254]
    np.testing.assert_allclose(arrays["alpha"], [-0.5, 0, 0.5])
    assert arrays["beta"].dtype == np.float32


@pytest.mark.parametrize(
    "loss",
    [
        np.array([[1.0, 30.0], [2, 3]]),  # thirty times, not more
        np.array([[0.0, 1000.0], [2, 3]]),  # zero has no logarithm
        np.array([[-1.0, 1000.0], [2, 3]]),
        np.array([[2.0, 2.0], [2, 2]]),
    ],
)
def test_other_losses_are_drawn_as_they_are(loss: np.ndarray) -> None:
    steps = np.array([-1.0, 1.0])
    meta, arrays = surveyed(Landscape(steps, steps, loss, 2.0, (), ()))
    assert not meta["log"]
    assert (meta["low"], meta["high"]) == (loss.min(), loss.max())
    back = decode(arrays["loss"], meta["low"], meta["high"])
    np.testing.assert_allclose(back, loss, atol=np.ptp(loss) / 500 + 1e-12)


def test_a_real_landscape_and_none_at_all() -> None:
    torch.manual_seed(0)
    rows = torch.randn(20, 2)
    found = landscape(nn.Linear(2, 1), lambda module: module(rows).square().mean(), side=5)
    meta, arrays = surveyed(found, loss=None)
    assert meta["loss_name"] == ""
    assert arrays["loss"].shape == (5, 5)
    values = np.log10(found.loss) if meta["log"] else found.loss
    back = decode(arrays["loss"], meta["low"], meta["high"])
    np.testing.assert_allclose(back, values, atol=np.ptp(values) / 500 + 1e-12)
    none, empty = surveyed(None, state="none", step=None)
    assert none.keys() == meta.keys()
    assert (empty, none["loss_name"], none["centre"]) == ({}, "", None)
