"""Logging with no optimiser to count steps: the calls count themselves, the quick ones too."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets import TrainingMonitor

NAMES = ("loss", "accuracy", "rate")
calls = st.lists(
    st.tuples(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True),
        st.one_of(st.none(), st.none(), st.integers(-5, 50), st.just(2**62), st.just(1.5)),
        st.booleans(),  # nobody wants to hear of it
    ),
    max_size=25,
)


def keep_quiet(monitor: TrainingMonitor) -> None:
    """Make the session want to hear nothing, whatever the machine's speed."""
    pulse = monitor.session.pulse
    pulse.quiet_until = pulse.log_until = math.inf


@given(calls)
def test_each_name_that_comes_again_is_a_new_step(
    made: list[tuple[list[str], float | None, bool]],
) -> None:
    with TrainingMonitor() as monitor:
        expected: dict[str, list[tuple[float, float]]] = {}
        newest: float = 0
        seen: set[str] = set()
        for value, (names, given_step, quiet) in enumerate(made):
            if quiet:
                keep_quiet(monitor)
            else:
                monitor.session.pulse.wake()
            if given_step is not None:
                newest, seen = given_step, set(names)
            elif seen & set(names):
                newest, seen = newest + 1, set(names)
            else:
                seen |= set(names)
            monitor.log(dict.fromkeys(names, float(value)), step=given_step)
            for name in names:
                expected.setdefault(name, []).append((newest, float(value)))
        for name, points in expected.items():
            series = monitor.history[name]
            steps = [float(step) for step, _ in points]  # one that is no whole number makes all so
            assert series.steps.astype(float).tolist() == steps
            assert series.values.tolist() == [value for _, value in points]


def test_most_calls_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with TrainingMonitor() as monitor:
        monitor.log(loss=1.0)
        keep_quiet(monitor)
        taken: list[object] = []
        monkeypatch.setattr(monitor, "_log", lambda *given: taken.append(given))
        for value in range(100):
            monitor.log(loss=float(value))
        assert taken == []
        assert monitor.history["loss"].steps.tolist() == list(range(101))


def test_a_stop_is_heard_at_once() -> None:
    with TrainingMonitor() as monitor:
        monitor.log(loss=1.0)
        keep_quiet(monitor)
        monitor.log(loss=2.0)
        for item in monitor.track(range(10)):
            monitor.log(loss=3.0 + item)
            keep_quiet(monitor)
            monitor.stop()
        assert monitor.history["loss"].values.tolist() == [1.0, 2.0, 3.0]


def test_an_optimizer_that_comes_later_counts_from_then_on() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with TrainingMonitor() as monitor:
        for value in range(3):
            monitor.log(loss=float(value))
            keep_quiet(monitor)
        monitor.session.attach(optimizer)
        for _ in range(7):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        monitor.log(loss=3.0)
        assert monitor.history["loss"].steps.tolist() == [0, 1, 2, 7]


def test_an_optimizer_that_comes_in_the_middle_of_a_call_counts_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread may name it when the call has just decided to count by itself."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with TrainingMonitor() as monitor:
        for value in range(3):
            monitor.session.pulse.wake()
            monitor.log(loss=float(value))
        open_rows = monitor.history.open_rows

        def meanwhile(*args: Any) -> Any:
            monkeypatch.undo()
            monitor.session.attach(optimizer)
            return open_rows(*args)

        monkeypatch.setattr(monitor.history, "open_rows", meanwhile)
        monitor.session.pulse.wake()
        monitor.log(loss=3.0)
        for _ in range(3):
            for _ in range(2):
                model(torch.ones(1, 2)).sum().backward()
                optimizer.step()
            keep_quiet(monitor)
            monitor.log(loss=4.0)
        assert monitor.history["loss"].steps.tolist() == [0, 1, 2, 3, 2, 4, 6]


@pytest.mark.parametrize("counted", [False, True])
def test_a_refused_call_loses_none_of_those_behind_it(counted: bool) -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with TrainingMonitor(model, optimizer) if counted else TrainingMonitor() as monitor:
        monitor.log(loss=0.0)
        with pytest.raises(TypeError):
            monitor.log(loss=0.5, step="7")  # type: ignore[arg-type]
        keep_quiet(monitor)
        monitor.session.pulse.watch_rates([])
        for value in (1.0, 2.0):
            monitor.log(loss=value)
        assert monitor.history["loss"].values.tolist() == [0.0, 1.0, 2.0]
