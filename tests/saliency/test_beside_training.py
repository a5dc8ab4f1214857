"""What is asked while a training runs in another thread, or between two steps of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nnwidgets import TrainingMonitor
from nnwidgets.live.pulse import Kind
from tests.live.doubles import Background, until
from tests.saliency.conftest import Make, click, panes, part
from tests.training import Training


def test_questions_from_a_second_thread_while_it_trains_in_the_background(
    training: Training, make: Make
) -> None:
    viewer = make(training.model, training.x[:5], method="saliency", targets=1)
    with TrainingMonitor(training.model, training.optimizer) as monitor:
        over = threading.Event()

        def train() -> int:
            steps = 0
            while not over.is_set() and not monitor.should_stop:
                training.step()
                steps += 1
            return steps

        run = monitor.run(train)
        try:
            found = viewer.explain(2, method="occlusion")
            assert found.values.shape == (1, 8, 8)
            report = viewer.trust(1)
            assert report.verdict
            answers: list[Any] = []
            other = Background(
                lambda: answers.extend(viewer.explain(i, method="grad_cam") for i in range(3))
            )
            other.join()
            assert [one.index for one in answers] == [0, 1, 2]
            with pytest.raises(ValueError, match="from 0 to 4"):
                viewer.explain(9)
        finally:
            over.set()
        assert run.result(timeout=30) > 0
    assert viewer._error is None


class Checkpointed(nn.Module):
    """Computes its first layer anew in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        again: Any = checkpoint(self.first, x, use_reentrant=False)
        return self.last(torch.tanh(again))


def test_a_checkpointed_model_is_not_differentiated_beside_a_training(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would set the random numbers of the process back in the middle of a step."""
    monkeypatch.setattr("nnwidgets._saliency_sources._QUICK_SECONDS", 0.0)  # all methods are slow
    model = Checkpointed()
    viewer = make(model, torch.randn(4, 4), method="saliency")
    assert part(viewer, "_picture")[0]["panes"][0]["state"] == "ready"  # at rest, and at once
    assert viewer._job is None
    viewer.session.loop_began()
    try:
        click(viewer, "method", method="input_x_gradient")
        viewer.session.safe_point(Kind.STEP)
        pane = panes(viewer)[0]
        assert pane["state"] == "failed"
        assert "checkpointing" in pane["problem"]
        click(viewer, "method", method="feature_ablation")

        def is_answered() -> bool:
            viewer.session.safe_point(Kind.STEP)
            return panes(viewer)[0]["state"] in ("ready", "stale")

        until(is_answered)
    finally:
        viewer.session.loop_ended("finished")
