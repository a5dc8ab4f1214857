"""Trust as a whole: on a network that was really trained, and where nothing can be trusted."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.explain.trust import trust
from nnwidgets.explain.verdict import KINDS, Check, TrustReport
from tests.explain.clock import Clock
from tests.explain.nets import Bag, Pair, mlp, signal_net, text_ids
from tests.explain.tables import breast_cancer
from tests.live.doubles import Background

CORE = ("randomisation", "completeness", "deletion", "insertion", "stability")


@cache
def digits() -> tuple[nn.Sequential, Tensor, float]:
    """A CNN trained on 1,500 of scikit-learn's digits, the other 297, its accuracy on them."""
    data = load_digits()
    x = torch.tensor(data.images[:, None] / 16, dtype=torch.float32)
    y = torch.tensor(data.target)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for before, after in ((1, 16), (16, 32), (32, 32)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 64, 10))
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
        for _ in range(8):
            for rows in torch.randperm(1500).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
    model.eval()
    for parameter in model.parameters():
        parameter.grad = None
    with torch.no_grad():
        accuracy = float((model(x[1500:]).argmax(1) == y[1500:]).float().mean())
    return model, x[1500:], accuracy


@cache
def question() -> Question:
    return Question(digits()[0], digits()[1][:40])


def check_of(report: TrustReport, kind: str) -> Check:
    (found,) = [check for check in report.checks if check.kind == kind]
    return found


class Recorder:
    """`explain`, remembering what it was asked and what it said."""

    def __init__(self, change: Callable[[NDArray[Any]], NDArray[Any]] | None = None) -> None:
        self.calls: list[tuple[Asked, dict[str, Any], NDArray[Any]]] = []
        self._change = change

    def __call__(self, asked: Asked, method: str, **given: Any) -> Explanation:
        found = explain(asked, method, **given)
        if self._change is not None:
            found = replace(found, values=self._change(np.asarray(found.values)))
        self.calls.append((asked, given, np.asarray(found.values)))
        return found


def spearman(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(pd.DataFrame({"a": a.ravel(), "b": b.ravel()}).corr("spearman").iloc[0, 1])


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


# --- maps that cannot be judged -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda v: np.full_like(v, 0.5), "explain.flaw.constant"),
        (np.zeros_like, "explain.flaw.empty"),
        (
            lambda v: np.where(np.arange(v.size).reshape(v.shape) == 3, np.nan, v),
            "explain.flaw.not_",
        ),
        (lambda v: v * np.inf, "explain.flaw.not_finite"),
        (lambda v: np.zeros((0,)), "explain.flaw.empty"),
    ],
)
def test_a_flawed_map_is_not_judged_and_the_reason_is_given(
    change: Callable[[NDArray[Any]], NDArray[Any]], key: str
) -> None:
    seen = Recorder(change)
    report = trust(question().ask(0), "saliency", question=question(), explain=seen)
    assert len(seen.calls) == 1
    numbers = [report.randomisation, report.completeness, report.deletion, report.insertion]
    assert [*numbers, report.stability] == [None] * 5
    assert [check.kind for check in report.checks] == list(CORE)
    assert {check.level for check in report.checks} == {"unknown"}
    assert all(check.words[0].startswith(key) for check in report.checks)
    assert report.verdict.endswith("no reason to believe it.")


def test_maps_that_break_only_under_test_make_that_test_unknown() -> None:
    calls = 0

    def first_only(asked: Asked, method: str, **given: Any) -> Explanation:
        nonlocal calls
        calls += 1
        found = explain(asked, method, **given)
        return found if calls == 1 else replace(found, values=np.asarray(found.values) * np.nan)

    report = trust(question().ask(0), "saliency", question=question(), explain=first_only)
    assert report.randomisation is None
    assert report.stability is None
    assert report.deletion is not None
    for kind in ("randomisation", "stability"):
        assert check_of(report, kind).words[0] == "explain.trust.no_other_maps"


