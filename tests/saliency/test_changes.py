"""What the picture says when something changed behind the widget's back, or went wrong in it."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.catalogue import text
from tests.saliency.conftest import Make, look, panes, shown_map, summed
from tests.training import Training


def test_a_failure_of_ours_is_said_in_the_pane_it_belongs_to(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make(training.model, training.x[:5], method="saliency")
    assert panes(viewer)[0]["state"] == "ready"

    def wrong(*_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(viewer._solver, "solve", wrong)
    viewer.index = 3
    pane = panes(viewer)[0]
    assert (pane["index"], pane["state"]) == (3, "failed")
    assert "planted" in pane["problem"]


def test_weights_that_were_changed_by_hand_are_not_taken_for_those_before(
    training: Training, make: Make
) -> None:
    """Loading a checkpoint is no step of training."""
    viewer = make(training.model, training.x[:5], method="saliency", targets=0)
    before = shown_map(viewer).copy()
    state = {
        k: v + 0.3 if v.is_floating_point() else v for k, v in training.model.state_dict().items()
    }
    training.model.load_state_dict(state)
    viewer.index = 1
    viewer.index = 0
    expected = summed(viewer.explain(0).values)
    assert not np.allclose(before, expected, rtol=1e-3)
    np.testing.assert_allclose(shown_map(viewer), expected, rtol=1e-5, atol=1e-7)


def test_a_model_that_nobody_keeps_is_said_to_be_gone(make: Make) -> None:
    viewer = make(nn.Sequential(nn.Linear(4, 3)), torch.randn(2, 4))
    gc.collect()
    look(viewer)
    pane = panes(viewer)[0]
    assert pane["state"] == "failed"
    assert pane["problem"] == text("explain.view.model_gone", "en")
