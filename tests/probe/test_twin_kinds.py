"""Twins of models that are wrapped, scripted, quantised, or hold tensors of special kinds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nnwidgets.probe.twin import Twin
from tests.probe.model_families import mlp
from tests.probe.twins import in_evaluation, run, unharmed


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


def test_a_model_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    twin = Twin(model)
    for _ in range(2):
        with twin.open() as module:
            assert module is not model
            assert run(module, torch.zeros(2, 3, device="meta"))[0].shape == (2, 4)


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_model() -> None:
    model, sample = mlp()
    model = torch.ao.quantization.quantize_dynamic(model.eval(), {nn.Linear})
    twin = Twin(model)
    for _ in range(2):
        with twin.open() as module:
            assert module is not model
            assert torch.equal(run(module, sample)[0], run(model, sample)[0])


def test_tensors_of_special_kinds() -> None:
    model = nn.Linear(3, 3)
    model.register_buffer("sparse", torch.eye(3).to_sparse())
    model.register_buffer("flags", torch.tensor([True, False]))
    model.register_parameter("phase", nn.Parameter(torch.ones(2, dtype=torch.complex64)))
    model.register_parameter("empty", nn.Parameter(torch.zeros(0)))
    model.register_parameter("none", None)
    twin = Twin(model)
    with twin.open():
        pass
    with torch.no_grad():
        model.phase.mul_(1j)
        model.flags.logical_not_()
        model.sparse.mul_(2)
    with twin.open() as module:
        assert torch.equal(module.phase, model.phase)
        assert torch.equal(module.flags, model.flags)
        assert torch.equal(module.sparse.to_dense(), model.sparse.to_dense())
