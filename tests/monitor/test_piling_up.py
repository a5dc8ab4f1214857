"""The same cell again and again, a monitor after a monitor: nothing is left that grows.

Counted are the things themselves (objects of ours that live, hooks, comms, threads), not what we
keep accounts of.
"""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import comm
import ipywidgets
import pytest
import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer

from nnwidgets import TrainingMonitor
from nnwidgets.live import registry
from tests.live.doubles import FakeLink, NoPublisher, small, take_step
from tests.monitor.test_lifecycle import hooks

Run = Callable[[dict[str, Any]], None]


def ours() -> Counter[str]:
    """Objects of our classes that live, by class."""
    gc.collect()
    return Counter(
        f"{type(one).__module__}.{type(one).__qualname__}"
        for one in gc.get_objects()
        if str(type(one).__module__).startswith("nnwidgets")
    )


def around(link: FakeLink, quiet: NoPublisher) -> dict[str, int]:
    """What others hold for us."""
    return {
        "sessions": len(registry._sessions),
        "threads": threading.active_count(),
        "comms": len(comm.get_comm_manager().comms),
        "widgets": len(ipywidgets.widgets.widget._instances),
        "published": len(quiet.targets),
        "attached": len(link.attached),
        "callbacks": len(link._starts) + len(link._ends),
        "hooks on all optimisers": len(torch_optimizer._global_optimizer_post_hooks)
        + len(torch_optimizer._global_optimizer_pre_hooks),
    }


def train(names: dict[str, Any], *, problem: bool = False) -> None:
    """Do what a cell does, with the variables of the notebook."""
    model, optimizer = names["model"], names["optimizer"]
    names["monitor"] = monitor = TrainingMonitor(model, optimizer)
    names["export"] = monitor.history
    for epoch in monitor.track(range(2)):
        for i in monitor.track(range(3)):
            monitor.session.look_into_next_step()
            take_step(model, optimizer)
            monitor.log(loss=torch.tensor(1.0), acc=float(i))
            if problem and epoch:
                raise ValueError("planted")
    monitor.lr_scale = 2.0
    monitor.findings()
    monitor.flush()


def same_model(names: dict[str, Any]) -> None:
    names.setdefault("model", None)
    if names["model"] is None:
        names["model"], names["optimizer"] = small()
    train(names)


def new_model(names: dict[str, Any]) -> None:
    names["model"], names["optimizer"] = small()
    train(names)


def broken_off(names: dict[str, Any]) -> None:
    names["model"], names["optimizer"] = small()
    train(names, problem=True)


def another_optimizer(names: dict[str, Any]) -> None:
    if "model" not in names:
        names["model"], _ = small()
    names["optimizer"] = torch.optim.Adam(names["model"].parameters())
    train(names)


def only_logged(names: dict[str, Any]) -> None:
    names["model"], names["optimizer"] = small()
    names["monitor"] = monitor = TrainingMonitor()
    for i in monitor.track(range(5)):
        monitor.log(loss=i)
    monitor.flush()


def two_models(names: dict[str, Any]) -> None:
    (one, first), (other, second) = small(), small()
    names["model"], names["optimizer"] = nn.ModuleDict({"g": one, "d": other}), first
    names["monitor"] = monitor = TrainingMonitor(names["model"], {"g": first, "d": second})
    for _ in monitor.track(range(5)):
        take_step(one, first)
        take_step(other, second)
        monitor.log(loss=1.0)
    monitor.flush()


@pytest.mark.parametrize(
    "run", [same_model, new_model, broken_off, another_optimizer, only_logged, two_models]
)
def test_a_cell_that_is_run_ten_times(run: Run, link: FakeLink, quiet: NoPublisher) -> None:
    names: dict[str, Any] = {}
    others = ours()  # of tests before this one, which may go meanwhile
    for _ in range(3):
        with link.cell("a"):
            run(names)
    before, outside, on = ours(), around(link, quiet), hooks(names["model"], names["optimizer"])
    assert outside["sessions"] <= 1 + before["nnwidgets.live.session.Session"]
    for _ in range(10):
        with link.cell("a"):
            run(names)
    after = ours()
    assert {name: n - before[name] for name, n in after.items() if n > before[name]} == {}
    assert around(link, quiet) == outside
    assert hooks(names["model"], names["optimizer"]) == on
    for name in ("training_monitor.TrainingMonitor", "live.session.Session"):
        assert 1 <= after[f"nnwidgets.{name}"] <= 1 + others[f"nnwidgets.{name}"]
    names["monitor"].close()
    assert hooks(names["model"], names["optimizer"]) == 0


@pytest.mark.parametrize("way", ["close", "with", "deleted"])
def test_a_monitor_after_a_monitor_on_the_same_model(
    way: str, link: FakeLink, quiet: NoPublisher
) -> None:
    """In cells of their own, each closed before the next: the last leaves what the first did."""
    model, optimizer = small()
    known = len(registry._sessions)  # of tests before this one, which may go meanwhile
    seen = []
    bare = hooks(model, optimizer)
    for number in range(12):
        with link.cell(f"cell {number}"):
            if way == "with":
                with TrainingMonitor(model, optimizer) as monitor:
                    take_step(model, optimizer)
            else:
                monitor = TrainingMonitor(model, optimizer)
                take_step(model, optimizer)
                monitor.log(loss=1.0)
                monitor.close()
            assert monitor.session.step == 1  # each begins to count anew
            if way == "deleted":
                del monitor
        assert hooks(model, optimizer) == bare
        if number in (2, 11):
            seen.append((ours(), around(link, quiet)))
    (before, outside), (after, now) = seen
    assert {name: n for name, n in after.items() if n > before[name]} == {}
    assert now == outside
    assert now["sessions"] <= known
    assert now["published"] == 0
