"""In plain scripts, as a notebook without a view runs them, and from other threads."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nnwidgets import DecisionBoundaryPlot
from nnwidgets.live import wire
from tests.boundary.conftest import (
    Make,
    asked,
    click,
    cloud,
    finished,
    grid,
    look,
    part,
    places,
    shown,
    small_net,
    softmax,
)
from tests.clicked_run import assert_same_numbers, numbers_at_the_end, seed_everything, train
from tests.gate import no_job_runs
from tests.live.doubles import background, install_browser, install_link, until
from tests.training import Training

SCRIPT = """
import sys
import torch
from torch import nn
from torch.nn import functional as F
from nnwidgets import DecisionBoundaryPlot

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
plot = DecisionBoundaryPlot(model, torch.zeros(4, 2), [0, 1, 0, 1])
plot.toy("moons", 120, noise=0.05)
for epoch in range(120):
    for x, y in plot.loader(40):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
share = (plot.predict(plot.X).label == plot.y).mean()
print(share, plot.rules(max_depth=3).fidelity, plot.session.step)
plot.save_html(sys.argv[1])
plot.figure().savefig(sys.argv[2])
assert "matplotlib.pyplot" not in sys.modules
"""


def test_a_script_learns_moons_and_writes_its_page(tmp_path: Any) -> None:
    """In a process of its own: no kernel, no display, and it ends by itself."""
    paths = [str(tmp_path / name) for name in ("page.html", "picture.png")]
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", SCRIPT, *paths],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip()
    share, fidelity, steps = map(float, done.stdout.split())
    assert share > 0.9
    assert fidelity > 0.8
    assert steps == 360
    assert (tmp_path / "page.html").stat().st_size > 10_000
    assert (tmp_path / "picture.png").stat().st_size > 5_000


def test_a_cell_that_ends_leaves_all_answers_in_the_synced_state(
    make: Make, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nbclient runs a notebook: nobody looks, and what is saved is complete."""
    install_browser(monkeypatch)
    link = install_link(monkeypatch)
    with link.cell("one"):
        plot = make(training.model, training.x, training.y, uncertainty="mc_dropout")
        for _ in range(5):
            training.step()
        click(plot, "rules", on=True, max_depth=2)
    meta, _ = part(plot, "_surface")
    assert (meta["step"], meta["state"]) == (5, "ready")
    assert meta["members"] > 0
    assert part(plot, "_rules")[0]["state"] == "ready"


def test_what_is_asked_in_the_thread_that_trains(make: Make, training: Training) -> None:
    """A loop that asks the plot itself, as for early stopping."""
    plot = make(training.model, training.x, training.y)
    for _ in range(4):
        training.step()
        found = plot.surface()
        shares = softmax(asked(training.model, grid(found.x, found.y)))
        np.testing.assert_allclose(found.probabilities[2].ravel(), shares[:, 2], atol=1e-6)
        assert plot.explain([0.0, 0.0]).label == asked(training.model, [[0.0, 0.0]]).argmax()


# -- clicks in any order, and from any thread ----------------------------------------------------

ANY = st.sampled_from
CLICKS = st.one_of(
    st.tuples(st.just("view"), st.fixed_dictionaries({"view": ANY(["entropy", "label", "x"])})),
    st.tuples(st.just("interest"), st.fixed_dictionaries({"interest": st.none() | ANY([0, 2, 9])})),
    st.tuples(
        st.just("axes"), st.fixed_dictionaries({"x": st.integers(-1, 3), "y": st.integers(0, 3)})
    ),
    st.tuples(
        st.just("held"), st.fixed_dictionaries({"column": st.integers(0, 4), "value": ANY([0.5])})
    ),
    st.tuples(st.just("others"), st.fixed_dictionaries({"others": ANY(["mean", "median", "no"])})),
    st.tuples(
        st.just("projection"),
        st.fixed_dictionaries({"projection": ANY(["slice", "pca", "layer:0", "layer:9"])}),
    ),
    st.tuples(
        st.just("uncertainty"),
        st.fixed_dictionaries({"uncertainty": ANY([None, "mc_dropout", "laplace", "snapshots"])}),
    ),
    st.tuples(
        st.just("zoom"),
        st.fixed_dictionaries({"rectangle": ANY([None, [0, 1, 0, 1], [1, 0, 0, 1]])}),
    ),
    st.tuples(st.just("cursor"), st.fixed_dictionaries({"step": st.none() | st.integers(-1, 6)})),
    st.tuples(st.just("point"), st.fixed_dictionaries({"at": ANY([[0.0, 0.1], [9.0, 9.0]])})),
    st.tuples(
        st.just("rules"), st.fixed_dictionaries({"on": st.booleans(), "max_depth": ANY([1, 2, 0])})
    ),
    st.tuples(st.just("units"), st.fixed_dictionaries({"layer": ANY([None, "0", "1", "9"])})),
    st.tuples(st.just("unit"), st.fixed_dictionaries({"unit": ANY([None, 0, 99])})),
    st.tuples(
        st.just("add"), st.fixed_dictionaries({"at": ANY([[0.3, 0.4]]), "y": st.integers(0, 3)})
    ),
    st.tuples(
        st.just("move"),
        st.fixed_dictionaries({"ids": ANY([[0], [99]]), "at": ANY([[[1.0, 1.0]]])}),
    ),
    st.tuples(st.just("delete"), st.fixed_dictionaries({"ids": ANY([[1], [2, 3], [99]])})),
    st.tuples(ANY(["clear", "undo", "redo", "stop", "unpoint", "refresh"]), st.just({})),
    st.tuples(ANY(["step", "flush"]), st.just({})),
)


