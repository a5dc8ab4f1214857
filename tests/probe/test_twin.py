"""The twin is the model, and the model does not notice."""

from __future__ import annotations

import copy
import gc
import random
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.twin import Twin, TwinError
from tests.live.doubles import Background, until
from tests.probe.model_families import FAMILIES, cnn, gpt, lazy, mlp, reparametrised, shared
from tests.probe.twins import in_evaluation, run, unharmed

ORDINARY = [name for name in FAMILIES if name not in ("lazy", "reparametrised", "transformer")]


@pytest.mark.parametrize("name", ORDINARY)
def test_answers_as_the_model_does_and_leaves_it_alone(name: str) -> None:
    model, sample = FAMILIES[name]()
    twin = Twin(model)
    expected = in_evaluation(model, sample)
    with unharmed(model):
        for _ in range(2):
            with twin.open() as module:
                assert module is not model
                assert not any(m.training for m in module.modules())
                got = run(module, sample)
            for one, other in zip(got, expected, strict=True):
                assert torch.equal(one, other)
    assert twin.copied
    assert twin.notes == ()


def test_runs_the_modules_inside_an_encoder_that_has_a_fast_path() -> None:
    model, sample = FAMILIES["transformer"]()
    seen: list[str] = []
    with unharmed(model), Twin(model).open() as module:
        for name, part in module.named_modules():
            part.register_forward_hook(lambda m, a, o, name=name: seen.append(name))
        got = run(module, sample)
    assert "encoder.layers.1.linear2" in seen
    assert torch.backends.mha.get_fastpath_enabled()
    with torch.no_grad():
        plain = copy.deepcopy(model).eval()
        plain.encoder.enable_nested_tensor = plain.encoder.use_nested_tensor = False
        assert torch.allclose(got[0], run(plain, sample)[0], atol=1e-5)


def test_follows_training() -> None:
    model, sample = cnn()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    twin = Twin(model)
    first = None
    for _ in range(3):
        model(sample).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        with twin.open() as module:
            first = first or module
            assert module is first  # not copied anew each time
            assert torch.equal(run(module, sample)[0], in_evaluation(model, sample)[0])


@pytest.mark.parametrize("trained", [False, True])
def test_weights_that_are_computed(trained: bool) -> None:
    model, sample = reparametrised()
    if trained:  # the old hooks now hold weights that are not leaves
        model(sample).sum().backward()
    twin = Twin(model)
    expected = None
    with unharmed(model), twin.open() as module:
        expected = run(module, sample)[0]
    with torch.no_grad():
        assert torch.equal(expected, model.eval()(sample))


def test_puts_in_weights_of_another_step() -> None:
    model, sample = cnn()
    then = {name: value.clone() for name, value in model.state_dict().items()}
    expected = in_evaluation(model, sample)[0]
    twin = Twin(model)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2.0)
        model(sample)  # batch norm statistics
    now = in_evaluation(model, sample)[0]
    assert not torch.equal(now, expected)
    with unharmed(model):
        with twin.open(then) as module:
            assert torch.equal(run(module, sample)[0], expected)
        with twin.open() as module:
            assert torch.equal(run(module, sample)[0], now)


def test_weights_that_do_not_fit_are_refused_before_anything_is_changed() -> None:
    model, _ = mlp()
    twin = Twin(model)
    good = {k: v + 1 for k, v in model.state_dict().items()}
    for bad in ({"0.weight": torch.zeros(2, 2)}, {"nowhere": torch.zeros(1)}):
        with pytest.raises(TwinError, match=next(iter(bad))), twin.open({**good, **bad}):
            pass
    with twin.open() as module:
        assert torch.equal(module[0].weight, model[0].weight)


def test_keeps_what_is_tied_tied() -> None:
    model, _ = gpt()
    with Twin(model).open() as module:
        assert module.head.weight is module.tokens.weight
    model, _ = shared()
    with Twin(model).open() as module:
        assert module.alias is module.first
        assert module.second.weight is module.first.weight
        assert len(list(module.parameters())) == len(list(model.parameters()))


