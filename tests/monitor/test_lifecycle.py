"""Made, shared, replaced, closed, dropped: what stays of a monitor, and what does not."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nnwidgets import TrainingMonitor
from nnwidgets.live import wire
from tests.live.doubles import Background, Browser, FakeLink, NoPublisher, small, take_step, until
from tests.monitor.conftest import Make


def hooks(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Hooks of any kind on a model, an optimiser, or all modules."""
    from torch.nn.modules import module

    return sum(
        map(
            len,
            [
                *(m._forward_hooks for m in model.modules()),
                *(m._forward_pre_hooks for m in model.modules()),
                *(m._backward_hooks for m in model.modules()),
                optimizer._optimizer_step_pre_hooks,
                optimizer._optimizer_step_post_hooks,
                module._global_forward_hooks,
                module._global_forward_pre_hooks,
                module._global_backward_hooks,
            ],
        )
    )


# --- several -----------------------------------------------------------------------------


@pytest.mark.parametrize("critic_steps", [1, 5])
def test_a_gan(make: Make, critic_steps: int) -> None:
    critic, critic_optimizer = small()
    generator, generator_optimizer = small()
    monitor = make(
        nn.ModuleDict({"g": generator, "d": critic}),
        {"g": generator_optimizer, "d": critic_optimizer},
    )
    for _ in monitor.track(range(4)):
        for _ in range(critic_steps):
            take_step(critic, critic_optimizer)
            monitor.log(d_loss=1.0)
        take_step(generator, generator_optimizer)
        monitor.log(g_loss=1.0)
    assert monitor.session.step == 4 * critic_steps
    assert monitor.history["d_loss"].steps.tolist() == list(range(1, 4 * critic_steps + 1))
    monitor.lr_scale = 10.0
    before = [p.detach().clone() for p in (critic.bias, generator.bias)]
    take_step(critic, critic_optimizer)
    take_step(generator, generator_optimizer)
    for p, old in zip((critic.bias, generator.bias), before, strict=True):
        torch.testing.assert_close(p.detach(), old - 1.0 * p.grad)


def test_optimizers_that_take_turns(make: Make) -> None:
    """First one trains for a while, then the other: every step counts."""
    model, first = small()
    second = torch.optim.Adam(model.parameters())
    monitor = make(model, [first, second])
    for optimizer in (first, second, first):
        for _ in range(10):
            take_step(model, optimizer)
    assert 28 <= monitor.session.step <= 30  # a turn may be taken for the rest of a step


def test_an_optimizer_for_each_parameter(make: Make) -> None:
    model, _ = small()
    optimizers = [torch.optim.SGD([p], lr=0.1) for p in model.parameters()]
    monitor = make(model, optimizers)
    for _ in range(5):
        model(torch.ones(4, 3)).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert monitor.session.step == 5


def test_a_second_optimizer_that_comes_later_counts_from_its_first_step(make: Make) -> None:
    model, optimizer = small()
    make(model, optimizer)
    for _ in range(50):
        take_step(model, optimizer)
    fine_tuning = torch.optim.SGD(model.parameters(), lr=0.01)
    second = make(model, fine_tuning)
    for _ in range(10):
        take_step(model, fine_tuning)
        second.log(loss=1.0)
    assert second.history["loss"].steps.tolist() == list(range(51, 61))


def test_two_monitors_on_one_model_share_everything_but_their_history(make: Make) -> None:
    model, optimizer = small()
    one, two = make(model, optimizer, budget=0.01), make(model, optimizer, budget=0.05)
    assert one.session is two.session
    assert one.session.governor.budget == 0.05
    take_step(model, optimizer)
    one.log(loss=1.0)
    two.log(accuracy=0.5)
    assert "accuracy" not in one.history
    assert "loss" not in two.history
    one.lr_scale = 2.0
    assert two.lr_scale == 2.0
    two.close()
    take_step(model, optimizer)
    one.log(loss=1.0)
    assert one.history["loss"].steps.tolist() == [1, 2]
    assert one.lr_scale == 2.0
    one.close()
    assert hooks(model, optimizer) == 0


def test_many_monitors_on_one_model_hook_it_once(make: Make) -> None:
    model, optimizer = small()
    for _ in range(10):
        make(model, optimizer)
    assert len(optimizer._optimizer_step_pre_hooks) == 1
    assert len(optimizer._optimizer_step_post_hooks) == 1
    take_step(model, optimizer)
    assert make(model).session.step == 1


