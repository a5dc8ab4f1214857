"""The optimiser of a model is found by its steps when nobody names it."""

from __future__ import annotations

import gc
import threading

import pytest
import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from nnwidgets.live.session import Session


class Listener:
    """Somebody on a session."""

    def on_change(self) -> None: ...
    def on_event(self, kind: str, step: int, **params: str) -> None: ...
    def on_failure(self, where: str, problem: Exception) -> None:
        raise AssertionError(where) from problem

    def on_rate(self, step: int, name: str, value: float) -> None: ...
    def on_sample(self, sampler: object, sample: object) -> None: ...
    def on_message(self, key: str, **params: str) -> None: ...


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()


def hooks() -> int:
    return len(torch_optimizer._global_optimizer_post_hooks)


def watched(model: nn.Module) -> tuple[Session, Listener]:
    session, listener = Session.of(model), Listener()
    session.join(listener, 0.02)
    session.seek_optimizers()
    return session, listener


def test_found_by_its_first_step_which_counts() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # made after the widget
    for _ in range(3):
        step(model, optimizer)
    assert [slot.optimizer for slot in session.slots] == [optimizer]
    assert session.step == 3
    session.leave(listener)
    assert hooks() == 0
    assert not optimizer._optimizer_step_post_hooks


def test_the_optimiser_of_another_model_is_none_of_ours() -> None:
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    session, listener = watched(model)
    step(other, torch.optim.SGD(other.parameters(), lr=0.1))
    assert session.slots == []
    assert session.step == 0
    session.leave(listener)


def test_two_that_train_one_model_make_one_step_together() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    session, listener = watched(model)
    pair = [torch.optim.SGD(part.parameters(), lr=0.1) for part in model]
    for _ in range(4):
        model(torch.ones(1, 2)).sum().backward()
        for optimizer in pair:
            optimizer.step()
    assert [slot.optimizer for slot in session.slots] == pair
    assert session.step == 4
    session.leave(listener)


