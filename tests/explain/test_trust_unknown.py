"""Maps that cannot be judged: what could not be tried is said, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.explain.trust import trust
from tests.explain.nets import mlp
from tests.explain.trusted import Recorder, check_of, question

CORE = ("randomisation", "completeness", "deletion", "insertion", "stability")


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
