"""Clicks from any thread at any moment: no error, no lock-up, and the same losses."""

from __future__ import annotations

import importlib
import random
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nnwidgets import SaliencyViewer
from tests.clicked_run import assert_same_numbers, numbers_at_the_end, seed_everything, train
from tests.gate import no_job_runs
from tests.live.doubles import background, install_browser, until
from tests.saliency.conftest import Make, click, look, panes, shown_map, summed
from tests.training import Training, small_cnn

METHODS = ("saliency", "input_x_gradient", "grad_cam", "integrated_gradients", "occlusion", "lime")

CLICKS = st.one_of(
    st.tuples(st.just("index"), st.fixed_dictionaries({"index": st.integers(-6, 6)})),
    st.tuples(st.just("target"), st.fixed_dictionaries({"target": st.none() | st.integers(-1, 3)})),
    st.tuples(
        st.just("method"),
        st.fixed_dictionaries({"method": st.sampled_from((*METHODS, "attention_rollout"))}),
    ),
    st.tuples(
        st.just("layer"), st.fixed_dictionaries({"layer": st.sampled_from(("", "0", "2", "9"))})
    ),
    st.tuples(
        st.just("baseline"),
        st.fixed_dictionaries({"baseline": st.sampled_from(("zero", "mean", "nothing"))}),
    ),
    st.tuples(
        st.just("compare"),
        st.one_of(
            st.just({"by": None, "value": None}),
            st.fixed_dictionaries(
                {"by": st.just("method"), "value": st.sampled_from((*METHODS, "x"))}
            ),
            st.fixed_dictionaries({"by": st.just("target"), "value": st.integers(-1, 3)}),
            st.fixed_dictionaries({"by": st.just("step"), "value": st.integers(-1, 9)}),
        ),
    ),
    st.tuples(st.just("cursor"), st.fixed_dictionaries({"step": st.none() | st.integers(-1, 9)})),
    st.tuples(st.sampled_from(("explain", "stop", "refresh")), st.just({})),
    st.tuples(st.just("step"), st.just({})),
    st.tuples(st.just("flush"), st.just({})),
)


def check_is_true(viewer: SaliencyViewer) -> None:
    """At rest what is shown is what is asked, and a ready map is the answer to that."""
    viewer._have_answers()
    if viewer._stale:
        viewer._have_answers()
    assert viewer._error is None
    first = panes(viewer)[0]
    assert first["index"] == viewer.index
    assert first["method"] == viewer.method
    if viewer.target is not None:
        assert first["target"] == viewer.target
    if first["state"] == "ready" and not first["past"]:
        assert first["step"] == viewer.session.step
        values = viewer.explain().arrays[0]
        expected = summed(values) if values.ndim == 3 else values
        np.testing.assert_allclose(shown_map(viewer), np.squeeze(expected), rtol=1e-4, atol=1e-6)


@settings(max_examples=8)
@given(clicks=st.lists(CLICKS, max_size=14))
def test_any_order_of_clicks(clicks: list[tuple[str, dict[str, Any]]]) -> None:
    torch.manual_seed(0)
    model = small_cnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    training = Training(model, optimizer, torch.randn(8, 1, 8, 8), torch.randint(3, (8,)))
    with pytest.MonkeyPatch.context() as patch:
        install_browser(patch)
        with SaliencyViewer(model, training.x[:4], method="saliency") as viewer:
            look(viewer)
            for action, args in clicks:
                if action == "step":
                    viewer.session.look_into_next_step()
                    training.step()
                elif action == "flush":
                    viewer.flush()
                else:
                    click(viewer, action, **args)
            viewer.session.control.end("finished")
            if viewer.session.cursor is not None:
                click(viewer, "cursor", step=None)
            click(viewer, "explain")
            check_is_true(viewer)


ACTIONS: list[tuple[str, dict[str, Any]]] = [
    *(("method", {"method": name}) for name in METHODS),
    *(("index", {"index": index}) for index in range(4)),
    *(("target", {"target": target}) for target in (None, 0, 2)),
    ("compare", {"by": "method", "value": "occlusion"}),
    ("compare", {"by": None}),
    ("cursor", {"step": 2}),
    ("cursor", {"step": None}),
    ("explain", {}),
    ("stop", {}),
]


def disturb(viewer: SaliencyViewer, dice: random.Random) -> None:
    """Click on something, and now and then have it sent."""
    rarely = dice.random() < 0.03  # a refresh copies the model anew
    action, args = ("refresh", {}) if rarely else dice.choice(ACTIONS)
    click(viewer, action, **args)
    if dice.random() < 0.2:
        viewer.flush()


def numbers_of_a_run(*, clicked: bool) -> list[Any]:
    """The losses of a run, and the weights and the state of the generators at its end."""
    seed_everything(4)
    model = small_cnn()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    training = Training(model, optimizer, torch.randn(16, 1, 8, 8), torch.randint(3, (16,)))
    if not clicked:
        return [*train(training), *numbers_at_the_end(model)]
    viewer = SaliencyViewer(model, training.x[:4], budget=0.5)
    look(viewer)
    losses = train(training, lambda dice: disturb(viewer, dice))
    viewer.session.control.end("finished")
    click(viewer, "cursor", step=None)
    check_is_true(viewer)
    viewer.close()
    until(no_job_runs)
    return [*losses, *numbers_at_the_end(model)]


def test_clicks_from_other_threads_change_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    # Importing them holds all threads up, on a busy machine for seconds; and a loop of a script
    # that is silent for two seconds is taken to be at rest, as the session says.
    for library in ("captum.attr", "sklearn.linear_model"):
        importlib.import_module(library)
    assert_same_numbers(numbers_of_a_run(clicked=False), numbers_of_a_run(clicked=True))


def test_traits_that_are_set_in_two_threads_are_both_asked(training: Training, make: Make) -> None:
    viewer = make(training.model, training.x[:5], method="saliency")
    viewer._have_answers()

    def choose() -> None:
        for turn in range(150):
            viewer.method = METHODS[turn % 3]

    with background(choose):
        for turn in range(150):
            viewer.index = turn % 5
    assert (viewer._wish.index, viewer._wish.method) == (viewer.index, viewer.method)
    check_is_true(viewer)


def test_a_picture_is_of_one_look(training: Training, make: Make) -> None:
    """Panes and scale belong together, whenever the sender comes by."""
    viewer = make(training.model, training.x[:5], method="saliency")
    over = threading.Event()
    seen: list[int] = []

    def send() -> None:
        while not over.is_set():
            viewer.flush()
            if viewer._picture:
                meta, arrays = viewer._picture["meta"], viewer._picture["arrays"]
                count = len(meta["panes"])
                assert {int(name.partition(".")[0]) for name in arrays} == set(range(count))
                assert (meta["compare"] is not None) == (count == 2)
                seen.append(count)

    with background(send):
        for turn in range(40):
            viewer.compare(*(("method", "grad_cam") if turn % 2 else ()))
        over.set()
    assert seen
