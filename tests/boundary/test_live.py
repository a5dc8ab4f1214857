"""A plot beside a plain training loop: the surface, the film, the cursor, the budget, edits."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nnwidgets import DecisionBoundaryPlot, LayerInspector, TrainingMonitor
from nnwidgets.probe.blocks import decode
from tests.boundary.conftest import (
    Make,
    asked,
    at_any_price,
    click,
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
from tests.live.doubles import Browser, install_browser
from tests.training import Training


def with_weights(state: dict[str, Any], rows: Any) -> np.ndarray:
    """What another model that has these weights says, by plain torch."""
    model = small_net()
    model.load_state_dict(state)
    return softmax(asked(model, rows))


def is_of(plot: DecisionBoundaryPlot, state: dict[str, Any]) -> None:
    """What is drawn is what a model with these weights says."""
    _, values = shown(plot)
    expected = with_weights(state, grid(*places(plot))).max(1)
    np.testing.assert_allclose(values.ravel(), expected, atol=0.5 * (2 / 3) / 250 + 1e-6)


@pytest.fixture
def live(training: Training, make: Make, monkeypatch: pytest.MonkeyPatch) -> DecisionBoundaryPlot:
    """A plot that somebody looks at, as often as there is a step."""
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y)
    look(plot)
    plot.flush()
    at_any_price(plot, monkeypatch)
    keep_every_step(plot, monkeypatch)
    return plot


def test_the_surface_follows_a_loop(training: Training, live: DecisionBoundaryPlot) -> None:
    live.session.loop_began()
    steps, numbers = [], []
    for _ in range(20):
        training.step()
        live.publish(1e9)
        meta, _ = part(live, "_surface")
        steps.append(meta["step"])
        numbers.append(meta["seq"])
        if meta["step"] == live.session.step:
            is_of(live, training.state())
    assert len(set(steps)) > 10
    assert steps == sorted(steps)
    assert numbers == sorted(numbers)
    live.session.loop_ended("finished")
    meta, _ = part(live, "_surface")
    assert (meta["step"], meta["past"], meta["state"]) == (20, False, "ready")
    is_of(live, training.state())


def test_the_surface_follows_as_far_as_the_budget_goes(
    training: Training, live: DecisionBoundaryPlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    governor = live.session.governor
    monkeypatch.setattr(governor, "allows", lambda *_: False)
    live.session.loop_began()
    for _ in range(5):
        training.step()
        live.flush()
    assert live._now.step == 0  # cannot be afforded
    monkeypatch.setattr(governor, "allows", lambda *_: True)
    for _ in range(5):
        training.step()
        live.flush()
    assert live._now.step >= 9
    live.session.loop_ended("finished")
    assert part(live, "_surface")[0]["step"] == 10


@pytest.mark.parametrize("ends", ["finished", "stopped"])
def test_the_last_step_is_shown_when_the_loop_ends(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch, ends: Any
) -> None:
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y)
    plot.flush()
    plot.session.loop_began()
    monkeypatch.setattr(plot.session.governor, "allows", lambda *_: False)
    for _ in range(4):
        training.step()
    assert plot._now.step == 0
    plot.session.loop_ended(ends)
    assert plot._now.step == 4
    is_of(plot, training.state())


def test_what_nobody_looks_at_costs_nothing(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y)
    browser = Browser(plot)
    browser.look(visible=False)
    looks: list[int] = []
    monkeypatch.setattr(plot, "_look", lambda: looks.append(1))
    at_any_price(plot, monkeypatch)
    keep_every_step(plot, monkeypatch)
    plot.session.loop_began()
    for _ in range(20):
        training.step()
        plot.publish(1e9)
    assert not looks
    browser.look()
    for _ in range(3):
        training.step()
        plot.publish(2e9)
    assert looks
    plot.session.loop_ended("finished")


def test_a_coarse_picture_of_a_loop_becomes_fine_at_rest(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y, resolution=100)
    look(plot)
    plot.flush()
    assert part(plot, "_surface")[0]["columns"] == 100
    at_any_price(plot, monkeypatch)
    keep_every_step(plot, monkeypatch)
    plot._space.row_seconds = 1e-7  # a millisecond's worth of places is about a hundred squared
    monkeypatch.setattr(type(plot), "_moving_side", 48)
    plot.session.loop_began()
    for _ in range(4):
        training.step()
        plot.flush()
    meta, _ = part(plot, "_surface")
    assert meta["step"] >= 3
    assert 8 <= meta["columns"] <= 100
    plot.session.loop_ended("finished")
    meta, _ = part(plot, "_surface")
    assert (meta["columns"], meta["rows"], meta["asked"]) == (100, 100, 1)
    is_of(plot, training.state())


def keep_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of time, which are nearly none in these tests."""
    for limit, seconds in (("_PASSING", 0.005), ("_MOVING", 0.0003)):
        monkeypatch.setattr(f"nnwidgets._boundary_looking.{limit}", seconds)


