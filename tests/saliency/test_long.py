"""Methods that take long: beside the training, with progress, cancelled, superseded, failing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets import SaliencyViewer
from tests.gate import Gate, no_job_runs
from tests.live.doubles import Browser, install_browser, until
from tests.saliency.conftest import Make, panes, part, shown_map, summed
from tests.training import Training


class Gated(nn.Module):
    """A model whose private copies can be held up."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.out = nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.gate.pass_through(len(x), self.training)
        out: Tensor = self.out(self.conv(x).relu().flatten(1))
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
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Training(model, optimizer, torch.randn(16, 1, 8, 8), torch.randint(3, (16,)))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let these methods take long, whatever the machine."""
    from nnwidgets._saliency_solving import Solver

    estimate = Solver._estimate
    names = ("integrated_gradients", "occlusion", "lime", "smooth_grad")

    def told(self: Solver, method: str, *args: Any) -> float:
        return 10.0 if method in names else min(0.01, estimate(self, method, *args))

    monkeypatch.setattr(Solver, "_estimate", told)


Ask = Callable[..., tuple[SaliencyViewer, Browser]]


@pytest.fixture
def ask(training: Training, make: Make, monkeypatch: pytest.MonkeyPatch, slow: None) -> Ask:
    install_browser(monkeypatch)

    def build(method: str = "saliency") -> tuple[SaliencyViewer, Browser]:
        viewer = make(training.model, training.x[:5], method=method, targets=1)
        browser = Browser(viewer)
        browser.look()
        viewer.flush()
        return viewer, browser

    return build


def state(viewer: SaliencyViewer) -> str:
    return str(panes(viewer)[0]["state"])


def check_map(viewer: SaliencyViewer, index: int | None = None) -> None:
    """Occlusion takes one score from another, of so many digits; batches depend on the time."""
    np.testing.assert_allclose(
        shown_map(viewer), summed(viewer.explain(index).values), rtol=1e-4, atol=2e-6
    )


def rested(viewer: SaliencyViewer) -> None:
    until(lambda: not viewer._working)


def held(viewer: SaliencyViewer, gate: Gate, method: str = "occlusion") -> None:
    """Have a method begun, and held in the middle of it."""
    gate.open.clear()
    gate.inside.clear()
    viewer.method = method
    assert gate.inside.wait(30)


def test_the_training_goes_on_while_a_slow_method_works(
    training: Training, ask: Ask, gate: Gate
) -> None:
    viewer, _ = ask()
    viewer.session.loop_began()
    training.step()
    gate.open.clear()
    gate.inside.clear()
    asked_at = viewer.session.step
    viewer.method = "occlusion"
    assert gate.inside.wait(30)
    pane = panes(viewer)[0]
    assert (pane["method"], pane["state"], pane["index"]) == ("occlusion", "working", 0)
    busy = part(viewer, "_live")[0]["busy"]
    assert busy["action"] == "explain"
    for _ in range(5):
        training.step()
        viewer.session.look_into_next_step()
    assert viewer.session.step == asked_at + 5
    assert state(viewer) == "working"  # also after looks that nobody has asked for
    gate.open.set()
    rested(viewer)
    pane = panes(viewer)[0]
    # The map is there; once the budget allows another look, as that of an earlier step.
    assert pane["state"] in ("ready", "stale")
    assert (pane["step"], pane["shape"]) == (asked_at, [1, 8, 8])
    assert part(viewer, "_live")[0]["busy"] is None
    viewer.session.loop_ended("finished")
    rested(viewer)
    viewer.flush()
    rested(viewer)
    pane = panes(viewer)[0]
    assert (pane["state"], pane["step"]) == ("ready", asked_at + 5)
    check_map(viewer)
    assert viewer._error is None


def test_progress_is_told(training: Training, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer, _ = ask()
    seen: list[float] = []
    from nnwidgets.live.jobs import Job

    tell = Job.progress

    def noted(self: Job, fraction: float, note: str = "") -> None:
        seen.append(fraction)
        tell(self, fraction, note)

    monkeypatch.setattr(Job, "progress", noted)
    monkeypatch.setattr("nnwidgets.explain.cancelling._TELL_SECONDS", 0.0)
    viewer.method = "occlusion"
    rested(viewer)
    assert seen
    assert seen == sorted(seen)
    assert all(0 <= one <= 1 for one in seen)
    assert state(viewer) == "ready"


def test_stop_ends_it_at_the_next_pass(ask: Ask, gate: Gate) -> None:
    viewer, browser = ask()
    before = shown_map(viewer)
    held(viewer, gate)
    assert state(viewer) == "working"
    job = viewer._job
    assert job is not None
    assert browser.answer(browser.ask("stop"))["type"] == "reply"
    assert state(viewer) == "stale"  # said at once, though the pass is still under way …
    assert part(viewer, "_live")[0]["busy"] is None
    passes = gate.passes
    gate.open.set()
    assert job.wait(30)
    assert gate.passes == passes  # … and none has begun since
    rested(viewer)
    assert state(viewer) == "stale"
    assert panes(viewer)[0]["method"] == "occlusion"
    viewer.flush()
    assert not viewer._working  # it stays given up …
    browser.ask("explain")  # … until it is asked for again
    rested(viewer)
    assert state(viewer) == "ready"
    assert not np.allclose(shown_map(viewer), before)


@pytest.mark.parametrize("by_number", [True, False])
def test_a_check_is_cancelled_by_its_number_and_by_stop(
    ask: Ask, gate: Gate, by_number: bool
) -> None:
    viewer, browser = ask()
    gate.open.clear()
    gate.inside.clear()
    number = browser.ask("trust")
    assert gate.inside.wait(30)
    assert part(viewer, "_trust")[0]["state"] == "working"
    if by_number:
        browser.say({"type": "cancel", "id": number})
    else:
        browser.ask("stop")
    passes = gate.passes
    gate.open.set()
    until(lambda: not viewer._under_check)
    assert gate.passes == passes
    assert part(viewer, "_trust")[0]["state"] == "none"
    assert part(viewer, "_live")[0]["busy"] is None
    assert all(answer["type"] != "error" for answer in browser.answers(number))


def test_a_check_is_told_and_grows_stale(training: Training, ask: Ask) -> None:
    viewer, browser = ask()
    number = browser.ask("trust")
    until(lambda: any(one["type"] == "reply" for one in browser.answers(number)))
    meta, arrays = part(viewer, "_trust")
    assert (meta["state"], meta["method"], meta["index"]) == ("ready", "saliency", 0)
    assert meta["verdict"]
    assert {check["kind"] for check in meta["checks"]} >= {"randomisation", "stability"}
    assert arrays["deletion"].shape == arrays["fraction"].shape
    viewer.keep("now")  # changes nothing that was checked
    assert part(viewer, "_trust")[0]["state"] == "ready"
    viewer.index = 1
    assert part(viewer, "_trust")[0]["state"] == "stale"
    viewer.index = 0
    assert part(viewer, "_trust")[0]["state"] == "ready"
    report = viewer.trust(0)
    values = {check["kind"]: check["value"] for check in meta["checks"]}
    assert values["randomisation"] == pytest.approx(report.randomisation, abs=1e-3)


def test_a_newer_click_supersedes_the_older_one(ask: Ask, gate: Gate) -> None:
    viewer, _ = ask()
    held(viewer, gate)
    first = viewer._job
    assert first is not None
    viewer.index = 2
    second = viewer._job
    assert first.cancelled
    assert second is not None
    assert second is not first
    gate.open.set()
    rested(viewer)
    assert first.wait(30)
    pane = panes(viewer)[0]
    assert (pane["index"], pane["method"], pane["state"]) == (2, "occlusion", "ready")
    check_map(viewer, 2)


def test_a_quick_click_ends_slow_work_that_nobody_wants_any_more(ask: Ask, gate: Gate) -> None:
    viewer, _ = ask()
    held(viewer, gate)
    job = viewer._job
    assert job is not None
    viewer.method = "saliency"
    assert job.cancelled
    pane = panes(viewer)[0]
    assert (pane["method"], pane["state"]) == ("saliency", "ready")
    assert part(viewer, "_live")[0]["busy"] is None
    gate.open.set()
    assert job.wait(30)
    assert panes(viewer)[0]["method"] == "saliency"
    viewer.method = "occlusion"  # it was not given up for good
    rested(viewer)
    assert state(viewer) == "ready"


def test_the_model_as_it_is_now_is_asked_anew_while_an_old_answer_is_under_way(
    training: Training, ask: Ask, gate: Gate
) -> None:
    viewer, _ = ask()
    held(viewer, gate)
    with torch.no_grad():
        for parameter in training.model.parameters():
            parameter.add_(0.1)
    viewer.refresh()
    gate.open.set()
    rested(viewer)
    check_map(viewer)


def test_a_method_that_fails_says_so_in_its_pane(ask: Ask, gate: Gate) -> None:
    viewer, browser = ask()
    held(viewer, gate)
    gate.fails = True
    gate.open.set()
    rested(viewer)
    pane = panes(viewer)[0]
    assert (pane["method"], pane["state"]) == ("occlusion", "failed")
    assert "planted" in pane["problem"]
    viewer.flush()
    assert not viewer._working  # it is not tried again and again
    gate.fails = False
    browser.ask("explain")
    rested(viewer)
    assert state(viewer) == "ready"


def test_closing_while_it_works(ask: Ask, gate: Gate) -> None:
    viewer, _ = ask()
    held(viewer, gate)
    job = viewer._job
    assert job is not None
    viewer.close()
    gate.open.set()
    assert job.wait(30)
    until(no_job_runs)


def test_closing_begins_nothing_more(ask: Ask, gate: Gate) -> None:
    """The last picture is built when a widget closes; a slow method is not begun for it."""
    viewer, _ = ask()
    gate.open.clear()
    viewer._wish = viewer._wish.__class__(**{**vars(viewer._wish), "method": "occlusion"})
    viewer._stale = viewer._asked_for = True
    viewer.close()
    gate.open.set()
    until(no_job_runs)
    assert viewer._job is None or viewer._job.cancelled


def test_a_figure_waits_for_the_answer(
    ask: Ask, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, _ = ask()
    held(viewer, gate)
    wait = viewer._wait_for_answers

    def once_it_waits(seconds: float) -> None:
        gate.open.set()
        wait(seconds)

    monkeypatch.setattr(viewer, "_wait_for_answers", once_it_waits)
    viewer._have_answers()
    assert state(viewer) == "ready"


def test_importance_of_the_features_of_a_table(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]]))
        model.bias.zero_()
    x = torch.randn(200, 3)
    viewer = make(
        model, x, method="saliency", targets=(x[:, 0] < 0).long(), feature_names=["a", "b", "c"]
    )
    browser = Browser(viewer)
    number = browser.ask("importance")
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    meta, arrays = part(viewer, "_importance")
    assert (meta["state"], meta["problem"]) == ("ready", None)
    assert meta["features"] == ["a", "b", "c"]
    assert meta["base"] == pytest.approx(1.0)
    assert arrays["mean"][0] == pytest.approx(0.5, abs=0.1)
    np.testing.assert_allclose(arrays["mean"][1:], 0, atol=1e-9)
