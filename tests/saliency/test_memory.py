"""What a viewer holds does not grow with the run, and it goes when it is closed."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets import SaliencyViewer
from nnwidgets._saliency_film import Film, Frame
from nnwidgets._saliency_sources import _REMEMBERED, _REMEMBERED_BYTES
from nnwidgets._saliency_wish import Wish
from nnwidgets.live import wire
from tests.every_step import keep_every_step
from tests.live.doubles import install_browser
from tests.saliency.conftest import Make, click, look
from tests.training import Training, small_cnn


def test_nothing_grows_with_the_steps(
    training: Training, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_browser(monkeypatch)
    viewer = make(training.model, training.x[:5], method="saliency", budget=0.5)
    look(viewer)
    monkeypatch.setattr("nnwidgets.live.looks.Looks._looks_apart", 0.0)
    monkeypatch.setattr(viewer.session.governor, "allows", lambda *_: True)
    keep_every_step(viewer, monkeypatch)
    sizes = []
    for step in range(1, 501):
        training.step()
        click(viewer, "index", index=step % 5) if step % 10 == 0 else None
        viewer.session.serve()
        if step in (250, 500):
            viewer.flush()
            assert len(viewer._answers) <= _REMEMBERED
            assert len(viewer._kept.snapshots.steps) <= 128
            assert len(viewer._reels.steps) <= 96
            assert not viewer._waiting
            assert not viewer._given_up
            traits = ("_live", "_samples", "_choices", "_picture", "_film")
            sizes.append(sum(wire.size(getattr(viewer, trait)) for trait in traits))
    assert viewer.session.step == 500
    assert sizes[1] <= 2 * sizes[0] + 4096
    assert viewer._error is None


def test_answers_are_forgotten_by_their_size(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 3))
    viewer = make(model, torch.randn(12, 3, 64, 64), method="saliency")
    monkeypatch.setattr("nnwidgets._saliency_sources._REMEMBERED_BYTES", 400_000)
    for index in range(12):
        viewer.index = index
        viewer.flush()
        held = sum(answer.nbytes for answer in viewer._answers.values())
        assert held <= 400_000
    assert 1 < len(viewer._answers) < 12
    monkeypatch.setattr("nnwidgets._saliency_sources._REMEMBERED_BYTES", 1)
    viewer.index = 0
    viewer.flush()
    assert len(viewer._answers) == 1  # the one that is shown stays
    assert _REMEMBERED_BYTES <= 128 << 20


def test_a_film_thins_out_and_keeps_its_ends() -> None:
    reels = Film()
    reels.begin(Wish(0, None, "saliency", "", "zero"))
    generator = np.random.default_rng(0)
    for step in range(1000):
        reels.add(step, Frame(generator.normal(size=(4, 4)).astype(np.float32)))
    steps = np.array(reels.steps)
    assert len(steps) == 96
    assert (steps[0], steps[-1]) == (0, 999)
    gaps = np.diff(steps)
    assert gaps.max() <= 32  # no long stretch of the run is lost


def test_a_film_shows_what_can_be_gone_to_and_the_newest() -> None:
    reels = Film()
    reels.begin(Wish(0, None, "saliency", "", "zero"))
    frame = Frame(np.zeros((4, 4), np.float32))
    for step in (0, 1, 2):
        reels.add(step, frame)
    assert reels.steps == (0, 1, 2)  # no weights are kept: frames are all there is
    reels.add(3, frame, (2, 3))
    assert reels.steps == (2, 3)
    reels.add(5, frame, (2, 3))
    assert reels.steps == (2, 3, 5)
    reels.add(6, frame, (2, 6))
    assert reels.steps == (2, 6)
    reels.add(4, frame, (2, 4, 6))  # of stored weights, afterwards
    assert reels.steps == (2, 4, 6)


def test_a_closed_viewer_and_its_model_can_go(monkeypatch: pytest.MonkeyPatch) -> None:
    install_browser(monkeypatch)
    model = small_cnn()
    viewer = SaliencyViewer(model, torch.randn(4, 1, 8, 8), method="saliency")
    viewer.flush()
    viewer.method = "occlusion"
    viewer._have_answers()
    viewer.keep("now")
    viewer.compare("checkpoint", "now")
    viewer.flush()
    viewer.close()
    there = weakref.ref(viewer), weakref.ref(model)
    assert viewer._picture  # what a page would still show is in the traits
    assert viewer._twin._copy is None
    del viewer, model
    gc.collect()
    assert [ref() for ref in there] == [None, None]
    assert not [one for one in threading.enumerate() if one.name == "nnwidgets job"]


def test_a_viewer_that_is_dropped_in_a_script_lets_the_model_go() -> None:
    model = small_cnn()
    viewer = SaliencyViewer(model, torch.randn(4, 1, 8, 8))
    viewer.explain()
    there = weakref.ref(viewer), weakref.ref(model)
    del model
    gc.collect()
    assert there[1]() is None  # watched, never owned
    del viewer
    gc.collect()
    assert there[0]() is None
