"""Which session belongs to which model, without keeping either alive."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import nn

from nnwidgets.live.registry import _sessions, find_session, inner_model
from nnwidgets.live.session import Session
from tests.live.doubles import small


def test_wrappers_are_looked_through() -> None:
    model = nn.Linear(2, 2)
    assert inner_model(model) is model
    assert inner_model(nn.DataParallel(model)) is model
    assert inner_model(torch.compile(model, backend="eager")) is model
    assert inner_model(torch.compile(nn.DataParallel(model), backend="eager")) is model


def test_a_module_with_an_attribute_called_orig_mod_is_no_wrapper() -> None:
    class Odd(nn.Module):
        _orig_mod = "text"

    odd = Odd()
    assert inner_model(odd) is odd


def test_the_same_optimizer_means_the_same_session_unless_models_differ() -> None:
    model, optimizer = small()
    other = nn.Linear(1, 1)
    by_optimizer = Session.of(None, [optimizer])
    by_optimizer.attach(optimizer)
    assert Session.of(None, [optimizer]) is by_optimizer
    assert Session.of(model, [optimizer]) is by_optimizer
    assert Session.of(other, [optimizer]) is not by_optimizer
    assert Session.of(model) is by_optimizer


def test_without_model_and_optimizer_every_session_is_a_new_one() -> None:
    assert Session.of(None) is not Session.of(None)


def test_a_closed_session_is_not_found_again() -> None:
    model, optimizer = small()
    session = Session.of(model, [optimizer])
    session.attach(optimizer)
    session.close()
    assert Session.of(model) is not session
    assert Session.of(None, [optimizer]) is not session


def test_a_new_model_at_the_address_of_a_dead_one_gets_its_own_session() -> None:
    model = nn.Linear(1, 1)
    session = Session.of(model)
    successor = nn.Linear(1, 1)
    _sessions[id(successor)] = session  # as if both had lived at one address
    assert Session.of(successor) is not session
    assert Session.of(successor) is Session.of(successor)


def test_a_second_optimizer_joins_the_session_of_the_model() -> None:
    model, optimizer = small()
    session = Session.of(model, [optimizer])
    session.attach(optimizer)
    later = torch.optim.Adam(model.parameters())
    assert Session.of(model, [later]) is session


@pytest.mark.parametrize("way", ["close", "drop"])
def test_nothing_is_kept_alive(way: str) -> None:
    gc.collect()
    before = len(_sessions)
    model, optimizer = small()
    session = Session.of(model, [optimizer])
    session.attach(optimizer)
    gone = [weakref.ref(thing) for thing in (model, optimizer, session)]
    if way == "close":
        session.close()
    del model, optimizer, session
    gc.collect()
    assert [ref() for ref in gone] == [None] * 3
    assert len(_sessions) == before


def test_the_hooks_of_a_dropped_session_go_with_it() -> None:
    model, optimizer = small()
    session = Session.of(model, [optimizer])
    session.attach(optimizer)
    del session
    gc.collect()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_make_is_called_only_when_needed() -> None:
    model, _ = small()
    session = find_session(model, [], lambda: Session(model))
    found = find_session(model, [], lambda: pytest.fail("made a second one"))
    assert found is session
