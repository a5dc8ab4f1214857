"""``log()``: every value kept as it was, every mistake told in one line, nothing raised."""

from __future__ import annotations

import math
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets import TrainingMonitor
from nnwidgets.live import lazy, wire
from tests.live.doubles import Background, small, take_step
from tests.live.test_lazy import NUMBERS, WORDS, Event
from tests.monitor.conftest import Make


def messages(monitor: TrainingMonitor) -> list[dict[str, Any]]:
    """The lines that the widget shows."""
    monitor.flush()
    found: list[dict[str, Any]] = wire.unpack(monitor._notes)[0]["messages"]
    return found


def points(monitor: TrainingMonitor, name: str) -> list[tuple[float, float]]:
    series = monitor.history[name]
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


# --- values ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_every_kind(monitor: TrainingMonitor, name: str) -> None:
    value, expected = NUMBERS[name]
    monitor.log(loss=value)
    monitor.log({"loss": 1.0, "other": value})
    np.testing.assert_array_equal(monitor.history["loss"].values, [expected, 1.0])
    np.testing.assert_array_equal(monitor.history["other"].values, [expected])
    assert messages(monitor) == []


@pytest.mark.parametrize("name", WORDS)
def test_what_is_no_number_is_one_line_and_stops_nothing(
    monitor: TrainingMonitor, name: str
) -> None:
    value, _ = WORDS[name]
    monitor.log({"good": 1.0, "bad": value}, step=41)
    monitor.log({"good": 2.0, "bad": value}, step=42)
    monitor.log(bad=0.5)
    assert points(monitor, "good") == [(41, 1.0), (42, 2.0)]
    assert points(monitor, "bad") == [(42, 0.5)] or points(monitor, "bad") == [(43, 0.5)]
    (line,) = messages(monitor)
    assert line["count"] == 2
    assert line["step"] == 41
    assert line["level"] == "warning"
    assert "bad" in line["text"]
    assert "41" in line["text"]


def test_each_metric_has_its_own_line(monitor: TrainingMonitor) -> None:
    for _ in range(3):
        monitor.log(a="x", b=None)
    monitor.log(c="y")
    lines = messages(monitor)
    assert [line["count"] for line in lines] == [3, 3, 1]
    assert [line["text"].split(",")[0] for line in lines] == ["a", "b", "c"]


def test_names_are_shown_as_text(make: Make) -> None:
    monitor = make()
    monitor.log({"<img src=x>{0}%s": None})
    (line,) = messages(monitor)
    assert "<img src=x>{0}%s" in line["text"]


def test_values_are_what_they_were_when_they_were_logged(monitor: TrainingMonitor) -> None:
    class Meter:
        value = 1.0

        def __float__(self) -> float:
            return self.value

    tensor, array, meter = torch.tensor(1.0), np.array(1.0), Meter()
    row = {"tensor": tensor, "array": array, "meter": meter}
    monitor.log(row)
    tensor.fill_(99)
    array.fill(99)
    meter.value = 99
    row["tensor"] = torch.tensor(77.0)
    assert [monitor.history[name].values.tolist() for name in row] == [[1.0]] * 3


def test_not_finite_values_are_kept(monitor: TrainingMonitor) -> None:
    values = [1.0, math.nan, math.inf, -math.inf, 2.0]
    for value in values:
        monitor.log(loss=value)
    np.testing.assert_array_equal(monitor.history["loss"].values, values)
    assert monitor.history.bad("loss") == 3


def test_a_loss_with_a_graph_can_still_be_differentiated(monitor: TrainingMonitor) -> None:
    x = torch.tensor(2.0, requires_grad=True)
    loss = x * x
    monitor.log(loss=loss)
    loss.backward()
    assert x.grad == 4.0
    assert not loss.is_leaf


