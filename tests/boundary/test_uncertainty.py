"""Several models taken together: means and shares of the entropy by hand, and honest refusals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets._boundary_scene import Found
from tests.boundary.conftest import (
    Make,
    asked,
    at_any_price,
    cloud,
    entropy,
    finished,
    grid,
    look,
    part,
    places,
    shown,
    small_net,
    softmax,
)
from tests.every_step import keep_every_step
from tests.live.doubles import install_browser
from tests.training import Training


def nets(count: int, classes: int = 3) -> list[nn.Module]:
    found: list[nn.Module] = []
    for seed in range(count):
        torch.manual_seed(seed)
        found.append(small_net(classes))
    return found


def adds_up(found: Any) -> None:
    """Total = aleatoric + epistemic, none of them below zero."""
    np.testing.assert_allclose(found.entropy, found.aleatoric + found.epistemic, atol=1e-5)
    assert found.aleatoric.min() >= -1e-6
    assert found.epistemic.min() >= -1e-6


def test_a_list_of_models_is_the_whole_ensemble(make: Make, training: Training) -> None:
    ensemble = nets(4)
    plot = make(training.model, training.x, training.y, uncertainty=ensemble)
    found = plot.surface()
    shares = np.stack([softmax(asked(net, grid(found.x, found.y))) for net in ensemble])
    mean = shares.mean(0)
    np.testing.assert_allclose(
        np.moveaxis(found.probabilities, 0, -1).reshape(-1, 3), mean, atol=1e-6
    )
    np.testing.assert_allclose(found.entropy.ravel(), entropy(mean), atol=1e-5)
    np.testing.assert_allclose(found.aleatoric.ravel(), entropy(shares).mean(0), atol=1e-5)
    np.testing.assert_allclose(
        found.epistemic.ravel(), entropy(mean) - entropy(shares).mean(0), atol=1e-5
    )
    said = plot.predict(training.x)
    own = np.stack([softmax(asked(net, training.x)) for net in ensemble])
    np.testing.assert_allclose(said.probabilities, own.mean(0), atol=1e-6)
    np.testing.assert_allclose(said.aleatoric, entropy(own).mean(0), atol=1e-5)
    at = plot.explain(training.x[3])
    assert at.members == 4
    np.testing.assert_allclose(at.probabilities, own.mean(0)[3], atol=1e-6)
    np.testing.assert_allclose(at.spread, own.std(0)[3], atol=1e-6)
    assert at.total == pytest.approx(entropy(own.mean(0)[3]), abs=1e-5)
    assert at.aleatoric == pytest.approx(entropy(own[:, 3]).mean(), abs=1e-5)


def test_the_browser_gets_what_they_disagree_about(make: Make, training: Training) -> None:
    ensemble = nets(3)
    plot = make(training.model, training.x, training.y, uncertainty=ensemble)
    finished(plot)
    assert plot.views == ("probability", "label", "entropy", "margin", "epistemic", "aleatoric")
    shares = np.stack([softmax(asked(net, grid(*places(plot)))) for net in ensemble])
    by_hand = {
        "probability": shares.mean(0).max(1),
        "entropy": entropy(shares.mean(0)),
        "aleatoric": entropy(shares).mean(0),
        "epistemic": entropy(shares.mean(0)) - entropy(shares).mean(0),
    }
    for view, expected in by_hand.items():
        plot.view = view
        meta, values = shown(plot)
        assert (meta["view"], meta["members"], meta["state"]) == (view, 3, "ready")
        half = 0.5 * (meta["high"] - meta["low"]) / 250
        np.testing.assert_allclose(values.ravel(), expected, atol=half + 1e-5)
    label = part(plot, "_surface")[1]["label"]
    clear = np.diff(np.sort(shares.mean(0), axis=1)[:, -2:])[:, 0] > 1e-5
    np.testing.assert_array_equal(label.ravel()[clear], shares.mean(0).argmax(1)[clear])
    said = np.stack([softmax(asked(net, training.x)) for net in ensemble]).mean(0).argmax(1)
    _, arrays = part(plot, "_surface")
    np.testing.assert_array_equal(arrays["wrong"], said != training.y.numpy())
    choices = part(plot, "_choices")[0]
    assert choices["uncertain"] == "ensemble"
    assert choices["uncertainties"][-1]["name"] == "ensemble"


def test_values_of_an_ensemble(make: Make) -> None:
    ensemble = nets(5, classes=1)
    model = small_net(1)
    x, _ = cloud()
    plot = make(model, x, x[:, 0], uncertainty=ensemble)
    found = plot.surface()
    values = np.stack([asked(net, grid(found.x, found.y))[:, 0] for net in ensemble])
    np.testing.assert_allclose(found.values.ravel(), values.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.epistemic.ravel(), values.var(0), atol=1e-5)
    assert found.aleatoric is None  # nobody knows how noisy the data are
    finished(plot)
    plot.view = "epistemic"
    meta, drawn = shown(plot)
    assert meta["unit"] == "variance"
    np.testing.assert_allclose(drawn.ravel(), values.var(0), atol=0.5 * meta["high"] / 250 + 1e-5)


# -- dropout -------------------------------------------------------------------------------------


def test_dropout_against_all_masks_there_are(make: Make, training: Training) -> None:
    """Three units that may be dropped: eight networks, of which the mean is known exactly."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Dropout(0.4), nn.Linear(3, 2))
    with torch.no_grad():
        model[3].weight.mul_(4)
    x, y = cloud(classes=2)
    plot = make(model, x, y, uncertainty="mc_dropout", resolution=8)
    found = plot.surface()
    adds_up(found)
    hidden = asked(model[:2], grid(found.x, found.y))
    weight, bias = (value.detach().numpy() for value in model[3].parameters())
    mean, mean_entropy, square = 0.0, 0.0, 0.0
    for mask in itertools.product((0, 1), repeat=3):
        likely = np.prod([0.6 if keep else 0.4 for keep in mask])
        shares = softmax(hidden * np.array(mask) / 0.6 @ weight.T + bias)
        mean = mean + likely * shares
        square = square + likely * shares**2
        mean_entropy = mean_entropy + likely * entropy(shares)
    finished(plot)
    members = part(plot, "_surface")[0]["members"]
    assert members >= 20
    error = np.sqrt((square - mean**2).max() / members)
    off = np.moveaxis(found.probabilities, 0, -1).reshape(-1, 2) - mean
    assert np.abs(off).max() < 4.5 * error  # all places share the masks: one draw of 30
    assert np.abs(found.aleatoric.ravel() - mean_entropy).max() < 4.5 * 0.7 / np.sqrt(members)
    assert found.epistemic.max() > 0.02


