"""Answers for points: against the model called plainly, for everything that a model may return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.predictor import Predictor, finite_rows
from nnwidgets.probe.refusal import Refusal

POINTS = np.random.default_rng(0).normal(size=(300, 3))


@dataclass
class Output:
    """A dataclass, as the models of transformers return."""

    loss: Tensor | None
    logits: Tensor


class Wrapped(nn.Module):
    def __init__(self, body: nn.Module, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.body = body
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(self.body(x))


def net(outputs: int = 4, features: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(features, 8), nn.Tanh(), nn.Linear(8, outputs)).eval()


def plainly(model: nn.Module, points: Any = POINTS) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(torch.tensor(points, dtype=torch.float32))
    return found


def close(found: Any, wanted: Tensor) -> None:
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda z: z,
        lambda z: z.softmax(1),
        lambda z: z.log_softmax(1),
        lambda z: (z, z.mean()),
        lambda z: {"loss": z.mean(), "logits": z},
        lambda z: Output(None, z),
        lambda z: z[:, :, None],
        lambda z: (z.softmax(1),),
    ],
    ids=["logits", "probabilities", "log", "tuple", "dict", "dataclass", "axis", "in_tuple"],
)
def test_probabilities_of_classes(wrap: Callable[[Tensor], Any]) -> None:
    body = net()
    predictor = Predictor(Wrapped(body, wrap))
    close(predictor.probabilities(POINTS), plainly(body).softmax(1))


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("classes", [2, None])
def test_one_probability_gives_two_classes(squeeze: bool, classes: int | None) -> None:
    body = net(1)
    model = Wrapped(body, lambda z: z.sigmoid()[:, 0] if squeeze else z.sigmoid())
    one = plainly(body).sigmoid()
    close(Predictor(model, classes=classes).probabilities(POINTS), torch.cat([1 - one, one], dim=1))


@pytest.mark.parametrize("count", [1, 2, 65])
def test_a_model_that_squeezes_away_what_is_one(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = net(1)
    predictor = Predictor(Wrapped(body, lambda z: z.squeeze()), classes=2)
    monkeypatch.setattr(predictor, "_batch", lambda width: 64)
    found = predictor.probabilities(POINTS[:count])
    assert found.shape == (count, 2)
    close(found[:, 1:], plainly(body, POINTS[:count]).sigmoid())


def test_one_logit_gives_two_classes() -> None:
    body = net(1)
    z = plainly(body)
    found = Predictor(body, classes=2).probabilities(POINTS)
    close(found, torch.cat([torch.zeros_like(z), z], 1).softmax(1))


@pytest.mark.parametrize("outputs", [1, 3])
def test_values_of_a_regression(outputs: int) -> None:
    body = net(outputs)
    found = Predictor(body, output="regression").values(POINTS)
    assert found.shape == (300, outputs)
    close(found, plainly(body))


def test_one_number_that_nothing_is_said_of_is_a_quantity() -> None:
    assert Predictor(net(1)).kind(POINTS).kind == "regression"


def test_labels_that_do_not_exclude_each_other() -> None:
    body = net(3)
    answers = Predictor(Wrapped(body, torch.sigmoid)).answer(POINTS)
    assert not answers.exclusive
    close(answers.probabilities, plainly(body).sigmoid())


def test_what_the_other_kind_of_model_has_is_refused() -> None:
    with pytest.raises(Refusal, match="no probabilities"):
        Predictor(net(1)).probabilities(POINTS)
    with pytest.raises(Refusal, match="no values"):
        Predictor(net(3)).values(POINTS)


def test_scores_may_be_picked() -> None:
    body = net(4)
    model = Wrapped(body, lambda z: z[:, :, None].expand(-1, -1, 5))
    with pytest.raises(Refusal, match="4×5 numbers for a point"):
        Predictor(model).answer(POINTS)
    found = Predictor(model, target_of=lambda out: out[..., 0]).probabilities(POINTS)
    close(found, plainly(body).softmax(1))


def test_images_are_put_in_shape() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5)).eval()
    images = np.random.default_rng(1).normal(size=(20, 1, 8, 8))
    predictor = Predictor(model, shape=(1, 8, 8))
    wanted = plainly(model, images).softmax(1)
    close(predictor.probabilities(images.reshape(20, 64)), wanted)
    close(predictor.probabilities(images), wanted)
    with pytest.raises(Refusal, match="3 features were given where the model takes 64"):
        predictor.answer(POINTS)


@pytest.mark.parametrize("form", ["numpy", "tensor", "list", "float32", "int"])
def test_points_in_any_form(form: str) -> None:
    body = net()
    points: Any = POINTS.round() if form == "int" else POINTS
    wanted = plainly(body, points).softmax(1)
    given = {
        "numpy": points,
        "tensor": torch.tensor(points, requires_grad=True),
        "list": points.tolist(),
        "float32": points.astype(np.float32),
        "int": points.astype(int),
    }[form]
    close(Predictor(body).probabilities(given), wanted)


# --- preprocess -----------------------------------------------------------------------------------


def test_preprocess_of_arrays_as_of_a_scaler() -> None:
    from sklearn.preprocessing import StandardScaler

    body = net()
    scaler = StandardScaler().fit(POINTS * 5 + 3)
    found = Predictor(body, preprocess=scaler.transform).probabilities(POINTS)
    close(found, plainly(body, scaler.transform(POINTS)).softmax(1))


def test_preprocess_of_tensors() -> None:
    body = net()
    found = Predictor(body, preprocess=lambda x: x.sin().add(1)).probabilities(POINTS)
    close(found, plainly(body, np.sin(POINTS) + 1).softmax(1))


def test_preprocess_may_give_several_inputs_and_integers() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(4, 3)

        def forward(self, number: Tensor, kind: Tensor) -> Tensor:
            found: Tensor = number + self.table(kind)
            return found

    model = Two().eval()
    kinds = (POINTS[:, 0] > 0).astype(np.int64)
    wanted = (torch.tensor(POINTS).float() + model.table.weight[kinds]).softmax(1).detach()
    for made in (
        lambda x: {"number": x, "kind": (x[:, 0] > 0).astype(np.int64)},
        lambda x: (x, torch.tensor(x[:, 0] > 0).long()),
    ):
        close(Predictor(model, preprocess=made).probabilities(POINTS), wanted)


def test_sparse_matrices_are_made_dense() -> None:
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

    body = net()
    found = Predictor(body, preprocess=csr_matrix).probabilities(POINTS)
    close(found, plainly(body).softmax(1))


def test_what_preprocess_does_wrong_is_said() -> None:
    def fails(x: Any) -> Any:
        raise KeyError("age")

    with pytest.raises(Refusal, match="preprocess raised KeyError: 'age'"):
        Predictor(net(), preprocess=fails).answer(POINTS)
    with pytest.raises(Refusal, match="2 rows for 4 points"):
        Predictor(net(), preprocess=lambda x: x[:2]).answer(POINTS)
    with pytest.raises(Refusal, match="type str"):
        Predictor(net(), preprocess=lambda x: "text").answer(POINTS)
    with pytest.raises(TypeError, match="preprocess must be callable, not int"):
        Predictor(net(), preprocess=3)  # type: ignore[arg-type]


# --- bad input ------------------------------------------------------------------------------------


def test_rows_that_are_not_finite_are_counted() -> None:
    points = POINTS.copy()
    points[[7, 9], 1] = np.nan, np.inf
    with pytest.raises(Refusal, match="2 points hold NaN or infinite numbers, the first in row 7"):
        Predictor(net()).answer(points)
    assert np.flatnonzero(~finite_rows(points)).tolist() == [7, 9]
    assert finite_rows(points.reshape(300, 1, 3)).shape == (300,)


def test_large_finite_numbers_are_not_taken_for_infinite_ones() -> None:
    points = np.full((2, 3), 1e308)
    assert Predictor(net().double()).answer(points).probabilities is not None


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (np.zeros((0, 3)), "no point"),
        (np.zeros(3), "one row each"),
        (np.zeros((3, 0)), "one row each"),
        (np.zeros((5, 4)), "points of size 4"),
    ],
)
def test_points_that_do_not_fit(points: Any, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        Predictor(net()).answer(points)


def test_texts_are_no_points() -> None:
    with pytest.raises(TypeError, match="points must be numbers"):
        Predictor(net()).answer([["a", "b", "c"]])


def test_another_width_than_before_is_refused() -> None:
    predictor = Predictor(net())
    predictor.answer(POINTS)
    with pytest.raises(Refusal, match="2 features were given where the model takes 3"):
        predictor.answer(POINTS[:, :2])


def test_a_model_that_raises_or_gives_too_few_rows() -> None:
    def fails(z: Tensor) -> Tensor:
        raise RuntimeError("no such thing\nin two lines")

    with pytest.raises(Refusal, match="no such thing\\)"):
        Predictor(Wrapped(net(), fails)).answer(POINTS)
    with pytest.raises(Refusal):
        Predictor(Wrapped(net(), lambda z: z[:1])).answer(POINTS)
    with pytest.raises(Refusal, match="rows for"):
        Predictor(net(), target_of=lambda z: z[:2]).answer(POINTS)


def test_an_output_that_is_not_one_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="output must be one of logits"):
        Predictor(net(), output="logit s")


# --- how it is asked ------------------------------------------------------------------------------


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    body = net().double()
    wanted = torch.tensor(POINTS)
    with torch.no_grad():
        wanted = body(wanted).softmax(1)

    def seen(module: nn.Module, args: tuple[Tensor]) -> None:
        sizes.append(len(args[0]))

    predictor = Predictor(body)
    monkeypatch.setattr(predictor, "_batch", lambda width: 64)
    with body.register_forward_pre_hook(seen):
        found = predictor.probabilities(POINTS)
    assert sizes == [4, 64, 64, 64, 64, 44]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-12)


def test_slow_models_get_small_batches() -> None:
    predictor = Predictor(net())
    predictor.row_seconds = 1.0
    assert predictor._batch(3) == 64
    predictor.row_seconds = 1e-9
    assert predictor._batch(3) == 4096
    assert predictor._batch(150_528) == 64


def test_it_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    asked: list[int] = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Stopped

    predictor = Predictor(net())
    monkeypatch.setattr(predictor, "_batch", lambda width: 64)
    with pytest.raises(Stopped):
        predictor.answer(POINTS, check)


def test_a_hook_on_the_model_can_cancel_it() -> None:
    model = net()

    def stop(module: nn.Module, args: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled), model.register_forward_pre_hook(stop):
        Predictor(model).answer(POINTS)


def test_nothing_is_left_behind() -> None:
    class Greedy(nn.Module):
        """Works in place on what it is given."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.inner(x.mul_(2))
            return found

    model = Greedy().double().eval()
    before = POINTS.copy()
    state = torch.random.get_rng_state()
    answers = Predictor(model).answer(POINTS)
    assert np.array_equal(POINTS, before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert answers.probabilities is not None
    assert not torch.is_inference(torch.tensor(answers.probabilities))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_model_decides_about_precision(dtype: torch.dtype) -> None:
    body = net().to(dtype)
    found = Predictor(body).probabilities(POINTS)
    assert found.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    with torch.no_grad():
        wanted = body(torch.tensor(POINTS, dtype=dtype)).to(torch.float64).softmax(1)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-12 if found.itemsize == 8 else 1e-5)


def test_a_model_without_weights() -> None:
    found = Predictor(nn.Softmax(dim=1)).probabilities(POINTS)
    close(found, torch.tensor(POINTS).float().softmax(1))


def test_another_model_is_asked_the_same() -> None:
    first, second = net(1), net(1).double()
    predictor = Predictor(first, classes=2, preprocess=lambda x: x * 2)
    predictor.answer(POINTS)
    found = predictor.on(second).probabilities(POINTS)
    assert found.dtype == np.float64
    with torch.no_grad():
        one = second(torch.tensor(POINTS * 2)).sigmoid().numpy()
    np.testing.assert_allclose(found, np.hstack([1 - one, one]), rtol=1e-12)
    close(predictor.probabilities(POINTS)[:, 1:], plainly(first, POINTS * 2).sigmoid())
