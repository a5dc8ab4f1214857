"""The optimiser of a model is found by its steps when nobody names it."""

from __future__ import annotations

import gc

import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer

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


def test_the_search_ends_by_itself() -> None:
    model = nn.Linear(2, 1)
    session, listener = watched(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(200):
        session.pulse.wake()  # a step that is not a quiet one
        step(model, optimizer)
    assert hooks() == 0
    assert session.step == 200
    session.leave(listener)


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