def test_the_places_beside_a_training_do_not_follow_the_noise_of_the_clock(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_limits(monkeypatch)
    plot = make(training.model, training.x, training.y, resolution=100)
    sides = []
    for row in (1e-7, 1.3e-7, 0.8e-7, 4e-7, 5e-7, 2e-5, 0):
        plot._space.row_seconds = row
        sides.append(plot._moving_side)
    # Three that are alike, then four and five times as long; at least 40, whatever they take; and
    # all of them while nobody knows.
    assert sides == [54, 54, 54, 40, 40, 40, 100]


def test_a_slow_moment_does_not_keep_more_places_than_a_look_has_time_for(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_limits(monkeypatch)
    plot = make(training.model, training.x, training.y, resolution=100)
    plot._space.row_seconds = 1.07e-7
    assert plot._moving_side == 52
    plot._space.row_seconds = 1e-5  # 52 and 40 are alike, but that is 27 ms
    assert plot._moving_side == 40


def test_edits_are_seen_within_one_look(training: Training, live: DecisionBoundaryPlot) -> None:
    live.session.loop_began()
    training.step()
    for turn in range(6):
        at = [turn / 2 - 1, 1 - turn / 3]
        click(live, "move", ids=[3], at=[at], gesture="g")
        _, drawn = part(live, "_points")  # at once: it is data, not the model
        np.testing.assert_allclose(drawn["xy"][3], at, rtol=1e-6)
        training.step()
        meta, arrays = part(live, "_surface")
        assert meta["step"] == live.session.step  # the surface at the very next safe point
        assert meta["points_version"] == part(live, "_points")[0]["version"]
        said = asked(training.model, live.X).argmax(1)
        np.testing.assert_array_equal(arrays["said"], said)
        np.testing.assert_array_equal(arrays["wrong"], said != live.y)
    live.session.loop_ended("finished")


def test_a_loop_learns_what_is_drawn(training: Training, live: DecisionBoundaryPlot) -> None:
    """Points in a corner that the model has another opinion of, drawn while it trains."""
    corner = [[6.0, 6.0]]
    before = int(asked(training.model, corner).argmax(1)[0])
    wanted = (before + 1) % 3
    live.session.loop_began()
    for epoch in range(40):
        if epoch == 2:
            for shift in range(12):
                click(live, "add", at=[6 + shift / 20, 6 - shift / 20], y=wanted)
        for x, y in live.loader(16):
            training.optimizer.zero_grad()
            F.cross_entropy(training.model(x), y).backward()
            training.optimizer.step()
    live.session.loop_ended("finished")
    assert int(asked(training.model, corner).argmax(1)[0]) == wanted
    assert live.predict(corner).label[0] == wanted
    assert len(live.X) == 52
    assert len(part(live, "_points")[1]["xy"]) == 52


# -- the film and the cursor ---------------------------------------------------------------------


def trained(training: Training, plot: DecisionBoundaryPlot, steps: int) -> dict[int, Any]:
    """Train, and return the weights after each step."""
    states = {0: training.state()}
    plot.session.loop_began()
    for step in range(1, steps + 1):
        training.step()
        states[step] = training.state()
    plot.session.loop_ended("finished")
    return states


def test_the_film_is_that_of_the_stored_weights(
    training: Training, live: DecisionBoundaryPlot
) -> None:
    states = trained(training, live, 9)
    meta, arrays = part(live, "_film")
    steps = [int(step) for step in arrays["steps"]]
    assert steps == sorted({*live._kept.snapshots.steps, *steps})
    assert len(steps) == meta["shown"] >= 5
    assert steps[-1] == 9
    frames = decode(arrays["value"], meta["low"], meta["high"])
    left, right, bottom, top = meta["rectangle"]
    x = np.linspace(left, right, frames.shape[2])
    y = np.linspace(bottom, top, frames.shape[1])
    assert max(frames.shape[1:]) <= 40
    for step, frame, label in zip(steps, frames, arrays["label"], strict=True):
        shares = with_weights(states[step], grid(x, y))
        np.testing.assert_allclose(
            frame.ravel(), shares.max(1), atol=0.5 * (meta["high"] - meta["low"]) / 250 + 1e-6
        )
        two = np.sort(shares, axis=1)
        clear = two[:, -1] - two[:, -2] > 1e-5
        np.testing.assert_array_equal(label.ravel()[clear], shares.argmax(1)[clear])
    # Another view of it asks the model nothing.
    live.view = "entropy"
    meta, arrays = part(live, "_film")
    assert [int(step) for step in arrays["steps"]] == steps
    frames = decode(arrays["value"], meta["low"], meta["high"])
    shares = with_weights(states[steps[2]], grid(x, y))
    np.testing.assert_allclose(
        frames[2].ravel(), -(shares * np.log(shares)).sum(1), atol=0.5 * meta["high"] / 250 + 1e-5
    )


def test_another_place_is_another_film(training: Training, live: DecisionBoundaryPlot) -> None:
    trained(training, live, 4)
    before = part(live, "_film")
    click(live, "zoom", rectangle=[0, 1, 0, 1])
    finished(live)
    after = part(live, "_film")
    assert after[0]["rectangle"] == [0, 1, 0, 1]
    # Of all weights that are stored, and of those of now.
    assert after[1]["steps"].tolist() == sorted({*live._kept.snapshots.steps, 4})
    assert not np.array_equal(before[1]["value"][-1], after[1]["value"][-1])


def test_the_cursor_is_shared_and_shows_the_weights_of_its_step(
    training: Training, live: DecisionBoundaryPlot
) -> None:
    inspector = LayerInspector(training.model, training.x)
    monitor = TrainingMonitor(training.model, training.optimizer)
    states = trained(training, live, 6)
    assert live.session is inspector.session is monitor.session
    stored = [step for step in live._kept.snapshots.steps if 0 < step < 6]
    assert stored
    assert part(live, "_choices")[0]["steps"] == list(live._kept.snapshots.steps)
    for mover, step in ((inspector, stored[0]), (monitor, stored[-1]), (live, stored[0])):
        mover.session.set_cursor(step)
        meta, arrays = part(live, "_surface")
        assert (meta["step"], meta["past"]) == (step, True)
        is_of(live, states[step])
        said = with_weights(states[step], training.x).argmax(1)
        np.testing.assert_array_equal(arrays["wrong"], said != training.y.numpy())
        assert part(live, "_live")[0]["cursor"] == step
    click(live, "cursor", step=None)
    meta, _ = part(live, "_surface")
    assert (meta["step"], meta["past"]) == (6, False)
    is_of(live, states[6])
    inspector.close()
    monitor.close()


def test_a_cursor_stays_when_the_loop_goes_on(
    training: Training, live: DecisionBoundaryPlot
) -> None:
    live.session.loop_began()
    states = {}
    for step in range(1, 5):
        training.step()
        states[step] = training.state()
    step = next(one for one in live._kept.snapshots.steps if one)
    click(live, "cursor", step=step)
    for _ in range(4):
        training.step()
        live.flush()
    is_of(live, states[step])
    live.session.loop_ended("finished")
    meta, _ = part(live, "_surface")
    assert (meta["step"], meta["past"]) == (step, True)
    is_of(live, states[step])
    found = live.surface()  # the verb is of the model as it is now
    shares = softmax(asked(training.model, grid(found.x, found.y)))
    np.testing.assert_allclose(found.probabilities[0].ravel(), shares[:, 0], atol=1e-6)
    click(live, "cursor", step=None)
    is_of(live, training.state())


# -- no harm -------------------------------------------------------------------------------------


def test_the_optimiser_is_found_by_itself(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y)
    assert "optimizer" in plot.status
    for _ in range(3):
        training.step()
    plot.session.control.end("finished")
    assert plot.session.step == 3
    assert part(plot, "_surface")[0]["step"] == 3
    assert "optimizer" not in plot.status
    plot.close()
    gc.collect()
    assert not training.optimizer._optimizer_step_post_hooks


def test_losses_and_weights_are_those_of_the_bare_run(monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    ends = []
    for watched in (False, True):
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(2, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3)
        )
        training = Training(
            model,
            torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
            torch.randn(30, 2),
            torch.randint(3, (30,)),
        )
        plot = None
        if watched:
            plot = DecisionBoundaryPlot(model, training.x, training.y, budget=0.5, resolution=24)
            look(plot)
            at_any_price(plot, monkeypatch)
            keep_every_step(plot, monkeypatch)
        for step in range(12):
            if plot is not None:
                click(plot, "view", view=plot.views[step % 4])
                click(plot, "point", at=[step / 6 - 1, 0.0])
                click(plot, "uncertainty", uncertainty=(None, "mc_dropout", "laplace")[step % 3])
                click(plot, "units", layer="0")
                click(plot, "rules", on=step % 2 == 0, max_depth=2)
                click(plot, "projection", projection=("slice", "pca", "layer:2")[step % 3])
                click(plot, "move", ids=[step], at=[[0.0, step / 10]], gesture="")
                plot.flush()
            training.step()
        ends.append((torch.get_rng_state(), *training.state().values()))
        if plot is not None:
            assert plot._error is None
            assert plot._now.number > 5
            plot.close()
    for bare, watched_one in zip(*ends, strict=True):
        assert torch.equal(bare, watched_one)
