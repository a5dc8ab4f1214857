"""A judgement in slices: it tells how far it is, can be stopped, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.explain.trust import trust
from nnwidgets.explain.verdict import TrustReport
from tests.explain.clock import Clock
from tests.explain.trusted import digits, question, state
from tests.live.doubles import Background


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
