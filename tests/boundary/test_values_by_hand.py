"""The points of a regression: their values are changed by hand, to any number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import traitlets as t

from tests.boundary.conftest import Make, click, cloud, part, refused, small_net


def test_the_value_of_a_regression_point_is_changed_by_hand(make: Make) -> None:
    """From Python and from the browser, to any number; loader and picture have it then."""
    model = small_net(1)
    x, _ = cloud()
    plot = make(model, x, x[:, 0])
    ids = plot.add([[9.0, 9.0]], [0.25])
    plot.label(ids, 2.5)
    assert plot.y[-1] == 2.5
    for value in (-7, -0.5, 30.0):
        click(plot, "label", ids=list(ids), y=value)
        assert plot.y[-1] == value
        assert part(plot, "_points")[1]["y"][-1] == value
    labels = torch.cat([batch for _, batch in plot.loader(8)])
    assert labels.dtype.is_floating_point
    assert 30.0 in labels.tolist()
    click(plot, "undo")
    assert plot.y[-1] == -0.5
    before = plot.y.copy()
    for wrong in (float("nan"), "high"):
        click(plot, "label", ids=list(ids), y=wrong)
    refused(lambda: plot.label(ids, float("inf")))
    refused(lambda: plot.label(ids, "high"))
    np.testing.assert_array_equal(plot.y, before)
    plot.y = -np.arange(41)  # whole numbers, all but one below zero
    assert plot.y.tolist() == [-float(n) for n in range(41)]
    with pytest.raises(t.TraitError, match="finite"):
        plot.y = [float("nan"), *range(40)]
    assert plot.y.tolist() == [-float(n) for n in range(41)]
