"""Two panes: methods, classes, steps, checkpoints, on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import SaliencyViewer
from tests.every_step import keep_every_step
from tests.live.doubles import install_browser
from tests.saliency.conftest import Make, panes, part, shown_map, summed
from tests.training import Training, small_cnn


def check_scale(viewer: SaliencyViewer) -> None:
    """One scale that just holds both maps, centred on zero where a value is below it."""
    meta, _ = part(viewer, "_picture")
    both = np.concatenate([shown_map(viewer, pane).ravel() for pane in (0, 1)])
    most = np.abs(both).max() if both.min() < 0 else both.max()
    assert meta["high"] == pytest.approx(most, rel=1e-5)
    assert meta["signed"] == bool(both.min() < 0)
    assert meta["low"] == pytest.approx(-most if both.min() < 0 else 0.0, rel=1e-5)


def check_pane(viewer: SaliencyViewer, pane: int, expected: Any) -> None:
    np.testing.assert_allclose(
        shown_map(viewer, pane), summed(expected.values), rtol=1e-4, atol=1e-7
    )


def test_two_methods(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="saliency", targets=1)
    viewer.compare("method", "input_x_gradient")
    first, second = panes(viewer)
    assert (first["method"], second["method"]) == ("saliency", "input_x_gradient")
    check_pane(viewer, 0, viewer.explain())
    check_pane(viewer, 1, viewer.explain(method="input_x_gradient"))
    check_scale(viewer)
    viewer.index = 3  # both follow
    assert [pane["index"] for pane in panes(viewer)] == [3, 3]
    check_pane(viewer, 1, viewer.explain(3, method="input_x_gradient"))
    viewer.compare()
    assert len(panes(viewer)) == 1
    assert part(viewer, "_picture")[0]["compare"] is None


def test_two_classes(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="input_x_gradient", targets=0)
    viewer.compare("target", np.int64(2))
    assert [pane["target"] for pane in panes(viewer)] == [0, 2]
    check_pane(viewer, 0, viewer.explain(target=0))
    check_pane(viewer, 1, viewer.explain(target=2))
    check_scale(viewer)


def test_two_steps(training: Training, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="integrated_gradients", targets=1)
    keep_every_step(viewer, monkeypatch)
    states: dict[int, Any] = {}
    viewer.session.loop_began()
    for step in range(1, 7):
        training.step()
        states[step] = {k: v.clone() for k, v in training.model.state_dict().items()}
    viewer.session.loop_ended("finished")
    step = viewer._kept.snapshots.steps[0]
    viewer.compare("step", step)
    first, second = panes(viewer)
    assert (first["step"], first["past"]) == (6, False)
    assert (second["step"], second["past"]) == (step, True)
    model = small_cnn()
    model.load_state_dict(states[step])
    with SaliencyViewer(model, training.x[:5]) as other:
        expected = other.explain(0, method="integrated_gradients", target=1)
    check_pane(viewer, 1, expected)
    check_scale(viewer)


def test_two_checkpoints(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="saliency", targets=1)
    with pytest.raises(ValueError, match=r"no checkpoint 'best'.*keep"):
        viewer.compare("checkpoint", "best")
    before = viewer.explain()
    viewer.keep("best")
    assert viewer.checkpoints == ("best",)
    for _ in range(5):
        training.step()
    viewer.session.control.end("finished")
    viewer.compare("checkpoint", "best")
    first, second = panes(viewer)
    assert (first["checkpoint"], second["checkpoint"]) == (None, "best")
    check_pane(viewer, 0, viewer.explain())
    check_pane(viewer, 1, before)
    check_scale(viewer)
    viewer.keep("best")  # again, as it is now: the pane follows
    check_pane(viewer, 1, viewer.explain())
    assert part(viewer, "_choices")[0]["checkpoints"] == ["best"]


def test_weights_of_another_file(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="saliency", targets=1)
    torch.manual_seed(5)
    other = small_cnn()
    state = other.state_dict()
    viewer.keep("other", state)
    with torch.no_grad():
        for value in state.values():
            value.zero_()  # what was kept was copied
    viewer.compare("checkpoint", "other")
    torch.manual_seed(5)
    same = small_cnn()
    with SaliencyViewer(same, training.x[:5]) as judge:
        check_pane(viewer, 1, judge.explain(0, method="saliency", target=1))
    check_pane(viewer, 0, viewer.explain())


@pytest.mark.parametrize(
    ("name", "weights", "kind", "words"),
    [
        ("", None, ValueError, "name"),
        (3, None, TypeError, "name"),
        ("x", [1], TypeError, "state dict"),
        ("x", {"0.weight": 3}, TypeError, "0.weight"),
        ("x", {"0.weight": torch.ones(1)}, (ValueError, RuntimeError), "0.weight"),
        ("x", {"nothing.weight": torch.ones(1)}, (ValueError, RuntimeError), "nothing.weight"),
    ],
)
def test_weights_that_cannot_be_kept(
    training: Training, make: Make, name: Any, weights: Any, kind: Any, words: str
) -> None:
    viewer = make(training.model, training.x[:5], method="saliency")
    with pytest.raises(kind, match=words):
        viewer.keep(name, weights)
    assert viewer.checkpoints == ()


@pytest.mark.parametrize(
    ("by", "value"),
    [
        ("method", "gradcam"), ("method", "attention_rollout"), ("method", None), ("method", ""),
        ("target", 9), ("target", "cat"), ("step", "x"), ("step", None), ("step", True),
        ("step", float("nan")), ("checkpoint", None), ("weather", 1),
    ],
)  # fmt: skip
def test_what_cannot_be_compared(training: Training, make: Make, by: str, value: Any) -> None:
    viewer = make(training.model, training.x[:5], method="saliency")
    with pytest.raises((ValueError, TypeError)):
        viewer.compare(by, value)
    assert len(panes(viewer)) == 1


def test_a_pane_that_fails_leaves_the_other(make: Make) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3))
    viewer = make(model, torch.randn(2, 4), method="saliency")
    viewer.keep("old")
    model[0] = nn.Linear(4, 5)  # another head: the old weights do not fit any more
    viewer.refresh()
    viewer.compare("checkpoint", "old")
    first, second = panes(viewer)
    assert first["state"] == "ready"
    assert second["state"] == "failed"
    assert second["problem"]