def train(model: nn.Module, steps: int, kept: list[torch.optim.Optimizer] | None = None) -> None:
    """Train with an optimiser of its own, as a function does that is called several times."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if kept is not None:
        kept.append(optimizer)
    for _ in range(steps):
        step(model, optimizer)


def test_each_of_many_that_are_dropped_is_found_by_its_first_step() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    for call in range(5):
        train(model, 80)
        assert session.step == 80 * (call + 1)
    session.leave(listener)
    assert hooks() == 0


def test_each_of_many_that_are_kept_loses_no_more_than_its_first_step() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    kept: list[torch.optim.Optimizer] = []
    for call in range(5):
        train(model, 80, kept)
        assert session.step == 80 * (call + 1) - call
        assert session.slots[-1].optimizer is kept[-1]
    session.leave(listener)
    assert all(not optimizer._optimizer_step_post_hooks for optimizer in kept)


def test_those_in_cycles_are_let_go_when_they_are_collected() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    gc.disable()
    try:
        for _ in range(3):
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            optimizer.itself = optimizer  # type: ignore[attr-defined]
            for _ in range(80):
                step(model, optimizer)
    finally:
        gc.enable()
    assert session.step == 240 - 2
    gc.collect()
    step(model, optimizer)
    assert [slot.optimizer for slot in session.slots] == [optimizer]
    assert session.step == 240 - 1
    session.leave(listener)


def test_pairs_that_follow_one_another_make_one_step_together() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    session, listener = watched(model)
    before = 0
    for _ in range(4):
        pair = [torch.optim.SGD(part.parameters(), lr=0.1) for part in model]
        for _ in range(40):
            model(torch.ones(1, 2)).sum().backward()
            for optimizer in pair:
                optimizer.step()
        assert session.step - before in (39, 40)
        before = session.step
    session.leave(listener)


def test_training_ends_with_the_last_of_them() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    for _ in range(3):
        train(model, 80)
    told = [session.training]
    session.pulse.active -= 3.0  # so long ago is the last step
    told.append(session.training)
    train(model, 1)
    told.append(session.training)
    assert told == [True, False, True]
    session.leave(listener)


def ended_in_a_hot_loop(session: Session, optimizer: torch.optim.Optimizer) -> None:
    model = session.model
    assert model is not None
    for _ in range(80):
        session.pulse.wake()  # a step that is not a quiet one
        session.pace.step_seconds = 1e-6
        step(model, optimizer)
    assert hooks() == 0


def test_the_search_ends_where_steps_are_so_short_that_it_would_show() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ended_in_a_hot_loop(session, optimizer)
    assert session.step == 80
    for _ in range(10):
        step(model, optimizer)
    assert session.step == 90
    session.leave(listener)


@pytest.mark.parametrize("after", ["a cell", "a rest", "its end", "a tracked loop"])
def test_the_search_begins_again(after: str) -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ended_in_a_hot_loop(session, optimizer)
    if after == "a cell":
        session.cell_began()
    elif after == "a rest":
        session.pulse.active -= 100.0
        session.check_rest()
    elif after == "its end":
        del optimizer
    else:
        session.loop_began()
        session.loop_ended("finished")
    assert hooks() == 1
    train(model, 10)
    assert session.step in (89, 90)
    session.leave(listener)
    assert hooks() == 0


def test_one_hook_serves_all_who_search() -> None:
    models = [nn.Linear(2, 1) for _ in range(3)]
    watching = [watched(model) for model in models]
    assert hooks() == 1
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in models]
    for steps in (1, 2):
        for model, optimizer in zip(models, optimizers, strict=True):
            step(model, optimizer)
        assert [session.step for session, _ in watching] == [steps] * 3
    for left, (session, listener) in enumerate(watching, start=1):
        session.leave(listener)
        assert hooks() == (left < 3)


def test_who_begins_later_finds_one_that_others_have_seen() -> None:
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    first, first_listener = watched(model)
    both = torch.optim.SGD([*model.parameters(), *other.parameters()], lr=0.1)
    step(model, both)
    second, second_listener = watched(other)
    step(other, both)
    assert (first.step, second.step) == (2, 1)
    first.leave(first_listener)
    second.leave(second_listener)
    assert hooks() == 0


class Closing(Listener):
    """Leaves its session at the first thing that it hears."""

    session: Session

    def on_rate(self, step: int, name: str, value: float) -> None:
        self.session.leave(self)


@pytest.mark.parametrize("behind", [False, True])
def test_whoever_leaves_in_the_step_that_is_found_spares_the_loop(behind: bool) -> None:
    model, listener = nn.Linear(2, 1), Closing()
    listener.session = session = Session.of(model)
    session.join(listener, 0.02)
    session.seek_optimizers()
    called: list[object] = []
    others = register_optimizer_step_post_hook(lambda *_: called.append(0)) if behind else None
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        step(model, optimizer)  # torch walks through the table in which our hook was
    assert session.step == 1
    assert len(called) == 2 * behind
    if others is not None:
        others.remove()
        session, last = watched(model)
        session.leave(last)  # … tidies up what had to stay
    assert hooks() == 0


def test_the_hook_stays_where_another_thread_may_come_by() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    stepped, leave = threading.Event(), threading.Event()

    def elsewhere() -> None:
        step(model, optimizer)
        stepped.set()
        leave.wait(60)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    assert stepped.wait(60)
    session.leave(listener)
    assert hooks() == 1
    leave.set()
    thread.join(60)
    session, listener = watched(model)
    assert hooks() == 1
    session.leave(listener)
    assert hooks() == 0


def test_a_named_optimiser_is_not_searched_for() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    session, listener = Session.of(model), Listener()
    session.join(listener, 0.02)
    session.attach(optimizer)
    session.seek_optimizers()
    assert hooks() == 0
    session.leave(listener)


def test_the_hook_goes_with_a_session_that_is_collected() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    assert hooks() == 1
    del session, listener
    gc.collect()
    assert hooks() == 0
