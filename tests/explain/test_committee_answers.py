"""Committees asked through a predictor: against each member asked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.explain import committee_answers
from nnwidgets.explain.committee_answers import CommitteePredictor, committee_for
from nnwidgets.explain.predictor import Predictor
from nnwidgets.probe.refusal import Refusal
from tests.generators import generators

POINTS = np.random.default_rng(0).normal(size=(40, 2))


def net(outputs: int = 3, norm: bool = False) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, 8),
        nn.BatchNorm1d(8) if norm else nn.Identity(),
        nn.Tanh(),
        nn.Dropout(0.4),
        nn.Linear(8, outputs),
    ).eval()


def states(model: nn.Module, count: int = 5) -> list[dict[str, torch.Tensor]]:
    start = {name: value.clone() for name, value in model.state_dict().items()}
    return [
        {
            name: value + 0.1 * torch.randn(value.shape)
            if value.is_floating_point() and "running" not in name
            else value
            for name, value in start.items()
        }
        for _ in range(count)
    ]


def bits(model: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("way", ["mc_dropout", "snapshots", "laplace", "list"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_classes_are_the_mean_of_the_members_and_entropies_add_up(way: str, outputs: int) -> None:
    model = net(outputs)
    before = bits(model)
    predictor = Predictor(model, classes=max(outputs, 2))
    committee = committee_for(
        [net(outputs) for _ in range(3)] if way == "list" else way,
        predictor,
        data=POINTS,
        snapshots=states(model),
        count=4,
    )
    drawn = generators()
    found = CommitteePredictor(predictor, committee).answer(POINTS[:9])
    assert generators() == drawn
    rows = torch.as_tensor(POINTS[:9], dtype=torch.float32)
    members = []
    for index in range(committee.count):
        with committee.member(index) as module, torch.no_grad():
            z = module(rows).double()
            p = z.softmax(1) if outputs > 1 else torch.cat([1 - z.sigmoid(), z.sigmoid()], 1)
            members.append(p.numpy())
    p = np.stack(members)
    np.testing.assert_allclose(found.probabilities, p.mean(0), atol=1e-6)
    h = -(p * np.log(p)).sum(-1)
    total = -(p.mean(0) * np.log(p.mean(0))).sum(-1)
    np.testing.assert_allclose(found.aleatoric, h.mean(0), atol=1e-5)
    np.testing.assert_allclose(found.epistemic, total - h.mean(0), atol=1e-5)
    assert float(np.max(found.epistemic)) > 0
    assert found.values is None
    assert bits(model) == before


def test_values_of_a_regression_have_variances() -> None:
    model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1)).eval()
    predictor = Predictor(model)
    targets = model(torch.as_tensor(POINTS, dtype=torch.float32)).detach().numpy()[:, 0]
    targets = targets + np.random.default_rng(1).normal(0, 0.3, 40)
    laplace = committee_for("laplace", predictor, data=POINTS, targets=targets, count=3000)
    found = CommitteePredictor(predictor, laplace).answer(POINTS[:3])
    assert found.probabilities is None
    run = lambda m: m(torch.as_tensor(POINTS[:3], dtype=torch.float32))  # noqa: E731
    exact = laplace.covariance(run)[:, :, 0].numpy()  # type: ignore[attr-defined]
    np.testing.assert_allclose(found.epistemic, exact, rtol=0.12)
    np.testing.assert_allclose(found.aleatoric, laplace.noise)  # type: ignore[attr-defined]
    assert 0.03 < laplace.noise < 0.25  # type: ignore[attr-defined]
    others = [nn.Linear(2, 1), nn.Linear(2, 1)]
    plain = CommitteePredictor(predictor, committee_for(others, predictor)).answer(POINTS[:3])
    assert plain.aleatoric is None
    values = np.stack([other(torch.as_tensor(POINTS[:3]).float()).detach() for other in others])
    np.testing.assert_allclose(plain.epistemic, values.var(0), rtol=1e-4)


def test_many_points_are_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = net()
    predictor = Predictor(model, classes=3)
    points = np.random.default_rng(2).normal(size=(300, 2))
    asked = CommitteePredictor(predictor, committee_for("mc_dropout", predictor, count=3))
    whole = asked.answer(points)
    monkeypatch.setattr(committee_answers, "_NUMBERS", 1)
    parts = asked.answer(points)
    for name in ("probabilities", "epistemic", "aleatoric"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-6)
    assert parts.values is None


def test_batch_norm_of_drawn_weights_sees_the_data() -> None:
    model = net(norm=True)
    predictor = Predictor(model, classes=3)
    data = np.random.default_rng(3).normal(5, 2, (65, 2))
    committee = committee_for("snapshots", predictor, data=data, snapshots=states(model), count=2)
    with committee.member(0) as module, torch.no_grad():
        given = module[0](torch.as_tensor(data, dtype=torch.float32))
        torch.testing.assert_close(module[1].running_mean, given.mean(0), rtol=1e-4, atol=1e-5)
    assert committee.notes[1][0] == "explain.uncertainty.norm_anew"


def test_it_can_be_stopped() -> None:
    class Enough(Exception):
        pass

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise Enough

    model = net()
    before = bits(model)
    predictor = Predictor(model, classes=3)
    asked = CommitteePredictor(predictor, committee_for("mc_dropout", predictor))
    with pytest.raises(Enough):
        asked.answer(POINTS, check)
    assert bits(model) == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_way_that_cannot_tell_says_so() -> None:
    plain = nn.Sequential(nn.Linear(2, 3), nn.Tanh()).eval()
    predictor = Predictor(plain, classes=3)
    with pytest.raises(Refusal, match="no dropout"):
        committee_for("mc_dropout", predictor)
    with pytest.raises(Refusal, match="0 snapshots"):
        committee_for("snapshots", predictor)
    with pytest.raises(Refusal, match="No linear layer"):
        committee_for("laplace", predictor, data=POINTS)
    with pytest.raises(Refusal, match="training points"):
        committee_for("laplace", predictor)
    with pytest.raises(Refusal, match="disagree with itself"):
        committee_for([plain], predictor)
    with pytest.raises(ValueError, match="mc_dropout, snapshots, laplace"):
        committee_for("bootstrap", predictor)
