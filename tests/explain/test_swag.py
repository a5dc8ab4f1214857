"""SWAG: moments of what is drawn against the moments of the snapshots, and nothing left behind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.committee import member_answers
from nnwidgets.explain.swag import SnapshotCommittee, late
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.snapshots import WeightSnapshots


def run(model: nn.Module, steps: int = 40) -> list[Mapping[str, Tensor]]:
    """Train a little, with weights kept as a widget keeps them."""
    kept = WeightSnapshots()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(steps):
        x = torch.randn(16, 2)
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        kept.take(model, step)
    found = [kept.nearest(step) for step in late(kept.steps)]
    return [one[1] for one in found if one is not None]


def vectors(model: nn.Module, states: list[Mapping[str, Tensor]]) -> np.ndarray:
    names = [name for name, _ in model.named_parameters()]
    return np.stack(
        [
            np.concatenate([state[name].double().numpy().ravel() for name in names])
            for state in states
        ]
    )


@pytest.mark.parametrize("rank", [0, 6])
def test_draws_have_the_moments_of_the_paper(rank: int) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    states = run(model)
    count = 4000
    committee = SnapshotCommittee(model, states, count=count, rank=rank, seed=3)
    drawn = vectors(model, [committee.draw(index) for index in range(count)])
    seen = vectors(model, states)
    diagonal = np.diag(seen.var(0))
    expected = diagonal
    if rank:
        away = (seen - seen.mean(0))[-rank:]
        expected = diagonal / 2 + away.T @ away / (2 * (rank - 1))
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(
        drawn.mean(0), seen.mean(0), atol=float(5 * scale.max() / count**0.5)
    )
    found = np.cov(drawn.T, bias=True)
    np.testing.assert_allclose(
        found / np.outer(scale, scale), expected / np.outer(scale, scale), atol=0.08
    )


def test_members_are_the_networks_with_those_weights() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 3))
    states = run(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    points = torch.randn(5, 2)
    numbers = torch.get_rng_state()
    committee = SnapshotCommittee(model, states, count=3)
    found = member_answers(committee, lambda m: m(points).softmax(1))
    for index, rows in enumerate(found):
        w = {name: value.float().double() for name, value in committee.draw(index).items()}
        hidden = np.tanh(points.double().numpy() @ w["0.weight"].numpy().T + w["0.bias"].numpy())
        z = hidden @ w["3.weight"].numpy().T + w["3.bias"].numpy()
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        np.testing.assert_allclose(rows, p, atol=1e-6)
    assert len({rows.tobytes() for rows in found}) == 3
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), numbers)
    assert [key for key, _ in committee.notes] == ["explain.uncertainty.snapshots"]


def test_batch_norm_takes_the_mean_of_the_statistics_or_new_ones() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4, momentum=0.3), nn.Linear(4, 2))
    states = run(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plain = SnapshotCommittee(model, states)
    with plain.member(0) as module:
        mean = torch.stack([state["1.running_mean"] for state in states]).double().mean(0)
        torch.testing.assert_close(module[1].running_mean.double(), mean, rtol=1e-5, atol=1e-7)
    assert plain.notes[1][0] == "explain.uncertainty.norm_mean"

    batches = [torch.randn(32, 2) + 5, torch.randn(32, 2) + 7]

    def refresh(module: nn.Module) -> None:
        for batch in batches:
            module(batch)

    fresh = SnapshotCommittee(model, states, refresh=refresh)
    with fresh.member(1) as module:
        assert not any(m.training for m in module.modules())
        given = torch.stack([module[0](batch) for batch in batches]).double()
        torch.testing.assert_close(
            module[1].running_mean.double(), given.mean((0, 1)), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            module[1].running_var.double(), given.var(1).mean(0), rtol=1e-4, atol=1e-5
        )
    assert fresh.notes[1][0] == "explain.uncertainty.norm_anew"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model[1].momentum == 0.3


def test_tied_weights_stay_tied() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    with SnapshotCommittee(model, run(model)).member(0) as module:
        assert module[0].weight is module[1].weight


def test_too_few_or_unfit_snapshots_are_said() -> None:
    model = nn.Linear(2, 2)
    state = dict(model.state_dict())
    with pytest.raises(Refusal, match="only one snapshot"):
        SnapshotCommittee(model, [state])
    with pytest.raises(Refusal, match="0 snapshots"):
        SnapshotCommittee(model, [])
    with pytest.raises(Refusal, match="weight"):
        SnapshotCommittee(model, [state, dict(nn.Linear(3, 2).state_dict())])
    with pytest.raises(Refusal, match="bias"):
        SnapshotCommittee(model, [state, {"weight": state["weight"]}])
    with pytest.raises(ValueError, match="two members"):
        SnapshotCommittee(model, [state, state], count=1)


def test_weights_that_stood_still_are_drawn_as_they_are() -> None:
    model = nn.Linear(2, 2)
    state = dict(model.state_dict())
    points = torch.randn(3, 2)
    found = member_answers(SnapshotCommittee(model, [state] * 3, count=2), lambda m: m(points))
    np.testing.assert_allclose(found[0], model(points).detach().numpy(), atol=1e-7)
    np.testing.assert_array_equal(found[0], found[1])


def test_the_last_part_of_a_run() -> None:
    assert late([]) == ()
    assert late([7]) == (7,)
    assert late([0, 10, 49, 50, 80, 100]) == (50, 80, 100)
    assert late([100, 150, 200], 0.25) == (200,)
