"""Arguments that cannot work: one sentence, and nothing has been changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

from nnwidgets import TrainingMonitor
from tests.live.doubles import FakeLink, NoPublisher, small, take_step
from tests.monitor.conftest import Make

Case = Callable[[nn.Module, torch.optim.Optimizer], TrainingMonitor]

BAD: dict[str, tuple[Case, type[Exception], str]] = {
    "swapped": (
        lambda m, o: TrainingMonitor(o, m),  # type: ignore[arg-type]
        TypeError,
        r"the first argument is the model; pass the optimiser as TrainingMonitor\(model, optimizer",
    ),
    "optimizer alone": (
        lambda m, o: TrainingMonitor(o),  # type: ignore[arg-type]
        TypeError,
        r"or TrainingMonitor\(optimizer=optimizer\)",
    ),
    "a list of models": (
        lambda m, o: TrainingMonitor([m, m], o),  # type: ignore[arg-type]
        TypeError,
        r"several models are passed as one: nn\.ModuleDict",
    ),
    "a dict of models": (
        lambda m, o: TrainingMonitor({"g": m}, o),  # type: ignore[arg-type]
        TypeError,
        "several models are passed as one",
    ),
    "a class": (
        lambda m, o: TrainingMonitor(nn.Linear, o),  # type: ignore[arg-type]
        TypeError,
        r"model must be a torch\.nn\.Module or None, not type",
    ),
    "a function": (
        lambda m, o: TrainingMonitor(lambda x: x, o),  # type: ignore[arg-type]
        TypeError,
        "not function",
    ),
    "parameters": (
        lambda m, o: TrainingMonitor(m, m.parameters()),  # type: ignore[arg-type]
        TypeError,
        r"optimizer must be a torch\.optim\.Optimizer, not generator",
    ),
    "a scheduler": (
        lambda m, o: TrainingMonitor(m, StepLR(o, 1)),  # type: ignore[arg-type]
        TypeError,
        r"not StepLR \(pass scheduler\.optimizer\)",
    ),
    "a scheduler in a list": (
        lambda m, o: TrainingMonitor(m, [o, StepLR(o, 1)]),  # type: ignore[list-item]
        TypeError,
        r"not StepLR \(pass scheduler\.optimizer\)",
    ),
    "two models": (
        lambda m, o: TrainingMonitor(m, m),  # type: ignore[arg-type]
        TypeError,
        "not Linear",
    ),
    "an optimiser class": (
        lambda m, o: TrainingMonitor(m, torch.optim.SGD),  # type: ignore[arg-type]
        TypeError,
        "not type",
    ),
    "one name twice": (
        lambda m, o: TrainingMonitor(m, {"1": o, 1: o}),  # type: ignore[dict-item]
        ValueError,
        "two optimisers have the same name",
    ),
    "a third position": (
        lambda m, o: TrainingMonitor(m, o, "title"),  # type: ignore[misc]
        TypeError,
        "positional argument",
    ),
    "an unknown keyword": (
        lambda m, o: TrainingMonitor(m, o, colour="red"),  # type: ignore[call-arg]
        TypeError,
        "unexpected keyword argument 'colour'",
    ),
    "title": (
        lambda m, o: TrainingMonitor(m, o, title=None),  # type: ignore[arg-type]
        TypeError,
        "title must be a string, not NoneType",
    ),
    **{
        f"budget {value!r}": (
            lambda m, o, value=value: TrainingMonitor(m, o, budget=value),  # type: ignore[misc]
            ValueError,
            "budget is the fraction of time that watching may take, above 0 and at most 0.5",
        )
        for value in (0, -0.1, 0.6, 2, math.nan, "2%", True, None)
    },
    **{
        f"language {value!r}": (
            lambda m, o, value=value: TrainingMonitor(m, o, language=value),  # type: ignore[misc]
            ValueError,
            r"language must be one of 'en', 'zh' or None for the language of the page",
        )
        for value in ("de", "EN", "", 7)
    },
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_change_nothing(
    link: FakeLink, quiet: NoPublisher, make: Make, name: str
) -> None:
    build, error, sentence = BAD[name]
    model, optimizer = small()
    with link.cell("a"):
        earlier = make(*small())
    attached = len(link.attached)
    link.begin("a")  # the same cell again: a good call would replace the earlier monitor
    with pytest.raises(error, match=sentence):
        build(model, optimizer)
    assert not earlier.closed
    assert len(link.attached) == attached
    assert quiet.targets == [earlier]
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    assert not model._forward_hooks
    link.end()


@pytest.mark.parametrize("optimizers", [None, [], (), {}])
def test_no_optimizer_in_any_way(make: Make, optimizers: Any) -> None:
    model, _ = small()
    monitor = make(model, optimizers)
    assert monitor.session.slots == []


@pytest.mark.parametrize("budget", [0.001, 0.5, 1e-9])
def test_any_budget_in_range(make: Make, budget: float) -> None:
    assert make(budget=budget).session.governor.budget == budget


def test_traits_are_validated_after_the_constructor_too(make: Make) -> None:
    monitor = make()
    monitor.title = "later"
    with pytest.raises(Exception, match="title"):
        monitor.title = 3  # type: ignore[assignment]


class _Awkward:
    """Models that are no ordinary ones; each has to be watched or refused in a sentence."""

    @staticmethod
    def empty() -> nn.Module:
        return nn.Module()

    @staticmethod
    def lazy() -> nn.Module:
        return nn.LazyLinear(2)

    @staticmethod
    def frozen() -> nn.Module:
        return nn.Linear(3, 2).requires_grad_(False)

    @staticmethod
    def scripted() -> nn.Module:
        return torch.jit.trace(nn.Linear(3, 2), torch.ones(1, 3), check_trace=False)

    @staticmethod
    def meta() -> nn.Module:
        return nn.Linear(3, 2, device="meta")

    @staticmethod
    def containers() -> nn.Module:
        return nn.ModuleDict({"a": nn.ModuleList([nn.Linear(1, 1)]), "b": nn.Identity()})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["empty", "lazy", "frozen", "scripted", "meta", "containers"])
def test_awkward_models_can_be_watched(make: Make, name: str) -> None:
    model = getattr(_Awkward, name)()
    before = [(n, type(p), p.device) for n, p in model.named_parameters()]
    monitor = make(model)
    monitor.log(loss=1.0)
    monitor.flush()
    assert monitor._error is None
    assert [(n, type(p), p.device) for n, p in model.named_parameters()] == before


def test_a_model_that_raises_half_way(make: Make) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.fails = nn.Linear(3, 2), False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            if self.fails:
                raise RuntimeError("half way")
            return x

    model = Broken()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = make(model, optimizer)
    for i in range(8):
        monitor.session.look_into_next_step()
        model.fails = i % 3 == 2
        if model.fails:
            with pytest.raises(RuntimeError, match="half way"):
                model(torch.ones(1, 3))
        else:
            take_step(model, optimizer)
    monitor.flush()
    assert monitor._error is None
    assert monitor._samples.count > 0
    assert monitor.session.step == 6
