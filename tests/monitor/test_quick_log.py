"""Logging in steps where the session wants to hear nothing, which take a shorter way."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets import TrainingMonitor

values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, width=32),
    st.integers(-5, 5),
    st.booleans(),
    st.floats(width=32).map(torch.tensor),
    st.floats(width=32).map(np.float32),
)
calls = st.lists(
    st.tuples(
        st.integers(0, 2),  # steps before it
        st.dictionaries(st.sampled_from(["loss", "accuracy", "learning_rate"]), values),
        st.booleans(),  # as a dictionary
        st.booleans(),  # nobody wants to hear of it
    ),
    max_size=30,
)


def watched() -> tuple[TrainingMonitor, nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return TrainingMonitor(model, optimizer), model, optimizer


def take_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(3, 2)).sum().backward()
    optimizer.step()


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns at nearly every step of the interpreter."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def keep_quiet(monitor: TrainingMonitor) -> None:
    """Make the session want to hear nothing, whatever the machine's speed."""
    pulse = monitor.session.pulse
    pulse.quiet_until = pulse.log_until = math.inf
    pulse.watch_rates(monitor.session.slots[0].seen_rates)


@given(calls)
def test_both_ways_keep_the_same(made: list[tuple[int, dict[str, object], bool, bool]]) -> None:
    """Every point is where a plain list says it is, whichever way it took."""
    monitor, model, optimizer = watched()
    with monitor:
        expected: dict[str, list[tuple[int, float]]] = {}
        step = 0
        for steps, metrics, as_dictionary, quiet in made:
            for _ in range(steps):
                take_step(model, optimizer)
            step += steps
            if quiet and step:
                keep_quiet(monitor)
            if as_dictionary:
                monitor.log(metrics)
            else:
                monitor.log(**metrics)
            for name, value in metrics.items():
                expected.setdefault(name, []).append((step, float(value)))  # type: ignore[arg-type]
        assert monitor.session.step == step
        for name, points in expected.items():
            series = monitor.history[name]
            np.testing.assert_array_equal(series.steps, [at for at, _ in points])
            np.testing.assert_array_equal(series.values, [value for _, value in points])


def test_a_tensor_is_worth_what_it_held() -> None:
    monitor, model, optimizer = watched()
    with monitor:
        loss = torch.tensor(1.0)
        for i in range(4):
            take_step(model, optimizer)
            if i:
                keep_quiet(monitor)
            loss.fill_(i)
            monitor.log(loss=loss)
        assert monitor.history["loss"].values.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("first", [None, 0.5, torch.tensor(0.5)], ids=["none", "float", "tensor"])
