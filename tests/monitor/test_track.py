"""``track()`` as a monitor shows it: state, epoch, progress, marks."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from nnwidgets import TrainingMonitor
from nnwidgets.live import wire
from tests.live.doubles import FakeLink, background, small, take_step, until
from tests.monitor.conftest import Make


def live(monitor: TrainingMonitor) -> dict[str, Any]:
    """The words of the live part as they are now, and its numbers under their names."""
    monitor.flush()
    meta, arrays = wire.unpack(monitor._live)
    names = ("rate", "eta", "overhead", "effective_rate", "elapsed")
    return {**meta, **dict(zip(names, arrays["numbers"].tolist(), strict=True))}


def test_a_loader_with_epochs(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    loader = DataLoader(TensorDataset(torch.ones(12, 3)), batch_size=4)
    shown = []
    for (x,) in monitor.track(loader, epochs=2):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        now = live(monitor)
        shown.append((now["state"], now["epoch"], now["progress"], now["step"]))
    assert shown == [("running", [1 + i // 3, 2], [i, 6] if i else [0, 6], i + 1) for i in range(6)]
    now = live(monitor)
    assert (now["state"], now["progress"], now["step"]) == ("finished", [6, 6], 6)


def test_two_nested_calls_are_epoch_and_batch(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for epoch in monitor.track(range(3)):
        for batch in monitor.track(range(4)):
            take_step(model, optimizer)
            monitor.log(loss=1.0)
            now = live(monitor)
            assert now["epoch"] == [epoch + 1, 3]
            each = 6 if epoch else 4  # the validation is known from the second epoch on
            assert now["progress"] == [6 * epoch + batch, 3 * each]
        for _ in monitor.track(range(2)):
            monitor.log(val_loss=1.0)
    _, arrays = wire.unpack(monitor._curves)
    assert arrays["epochs"][:, 0].tolist() == [0, 4, 8]
    assert (np.diff(arrays["epochs"][:, 1]) >= 0).all()


@pytest.mark.parametrize("problem", [None, ValueError("planted"), KeyboardInterrupt()])
def test_the_state_after_the_body_ended(make: Make, problem: BaseException | None) -> None:
    monitor = make()

    def loop() -> None:
        for i in monitor.track(range(5)):
            monitor.log(loss=i)
            if i == 2 and problem is not None:
                raise problem

    if problem is None:
        loop()
    else:
        with pytest.raises(type(problem)):
            loop()
    now = live(monitor)
    assert now["state"] == ("finished" if problem is None else "stopped") == monitor.state
    assert now["progress"] == ([5, 5] if problem is None else [2, 5])
    assert not now["stopping"]


def test_a_pause_in_a_nested_loop_and_a_stop_out_of_it(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    done: list[tuple[int, int]] = []

    def loop() -> None:
        for epoch in monitor.track(range(3)):
            for batch in monitor.track(range(4)):
                take_step(model, optimizer)
                done.append((epoch, batch))
                if (epoch, batch) == (1, 2):
                    monitor.pause()

    with background(loop):
        until(lambda: monitor.state == "paused")
        assert done[-1] == (1, 2)
        assert live(monitor)["state"] == "paused"
        monitor.step()
        until(lambda: done[-1] == (1, 3) and monitor.state == "paused")
        monitor.step()
        until(lambda: done[-1] == (2, 0) and monitor.state == "paused")
        monitor.stop()
    assert done[-1] == (2, 0)
    assert monitor.state == "stopped"
    monitor.flush()
    kinds = [event["kind"] for event in wire.unpack(monitor._notes)[0]["events"]]
    assert kinds == ["pause", "stop"]  # single steps are no end of the pause


def test_an_iterator_kept_over_an_error_does_not_confuse_the_next_loop(
    link: FakeLink, make: Make
) -> None:
    link.begin("a")
    monitor = make()
    kept = iter(monitor.track(range(9)))
    next(kept)
    monitor.log(loss=1.0)
    link.end(ValueError("planted"))
    assert monitor.state == "stopped"
    with link.cell("b"):
        for i in monitor.track(range(2)):
            now = live(monitor)
            assert (now["epoch"], now["progress"]) == (None, [i, 2])
        assert monitor.state == "finished"
    del kept
    gc.collect()
    assert monitor.state == "finished"


def test_one_iterator_over_several_cells(link: FakeLink, make: Make) -> None:
    with link.cell("a"):
        monitor = make()
        batches = iter(monitor.track(range(4)))
        assert next(batches) == 0
    with link.cell("b"):
        assert monitor.state == "running"
        assert list(batches) == [1, 2, 3]
    assert monitor.state == "finished"


def test_early_stopping_by_the_program(make: Make) -> None:
    monitor = make()
    seen = []
    for i in monitor.track(range(100)):
        seen.append(i)
        monitor.log(val_loss=1.0)
        if i == 5:
            monitor.stop()
    assert (seen[-1], monitor.state) == (5, "stopped")
    assert [i for i in monitor.track(range(3))] == [0, 1, 2]


def test_track_needs_nothing_else(make: Make) -> None:
    monitor = make()
    assert list(monitor.track(range(3))) == [0, 1, 2]
    assert monitor.state == "finished"
    assert list(monitor.history) == []


def test_more_items_than_the_total_that_was_given(make: Make) -> None:
    monitor = make()
    shown = []
    for _ in monitor.track(iter(range(4)), total=2):
        monitor.log(loss=1.0)
        now = live(monitor)
        assert not now["eta"] < 0
        shown.append(now["progress"])
    assert shown == [[0, 2], [1, 2], [2, None], [3, None]]
