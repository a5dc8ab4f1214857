"""Trust as a whole: on a network that was really trained, and where nothing can be trusted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from nnwidgets.explain.question import Question
from nnwidgets.explain.trust import trust
from nnwidgets.explain.verdict import KINDS
from tests.explain.nets import Bag, Pair, signal_net, text_ids
from tests.explain.tables import breast_cancer
from tests.explain.trusted import Recorder, check_of, digits, question, spearman

# --- a trained network ----------------------------------------------------------------------------


def test_gradient_and_grad_cam_react_to_random_weights_and_guided_backprop_does_not() -> None:
    """The split that Adebayo et al. 2018 found, on a network trained here."""
    accuracy = digits()[2]
    assert accuracy > 0.88
    found = {}
    for method in ("saliency", "grad_cam", "guided_backprop"):
        reports = [trust(question().ask(index), method, question=question()) for index in range(8)]
        values = [report.randomisation for report in reports if report.randomisation is not None]
        assert len(values) == 8
        found[method] = float(np.mean(values))
        levels = [check_of(report, "randomisation").level for report in reports]
        chance = np.mean([report.details["chance"] for report in reports])
        print(f"{method}: {found[method]:.2f} (chance {chance:.2f}) {levels}")
        if method == "guided_backprop":
            assert levels.count("bad") >= 6
        else:
            assert "bad" not in levels
            assert levels.count("good") >= 5
    print(f"accuracy of the network: {accuracy:.3f}")
    assert found["guided_backprop"] > 0.5
    assert found["saliency"] < 0.2
    assert found["grad_cam"] < found["guided_backprop"] - 0.2


def test_the_numbers_are_those_of_the_maps() -> None:
    """Recomputed by pandas from the maps that were asked for."""
    seen = Recorder()
    asked = question().ask(3)
    report = trust(asked, "integrated_gradients", question=question(), explain=seen, samples=5)
    first = seen.calls[0][2]
    roots = [call[0].root for call in seen.calls]
    other = [
        call[2] for call, root in zip(seen.calls, roots, strict=True) if root is not asked.root
    ]
    # Four layers hold weights; the whole model is made random three times.
    cascade = report.details["cascade"]
    assert [name for name, _ in cascade] == ["7", "4", "2", "0"]
    assert len(other) == 4 + 2
    alike = [abs(spearman(first, map_)) for map_ in other]
    np.testing.assert_allclose([value for _, value in cascade], alike[:4], atol=1e-12)
    assert report.randomisation == pytest.approx(np.mean(alike[3:]), abs=1e-12)
    sizes = np.mean([spearman(abs(first), abs(map_)) for map_ in other[3:]])
    assert report.details["sizes"] == pytest.approx(sizes, abs=1e-12)
    noisy = [
        call[2]
        for call in seen.calls[1:]
        if call[0].root is asked.root and call[1]["baseline"] is None
    ]
    assert len(noisy) == 5
    steady = np.mean([spearman(first, map_) for map_ in noisy])
    assert report.stability == pytest.approx(steady, abs=1e-12)
    named = {call[1]["baseline"]: call[2] for call in seen.calls if call[1]["baseline"]}
    assert set(named) == {"mean", "blurred"}
    assert report.details["baselines"] == pytest.approx(
        {name: spearman(first, map_) for name, map_ in named.items()}
    )
    assert (report.index, report.target, report.method) == (3, asked.target, "integrated_gradients")
    assert report.randomisation == check_of(report, "randomisation").value


def test_a_map_beats_random_ones_and_a_reversed_one_does_not() -> None:
    areas: dict[str, list[tuple[float, float]]] = {"map": [], "random": [], "reversed": []}
    levels: dict[str, list[str]] = {"map": [], "reversed": []}
    for index in range(6):
        asked = question().ask(index)
        for name, sign in (("map", 1), ("reversed", -1)):
            change = Recorder(lambda values, sign=sign: sign * values)
            report = trust(asked, "integrated_gradients", samples=1, explain=change)
            assert report.deletion is not None
            assert report.insertion is not None
            areas[name].append((report.deletion, report.insertion))
            levels[name] += [check_of(report, k).level for k in ("deletion", "insertion")]
            if sign == 1:
                means = [report.details[f"random_{k}"][0] for k in ("deletion", "insertion")]
                areas["random"].append((means[0], means[1]))
    mean = {name: np.mean(values, axis=0) for name, values in areas.items()}
    for name, (deletion, insertion) in mean.items():
        print(f"{name}: deletion {deletion:.3f}, insertion {insertion:.3f}")
    assert mean["map"][0] < mean["random"][0] - 0.1 < mean["reversed"][0] - 0.2
    assert mean["map"][1] > mean["random"][1] + 0.1 > mean["reversed"][1] + 0.2
    assert levels["map"].count("good") >= 10
    assert levels["reversed"].count("bad") >= 8
    assert "good" not in levels["reversed"]


def test_curves_begin_at_the_prediction_and_end_at_the_baseline() -> None:
    model, x, _ = digits()
    asked = question().ask(5)
    report = trust(asked, "saliency", question=question(), baseline=0.25, samples=1)
    found = report.details["curves"]
    with torch.no_grad():
        whole, blank = model(torch.stack([x[5], torch.full_like(x[5], 0.25)])).softmax(1)
    assert isinstance(asked.target, int)
    assert found.deletion[0] == pytest.approx(float(whole[asked.target]), rel=1e-5)
    assert found.deletion[-1] == pytest.approx(float(blank[asked.target]), rel=1e-5)
    assert (found.insertion[0], found.insertion[-1]) == (found.deletion[-1], found.deletion[0])
    assert found.random_deletion.shape == (19, 17)
    assert report.deletion == found.deletion_area


def test_the_gap_is_captums_delta() -> None:
    from captum.attr import IntegratedGradients

    model, x, _ = digits()
    asked = question().ask(7)
    for steps in (3, 50):
        values, delta = IntegratedGradients(model).attribute(
            x[7:8], target=asked.target, n_steps=steps, return_convergence_delta=True
        )
        with torch.no_grad():
            scores = model(torch.cat([x[7:8], torch.zeros_like(x[7:8])]))[:, asked.target]
        expected = abs(float(delta)) / abs(float(scores[0] - scores[1]))
        report = trust(
            asked,
            "integrated_gradients",
            options={"n_steps": steps},
            samples=1,
            question=question(),
        )
        assert report.completeness == pytest.approx(expected, abs=2e-5)
        assert values.shape == x[7:8].shape


def test_a_sum_is_judged_only_where_one_is_promised() -> None:
    asked = question().ask(2)
    levels = {}
    for method, options in (
        ("deep_lift", {}),
        ("lrp", {}),
        ("gradient_shap", {}),
        ("saliency", {}),
        ("input_x_gradient", {}),
        ("integrated_gradients", {"multiply_by_inputs": False}),
    ):
        report = trust(asked, method, options=options, samples=1, question=question())
        check = check_of(report, "completeness")
        levels[method] = check.level
        promised = method in ("deep_lift", "lrp", "gradient_shap")
        assert (report.completeness is not None) == promised
        assert ("does not promise" in check.text()) == (not promised)
    assert levels["deep_lift"] == "good"


def test_a_product_with_the_input_keeps_its_outline_and_that_is_said() -> None:
    report = trust(question().ask(4), "input_x_gradient", question=question(), samples=3)
    assert report.details["sizes"] > 0.8
    check = check_of(report, "randomisation")
    assert check.level == "warn"
    assert "comes from the input itself" in check.text()


# --- every kind of input --------------------------------------------------------------------------


class ByName(Pair):
    """The same two inputs, given by keyword."""


def signals() -> Question:
    return Question(signal_net(), torch.randn(3, 2, 40))


def texts() -> Question:
    return Question(Bag(), text_ids())


def pairs() -> Question:
    sample = {"left": torch.randn(6, 3), "right": torch.randn(6, 2)}
    return Question(ByName().eval(), sample, output="regression")


def rows() -> Question:
    trained = breast_cancer()
    return Question(trained.model, trained.rows[:64])


@pytest.mark.parametrize("make", [signals, texts, pairs, rows])
@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "feature_ablation"])
def test_every_kind_of_input_can_be_tried(make: Callable[[], Question], method: str) -> None:
    made = make()
    report = trust(made.ask(0), method, question=made, samples=2)
    failed = [check.text() for check in report.checks if check.words[0] == "explain.trust.failed"]
    assert failed == []
    assert list(dict.fromkeys(check.kind for check in report.checks)) == [
        kind for kind in KINDS if kind in {check.kind for check in report.checks}
    ]
    assert report.randomisation is not None
    assert 0 <= report.randomisation <= 1
    assert report.deletion is not None
    assert report.stability is not None
    assert -1 <= report.stability <= 1
    assert report.verdict


def test_tokens_are_embedded_by_the_random_model() -> None:
    made = texts()
    asked = made.ask(1)
    seen = Recorder()
    report = trust(asked, "saliency", question=made, explain=seen)
    names = [name for name, _ in report.details["cascade"]]
    assert names[-1] == "embedding"
    last = [call[0] for call in seen.calls if call[0].root is not asked.root][-1]
    vectors = last.root.get_submodule("embedding")(text_ids()[1:2])
    torch.testing.assert_close(last.inputs[0], vectors.detach())
    assert not torch.allclose(last.inputs[0], asked.inputs[0])


def test_methods_that_draw_are_asked_with_other_seeds() -> None:
    seen = Recorder()
    asked = question().ask(1)
    options = {"seed": 11, "nt_samples": 3}
    report = trust(asked, "smooth_grad", question=question(), options=options, explain=seen)
    seeds = [call[1]["options"]["seed"] for call in seen.calls]
    assert seeds.count(11) == len(seen.calls) - 5
    assert set(seeds) == set(range(11, 17))
    drawn = [call[2] for call in seen.calls if call[1]["options"]["seed"] != 11]
    value = check_of(report, "seeds").value
    assert value == pytest.approx(np.mean([spearman(seen.calls[0][2], m) for m in drawn]))
    noise = check_of(report, "stability").value
    assert noise is not None
    assert report.stability == min(value, noise)
    assert options == {"seed": 11, "nt_samples": 3}