def test_monitors_on_different_models_know_nothing_of_each_other(make: Make) -> None:
    (model, optimizer), (other, other_optimizer) = small(), small()
    one, two = make(model, optimizer), make(other, other_optimizer)
    take_step(model, optimizer)
    one.lr_scale = 5.0
    one.pause()
    assert (two.session.step, two.lr_scale, two.state) == (0, 1.0, "idle")
    take_step(other, other_optimizer)
    assert two.state == "running"
    one.resume()


def test_one_wrapped_model_is_one_model(make: Make) -> None:
    model, optimizer = small()
    compiled = torch.compile(model, backend="eager")
    assert make(model, optimizer).session is make(compiled).session  # type: ignore[arg-type]


def test_a_copy_of_the_model_is_another_model(make: Make) -> None:
    model, optimizer = small()
    one = make(model, optimizer)
    assert make(copy.deepcopy(model)).session is not one.session


# --- a cell that is run again --------------------------------------------------------------


def test_a_cell_that_is_run_again(link: FakeLink, make: Make) -> None:
    model, optimizer = small()
    made = []
    for _ in range(4):
        with link.cell("a"):
            made.append(make(model, optimizer))
            made[-1].lr_scale = 10.0
            for _ in made[-1].track(range(2)):
                take_step(model, optimizer)
    assert [monitor.closed for monitor in made] == [True, True, True, False]
    assert len(optimizer._optimizer_step_post_hooks) == 1
    assert made[-1].session.step == 2
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert made[0].history["learning_rate"].values.tolist() == [1.0]  # the history stays


def test_new_model_and_optimizer_in_a_cell_that_is_run_again(link: FakeLink, make: Make) -> None:
    gone = []
    for _ in range(3):
        with link.cell("a"):
            model, optimizer = small()
            monitor = make(model, optimizer)
            take_step(model, optimizer)
            gone.append(weakref.ref(model))
    assert monitor.session.step == 1
    del model, optimizer
    until(lambda: gc.collect() >= 0 and gone[0]() is None and gone[1]() is None)


# --- closed ------------------------------------------------------------------------------


def test_close_leaves_nothing_behind(make: Make, quiet: NoPublisher) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    browser = Browser(monitor)
    for _ in range(3):
        monitor.session.look_into_next_step()
        take_step(model, optimizer)
        monitor.log(loss=1.0)
    monitor.lr_scale = 10.0
    monitor.close()
    monitor.close()
    assert monitor.closed
    assert hooks(model, optimizer) == 0
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert quiet.targets == []
    sent = len(browser.comm.sent)
    take_step(model, optimizer)
    assert len(browser.comm.sent) == sent
    assert monitor.session.step == 3


