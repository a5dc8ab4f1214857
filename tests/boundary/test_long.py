"""Slow models: refined in slices of the same weights; long answers beside a training, cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets import DecisionBoundaryPlot
from tests.boundary.conftest import (
    Make,
    asked,
    at_any_price,
    click,
    cloud,
    finished,
    grid,
    part,
    places,
    shown,
    softmax,
)
from tests.every_step import keep_every_step
from tests.gate import Gate
from tests.live.doubles import Browser, background, install_browser, until
from tests.training import Training


class Gated(nn.Module):
    """A model whose private copies can be held up, and are counted."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self.inner = nn.Sequential(nn.Linear(2, 12), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, 3))

    def forward(self, x: Tensor) -> Tensor:
        self.gate.pass_through(len(x), self.training)
        out: Tensor = self.inner(x)
        return out


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def training(gate: Gate) -> Training:
    torch.manual_seed(0)
    model = Gated(gate)
    return Training(model, torch.optim.SGD(model.parameters(), lr=0.2), *cloud())


Ask = Callable[..., tuple[DecisionBoundaryPlot, Browser]]


@pytest.fixture
def ask(training: Training, make: Make, monkeypatch: pytest.MonkeyPatch) -> Ask:
    install_browser(monkeypatch)

    def build(**kwargs: Any) -> tuple[DecisionBoundaryPlot, Browser]:
        plot = make(training.model, training.x, training.y, **kwargs)
        browser = Browser(plot)
        browser.look()
        finished(plot)
        at_any_price(plot, monkeypatch)
        keep_every_step(plot, monkeypatch)
        return plot, browser

    return build


def rested(plot: DecisionBoundaryPlot) -> None:
    until(lambda: plot._job is None)


# -- slices --------------------------------------------------------------------------------------


