"""Several models together: means and entropies by hand, and the surface that comes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.committee import Ensemble
from nnwidgets.explain.joint_predictor import JointPredictor
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.refine import refine
from nnwidgets.explain.surface import surface
from nnwidgets.explain.view_plane import Slice
from nnwidgets.probe.refusal import Refusal

X = np.random.default_rng(0).normal(size=(50, 2))
PLANE = Slice(X)


def nets(count: int = 3, outputs: int = 3) -> list[nn.Module]:
    return [
        nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, outputs)).double().eval()
        for _ in range(count)
    ]


def asked(models: list[nn.Module]) -> Tensor:
    with torch.no_grad():
        return torch.stack([model(torch.tensor(X)) for model in models])


def entropy(p: Any) -> Any:
    return -(p * np.log(p)).sum(-1)


def test_classes_by_hand() -> None:
    models = nets()
    found = JointPredictor(Predictor(models[0]), Ensemble(models)).answer(X)
    p = asked(models).softmax(-1).numpy()
    mean: Any = found.probabilities
    epistemic: Any = found.epistemic
    aleatoric: Any = found.aleatoric
    np.testing.assert_allclose(mean, p.mean(0))
    np.testing.assert_allclose(aleatoric, entropy(p).mean(0))
    np.testing.assert_allclose(epistemic, entropy(p.mean(0)) - entropy(p).mean(0), atol=1e-12)


def test_one_logit_each() -> None:
    models = nets(4, 1)
    found = JointPredictor(Predictor(models[0], classes=2), Ensemble(models)).answer(X)
    one = asked(models).sigmoid().numpy().mean(0)
    mean: Any = found.probabilities
    np.testing.assert_allclose(mean, np.hstack([1 - one, one]))


def test_values_by_hand() -> None:
    models = nets(4, 2)
    predictor = Predictor(models[0], output="regression")
    found = JointPredictor(predictor, Ensemble(models)).answer(X)
    values = asked(models).numpy()
    mean: Any = found.values
    epistemic: Any = found.epistemic
    np.testing.assert_allclose(mean, values.mean(0))
    np.testing.assert_allclose(epistemic, values.var(0))
    assert found.aleatoric is None
    picture = surface(JointPredictor(predictor, Ensemble(models)), PLANE, 5)
    assert picture.views == ("epistemic", "value")
    assert picture.view("epistemic", 1).shape == (5, 5)


def test_labels_that_do_not_exclude_each_other() -> None:
    models: list[nn.Module] = [nn.Sequential(model, nn.Sigmoid()) for model in nets()]
    found = JointPredictor(Predictor(models[0]), Ensemble(models)).answer(X)
    p = asked(models).numpy()
    both = np.stack([p, 1 - p], -1)
    aleatoric: Any = found.aleatoric
    np.testing.assert_allclose(aleatoric, entropy(both).mean(0).sum(-1))
    assert not found.exclusive


def test_the_parts_add_up_on_a_surface() -> None:
    models = nets(5)
    together = JointPredictor(Predictor(models[0]), Ensemble(models))
    found = surface(together, PLANE, 20)
    total: Any = found.entropy
    assert found.epistemic is not None
    assert found.aleatoric is not None
    np.testing.assert_allclose(total, found.epistemic + found.aleatoric, atol=1e-12)
    *_, state = refine(together, PLANE, 20)
    refined: Any = state.surface().epistemic
    np.testing.assert_allclose(refined, found.epistemic, atol=1e-12)


def test_members_of_other_questions_are_refused() -> None:
    models = [*nets(1, 3), *nets(1, 4)]
    with pytest.raises(Refusal, match="3"):
        JointPredictor(Predictor(models[0]), Ensemble(models)).answer(X)


def test_it_can_be_cancelled_between_members() -> None:
    models = nets()
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        JointPredictor(Predictor(models[0]), Ensemble(models)).answer(X, check)
