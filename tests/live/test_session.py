"""The session without Jupyter: clock, safe points, commands, several optimisers."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
import torch
from torch import nn

from nnwidgets.live.pulse import Kind
from nnwidgets.live.session import Session


def small() -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Linear(3, 2)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def take_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(4, 3)).square().sum().backward()
    optimizer.step()


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.rates: list[tuple[int, str, float]] = []
        self.events: list[tuple[str, int]] = []
        self.failures: list[str] = []
        self.messages: list[str] = []
        self.changes = 0

    def on_change(self) -> None:
        self.changes += 1

    def on_rate(self, step: int, name: str, value: float) -> None:
        self.rates.append((step, name, value))

    def on_sample(self, sampler: object, sample: object) -> None:
        pass

    def on_event(self, kind: str, step: int, **params: str) -> None:
        self.events.append((kind, step))

    def on_message(self, key: str, **params: str) -> None:
        self.messages.append(key)

    def on_failure(self, where: str, problem: Exception) -> None:
        self.failures.append(where)


def test_one_session_per_model_and_optimizer() -> None:
    model, optimizer = small()
    first = Session.of(model, [optimizer])
    first.attach(optimizer)
    assert Session.of(model) is first
    assert Session.of(None, [optimizer]) is first
    assert Session.of(nn.Linear(1, 1)) is not first
    assert Session.of(torch.compile(model, backend="eager")) is first
    first.close()
    assert Session.of(model) is not first


def test_optimizer_first_then_model_share_a_session() -> None:
    model, optimizer = small()
    first = Session.of(None, [optimizer])
    first.attach(optimizer)
    assert Session.of(model, [optimizer]) is first
    assert first.model is model


def test_session_keeps_neither_model_nor_itself_alive() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    gone = weakref.ref(model), weakref.ref(session)
    del model, session
    gc.collect()
    assert gone[1]() is None
    take_step(nn.Linear(3, 2), optimizer)  # its hooks notice and do nothing
    del optimizer
    gc.collect()
    assert gone[0]() is None


def test_close_takes_every_hook_off() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    assert optimizer._optimizer_step_post_hooks
    session.close()
    assert not optimizer._optimizer_step_post_hooks
    assert not optimizer._optimizer_step_pre_hooks


def test_steps_are_counted_through_the_optimizer() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    for _ in range(5):
        take_step(model, optimizer)
    assert session.step == 5
    assert session.control.state == "running"


@pytest.mark.parametrize("critic_steps", [1, 5])
def test_two_optimizers_make_one_step(critic_steps: int) -> None:
    critic, critic_optimizer = small()
    generator, generator_optimizer = small()
    session = Session.of(nn.ModuleDict({"g": generator, "c": critic}))
    session.attach(critic_optimizer, "critic")
    session.attach(generator_optimizer, "generator")
    for _ in range(4):
        for _ in range(critic_steps):
            take_step(critic, critic_optimizer)
        take_step(generator, generator_optimizer)
    assert session.step == 4 * critic_steps


def test_commands_wait_for_a_safe_point_while_training() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    session.loop_began()
    ran_in: list[int] = []
    ticket = session.submit(lambda: ran_in.append(threading.get_ident()))
    assert not ticket.wait(0)
    take_step(model, optimizer)
    assert ticket.wait(0)
    assert ran_in == [threading.get_ident()]
    session.loop_ended("finished")
    assert session.submit(lambda: 7).result == 7  # nothing trains: at once


def test_a_failing_command_reaches_its_ticket_and_not_the_loop() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    session.loop_began()
    ticket = session.submit(lambda: 1 / 0)
    take_step(model, optimizer)
    assert isinstance(ticket.problem, ZeroDivisionError)


def test_queued_commands_run_when_the_loop_ends() -> None:
    session = Session()
    session.loop_began()
    ticket = session.submit(lambda: "late")
    session.loop_ended("finished")
    assert ticket.result == "late"


def test_a_pause_waits_where_the_round_is_over() -> None:
    """With step, log and boundary in each round, the boundary is where a pause holds."""
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    held: list[Kind] = []

    def at(kind: Kind) -> None:
        # stand in for the real wait: note where it would be, and go on
        def resume(_: object) -> None:
            held.append(kind)
            session.control.pause_wanted = False

        session.control.hold = resume  # type: ignore[method-assign,assignment]

    for round_ in range(3):
        at(Kind.STEP)
        take_step(model, optimizer)
        if round_ == 1:
            session.control.pause()
        at(Kind.LOG)
        session.logged()
        at(Kind.BOUNDARY)
        session.safe_point(Kind.BOUNDARY)
    assert held == [Kind.BOUNDARY]


def test_a_pause_takes_the_step_when_no_boundary_comes() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    take_step(model, optimizer)
    session.safe_point(Kind.BOUNDARY)  # the last one: from here on bare steps
    session.control.pause()
    held: list[int] = []

    def resume(_: object) -> None:
        held.append(session.step)
        session.control.pause_wanted = False

    session.control.hold = resume  # type: ignore[method-assign,assignment]
    take_step(model, optimizer)
    take_step(model, optimizer)
    assert held == [3]


def test_learning_rates_are_told_when_they_change() -> None:
    model, optimizer = small()
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.5})
    session = Session.of(model)
    session.attach(optimizer, "sgd")
    ear = Ear()
    session.join(ear, 0.02)
    for _ in range(3):
        take_step(model, optimizer)
    optimizer.param_groups[0]["lr"] = 0.01
    take_step(model, optimizer)
    session.set_lr_scale(10.0)
    take_step(model, optimizer)
    assert ear.rates == [
        (1, "sgd/0", 0.1),
        (1, "sgd/1", 0.5),
        (4, "sgd/0", 0.01),
        (5, "sgd/0", pytest.approx(0.1)),
        (5, "sgd/1", 5.0),
    ]
    assert ear.events == [("lr", 4)]


def test_a_failure_in_our_code_never_reaches_the_loop() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    ear = Ear()
    session.join(ear, 0.02)

    class Broken:
        def arm(self) -> None:
            raise RuntimeError("planted")

        def disarm(self) -> None:
            raise RuntimeError("planted too")

    session.sampling.add(Broken())  # type: ignore[arg-type]
    for _ in range(3):
        take_step(model, optimizer)
    assert session.step == 3
    assert ear.failures == ["sampling"]


def test_the_largest_budget_counts() -> None:
    session = Session()
    ears = Ear(), Ear(), Ear()
    for ear, budget in zip(ears, (0.01, 0.05, 0.02), strict=True):
        session.join(ear, budget)
    assert session.governor.budget == 0.05


def test_the_last_widget_to_leave_closes_the_session() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    one, two = Ear(), Ear()
    session.join(one, 0.02)
    session.join(two, 0.02)
    session.leave(one)
    assert optimizer._optimizer_step_post_hooks
    session.leave(two)
    assert not optimizer._optimizer_step_post_hooks


def test_the_end_of_a_cell_ends_its_loop() -> None:
    model, optimizer = small()
    session = Session.of(model)
    session.attach(optimizer)
    take_step(model, optimizer)
    session.cell_ended(None)
    assert session.control.state == "finished"
    session.cell_began()
    take_step(model, optimizer)
    assert session.control.state == "running"
    session.loop_began()
    session.cell_ended(KeyboardInterrupt())
    assert session.control.state == "stopped"
    assert not session.looping


def test_a_stop_lasts_until_the_next_cell() -> None:
    session = Session()
    session.logged()
    session.stop()
    assert session.should_stop
    session.cell_ended(None)
    session.cell_began()
    assert not session.should_stop
    session.logged()
    assert session.control.state == "running"
