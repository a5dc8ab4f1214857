"""The notebook of DecisionBoundaryPlot runs, says what is so, and opens again with its pictures.

What it says of the wines is worked out again here, from the weights that training ended with, in
numpy and without the package.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_wine

from tests.notebooks.runner import STATE, Run, execute

pytestmark = pytest.mark.notebooks

WINES, PIXELS, LAYER, SPIRAL, SURE, AGAIN = range(6)
FLAVANOIDS, COLOUR = 6, 9

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Run:
    question = """{
        "weights": [value.tolist() for value in judge.parameters()],
        "trained": [widget.session.step for widget in (plot, space, canvas)],
        "known": float(known),
        "x": surface.x.tolist(),
        "y": surface.y.tolist(),
        "probabilities": surface.probabilities.tolist(),
        "slice": [float(other), *map(float, moved.values())],
        "held": list(moved),
        "read": [float(right), float(same), float(kept)],
        "places": places,
        "spiral": float(spiral),
        "island": [float(before[wanted]), float(after[wanted])],
        "drawn": [canvas.X[-15:].tolist(), canvas.y[-15:].tolist(), len(canvas.X), wanted],
        "rules": [
            [[[bound.feature, bound.low, bound.high] for bound in rule.bounds], rule.answer]
            for rule in rules.rules
        ],
        "fidelity": [rules.fidelity, fidelity[3], fidelity[6]],
        "bottle": bottle.tolist(),
        "why": [why.probabilities.tolist(), why.weights.tolist(), why.r2],
        "changes": [[change.feature, change.to, change.answer] for change in found],
        "nats": [nats.entropy.tolist(), nats.aleatoric.tolist(), nats.epistemic.tolist()],
        "far": float(far.probabilities.max()),
        "loss": [around.centre, float(lowest), float(highest), float(around.loss[7, 7])],
    }"""
    return execute("decision_boundary", question, tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def wines() -> tuple[Floats, NDArray[np.int64], Floats, NDArray[np.int64]]:
    """The wines that were learned from, and those that were held out."""
    data, growers = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(data))
    train, test = order[:120], order[120:]
    return data[train], growers[train], data[test], growers[test]


class Judge:
    """The network of the notebook, without dropout."""

    def __init__(self, story: Run, train: Floats) -> None:
        self.weights = [np.array(value) for value in story.answer["weights"]]
        self.middle, self.spread = train.mean(0), train.std(0)

    def __call__(self, points: Floats) -> Floats:
        rows = (points - self.middle) / self.spread
        for matrix, bias in zip(self.weights[:-2:2], self.weights[1:-2:2], strict=True):
            rows = np.maximum(rows @ matrix.T + bias, 0)
        scores = rows @ self.weights[-2].T + self.weights[-1]
        shares = np.exp(scores - scores.max(1, keepdims=True))
        return np.asarray(shares / shares.sum(1, keepdims=True))


@pytest.fixture(scope="module")
def judge(story: Run, wines: tuple[Floats, ...]) -> Judge:
    return Judge(story, wines[0])


def on_slice(train: Floats, flavanoids: Floats, colour: Floats) -> Floats:
    """Wines with these two, and the median of all else."""
    points = np.repeat(np.median(train, 0)[None], len(flavanoids), axis=0)
    points[:, FLAVANOIDS], points[:, COLOUR] = flavanoids, colour
    return points


def test_three_networks_learn_from_the_points_in_their_widgets(story: Run) -> None:
    assert story.answer["trained"] == [1000 * 8, 30 * 41, 1000 * 8]
    assert story.answer["known"] > 0.9
    assert story.answer["read"][0] > 0.9
    assert story.answer["spiral"] > 0.97
    assert "Watching cost" in story.printed("train")


def test_the_surface_is_what_the_network_says_there(
    story: Run, judge: Judge, wines: tuple[Floats, ...]
) -> None:
    x, y = np.array(story.answer["x"]), np.array(story.answer["y"])
    given = np.array(story.answer["probabilities"])
    assert given.shape == (3, 100, 100)
    across, up = np.meshgrid(x, y)
    shares = judge(on_slice(wines[0], across.ravel(), up.ravel()))
    np.testing.assert_allclose(given.reshape(3, -1).T, shares, atol=1e-4)


def test_marks_stand_on_colours_that_are_not_their_answers(
    story: Run, judge: Judge, wines: tuple[Floats, ...]
) -> None:
    train, _, test, answers = wines
    said = judge(test).argmax(1)
    assert story.answer["known"] == pytest.approx((said == answers).mean())
    below = judge(on_slice(train, test[:, FLAVANOIDS], test[:, COLOUR])).argmax(1)
    other, *moved = story.answer["slice"]
    assert other == pytest.approx((below != said).mean())
    assert other > 0.15
    assert max(moved) > 0.25
    assert f"{other:.0%} of the held-out wines" in story.printed("slice")


def test_two_numbers_do_not_tell_digits_apart(story: Run) -> None:
    right, same, kept = story.answer["read"]
    assert kept == pytest.approx(0.29, abs=0.03)
    assert same < right - 0.3
    first, second = story.answer["places"]
    assert first <= second == 10


def test_the_network_learns_what_was_drawn(story: Run) -> None:
    before, after = story.answer["island"]
    assert before < 0.5 < 0.9 < after
    points, labels, count, wanted = story.answer["drawn"]
    assert np.abs(np.array(points) - [-1.2, 1.2]).max() < 0.3
    assert labels == [wanted] * 15
    assert count == 240 + 15


def test_the_fidelity_of_the_rules_is_what_it_says(
    story: Run, judge: Judge, wines: tuple[Floats, ...]
) -> None:
    generator = np.random.default_rng(5)
    x, y = story.answer["x"], story.answer["y"]
    rows = on_slice(
        wines[0], generator.uniform(x[0], x[-1], 20_000), generator.uniform(y[0], y[-1], 20_000)
    )
    said = np.full(len(rows), -1)
    for bounds, answer in story.answer["rules"]:
        holds = np.all([(rows[:, f] > low) & (rows[:, f] <= high) for f, low, high in bounds], 0)
        assert (said[holds] == -1).all(), "one rule for each point"
        said[holds] = answer
    assert (said >= 0).all()
    fidelity, shallow, deep = story.answer["fidelity"]
    assert fidelity == pytest.approx((said == judge(rows).argmax(1)).mean(), abs=0.015)
    assert fidelity > 0.8
    assert shallow[1] < 0.85, "a spiral in a few rules"
    assert deep[1] > shallow[1]
    assert deep[0] > 8
    assert story.printed("rules").count("If ") == len(story.answer["rules"])


def test_the_wine_is_explained_as_it_is(story: Run, judge: Judge) -> None:
    bottle = np.array(story.answer["bottle"])
    shares, weights, r2 = story.answer["why"]
    own = judge(bottle[None])[0]
    np.testing.assert_allclose(shares, own, atol=1e-4)
    label = int(own.argmax())
    for feature, slope in enumerate(weights):
        step = np.eye(13)[feature] * judge.spread[feature] * 1e-4
        rise = judge((bottle + step)[None])[0, label] - judge((bottle - step)[None])[0, label]
        assert slope == pytest.approx(rise / (2 * step[feature]), rel=0.02, abs=1e-4)
    assert 0 < r2 <= 1


def test_the_changes_change_the_answer(story: Run, judge: Judge) -> None:
    bottle = np.array(story.answer["bottle"])
    label = int(judge(bottle[None]).argmax())
    assert len(story.answer["changes"]) >= 3
    for feature, to, answer in story.answer["changes"]:
        almost, there = bottle.copy(), bottle.copy()
        there[feature] = to + 1e-3 * (to - bottle[feature])
        almost[feature] = to - 1e-2 * (to - bottle[feature])
        assert judge(there[None]).argmax() == answer != label
        assert judge(almost[None]).argmax() == label


def test_uncertainty_adds_up_and_does_not_know_what_was_never_seen(story: Run) -> None:
    entropy, aleatoric, epistemic = map(np.array, story.answer["nats"])
    np.testing.assert_allclose(entropy, aleatoric + epistemic, atol=1e-5)
    assert epistemic.min() >= 0
    assert 0.02 < epistemic.max() < np.log(3)
    assert story.answer["far"] > 0.99


def test_the_loss_is_that_of_the_wines(story: Run, judge: Judge, wines: tuple[Floats, ...]) -> None:
    train, growers, *_ = wines
    own = -np.log(judge(train)[np.arange(len(train)), growers]).mean()
    centre, lowest, highest, middle = story.answer["loss"]
    assert centre == middle == pytest.approx(own, rel=1e-3)
    assert lowest <= centre < highest


def test_six_pictures_are_saved_with_their_points(story: Run) -> None:
    shown = story.shown()
    assert len(shown) == 6
    assert shown[AGAIN] == shown[WINES], "the first widget once more"
    for model, counts in zip(
        shown,
        [(120, 58), (1300, 497), (1300, 497), (255, 0), (120, 58), (120, 58)],
        strict=True,
    ):
        meta, arrays = story.saved(model, "_surface")
        assert meta["state"] == "ready", meta["problem"]
        assert (meta["columns"], meta["rows"]) == (100, 100)
        assert arrays["label"].shape == (100, 100)
        assert meta["quality"]
        points, drawn = story.saved(model, "_points")
        assert (points["count"]["train"], points["count"]["test"]) == counts
        assert len(drawn["xy"]) == len(drawn["y"]) == points["drawn"] > 0
        assert np.isfinite(drawn["xy"]).all()


def test_the_saved_surface_is_the_one_that_was_asked_for(story: Run) -> None:
    meta, arrays = story.saved(story.shown()[WINES], "_surface")
    label = np.array(story.answer["probabilities"]).argmax(0)
    # Where two classes are all but equal a batch of another size may round the other way.
    assert (arrays["label"] != label).mean() < 1e-3
    assert meta["step"] == 8000
    assert meta["accuracy"]["test"] == pytest.approx(story.answer["known"])
    _, drawn = story.saved(story.shown()[WINES], "_points")
    wrong = arrays["wrong"][drawn["test"] == 1]
    assert 1 - wrong.mean() == pytest.approx(story.answer["known"])
    assert arrays["lines"].shape[0] == arrays["line_ends"][-1] > 20


def test_what_was_asked_of_the_first_widget_is_saved(story: Run) -> None:
    wines = story.shown()[WINES]
    rules, _ = story.saved(wines, "_rules")
    assert len(rules["rules"]) == len(story.answer["rules"])
    assert rules["fidelity"] == pytest.approx(story.answer["fidelity"][0])
    point, arrays = story.saved(wines, "_point")
    assert point["state"] in ("ready", "stale")
    np.testing.assert_allclose(arrays["probabilities"], story.answer["why"][0], atol=1e-5)
    loss, arrays = story.saved(wines, "_landscape")
    assert arrays["loss"].shape == (15, 15)
    assert loss["centre"] == pytest.approx(story.answer["loss"][0])
    assert story.saved(story.shown()[SURE], "view") == "epistemic"


def test_the_film_of_the_training_is_saved(story: Run) -> None:
    for widget, most in ((WINES, 8000), (SPIRAL, 8000)):
        meta, arrays = story.saved(story.shown()[widget], "_film")
        assert meta["shown"] == len(arrays["steps"]) >= 3
        assert np.ptp(arrays["steps"]) > most / 4
        frames = arrays["label"]
        assert (frames[0] != frames[-1]).mean() > 0.05, "it has learned something meanwhile"


def test_the_figure_is_drawn(story: Run) -> None:
    (figure,) = (cell for cell in story.notebook.cells if cell.get("id") == "figure")
    assert "image/png" in figure.outputs[0]["data"]


def test_the_saved_notebook_stays_small(story: Run) -> None:
    state = story.notebook.metadata.widgets[STATE]["state"]
    for model in story.shown():
        said = {k: v for k, v in state[model]["state"].items() if k not in ("_esm", "_css")}
        assert len(json.dumps([said, state[model]["buffers"]])) < 400_000
