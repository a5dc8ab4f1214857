"""Which steps are looked into: one ahead, within the budget, and cleanly whatever happens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch

from nnwidgets.live.budget import Governor
from nnwidgets.live.sampling import Sampling
from nnwidgets.live.session import Session
from tests.live.doubles import small, take_step


class Sampler:
    """Notes what it is told; fails where it is asked to."""

    def __init__(self, fails_in: str = "") -> None:
        self.calls: list[str] = []
        self.fails_in = fails_in

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.fails_in:
            raise RuntimeError("planted")

    def arm(self) -> None:
        self._note("arm")

    def before_update(self, params: Iterable[Any] | None = None, **_: Any) -> None:
        self._note("before")

    def after_update(self, params: Iterable[Any] | None = None) -> None:
        self._note("after")

    def finish(self, step: int) -> str:
        self._note("finish")
        return f"sample {step}"

    def disarm(self) -> None:
        self._note("disarm")


class Bench:
    """Sampling on a clock of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, budget: float = 0.02) -> None:
        self.now, self.work = 100.0, 0.0
        monkeypatch.setattr("nnwidgets.live.budget.perf_counter", lambda: self.now)
        monkeypatch.setattr("nnwidgets.live.sampling.perf_counter", lambda: self.now)
        monkeypatch.setattr("nnwidgets.live.sampling.work_clock", lambda: self.work)
        self.governor = Governor(budget)
        self.governor.start(self.now)
        self.samples: list[Any] = []
        self.failures: list[str] = []
        self.sampling = Sampling(
            self.governor,
            lambda sampler, sample: self.samples.append(sample),
            lambda where, problem: self.failures.append(where),
        )

    def steps(self, count: int, seconds: float, cost: float = 0.0) -> int:
        """Take steps of `seconds`; a sampled one costs `cost` more. Returns how many were."""
        sampled = 0
        for step in range(count):
            if self.sampling.armed:
                sampled += 1
                self.work += cost
                self.now += cost
                self.sampling.before_update([])
                self.sampling.after_update([])
            self.now += seconds
            if self.now >= self.sampling.next_look:  # as the session asks
                self.sampling.tick(step, self.now)
        return sampled


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_sampled_step_goes_from_arm_to_finish(bench: Bench) -> None:
    sampler = Sampler()
    bench.sampling.add(sampler)
    bench.sampling.want()
    bench.steps(2, 0.001)
    assert sampler.calls == ["arm", "before", "after", "finish"]
    assert bench.samples == ["sample 1"]
    assert not bench.sampling.armed


def test_without_samplers_nothing_is_armed(bench: Bench) -> None:
    assert bench.steps(1000, 0.01) == 0
    assert not bench.sampling.armed


@pytest.mark.parametrize("seconds", [0.0003, 0.01, 0.3])
def test_sampling_keeps_the_budget(bench: Bench, seconds: float) -> None:
    class Dear(Sampler):
        def before_update(self, params: Iterable[Any] | None = None, **_: Any) -> None:
            bench.work += 0.02
            bench.now += 0.02

    bench.sampling.add(Dear())
    count = int(300 / seconds) if seconds > 0.001 else 100_000
    sampled = bench.steps(count, seconds)
    assert sampled > 0
    passed = bench.now - 100.0
    # the credit of the first two seconds, and a look every two seconds in any case
    assert sampled * 0.02 <= 0.02 * passed + 0.04 + 0.02 * passed / 2.0


def test_cheap_looks_are_not_taken_more_often_than_anybody_can_see(bench: Bench) -> None:
    bench.sampling.add(Sampler())
    assert bench.steps(10_000, 0.001) <= 16 + 10 / 0.1


class Rare(Sampler):
    """Needs no more than two samples in a second."""

    apart = 0.5


class Rarer(Sampler):
    apart = 2.0