@pytest.fixture
def slow(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each point take a hundredth of a second: by a clock that the model itself moves."""
    from nnwidgets.explain.predictor import Predictor

    told = property(lambda self: 0.01, lambda self, value: None)
    monkeypatch.setattr(Predictor, "row_seconds", told, raising=False)
    monkeypatch.setattr("nnwidgets._boundary_progress.perf_counter", lambda: 0.01 * gate.points)
    for limit, seconds in (("_PASSING", 0.005), ("_WAITED_FOR", 0.03), ("_AT_REST", 0.08)):
        monkeypatch.setattr(f"nnwidgets._boundary_looking.{limit}", seconds)


def test_a_slow_model_never_holds_a_step_up_for_long(
    training: Training, ask: Ask, gate: Gate, slow: None
) -> None:
    plot, _ = ask(resolution=64)
    plot._ask_anew()
    finished(plot)
    plot.session.loop_began()
    counts = []
    for _ in range(12):
        with background(plot.flush):  # as the sender does, in a thread of its own
            pass
        before = gate.points
        training.step()
        counts.append(gate.points - before)
    plot.session.loop_ended("finished")
    # The coarse beginning, then slice by slice; each time with what is said of the points.
    own = len(plot.X)
    assert max(counts) <= 16**2 + own
    looks = sorted(count for count in counts if count)
    assert len(looks) > 6
    assert looks[-2] <= 32 + own


def test_a_surface_is_of_the_same_weights_all_over(
    training: Training, ask: Ask, gate: Gate, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worked out over many steps: still that of the step it was begun at."""
    monkeypatch.setattr("nnwidgets._boundary_looking.Looking._coarse_side", 64)
    plot, _ = ask(resolution=64)
    states = {}
    plot.session.loop_began()
    seen: dict[int, list[float]] = {}
    for step in range(1, 16):
        training.step()
        states[step] = training.state()
        meta, _ = part(plot, "_surface")
        if meta["step"] in states:
            seen.setdefault(meta["step"], []).append(meta["asked"])
    shares = max(seen.values(), key=len)
    assert len(shares) > 4
    assert shares == sorted(shares)
    assert shares[-1] > shares[0]
    progress = plot._progress
    assert progress is not None
    assert progress.weights is not None
    for name, value in progress.weights.items():
        assert torch.equal(value, states[progress.step][name.removeprefix("module.")])
    # What was really asked is exactly what these weights say.
    surface = progress.refinement.surface()
    model = Gated(Gate())
    model.load_state_dict(states[progress.step])
    rows = softmax(asked(model, grid(surface.x, surface.y))).reshape(64, 64, 3)
    same = np.abs(np.moveaxis(surface.probabilities, 0, -1) - rows).max(-1) < 1e-6
    assert same.mean() >= 0.9 * progress.refinement.share
    plot.session.loop_ended("finished")


def test_at_rest_it_becomes_complete(training: Training, ask: Ask, gate: Gate, slow: None) -> None:
    plot, _ = ask(resolution=40)
    plot.session.loop_began()
    for _ in range(3):
        training.step()
        plot.flush()
    plot.session.loop_ended("finished")
    finished(plot)
    meta, values = shown(plot)
    assert (meta["state"], meta["step"], meta["columns"]) == ("ready", 3, 40)
    expected = softmax(asked(training.model, grid(*places(plot)))).max(1)
    if meta["asked"] == 1:
        np.testing.assert_allclose(values.ravel(), expected, atol=0.5 / 250)
    # What was not asked is interpolated where neighbours agree.
    assert np.abs(values.ravel() - expected).max() < 0.05
    label = part(plot, "_surface")[1]["label"].ravel()
    assert (label != asked(training.model, grid(*places(plot))).argmax(1)).mean() <= 0.005


def test_a_click_is_answered_while_a_slow_surface_is_refined(
    training: Training, ask: Ask, slow: None
) -> None:
    plot, browser = ask(resolution=64)
    plot.session.loop_began()
    training.step()
    plot.flush()
    number = browser.ask("zoom", rectangle=[0, 1, 0, 1])
    assert browser.answer(number)["type"] == "reply"
    training.step()
    meta, _ = part(plot, "_surface")
    assert meta["rectangle"] == [0, 1, 0, 1]  # at the very next safe point, coarse
    assert meta["state"] in ("refining", "ready")
    plot.session.loop_ended("finished")


# -- jobs ----------------------------------------------------------------------------------------


def begun(
    plot: DecisionBoundaryPlot, gate: Gate, training: Training, action: str, **args: Any
) -> None:
    """Have something long begun, and held in the middle of it."""
    gate.open.clear()
    gate.inside.clear()
    click(plot, action, **args)
    if action == "uncertainty":
        plot.view = "epistemic"  # in the other views the model alone is shown while it trains
    for _ in range(3):
        training.step()
        if plot._job is not None:
            break
    assert gate.inside.wait(30)


LONG = {
    "point": ({"at": [0.2, 0.1]}, "_point"),
    "rules": ({"on": True, "max_depth": 2}, "_rules"),
    "uncertainty": ({"uncertainty": "mc_dropout"}, "_surface"),
}


@pytest.mark.parametrize("action", LONG)
def test_the_training_goes_on_while_something_long_is_worked_out(
    training: Training, ask: Ask, gate: Gate, action: str
) -> None:
    args, trait = LONG[action]
    plot, _ = ask()
    plot.session.loop_began()
    training.step()
    begun(plot, gate, training, action, **args)
    step = plot.session.step
    busy = part(plot, "_live")[0]["busy"]
    assert busy is not None
    for _ in range(5):
        training.step()
    assert plot.session.step == step + 5
    assert part(plot, trait)[0]["state"] == "working"
    gate.open.set()
    rested(plot)
    until(lambda: part(plot, trait)[0]["state"] == "ready")
    meta, _ = part(plot, trait)
    assert meta["step"] <= step + 5
    plot.session.loop_ended("finished")
    finished(plot)
    meta, _ = part(plot, trait)
    assert (meta["state"], meta["step"]) == ("ready", plot.session.step)
    assert part(plot, "_live")[0]["busy"] is None


@pytest.mark.parametrize("action", ["point", "rules"])
def test_what_is_stopped_is_not_begun_again(
    training: Training, ask: Ask, gate: Gate, action: str
) -> None:
    args, trait = LONG[action]
    plot, _ = ask()
    plot.session.loop_began()
    training.step()
    begun(plot, gate, training, action, **args)
    click(plot, "stop")
    gate.open.set()
    rested(plot)
    assert part(plot, trait)[0]["state"] == "stale"
    assert part(plot, "_live")[0]["busy"] is None
    plot.flush()
    assert plot._job is None
    click(plot, action, **args)  # until somebody asks again
    until(lambda: training.step() or part(plot, trait)[0]["state"] == "ready")
    plot.session.loop_ended("finished")
    assert plot._error is None


def test_another_place_takes_the_place_of_the_first(
    training: Training, ask: Ask, gate: Gate
) -> None:
    plot, _ = ask()
    plot.session.loop_began()
    training.step()
    begun(plot, gate, training, "point", at=[0.2, 0.1])
    first = plot._job
    click(plot, "point", at=[-0.5, 0.3])
    training.step()
    gate.open.set()
    assert first is not None
    assert first.wait(30)
    until(lambda: training.step() or part(plot, "_point")[0]["state"] == "ready")
    meta, _ = part(plot, "_point")
    assert meta["at"] == [-0.5, 0.3]
    plot.session.loop_ended("finished")
    finished(plot)
    meta, arrays = part(plot, "_point")
    shares = softmax(asked(training.model, [[-0.5, 0.3]]))[0]
    np.testing.assert_allclose(arrays["probabilities"], shares, atol=1e-5)


def test_a_job_that_fails_is_one_line(training: Training, ask: Ask, gate: Gate) -> None:
    plot, _ = ask()
    plot.session.loop_began()
    training.step()
    gate.fails = True
    begun(plot, gate, training, "point", at=[0.2, 0.1])
    gate.open.set()
    rested(plot)
    meta, _ = part(plot, "_point")
    assert meta["state"] == "failed"
    assert "planted" in meta["problem"]
    training.step()
    gate.fails = False
    plot.session.loop_ended("finished")


def test_the_landscape_is_a_long_answer_that_is_cancelled(
    training: Training, ask: Ask, gate: Gate
) -> None:
    plot, browser = ask()
    before = training.state()
    plot.session.loop_began()
    gate.open.clear()
    gate.inside.clear()
    number = browser.ask("landscape", on=True)
    until(lambda: plot.session.serve() or gate.inside.is_set())
    assert part(plot, "_landscape")[0]["state"] == "working"
    click(plot, "stop")
    gate.open.set()
    until(lambda: plot._landscape_job is None)
    assert part(plot, "_landscape")[0]["state"] == "none"
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    number = browser.ask("landscape", on=True)
    until(lambda: plot.session.serve() or plot._landscape_state == "ready")
    until(lambda: browser.answers(number)[-1]["type"] == "reply")
    meta, arrays = part(plot, "_landscape")
    assert meta["state"] == "ready"
    assert arrays["loss"].shape == (21, 21)
    plot.session.loop_ended("finished")
    for name, value in training.state().items():
        assert torch.equal(value, before[name])


def test_verbs_from_other_threads_wait_for_a_safe_point(training: Training, ask: Ask) -> None:
    plot, _ = ask()
    plot.session.loop_began()
    found: list[Any] = []

    def work() -> None:
        found.append((plot.surface(), plot.predict([[0.1, 0.2]]), plot.explain([0.1, 0.2])))

    with background(work) as thread:
        until(lambda: training.step() or thread.done)
    plot.session.loop_ended("finished")
    surface, said, at = found[0]
    assert np.isfinite(surface.probabilities).all()
    assert np.isfinite(np.asarray(said)).all()
    assert np.isfinite(at.weights).all()


def test_closing_ends_what_is_worked_on(training: Training, ask: Ask, gate: Gate) -> None:
    plot, _ = ask()
    plot.session.loop_began()
    training.step()
    begun(plot, gate, training, "point", at=[0.2, 0.1])
    job = plot._job
    assert job is not None
    plot.close()
    assert job.cancelled
    gate.open.set()
    assert job.wait(30)
    training.step()
    assert plot._job is None
