"""Stopping in the middle of captum's loops, of a long forward and of a long backward."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.cancelling import Cancelled, Watch, never
from nnwidgets.explain.methods import explain
from nnwidgets.explain.methods_untouched import untouched
from nnwidgets.explain.question import Question
from tests.explain.clock import Clock
from tests.explain.nets import cnn
from tests.generators import generators


class Slow(nn.Module):
    """A layer that takes its time, forward and backward, and notes when it ran."""

    def __init__(self, clock: Clock, seconds: float, log: list[str], name: str) -> None:
        super().__init__()
        self.clock, self.seconds, self.log, self.name = clock, seconds, log, name

    def forward(self, values: Tensor) -> Tensor:
        self.clock.now += self.seconds
        self.log.append(f"{self.name} forward")

        def backward(gradient: Tensor) -> None:
            self.clock.now += 2 * self.seconds
            self.log.append(f"{self.name} backward")

        out = values * 2
        if out.requires_grad:
            out.register_hook(backward)
        return out


class Score(nn.Module):
    """Sums up, as a scored model does."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.root = nn.Sequential(*layers)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.root(values).flatten(1).sum(1)
        return result


def test_a_long_forward_stops_between_two_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    log: list[str] = []
    model = Score(*(Slow(clock, 0.1, log, name) for name in "abcd"))
    watch = Watch(model, lambda: "b forward" in log)
    with pytest.raises(Cancelled), watch.open():
        model(torch.ones(1, 2))
    assert log == ["a forward", "b forward"]


def test_a_long_backward_stops_between_two_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    log: list[str] = []
    model = Score(*(Slow(clock, 0.1, log, name) for name in "abcd"))
    watch = Watch(model, lambda: "c backward" in log)
    values = torch.ones(1, 2, requires_grad=True)
    with pytest.raises(Cancelled), watch.open():
        torch.autograd.grad(model(values).sum(), values)
    assert log[-2:] == ["d backward", "c backward"]


