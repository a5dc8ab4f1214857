"""Taking away what was learned: in which order, by which reset, with nobody else's numbers."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.randomise import cascade, randomise
from tests.generators import generators


def filled(module: nn.Module) -> nn.Module:
    """Every parameter different from what any reset gives."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(5 + torch.randn(parameter.shape, generator=generator))
    return module.eval()


class Crossed(nn.Module):
    """Defined in another order than it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.body = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4))
        self.scale = nn.Parameter(torch.full((4,), 2.0))
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x) * self.scale)


def test_the_cascade_goes_backwards_through_the_calls() -> None:
    model = Crossed().eval()
    hooks = [len(m._forward_pre_hooks) for m in model.modules()]
    names = cascade(model, lambda: model(torch.ones(1, 3)))
    # What is not called stands with its parent, the root here, which is called first of all.
    assert names == ("head", "body.2", "body.0", "unused", "")
    assert [len(m._forward_pre_hooks) for m in model.modules()] == hooks


def test_the_hooks_go_when_the_model_raises() -> None:
    model = Crossed()

    def run() -> None:
        model(torch.ones(1, 3))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cascade(model, run)
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_tied_weights_are_taken_away_once() -> None:
    embedding, head = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
    head.weight = embedding.weight
    model = nn.Sequential(embedding, nn.Linear(4, 4), head)
    ids = torch.tensor([[1, 2]])
    assert cascade(model, lambda: model(ids)) == ("1", "0")


def test_layers_without_weights_are_left_out() -> None:
    model = nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3, affine=False), nn.MaxPool1d(1))
    assert cascade(model, lambda: model(torch.ones(2, 3))) == ()


LAYERS: list[Callable[[], nn.Module]] = [
    lambda: nn.Linear(20, 30),
    lambda: nn.Conv2d(3, 8, 3),
    lambda: nn.ConvTranspose1d(3, 8, 3),
    lambda: nn.Embedding(20, 8),
    lambda: nn.LSTM(6, 8, num_layers=2),
    lambda: nn.Bilinear(4, 5, 6),
]


@pytest.mark.parametrize("make", LAYERS)
def test_a_layer_begins_again_as_its_type_does(make: Callable[[], nn.Module]) -> None:
    module, fresh = filled(make()), make()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    randomise(module, 3)
    for name, parameter in module.named_parameters():
        assert not torch.equal(parameter, before[name])
        own = fresh.get_parameter(name).detach()
        # As wide as a new layer's, and nowhere near the 5 of the trained one.
        assert 0.6 < float(parameter.detach().std() / own.std()) < 1.6
        assert abs(float(parameter.detach().mean())) < 1
    again, other = filled(make()), filled(make())
    randomise(again, 3)
    randomise(other, 4)
    for one, two, three in zip(
        module.parameters(), again.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(one, two)
        assert not torch.equal(one, three)


def test_normalisation_begins_again_with_its_statistics() -> None:
    norm = filled(nn.BatchNorm2d(4))
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    norm.running_mean.fill_(3)
    randomise(norm, 0)
    assert norm.weight.tolist() == [1] * 4
    assert norm.running_mean.tolist() == [0] * 4


class Plain(nn.Module):
    """No reset of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.arange(60.0).reshape(6, 10))
        self.one = nn.Parameter(torch.tensor([2.0]))
        self.child = nn.Linear(3, 3)


class Stubborn(Plain):
    def reset_parameters(self, how: str) -> None:
        raise AssertionError("is never called without an argument")


@pytest.mark.parametrize("make", [Plain, Stubborn])
def test_without_a_usable_reset_weights_are_shuffled(make: Callable[[], Plain]) -> None:
    module = make()
    child = module.child.weight.detach().clone()
    randomise(module, 1)
    assert sorted(module.table.detach().flatten().tolist()) == list(range(60))
    moved = (module.table.detach() != torch.arange(60.0).reshape(6, 10)).float().mean()
    assert moved > 0.8
    assert module.one.item() == 2
    assert torch.equal(module.child.weight, child)


def test_weights_behind_a_parametrisation_are_taken_away_too() -> None:
    model = nn.Sequential(filled(nn.Linear(6, 5)))
    nn.utils.parametrizations.weight_norm(model[0])
    before = model[0].weight.detach().clone()
    for name in cascade(model, lambda: model(torch.ones(1, 6))):
        randomise(model.get_submodule(name), 0)
    assert not torch.allclose(model[0].weight, before)


def test_old_weight_norm_is_taken_away_too() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.utils.weight_norm(filled(nn.Linear(6, 5)))
    x = torch.ones(1, 6)
    before = model(x).detach()
    randomise(model, 0)
    assert not torch.allclose(model(x), before)


def test_attention_loses_all_its_projections() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    filled(model)
    names = cascade(model, lambda: model(torch.randn(1, 3, 8)))
    assert {"self_attn", "self_attn.out_proj", "linear1", "linear2", "norm1", "norm2"} == set(names)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for name in names:
        randomise(model.get_submodule(name), 0)
    assert not any(torch.equal(p, before[n]) for n, p in model.named_parameters())


class Careless(nn.Module):
    """Draws from everybody's generators when it is reset."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))

    def reset_parameters(self) -> None:
        drawn = [random.random(), np.random.rand(), float(torch.rand(())), 1.0]
        with torch.no_grad():
            self.weight.copy_(torch.tensor(drawn))


def test_no_generator_but_ours_is_drawn_from() -> None:
    modules = [make() for make in LAYERS] + [Plain(), Careless()]
    before = generators()
    for module in modules:
        randomise(module, 0)
    assert modules[-1].weight.detach()[:3].abs().min() > 0
    assert generators() == before