def test_lazy_modules_get_their_shapes_in_the_twin_alone() -> None:
    model, sample = lazy()
    twin = Twin(model)
    answers = []
    with unharmed(model):
        for _ in range(2):
            with twin.open() as module:
                answers.append(run(module, sample)[0])
    assert torch.equal(*answers)
    assert all(isinstance(m, nn.modules.lazy.LazyModuleMixin) for m in (model[0], model[4]))
    assert twin.notes == (("probe.twin_lazy", {"count": "3"}),)
    model(sample)
    with twin.open() as module:
        assert torch.equal(module[0].weight, model[0].weight)
    assert twin.notes == ()


@pytest.mark.parametrize("change", ["add", "shape", "dtype", "replace", "tie", "parametrize"])
def test_is_made_anew_when_the_model_changes(change: str) -> None:
    model, sample = mlp()
    twin = Twin(model)
    with twin.open() as module:
        run(module, sample)
    if change == "add":
        model.append(nn.Linear(3, 2))
    elif change == "shape":
        model[5] = nn.Linear(12, 7)
    elif change == "dtype":
        model.double()
        sample = sample.double()
    elif change == "replace":
        model[1] = nn.Sigmoid()
    elif change == "tie":
        model[3] = nn.Linear(16, 16)
        model[5] = nn.Linear(16, 16)
        model[5].weight = model[3].weight
    else:
        nn.utils.parametrizations.weight_norm(model[0])
    with unharmed(model), twin.open() as module:
        assert torch.equal(run(module, sample)[0], in_evaluation(model, sample)[0])
        assert [n for n, _ in module.named_parameters()] == [n for n, _ in model.named_parameters()]


class Tempered(nn.Module):
    """Depends on much that is no weight, and changes it as it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.temperature = 1.0
        self.table = torch.ones(3)
        self.scales = [1.0, torch.tensor(1.0)]
        self.by_weight = {"linear": self.linear.weight}
        self.counter = Counter()
        self.calls = 0
        self.memory: Tensor | None = None
        self.log: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.log.append(float(self.calls))
        self.counter.value += 1
        y = self.linear(x) * self.table / self.temperature * self.scales[0] * self.scales[1]
        y = y + self.by_weight["linear"].sum() + (0 if self.memory is None else self.memory.sum())
        self.memory = y
        return y


class Counter:
    value = 0


def test_follows_attributes_and_keeps_those_it_changes_to_itself() -> None:
    model, sample = Tempered(), torch.randn(2, 3)
    twin = Twin(model)
    for _ in range(2):
        with unharmed(model), twin.open() as module:
            assert torch.equal(run(module, sample)[0], in_evaluation(model, sample)[0])
            assert module.by_weight["linear"] is module.linear.weight
    model.temperature, model.scales[0] = 0.5, 3.0
    model.table[1] = 7.0
    model.linear.weight.data.mul_(3.0)  # which counts as no version
    model(sample)  # now `memory` is no leaf
    model.extra = [1, 2]
    with unharmed(model), twin.open() as module:
        with torch.no_grad():
            plain = Tempered()
            plain.load_state_dict(model.state_dict())
            plain.by_weight = {"linear": plain.linear.weight}
            plain.temperature, plain.scales = 0.5, [3.0, torch.tensor(1.0)]
            plain.table = model.table.clone()
            plain.memory = model.memory.detach().clone()
            assert torch.equal(run(module, sample)[0], plain(sample))
        assert module.extra == [1, 2]
        assert module.counter is not model.counter
    del model.extra
    with twin.open() as module:
        assert not hasattr(module, "extra")


def test_tuples_are_shared_only_where_nobody_can_change_them() -> None:
    model, _ = mlp()
    steps = [1, 2]
    model.sizes, model.nested = (3, (4, 5)), (steps, 3)
    twin = Twin(model)
    with twin.open() as module:
        assert module.sizes == (3, (4, 5))
        assert module.nested[0] is not steps
        module.nested[0].append(9)
    assert steps == [1, 2]
    model.sizes = (6, (7, 8))
    steps[0] = 5
    with twin.open() as module:
        assert module.sizes == (6, (7, 8))
        assert module.nested == ([5, 2], 3)
        assert module.nested[0] is not steps


def test_frozen_and_thawed() -> None:
    model, _ = mlp()
    twin = Twin(model)
    with twin.open() as module:
        assert all(p.requires_grad for p in module.parameters())
    model[0].requires_grad_(False)
    with twin.open() as module:
        assert [p.requires_grad for p in module.parameters()] == [False, False, *[True] * 4]


def test_opened_while_other_modes_are_on() -> None:
    model, sample = mlp()
    twin = Twin(model)
    with torch.inference_mode(), twin.open() as module:
        run(module, sample)
        assert not torch.is_grad_enabled()
    with torch.autocast("cpu", dtype=torch.bfloat16), twin.open() as module:
        assert run(module, sample)[0].dtype == torch.float32
        assert torch.is_grad_enabled()
    with torch.no_grad(), twin.open():
        assert not torch.is_grad_enabled()


class Dice(nn.Module):
    """Draws in evaluation mode."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand(3) + random.random() + float(np.random.rand())