@pytest.mark.parametrize(
    ("samplers", "most", "least"),
    [
        ([Rarer(), Rare()], 20 / 0.5, 0.9 * 20 / 0.5),
        ([Rarer()], 20 / 2.0, 0.9 * 20 / 2.0),
        ([Rarer(), Sampler()], 20 / 0.1, 2 * 20 / 0.5),
    ],
    ids=["the smallest of all", "one", "one that says nothing"],
)
def test_who_needs_fewer_samples_gets_fewer(
    bench: Bench, samplers: list[Sampler], most: float, least: float
) -> None:
    for sampler in samplers:
        bench.sampling.add(sampler)
    bench.steps(1000, 0.001)  # the first ones are for all who are new
    assert bench.sampling.count >= 16
    old = bench.sampling.count
    bench.steps(20_000, 0.001)
    assert least <= bench.sampling.count - old <= most + 1


@pytest.mark.parametrize(("cost", "spent_by_others"), [(0.01, 1.0), (5.0, 0.0), (5.0, 1.0)])
def test_a_dear_model_is_still_looked_at_but_not_at_any_price(
    bench: Bench, cost: float, spent_by_others: float
) -> None:
    class Dear(Sampler):
        def arm(self) -> None:
            bench.work += cost
            bench.governor.charge(spent_by_others)  # there is no credit left

    bench.sampling.add(Dear())
    passed = 3000.0
    sampled = bench.steps(int(passed / 0.1), 0.1)
    expected = min(passed / 2.0, passed * 0.02 / cost)  # samples alone may take the budget
    assert 0.8 * expected <= sampled <= 2 * expected + 2


def test_a_young_history_is_not_blinded_by_what_the_first_look_cost(bench: Bench) -> None:
    class Cold(Sampler):
        def arm(self) -> None:
            bench.work += 0.002

    bench.governor.charge(1.0, "sampling")  # all the debt there may be
    bench.sampling.add(Cold())
    bench.steps(3000, 0.001)
    assert bench.sampling.count >= 16
    young = bench.sampling.count
    bench.steps(4000, 0.001)  # … and then the debt is paid off
    assert bench.sampling.count - young <= 4 / 2.0 + 1


def test_a_young_history_is_filled_within_its_budget(bench: Bench) -> None:
    class Dear(Sampler):
        def arm(self) -> None:
            bench.work += 0.01

    bench.sampling.add(Dear())
    bench.steps(16_000, 0.0005)
    assert bench.sampling.count >= 4
    assert bench.sampling.count * 0.01 <= 0.02 * (bench.now - 100.0) + 0.04


def test_beyond_what_is_promised_only_idle_credit_is_taken(bench: Bench) -> None:
    class Cheap(Sampler):
        def arm(self) -> None:
            bench.work += 0.002

    bench.sampling.add(Cheap())
    bench.steps(10_000, 0.001)  # what it earns would do for ten a second
    rich = bench.sampling.count
    assert rich > 60
    for _ in range(100):  # now others want most of it
        bench.governor.charge(0.0012)
        bench.steps(100, 0.001)
    assert 20 <= bench.sampling.count - rich <= 10 / 0.15
    assert bench.governor.allows(0.0, "other")  # and they got it


def test_what_several_widgets_share_is_asked_once_and_stays_for_the_last(bench: Bench) -> None:
    class OfModel(Sampler):
        def __init__(self, model: object) -> None:
            super().__init__()
            self.model = model

    one, other = object(), object()
    first = bench.sampling.shared(OfModel, one)
    assert bench.sampling.shared(OfModel, one) is first
    assert bench.sampling.shared(OfModel, other) is not first
    assert len(bench.sampling.samplers) == 2
    bench.sampling.want()
    bench.steps(2, 0.001)
    assert first.calls == ["arm", "before", "after", "finish"]
    bench.sampling.remove(first)
    assert first.calls[-1] == "finish"
    assert first in bench.sampling.samplers
    bench.sampling.remove(first)
    assert first.calls[-1] == "disarm"
    assert first not in bench.sampling.samplers
    assert bench.sampling.shared(OfModel, one) is not first


