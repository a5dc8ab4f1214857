"""Tables that ship with scikit-learn: what a network needs of them, over the set and for a row."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.inspection import permutation_importance as sklearn_importance
from torch import Tensor, nn

from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.importance import table_importance
from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from nnwidgets.probe.refusal import Refusal
from tests.explain.tables import Trained, breast_cancer, diabetes, wine
from tests.explain.test_importance import Given


@pytest.mark.parametrize("load", [breast_cancer, wine, diabetes])
def test_importance_of_each_column_is_scikit_learns(load: Any) -> None:
    trained: Trained = load()

    def predict(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return trained.model(torch.from_numpy(rows)).double().numpy()

    classes = load is not diabetes
    theirs = sklearn_importance(
        Given(predict, classes), trained.rows.numpy(), trained.targets, n_repeats=3, random_state=5
    )
    question = Question(trained.model, trained.rows)
    ours = table_importance(question, trained.targets, repeats=3, seed=5)
    np.testing.assert_allclose(ours.raw, theirs.importances, atol=1e-6)
    assert ours.base > (0.97 if classes else 0.5)
    assert ours.mean.shape == (len(trained.names),)
    assert ours.mean.max() > 0.01


@pytest.mark.parametrize("load", [breast_cancer, wine, diabetes])
def test_signed_bars_of_a_row_add_up_to_the_prediction(load: Any) -> None:
    """… less what the model says of the mean row, which is zero in a standardised table."""
    trained: Trained = load()
    question = Question(trained.model, trained.rows)
    for index in (0, 60, 150):
        asked = question.ask(index)
        found = explain(asked, "integrated_gradients", options={"n_steps": 200}).values
        assert isinstance(found, np.ndarray)
        assert found.shape == (len(trained.names),)
        assert found.min() < 0 < found.max()
        with torch.no_grad():
            here = trained.model(trained.rows[index : index + 1])[0]
            nothing = trained.model(torch.zeros(1, len(trained.names)))[0]
        target = asked.target or 0
        assert isinstance(target, int)
        expected = (here - nothing)[target].item()
        assert found.sum() == pytest.approx(expected, rel=0.02, abs=0.02)


class Beside(nn.Module):
    """A table of numbers, one of ids, and a mask that must stay with its row."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.ModuleList([nn.Embedding(4, 2) for _ in range(2)])
        self.line = nn.Linear(3, 1)

    def forward(self, numbers: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        looked = [embed(ids[:, n]).sum(1) for n, embed in enumerate(self.embed)]
        return (self.line(numbers)[:, 0] + 3 * looked[1]) * mask.float()


def test_columns_of_several_tables_and_of_ids() -> None:
    """… and only what is shuffled changes; against the same, done plainly."""
    torch.manual_seed(0)
    model = Beside().eval()
    numbers, ids = torch.randn(40, 3), torch.randint(0, 4, (40, 2))
    mask = torch.arange(40) % 3 > 0
    sample = {"numbers": numbers, "ids": ids, "mask": mask}
    found = table_importance(Question(model, sample), repeats=2, seed=1)
    assert found.score == "own_r2"
    assert found.base == 1

    def predict(rows: np.ndarray) -> np.ndarray:
        floats = torch.from_numpy(rows[:, :3]).float()
        with torch.no_grad():
            return model(floats, torch.from_numpy(rows[:, 3:]).long(), mask).double().numpy()

    joined = np.concatenate([numbers.double().numpy(), ids.double().numpy()], 1)
    theirs = sklearn_importance(
        Given(predict, False), joined, predict(joined), n_repeats=2, random_state=1
    )
    np.testing.assert_allclose(found.raw, theirs.importances, atol=1e-5)


def test_one_logit_is_cut_at_zero_and_one_probability_at_a_half() -> None:
    rows = torch.linspace(-2, 2, 30)[:, None].repeat(1, 2)
    right = (rows[:, 0] > 0).numpy()
    line = nn.Linear(2, 1)
    with torch.no_grad():
        line.weight.copy_(torch.tensor([[1.0, 0.0]]))
        line.bias.zero_()
    for model in (line, nn.Sequential(line, nn.Sigmoid())):
        found = table_importance(Question(model.eval(), rows, binary=True), right)
        assert found.base == 1
        assert found.mean[0] > 0.2
        assert found.mean[1] == 0


def test_what_cannot_be_had_is_said_before_the_model_runs_on_all() -> None:
    with pytest.raises(Refusal, match="table"):
        table_importance(Question(nn.Conv2d(1, 1, 3).eval(), torch.zeros(2, 1, 8, 8)))
    model = nn.Linear(3, 2).eval()
    with pytest.raises(Refusal, match="two"):
        table_importance(Question(model, torch.zeros(1, 3)))
    with pytest.raises(ValueError, match="3 targets for 4 rows"):
        table_importance(Question(model, torch.zeros(4, 3)), [0, 1, 0])
    with pytest.raises(ValueError, match="one-hot"):
        table_importance(Question(model, torch.randn(4, 3)), np.eye(4))


def test_it_can_be_cancelled_and_leaves_the_model_as_it_was() -> None:
    trained = wine()
    before = copy.deepcopy(trained.model.state_dict())
    count = 0

    def check() -> None:
        nonlocal count
        count += 1
        if count > 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        table_importance(Question(trained.model, trained.rows), check=check)
    assert count == 6
    assert all(torch.equal(before[k], v) for k, v in trained.model.state_dict().items())
    assert not any(module._forward_hooks for module in trained.model.modules())