def test_a_method_that_fails_under_test_makes_that_test_unknown() -> None:
    calls = 0

    def fragile(asked: Asked, method: str, **given: Any) -> Explanation:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError("no more")
        return explain(asked, method, **given)

    report = trust(question().ask(0), "saliency", question=question(), explain=fragile)
    assert (report.randomisation, report.stability) == (None, None)
    assert report.insertion is not None


def test_what_the_method_itself_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="no method 'salience'; did you mean 'saliency'"):
        trust(question().ask(0), "salience")
    with pytest.raises(ValueError, match="maps must be at least 9"):
        trust(question().ask(0), "saliency", maps=2)
    with pytest.raises(ValueError, match="samples must be at least 1"):
        trust(question().ask(0), "saliency", samples=0)


class Weightless(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.square().sum(1), x.sum(1)], 1)


class Uncopied(nn.Linear):
    def __deepcopy__(self, memo: object) -> nn.Module:
        raise RuntimeError("holds a socket")


def test_without_weights_or_without_a_copy_randomisation_is_unknown() -> None:
    x = torch.randn(20, 30)
    report = trust(Question(Weightless(), x).ask(0), "saliency")
    assert report.randomisation is None
    assert check_of(report, "randomisation").words[0].endswith("no_weights")
    report = trust(Question(Uncopied(30, 3), x).ask(0), "saliency")
    assert "holds a socket" in check_of(report, "randomisation").text()
    assert report.stability is not None


def test_a_prediction_that_nothing_changes_gives_no_curves() -> None:
    x = torch.randn(4, 30)
    x[:, :] = x[:1]
    asked = Question(nn.Linear(30, 3), x).ask(0)
    report = trust(asked, "saliency", baseline=x[0])
    assert (report.deletion, report.insertion) == (None, None)
    assert check_of(report, "deletion").words[0] == "explain.trust.curves_flat"
    report = trust(asked, "integrated_gradients", baseline=x[0])  # all values are zero
    assert report.level == "unknown"


def test_few_values_say_nothing_about_random_weights() -> None:
    asked = Question(mlp(4), torch.randn(8, 4)).ask(0)
    report = trust(asked, "saliency")
    if report.randomisation is not None and report.randomisation >= 0.3:
        assert check_of(report, "randomisation").level == "unknown"
    assert report.details["chance"] > 0.7


