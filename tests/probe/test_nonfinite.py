"""Where NaN began, found between sampled steps, and what the search leaves behind: nothing."""

from __future__ import annotations

import copy
import gc
import random
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from nnwidgets.probe.nonfinite import NonFiniteTracker, _DeviceFlag
from nnwidgets.probe.taps import NextForward
from tests.probe.stepping import clean

__all__ = ["clean"]


def train(
    model: nn.Module,
    tracker: NonFiniteTracker,
    batches: list[Tensor],
    loss: Callable[[Tensor], Tensor] = lambda out: out.square().mean(),
    lr: float = 0.01,
) -> list[bool]:
    """A loop whose optimiser asks the tracker before each update."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    parameters = list(model.parameters())
    fired = []
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        loss(model(batch)).backward()
        fired.append(tracker.check_gradients(parameters, step))
        optimizer.step()
    return fired


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))


def good(count: int) -> list[Tensor]:
    return list(torch.randn(count, 8, 2))


def test_a_healthy_run_finds_nothing() -> None:
    model = mlp()
    tracker = NonFiniteTracker(model)
    assert train(model, tracker, good(5)) == [False] * 5
    assert tracker.origin is None
    assert tracker.status == ""


def test_an_overflowing_layer_is_found_by_its_output() -> None:
    model = mlp()
    with torch.no_grad():
        model[0].bias.fill_(1e20)
        model[2].weight.fill_(1e20)
    tracker = NonFiniteTracker(model)
    assert train(model, tracker, good(3)) == [True, False, False]
    origin = tracker.origin
    assert origin is not None
    assert (origin.step, origin.layer, origin.where, origin.what) == (0, "2", "output", "inf")
    assert (origin.count, origin.size, origin.exact) == (32, 32, False)


def test_one_bad_batch_is_told_from_bad_weights() -> None:
    model, batches = mlp(), good(4)
    batches[1] = batches[1] * float("nan")
    tracker = NonFiniteTracker(model)
    assert train(model, tracker, batches) == [False, True, False, False]
    origin = tracker.origin
    assert origin is not None
    assert (origin.step, origin.layer, origin.where) == (1, None, "batch")


def test_batches_that_are_all_bad_are_the_input() -> None:
    model = mlp()
    batches = [*good(1), *(b.index_fill(0, torch.tensor([3]), np.nan) for b in good(3))]
    tracker = NonFiniteTracker(model)
    train(model, tracker, batches)
    origin = tracker.origin
    assert origin is not None
    assert (origin.step, origin.where, origin.count, origin.size) == (1, "input", 2, 16)


def test_what_begins_on_the_way_back_is_found_at_once() -> None:
    class Root(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return self[4](self[2](self[0](x) * 0).sub(self[2].bias).sqrt())

    model = Root(*mlp())
    tracker = NonFiniteTracker(model)
    assert train(model, tracker, good(1)) == [True]
    origin = tracker.origin
    assert origin is not None
    assert (origin.layer, origin.where, origin.exact) == ("2", "gradient", True)
    assert not torch_module._global_forward_hooks


def test_weights_that_are_bad_already() -> None:
    model = mlp()
    with torch.no_grad():
        model[2].weight[0, 1] = float("inf")
    tracker = NonFiniteTracker(model)
    tracker.suspect(12)
    origin = tracker.origin
    assert origin is not None
    assert (origin.step, origin.layer, origin.where) == (12, "2", "weights")
    assert (origin.what, origin.count, origin.size) == ("inf", 1, 20)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(float("nan"))
    tracker.reset()
    tracker.suspect(13)
    origin = tracker.origin
    assert origin is not None
    assert (origin.layer, origin.where, origin.count) == (None, "weights", 37)


def test_a_metric_that_is_nan_by_itself_is_no_finding() -> None:
    model = mlp()
    tracker = NonFiniteTracker(model)
    for step, batch in enumerate(good(6)):
        tracker.suspect(step)
        model(batch)
    assert tracker.origin is None
    assert not tracker.searching
    assert not torch_module._global_forward_hooks
    # … and the watch goes on
    assert True in train(model, tracker, [torch.full((8, 2), float("nan"))])


def test_a_loss_that_is_bad_on_its_own() -> None:
    model = mlp()
    tracker = NonFiniteTracker(model)
    train(model, tracker, good(2), loss=lambda out: (out.mean() * 0).log())
    origin = tracker.origin
    assert origin is not None
    assert (origin.step, origin.where, origin.layer) == (0, "batch", None)


def test_without_another_forward_pass_there_is_still_an_answer() -> None:
    model = mlp()
    tracker = NonFiniteTracker(model)
    train(model, tracker, [torch.full((8, 2), float("nan"))])
    assert tracker.searching
    assert tracker.origin is None
    origin = tracker.settle()
    assert origin is not None
    assert (origin.where, origin.layer, origin.exact) == ("gradient", None, False)
    assert origin.count == origin.size == 37
    assert not torch_module._global_forward_hooks


def test_a_model_called_by_its_parts_settles_by_itself() -> None:
    model = mlp()
    tracker = NonFiniteTracker(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        x = torch.full((2, 2), float("nan"))
        for part in model:
            x = part(x)
        x.sum().backward()
        tracker.check_gradients(list(model.parameters()), step)
        optimizer.step()
    assert tracker.origin is not None
    assert not tracker.searching


@pytest.mark.parametrize("obstacle", ["size", "copy", "run"])
def test_what_stands_in_the_way_is_said(obstacle: str) -> None:
    class Stubborn(nn.Sequential):
        runs = 0

        def __deepcopy__(self, memo: Any) -> nn.Module:
            if obstacle == "copy":
                raise RuntimeError("not me")
            twin = mlp()
            twin.forward = self.refuse  # type: ignore[method-assign]
            return twin

        def refuse(self, *_: Any) -> Tensor:
            raise RuntimeError("not twice")

    model = Stubborn(*mlp())
    tracker = NonFiniteTracker(model, largest_copy=10 if obstacle == "size" else 2**20)
    train(model, tracker, [torch.full((8, 2), float("nan")), *good(1)])
    said = {"size": "larger than", "copy": "not me", "run": "not twice"}[obstacle]
    assert said in tracker.status
    assert tracker.origin is not None
    assert (tracker.origin.where, tracker.origin.layer) == ("gradient", None)


def test_the_search_changes_nothing() -> None:
    """Random numbers, buffers, counters, hooks and the inputs: bit for bit as without it."""
    seen: list[str] = []

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.norm, self.b = nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)
            self.drop, self.calls = nn.Dropout(0.5), 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            x.add_(1.0)
            noise = torch.rand(()) + random.random() + np.random.rand()
            return self.b(self.drop(self.norm(self.a(x) + noise)))

    def run(tracked: bool) -> tuple[Any, ...]:
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        seen.clear()
        model = Noisy()
        model.a.register_forward_hook(lambda *_: seen.append("hook"))
        batches = good(5)
        batches[2] = batches[2] / 0
        tracker = NonFiniteTracker(model)
        if not tracked:
            tracker.close()
        train(model, tracker, batches)
        assert (tracker.origin is not None) == tracked
        return (
            [p.detach().numpy().tobytes() for p in model.parameters()],
            [b.numpy().tobytes() for b in model.buffers()],
            [b.numpy().tobytes() for b in batches],
            model.calls,
            model.training,
            list(seen),
            torch.rand(3).tolist(),
            random.random(),
            np.random.rand(),
        )

    assert run(True) == run(False)


def test_hooks_of_the_user_are_not_copied_with_what_they_hold() -> None:
    class Trainer:
        def __init__(self, model: nn.Module) -> None:
            model.register_forward_hook(self.saw)

        def saw(self, *_: Any) -> None:
            pass

        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("the trainer was copied")

    from nnwidgets.probe.replay import bare_copy

    model = nn.utils.spectral_norm(nn.Linear(3, 3))
    model.trainer_made = Trainer(model) is not None
    twin = bare_copy(model)
    assert not twin._forward_hooks
    assert twin._forward_pre_hooks  # computes the weight
    assert len(model._forward_hooks) == 1
    twin(torch.ones(1, 3))
    assert twin.weight_orig is not model.weight_orig


def test_each_optimizer_has_its_own_sentinel() -> None:
    model = nn.ModuleDict({"d": nn.Linear(2, 1), "g": nn.Linear(2, 2)})
    tracker = NonFiniteTracker(model)
    for part in ("d", "g"):
        for p in model[part].parameters():
            p.grad = torch.zeros_like(p)
        assert not tracker.check_gradients(list(model[part].parameters()), 0)
    assert model["g"].bias.grad is not None
    model["g"].bias.grad.fill_(float("nan"))
    assert not tracker.check_gradients(list(model["d"].parameters()), 1)
    assert tracker.check_gradients(list(model["g"].parameters()), 1)


def test_finite_halves_whose_sum_is_not_are_no_alarm() -> None:
    model = nn.Linear(2, 1, bias=False).to(torch.float16)
    model.weight.grad = torch.full_like(model.weight, 6e4)
    assert not NonFiniteTracker(model).check_gradients([model.weight], 0)


def test_a_device_is_asked_rarely_and_remembers() -> None:
    flag = _DeviceFlag(torch.device("meta"), every=4)  # the policy; sums are those of a CPU
    gradients = [torch.ones(2) for _ in range(12)]
    gradients[5][0] = float("nan")
    assert [flag.raised_by(g) for g in gradients] == [False] * 7 + [True] + [False] * 4


def test_everything_is_collected_while_a_search_is_under_way() -> None:
    model = mlp()
    tracker = NonFiniteTracker(model)
    train(model, tracker, [torch.full((8, 2), float("nan"))])
    assert tracker.searching
    gone = weakref.ref(model), weakref.ref(tracker)
    del model, tracker
    gc.collect()
    assert gone[0]() is None
    assert gone[1]() is None


def test_copies_and_pickles_taken_meanwhile_carry_nothing() -> None:
    model = mlp()
    tracker = NonFiniteTracker(model)
    train(model, tracker, [torch.full((8, 2), float("nan"))])
    assert tracker.searching
    twin = copy.deepcopy(model)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in twin.modules())
    tracker.close()


def test_a_tap_taken_off_in_the_middle_of_a_call_harms_nobody() -> None:
    """Another thread may do so after torch has listed the hooks that it is going to call."""
    model = nn.Sequential(nn.Linear(2, 2))
    seen: list[str] = []
    tap = NextForward(
        model, lambda: None, lambda args, kwargs: seen.append("after"), lambda problem: None
    )
    first = torch_module.register_module_forward_hook(lambda module, args, out: tap.close())
    tap.open()
    try:
        model(torch.ones(1, 2))
    finally:
        first.remove()
        tap.close()
    assert seen == []
