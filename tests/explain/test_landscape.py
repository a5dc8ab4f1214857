"""The loss landscape: losses by hand, filters' lengths, every bit restored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.landscape import directions, landscape
from nnwidgets.probe.refusal import Refusal
from tests.generators import generators

OWN = torch.Generator().manual_seed(0)
X, Y = torch.randn(30, 1, 6, 6, generator=OWN), torch.randint(0, 3, (30,), generator=OWN)


def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 3),
    )


def loss(model: nn.Module) -> Tensor:
    return nn.functional.cross_entropy(model(X), Y)


def bits(model: nn.Module) -> dict[str, Any]:
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        name: (id(value), value.detach().numpy().tobytes(), value.requires_grad)
        for name, value in tensors.items()
    } | {"modes": [module.training for module in model.modules()]}


def test_losses_are_those_of_weights_that_were_moved_by_hand() -> None:
    model = net().double()
    given = X.double()

    def double_loss(module: nn.Module) -> Tensor:
        return nn.functional.cross_entropy(module(given), Y)

    found = landscape(model, double_loss, span=0.5, side=5, seed=7)
    np.testing.assert_allclose(found.alpha, [-0.5, -0.25, 0, 0.25, 0.5])
    generator = torch.Generator().manual_seed(7)
    first, second = directions(model, generator), directions(model, generator)
    assert found.moved == tuple(first) == ("0.weight", "5.weight")
    model.eval()
    weights = {name: value.detach().clone() for name, value in model.named_parameters()}
    for i, b in enumerate(found.beta):
        for j, a in enumerate(found.alpha):
            moved = {
                name: value + a * first[name] + b * second[name] if name in first else value
                for name, value in weights.items()
            }
            z = torch.func.functional_call(model, moved, (given,))
            expected = float(nn.functional.cross_entropy(z, Y))
            assert found.loss[i, j] == pytest.approx(expected, rel=1e-9)
    assert found.centre == found.loss[2, 2] == float(double_loss(model).detach())


def test_each_filter_of_a_direction_is_as_long_as_the_models() -> None:
    model = net()
    with torch.no_grad():
        model[0].weight[2] = 0
    made = directions(model, torch.Generator().manual_seed(0))
    for name in ("0.weight", "5.weight"):
        own = dict(model.named_parameters())[name].detach().double().flatten(1).norm(dim=1)
        torch.testing.assert_close(made[name].flatten(1).norm(dim=1), own)
    assert not made["0.weight"][2].any()
    again = directions(model, torch.Generator().manual_seed(0))
    assert all(torch.equal(made[name], again[name]) for name in made)
    assert not torch.equal(made["0.weight"], directions(model, torch.Generator())["0.weight"])


def test_scaling_a_relu_network_does_not_change_its_landscape() -> None:
    """What filter normalisation is for."""
    plain = nn.Sequential(nn.Linear(4, 8, bias=False), nn.ReLU(), nn.Linear(8, 2, bias=False))
    x, y = torch.randn(20, 4), torch.randint(0, 2, (20,))
    scaled = nn.Sequential(nn.Linear(4, 8, bias=False), nn.ReLU(), nn.Linear(8, 2, bias=False))
    with torch.no_grad():
        scaled[0].weight.copy_(plain[0].weight * 16)
        scaled[2].weight.copy_(plain[2].weight / 16)

    def ask(module: nn.Module) -> Tensor:
        return nn.functional.cross_entropy(module(x), y)

    one, other = landscape(plain, ask, side=5), landscape(scaled, ask, side=5)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-4)


@pytest.mark.parametrize("end", ["returns", "cancelled", "fails", "progress fails"])
def test_everything_is_put_back_however_it_ends(end: str) -> None:
    model = net()
    model[0].eval()
    model[5].bias.requires_grad_(False)
    with torch.no_grad():
        model[5].bias.copy_(torch.tensor([-0.0, 1e-42, 3]))
    before = bits(model)
    drawn = generators()
    calls = 0

    def wild(module: nn.Module) -> Tensor:
        nonlocal calls
        calls += 1
        module.train()  # dropout draws, batch norm counts
        value = loss(module)
        module[1].running_mean = torch.full((4,), 9.0)
        if end == "fails" and calls == 7:
            raise KeyError("seven")
        return value

    def told(fraction: float) -> None:
        if end == "progress fails" and fraction > 0.4:
            raise KeyError("progress")

    stop: Callable[[], bool] = lambda: end == "cancelled" and calls == 5  # noqa: E731
    if end == "returns":
        first = landscape(model, wild, side=3)
        second = landscape(model, wild, side=3)
        np.testing.assert_array_equal(first.loss, second.loss)
    else:
        with pytest.raises(Cancelled if end == "cancelled" else KeyError):
            landscape(model, wild, side=5, cancelled=stop, progress=told)
    after = bits(model)
    assert after == before
    assert generators() == drawn


def test_progress_is_told_and_ends_at_one() -> None:
    told: list[float] = []
    landscape(nn.Linear(2, 2), lambda m: m.weight.sum(), side=3, progress=told.append)
    assert told == pytest.approx([n / 9 for n in range(1, 10)])


def test_what_is_not_finite_stays_so_and_is_said() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    found = landscape(model, lambda m: torch.log(m.weight.sum()), side=5, span=3)
    bad = int((~np.isfinite(found.loss)).sum())
    assert bad > 0
    assert found.notes[1] == (
        "explain.landscape.not_finite",
        {"count": str(bad), "total": "25"},
    )


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(Refusal, match="no weights"):
        landscape(nn.BatchNorm1d(3), lambda m: 0.0)
    with pytest.raises(Refusal, match="not finite"):
        landscape(nn.Linear(2, 2), lambda m: float("nan"))
    for side in (4, 1, 2.5, True):
        with pytest.raises(ValueError, match="odd"):
            landscape(nn.Linear(2, 2), lambda m: 0.0, side=side)  # type: ignore[arg-type]
    for span in (0, -1, float("inf")):
        with pytest.raises(ValueError, match="above zero"):
            landscape(nn.Linear(2, 2), lambda m: 0.0, span=span)
