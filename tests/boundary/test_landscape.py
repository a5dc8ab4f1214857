"""The loss around the weights: the loss that is meant, and every weight as it was, bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nnwidgets.probe.blocks import decode
from tests.boundary.conftest import (
    Make,
    click,
    cloud,
    part,
    refused,
    small_net,
)
from tests.live.doubles import Browser, install_browser, until
from tests.training import Training


def cross_entropy(model: nn.Module, x: Any, y: Any) -> float:
    model.eval()
    with torch.no_grad():
        loss = F.cross_entropy(model(x), y).item()
    model.train()
    return loss


def test_the_centre_is_the_loss_of_now(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y, test=cloud(9, seed=2))
    found = plot.landscape(side=7)
    now = cross_entropy(training.model, training.x, training.y)
    assert found.centre == pytest.approx(now, rel=1e-5)  # of the training points alone
    assert found.loss[3, 3] == found.centre
    assert found.loss.shape == (7, 7)
    np.testing.assert_allclose(found.alpha, np.linspace(-1, 1, 7))
    assert np.isfinite(found.loss).all()
    assert np.ptp(found.loss) > 0.01


def test_the_loss_of_each_kind_of_output(make: Make) -> None:
    torch.manual_seed(0)
    x, y = cloud(classes=2)
    model = small_net(1)
    plot = make(model, x, y)
    with torch.no_grad():
        z = model.eval()(x)[:, 0]
    expected = F.binary_cross_entropy_with_logits(z, y.float()).item()
    assert plot.landscape(side=3).centre == pytest.approx(expected, rel=1e-5)
    values = x[:, 0] * 2
    expected = F.mse_loss(z, values).item()
    assert make(model, x, values).landscape(side=3).centre == pytest.approx(expected, rel=1e-5)


def test_every_weight_is_what_it_was(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)
    )
    x, y = cloud()
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    same = {name: value.data_ptr() for name, value in model.named_parameters()}
    versions = [value._version for value in model.parameters()]
    random = torch.get_rng_state()
    plot = make(model, x, y)
    plot.landscape(side=5)
    refused(lambda: plot.landscape(lambda net: float("nan"), side=5))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert {name: value.data_ptr() for name, value in model.named_parameters()} == same
    assert [value._version for value in model.parameters()] == versions
    assert model.training
    assert torch.equal(torch.get_rng_state(), random)


def test_a_loss_of_ones_own(make: Make, training: Training) -> None:
    """The squared length of all weights along known directions: a parabola with its least value."""
    seen: list[nn.Module] = []

    def length(model: nn.Module) -> torch.Tensor:
        seen.append(model)
        return sum((value**2).sum() for value in model.parameters())

    plot = make(training.model, training.x, training.y)
    found = plot.landscape(length, span=0.5, side=5)
    expected = sum((value**2).sum().item() for value in training.model.parameters())
    assert found.centre == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(found.alpha, np.linspace(-0.5, 0.5, 5))
    assert training.model not in seen  # a copy
    # |w + a d|² is a parabola in a whose second difference is the same everywhere.
    middle = found.loss[2]
    np.testing.assert_allclose(np.diff(middle, 2), np.diff(middle, 2)[0], rtol=1e-3)
    meta, _ = part(plot, "_landscape")
    assert meta["loss_name"] == "the given loss"
    said = refused(lambda: plot.landscape(lambda model: 1 / 0, side=3), Exception)
    assert said


def test_what_the_browser_gets(make: Make, training: Training) -> None:
    plot = make(training.model, training.x, training.y)
    assert part(plot, "_landscape")[0]["state"] == "none"
    found = plot.landscape(side=5, seed=3)
    meta, arrays = part(plot, "_landscape")
    values = decode(arrays["loss"], meta["low"], meta["high"])
    values = 10**values if meta["log"] else values
    np.testing.assert_allclose(
        values, found.loss, rtol=0.03 if meta["log"] else 0, atol=np.ptp(found.loss) / 250
    )
    assert meta["state"] == "ready"
    assert meta["centre"] == pytest.approx(found.centre)
    assert meta["span"] == 1
    assert meta["loss_name"]
    np.testing.assert_allclose(arrays["alpha"], found.alpha, rtol=1e-6)
    again = plot.landscape(side=5, seed=3)
    np.testing.assert_array_equal(again.loss, found.loss)
    assert not np.array_equal(plot.landscape(side=5, seed=4).loss, found.loss)
    click(plot, "landscape", on=False)
    until(lambda: part(plot, "_landscape")[0]["state"] == "none")


def test_a_click_works_it_out_with_progress(
    make: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    monkeypatch.setattr("nnwidgets.live.jobs._TELL_SECONDS", 0.0)
    plot = make(training.model, training.x, training.y)
    browser = Browser(plot)
    browser.look()
    plot.flush()
    number = browser.ask("landscape", on=True)
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    kinds = [answer["type"] for answer in browser.answers(number)]
    assert kinds[0] == "accepted"
    assert kinds.count("progress") > 10
    fractions = [one["fraction"] for one in browser.answers(number) if one["type"] == "progress"]
    assert fractions == sorted(fractions)
    meta, arrays = part(plot, "_landscape")
    assert (meta["state"], arrays["loss"].shape) == ("ready", (21, 21))
    assert meta["centre"] == pytest.approx(
        cross_entropy(training.model, training.x, training.y), rel=1e-5
    )


@pytest.mark.parametrize(
    "options",
    [{"side": 4}, {"side": 1}, {"side": 2.0}, {"span": 0}, {"span": -1}, {"span": float("nan")}],
)
def test_options_that_cannot_be_meant(
    make: Make, training: Training, options: dict[str, Any]
) -> None:
    plot = make(training.model, training.x, training.y)
    refused(lambda: plot.landscape(**options))
    assert part(plot, "_landscape")[0]["state"] == "none"


def test_there_is_no_loss_without_labels_or_points(make: Make, training: Training) -> None:
    plot = make(training.model, training.x)
    assert "labels" in refused(lambda: plot.landscape(side=3))
    assert plot.landscape(lambda model: 1.0, side=3).centre == 1
    plot = make(training.model, training.x, training.y)
    plot.clear()
    refused(lambda: plot.landscape(side=3))
    click(plot, "landscape", on=True)
    until(lambda: part(plot, "_landscape")[0]["state"] == "failed")
    assert part(plot, "_landscape")[0]["problem"]


def test_a_model_without_matrices_has_no_landscape(make: Make) -> None:
    class Shift(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(2))

        def forward(self, x: Any) -> Any:
            return x + self.shift

    model = Shift()
    plot = make(model, *cloud(classes=2))
    assert "no weights" in refused(lambda: plot.landscape(side=3))
