"""One of several optimisers that trains alone costs no more than if it were the only one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nnwidgets.live.session import Session
from tests.live.doubles import small, take_step


def watched(count: int) -> tuple[Session, nn.Module, list[torch.optim.Optimizer]]:
    """Return the session of a model that has so many optimisers."""
    model, first = small()
    more = [torch.optim.SGD(model.parameters(), lr=0.1) for _ in range(count - 1)]
    session = Session(model)
    for optimizer in (first, *more):
        session.attach(optimizer)
    return session, model, [first, *more]


def slow_steps(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list of the steps that the session hears of, not only the pulse."""
    heard: list[int] = []
    after = session.after_update

    def hears(slot: object) -> None:
        heard.append(session.step)
        after(slot)  # type: ignore[arg-type]

    monkeypatch.setattr(session, "after_update", hears)
    return heard


@pytest.fixture
def long_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet time is not over before the test is, however slow the machine."""
    monkeypatch.setattr("nnwidgets.live.session._QUIET_SECONDS", 1000.0)


@pytest.mark.usefixtures("long_rest")
def test_who_has_taken_over_is_counted_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    session, model, optimizers = watched(3)
    heard = slow_steps(session, monkeypatch)
    for optimizer in optimizers:
        for _ in range(100):
            take_step(model, optimizer)
    assert session.step == 300 - 2  # each that follows joins the step of the one before
    assert 3 * 60 <= len(heard) <= 3 * 70
    session.close()


@pytest.mark.usefixtures("long_rest")
def test_whoever_comes_back_is_heard_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    session, model, (critic, generator) = watched(2)
    for _ in range(3):
        for _ in range(100):
            take_step(model, critic)
        heard = slow_steps(session, monkeypatch)
        take_step(model, generator)
        assert len(heard) == 1
    assert session.step == 300
    session.close()


@pytest.mark.usefixtures("long_rest")
def test_a_pair_is_always_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    session, model, pair = watched(2)
    heard = slow_steps(session, monkeypatch)
    for _ in range(150):
        for optimizer in pair:
            take_step(model, optimizer)
    assert session.step == 150
    assert len(heard) == 300
    session.close()


@pytest.mark.usefixtures("long_rest")
def test_a_rate_that_the_soloist_changes_is_seen() -> None:
    session, model, optimizers = watched(2)
    soloist = optimizers[1]
    for _ in range(100):
        take_step(model, soloist)
    soloist.param_groups[0]["lr"] = 0.025
    take_step(model, soloist)
    assert [slot.seen_rates for slot in session.slots] == [[], [0.025]]
    assert session.step == 101
    session.close()


@pytest.mark.usefixtures("long_rest")
def test_one_that_comes_later_is_counted_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    session, model, (first, second) = watched(2)
    for _ in range(100):
        take_step(model, second)
    third = torch.optim.SGD(model.parameters(), lr=0.1)
    session.attach(third)
    for _ in range(50):
        for optimizer in (first, second, third):
            take_step(model, optimizer)
    # the first and the third join the step under way; the second begins each new one
    assert session.step == 150 - 1 + 1
    session.close()


@pytest.mark.usefixtures("long_rest")
def test_who_is_left_alone_is_counted_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    session, model, optimizers = watched(2)
    for _ in range(70):
        take_step(model, optimizers[0])
    del optimizers[0]
    take_step(model, optimizers[0])
    assert len(session.slots) == 1
    heard = slow_steps(session, monkeypatch)
    for _ in range(50):
        take_step(model, optimizers[0])
    assert session.step == 121
    assert len(heard) <= 1
    session.close()
