"""No method changes the model, or anybody's random numbers, whether it succeeds or fails."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.methods import explain, method_named
from nnwidgets.explain.methods_quiet import quiet
from nnwidgets.explain.question import Question
from nnwidgets.explain.registry import METHODS
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal
from tests.explain.nets import Bag, text_ids
from tests.explain.test_cancelling import state
from tests.generators import generators
from tests.live.doubles import Background


class Net(nn.Module):
    """A network with everything that could be left changed: buffers, flags, a frozen weight."""

    def __init__(self, *, fails: bool = False, draws: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(0.5)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.out = nn.Linear(4, 3)
        self.conv.weight.requires_grad_(False)
        self.fails, self.draws = fails, draws
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, values: Tensor) -> Tensor:
        self.calls += 1
        values = self.drop(self.act(self.norm(self.conv(values))))
        if self.draws:
            values = values + torch.randn_like(values)
        if self.fails and float(self.calls) > 1 + float(self.start):
            raise RuntimeError("failed on the way")
        result: Tensor = self.out(self.flat(self.pool(values)))
        return result


def question_of(**options: bool) -> Question:
    net = Net(**options).eval()
    net.start = 10**6
    question = Question(net, torch.randn(4, 3, 8, 8))
    question.ask(1, 2)
    return question


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_model_and_all_generators_stay_as_they_were(method: str, fails: bool) -> None:
    question = question_of(fails=fails)
    asked = question.ask(1, 2)
    layer = "act" if method_named(method).needs_layer else None
    asked.root.start = asked.root.calls.clone() if fails else 10**6
    before, drawn = state(asked.model), generators()
    try:
        explain(asked, method, question=question, layer=layer)
    except Refusal:
        assert fails or method in ("attention_rollout",)
    assert state(asked.model) == before
    assert generators() == drawn
    assert not any(value.requires_grad for value in asked.inputs)
    assert torch.is_grad_enabled()


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "occlusion", "lime"])
def test_a_model_that_draws_is_reproducible_and_draws_from_nobody(method: str) -> None:
    question = question_of(draws=True)
    asked = question.ask(1, 2)
    explain(asked, method)
    drawn = generators()
    first = explain(asked, method).values
    assert generators() == drawn
    torch.manual_seed(99)
    np.testing.assert_array_equal(first, explain(asked, method).values)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("method", ["smooth_grad", "gradient_shap", "lime", "feature_permutation"])
def test_another_thread_draws_nothing_from_the_generators_of_the_process(
    method: str, own: bool
) -> None:
    question = question_of(draws=True)
    asked = question.ask(1, 2)
    explain(asked, method, question=question)  # imports scikit-learn and captum
    drawn = generators()

    def work() -> None:
        with OwnRandom(4) if own else contextlib.nullcontext():
            explain(asked, method, question=question)

    Background(work).join()
    assert generators() == drawn


def test_captums_routine_warnings_are_not_shown_and_those_of_others_are() -> None:
    question = question_of()
    asked = question.ask(1, 2)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for method in ("deep_lift", "guided_backprop", "guided_grad_cam", "saliency"):
            explain(asked, method, layer="act" if "cam" in method else None)
    assert not heard
    from captum.attr import DeepLift

    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval()
    with pytest.warns(UserWarning, match="Setting forward, backward hooks") as shown:
        DeepLift(net).attribute(torch.ones(1, 2, requires_grad=True), target=0)
    assert shown[0].filename != warnings.__file__


def test_quiet_listens_in_its_own_thread_only() -> None:
    from captum.attr import DeepLift

    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).eval()
    with quiet() as heard, warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        values = torch.ones(1, 2, requires_grad=True)
        DeepLift(net).attribute(values, target=0)
        count = len(heard)
        Background(lambda: DeepLift(net).attribute(values, target=0)).join()
    assert count == 1
    assert len(heard) == 1
    assert any("Setting forward" in str(warning.message) for warning in shown)


@pytest.mark.usefixtures("unhurried")
def test_it_works_where_gradients_are_switched_off() -> None:
    asked = question_of().ask(1, 2)
    usual = explain(asked, "integrated_gradients").values
    with torch.no_grad():
        np.testing.assert_array_equal(explain(asked, "integrated_gradients").values, usual)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        np.testing.assert_array_equal(explain(asked, "integrated_gradients").values, usual)
        assert torch.is_inference_mode_enabled()


def test_tokens_leave_no_hook_on_the_embedding() -> None:
    question = Question(Bag().eval(), text_ids())
    asked = question.ask(1, 2)
    before = state(asked.model)
    for method in ("saliency", "integrated_gradients", "deep_lift", "lime", "occlusion"):
        explain(asked, method, question=question)
        assert state(asked.model) == before