def is_true(plot: DecisionBoundaryPlot, model: nn.Module) -> None:
    """At rest what is shown is what is asked, and what the model says."""
    finished(plot)
    assert plot._error is None
    meta, arrays = part(plot, "_surface")
    choices = part(plot, "_choices")[0]
    assert choices["projection"] == plot._wish.projection
    assert meta["state"] == "ready", meta["problem"]
    if choices["uncertain"] is None and choices["projection"] == "slice":
        point = np.zeros(4)
        for slider in choices["held"]:
            point[slider["column"]] = slider["value"]
        rows = np.repeat(point[None], 24 * 24, axis=0)
        rows[:, choices["axes"]] = grid(*places(plot))
        shares = softmax(asked(model, rows))
        clear = np.diff(np.sort(shares, axis=1)[:, -2:])[:, 0] > 1e-5
        np.testing.assert_array_equal(arrays["label"].ravel()[clear], shares.argmax(1)[clear])
    points, drawn = part(plot, "_points")
    assert points["version"] == meta["points_version"]
    assert len(drawn["xy"]) == len(plot.X)


@settings(max_examples=12)
@given(clicks=st.lists(CLICKS, max_size=14))
def test_any_order_of_clicks(clicks: list[tuple[str, dict[str, Any]]]) -> None:
    torch.manual_seed(0)
    model = small_net(3, 4)
    x, y = cloud(20, 4)
    training = Training(model, torch.optim.SGD(model.parameters(), lr=0.1), x, y)
    with pytest.MonkeyPatch.context() as patch:
        install_browser(patch)
        for limit in ("_PASSING", "_WAITED_FOR", "_AT_REST", "_MOVING"):
            patch.setattr(f"nnwidgets._boundary_looking.{limit}", 60.0)
        with DecisionBoundaryPlot(model, x, y, resolution=24) as plot:
            look(plot)
            plot.flush()
            for action, args in clicks:
                if action == "step":
                    plot.session.look_into_next_step()
                    training.step()
                elif action == "flush":
                    plot.flush()
                else:
                    click(plot, action, **args)
            plot.session.control.end("finished")
            click(plot, "cursor", step=None)
            is_true(plot, model)


ACTIONS: list[tuple[str, dict[str, Any]]] = [
    *(("view", {"view": name}) for name in ("probability", "entropy", "label")),
    *(("projection", {"projection": name}) for name in ("slice", "pca", "layer:0")),
    *(("uncertainty", {"uncertainty": name}) for name in (None, "mc_dropout", "laplace")),
    *(("axes", {"x": one, "y": 3}) for one in range(3)),
    ("held", {"column": 3, "value": 0.5}),
    ("point", {"at": [0.1, 0.2]}),
    ("rules", {"on": True, "max_depth": 2}),
    ("rules", {"on": False}),
    ("units", {"layer": "0"}),
    ("cursor", {"step": 2}),
    ("cursor", {"step": None}),
    ("add", {"at": [0.3, 0.1], "y": 1}),
    ("undo", {}),
    ("stop", {}),
]


def disturb(plot: DecisionBoundaryPlot, dice: random.Random) -> None:
    """Click on something, and now and then have it sent."""
    rarely = dice.random() < 0.03  # a refresh copies the model anew
    action, args = ("refresh", {}) if rarely else dice.choice(ACTIONS)
    click(plot, action, **args)
    if dice.random() < 0.3:
        plot.flush()


def numbers_of_a_run(*, clicked: bool) -> list[Any]:
    """The losses of a run, and the weights and the state of the generators at its end."""
    seed_everything(4)
    model = small_net(3, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    training = Training(model, optimizer, *cloud(30, 4))
    if not clicked:
        return [*train(training), *numbers_at_the_end(model)]
    plot = DecisionBoundaryPlot(model, training.x, training.y, budget=0.5, resolution=24)
    look(plot)
    losses = train(training, lambda dice: disturb(plot, dice))
    plot.session.control.end("finished")
    click(plot, "cursor", step=None)
    plot.uncertainty = None
    is_true(plot, model)
    plot.close()
    until(no_job_runs)
    return [*losses, *numbers_at_the_end(model)]


def test_clicks_from_other_threads_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    assert_same_numbers(numbers_of_a_run(clicked=False), numbers_of_a_run(clicked=True))


def test_a_picture_is_of_one_look(make: Make, training: Training) -> None:
    """Fields, scale and points belong together, whenever the sender comes by."""
    plot = make(training.model, training.x, training.y)
    plot.flush()
    over = threading.Event()
    seen: list[int] = []

    def send() -> None:
        while not over.is_set():
            plot.flush()
            meta, arrays = wire.unpack(plot._surface)
            assert arrays["label"].shape == (meta["rows"], meta["columns"])
            count = sum(meta["counts"].values())
            assert len(arrays["wrong"]) == len(arrays["said"]) == count
            seen.append(count)

    with background(send):
        for turn in range(30):
            click(plot, "add", at=[0.1, 0.2], y=1)
            click(plot, "zoom", rectangle=[0, 1 + turn, 0, 1])
            if turn % 3 == 0:
                click(plot, "undo")
        over.set()
    assert seen
    assert plot._error is None
    _, values = shown(plot)
    assert np.isfinite(values).all()
