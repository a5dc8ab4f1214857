"""The notebook of LayerInspector runs, tells what it says, and opens again with all of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.notebooks.runner import STATE, Run, execute

pytestmark = pytest.mark.notebooks

LAYERS = ["conv1", "relu1", "conv2", "norm2", "relu2", "pool", "hidden", "relu3", "head"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Run:
    question = """{
        "names": [layer.name for layer in inspector.layers],
        "params": [layer.n_params for layer in inspector.layers],
        "held": sum(p.numel() for p in model.parameters()),
        "terms": [float(terms.sum()) + bias, float(score)],
        "before": float(without.before[3, 3]),
        "after": float(without.after[3, 3]),
        "best": found.values.tolist(),
        "pixel": pixel.shape,
        "zeros": dead.stats("3").zero_fraction,
        "reads": float(accuracy),
        "trained": [inspector.session.step, dead.session.step, attention.session.step],
    }"""
    return execute("layer_inspector", question, tmp_path_factory.mktemp("story"))


def test_the_first_network_learns_to_read(story: Run) -> None:
    said = story.printed("train")
    assert float(said.split("%")[0]) > 85
    assert "Statistics are from" in said
    assert story.answer["trained"] == [16 * 85, 200 * 22, 15 * 43]


def test_the_table_adds_up(story: Run) -> None:
    assert story.answer["names"] == LAYERS
    assert sum(story.answer["params"]) == story.answer["held"]
    assert f"Total params: {story.answer['held']:,}" in story.printed("numbers")


def test_the_terms_are_the_score(story: Run) -> None:
    of_terms, of_layer = story.answer["terms"]
    assert of_terms == pytest.approx(of_layer, rel=1e-4)
    assert story.answer["pixel"] == [16, 3, 3]


def test_the_unit_matters_and_its_samples_are_sorted(story: Run) -> None:
    assert story.answer["after"] < story.answer["before"]
    assert len(story.answer["best"]) == 12
    assert story.answer["best"] == sorted(story.answer["best"], reverse=True)


def test_the_dead_network_has_its_badge(story: Run) -> None:
    assert story.answer["zeros"] > 0.9
    assert "units (100 %) are dead since step" in story.printed("dead-train")
    meta, _ = story.saved(story.shown()[1], "_rows")
    badges = {(badge["kind"], badge["row"]) for badge in meta["badges"]}
    assert badges & {("dead", 0), ("dead", 2)}, "the Linear layers in front of the two ReLUs"


def test_the_widget_is_saved_as_python_left_it(story: Run) -> None:
    cnn = story.shown()[0]
    assert story.saved(cnn, "selected") == "head"
    assert story.saved(cnn, "unit") == 3
    tree, _ = story.saved(cnn, "_tree")
    assert [row["name"] for row in tree["rows"]] == LAYERS
    layer, arrays = story.saved(cnn, "_layer")
    assert (layer["name"], layer["tab"], layer["unit"]) == ("head", "contributions", 3)
    products = arrays["0.product"]
    bias = layer["blocks"][0]["meta"]["bias"]
    assert products.sum() + bias == pytest.approx(story.answer["terms"][1], rel=1e-3)


def test_the_way_around_the_convolution_is_in_the_graph(story: Run) -> None:
    graph, _ = story.saved(story.shown()[0], "_graph")
    labels = {node["id"]: node["label"] for node in graph["nodes"]}
    (add,) = (identity for identity, label in labels.items() if label == "add")
    assert len([edge for edge in graph["edges"] if edge[1] == add]) == 2


def test_attention_is_saved_and_drawn(story: Run) -> None:
    assert story.answer["reads"] > 0.85
    layer, arrays = story.saved(story.shown()[2], "_layer")
    assert layer["blocks"][0]["kind"] == "attention"
    assert layer["blocks"][0]["meta"]["shape"] == [8, 8]
    assert layer["blocks"][0]["meta"]["heads"] == 4
    assert arrays["0.pixels"].shape == (4, 8, 8)
    (figure,) = (cell for cell in story.notebook.cells if cell.get("id") == "figure")
    assert "image/png" in figure.outputs[0]["data"]


def test_histories_are_saved(story: Run) -> None:
    meta, arrays = story.saved(story.shown()[0], "_rows")
    assert meta["step"] > 1000
    assert arrays["spark"].shape[0] == len(LAYERS)
    assert np.isfinite(arrays["spark"]).any(axis=1).all()
    assert meta["snapshots"]


def test_the_saved_notebook_stays_small(story: Run) -> None:
    state = story.notebook.metadata.widgets[STATE]["state"]
    for model in story.shown():
        said = {k: v for k, v in state[model]["state"].items() if k not in ("_esm", "_css")}
        assert len(json.dumps([said, state[model]["buffers"]])) < 400_000
