"""Where a ``log()`` call stands on the step axis."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.live.session import Session
from nnwidgets.live.steps import StepAxis
from tests.live.doubles import small, take_step


def test_one_name_counts_on_by_itself() -> None:
    axis = StepAxis(Session())
    assert [axis.at(None, {"loss"}) for _ in range(4)] == [0, 1, 2, 3]


def test_different_names_belong_to_the_same_step() -> None:
    axis = StepAxis(Session())
    calls = [{"loss"}, {"acc"}, {"loss", "acc"}, {"loss"}, {"val_loss"}, {"val_loss"}]
    assert [axis.at(None, names) for names in calls] == [0, 0, 1, 2, 2, 3]


def test_it_counts_on_from_a_given_step() -> None:
    axis = StepAxis(Session())
    assert axis.at(100, {"loss"}) == 100
    assert axis.at(None, {"acc"}) == 100
    assert axis.at(None, {"loss"}) == 101


def test_steps_may_repeat_and_go_back() -> None:
    axis = StepAxis(Session())
    assert [axis.at(step, {"loss"}) for step in (5, 5, 3, -2, 0.5)] == [5, 5, 3, -2, 0.5]


def test_the_optimizer_counts() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    axis = StepAxis(session)
    assert axis.at(None, {"loss"}) == 0  # before any step
    steps = []
    for _ in range(3):
        take_step(model, optimizer)
        steps += [axis.at(None, {"loss"}), axis.at(None, {"loss"})]
    assert steps == [1, 1, 2, 2, 3, 3]


def test_a_closed_session_counts_on_from_where_its_optimizer_was() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    axis = StepAxis(session)
    assert axis.at(2, {"loss"}) == 2
    for _ in range(3):
        take_step(model, optimizer)
    session.close()
    calls = [{"test_loss"}, {"loss"}, {"loss"}]
    assert [axis.at(None, names) for names in calls] == [5, 5, 6]
    assert axis.at(1, {"loss"}) == 1
    assert axis.at(None, {"loss"}) == 2  # the newest that was given counts


def test_a_resumed_run_goes_on_from_its_own_step() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    axis = StepAxis(session)
    take_step(model, optimizer)
    assert axis.at(5001, {"loss"}) == 5001
    take_step(model, optimizer)
    assert axis.at(None, {"loss"}) == 5002
    assert session.step == 5002


def test_epochs_as_steps_do_not_disturb_the_clock() -> None:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    axis = StepAxis(session)
    for epoch in range(3):
        for _ in range(4):
            take_step(model, optimizer)
            axis.at(None, {"loss"})
        assert axis.at(epoch, {"val_loss"}) == epoch
    assert session.step == 12


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float32(0.5), 0.5),
        (Fraction(1, 4), 0.25),
        (2**70, 2**70),
    ],
    ids=repr,
)
def test_numbers_of_other_kinds(step: Any, expected: float) -> None:
    axis = StepAxis(Session())
    assert axis.at(step, {"loss"}) == expected
    assert type(axis.newest) in (int, float)


@pytest.mark.parametrize(
    "step",
    ["3", True, [1], math.nan, math.inf, 10**400, 1j, Decimal(1), torch.tensor(3), np.array([1])],
    ids=lambda step: repr(step)[:12],
)
def test_what_is_no_step_is_refused_before_anything_changes(step: Any) -> None:
    axis = StepAxis(Session())
    axis.at(7, {"loss"})
    with pytest.raises(TypeError, match="step must be a"):
        axis.at(step, {"loss"})
    assert axis.newest == 7


@given(st.lists(st.tuples(st.none() | st.integers(-5, 99), st.sets(st.sampled_from("abc")))))
def test_against_a_slow_obvious_model(calls: list[tuple[int | None, set[str]]]) -> None:
    axis = StepAxis(Session())
    newest, seen = 0, set()
    for step, names in calls:
        if step is not None:
            newest, seen = step, set(names)
        elif any(name in seen for name in names):
            newest, seen = newest + 1, set(names)
        else:
            seen |= names
        assert axis.at(step, names) == newest == axis.newest
