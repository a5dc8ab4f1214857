"""The synced picture: fresh, bounded, ordered, without a NaN in its JSON, and not too often."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import TrainingMonitor
from nnwidgets.live import wire
from tests.live.doubles import Browser, small, take_step
from tests.monitor.conftest import Make

PARTS = ("_live", "_curves", "_layers", "_notes")


def pack_of(monitor: TrainingMonitor) -> dict[str, dict[str, Any]]:
    monitor.flush()
    return {part: getattr(monitor, part) for part in PARTS}


def fill(monitor: TrainingMonitor, series: int, points: int) -> None:
    names = [f"metric_{i:03d}_with_a_rather_long_name" for i in range(series)]
    rows = dict.fromkeys(names, 0.5)
    for step in range(points):
        monitor.history.append(step, step * 1e-3, rows)


@pytest.mark.parametrize(("series", "points"), [(1, 1_000_000), (8, 125_000), (200, 2_000)])
def test_the_state_is_bounded(make: Make, series: int, points: int) -> None:
    monitor = make()
    fill(monitor, series, points)
    monitor.log({"metric_000_with_a_rather_long_name": 1e9}, step=points // 2)
    parts = pack_of(monitor)
    assert sum(wire.size(part) for part in parts.values()) <= 256_000
    meta, arrays = wire.unpack(parts["_curves"])
    first = next(s for s in meta["series"] if s["name"].startswith("metric_000"))
    assert first["points"] == points + 1
    stretch = slice(first["start"], first["start"] + first["count"])
    assert arrays["hi"][stretch].max() == 1e9  # a spike of one step is in the picture


def test_the_state_of_a_large_model_is_bounded(make: Make) -> None:
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(400)))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    monitor = make(model, optimizer)
    for _ in range(2):  # the second one is sampled
        monitor.session.look_into_next_step()
        optimizer.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    (sample,) = monitor._samples.all()
    for step in range(3, 600):
        monitor.on_sample(monitor._watch, dataclasses.replace(sample, step=step))
    parts = pack_of(monitor)
    meta, arrays = wire.unpack(parts["_layers"])
    assert len(meta["rows"]) == len(arrays["grad_norm"]) == 300
    assert 20 <= arrays["grad_norm"].shape[1] <= 60
    assert arrays["steps"][[0, -1]].tolist() == [2, 599]
    assert sum(wire.size(part) for part in parts.values()) <= 256_000


def test_a_loop_that_marks_and_errs_all_the_time_stays_bounded(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for i in range(3000):
        monitor.lr_scale = 0.5 + i % 2
        monitor.log({f"bad_{i % 300}": "no number"})
    parts = pack_of(monitor)
    assert wire.size(parts["_notes"]) <= 100_000


def test_no_part_holds_a_nan_in_its_json(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for value in (math.nan, math.inf, -math.inf, 1e300, -1e300, 5e-324, 0.0):
        take_step(model, optimizer)
        monitor.log(loss=value, val_loss=torch.tensor(value))
    parts = pack_of(monitor)
    for part in parts.values():
        json.dumps({**part, "data": None}, allow_nan=False)
        wire.unpack(part)
    meta, arrays = wire.unpack(parts["_curves"])
    loss = next(s for s in meta["series"] if s["name"] == "loss")
    assert (loss["points"], loss["bad"]) == (7, 3)
    stretch = slice(loss["start"], loss["start"] + loss["count"])
    assert arrays["flags"][stretch].tolist() == [1, 2, 4, 0, 0, 0, 0]
    assert np.isfinite(arrays["hi"][stretch][3:]).all()  # 1e300 is clamped, not made infinite
    live, numbers = wire.unpack(parts["_live"])
    assert numbers["last"][live["names"].index("loss")] == 0.0


def test_the_newest_value_is_shown_even_if_it_is_nan(make: Make) -> None:
    monitor = make()
    monitor.log(loss=1.0)
    monitor.log(loss=math.nan)
    live, numbers = wire.unpack(pack_of(monitor)["_live"])
    assert live["names"] == ["loss"]
    assert np.isnan(numbers["last"][0])


def test_at_first_there_is_nothing_but_the_state(make: Make) -> None:
    parts = pack_of(make())
    live, numbers = wire.unpack(parts["_live"])
    assert (live["state"], live["step"], live["epoch"], live["progress"]) == ("idle", 0, None, None)
    assert (live["names"], live["error"], live["queued"]) == ([], None, None)
    assert np.isnan(numbers["numbers"][[0, 1, 3]]).all()
    assert numbers["numbers"][2] == 0.0
    assert parts["_curves"] == {}
    assert parts["_layers"] == {}


def test_everything_a_view_needs_is_in_the_state(make: Make) -> None:
    """A reload gets traits and nothing else."""
    model, optimizer = small()
    monitor = make(model, optimizer, title="digits", language="zh")
    for _ in range(4):
        monitor.session.look_into_next_step()
        take_step(model, optimizer)
        monitor.log(loss=1.0, bad="x")
    state = monitor.get_state()
    assert {"title", "language", "_esm", "_css", *PARTS} <= set(state)
    assert (state["title"], state["language"]) == ("digits", "zh")
    assert wire.unpack(state["_live"])[0]["step"] == 4
    assert wire.unpack(state["_curves"])[0]["range"] == [1.0, 4.0]
    rows = wire.unpack(state["_layers"])[0]["rows"]
    assert [(row["name"], row["type"], row["frozen"]) for row in rows] == [("", "Linear", False)]
    (line,) = wire.unpack(state["_notes"])[0]["messages"]
    assert line["count"] == 4
    assert "bad" in line["text"]


def test_a_reload_gets_what_no_message_has_carried_yet(make: Make) -> None:
    monitor = make()
    monitor.log(loss=1.0)
    assert wire.unpack(monitor.get_state()["_curves"])[0]["series"][0]["points"] == 1
    monitor.log(loss=2.0)
    assert wire.unpack(monitor.get_state()["_curves"])[0]["series"][0]["points"] == 2


def test_sequence_numbers_grow(make: Make) -> None:
    monitor = make()
    browser = Browser(monitor)
    browser.look()
    last: dict[str, int] = {}
    now = 100.0
    for i in range(40):
        monitor.log(loss=float(i))
        monitor.publish(now)
        now += 0.3
    browser.ask("view")
    for update in browser.updates():
        for part, packed in update.items():
            assert packed["meta"]["seq"] > last.get(part, -1)
            last[part] = packed["meta"]["seq"]
    assert set(last) >= {"_live", "_curves"}


def test_at_most_fifteen_messages_a_second_to_whoever_looks(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer, budget=0.5)
    browser = Browser(monitor)
    browser.look()
    take_step(model, optimizer)
    seconds = 5
    for tick in range(seconds * 100):
        monitor.log(loss=float(tick), step=tick)
        monitor.lr_scale = 1.0 + tick % 2 if tick % 50 == 0 else monitor.lr_scale
        monitor.publish(1000 + tick * 0.01)
    updates = browser.updates()
    assert seconds <= len(updates) <= seconds * 15
    sent = sum(wire.size(part) for update in updates for part in update.values())
    assert sent <= seconds * 500_000
    monitor.publish(2000.0)
    newest = wire.unpack(monitor._curves)[0]
    assert newest["range"] == [0.0, 499.0]


def test_nothing_is_sent_while_every_view_is_hidden(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    browser = Browser(monitor)
    browser.look(False, "a")
    browser.look(False, "b")
    for tick in range(300):
        take_step(model, optimizer)
        monitor.log(loss=float(tick))
        monitor.publish(1000 + tick * 0.1)
    assert browser.updates() == []
    browser.look(True, "b")
    monitor.publish(1031.0)
    (update,) = browser.updates()
    assert wire.unpack(update["_curves"])[0]["range"][1] == 300.0


def test_a_run_that_ends_out_of_sight_is_sent_whole_and_once(make: Make) -> None:
    """What is on the screen then is what a notebook is saved with."""
    model, optimizer = small()
    monitor = make(model, optimizer)
    browser = Browser(monitor)
    browser.look()
    now = 1000.0
    for step in monitor.track(range(100)):
        monitor.session.look_into_next_step()
        take_step(model, optimizer)
        monitor.log(loss=float(step), bad="x" if step == 98 else 1.0)
        monitor.publish(now := now + 0.1)
        if step == 96:  # every part has been sent a moment ago
            monitor.publish(now := now + 100)
            browser.look(False)
            browser.updates()
    assert browser.updates() == []
    for _ in range(400):
        monitor.publish(now := now + 0.1)
    sent = [(part, wire.unpack(packed)[0]) for u in browser.updates() for part, packed in u.items()]
    assert sorted(part for part, _ in sent) == sorted(PARTS)
    last = dict(sent)
    assert last["_live"]["state"] == "finished"
    assert last["_curves"]["range"] == [1.0, 100.0]
    assert last["_layers"]["step"] == 100
    assert last["_notes"]["messages"]


def test_without_a_front_end_the_state_is_at_most_five_seconds_old(make: Make) -> None:
    monitor = make()
    stale = []
    for tick in range(600):
        monitor.log(loss=float(tick))
        monitor.publish(1000 + tick * 0.05)
        if monitor._curves:
            stale.append(tick - wire.unpack(monitor._curves)[0]["range"][1])
    assert max(stale) <= 5 / 0.05


def test_what_fails_inside_is_a_sentence_in_the_widget(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = make()
    monitor.log(loss=1.0)
    curves = next(part for part in monitor._parts if part.trait == "_curves")

    def broken() -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr(curves, "build", broken)
        monitor.flush()
    monitor.flush()
    assert wire.unpack(monitor._live)[0]["error"] == "_curves: planted"
    assert monitor._curves != {}  # it works again


def test_text_is_text(make: Make) -> None:
    """Names and titles go through as they are; making them harmless is the browser's business."""
    name = '<script>alert(1)</script> & "quotes" \u2028 学习'
    monitor = make(title=name)
    monitor.log({name: 1.0})
    parts = pack_of(monitor)
    assert monitor.title == name
    assert wire.unpack(parts["_curves"])[0]["series"][0]["name"] == name
    assert wire.unpack(parts["_live"])[0]["names"] == [name]


