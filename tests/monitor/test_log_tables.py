"""Which calls go on in the table that the one before has written to, and which begin another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from nnwidgets import TrainingMonitor

MOST = 4096  # rows in one table


@pytest.fixture(autouse=True)
def nothing_ends_the_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """But what a test does: no time runs out, however slow the machine is."""
    monkeypatch.setattr("nnwidgets.live.session._QUIET_SECONDS", 1e9)


class Loop:
    """A training that logs, and what it has logged in a plain list."""

    def __init__(self) -> None:
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        self.monitor = TrainingMonitor(optimizer=self.optimizer)
        self.points: list[tuple[int, float]] = []
        self.heard = 0
        self._logged = self.monitor.session.logged
        self.monitor.session.logged = self._hear  # type: ignore[method-assign]

    def _hear(self, *args: Any, **named: Any) -> None:
        self.heard += 1
        self._logged(*args, **named)

    @property
    def table(self) -> object:
        return self.monitor._table

    def run(self, count: int, *, heard_every: int = 10**9) -> None:
        for i in range(count):
            if i % heard_every == heard_every - 1:
                self.monitor.session.pulse.quiet_until = 0.0  # the time has run out
            self.optimizer.step()
            value = len(self.points) / 4
            self.monitor.log(loss=value)
            self.points.append((self.monitor.session.step, value))

    def check(self) -> None:
        series = self.monitor.history["loss"]
        assert list(zip(series.steps.tolist(), series.values.tolist(), strict=True)) == self.points
        assert self.monitor.history.waiting == 0
        assert self.monitor._log_count == len(self.points)


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.monitor.close()


def test_a_table_goes_on_behind_a_call_that_was_heard(loop: Loop) -> None:
    loop.run(3)
    table, before = loop.table, loop.heard
    loop.run(40, heard_every=10)
    assert loop.heard == before + 4
    assert loop.table is table
    loop.check()


def test_a_table_goes_on_where_every_call_is_heard(loop: Loop) -> None:
    """As behind a scheduler that sets another rate for each step."""
    loop.run(1)
    table, before = loop.table, loop.heard
    loop.run(20, heard_every=1)
    assert loop.heard == before + 20
    assert loop.table is table
    loop.check()


def test_a_table_of_so_many_rows_is_the_last_one_to_be_kept_in_memory(loop: Loop) -> None:
    loop.run(1)
    table = loop.table
    loop.run(MOST - 1)
    loop.run(1, heard_every=1)
    assert loop.table is table
    loop.run(3)  # these take no time to look
    assert loop.table is table
    loop.run(1, heard_every=1)
    assert loop.table is not table
    loop.run(5)
    loop.check()


@pytest.mark.parametrize(
    "metrics",
    [{"other": 1.0}, {"loss": 1.0, "other": 1.0}, {"loss": math.nan}, {"loss": 2}, {}],
    ids=["another name", "one more name", "NaN", "an integer", "nothing"],
)
def test_another_kind_of_call_begins_another_table(loop: Loop, metrics: dict[str, Any]) -> None:
    loop.run(3)
    table = loop.table
    loop.monitor.log(metrics)
    assert loop.table is not table
    loop.run(3)
    expected = [value for _, value in loop.points]
    expected[3:3] = [metrics["loss"]] if "loss" in metrics else []
    torch.testing.assert_close(
        torch.tensor(loop.monitor.history["loss"].values), torch.tensor(expected).double(),
        rtol=0, atol=0, equal_nan=True,
    )  # fmt: skip


def test_a_step_of_ones_own_begins_another_table(loop: Loop) -> None:
    loop.run(3)
    table = loop.table
    loop.monitor.log(loss=7.0, step=100)
    assert loop.table is not table
    loop.points.append((100, 7.0))
    loop.run(3)
    assert loop.points[-1][0] == 103
    loop.check()


def test_an_optimizer_that_comes_begins_another_table() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with TrainingMonitor() as monitor:
        for value in (0.0, 1.0, 2.0):
            monitor.log(loss=value)
        table = monitor._table
        monitor.session.attach(optimizer)
        for value in (3.0, 4.0):
            for _ in range(5):
                optimizer.step()
            monitor.log(loss=value)
        assert monitor._table is not table
        assert monitor.history["loss"].steps.tolist() == [0, 1, 2, 5, 10]
        assert monitor.history["loss"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_optimizers_that_go_begin_another_table(loop: Loop) -> None:
    """From then on the calls count by themselves, from where the optimiser has come to."""
    loop.run(3)
    table = loop.table
    loop.monitor.session.close()
    for value in (0.75, 1.0, 1.25):
        loop.monitor.log(loss=value)
    assert loop.table is not table
    loop.points += [(3, 0.75), (4, 1.0), (5, 1.25)]
    loop.check()


def at_append(loop: Loop) -> tuple[object, str]:
    return loop.monitor.history, "append"


def at_open_rows(loop: Loop) -> tuple[object, str]:
    return loop.monitor.history, "open_rows"


def at_closer_look(loop: Loop) -> tuple[object, str]:
    return loop.monitor, "_look_closer"


@pytest.mark.parametrize("where", [at_append, at_open_rows, at_closer_look])
def test_an_interrupt_in_the_middle_of_a_call_loses_none_of_those_behind_it(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, where: Callable[[Loop], tuple[object, str]]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    loop.run(3)
    loop.monitor.history.settle()
    with monkeypatch.context() as patched:
        patched.setattr(*where(loop), interrupt)
        with pytest.raises(KeyboardInterrupt):
            loop.monitor.log(loss=2)  # an integer is no quick one
    kept = [value for _, value in loop.points]
    if where is at_open_rows:
        kept.append(2.0)  # that one has been stored by then
    loop.run(4, heard_every=4)
    kept += [value for _, value in loop.points[3:]]
    assert loop.monitor.history["loss"].values.tolist() == kept


def test_of_two_monitors_neither_is_unheard_for_good(loop: Loop) -> None:
    """The first call behind a step is heard for both: what the others take would go uncharged."""
    with TrainingMonitor(optimizer=loop.optimizer) as other:
        assert other.session is loop.monitor.session
        for i in range(600):
            if i % 20 == 19:
                other.session.pulse.quiet_until = 0.0
            loop.optimizer.step()
            loop.monitor.log(loss=0.5)
            other.log(accuracy=0.5)
        for monitor in (loop.monitor, other):
            assert monitor._log_count == 600
            assert monitor._charged > 560
        assert other.history["accuracy"].steps.tolist() == list(range(1, 601))
