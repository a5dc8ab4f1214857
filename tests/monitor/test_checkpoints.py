"""The history of a run next to its weights: in a checkpoint, in a copy, in a resumed run."""

from __future__ import annotations

import copy
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from nnwidgets import TrainingMonitor
from tests.live.doubles import small, take_step
from tests.monitor.conftest import Make


@pytest.fixture
def trained(make: Make) -> TrainingMonitor:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for step in monitor.track(range(30)):
        take_step(model, optimizer)
        monitor.log(loss=torch.tensor(1 / (step + 1)))
    monitor.log(val_loss=math.nan)
    return monitor


def csv(history: object) -> str:
    written = io.StringIO()
    history.to_csv(written)  # type: ignore[attr-defined]
    return written.getvalue()


def test_a_checkpoint_holds_the_history_and_is_read_as_weights_are(
    trained: TrainingMonitor, tmp_path: Path
) -> None:
    kept = {"weights": {"w": torch.ones(2)}, "history": trained.history}
    torch.save(kept, tmp_path / "run.pt")
    trained.log(loss=9.0)
    read = torch.load(tmp_path / "run.pt", weights_only=True)
    history = read["history"]
    assert history["loss"].values.tolist() == [
        torch.tensor(1 / (step + 1)).item() for step in range(30)
    ]
    assert history.bad("val_loss") == 1
    assert list(history) == list(trained.history)
    assert len(history.to_pandas()) == len(history["loss"])


def test_a_copy_can_be_written_out_and_has_no_tie_to_the_monitor(
    trained: TrainingMonitor,
) -> None:
    before = csv(trained.history)
    made = copy.deepcopy(trained.history)
    trained.log(loss=2.0)
    trained.close()
    assert csv(made) == before
    assert csv(trained.history) != before


def test_two_runs_side_by_side_from_their_copies(make: Make) -> None:
    """What a user does with kept histories: stack them."""
    kept = []
    for seed in range(3):
        monitor = make()
        for step in range(5):
            monitor.log(loss=seed + step)
        kept.append(copy.copy(monitor.history))
        monitor.close()
    table = np.stack([history["loss"].values for history in kept])
    assert table.tolist() == [[seed + step for step in range(5)] for seed in range(3)]
