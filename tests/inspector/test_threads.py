"""Looks, clicks and questions that come from other threads than the one that trains."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from nnwidgets import LayerInspector
from nnwidgets.live import wire
from nnwidgets.probe.look import Arguments
from tests.inspector.conftest import Make
from tests.live.doubles import Background, Browser, background, install_browser, until
from tests.training import Training


@contextmanager
def trained_elsewhere(training: Training, inspector: LayerInspector) -> Iterator[Background]:
    """Train in a thread until the body is over."""
    over = threading.Event()

    def train() -> None:
        while not over.is_set():
            training.step()

    with background(train) as loop:
        try:
            until(lambda: inspector.session.training)
            yield loop
        finally:
            over.set()


def test_sending_never_waits_for_a_safe_point(training: Training, make: Make) -> None:
    """Whoever sends holds a lock that the end of a cell needs, in the thread that trains."""
    inspector = make(training.model, optimizer=training.optimizer)
    inspector.flush()
    training.step()  # trains, and comes to no further safe point
    inspector._take_inputs((training.x[:3],), {})

    def send() -> None:
        inspector.flush()
        inspector.get_state()

    sender = Background(send)
    sender.join()
    assert wire.unpack(inspector._samples)[0]["count"] == 3


def test_a_picture_is_of_one_look(training: Training, make: Make) -> None:
    """Name, unit and blocks belong together, whenever the sender comes by."""
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.tab = "weights"
    kinds = {"0": "maps", "6": "matrix"}
    over = threading.Event()
    seen: list[tuple[str, list[str]]] = []

    def send() -> None:
        while not over.is_set():
            inspector.flush()
            if inspector._layer:
                head = wire.unpack(inspector._layer)[0]
                seen.append((head["name"], [block["kind"] for block in head["blocks"]]))

    with background(send):
        for _ in range(60):
            for layer in kinds:
                inspector.selected = layer
        over.set()
    shown = [(name, found) for name, found in seen if name in kinds]
    assert shown
    for name, found in shown:
        assert kinds[name] in found, name


def test_questions_of_other_threads_are_answered_by_the_one_that_trains(
    training: Training, make: Make
) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    threads: set[int] = set()
    look = inspector._twin.open

    def noted(*args: object) -> object:
        threads.add(threading.get_ident())
        return look(*args)  # type: ignore[arg-type]

    inspector._twin.open = noted  # type: ignore[assignment, method-assign]
    with trained_elsewhere(training, inspector) as loop:
        assert inspector.activations("6").shape == (5, 3)
        assert inspector.contributions("6", 1).shape == (64,)
        assert inspector.weights("6").shape == (3, 64)
        assert len(inspector.layers) == 7
        inspector._receive({"type": "view", "view": "v", "visible": True}, [])
        before = inspector._seen
        inspector.selected = "4"
        until(lambda: inspector._seen > before)
        assert threads == {loop.ident}


def test_a_paused_loop_may_be_looked_into(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.session.control.pause()
    with background(training.step) as loop:
        until(lambda: inspector.session.control.waiting)
        assert inspector.activations("6").shape == (5, 3)
        before = inspector._seen
        inspector._receive({"type": "view", "view": "v", "visible": True}, [])
        inspector.selected = "4"
        assert inspector._seen == before  # not here: the loop may go on at any moment
        inspector.flush()
        until(lambda: inspector._seen > before)
        inspector.session.control.resume()
        loop.join()
    assert inspector._error is None


def test_closing_while_another_thread_trains_and_searches(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    inspector.selected, inspector.unit = "6", 1
    browser = Browser(inspector)
    with trained_elsewhere(training, inspector):
        browser.ask("feature")
        inspector.session.sampling.want()
        inspector.close()
        steps = inspector.session.step
    assert not training.optimizer._optimizer_step_post_hooks
    assert all(not m._forward_hooks for m in training.model.modules())
    training.step()
    assert inspector.session.step >= steps


def test_badges_may_be_read_while_samples_come(training: Training, make: Make) -> None:
    inspector = make(training.model, training.x[:5], optimizer=training.optimizer)
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            inspector._health.badges()

    inspector.session.sampling.want()
    while inspector._newest is None:
        training.step()
    with background(read):
        for _ in range(3000):
            inspector._health.add(inspector._newest)
        over.set()


def test_both_kinds_of_inputs_make_a_probe_batch(make: Make) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor, *, scale: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.layer(x * scale)
            return out

    model = Both()
    inspector = make(model)
    inspector._take_inputs((torch.ones(3, 4),), {"scale": torch.ones(3, 1)})
    assert inspector._probe is not None
    assert isinstance(inspector._probe.sample, Arguments)
    assert inspector._probe.count == 3
    assert inspector.activations("layer").shape == (3, 2)
