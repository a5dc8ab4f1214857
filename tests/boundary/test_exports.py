"""Files of what is shown, copies of the model that is watched, and the end of a plot."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets.live import wire
from tests.boundary.conftest import (
    Make,
    asked,
    click,
    cloud,
    finished,
    look,
    part,
    refused,
    small_net,
)
from tests.every_step import keep_every_step
from tests.export.drawn import words
from tests.live.doubles import Browser, install_browser, until
from tests.training import Training


def answered(browser: Browser, **args: Any) -> dict[str, Any]:
    """Ask for a file, and return the last word on it."""
    number = browser.ask("export", **args)
    until(lambda: browser.answers(number)[-1]["type"] in ("reply", "error"))
    return browser.answers(number)[-1]


@pytest.mark.parametrize(
    ("format", "mime", "begins"),
    [
        ("png", "image/png", b"\x89PNG"),
        ("svg", "image/svg+xml", b"<?xml"),
        ("html", "text/html", b"<!doctype html>"),
    ],
)
def test_a_file_for_the_browser(
    make: Make, training: Training, monkeypatch: pytest.MonkeyPatch,
    format: str, mime: str, begins: bytes,
) -> None:  # fmt: skip
    install_browser(monkeypatch)
    browser = Browser(make(training.model, training.x, training.y))
    answer = answered(browser, format=format)
    assert answer["meta"] == {"name": f"boundary-probability.{format}", "mime": mime}
    assert answer["arrays"]["file"].tobytes().startswith(begins)


@pytest.mark.parametrize("args", [{}, {"format": "exe"}, {"format": "../x"}, {"format": None}])
def test_a_file_of_another_kind_is_refused(
    make: Make, training: Training, monkeypatch: pytest.MonkeyPatch, args: dict[str, Any]
) -> None:
    install_browser(monkeypatch)
    answer = answered(Browser(make(training.model, training.x, training.y)), **args)
    assert answer["type"] == "error"
    assert "format" in answer["error"]


def test_a_figure_of_now(make: Make, training: Training) -> None:
    plot = make(
        training.model, training.x, training.y, feature_names=["width", "height"],
        class_names=["red", "green", "blue"],
    )  # fmt: skip
    plot.flush()
    with torch.no_grad():
        for value in training.model.parameters():
            value.mul_(-1)  # which no optimiser's step has told of
    figure = plot.figure()
    assert isinstance(figure, Figure)
    said = " ".join(words(figure))
    labels = {(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes}
    assert ("width", "height") in labels
    assert "green" in said
    shown = part(plot, "_surface")[1]["wrong"]
    np.testing.assert_array_equal(
        shown, asked(training.model, training.x).argmax(1) != training.y.numpy()
    )
    assert plot.figure(dark=True).get_facecolor() != figure.get_facecolor()


@pytest.mark.parametrize("kind", ["classes", "values", "projection", "committee"])
def test_a_page_holds_every_view(make: Make, training: Training, tmp_path: Path, kind: str) -> None:
    x, y, options = training.x, training.y, {}
    model: nn.Module = training.model
    if kind == "values":
        model, y = small_net(1), x[:, 0]
    if kind == "projection":
        model = small_net(3, 4)
        x, y = cloud(features=4)
        options = {"projection": "pca"}
    if kind == "committee":
        options = {"uncertainty": "mc_dropout"}
    plot = make(model, x, y, **options)
    plot.explain(x[0])
    plot.rules(max_depth=2)
    path = tmp_path / "plot.html"
    plot.save_html(path)
    page = path.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    assert 10_000 < len(page) < 6_000_000
    assert "http://" not in page.replace("http://www.w3.org", "")
    pages = plot.held()["pages"]
    assert {key.split("\n")[0] for key in pages} == set(plot.views)
    for key, packed in pages.items():
        meta, _ = wire.unpack(packed)
        view, interest = key.split("\n")
        assert (meta["view"], meta["interest"]) == (
            view, None if interest == "null" else int(interest)
        )  # fmt: skip
    refused(lambda: plot.save_html(tmp_path / "nowhere" / "plot.html"), Exception)


def test_names_are_text_in_a_page(make: Make, training: Training, tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    plot = make(training.model, training.x, training.y, class_names=[evil, "b", "c"])
    path = tmp_path / "plot.html"
    plot.save_html(path)
    assert evil not in path.read_text(encoding="utf-8")


# -- copies --------------------------------------------------------------------------------------


def copies(model: nn.Module) -> list[nn.Module]:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return [
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(file, weights_only=False),
    ]


def test_copies_of_a_watched_model_carry_nothing_of_ours(
    make: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y)
    look(plot)
    keep_every_step(plot, monkeypatch)
    plot.session.loop_began()
    found = []
    for _ in range(3):
        training.step()
        found += copies(training.model)
    plot.session.loop_ended("finished")
    for one in found:
        for module in one.modules():
            assert not module._forward_hooks
            assert not module._forward_pre_hooks
            assert not any("nnwidgets" in str(value) for value in vars(module).values())
        one(training.x)


# -- the end -------------------------------------------------------------------------------------


def test_closing_is_the_end(make: Make, training: Training) -> None:
    with DecisionBoundaryPlot(training.model, training.x, training.y, resolution=8) as plot:
        plot.surface()
        assert not plot.closed
    assert plot.closed
    plot.close()  # again
    training.step()
    assert plot._error is None
    assert not [one for one in threading.enumerate() if one.name == "nnwidgets job"]
    assert np.asarray(plot.X).shape == (40, 2)  # the points can still be taken


def test_a_closed_plot_and_its_model_can_go(monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    training = Training(model, optimizer, *cloud())
    plot = DecisionBoundaryPlot(
        model, training.x, training.y, uncertainty="mc_dropout", resolution=8
    )
    look(plot)
    for _ in range(3):
        training.step()
        plot.flush()
    click(plot, "point", at=[0.0, 0.0])
    click(plot, "units", layer="0")
    finished(plot)
    plot.landscape(side=3)
    plot.close()
    there = weakref.ref(plot), weakref.ref(model)
    del plot, model, optimizer, training
    gc.collect()
    assert [ref() for ref in there] == [None, None]


def test_a_plot_that_is_dropped_in_a_script_lets_the_model_go() -> None:
    model = small_net()
    ensemble = [small_net(), small_net()]
    plot = DecisionBoundaryPlot(model, *cloud(), uncertainty=ensemble, resolution=8)
    plot.surface()
    assert len(list(plot.loader(4))) == 10
    there = weakref.ref(plot), weakref.ref(model)
    member = weakref.ref(ensemble[0])
    del model
    gc.collect()
    assert there[1]() is None  # watched, never owned
    del plot
    gc.collect()
    assert there[0]() is None
    del ensemble
    gc.collect()
    assert member() is None


def test_what_is_held_does_not_grow_with_the_steps(
    make: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    plot = make(training.model, training.x, training.y, resolution=8)
    look(plot)
    monkeypatch.setattr(type(plot), "_looks_apart", 0.0)
    monkeypatch.setattr(plot.session.governor, "allows", lambda *_: True)
    keep_every_step(plot, monkeypatch)
    plot.session.loop_began()
    sizes = []
    for step in range(1, 301):
        training.step()
        plot._look_if_stale()
        if step % 20 == 0:
            click(plot, "axes", x=step // 20 % 2, y=1 - step // 20 % 2)
            click(plot, "zoom", rectangle=[-1 - step, 1, -1, 1 + step])
        if step in (150, 300):
            plot.flush()
            traits = ("_live", "_choices", "_surface", "_points", "_film")
            sizes.append(sum(wire.size(getattr(plot, trait)) for trait in traits))
            assert len(plot._reels.steps) <= 48
            assert len(plot._space._planes) <= 10
            assert len(plot._space._rectangles) <= 10
            assert not plot._waiting
    plot.session.loop_ended("finished")
    assert sizes[1] <= 2 * sizes[0] + 4096
    assert plot._error is None
