"""Steps that are only counted, and when they read the clock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch

from nnwidgets.live.session import Session
from tests.live.doubles import FakeLink

WARM = 3000  # steps of 0.2 ms, by which it is known how long they are


class Clock:
    """Time that moves when a test says so, and counts who asks a hook what time it is."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.readings = 0

    def __call__(self) -> float:
        return self.now

    def read(self) -> float:
        self.readings += 1
        return self.now


class Steps:
    """An optimiser without gradients, watched by a session."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        for module in ("session", "budget", "sampling"):
            monkeypatch.setattr(f"nnwidgets.live.{module}.perf_counter", self.clock)
        monkeypatch.setattr("nnwidgets.live.step_hooks.perf_counter", self.clock.read)
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        self.session = Session()
        self.session.attach(self.optimizer)

    def take(self, count: int, seconds: float) -> list[int]:
        """Take steps that last so long; return which of them the session has heard of."""
        heard = []
        for _ in range(count):
            self.clock.now += seconds
            before = self.session._stopping.points
            self.optimizer.step()
            if self.session._stopping.points > before:
                heard.append(self.session.step)
        return heard


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    made = Steps(monkeypatch)
    yield made
    made.session.close()


def test_every_step_is_counted(steps: Steps) -> None:
    steps.take(5000, 0.0002)
    assert steps.session.step == 5000


def test_of_short_steps_one_in_eight_reads_the_clock(steps: Steps) -> None:
    steps.take(WARM, 0.0002)
    steps.clock.readings = 0
    steps.take(4000, 0.0002)
    assert 4000 / 8 <= steps.clock.readings < 4000 / 7


def test_of_longer_ones_every_step_does(steps: Steps) -> None:
    steps.take(1000, 0.005)
    steps.clock.readings = 0
    heard = steps.take(1000, 0.005)
    assert 1000 <= steps.clock.readings < 1050  # some are timed, from beginning to end
    gaps = {b - a for a, b in pairwise(heard)}
    assert gaps == {51}  # the first one beyond a quarter of a second


def test_the_time_is_up_at_most_eight_short_steps_late(steps: Steps) -> None:
    steps.take(WARM, 0.0002)
    heard = steps.take(10_000, 0.0002)
    assert len(heard) > 5
    assert max(b - a for a, b in pairwise(heard)) <= 1251 + 8


def test_after_a_wait_the_session_hears_of_one_of_the_next_eight(steps: Steps) -> None:
    steps.take(WARM, 0.0002)
    steps.clock.now += 60.0
    heard = steps.take(8, 0.0002)
    assert len(heard) == 1


def test_who_wakes_it_is_heard_at_once(steps: Steps) -> None:
    steps.take(WARM, 0.0002)
    for _ in range(20):
        steps.take(13, 0.0002)
        steps.session.pulse.wake()
        assert steps.take(1, 0.0002) == [steps.session.step]


def test_where_clicks_come_through_the_loop_every_step_reads_it(steps: Steps) -> None:
    link = FakeLink()
    link.needs_pump = True
    steps.session.host = link
    steps.take(WARM, 0.0002)
    steps.clock.readings = 0
    steps.take(1000, 0.0002)
    assert steps.clock.readings >= 1000
