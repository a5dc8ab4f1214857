"""Entropies and variances: by hand, by scipy-free formulas, and as a property."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nnwidgets.explain.committee import Ensemble, holding, member_answers, set_aside
from nnwidgets.explain.uncertainty import decompose, decompose_values, entropy
from nnwidgets.probe.refusal import Refusal


def test_entropies_by_hand() -> None:
    members = [[[1, 0], [0.5, 0.5], [0.9, 0.1]], [[0, 1], [0.5, 0.5], [0.7, 0.3]]]
    found = decompose(members)
    log = np.log
    h = -(0.8 * log(0.8) + 0.2 * log(0.2))
    each = [-(0.9 * log(0.9) + 0.1 * log(0.1)), -(0.7 * log(0.7) + 0.3 * log(0.3))]
    np.testing.assert_allclose(found.total, [log(2), log(2), h])
    np.testing.assert_allclose(found.aleatoric, [0, log(2), np.mean(each)], atol=1e-15)
    np.testing.assert_allclose(found.epistemic, [log(2), 0, h - np.mean(each)], atol=1e-15)
    np.testing.assert_allclose(found.mean, [[0.5, 0.5], [0.5, 0.5], [0.8, 0.2]])
    assert found.members == 2


@given(
    members=st.integers(1, 5),
    points=st.integers(0, 6),
    classes=st.integers(2, 6),
    sharp=st.sampled_from([0.01, 1.0, 50.0, 1000.0]),
    seed=st.integers(0, 1000),
)
def test_the_parts_add_up_and_have_their_bounds(
    members: int, points: int, classes: int, sharp: float, seed: int
) -> None:
    z = torch.as_tensor(np.random.default_rng(seed).normal(size=(members, points, classes)) * sharp)
    p = z.softmax(-1).numpy()
    found = decompose(p)
    np.testing.assert_allclose(found.total, found.aleatoric + found.epistemic, atol=1e-12)
    np.testing.assert_allclose(
        found.total,
        torch.distributions.Categorical(torch.as_tensor(p.mean(0))).entropy() if points else [],
        atol=1e-6,
    )
    assert (found.epistemic >= 0).all()
    assert (found.total <= np.log(classes) + 1e-12).all()
    assert (found.epistemic <= np.log(members) + 1e-12).all()
    if members == 1:
        np.testing.assert_array_equal(found.epistemic, 0)


def test_classes_that_do_not_exclude_each_other_are_questions_of_their_own() -> None:
    p = np.random.default_rng(0).uniform(0, 1, (4, 6, 3))
    found = decompose(p, exclusive=False)
    parts = [decompose(np.stack([p[..., k], 1 - p[..., k]], -1)) for k in range(3)]
    for name in ("total", "aleatoric", "epistemic"):
        np.testing.assert_allclose(
            getattr(found, name), sum(getattr(part, name) for part in parts), atol=1e-12
        )
    np.testing.assert_allclose(found.mean, p.mean(0))


def test_a_small_disagreement_is_not_lost() -> None:
    d = 1e-9
    found = decompose([[[0.5 + d, 0.5 - d]], [[0.5 - d, 0.5 + d]]])
    # Second order: KL(½ + d ‖ ½) = 2 d².
    np.testing.assert_allclose(found.epistemic, 2 * d * d, rtol=1e-2, atol=1e-16)
    assert entropy([1.0, 0.0]) == 0
    assert not np.signbit(entropy([1.0, 0.0]))


def test_what_is_not_a_number_stays_so_and_what_is_no_probability_is_refused() -> None:
    found = decompose([[[0.5, 0.5], [np.nan, 0.5]], [[0.5, 0.5], [0.5, 0.5]]])
    assert found.total[0] == pytest.approx(np.log(2))
    assert np.isnan([found.total[1], found.aleatoric[1], found.epistemic[1]]).all()
    with pytest.raises(ValueError, match="softmax"):
        decompose([[[2.0, -1.0]]])
    with pytest.raises(ValueError, match="softmax"):
        decompose([[[0.9, 0.9]]])
    with pytest.raises(ValueError, match="between 0 and 1"):
        decompose([[[0.9, 1.9]]], exclusive=False)
    for form in ((2, 3), (0, 3, 2), (2, 3, 1)):
        with pytest.raises(ValueError, match="form"):
            decompose(np.zeros(form))


def test_variances_follow_the_law_of_total_variance() -> None:
    generator = np.random.default_rng(0)
    means, noise = generator.normal(size=(7, 5, 2)), generator.uniform(0.1, 2, (7, 5, 2))
    found = decompose_values(means, noise)
    # A mixture of normals: E y² − (E y)².
    second = (noise + means**2).mean(0) - means.mean(0) ** 2
    assert found.total is not None
    np.testing.assert_allclose(found.total, second)
    np.testing.assert_allclose(found.epistemic, means.var(0))
    np.testing.assert_allclose(found.mean, means.mean(0))
    flat = decompose_values(means[:, :, 0], noise[:, :, 0])
    assert flat.total is not None
    np.testing.assert_allclose(flat.total[:, 0], second[:, 0])
    unknown = decompose_values(means)
    assert unknown.aleatoric is None
    assert unknown.total is None
    with pytest.raises(ValueError, match="negative"):
        decompose_values(means, -noise)
    with pytest.raises(ValueError, match="form"):
        decompose_values(np.zeros(3))


def test_an_ensemble_is_the_list_of_its_models() -> None:
    models = [nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.9), nn.Softmax(1)) for _ in range(3)]
    models[1].eval()
    modes = [[m.training for m in model.modules()] for model in models]
    points = torch.randn(4, 2)
    told: list[float] = []
    found = member_answers(Ensemble(models), lambda m: m(points), progress=told.append)
    assert [[m.training for m in model.modules()] for model in models] == modes
    for model, rows in zip(models, found, strict=True):
        np.testing.assert_array_equal(rows, model.eval()(points).detach().numpy())
    assert told == pytest.approx([1 / 3, 2 / 3, 1])


def test_an_ensemble_must_be_several_models_of_one_question() -> None:
    with pytest.raises(Refusal, match="disagree with itself"):
        Ensemble([nn.Linear(2, 2)])
    with pytest.raises(Refusal, match="4×3"):
        member_answers(Ensemble([nn.Linear(2, 2), nn.Linear(2, 3)]), lambda m: m(torch.zeros(4, 2)))

    class Enough(Exception):
        pass

    def stop() -> None:
        raise Enough

    with pytest.raises(Enough):
        member_answers(Ensemble([nn.Linear(2, 2)] * 2), lambda m: m(torch.zeros(1, 2)), check=stop)


def test_set_aside_and_holding_put_back_every_bit() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    strange = torch.tensor([float("nan"), -0.0, float("inf")])
    with torch.no_grad():
        model[0].bias.copy_(strange)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    objects = [*model.parameters(), *model.buffers()]

    def untouched() -> None:
        after = model.state_dict()
        for name, value in before.items():
            assert value.numpy().tobytes() == after[name].numpy().tobytes(), name
        now = [*model.parameters(), *model.buffers()]
        assert all(a is b for a, b in zip(objects, now, strict=True))
        assert model.training

    def spoil() -> None:
        with set_aside(model):
            model.eval()
            with torch.no_grad():
                model[0].bias.fill_(3)
            model[1].running_mean = torch.ones(3)
            model[1].train()(torch.randn(5, 3))
            raise KeyError

    def hold() -> None:
        with holding([(model[0].bias, torch.ones(3))]):
            assert model[0].bias.tolist() == [1, 1, 1]
            raise KeyError

    for harm in (spoil, hold):
        with pytest.raises(KeyError):
            harm()
        untouched()