def test_best_points(make: Make) -> None:
    monitor = make()
    for step, (loss, accuracy) in enumerate([(3, 0.1), (1, 0.9), (math.nan, math.nan), (2, 0.5)]):
        monitor.log({"val_loss": loss, "val_accuracy": accuracy, "train_loss": loss}, step=step)
    meta, arrays = wire.unpack(pack_of(monitor)["_curves"])
    best = {
        series["name"]: point
        for series, point in zip(meta["series"], arrays["best"].tolist(), strict=True)
    }
    assert best["val_loss"] == [1.0, 1.0]
    assert best["val_accuracy"] == [1.0, 0.9]
    assert np.isnan(best["train_loss"]).all()


def test_the_status_follows_an_optimiser_that_comes(make: Make) -> None:
    from nnwidgets.catalogue import text

    model, optimizer = small()
    monitor = make(model)
    without = text("status.no_optimizer", "en")
    assert without in monitor._sentences()
    monitor.session.attach(optimizer)
    assert without not in monitor._sentences()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: (), ["no_optimizer", "no_model"]),
        (lambda: small()[:1], ["no_optimizer"]),
        (lambda: (None, small()[1]), ["no_model"]),
    ],
)
def test_the_status_says_what_cannot_be_observed(make: Make, build: Any, words: list[str]) -> None:
    from nnwidgets.catalogue import text

    made = build()
    monitor = make(*made)
    for word in words:
        assert text(f"status.{word}") in monitor.status
    assert wire.unpack(pack_of(monitor)["_live"])[0]["status"]


def test_an_optimizer_of_another_model_is_noticed(make: Make) -> None:
    from nnwidgets.catalogue import text

    model, _ = small()
    _, optimizer = small()
    assert text("status.optimizer_elsewhere") in make(model, optimizer).status


def test_an_optimiser_that_never_steps_is_named(make: Make) -> None:
    model, optimizer = small()
    monitor = make(model, optimizer)
    for _ in range(30):
        monitor.log(loss=1.0)
    assert "30 logged calls stand at step 0" in monitor.status
    take_step(model, optimizer)
    assert "stand at step 0" not in monitor.status
