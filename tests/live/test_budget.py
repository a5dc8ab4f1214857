"""The governor: accounts over a clock that the test moves."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnwidgets.live.budget import Governor

ACCOUNTS = ("sampling", "sending", "other")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in its only element, in place of the processor's clock."""
    now = [100.0]
    monkeypatch.setattr("nnwidgets.live.budget.perf_counter", lambda: now[0])
    return now


def test_nothing_is_earned_before_training(clock: list[float]) -> None:
    governor = Governor(0.02)
    clock[0] += 100
    assert not governor.allows(1e-6, "sampling")
    assert governor.overhead == 0.0


def test_a_second_of_training_earns_the_budget(clock: list[float]) -> None:
    governor = Governor(0.02)
    governor.start()
    clock[0] += 1
    assert governor.allows(0.0199, "other")
    assert not governor.allows(0.0201, "other")


def test_overhead_is_what_was_spent_over_the_time_of_training(clock: list[float]) -> None:
    governor = Governor(0.02)
    governor.start()
    clock[0] += 8
    governor.charge(0.4, "sampling")
    governor.charge(0.4)
    assert governor.overhead == pytest.approx(0.1)
    assert governor.seconds == pytest.approx(0.8)
    clock[0] += 8
    assert governor.overhead == pytest.approx(0.05)


def test_time_at_rest_does_not_make_watching_look_cheap(clock: list[float]) -> None:
    governor = Governor(0.02)
    governor.start()
    clock[0] += 10
    governor.charge(1.0)
    governor.stop()
    clock[0] += 1000
    assert governor.overhead == pytest.approx(0.1)
    governor.stop()
    governor.start()
    governor.start()  # the same stretch
    clock[0] += 10
    assert governor.overhead == pytest.approx(0.05)


def test_a_pause_buys_no_burst(clock: list[float]) -> None:
    governor = Governor(0.02)
    governor.start()
    clock[0] += 1000
    for _ in range(2):  # two seconds' worth of credit, no more
        assert governor.allows(0.02, "other")
        governor.charge(0.02)
    assert not governor.allows(0.02, "other")


def test_one_dear_look_does_not_blind_the_widget_for_long(clock: list[float]) -> None:
    governor = Governor(0.02)
    governor.start()
    clock[0] += 10
    governor.charge(60.0, "sampling")
    assert not governor.allows(0.001, "sampling")
    clock[0] += 11
    assert governor.allows(0.001, "sampling")


def test_what_is_dearer_than_any_credit_is_allowed_when_the_purse_is_full(
    clock: list[float],
) -> None:
    governor = Governor(0.02)
    governor.start()
    clock[0] += 1
    assert not governor.allows(5.0, "sampling")
    clock[0] += 1.01
    assert governor.allows(5.0, "sampling")


def test_logging_cannot_eat_up_the_share_of_sampling_and_sending(clock: list[float]) -> None:
    governor = Governor(0.02)
    governor.start()
    for _ in range(50):
        clock[0] += 0.1
        governor.charge(0.05)  # log() calls that take half of the time
    assert not governor.allows(0.001, "other")
    assert governor.allows(0.001, "sampling")
    assert governor.allows(0.001, "sending")
    governor.charge(0.05, "sampling")
    assert not governor.allows(0.001, "sampling")
    assert governor.allows(0.001, "sending")


@given(st.lists(st.tuples(st.floats(1e-3, 2.0), st.floats(1e-5, 0.2)), min_size=30, max_size=80))
def test_asking_first_keeps_the_budget(rounds: list[tuple[float, float]]) -> None:
    """Whatever asks before it spends stays within budget plus what may be saved up."""
    governor, now, spent, begun = Governor(0.05), 0.0, 0.0, 0.0
    governor.start(now)
    for passed, cost in rounds:
        now += passed
        if governor.allows(cost, "sampling", now):
            governor.charge(cost, "sampling")
            spent += cost
    dearest = max(cost for _, cost in rounds)
    # the share of its own comes on top of the whole, and each bucket may go below zero once
    assert spent <= 0.05 * (now - begun) * 1.35 + 2 * dearest


def test_threads_charge_at_once() -> None:
    governor = Governor()
    governor.start()

    def work() -> None:
        for _ in range(1000):
            governor.charge(1e-6, "sending")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert governor.seconds == pytest.approx(4e-3)