def test_what_a_device_still_computes_is_not_waited_for(
    first: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was logged before: the first call behind it that is no quick one ends that."""
    read: list[torch.device] = []
    item = torch.Tensor.item

    def spy(value: torch.Tensor) -> object:
        read.append(value.device)
        return item(value)

    monitor, model, optimizer = watched()
    elsewhere = torch.zeros((), device="meta")  # a device that never gets there
    with monitor:
        take_step(model, optimizer)
        if first is not None:
            monitor.log(loss=first)
        monitor.log(accuracy=1.0)
        monkeypatch.setattr(torch.Tensor, "item", spy)
        for _ in range(5):
            take_step(model, optimizer)
            monitor.log(loss=elsewhere)
            keep_quiet(monitor)
        assert elsewhere.device not in read
        for _ in range(2):
            monitor.log(loss=torch.tensor(0.25))
            keep_quiet(monitor)
        monkeypatch.undo()
        assert monitor.history["loss"].values[-2:].tolist() == [0.25, 0.25]


def test_a_step_that_is_only_counted_wants_no_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor, model, optimizer = watched()
    with monitor:
        take_step(model, optimizer)
        monitor.log(loss=0.5)
        keep_quiet(monitor)
        monitor.session.pulse.before = 0
        monkeypatch.setattr(monitor, "_log", None)
        monkeypatch.setattr(type(monitor.session), "after_update", None)
        monkeypatch.setattr(type(monitor.session), "before_update", None)
        take_step(model, optimizer)
        monitor.log(loss=0.25)
        assert monitor.session.step == 2
        assert monitor.history["loss"].steps.tolist() == [1, 2]


def test_a_bad_gradient_is_seen_in_a_quiet_step() -> None:
    """The glance at one gradient calls for the session when it is not finite."""
    monitor, model, optimizer = watched()
    with monitor:
        take_step(model, optimizer)
        monitor.log(loss=0.5)
        take_step(model, optimizer)
        monitor.log(loss=0.5)
        keep_quiet(monitor)
        pulse = monitor.session.pulse
        assert pulse.glance is not None
        pulse.before, pulse.glance_at = 1, 2
        optimizer.zero_grad()
        (model(torch.ones(3, 2)).sum() * math.inf).backward()
        optimizer.step()
        model(torch.ones(3, 2))
        assert [finding.kind for finding in monitor.findings()].count("nan") == 1


def test_a_rate_that_changes_ends_the_quiet() -> None:
    monitor, model, optimizer = watched()
    with monitor:
        take_step(model, optimizer)
        keep_quiet(monitor)
        for group in optimizer.param_groups:
            group["lr"] = 0.025
        take_step(model, optimizer)
        assert monitor.history["learning_rate"].steps.tolist() == [1, 2]
        assert monitor.history["learning_rate"].values.tolist() == [0.1, 0.025]


def test_a_factor_set_in_the_quiet_acts_on_the_next_step() -> None:
    monitor, model, optimizer = watched()
    with monitor:
        take_step(model, optimizer)
        keep_quiet(monitor)
        before = model.bias.item()
        monitor.lr_scale = 10.0
        take_step(model, optimizer)
        assert model.bias.item() == pytest.approx(before - 0.1 * 10.0 * 3)
        assert optimizer.param_groups[0]["lr"] == 0.1


class Twice(torch.optim.SGD):
    """An optimiser whose step calls the one that it inherits: torch wraps both."""

    def step(self, closure: object = None) -> object:  # type: ignore[override]
        return super().step()


def test_a_step_within_a_step_counts_once() -> None:
    model = nn.Linear(2, 1)
    optimizer = Twice(model.parameters(), lr=0.1)
    with TrainingMonitor(model, optimizer) as monitor:
        for _ in range(3):
            take_step(model, optimizer)
            keep_quiet(monitor)
        assert monitor.session.step == 3


def test_a_rate_of_a_later_group_ends_the_quiet() -> None:
    model = nn.Linear(2, 1)
    groups: list[dict[str, Any]] = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    with TrainingMonitor(model, optimizer) as monitor:
        take_step(model, optimizer)
        keep_quiet(monitor)
        optimizer.param_groups[1]["lr"] = 0.25
        take_step(model, optimizer)
        assert monitor.history["learning_rate/1"].values.tolist() == [0.5, 0.25]


def test_a_group_that_is_added_ends_the_quiet() -> None:
    monitor, model, optimizer = watched()
    extra = nn.Parameter(torch.zeros(1))
    with monitor:
        take_step(model, optimizer)
        keep_quiet(monitor)
        optimizer.add_param_group({"params": [extra], "lr": 0.5})
        take_step(model, optimizer)
        assert monitor.history["learning_rate/1"].values.tolist() == [0.5]


def test_a_tensor_of_several_numbers_is_told_and_not_raised() -> None:
    monitor, model, optimizer = watched()
    with monitor:
        for value in (torch.tensor(0.5), torch.zeros(3), torch.tensor([0.25])):
            take_step(model, optimizer)
            monitor.log(loss=value)
            keep_quiet(monitor)
        assert monitor.history["loss"].values.tolist() == [0.5, 0.25]
        assert monitor.history["loss"].steps.tolist() == [1, 3]


def test_a_call_without_metrics_is_no_row() -> None:
    monitor, model, optimizer = watched()
    with monitor:
        for _ in range(3):
            take_step(model, optimizer)
            monitor.log()
            keep_quiet(monitor)
        monitor.log({})
        assert monitor.history.names() == ("learning_rate",)
        assert monitor.history.revision == 1


def test_logs_of_several_threads_are_all_kept(often: None) -> None:
    """Each under its own name, whatever table another thread begins meanwhile."""
    monitor, model, optimizer = watched()
    count, names = 2_000, ("a", "b", "c")
    with monitor:
        take_step(model, optimizer)
        monitor.log(a=-1.0)
        keep_quiet(monitor)

        def work(name: str, base: int) -> None:
            for i in range(count):
                monitor.log({name: float(base + i)})
                if i % 100 == 99:
                    monitor.log(**{name: -1.0}, odd=1.0)  # a table of another width

        threads = [
            threading.Thread(target=work, args=(name, k * count)) for k, name in enumerate(names)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for k, name in enumerate(names):
            values = monitor.history[name].values
            kept = [value for value in values.tolist() if value >= 0]
            assert kept == [float(i) for i in range(k * count, (k + 1) * count)]


def test_a_value_that_cannot_be_read_does_not_raise() -> None:
    """Inside of ``torch.vmap`` a tensor of one number has none."""
    monitor, _, _ = watched()
    with monitor:

        def each(x: torch.Tensor) -> torch.Tensor:
            monitor.log(loss=x.sum())
            return x.sum()

        torch.vmap(each)(torch.ones(3, 2))
        assert monitor.history.names() == ()
