"""The twin is the model, and the model does not notice."""

from __future__ import annotations

import copy
import gc
import random
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.look import call_arguments
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.twin import Twin, TwinError
from tests.probe.model_families import FAMILIES, broken, cnn, gpt, lazy, mlp, reparametrised, shared


def run(model: nn.Module, sample: Any) -> list[Tensor]:
    args, kwargs = call_arguments(copy.deepcopy(sample))
    with torch.no_grad():
        return [t.clone() for t in tensors_in(model(*args, **kwargs))]


def random_numbers() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().tolist(), random.getstate(), name, keys.tolist(), rest


def fingerprint(model: nn.Module) -> dict[str, Any]:
    """Everything of a model that a look could change, identities included."""
    result: dict[str, Any] = {}
    for name, module in model.named_modules():
        result[name] = {
            "self": (id(module), type(module), module.training),
            "attributes": {
                key: (id(value), repr(value) if isinstance(value, (list, dict)) else None)
                for key, value in vars(module).items()
            },
        }
    for name, tensor in (
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ):
        lazy = nn.parameter.is_lazy(tensor)
        held = None if lazy else tensor.detach().clone().flatten().view(torch.uint8).tolist()
        grad = None if tensor.grad is None else (id(tensor.grad), tensor.grad.tolist())
        result["tensor " + name] = (
            id(tensor),
            held,
            grad,
            tensor.requires_grad,
            None if lazy else tensor._version,
        )
    return result


@contextmanager
def unharmed(model: nn.Module) -> Iterator[None]:
    before, numbers = fingerprint(model), random_numbers()
    yield
    assert fingerprint(model) == before
    assert random_numbers() == numbers


def in_evaluation(model: nn.Module, sample: Any) -> list[Tensor]:
    """What a plain copy in evaluation mode answers: the oracle."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return run(copy.deepcopy(model).eval(), sample)


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


def test_user_hooks_are_neither_called_nor_touched() -> None:
    model, sample = mlp()
    called: list[str] = []
    model[0].register_forward_hook(lambda *a: called.append("forward"))
    model[1].register_forward_pre_hook(lambda *a: called.append("before"))
    model[3].register_full_backward_hook(lambda *a: called.append("backward"))
    everywhere = nn.modules.module.register_module_forward_hook(lambda *a: called.append("global"))
    try:
        with unharmed(model), Twin(model).open() as module, torch.enable_grad():
            module(sample).sum().backward()
        assert called == []
        model(sample).sum().backward()
        assert called.count("global") == 7
        assert called.count("forward") == called.count("before") == called.count("backward") == 1
    finally:
        everywhere.remove()


def test_a_global_hook_that_is_removed_meanwhile_stays_removed() -> None:
    model, _ = mlp()
    table = nn.modules.module._global_forward_hooks
    before = dict(table)
    handle = nn.modules.module.register_module_forward_hook(lambda *a: None)
    with Twin(model).open():
        handle.remove()
    assert dict(table) == before


def test_hooks_put_on_the_twin_are_the_caller_s_to_remove() -> None:
    model, sample = mlp()
    twin = Twin(model)
    with twin.open() as module:
        handle = module[0].register_forward_hook(lambda m, a, o: o * 0)
        changed = run(module, sample)
        handle.remove()
    with twin.open() as module:
        assert not torch.equal(run(module, sample)[0], changed[0])


def interrupted(twin: Twin, sample: Any, error: BaseException) -> None:
    with twin.open() as module:
        module(sample)
        random.random()
        np.random.rand()
        torch.rand(1)
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("largest", [2**30, 0])
def test_everything_is_put_back_however_it_ends(error: type[BaseException], largest: int) -> None:
    model, sample = cnn()
    model(sample).sum().backward()
    twin = Twin(model, largest=largest)
    with unharmed(model):
        with pytest.raises(error):
            interrupted(twin, sample, error("stop"))
        with twin.open() as module:  # and it can be opened again
            module(sample)
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_forward_that_raises() -> None:
    model, sample = broken()
    with unharmed(model), pytest.raises(RuntimeError, match="shapes"), Twin(model).open() as module:
        module(sample)


class Uncopyable:
    """Refuses."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("not me")


def test_what_cannot_be_copied_is_shared_and_said() -> None:
    model, sample = mlp()
    model.lock = threading.Lock()
    model[1].thing = Uncopyable()
    twin = Twin(model)
    with unharmed(model), twin.open() as module:
        assert module is not model
        assert module.lock is model.lock
        assert torch.equal(run(module, sample)[0], run(nn.Sequential(*model).eval(), sample)[0])
        model.train()
    assert twin.notes == (("probe.twin_shared", {"names": "lock, 1.thing"}),)