def test_dropout_says_the_same_each_time_and_draws_no_numbers(
    make: Make, training: Training
) -> None:
    state = torch.get_rng_state()
    plot = make(training.model, training.x, training.y, uncertainty="mc_dropout")
    first = plot.surface()
    second = plot.surface()
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    adds_up(first)
    assert torch.equal(torch.get_rng_state(), state)
    finished(plot)
    meta, values = shown(plot)
    np.testing.assert_allclose(
        values, first.probabilities.max(0), atol=0.5 * (meta["high"] - meta["low"]) / 250 + 1e-6
    )
    assert any("thinned" in note for note in meta["notes"])
    assert training.model.training


# -- snapshots and Laplace -----------------------------------------------------------------------


def test_snapshots_of_this_run(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SWAG by hand: mean, diagonal and low rank of the weights of the last half of the run."""
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y, uncertainty="snapshots", resolution=8)
    look(plot)
    at_any_price(plot, monkeypatch)
    keep_every_step(plot, monkeypatch)
    finished(plot)
    meta, _ = part(plot, "_surface")
    assert meta["members"] == 0
    states = {}
    plot.session.loop_began()
    for step in range(1, 13):
        training.step()
        states[step] = training.state()
    plot.session.loop_ended("finished")
    finished(plot)
    meta, _ = part(plot, "_surface")
    assert meta["members"] >= 20
    found = plot.surface()
    adds_up(found)
    steps = plot._kept.snapshots.steps
    late = [step for step in steps if step >= (steps[0] + steps[-1]) / 2]
    rows = torch.tensor(grid(found.x, found.y), dtype=torch.float32)
    names = list(states[late[0]])
    stacked = {name: torch.stack([states[step][name] for step in late]) for name in names}
    generator = torch.Generator().manual_seed(3)
    total, square = 0.0, 0.0
    model = small_net()
    draws = 1500
    for _ in range(draws):
        along = torch.randn(len(late), generator=generator)
        drawn = {}
        for name in names:
            mean = stacked[name].mean(0)
            away = stacked[name] - mean
            z = torch.randn(mean.shape, generator=generator)
            drawn[name] = (
                mean
                + away.square().mean(0).sqrt() * z / 2**0.5
                + torch.tensordot(along, away, 1) / (2 * (len(late) - 1)) ** 0.5
            )
        model.load_state_dict(drawn)
        shares = softmax(asked(model, rows))
        total, square = total + shares, square + shares**2
    mean = total / draws
    error = np.sqrt(np.maximum(square / draws - mean**2, 0).max() / meta["members"])
    off = np.moveaxis(found.probabilities, 0, -1).reshape(-1, 3) - mean
    assert np.abs(off).max() < 4.5 * error
    assert any("SWAG" in note for note in meta["notes"])


def test_the_last_layer_of_a_linear_model(make: Make) -> None:
    """Least squares with normal noise: nothing is approximated, so the variance is known."""
    torch.manual_seed(0)
    x = torch.randn(60, 2)
    y = (x @ torch.tensor([0.7, -0.4]) + 0.3 + 0.3 * torch.randn(60)).float()
    design = np.column_stack([x.numpy(), np.ones(60)]).astype(np.float64)
    solution = np.linalg.lstsq(design, y.numpy().astype(np.float64), rcond=None)[0]
    model = nn.Sequential(nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(solution[None, :2]))
        model[0].bias.copy_(torch.tensor(solution[2:]))
    plot = make(model, x, y, uncertainty="laplace", resolution=16)
    found = plot.surface()
    left = y.numpy() - design @ solution
    noise = float(left @ left / 57)
    places_ = np.column_stack([grid(found.x, found.y), np.ones(256)])
    inverse = np.linalg.inv(design.T @ design)
    variance = noise * np.einsum("pi,ij,pj->p", places_, inverse, places_)
    # Thirty members: a variance from them is off by a quarter, the same factor nearly everywhere.
    ratio = found.epistemic.ravel() / variance
    assert 0.4 < np.median(ratio) < 1.9
    assert found.aleatoric.ravel() == pytest.approx(noise, rel=0.1)
    np.testing.assert_allclose(
        found.values.ravel(), places_ @ solution, atol=4.5 * np.sqrt(variance.max() / 30)
    )


def test_laplace_is_more_at_a_loss_far_from_the_data(make: Make, training: Training) -> None:
    for _ in range(60):
        training.step()
    plot = make(training.model, training.x, training.y, uncertainty="laplace")
    found = plot.surface()
    adds_up(found)
    said = plot.predict(training.x)
    assert said.epistemic.mean() < found.epistemic.mean()


def test_while_it_trains_the_model_alone_moves_and_says_so(
    make: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y, uncertainty="mc_dropout", resolution=12)
    at_any_price(plot, monkeypatch)
    look(plot)
    finished(plot)
    assert part(plot, "_surface")[0]["members"] == 30
    plot.session.loop_began()
    for _ in range(4):
        training.step()
        plot.flush()
    training.step()
    meta, _ = part(plot, "_surface")
    assert (meta["members"], meta["step"] > 0) == (0, True)
    assert any("model alone" in note for note in meta["notes"])
    plot.session.loop_ended("finished")
    finished(plot)
    meta, _ = part(plot, "_surface")
    assert (meta["members"], meta["step"]) == (30, plot.session.step)
    assert not any("model alone" in note for note in meta["notes"])


def test_a_committee_that_comes_too_late_is_not_shown(make: Make, training: Training) -> None:
    """Its job may have passed the last check just before it was cancelled."""
    plot = make(training.model, training.x, training.y, uncertainty="mc_dropout", resolution=12)
    finished(plot)
    late = Found(plot._committee_key, plot._now.step, plot._now)
    assert plot._now.members == 30
    plot.uncertainty = None
    finished(plot)
    plot._have("surface", late)
    assert part(plot, "_surface")[0]["members"] == 0


def spoiled(net: nn.Module, *, somewhere: bool = False) -> nn.Module:
    """The same model, which gives NaN everywhere, or on the left alone."""

    class Spoiled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.inner(x)
            left = x[:, :1] < 0 if somewhere else x[:, :1] == x[:, :1]
            return torch.where(left, torch.full_like(scores, float("nan")), scores)

    return Spoiled()


@pytest.mark.parametrize("somewhere", [False, True])
@pytest.mark.parametrize("classes", [3, 1])
def test_members_that_give_nan_are_named(
    make: Make, training: Training, classes: int, somewhere: bool
) -> None:
    one, two, three, four = nets(4, classes)
    ensemble = [one, spoiled(two, somewhere=somewhere), three, spoiled(four)]
    y = training.y if classes == 3 else training.x[:, 0]
    plot = make(one, training.x, y, uncertainty=ensemble)
    finished(plot)
    meta, _ = part(plot, "_surface")
    assert meta["state"] == "ready"
    named = [note for note in meta["notes"] if "uncertainty[" in note]
    assert len(named) == 1
    assert "uncertainty[1], uncertainty[3];" in named[0]
    assert named[0] in plot.status
    sound = [one, three]
    plot = make(one, training.x, y, uncertainty=sound)
    finished(plot)
    assert not any("uncertainty[" in note for note in part(plot, "_surface")[0]["notes"])
    assert "uncertainty[" not in plot.status


def test_a_member_is_no_longer_named_once_it_is_mended(make: Make, training: Training) -> None:
    one, two = nets(2)
    bias = two.get_parameter("3.bias")
    before = bias.detach().clone()
    with torch.no_grad():
        bias.fill_(float("nan"))
    plot = make(one, training.x, training.y, uncertainty=[one, two])
    assert np.isnan(plot.surface().entropy).all()
    assert "uncertainty[1]" in plot.status
    assert "uncertainty[0]" not in plot.status
    with torch.no_grad():
        bias.copy_(before)
    assert np.isfinite(plot.surface().entropy).all()
    assert "uncertainty[" not in plot.status
    plot.uncertainty = "mc_dropout"
    finished(plot)
    assert "uncertainty[" not in plot.status
