"""How good a surrogate is, against scikit-learn's scores and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score
from torch import Tensor, nn

from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.surrogate import Surrogate, over_seeds, weighted_r2

numbers = st.floats(-100, 100, width=32)
weights = st.floats(0.0625, 50, width=32)


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(numbers, numbers, st.floats(0.0625, 50, width=32)), min_size=2, max_size=20
    )
)
def test_r2_is_scikit_learns(rows: list[tuple[float, float, float]]) -> None:
    truth, predicted, weight = (torch.tensor(part) for part in zip(*rows, strict=True))
    found = weighted_r2(truth, predicted, weight)
    if truth.max() - truth.min() < 1e-3:
        return  # nothing, or next to nothing, to explain: see below
    expected = r2_score(truth.numpy(), predicted.numpy(), sample_weight=weight.numpy())
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_r2_says_nothing_where_there_is_nothing_to_explain() -> None:
    same = torch.full((5,), 0.1)
    assert weighted_r2(same, same) is None
    assert weighted_r2(same, torch.arange(5.0)) is None
    assert weighted_r2(torch.tensor([1.0, torch.nan]), torch.zeros(2)) is None


def test_small_answers_are_explained_too() -> None:
    truth = torch.tensor([1e-6, 2e-6, 4e-6])
    assert weighted_r2(truth, truth) == 1.0


def lime(model: nn.Module, surrogate: Any, inputs: Tensor, **options: Any) -> Tensor:
    from captum.attr import Lime

    torch.manual_seed(0)
    found: Tensor = Lime(model, interpretable_model=surrogate).attribute(inputs, **options)
    return found


def test_captums_lime_gives_the_same_weights_and_its_fit_besides() -> None:
    """A surrogate of a linear model fits exactly; of a product, it cannot."""
    from captum._utils.models.linear_model import SkLearnLinearRegression

    class Product(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.prod(1)

    inputs = torch.tensor([[1.0, 2.0, 3.0]])
    line = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    with torch.random.fork_rng(devices=[]):
        plain = lime(line, SkLearnLinearRegression(), inputs, n_samples=60)
        watched = Surrogate(SkLearnLinearRegression())
        torch.testing.assert_close(lime(line, watched, inputs, n_samples=60), plain)
        assert watched.r2 == pytest.approx(1, abs=1e-6)
        assert (watched.samples, watched.features) == (60, 3)
        assert watched.distinct <= 8
        lime(Product(), watched, inputs, n_samples=60)
    assert watched.r2 is not None
    assert 0 < watched.r2 < 0.9


def test_r2_in_lime_is_that_of_the_samples_it_saw() -> None:
    from captum._utils.models.linear_model import SkLearnLasso

    seen: list[Any] = []

    class Watching(SkLearnLasso):
        def fit(self, train_data: Any, **options: Any) -> Any:
            seen.extend(train_data)
            return super().fit(train_data, **options)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
        watched = Surrogate(Watching(alpha=0.01))
        lime(model, watched, torch.randn(1, 4), n_samples=40)
    ((x, y, w),) = seen
    weight = watched.representation().numpy().ravel()
    bias = watched.model.bias().item()
    expected = r2_score(y.numpy(), x.numpy() @ weight + bias, sample_weight=w.numpy())
    assert watched.r2 == pytest.approx(expected, abs=1e-4)


def test_spread_is_numpys() -> None:
    def run(seed: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(1, 3, generator=generator), torch.randn(1, 2, 2, generator=generator)

    found = over_seeds(run, (0, 1, 5))
    for place in range(2):
        values = np.stack([run(seed)[place].numpy() for seed in (0, 1, 5)])
        np.testing.assert_allclose(found.mean[place], values.mean(0), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(found.std[place], values.std(0), rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(found.first[place], run(0)[place])
    assert found.seeds == (0, 1, 5)


def test_seeds_can_be_cancelled_between() -> None:
    seen = []

    def run(seed: int) -> tuple[Tensor, ...]:
        seen.append(seed)
        return (torch.zeros(1),)

    def stop(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        over_seeds(run, range(5), progress=stop)
    assert seen == [0]
    with pytest.raises(ValueError, match="at least one"):
        over_seeds(run, ())
