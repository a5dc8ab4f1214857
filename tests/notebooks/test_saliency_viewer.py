"""The notebook of SaliencyViewer runs, finds what it says it finds, and opens again with it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from nnwidgets.probe.blocks import decode
from tests.notebooks.runner import STATE, Run, execute

pytestmark = pytest.mark.notebooks

DIGITS, MISTAKES, SUSPECT, PATIENTS, TEXT = range(5)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Run:
    question = """{
        "seen": [seen, said],
        "trained": viewer.session.step,
        "sum": [float(total), float(digit - black)],
        "levels": [check.level for check in report.checks],
        "similar": similar,
        "corner": float(corner),
        "found": found,
        "taken": taken,
        "bars": [float(average), float(bars.values.sum()), float(this)],
        "lost": float(importance.mean.max()),
        "twins": float(twins),
        "read": [whole, shuffled],
        "evidence": why.values.tolist(),
        "passage": passage,
        "map": suspect.explain(0).values.tolist(),
    }"""
    return execute("saliency_viewer", question, tmp_path_factory.mktemp("story"))


def test_the_networks_learn(story: Run) -> None:
    assert min(story.answer["seen"]) > 0.9
    assert float(story.printed("train").split("%")[0]) > 90
    assert story.answer["trained"] == 10 * 43
    assert "Watching cost" in story.printed("train")


def test_the_pixels_add_up_to_the_score(story: Run) -> None:
    total, difference = story.answer["sum"]
    assert total == pytest.approx(difference, rel=0.05)


def test_the_checks_are_printed_with_a_verdict(story: Run) -> None:
    said = story.printed("trust")
    assert {"good", "warn"} & set(story.answer["levels"])
    assert len(story.answer["levels"]) >= 5
    assert "Tried:" in said
    assert "correct" not in said.lower()


def test_an_untrained_network_draws_the_outline_too(story: Run) -> None:
    similar = story.answer["similar"]
    signs, sizes = similar["integrated_gradients"]
    assert signs < 0.2, "what was learned is in the signs"
    assert sizes > 0.6, "the outline is the digit's own"
    assert similar["guided_backprop"][0] > 2 * similar["saliency"][0]


def test_the_cheat_is_found_in_the_corner_and_proved(story: Run) -> None:
    assert story.answer["corner"] > 0.3, "of 3 % of the picture"
    assert story.answer["found"] < 0.5, "without its mark an eight is no eight"
    assert story.answer["taken"] > 0.2, "and other digits become eights with it"
    assert re.search(r"\d+% of the evidence for “8” lies in a corner of 3%", story.printed("proof"))


def test_the_bars_lead_from_the_average_patient_to_this_one(story: Run) -> None:
    average, bars, this = story.answer["bars"]
    assert average + bars == pytest.approx(this, abs=0.05 * abs(this - average))
    assert story.answer["lost"] < 0.1, "no column alone matters much"
    assert story.answer["twins"] > 0.95, "because others say the same"


def test_words_are_told_apart_but_not_their_order(story: Run) -> None:
    whole, shuffled = story.answer["read"]
    assert whole > 0.7
    assert shuffled > whole - 0.2
    assert len(story.answer["evidence"]) == len(story.answer["passage"]) == 24


def test_five_widgets_are_saved_with_their_maps(story: Run) -> None:
    shown = story.shown()
    assert len(shown) == 5
    kinds = []
    for model in shown:
        meta, arrays = story.saved(model, "_picture")
        assert all(pane["state"] == "ready" for pane in meta["panes"])
        assert np.isfinite(arrays["0.map"]).all()
        kinds.append(meta["panes"][0]["kind"])
        choices, _ = story.saved(model, "_choices")
        assert "integrated_gradients" in choices["methods"]
    assert kinds == ["image", "image", "image", "table", "tokens"]


def test_the_comparisons_are_saved_as_python_left_them(story: Run) -> None:
    meta, _ = story.saved(story.shown()[DIGITS], "_picture")
    assert meta["compare"] == "checkpoint"
    assert [pane["checkpoint"] for pane in meta["panes"]] == [None, "untrained"]
    assert [pane["target"] for pane in meta["panes"]] == [3, 3]
    meta, _ = story.saved(story.shown()[MISTAKES], "_picture")
    assert meta["compare"] == "target"
    assert len({pane["target"] for pane in meta["panes"]}) == 2


def test_the_saved_map_is_the_one_that_was_explained(story: Run) -> None:
    meta, arrays = story.saved(story.shown()[SUSPECT], "_picture")
    saved = arrays["0.map"]
    if saved.dtype == np.uint8:
        saved = decode(saved, meta["low"], meta["high"])
    plane = np.array(story.answer["map"]).sum(0)
    np.testing.assert_allclose(saved, plane, atol=abs(plane).max() / 200)


def test_the_film_of_the_training_is_saved(story: Run) -> None:
    meta, arrays = story.saved(story.shown()[DIGITS], "_film")
    assert meta["shown"] == len(arrays["steps"]) >= 3
    assert np.ptp(arrays["steps"]) > 100
    assert arrays["frames"].shape[1:] == (28, 28)


def test_the_figure_is_drawn(story: Run) -> None:
    (figure,) = (cell for cell in story.notebook.cells if cell.get("id") == "figure")
    assert "image/png" in figure.outputs[0]["data"]


def test_the_saved_notebook_stays_small(story: Run) -> None:
    state = story.notebook.metadata.widgets[STATE]["state"]
    for model in story.shown():
        said = {k: v for k, v in state[model]["state"].items() if k not in ("_esm", "_css")}
        assert len(json.dumps([said, state[model]["buffers"]])) < 400_000
