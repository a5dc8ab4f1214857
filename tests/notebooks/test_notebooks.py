"""The two notebooks of TrainingMonitor run, say what they show, and open again with it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.notebooks.runner import STATE, Run, execute

pytestmark = pytest.mark.notebooks

RUNS = ("healthy", "overfitting", "too_fast", "not_a_number")


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Run:
    question = """{
        "state": monitor.state,
        "steps": len(monitor.history["loss"].steps),
        "accuracy": monitor.history["val_accuracy"].values.tolist(),
        "rate": monitor.history["learning_rate"].values[[0, -1]].tolist(),
        "serious": [f.kind for f in monitor.findings() if f.severity == "error"],
    }"""
    return execute("quickstart", question, tmp_path_factory.mktemp("quickstart"))


@pytest.fixture(scope="module")
def four_runs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    question = (
        "{name: [[f.kind, f.severity, f.step] for f in globals()[name].findings()]"
        f" for name in {RUNS!r}}}"
    )
    return execute("training_monitor", question, tmp_path_factory.mktemp("four_runs"))


def test_quickstart_learns_to_read(quickstart: Run) -> None:
    assert quickstart.answer["state"] == "finished"
    assert quickstart.answer["steps"] == 25 * 169
    assert len(quickstart.answer["accuracy"]) == 25
    assert max(quickstart.answer["accuracy"]) > 0.97
    assert quickstart.answer["serious"] == []


def test_quickstart_is_steered_from_python(quickstart: Run) -> None:
    assert quickstart.answer["rate"] == pytest.approx([0.01, 0.001])
    assert "at 0.1 times the learning rate" in quickstart.printed("steer")


def test_quickstart_says_what_watching_cost(quickstart: Run) -> None:
    said = quickstart.printed("after")
    assert f"{20 * 169} steps" in said
    assert "watching cost" in said


def test_quickstart_is_saved_with_its_curves(quickstart: Run) -> None:
    (model,) = quickstart.shown()
    meta, arrays = quickstart.saved(model, "_curves")
    logged = {series["name"]: series["points"] for series in meta["series"]}
    assert logged["loss"] == 25 * 169
    assert logged["val_loss"] == 25
    finite = np.isfinite(arrays["mean"])
    assert finite.sum() > 200
    live, numbers = quickstart.saved(model, "_live")
    assert live["state"] == "finished"
    assert live["step"] == 25 * 169
    assert numbers["lr"].tolist() == pytest.approx([0.1, 0.01])


def test_quickstart_is_saved_with_its_layers(quickstart: Run) -> None:
    (model,) = quickstart.shown()
    meta, arrays = quickstart.saved(model, "_layers")
    labels = [row["label"] for row in meta["rows"]]
    assert any("Conv2d" in label for label in labels)
    assert np.isfinite(arrays["grad_norm"]).any()


def test_saved_notebooks_stay_small(quickstart: Run, four_runs: Run) -> None:
    for run in (quickstart, four_runs):
        state = run.notebook.metadata.widgets[STATE]["state"]
        for model in run.shown():
            # What a widget has to say; its code and style are there beside it.
            entry = state[model]
            said = {k: v for k, v in entry["state"].items() if k not in ("_esm", "_css")}
            assert len(json.dumps([said, entry["buffers"]])) < 400_000


def kinds(run: Run, name: str, *severities: str) -> set[str]:
    return {kind for kind, severity, _ in run.answer[name] if severity in severities}


def test_nothing_is_said_of_the_healthy_run(four_runs: Run) -> None:
    assert kinds(four_runs, "healthy", "warning", "error") == set()


def test_overfitting_is_found_where_it_began(four_runs: Run) -> None:
    (step,) = (step for kind, _, step in four_runs.answer["overfitting"] if kind == "overfitting")
    total = saved_points(four_runs, 1)["loss"]
    assert 0 < step < total / 2
    assert f"overfitting · step {step}" in four_runs.printed("overfitting-train")


def test_too_high_a_learning_rate_is_found(four_runs: Run) -> None:
    assert kinds(four_runs, "too_fast", "warning", "error") & {"diverging", "oscillating"}


def test_the_first_nan_is_found(four_runs: Run) -> None:
    found = [step for kind, _, step in four_runs.answer["not_a_number"] if kind == "nan"]
    assert 0 < min(found) < saved_points(four_runs, 3)["loss"]
    assert found[0] == min(found), "the first one is what went wrong; the others followed from it"
    assert "nan" not in {kind for name in RUNS[:3] for kind, _, _ in four_runs.answer[name]}


def test_each_finding_is_saved_in_the_notebook(four_runs: Run) -> None:
    for name, model in zip(RUNS, four_runs.shown(), strict=True):
        meta, _ = four_runs.saved(model, "_notes")
        assert {f["kind"] for f in meta["findings"]} == {f[0] for f in four_runs.answer[name]}


def saved_points(run: Run, index: int) -> dict[str, int]:
    meta, _ = run.saved(run.shown()[index], "_curves")
    return {series["name"]: series["points"] for series in meta["series"]}