def test_what_looks_wrong_is_looked_at_whatever_the_credit(bench: Bench) -> None:
    sampler = Sampler()
    bench.sampling.add(sampler)
    bench.steps(100, 0.001)
    bench.governor.charge(100.0, "sampling")
    sampler.calls.clear()
    bench.sampling.want()
    bench.steps(2, 0.0001)
    assert "finish" in sampler.calls


@pytest.mark.parametrize("where", ["arm", "before", "after", "finish"])
def test_a_sampler_that_fails_is_taken_off_and_spares_the_others(bench: Bench, where: str) -> None:
    broken, good = Sampler(where), Sampler()
    bench.sampling.add(broken)
    bench.sampling.add(good)
    for _ in range(5):
        bench.sampling.want()
        bench.steps(2, 0.001)
    assert bench.failures == ["sampling"]
    assert broken.calls[-1] == "disarm"
    assert bench.sampling.samplers == [good]
    assert good.calls.count("finish") == 5


def test_disarm_forgets_the_sample(bench: Bench) -> None:
    sampler = Sampler()
    bench.sampling.add(sampler)
    bench.sampling.want()
    bench.steps(1, 0.001)
    bench.sampling.disarm()
    bench.sampling.disarm()
    assert sampler.calls == ["arm", "disarm"]
    assert bench.samples == []


def test_remove_detaches_for_good(bench: Bench) -> None:
    sampler = Sampler()
    bench.sampling.add(sampler)
    bench.sampling.want()
    bench.steps(1, 0.001)
    bench.sampling.remove(sampler)
    bench.sampling.remove(sampler)
    bench.sampling.want()
    bench.steps(10, 0.001)
    assert set(sampler.calls) == {"arm", "disarm"}


# --- in a session ------------------------------------------------------------------------


def sampled_session() -> tuple[torch.nn.Module, torch.optim.Optimizer, Session, Sampler]:
    model, optimizer = small()
    session = Session(model)
    session.attach(optimizer)
    sampler = Sampler()
    session.sampling.add(sampler)
    return model, optimizer, session, sampler


def test_the_session_wants_the_very_next_step_looked_into() -> None:
    model, optimizer, session, sampler = sampled_session()
    for _ in range(20):
        take_step(model, optimizer)
    session.look_into_next_step()
    sampler.calls.clear()
    for _ in range(3):
        take_step(model, optimizer)
    assert "finish" in sampler.calls


def test_several_optimizers_are_one_sample() -> None:
    model, optimizer, session, sampler = sampled_session()
    other, other_optimizer = small()
    session.attach(other_optimizer)
    session.look_into_next_step()
    for _ in range(3):
        take_step(model, optimizer)
        take_step(other, other_optimizer)
    # armed after the first one's step, so the other's update comes first; each is seen once
    assert sampler.calls == ["arm", "before", "after", "before", "after", "finish"]


def test_the_end_of_the_loop_disarms() -> None:
    model, optimizer, session, sampler = sampled_session()
    session.loop_began()
    session.look_into_next_step()
    take_step(model, optimizer)
    assert session.sampling.armed
    session.loop_ended("finished")
    assert sampler.calls[-1] == "disarm"


def test_a_step_that_raises_keeps_the_sample_for_the_next() -> None:
    model, optimizer, session, sampler = sampled_session()
    session.look_into_next_step()
    take_step(model, optimizer)
    assert session.sampling.armed

    def closure() -> float:
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        optimizer.step(closure)
    take_step(model, optimizer)
    assert sampler.calls.count("finish") == 1


def test_a_loop_that_has_gone_silent_is_at_rest() -> None:
    model, optimizer, session, _ = sampled_session()
    take_step(model, optimizer)
    session.check_rest()
    assert session.control.state == "running"
    session.pulse.active -= 1000.0
    session.check_rest()
    assert session.control.state == "idle"
    assert not session.training
    wall = session.governor.overhead
    assert session.governor.overhead == wall  # the clock stands
    take_step(model, optimizer)
    assert session.control.state == "running"


def test_a_tracked_loop_never_comes_to_rest_by_itself() -> None:
    session = Session()
    session.loop_began()
    session.pulse.active -= 1000.0
    session.check_rest()
    assert session.control.state == "running"