def test_random_numbers_begin_the_same_each_time() -> None:
    model = Dice()
    with unharmed(model):
        answers = []
        for _ in range(2):
            with Twin(model).open() as module:
                answers += run(module, torch.zeros(3))
    assert torch.equal(*answers)


def test_a_copy_is_made_when_it_is_first_needed_and_forgotten_when_told() -> None:
    model, _ = mlp()
    copies: list[int] = []
    model.__class__ = type("Counting", (nn.Sequential,), {"__reduce_ex__": _counting(copies)})
    twin = Twin(model)
    assert copies == []
    for _ in range(2):
        with twin.open():
            assert copies == [1]
    twin.forget()
    with twin.open():
        assert copies == [1, 1]


def _counting(copies: list[int]) -> Any:
    def reduce(self: Any, protocol: Any) -> Any:
        copies.append(1)
        return nn.Module.__reduce_ex__(self, protocol)

    return reduce


@pytest.mark.parametrize("name", ["mlp", "cnn", "reparametrised"])
def test_keeps_the_model_alive_in_no_way(name: str) -> None:
    model, sample = FAMILIES[name]()
    twin = Twin(model)
    with twin.open() as module:
        run(module, sample)
    del module
    seen = weakref.ref(model)
    del model
    gc.collect()
    assert seen() is None
    with pytest.raises(TwinError, match="no longer exists"), twin.open():
        pass


class Turnstile:
    """A lock of one thread that says when another stands before it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.waited_for = threading.Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.waited_for.set()
            self._lock.acquire()

    def __exit__(self, *problem: object) -> None:
        self._lock.release()


def test_is_not_opened_while_it_is_open() -> None:
    model, _ = mlp()
    twin = Twin(model)
    with twin.open(), pytest.raises(TwinError, match="already"), twin.open():
        pass


def test_another_thread_waits_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = mlp()
    twin = Twin(model)
    turnstile = Turnstile()
    monkeypatch.setattr(twin, "_lock", turnstile)
    order: list[str] = []

    def other() -> None:
        with twin.open():
            order.append("other")

    with twin.open():
        thread = Background(other)
        until(lambda: turnstile.waited_for.is_set() or thread.done)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_sharded_models_are_not_run() -> None:
    class FullyShardedDataParallel(nn.Module):
        pass

    model = nn.Sequential(FullyShardedDataParallel())
    with pytest.raises(TwinError, match="sharded"), Twin(model).open():
        pass


def test_what_a_lazy_twin_has_learnt_stays() -> None:
    """… its sizes too, which the model itself does not know yet."""
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2))
    twin = Twin(model)
    for _ in range(2):
        with twin.open() as copy:
            copy(torch.ones(1, 3, 5, 5))
            assert (copy[0].in_channels, copy[2].in_features) == (3, 36)
    assert model[0].in_channels == 0