def test_layers_are_watched_only_while_a_pass_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    log: list[str] = []
    model = Score(*(Slow(clock, 0.001, log, name) for name in "ab"))
    inner: list[int] = []

    class Looking(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            inner.append(sum(len(layer._forward_hooks) for layer in model.root))
            return values

    model.root.append(Looking())
    with Watch(model).open():
        model(torch.ones(1, 2))  # nobody knows yet how long it takes
        model(torch.ones(1, 2))  # 2 ms
        model(torch.ones(30, 2))  # 60 ms, by what is known
        model(torch.ones(1, 2))
    assert inner == [3, 0, 3, 0]


def test_what_is_fused_in_evaluation_mode_stays_so() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    model = Score(nn.Linear(8, 8), layer).eval()
    values = torch.randn(1, 4, 8)
    with torch.no_grad():
        plain = model(values)
        with Watch(model).open():
            watched = model(values)
    assert torch.equal(plain, watched)


def test_whoever_swallows_the_exception_meets_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    log: list[str] = []

    class Stubborn(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            try:
                result: Tensor = inner(values)
            except Exception:
                result = values
            return result

    inner = Slow(clock, 0.1, log, "a")
    stubborn = Stubborn()
    stubborn.inner = inner
    model = Score(stubborn, Slow(clock, 0.1, log, "b"))
    with pytest.raises(Cancelled), Watch(model, lambda: "a forward" in log).open():
        model(torch.ones(1, 2))
    assert log == ["a forward"]


def test_who_is_gone_before_it_began_starts_nothing() -> None:
    ran: list[int] = []

    class Noting(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            ran.append(1)
            return values

    with pytest.raises(Cancelled), Watch(Score(Noting()), lambda: True).open():
        pytest.fail("entered")
    assert not ran


def test_progress_follows_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    log: list[str] = []
    told: list[float] = []
    model = Score(Slow(clock, 1.0, log, "a"))
    watch = Watch(model, never, told.append)
    with watch.open():
        model(torch.ones(3, 2))
        watch.expect(4)
        for _ in range(4):
            model(torch.ones(1, 2))
    assert watch.rows == 7
    assert told == pytest.approx([4 / 7, 5 / 7, 6 / 7, 1.0])


METHODS: dict[str, dict[str, Any]] = {
    "saliency": {},
    "integrated_gradients": {"internal_batch_size": 1},
    "smooth_grad": {"nt_samples_batch_size": 1},
    "gradient_shap": {},
    "deep_lift": {},
    "guided_backprop": {},
    "lrp": {},
    "grad_cam": {},
    "guided_grad_cam": {},
    "occlusion": {"perturbations_per_eval": 1},
    "feature_ablation": {"perturbations_per_eval": 1},
    "feature_permutation": {},
    "lime": {"perturbations_per_eval": 1, "n_samples": 40},
    "kernel_shap": {"perturbations_per_eval": 1, "n_samples": 40},
}


def state(net: nn.Module) -> list[Any]:
    """Return all that hangs on a model: hooks, attributes, flags, weights and buffers."""
    found: list[Any] = []
    for name, module in net.named_modules():
        tables = {
            key: list(value) if isinstance(value, dict) else value
            for key, value in vars(module).items()
            if key not in ("_parameters", "_buffers", "_modules")
        }
        found.append((name, tables))
    for name, parameter in net.named_parameters():
        place = parameter.data_ptr()
        found.append((name, place, parameter.requires_grad, parameter.grad, parameter.tolist()))
    found += [(name, buffer.tolist()) for name, buffer in net.named_buffers()]
    return found


@pytest.mark.parametrize("after", [1, 2, 5])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_cancelled_and_leaves_nothing(
    method: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nnwidgets.explain.cancelling._ASK_SECONDS", 0.0)  # ask at every chance
    monkeypatch.setattr("nnwidgets.explain.cancelling._LONG_SECONDS", -1.0)  # and in every layer
    net = cnn()
    question = Question(net, torch.randn(3, 3, 12, 12))
    asked = question.ask(1, 2)
    explain(asked, method, question=question, options=METHODS[method])  # measured, imported
    before, drawn = state(asked.model), generators()
    looks = 0

    def cancelled() -> bool:
        nonlocal looks
        looks += 1
        return looks > after

    with pytest.raises(Cancelled):
        explain(asked, method, question=question, options=METHODS[method], cancelled=cancelled)
    assert looks == after + 1  # nothing ran on after it was known
    assert state(asked.model) == before
    assert generators() == drawn
    assert not any(value.requires_grad for value in asked.inputs)


def test_somebody_who_leaves_while_noise_is_drawn_does_not_wait_for_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2,000 copies of a picture are half a gigabyte of random numbers."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64 * 64, 2)).eval()
    asked = Question(net, torch.randn(2, 1, 64, 64)).ask(0, 1)
    monkeypatch.setattr("nnwidgets.explain.cancelling._ASK_SECONDS", 0.0)
    drawn: list[int] = []
    normal = torch.normal

    def counted(mean: float, std: Tensor, **more: Any) -> Tensor:
        drawn.append(std.numel())
        return normal(mean, std, **more)

    monkeypatch.setattr(torch, "normal", counted)
    with pytest.raises(Cancelled):
        explain(
            asked, "smooth_grad", options={"nt_samples": 2000}, cancelled=lambda: len(drawn) == 2
        )
    assert len(drawn) == 2
    assert max(drawn) <= 1 << 18


def test_another_thread_may_cancel_and_progress_grows() -> None:
    question = Question(cnn(), torch.randn(3, 3, 24, 24))
    asked = question.ask(1, 2)
    stop, started, ended = threading.Event(), threading.Event(), threading.Event()
    told: list[float] = []
    result: list[object] = []

    def progress(fraction: float) -> None:
        told.append(fraction)
        if len(told) == 3:
            started.set()

    def work(finish: Callable[[], bool]) -> None:
        try:
            options = {"n_samples": 50_000, "perturbations_per_eval": 1}
            explain(asked, "lime", options=options, cancelled=finish, progress=progress)
        except Exception as problem:
            result.append(problem)
        ended.set()

    thread = threading.Thread(target=work, args=(stop.is_set,))
    thread.start()
    assert started.wait(30)
    assert not ended.is_set()
    stop.set()
    assert ended.wait(30)
    thread.join()
    assert isinstance(result[0], Cancelled)
    assert told == sorted(told)
    assert 0 < told[0] < 0.9


def test_untouched_puts_back_attributes_buffers_and_hooks() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = state(net)

    def disturb() -> None:
        net[0].rule = object()
        net[0].register_forward_hook(lambda *args: None)
        net[0].weight.requires_grad_(False)
        net[0].weight.data = torch.zeros(2, 2)
        net.eval()
        net[1].running_mean += 5
        net[1].register_buffer("more", torch.ones(1))
        net[0].weight.grad = torch.ones(2, 2)
        del net[1].eps
        raise KeyError

    with pytest.raises(KeyError), untouched(net):
        disturb()
    assert state(net) == before
    assert net[1].eps == 1e-5
