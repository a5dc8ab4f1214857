"""One history of weights for all widgets on a model."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from nnwidgets import LayerInspector
from nnwidgets.probe.snapshot_watch import SnapshotWatch


def test_what_is_kept_is_what_the_step_left() -> None:
    model = nn.Linear(3, 2)
    watch = SnapshotWatch(model)
    watch.arm()
    watch.before_update(model.parameters())
    with torch.no_grad():
        model.weight.fill_(7.0)
    watch.after_update(model.parameters())
    with torch.no_grad():
        model.weight.fill_(8.0)  # as an average over weights, or clipping, would
    assert watch.finish(5) == (5,)
    step, weights = watch.snapshots.nearest(9) or pytest.fail("nothing was kept")
    assert step == 5
    assert weights["weight"].eq(8.0).all()


def test_it_does_not_keep_its_model() -> None:
    model = nn.Linear(3, 2)
    watch = SnapshotWatch(model)
    assert watch.model is model
    del model
    gc.collect()
    assert watch.model is None
    assert watch.finish(1) == ()


def test_two_widgets_go_back_to_the_same_steps() -> None:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with LayerInspector(model, torch.ones(1, 3), optimizer=optimizer) as first:
        with LayerInspector(model, torch.ones(1, 3)) as second:
            for _ in range(3):
                first.session.sampling.want()
                model(torch.ones(1, 3)).sum().backward()
                optimizer.step()
            assert first._snapshots is second._snapshots
            assert first._snapshots.steps
        kept = [one for one in first.session.sampling.samplers if isinstance(one, SnapshotWatch)]
        assert len(kept) == 1, "the one that is left still keeps weights"