def test_large_maps_are_held_against_chance_at_a_coarser_scale() -> None:
    """Chance is small for a large map of independent values, and large for a very smooth one."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(200 * 130, 2))
    asked = Question(flat, torch.randn(2, 1, 200, 130)).ask(0, 1)
    options = {"abs": False}
    rough = trust(asked, "saliency", options=options, samples=2, maps=9)
    y, x = np.mgrid[0:200, 0:130]

    def smooth(values: NDArray[Any]) -> NDArray[Any]:
        turn = float(np.abs(values).sum()) % 1 * 6
        return np.sin(y / 200 * 6 + turn)[None] + np.cos(x / 130 * 6 + turn)[None]

    waves = trust(asked, "saliency", options=options, samples=2, maps=9, explain=Recorder(smooth))
    assert rough.details["chance"] < 0.1
    assert waves.details["chance"] > 0.5


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


# --- slices, progress, and what is left behind ----------------------------------------------------


def state(model: nn.Module) -> list[Any]:
    """Everything that must be as before."""
    numpy = np.random.get_state()
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [
        torch.get_rng_state().tolist(),
        random.getstate(),
        numpy[1].tolist(),  # type: ignore[union-attr,index]
        [p.detach().clone().tolist() for p in (*model.parameters(), *model.buffers())],
        [p.grad is None and p.requires_grad for p in model.parameters()],
        [m.training for m in model.modules()],
        [list(getattr(m, hook)) for m in model.modules() for hook in hooks],
        [sorted(vars(m)) for m in model.modules()],
    ]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("saliency", {}),
        ("guided_backprop", {}),
        ("grad_cam", {}),
        ("smooth_grad", {}),
        ("lime", {"n_samples": 40}),
    ],
)
def test_nothing_is_left_behind(method: str, options: dict[str, Any]) -> None:
    model = digits()[0]
    asked = question().ask(6)
    inputs = [value.clone() for value in asked.inputs]
    given: dict[str, Any] = {"question": question(), "options": options, "samples": 2, "maps": 9}
    before = state(model)
    told: list[float] = []
    report = trust(asked, method, **given, progress=told.append)
    assert state(model) == before
    assert all(map(torch.equal, asked.inputs, inputs))
    assert told == sorted(set(told))
    assert 0 < told[0] < 0.5
    assert told[-1] == 1
    assert len(told) > 10
    again = trust(asked, method, **given)
    assert again.checks == report.checks
    assert again.verdict == report.verdict


@pytest.mark.parametrize("method", ["guided_backprop", "integrated_gradients"])
def test_it_stops_when_nobody_waits_any_more(method: str) -> None:
    model = digits()[0]
    asked = question().ask(6)
    before = state(model)
    questions = 0

    def count() -> bool:
        nonlocal questions
        questions += 1
        return False

    trust(asked, method, question=question(), samples=2, maps=9, cancelled=count)
    assert questions > 20
    for stop in sorted({0, 1, 2, 5, questions // 3, questions // 2, 2 * questions // 3}):
        left = [stop]

        def gone(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] < 0

        with pytest.raises(Cancelled):
            trust(asked, method, question=question(), samples=2, maps=9, cancelled=gone)
        assert left[0] == -1, "it went on after it was told to stop"
        assert state(model) == before


class Slow(nn.Linear):
    """Takes long, and sees when it is run without a gradient: outside of explanations."""

    clock: Clock
    seen = 0

    def forward(self, x: Tensor) -> Tensor:
        Slow.clock.now += 0.012  # so long that it is asked again whether anybody waits
        if not torch.is_grad_enabled():
            Slow.seen += 1
        return super().forward(x)


def test_it_stops_inside_a_slow_forward_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slow, "clock", Clock(monkeypatch), raising=False)
    model = nn.Sequential(*[Slow(12, 12) for _ in range(6)]).eval()
    asked = Question(model, torch.randn(3, 12)).ask(0, 1)
    monkeypatch.setattr(Slow, "seen", 0)
    with pytest.raises(Cancelled):
        trust(asked, "saliency", samples=1, maps=9, cancelled=lambda: Slow.seen > 0)
    assert Slow.seen < 6
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_nothing_is_left_behind_by_a_failing_method() -> None:
    model = digits()[0]
    before = state(model)
    calls = 0

    def fragile(asked: Asked, method: str, **given: Any) -> Explanation:
        nonlocal calls
        calls += 1
        torch.rand(3)
        if calls == 3:
            raise MemoryError("too much")
        return explain(asked, method, **given)

    report = trust(question().ask(6), "saliency", explain=fragile, samples=2)
    assert calls > 3
    assert report.randomisation is not None
    assert state(model) == before
    calls = 2
    with pytest.raises(MemoryError):
        trust(question().ask(6), "saliency", explain=fragile)
    assert state(model) == before


def test_beside_a_training_no_global_number_is_drawn() -> None:
    """In a thread of its own, where generators could not be put back."""
    model = digits()[0]
    before = state(model)
    reports: list[TrustReport] = []

    def work() -> None:
        reports.append(trust(question().ask(6), "smooth_grad", question=question(), samples=2))

    Background(work).join()
    assert len(reports) == 1
    assert state(model) == before


def test_the_model_is_run_as_often_as_is_said() -> None:
    rows = 0

    def see(module: nn.Module, args: Any, output: Any) -> None:
        nonlocal rows
        rows += len(args[0])

    model = nn.Sequential(nn.Linear(12, 3)).eval()
    made = Question(model, torch.randn(5, 12))
    asked = made.ask(0)
    handle = model.register_forward_hook(see)
    report = trust(asked, "saliency", question=made, samples=2)
    handle.remove()
    # Forward and backward of an explanation count once each; the copy carries the hook too.
    first = explain(asked, "saliency").evaluations
    explanations = 1 + 1 + 1 + 2  # itself, one layer, all random again, noise
    curves = 2 + 2 * 20 * 11
    assert report.evaluations == explanations * first + curves + 1  # the order of the layers
    assert rows >= curves
