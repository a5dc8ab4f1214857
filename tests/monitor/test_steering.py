"""Steering a loop: from Python, from a browser, from a cell's end."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
import torch
from torch import nn

from nnwidgets import TrainingMonitor
from nnwidgets.live import wire
from nnwidgets.live.kernel import Route
from tests.live.doubles import Browser, FakeLink, background, small, take_step, until
from tests.monitor.conftest import Make


def shown(monitor: TrainingMonitor) -> tuple[dict[str, Any], dict[str, Any]]:
    monitor.flush()
    return wire.unpack(monitor._live)


def kinds(monitor: TrainingMonitor) -> list[str]:
    monitor.flush()
    return [event["kind"] for event in wire.unpack(monitor._notes)[0]["events"]]


# --- clicks ------------------------------------------------------------------------------


def test_pause_step_resume_stop_from_a_browser(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    browser = Browser(monitor)
    steps: list[int] = []

    def loop() -> None:
        for _ in monitor.track(itertools.count()):
            take_step(model, optimizer)
            steps.append(monitor.session.step)

    with background(loop):
        until(lambda: len(steps) > 3)
        assert browser.answer(browser.ask("pause"))["type"] == "reply"
        until(lambda: monitor.state == "paused")
        count = len(steps)
        for more in (1, 2):
            browser.answer(browser.ask("step"))
            until(lambda n=count + more: len(steps) == n and monitor.state == "paused")
        browser.answer(browser.ask("resume"))
        until(lambda: len(steps) > count + 5)
        browser.answer(browser.ask("stop"))
    assert monitor.state == "stopped"
    assert shown(monitor)[0]["state"] == "stopped"
    assert kinds(monitor)[-1] == "stop"


def test_a_click_is_shown_at_once(make: Make) -> None:
    """The live part is sent with the click, not when its turn comes."""
    monitor = make()
    browser = Browser(monitor)
    browser.look()
    monitor.log(loss=1.0)
    monitor.publish(1000.0)
    browser.updates()
    browser.ask("stop")
    monitor.publish(1000.001)
    (update,) = browser.updates()
    assert update["_live"]["meta"]["state"] == "stopped"


def test_the_slider(make: Make) -> None:
    model, optimizer = small(lr=0.5)
    monitor = make(model, optimizer)
    browser = Browser(monitor)
    browser.answer(browser.ask("set_lr_scale", value=0.1))
    assert monitor.lr_scale == 0.1
    before = model.bias.detach().clone()
    take_step(model, optimizer)
    torch.testing.assert_close(model.bias.detach(), before - 0.05 * model.bias.grad)
    meta, arrays = shown(monitor)
    assert meta["can"]["steer"]
    assert arrays["lr"].tolist() == [0.1, 0.5]
    assert arrays["numbers"][3] == pytest.approx(0.05)
    browser.ask("set_lr_scale", value=1e9)
    assert monitor.lr_scale == 100.0
    browser.ask("set_lr_scale", value=0)
    assert monitor.lr_scale == 0.01
    assert kinds(monitor) == ["lr", "lr", "lr"]


@pytest.mark.parametrize("value", [None, "fast", [1]])
def test_a_slider_that_sends_nonsense_gets_a_sentence(make: Make, value: object) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    browser = Browser(monitor)
    answer = browser.answer(browser.ask("set_lr_scale", value=value))
    assert answer["type"] == "error"
    assert answer["error"]
    assert monitor.lr_scale == 1.0


def test_without_an_optimizer_there_is_nothing_to_steer(make: Make) -> None:
    monitor = make()
    browser = Browser(monitor)
    answer = browser.answer(browser.ask("set_lr_scale", value=2.0))
    assert answer["error"].startswith("no optimiser is known")
    assert not shown(monitor)[0]["can"]["steer"]
    monitor.lr_scale = 1.0  # which it is already


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        ("2", TypeError, "must be a number, not str"),
        (True, TypeError, "not bool"),
        (None, TypeError, "not NoneType"),
        (0.001, ValueError, "between 0.01 and 100, not 0.001"),
        (1000, ValueError, "not 1000"),
        (float("nan"), ValueError, "not nan"),
    ],
)
def test_lr_scale_is_checked(
    make: Make, value: object, error: type[Exception], sentence: str
) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    with pytest.raises(error, match=sentence):
        monitor.lr_scale = value  # type: ignore[assignment]
    assert monitor.lr_scale == 1.0


def test_the_cursor_is_shared_by_all_widgets_of_a_model(make: Make) -> None:
    model, optimizer = small()
    one, two = make(model, optimizer), make(model)
    Browser(one).ask("cursor", step=17)
    assert shown(two)[0]["cursor"] == 17
    Browser(two).ask("cursor", step=None)
    assert shown(one)[0]["cursor"] is None


def test_the_view_of_a_stretch(make: Make) -> None:
    monitor = make()
    for step in range(5000):
        monitor.log(loss=float(step), step=step)
    browser = Browser(monitor)
    answer = browser.answer(browser.ask("view", x0=100, x1=199, buckets=500))
    assert answer["meta"]["zoom"] == [100, 199]
    assert answer["meta"]["series"][0]["points"] == 5000
    inside = [x for x in answer["arrays"]["x"] if 100 <= x <= 199]
    assert inside == list(range(100, 200))
    whole = browser.answer(browser.ask("view"))
    assert whole["meta"]["range"] == [0, 4999]
    assert max(whole["arrays"]["hi"]) == 4999


@pytest.mark.parametrize(
    "args", [{"x0": "left"}, {"x0": float("nan")}, {"buckets": None}, {"where": 3}], ids=str
)
def test_a_view_of_nonsense_gets_a_sentence(make: Make, args: dict[str, Any]) -> None:
    monitor = make()
    monitor.log(loss=1.0)
    browser = Browser(monitor)
    answer = browser.answer(browser.ask("view", **args))
    assert (answer["type"], bool(answer["error"])) == ("error", True)


# --- loops without track() ---------------------------------------------------------------


def test_a_loop_that_asks_should_stop(make: Make) -> None:
    monitor = make()
    rounds = 0
    while not monitor.should_stop:
        rounds += 1
        monitor.log(loss=1.0)
        if rounds == 7:
            monitor.stop()
    assert (rounds, monitor.state) == (7, "stopped")


def test_a_bare_loop_pauses_after_a_step(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    steps: list[int] = []

    def loop() -> None:
        while not monitor.should_stop:
            take_step(model, optimizer)
            steps.append(1)

    with background(loop):
        until(lambda: steps)
        monitor.pause()
        until(lambda: monitor.state == "paused")
        count = len(steps)
        monitor.step()
        until(lambda: len(steps) == count + 1 and monitor.state == "paused")
        monitor.stop()
    assert monitor.state == "stopped"


def test_step_passes_one_step_however_often_it_logs(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    steps: list[int] = []

    def loop() -> None:
        for _ in range(6):
            take_step(model, optimizer)
            monitor.log(loss=1.0)
            monitor.log(acc=1.0)
            monitor.log(other=1.0)
            steps.append(monitor.session.step)

    monitor.step()
    with background(loop):
        until(lambda: monitor.session.control.waiting)
        for _ in range(3):
            count = monitor.session.step
            monitor.step()
            until(lambda n=count: monitor.session.step == n + 1 and monitor.state == "paused")
        monitor.resume()


def test_step_passes_one_round_of_a_loop_that_only_logs(make: Make) -> None:
    monitor = make()
    rounds: list[int] = []

    def loop() -> None:
        for i in range(6):
            monitor.log(loss=1.0)
            monitor.log(acc=1.0)
            rounds.append(i)

    with background(loop):
        monitor.pause()
        until(lambda: monitor.state == "paused" or len(rounds) == 6)
        while monitor.state == "paused":
            count = len(rounds)
            monitor.step()
            until(lambda n=count: len(rounds) > n)
            assert len(rounds) == count + 1
            until(lambda: monitor.state == "paused" or len(rounds) == 6)


def test_keyboard_interrupt_in_a_bare_paused_loop(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key goes through a pause in the middle of ``optimizer.step()`` and leaves it clean."""
    model, optimizer = small()
    monitor = make(model, optimizer)
    monitor.lr_scale = 10.0

    def interrupt(meanwhile: Any) -> None:
        raise KeyboardInterrupt

    monitor.pause()
    with monkeypatch.context() as patch:
        patch.setattr(monitor.session.host, "pump", lambda: interrupt(None))
        with pytest.raises(KeyboardInterrupt):
            take_step(model, optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.1
    take_step(model, optimizer)  # nothing hangs, and the hooks are still there
    assert monitor.session.step == 2


# --- run() -------------------------------------------------------------------------------


def test_run_trains_in_the_background(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)

    def train(epochs: int, lr: float) -> str:
        optimizer.param_groups[0]["lr"] = lr
        for _ in monitor.track(range(epochs)):
            take_step(model, optimizer)
            monitor.log(loss=1.0)
        return "done"

    handle = monitor.run(train, 5, 0.01)
    assert handle.result(30) == "done"
    assert handle.done
    assert monitor.state == "finished"
    assert len(monitor.history["loss"]) == 5


@pytest.mark.parametrize("kind", ["track", "should_stop", "neither", "log only"])
def test_stopping_a_run(make: Make, kind: str) -> None:
    model, optimizer = small()
    monitor = make(*((model, optimizer) if kind != "log only" else ()))
    rounds: list[int] = []

    def one() -> None:
        if kind != "log only":
            take_step(model, optimizer)
        monitor.log(loss=1.0)
        rounds.append(1)

    def train() -> str:
        if kind == "track":
            for _ in monitor.track(itertools.count()):
                one()
        elif kind == "should_stop":
            while not monitor.should_stop:
                one()
        else:
            while True:
                one()
        return "ended by itself"

    handle = monitor.run(train)
    until(lambda: len(rounds) > 3)
    handle.stop()
    result = handle.result(30)
    assert result == ("ended by itself" if kind in ("track", "should_stop") else None)
    assert monitor.state == "stopped"


def test_an_error_in_a_run_is_marked_and_raised_again(make: Make) -> None:
    monitor = make()

    def train() -> None:
        monitor.log(loss=1.0)
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        monitor.run(train).result(30)
    assert monitor.state == "stopped"
    assert kinds(monitor)[-1] == "error"


@pytest.mark.parametrize("function", [None, 3, "train"])
def test_run_needs_a_function(make: Make, function: Any) -> None:
    with pytest.raises(TypeError, match=r"pass train, not train\(\)"):
        make().run(function)


def test_a_run_goes_on_over_cells(link: FakeLink, make: Make) -> None:
    go = threading.Event()
    with link.cell("a"):
        monitor = make()
        handle = monitor.run(go.wait)
    with link.cell("b"):
        assert monitor.state == "running"
        raise ValueError("in another cell")
    assert monitor.state == "running"
    go.set()
    assert handle.result(30) is True
    assert monitor.state == "finished"


# --- cells -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "state", "kind"),
    [
        (None, "finished", None),
        (ValueError("planted"), "stopped", "error"),
        (KeyboardInterrupt(), "stopped", "interrupted"),
    ],
)
def test_the_end_of_the_cell_is_the_end_of_a_bare_loop(
    link: FakeLink, make: Make, problem: BaseException | None, state: str, kind: str | None
) -> None:
    model, optimizer = small()
    with link.cell("a"):
        monitor = make(model, optimizer)
        take_step(model, optimizer)
        monitor.log(loss=1.0)
        assert monitor.state == "running"
        if problem is not None:
            raise problem
    assert monitor.state == state
    assert kinds(monitor) == ([kind] if kind else [])
    _, arrays = wire.unpack(monitor._live)
    assert arrays["last"].tolist()[-1] == 1.0  # the saved picture has everything


