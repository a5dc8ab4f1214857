"""However a look ends, and even where the model itself has to be run, nothing of it is left."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.twin import Twin, TwinError
from tests.probe.model_families import broken, cnn, lazy, mlp
from tests.probe.twins import run, unharmed


def test_user_hooks_are_neither_called_nor_touched() -> None:
    model, sample = mlp()
    called: list[str] = []
    model[0].register_forward_hook(lambda *a: called.append("forward"))
    model[1].register_forward_pre_hook(lambda *a: called.append("before"))
    model[3].register_full_backward_hook(lambda *a: called.append("backward"))
    everywhere = nn.modules.module.register_module_forward_hook(lambda *a: called.append("global"))
    try:
        twin = Twin(model)
        with unharmed(model), twin.open() as module, torch.enable_grad():
            module(sample).sum().backward()
        assert called == []
        assert twin.notes == (("probe.twin_hooks", {"count": "2"}),)
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


@pytest.mark.parametrize("what", ["itself", "its weights"])
def test_a_copy_that_is_not_one_is_not_written_to(what: str) -> None:
    class Deceiving(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            if what == "itself":
                return self
            other = Deceiving(3, 3)
            other.weight = nn.Parameter(self.weight.detach())  # the same memory
            return other

    model = nn.Sequential(nn.Dropout(), Deceiving(3, 3))
    twin = Twin(model)
    with unharmed(model):
        with twin.open() as module:
            assert module is model
        with pytest.raises(TwinError, match="not copied"), twin.open(model.state_dict()):
            pass
    assert twin.notes[0][0] == "probe.twin_not_copied"
