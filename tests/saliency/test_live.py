"""A viewer beside a plain training loop: the maps, the film, the cursor, the budget."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nnwidgets import LayerInspector, SaliencyViewer, TrainingMonitor
from tests.every_step import keep_every_step
from tests.live.doubles import Browser, install_browser
from tests.saliency.conftest import Make, click, decoded, look, panes, part, shown_map, summed
from tests.training import Training, small_cnn


def end(viewer: SaliencyViewer) -> None:
    """The loop is over, as a cell or a tracked loop says."""
    viewer.session.control.end("finished")


def film(viewer: SaliencyViewer) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Steps, drift and frames as the browser has them."""
    meta, arrays = part(viewer, "_film")
    return (
        [int(step) for step in arrays["steps"]],
        arrays["drift"],
        decoded(arrays["frames"], meta["low"], meta["high"]),
    )


def with_weights(state: dict[str, Any], x: torch.Tensor, **kwargs: Any) -> Any:
    """The answer of another model that has these weights, asked by another viewer."""
    model = small_cnn()
    model.load_state_dict(state)
    with SaliencyViewer(model, x) as other:
        return other.explain(0, **kwargs).arrays[0]


def test_maps_are_refreshed_as_far_as_the_budget_goes(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency", targets=1)
    browser = Browser(viewer)
    browser.look()
    viewer.flush()
    monkeypatch.setattr("nnwidgets.live.looks.Looks._looks_apart", 0.0)
    keep_every_step(viewer, monkeypatch)
    governor = viewer.session.governor
    monkeypatch.setattr(governor, "allows", lambda *_: False)
    viewer.session.loop_began()
    for _ in range(5):
        training.step()
    assert viewer._view.answers[0].step == 0  # cannot be afforded
    monkeypatch.setattr(governor, "allows", lambda *_: True)
    for _ in range(5):
        training.step()
    shown = viewer._view.answers[0]
    assert shown.step >= 9
    viewer.session.loop_ended("finished")
    pane = panes(viewer)[0]
    assert (pane["step"], pane["past"], pane["state"]) == (10, False, "ready")
    np.testing.assert_allclose(
        shown_map(viewer), summed(viewer.explain().values), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("ends", ["finished", "stopped"])
def test_the_last_step_is_shown_when_the_loop_ends(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch, ends: Any
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="grad_cam")
    viewer.flush()
    viewer.session.loop_began()
    monkeypatch.setattr(viewer.session.governor, "allows", lambda *_: False)
    for _ in range(4):
        training.step()
    assert viewer._view.answers[0].step == 0
    viewer.session.loop_ended(ends)
    assert viewer._view.answers[0].step == 4


def test_what_nobody_looks_at_costs_nothing(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency")
    browser = Browser(viewer)
    browser.look(visible=False)
    looks: list[int] = []
    monkeypatch.setattr(viewer, "_look", lambda: looks.append(1))
    keep_every_step(viewer, monkeypatch)
    viewer.session.loop_began()
    for _ in range(20):
        training.step()
        viewer.publish(1e9)
    assert not looks
    viewer.session.loop_ended("finished")


def test_the_film_and_its_drift(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are the maps of the stored weights; drift is Spearman's correlation, by pandas."""
    install_browser(monkeypatch)
    x = training.x[:5]
    viewer = make(training.model, x, method="saliency", targets=1)
    look(viewer)
    viewer.flush()
    keep_every_step(viewer, monkeypatch)
    states = {}
    viewer.session.loop_began()
    for step in range(1, 10):
        training.step()
        states[step] = {k: v.clone() for k, v in training.model.state_dict().items()}
    viewer.session.loop_ended("finished")
    steps, drift, frames = film(viewer)
    kept = viewer._kept.snapshots.steps
    assert steps == sorted({*kept, 9})  # all that can be gone to
    assert len(steps) >= 4
    truth = {
        step: summed(with_weights(states[step], x, method="saliency", target=1)) for step in steps
    }
    span = max(np.abs(frame).max() for frame in truth.values())
    for step, frame in zip(steps, frames, strict=True):
        np.testing.assert_allclose(frame, truth[step], atol=span / 250)
    assert np.isnan(drift[0])
    for place in range(1, len(steps)):
        table = pd.DataFrame(
            {"a": truth[steps[place - 1]].ravel(), "b": truth[steps[place]].ravel()}
        )
        assert drift[place] == pytest.approx(table.corr("spearman").iloc[0, 1], abs=1e-3)


def test_the_film_grows_while_somebody_looks_at_the_past(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency", targets=1)
    browser = Browser(viewer)
    browser.look()
    monkeypatch.setattr("nnwidgets.live.looks.Looks._looks_apart", 0.0)
    keep_every_step(viewer, monkeypatch)
    governor = viewer.session.governor
    monkeypatch.setattr(governor, "allows", lambda *_: True)
    viewer.session.loop_began()
    for _ in range(6):
        training.step()
    viewer.flush()
    past = viewer._kept.snapshots.steps[1]
    viewer.session.set_cursor(past)
    training.step()
    viewer.flush()
    shown, number = panes(viewer)[0], viewer._view.number
    assert (shown["step"], shown["past"]) == (past, True)
    before = film(viewer)[0]
    for _ in range(6):
        training.step()
    after = film(viewer)[0]
    kept = viewer._kept.snapshots.steps
    assert kept[-1] > before[-1]
    assert after == list(kept)
    assert part(viewer, "_choices")[0]["steps"] == list(kept)
    assert viewer._view.number == number  # the picture itself has been left in peace
    monkeypatch.setattr(governor, "allows", lambda *_: False)
    training.step()
    assert film(viewer)[0] == after  # not at any price
    viewer.session.loop_ended("finished")


def test_another_question_is_another_film(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency", targets=1)
    keep_every_step(viewer, monkeypatch)
    viewer.session.loop_began()
    for _ in range(4):
        training.step()
    viewer.session.loop_ended("finished")
    viewer.flush()
    before = film(viewer)
    click(viewer, "index", index=2)  # the frames of the stored weights come back by themselves
    meta, _ = part(viewer, "_film")
    assert (meta["method"], meta["index"]) == ("saliency", 2)
    after = film(viewer)
    assert after[0] == before[0]
    assert not np.allclose(after[2], before[2])


def test_the_cursor_is_shared_and_shows_the_weights_of_its_step(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    x = training.x[:5]
    viewer = make(training.model, x, method="integrated_gradients", targets=2)
    inspector = LayerInspector(training.model, x)
    monitor = TrainingMonitor(training.model, training.optimizer)
    keep_every_step(viewer, monkeypatch)
    states: dict[int, dict[str, Any]] = {}
    viewer.session.loop_began()
    for step in range(1, 6):
        training.step()
        states[step] = {k: v.clone() for k, v in training.model.state_dict().items()}
    viewer.session.loop_ended("finished")
    assert viewer.session is inspector.session is monitor.session
    viewer.flush()
    now = shown_map(viewer).copy()
    stored = [step for step in viewer._kept.snapshots.steps if 0 < step < 5]
    assert stored
    for mover, step in ((inspector, stored[0]), (monitor, stored[-1]), (viewer, stored[0])):
        mover.session.set_cursor(step)
        pane = panes(viewer)[0]
        assert (pane["step"], pane["past"]) == (step, True)
        expected = with_weights(states[step], x, method="integrated_gradients", target=2)
        np.testing.assert_allclose(shown_map(viewer), summed(expected), rtol=1e-4, atol=1e-7)
        assert part(viewer, "_live")[0]["cursor"] == step
    click(viewer, "cursor", step=None)
    np.testing.assert_allclose(shown_map(viewer), now, rtol=1e-6)
    inspector.close()
    monitor.close()


def test_a_cursor_stays_when_the_loop_goes_on(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency", targets=0)
    look(viewer)
    viewer.flush()
    keep_every_step(viewer, monkeypatch)
    viewer.session.loop_began()
    for _ in range(4):
        training.step()
    step = viewer._kept.snapshots.steps[1]
    click(viewer, "cursor", step=step)
    training.step()
    training.step()
    assert viewer._view.answers[0].step == step
    shown = shown_map(viewer).copy()
    for _ in range(3):
        training.step()
    viewer.session.loop_ended("finished")
    np.testing.assert_array_equal(shown_map(viewer), shown)
    assert panes(viewer)[0]["past"]


def test_the_optimiser_is_found_by_itself(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency")
    assert "optimizer" in viewer.status
    for _ in range(3):
        training.step()
    end(viewer)
    assert viewer.session.step == 3
    assert panes(viewer)[0]["step"] == 3
    assert "optimizer" not in viewer.status
    viewer.close()
    gc.collect()
    assert not training.optimizer._optimizer_step_post_hooks


def test_losses_and_weights_are_those_of_the_bare_run(monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    ends = []
    for watched in (False, True):
        torch.manual_seed(1)
        model = small_cnn()
        training = Training(
            model,
            torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
            torch.randn(16, 1, 8, 8),
            torch.randint(3, (16,)),
        )
        viewer = SaliencyViewer(model, training.x[:3], budget=0.5) if watched else None
        if viewer is not None:
            look(viewer)
            monkeypatch.setattr("nnwidgets.live.looks.Looks._looks_apart", 0.0)
            keep_every_step(viewer, monkeypatch)
        for step in range(12):
            if viewer is not None:
                click(viewer, "method", method=viewer.methods[step % len(viewer.methods)])
                click(viewer, "index", index=step % 3)
                viewer.flush()
            training.step()
        ends.append((torch.get_rng_state(), *(v.clone() for v in model.state_dict().values())))
        if viewer is not None:
            assert viewer._error is None
            assert viewer._view.number > 5
            viewer.close()
    for bare, watched_one in zip(*ends, strict=True):
        assert torch.equal(bare, watched_one)