def test_a_cell_that_does_not_train_changes_nothing(link: FakeLink, make: Make) -> None:
    with link.cell("a"):
        monitor = make()
        monitor.log(loss=1.0)
    with link.cell("b"):
        pass
    assert monitor.state == "finished"
    with link.cell("c"):
        monitor.log(loss=1.0)
        assert monitor.state == "running"
    assert monitor.state == "finished"


def test_a_stop_is_for_its_cell(link: FakeLink, make: Make) -> None:
    def train() -> int:
        return sum(1 for _ in monitor.track(range(4)))

    with link.cell("a"):
        monitor = make()
        for i in monitor.track(range(4)):
            if i == 1:
                monitor.stop()
        assert monitor.should_stop
    with link.cell("b"):
        assert not monitor.should_stop
        assert train() == 4


def test_it_shows_by_which_route_clicks_come(link: FakeLink, make: Make) -> None:
    monitor = make()
    link.route = Route("route.cell_end", False)
    assert shown(monitor)[0]["route"] == {"key": "route.cell_end", "params": {}, "live": False}
    link.route = Route("route.pump", True)
    assert shown(monitor)[0]["route"]["live"]


def test_a_kernel_that_needs_pumping_is_pumped_by_log_alone(link: FakeLink, make: Make) -> None:
    link.needs_pump = True
    monitor = make()
    browser = Browser(monitor)
    numbers: list[int] = []
    link.waiting.append(lambda: numbers.append(browser.ask("stop")))
    with link.cell("a"):
        rounds = 0
        while not monitor.should_stop:
            rounds += 1
            monitor.log(loss=1.0)
        assert rounds == 1
    assert browser.answer(numbers[0])["type"] == "reply"


def test_click_effects_reach_the_optimizer_of_several_groups(make: Make) -> None:
    one, two = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = torch.optim.SGD(
        [{"params": one.parameters(), "lr": 0.1}, {"params": two.parameters(), "lr": 0.01}]
    )
    monitor = make(nn.ModuleList([one, two]), optimizer)
    monitor.lr_scale = 10.0
    (one(torch.ones(1, 2)) + two(torch.ones(1, 2))).sum().backward()
    before = [p.detach().clone() for p in (one.bias, two.bias)]
    optimizer.step()
    torch.testing.assert_close(one.bias.detach(), before[0] - 1.0)
    torch.testing.assert_close(two.bias.detach(), before[1] - 0.1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]