def test_closing_in_the_middle_of_a_sampled_step(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    monitor.session.look_into_next_step()
    take_step(model, optimizer)
    assert monitor.session.sampling.armed
    output = model(torch.ones(4, 3))
    monitor.close()
    output.sum().backward()
    optimizer.step()
    assert hooks(model, optimizer) == 0


def test_with_closes_also_when_the_body_raises(quiet: NoPublisher) -> None:
    model, optimizer = small()

    def body() -> None:
        with TrainingMonitor(model, optimizer) as monitor:
            made.append(monitor)
            take_step(model, optimizer)
            raise ValueError("planted")

    made: list[TrainingMonitor] = []
    with pytest.raises(ValueError, match="planted"):
        body()
    assert made[0].closed
    assert made[0].state == "finished"
    assert hooks(model, optimizer) == 0


def test_a_closed_monitor_can_still_be_used(make: Make) -> None:
    """The loop that it watched goes on; nothing of it may hang or raise."""
    model, optimizer = small()
    monitor = make(model, optimizer)
    take_step(model, optimizer)
    monitor.log(loss=1.0)
    monitor.close()
    monitor.pause()
    monitor.step()
    for _ in monitor.track(range(3)):
        take_step(model, optimizer)
        monitor.log(loss=2.0)
    monitor.resume()
    monitor.flush()
    assert monitor.history["loss"].values.tolist() == [1.0, 2.0, 2.0, 2.0]
    assert isinstance(monitor.findings(), list)
    assert monitor.overhead >= 0
    assert monitor.status
    assert monitor.lr_scale == 1.0
    assert monitor.run(lambda: 7).result(30) == 7
    monitor.stop()
    assert monitor.should_stop


def test_close_from_another_thread_releases_a_paused_loop(make: Make) -> None:
    model, optimizer = small()
    optimizer.register_step_post_hook(lambda *_: None)
    monitor = make(model, optimizer)
    monitor.pause()

    def loop() -> None:
        for _ in range(5):
            take_step(model, optimizer)

    thread = Background(loop)
    until(lambda: monitor.session.control.waiting)
    monitor.close()
    thread.join()


def test_close_inside_of_its_own_loop(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    seen = []
    for i in monitor.track(range(4)):
        take_step(model, optimizer)
        monitor.log(loss=1.0)
        seen.append(i)
        if i == 1:
            monitor.close()
    assert seen == [0, 1, 2, 3]


# --- dropped -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["closed", "dropped"])
def test_in_a_script_nothing_is_kept_alive(way: str) -> None:
    model, optimizer = small()
    monitor = TrainingMonitor(model, optimizer)
    for _ in monitor.track(range(3)):
        monitor.session.look_into_next_step()
        take_step(model, optimizer)
        monitor.log(loss=model(torch.ones(1, 3)).sum())
    gone = [weakref.ref(x) for x in (monitor, monitor.session, model, monitor.history)]
    if way == "closed":
        monitor.close()
    del monitor
    until(lambda: gc.collect() >= 0 and gone[0]() is None and gone[1]() is None)
    assert hooks(model, optimizer) == 0
    del model, optimizer
    until(lambda: gc.collect() >= 0 and all(ref() is None for ref in gone))


def test_a_monitor_does_not_keep_its_model_alive(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    take_step(model, optimizer)
    monitor.log(loss=1.0)
    gone = weakref.ref(model), weakref.ref(optimizer)
    del model, optimizer
    until(lambda: gc.collect() >= 0 and gone[0]() is None and gone[1]() is None)
    monitor.flush()
    assert monitor._error is None
    assert "no longer exists" in monitor.status
    live, _ = wire.unpack(monitor._live)
    assert live["names"] == ["learning_rate", "loss"]


def test_constructing_uses_no_random_numbers_and_changes_nothing(make: Make) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(), nn.BatchNorm1d(3)).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rng, flags = torch.get_rng_state(), [m.training for m in model.modules()]
    state = copy.deepcopy(model.state_dict())
    make(model, optimizer).flush()
    assert torch.equal(torch.get_rng_state(), rng)
    assert [m.training for m in model.modules()] == flags
    assert all(
        torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values(), strict=True)
    )


SCRIPT = """
    import sys, threading, warnings
    warnings.simplefilter("error")
    import torch
    from torch import nn
    from nnwidgets.live.session import Session
    from nnwidgets.live.history import History
    from nnwidgets.live.loop import Loops

    assert "ipykernel" not in sys.modules and "matplotlib.pyplot" not in sys.modules

    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        optimizer.zero_grad()
        model(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()

    session = Session(model)
    session.attach(optimizer)
    for _ in range(3):
        step()
    assert session.step == 3 and session.control.state == "running"
    session.set_lr_scale(2.0)
    assert session.submit(lambda: None) is not None
    session.close()
    assert threading.active_count() == 1

    import comm
    sent = []
    comm.DummyComm.publish_msg = lambda self, kind, **keys: sent.append(kind)
    from nnwidgets import TrainingMonitor

    monitor = TrainingMonitor(model, optimizer)
    for _ in monitor.track(range(50)):
        step()
        monitor.log(loss=1.0)
    assert monitor.run(lambda: [step() for _ in range(5)] and "done").result(60) == "done"
    assert len(monitor.history["loss"]) == 50 and monitor.session.step == 55
    assert "ipykernel" not in sys.modules and "matplotlib.pyplot" not in sys.modules
    monitor.close()
    for thread in threading.enumerate():
        if thread.name.startswith("nnwidgets"):
            thread.join(30)
            assert not thread.is_alive(), thread
    assert set(sent) <= {"comm_open", "comm_msg", "comm_close"}, set(sent)
    open_at_exit = TrainingMonitor(model, optimizer)
    open_at_exit.log(loss=1.0)
    print("done")
"""


def test_a_plain_script_needs_no_kernel_and_ends_by_itself() -> None:
    """Also with a monitor that is still open when the interpreter goes down."""
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "done", "")


def test_its_repr_and_help_work(make: Make) -> None:
    monitor = make(title="x")
    assert "TrainingMonitor" in repr(monitor)
    assert "should_stop" in (TrainingMonitor.run.__doc__ or "")


def test_it_keeps_times_on_one_clock(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for _ in range(5):
        take_step(model, optimizer)
        monitor.log(loss=1.0)
    times: list[Any] = monitor.history["loss"].times.tolist()
    assert times == sorted(times)
    assert 0 <= times[0] <= monitor.history["loss"].times[-1]
