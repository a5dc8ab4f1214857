"""Where a pause waits that is asked for while steps and logs are only counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from nnwidgets import TrainingMonitor
from nnwidgets.live.pulse import Kind


class Loop:
    """A training whose steps and logs take the short way, but for every so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nnwidgets.live.session._QUIET_SECONDS", 1e9)
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        self.monitor = TrainingMonitor(optimizer=self.optimizer)
        self.session = self.monitor.session
        self.points: list[Kind] = []  # that the session has heard of
        self.held: list[tuple[Kind, int]] = []
        self.clicks: list[str] = []  # what the user does at each pause: go on, if nothing
        self._safe_point = self.session.safe_point
        monkeypatch.setattr(self.session, "safe_point", self._pass)
        monkeypatch.setattr(self.session.control, "hold", self._hold)

    def _pass(self, kind: Kind) -> None:
        self.points.append(kind)
        self._safe_point(kind)

    def _hold(self, meanwhile: Callable[[], None]) -> bool:
        self.held.append((self.points[-1], self.session.step))
        if self.clicks and self.clicks.pop(0) == "step":
            return True  # one step passes, and the pause goes on after it
        self.session.control.pause_wanted = False
        return False

    def run(self, count: int, *, log_every: int, items: bool = False, looks: int = 20) -> None:
        for _ in range(count):
            if self.session.step % looks == looks - 1:
                self.session.pulse.quiet_until = 0.0  # the time has run out
            self.optimizer.step()
            if self.session.step % log_every == 0:
                self.monitor.log(loss=0.5)
            if items:
                self.session.safe_point(Kind.BOUNDARY)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    made = Loop(monkeypatch)
    yield made
    made.monitor.close()


def test_nearly_all_of_these_steps_and_logs_are_quick(loop: Loop) -> None:
    """Else the tests below would tell nothing."""
    loop.run(200, log_every=1)
    assert len(loop.points) < 30


@pytest.mark.parametrize("before", [100, 105, 119, 120, 121])
def test_it_waits_behind_the_log(loop: Loop, before: int) -> None:
    loop.run(before, log_every=1)
    loop.session.control.pause()
    loop.run(5, log_every=1)
    assert loop.held == [(Kind.LOG, before + 1)]


@pytest.mark.parametrize("before", [99, 119])
def test_asked_for_between_a_step_and_its_log_it_waits_behind_that(loop: Loop, before: int) -> None:
    loop.run(before, log_every=1)
    loop.optimizer.step()
    loop.session.control.pause()
    loop.monitor.log(loss=0.5)
    assert loop.held == [(Kind.LOG, before + 1)]


@pytest.mark.parametrize("log_every", [50, 1000])
@pytest.mark.parametrize("before", [149, 150, 151, 152, 170, 199, 1000, 1001])
def test_where_no_log_comes_it_waits_at_the_second_step_at_the_latest(
    loop: Loop, log_every: int, before: int
) -> None:
    loop.run(before, log_every=log_every)
    loop.session.control.pause()
    loop.run(10, log_every=log_every)
    ((_, step),) = loop.held
    assert before < step <= before + 2


@pytest.mark.parametrize("before", [100, 119, 120])
def test_each_press_of_step_goes_to_the_next_log(loop: Loop, before: int) -> None:
    loop.run(before, log_every=1)
    loop.clicks = ["step", "step", "resume"]
    loop.session.control.pause()
    loop.run(40, log_every=1)
    assert loop.held == [(Kind.LOG, before + i) for i in (1, 2, 3)]


@pytest.mark.parametrize("before", [100, 105, 149, 150])
@pytest.mark.parametrize("log_every", [1, 50, 1000])
def test_with_items_it_waits_behind_the_item(loop: Loop, log_every: int, before: int) -> None:
    """Whether anything is logged in it or not."""
    loop.run(before, log_every=log_every, items=True)
    loop.session.control.pause()
    loop.run(5, log_every=log_every, items=True)
    assert loop.held == [(Kind.BOUNDARY, before + 1)]


def test_a_log_that_moves_the_clock_forward_begins_no_round(loop: Loop) -> None:
    """Steps counted in samples: the item is still what a pause waits behind."""
    for i in range(6):
        if i == 4:
            loop.session.control.pause()
        loop.optimizer.step()
        loop.monitor.log(loss=0.5, step=64 * (i + 1))
        loop.session.safe_point(Kind.BOUNDARY)
    assert loop.held == [(Kind.BOUNDARY, 5 * 64)]


def test_without_an_optimizer_it_waits_at_the_next_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnwidgets.live.session._QUIET_SECONDS", 1e9)
    with TrainingMonitor() as monitor:
        held: list[int] = []
        control = monitor.session.control

        def hold(_: Callable[[], None]) -> bool:
            held.append(monitor.history.count("loss"))
            control.pause_wanted = False
            return False

        monkeypatch.setattr(control, "hold", hold)
        for _ in range(50):
            monitor.log(loss=0.5)
        control.pause()
        for _ in range(5):
            monitor.log(loss=0.5)
        assert held == [51]