class Remote(torch.Tensor):
    """A tensor that says it lies on a GPU."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda")


def test_tensors_of_a_device_are_not_waited_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []

    def behind(device: torch.device) -> Event:
        assert device.type == "cuda"
        events.append(Event())
        return events[-1]

    monkeypatch.setattr(lazy, "_event_behind", behind)
    monitor = make()
    tensor = torch.tensor(0.0).as_subclass(Remote)
    for step in range(2000):  # beyond where a history starts to fold by itself
        tensor.fill_(step)
        monitor.log(loss=tensor)
    assert not any(event.waited for event in events)
    events[0].reached = True
    picture = monitor._parts[1].build  # the curves: nor does drawing them wait …
    shown, _ = wire.unpack(picture() or {})
    assert [series["points"] for series in shown["series"]] == [1]
    assert not any(event.waited for event in events)
    for event in events:
        event.reached = True
    shown, _ = wire.unpack(picture() or {})  # … and what comes late needs no further log()
    assert [series["points"] for series in shown["series"]] == [2000]
    assert monitor.history["loss"].values.tolist() == list(range(2000))


def test_reading_waits_for_the_device(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    event = Event()
    monkeypatch.setattr(lazy, "_event_behind", lambda _: event)
    monitor = make()
    monitor.log(loss=torch.tensor(3.0).as_subclass(Remote))
    assert points(monitor, "loss") == [(0, 3.0)]
    assert event.waited


# --- calls -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType])
def test_any_mapping_and_any_names(monitor: TrainingMonitor, kind: type) -> None:
    names = {"loss": 1.0, "val/loss": 2.0, "Größe ✓": 3.0, "": 4.0, "step": 5.0, "a b": 6.0}
    monitor.log(kind(names), metrics=7.0, self=8.0)
    assert dict(monitor.history.items()).keys() == {*names, "metrics", "self"}
    assert [monitor.history[name].values[0] for name in names] == list(names.values())


@pytest.mark.parametrize(
    ("args", "named", "sentence"),
    [
        ((3.0,), {}, r"takes a mapping of names to values, not float; write log\(loss=loss\)"),
        (("loss",), {}, "not str"),
        (([("loss", 1.0)],), {}, "not list"),
        ((torch.tensor(1.0),), {}, "not Tensor"),
        (({3: 1.0},), {}, "name must be a string, not 3"),
        (({"ok": 1.0, None: 1.0},), {}, "not None"),
        (({"loss": 1.0},), {"loss": 2.0}, "'loss' is given twice"),
        ((), {"loss": 1.0, "step": "7"}, "step must be a number or None, not str"),
        ((), {"loss": 1.0, "step": math.nan}, "step must be a finite number"),
        ((), {"loss": 1.0, "step": True}, "not bool"),
        (({"a": 1.0}, {"b": 1.0}), {}, "positional argument"),
    ],
)
def test_a_call_that_can_never_work_raises_before_anything_is_stored(
    monitor: TrainingMonitor, args: Any, named: Any, sentence: str
) -> None:
    monitor.log(loss=0.5)
    with pytest.raises(TypeError, match=sentence):
        monitor.log(*args, **named)
    assert points(monitor, "loss") == [(0, 0.5)]
    assert list(monitor.history) == ["loss"]
    monitor.log(loss=0.25)
    assert points(monitor, "loss") == [(0, 0.5), (1, 0.25)]


def test_logging_nothing_is_nothing(monitor: TrainingMonitor) -> None:
    monitor.log()
    monitor.log({})
    monitor.log(None, loss=1.0)
    assert points(monitor, "loss") == [(0, 1.0)]


def test_an_unknown_series_suggests_the_nearest(monitor: TrainingMonitor) -> None:
    with pytest.raises(KeyError, match="nothing has been logged"):
        monitor.history["loss"]
    monitor.log(val_loss=1.0)
    with pytest.raises(KeyError, match="did you mean 'val_loss'"):
        monitor.history["valloss"]


# --- steps -------------------------------------------------------------------------------


def test_the_optimizer_counts_the_steps(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for _ in range(3):
        take_step(model, optimizer)
        monitor.log(loss=0.5)
        monitor.log(acc=0.5)
    assert points(monitor, "loss") == points(monitor, "acc") == [(1, 0.5), (2, 0.5), (3, 0.5)]


def test_gradient_accumulation_logs_within_a_step(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for i in range(8):
        model(torch.ones(4, 3)).sum().backward()
        if i % 4 == 3:
            optimizer.step()
        monitor.log(loss=float(i))
    assert points(monitor, "loss") == [
        *((0, 0.0), (0, 1.0), (0, 2.0)),
        *((1, 3.0), (1, 4.0), (1, 5.0), (1, 6.0)),
        (2, 7.0),
    ]


def test_a_resumed_run(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for step in range(5000, 5003):
        take_step(model, optimizer)
        monitor.log(loss=0.5, step=step)
    take_step(model, optimizer)
    monitor.log(loss=0.5)
    assert [step for step, _ in points(monitor, "loss")] == [5000, 5001, 5002, 5003]
    assert monitor.session.step == 5003


def test_epochs_as_steps_of_the_validation(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for epoch in range(3):
        for _ in range(4):
            take_step(model, optimizer)
            monitor.log(loss=0.5)
        monitor.log(val_loss=0.5, step=epoch)
    assert [step for step, _ in points(monitor, "loss")] == list(range(1, 13))
    assert [step for step, _ in points(monitor, "val_loss")] == [0, 1, 2]


def test_pairs_share_a_panel(monitor: TrainingMonitor) -> None:
    monitor.log({"loss": 1.0, "val_loss": 1.0, "train/acc": 0.5, "val/acc": 0.5, "other": 1})
    monitor.flush()
    meta, _ = wire.unpack(monitor._curves)
    by_panel: dict[int, set[str]] = {}
    for series in meta["series"]:
        by_panel.setdefault(series["panel"], set()).add(series["name"])
    assert sorted(by_panel.values(), key=min) == [
        {"loss", "val_loss"},
        {"other"},
        {"train/acc", "val/acc"},
    ]
    roles = {series["name"]: series["role"] for series in meta["series"]}
    assert roles["val_loss"] == roles["val/acc"] == "val"


# --- our own series ------------------------------------------------------------------------


def test_the_learning_rate_is_logged_when_it_changes(make: Make) -> None:
    model, optimizer = small(lr=0.5)
    monitor = make(model, optimizer)
    for step in range(6):
        if step == 3:
            optimizer.param_groups[0]["lr"] = 0.25
        take_step(model, optimizer)
    monitor.lr_scale = 10.0
    take_step(model, optimizer)
    assert points(monitor, "learning_rate") == [(1, 0.5), (4, 0.25), (7, 2.5)]


def test_groups_and_optimizers_have_rates_of_their_own(make: Make) -> None:
    model, optimizer = small()
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))], "lr": 0.5})
    other, adam = nn.Linear(1, 1), None
    adam = torch.optim.Adam(other.parameters(), lr=0.25)
    monitor = make(model, {"sgd": optimizer, "adam": adam})
    take_step(model, optimizer)
    adam.step()
    rates = {name: monitor.history[name].values.tolist() for name in monitor.history}
    assert rates == {
        "learning_rate/sgd/0": [0.1],
        "learning_rate/sgd/1": [0.5],
        "learning_rate/adam": [0.25],
    }


@pytest.mark.parametrize("name", ["learning_rate", "gradient_norm"])
def test_a_series_of_ours_gives_way_to_one_of_the_user(make: Make, name: str) -> None:
    """He gets back exactly what he has logged, whichever came first."""
    model, optimizer = small(lr=0.5)
    monitor = make(model, optimizer)
    for step in range(1, 6):
        take_step(model, optimizer)
        monitor.session.look_into_next_step()  # every step is sampled, so both of ours are there
        if step >= 3:
            monitor.log({name: float(step)})
    assert points(monitor, name) == [(3, 3.0), (4, 4.0), (5, 5.0)]
    (ours,) = [n for n in monitor.history if n.startswith(name) and n != name]
    assert len(monitor.history[ours]) >= 1
    assert ours in wire.unpack(flushed(monitor)._curves)[0]["series"][0]["name"] or any(
        series["name"] == ours for series in wire.unpack(monitor._curves)[0]["series"]
    )


def flushed(monitor: TrainingMonitor) -> TrainingMonitor:
    monitor.flush()
    return monitor


def test_a_user_who_logs_the_name_first_keeps_it(make: Make) -> None:
    model, optimizer = small(lr=0.5)
    monitor = make(model, optimizer)
    monitor.log(learning_rate=7.0)
    take_step(model, optimizer)
    monitor.log(learning_rate=8.0)
    assert [value for _, value in points(monitor, "learning_rate")] == [7.0, 8.0]
    assert points(monitor, "learning_rate (in use)") == [(1, 0.5)]


# --- many --------------------------------------------------------------------------------

VALUES = st.one_of(
    st.floats(),
    st.integers(-(2**60), 2**60),
    st.booleans(),
    st.floats(width=32).map(np.float32),
    st.floats(width=32).map(torch.tensor),
    st.sampled_from(["text", None, 1j, (1, 2)]),
)
CALLS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["loss", "val_loss", "acc", "x/y"]), VALUES, max_size=3),
        st.none() | st.integers(-10, 1000) | st.floats(-10, 1000),
    ),
    max_size=30,
)


@given(CALLS)
def test_any_calls_against_a_slow_obvious_model(calls: list[tuple[dict[str, Any], Any]]) -> None:
    monitor = TrainingMonitor()
    expected: dict[str, list[tuple[float, float]]] = {}
    rejected = 0
    newest: float = 0
    seen: set[str] = set()
    for row, step in calls:
        monitor.log(row, step=step)
        if step is not None:
            newest, seen = step, set(row)
        elif seen & set(row):
            newest, seen = newest + 1, set(row)
        else:
            seen |= set(row)
        for name, value in row.items():
            if isinstance(value, (str, complex, tuple)) or value is None:
                rejected += 1
            else:
                expected.setdefault(name, []).append((newest, float(value)))
    assert list(monitor.history) == list(expected)
    for name, pairs in expected.items():
        series = monitor.history[name]
        np.testing.assert_array_equal(series.steps, [step for step, _ in pairs])
        np.testing.assert_array_equal(series.values, [value for _, value in pairs])
        assert (np.diff(series.times) >= 0).all()
    assert sum(line["count"] for line in messages(monitor)) == rejected
    monitor.close()


def test_threads_that_log_at_once_lose_nothing(monitor: TrainingMonitor) -> None:
    def work(name: str) -> None:
        for step in range(2000):
            monitor.log({name: float(step), "shared": torch.tensor(1.0)}, step=step)

    threads = [Background(lambda n=name: work(n)) for name in "abcd"]
    for _ in range(50):
        monitor.flush()  # somebody reads meanwhile
    for thread in threads:
        thread.join()
    for name in "abcd":
        assert points(monitor, name) == [(step, float(step)) for step in range(2000)]
    assert len(monitor.history["shared"]) == 8000


def test_threads_that_let_it_count_lose_nothing(monitor: TrainingMonitor) -> None:
    def work(name: str) -> None:
        for step in range(2000):
            monitor.log({name: float(step)})

    threads = [Background(lambda n=name: work(n)) for name in "abcd"]
    for thread in threads:
        thread.join()
    for name in "abcd":
        assert monitor.history[name].values.tolist() == list(range(2000))