def test_what_belongs_to_training_is_not_dragged_along() -> None:
    model, _ = mlp()
    model.optimizer = torch.optim.Adam(model.parameters())
    model.data = torch.utils.data.TensorDataset(torch.zeros(3))
    with Twin(model).open() as module:
        assert module.optimizer is model.optimizer
        assert module.data is model.data


class Stubborn(nn.Module):
    """Cannot be copied at all, and changes itself as it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3, momentum=1.0)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("last", torch.zeros(2, 3))
        self.log: list[int] = []
        self.seen: dict[str, int] = {}
        self.kinds: set[int] = set()

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("no copies of me")

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.last = x
        self.log.append(len(x))
        self.seen["x"] = len(x)
        self.kinds.add(1)
        self.made = nn.Linear(1, 1)
        self.norm.weight.grad = torch.ones(3)
        self.norm.bias.requires_grad_(False)
        return self.drop(self.norm(x)) + torch.rand(()) * 0


@pytest.mark.parametrize("reason", ["not_copied", "too_large"])
def test_where_there_is_no_copy_the_model_itself_is_run_and_put_back(reason: str) -> None:
    model, sample = Stubborn(), torch.randn(2, 3)
    model.norm.train()
    model.drop.eval()
    called: list[int] = []
    model.norm.register_forward_hook(lambda *a: called.append(1))
    twin = Twin(model, largest=0 if reason == "too_large" else 2**29)
    with unharmed(model):
        for _ in range(2):
            with twin.open() as module:
                assert module is model
                assert torch.allclose(run(module, sample)[0], sample, atol=1e-4)
                if reason == "too_large":
                    assert twin.notes[0][1] == {"limit": "0 MiB"}
    assert called == []
    assert not twin.copied
    assert twin.notes[0][0] == f"probe.twin_{reason}"
    with pytest.raises(TwinError, match="not copied"), twin.open(model.state_dict()):
        pass


def test_lazy_and_not_to_be_copied_is_refused() -> None:
    model, _ = lazy()
    model.thing = nn.ReLU()
    model.thing.__class__ = type("Refusing", (nn.ReLU,), {"__deepcopy__": Uncopyable.__deepcopy__})
    with (
        unharmed(model),
        pytest.raises(TwinError, match="first batch"),
        Twin(model).open(),
    ):
        pass


@pytest.mark.parametrize("where", ["root", "inside", "in place", "parallel", "parallel inside"])
def test_wrapped_models(where: str) -> None:
    plain, sample = mlp()
    model: nn.Module = plain
    if where == "root":
        model = torch.compile(plain, backend="eager")
    elif where == "inside":
        model = nn.Sequential(torch.compile(plain, backend="eager"), nn.ReLU())
    elif where == "in place":
        plain.compile(backend="eager")
    elif where == "parallel":
        model = nn.DataParallel(plain)
    else:
        model = nn.Sequential(nn.DataParallel(plain), nn.ReLU())
    expected = [t.relu() if "inside" in where else t for t in in_evaluation(plain, sample)]
    model.train()
    model(sample)
    names: list[str] = []
    twin = Twin(model)
    with unharmed(model):
        for _ in range(2):
            with twin.open() as module:
                for name, part in module.named_modules():
                    part.register_forward_hook(lambda m, a, o, name=name: names.append(name))
                assert torch.equal(run(module, sample)[0], expected[0])
                weights = twin.root.state_dict()
            with twin.open(weights) as module:
                assert list(module.state_dict()) == list(weights)
    inner = {"inside": "0._orig_mod.", "parallel inside": "0.module."}.get(where, "")
    assert {f"{inner}0", f"{inner}5"} <= set(names)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_scripted_model() -> None:
    plain, sample = mlp()
    model = torch.jit.script(plain)
    twin = Twin(model)
    with twin.open() as module:
        run(module, sample)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.5)
    with unharmed(model), twin.open() as module:
        assert torch.equal(run(module, sample)[0], run(plain.eval(), sample)[0])


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


def test_is_opened_once_at_a_time() -> None:
    model, _ = mlp()
    twin = Twin(model)
    with twin.open(), pytest.raises(TwinError, match="already"), twin.open():
        pass
    order: list[str] = []

    def other() -> None:
        with twin.open():
            order.append("other")

    with twin.open():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_sharded_models_are_not_run() -> None:
    class FullyShardedDataParallel(nn.Module):
        pass

    model = nn.Sequential(FullyShardedDataParallel())
    with pytest.raises(TwinError, match="sharded"), Twin(model).open():
        pass
