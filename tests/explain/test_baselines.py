"""Baselines: each against the same thing written down with numpy or torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from nnwidgets.catalogue import text
from nnwidgets.explain.asked import Asked
from nnwidgets.explain.baselines import (
    NAMES,
    baseline_names,
    baseline_tensors,
    baseline_words,
)
from nnwidgets.explain.question import Question
from nnwidgets.probe.refusal import Refusal
from tests.explain import models
from tests.explain.models import ids, noise, seeded


def asked_of(make: Any, sample: Any, index: int = 0) -> tuple[Asked, Question]:
    question = Question(seeded(make), sample)
    return question.ask(index, 0), question


IMAGE = noise(4, 3, 12, 9)


@pytest.fixture
def image() -> tuple[Asked, Question]:
    return asked_of(models.SmallCNN, IMAGE, 1)


@pytest.mark.parametrize(
    ("baseline", "value"), [(None, 0), ("zero", 0), (0.5, 0.5), (-2, -2), (np.float32(3), 3)]
)
def test_numbers_stand_everywhere(
    image: tuple[Asked, Question], baseline: Any, value: float
) -> None:
    (made,) = baseline_tensors(*image, baseline)
    torch.testing.assert_close(made, torch.full((1, 3, 12, 9), float(value)))


def test_the_mean_is_over_the_samples(image: tuple[Asked, Question]) -> None:
    (made,) = baseline_tensors(*image, "mean")
    np.testing.assert_allclose(made[0], IMAGE.numpy().mean(0), rtol=1e-5, atol=1e-6)
    (alone,) = baseline_tensors(image[0], None, "mean")
    expected = IMAGE[1].numpy().mean((1, 2), keepdims=True) * np.ones((3, 12, 9))
    np.testing.assert_allclose(alone[0], expected, rtol=1e-4, atol=1e-6)


def test_the_mean_passes_over_what_is_not_finite() -> None:
    rows = noise(5, 6)
    rows[1, 2], rows[3, 2] = torch.nan, torch.inf
    (made,) = baseline_tensors(*asked_of(models.MLP, rows), "mean")
    plain = rows.numpy()
    finite = np.where(np.isfinite(plain), plain, np.nan)
    np.testing.assert_allclose(made[0], np.nanmean(finite, 0), rtol=1e-5)


def test_the_blur_is_gaussian(image: tuple[Asked, Question]) -> None:
    (made,) = baseline_tensors(*image, "blurred")
    expected = IMAGE[1].double().numpy()
    for axis in (1, 2):
        spread = 12 / 10
        expected = gaussian_filter1d(
            expected, spread, axis=axis, mode="nearest", radius=int(np.ceil(3 * spread))
        )
    np.testing.assert_allclose(made[0], expected, atol=1e-5)


def test_signals_and_sequences_are_blurred_along_time() -> None:
    signal = torch.zeros(2, 2, 9)
    signal[0, 0, 4] = 1
    (made,) = baseline_tensors(*asked_of(models.Conv1dNet, signal), "blurred")
    assert made[0, 0].sum().item() == pytest.approx(1, abs=1e-5)
    assert made[0, 0, 4] < 1
    assert made[0, 1].abs().max() == 0
    sequence = torch.zeros(2, 9, 3)
    sequence[0, 4, 0] = 1
    (made,) = baseline_tensors(*asked_of(models.SequenceLSTM, sequence), "blurred")
    assert made[0, :, 0].sum().item() == pytest.approx(1, abs=1e-5)
    assert made[0, :, 1:].abs().max() == 0


def test_another_sample(image: tuple[Asked, Question]) -> None:
    torch.testing.assert_close(baseline_tensors(*image, "sample")[0], IMAGE[2:3])
    torch.testing.assert_close(baseline_tensors(*image, "sample:3")[0], IMAGE[3:4])
    last = image[1].ask(3, 0)
    torch.testing.assert_close(baseline_tensors(last, image[1], "sample")[0], IMAGE[0:1])


def test_tensors_are_broadcast_and_copied(image: tuple[Asked, Question]) -> None:
    asked, question = image
    plane = noise(12, 9, seed=8)
    for given in (plane, plane[None], plane.numpy(), plane.double()):
        (made,) = baseline_tensors(asked, question, given)
        assert made.dtype == torch.float32
        torch.testing.assert_close(made, plane.expand(1, 3, 12, 9))
    made.zero_()
    assert plane.abs().max() > 0


def test_tokens_have_vectors_for_baselines() -> None:
    words = ids(3, 6)
    sample = {"ids": words, "lengths": torch.tensor([6, 3, 4])}
    asked, question = asked_of(models.TokenLSTM, sample, 1)
    table = asked.root.embedding.weight.detach()
    assert isinstance(table, Tensor)
    assert baseline_tensors(asked, question, "zero")[0].abs().max() == 0
    (pad,) = baseline_tensors(asked, question, "pad")
    torch.testing.assert_close(pad, table[0].expand(1, 6, 5))
    (given,) = baseline_tensors(asked, question, torch.tensor([4, 4, 1, 2, 3, 9]))
    torch.testing.assert_close(given[0], table[[4, 4, 1, 2, 3, 9]])
    (one,) = baseline_tensors(asked, question, np.array([7]))
    torch.testing.assert_close(one[0], table[7].expand(6, 5))
    (mean,) = baseline_tensors(asked, question, "mean")
    torch.testing.assert_close(mean[0], table[words].mean((0, 1)).expand(6, 5))
    (other,) = baseline_tensors(asked, question, "sample")
    torch.testing.assert_close(other[0], table[words[2]])
    with pytest.raises(Refusal, match="from 0 to 19"):
        baseline_tensors(asked, question, torch.tensor([99]))
    assert "pad" in baseline_names(asked, question)


def test_categories_are_looked_up_column_by_column() -> None:
    asked, question = asked_of(models.Categories, ids(4, 2))
    (made,) = baseline_tensors(asked, question, torch.tensor([3, 8]))
    first, second = (column.weight.detach() for column in asked.root.columns)  # type: ignore[union-attr]
    torch.testing.assert_close(made[0, 0, :2], first[3])
    torch.testing.assert_close(made[0, 1], second[8])


def test_several_inputs_have_one_each() -> None:
    asked, question = asked_of(models.TwoInputs, (noise(3, 1, 6, 6), noise(3, 4)))
    picture, row = baseline_tensors(asked, question, (0.5, "mean"))
    assert (picture == 0.5).all()
    np.testing.assert_allclose(row[0], noise(3, 4).numpy().mean(0), rtol=1e-5)
    picture, row = baseline_tensors(asked, question, {"1": 2.0})
    assert (picture == 0).all()
    assert (row == 2).all()
    picture, row = baseline_tensors(asked, question, "blurred")
    assert picture.abs().max() > 0
    assert (row == 0).all()  # a row has no neighbours: it stays at zero
    with pytest.raises(Refusal, match="3 baselines were given for 2"):
        baseline_tensors(asked, question, (0, 1, 2))
    with pytest.raises(Refusal, match="no input left"):
        baseline_tensors(asked, question, {"left": 0})


def test_what_is_no_baseline_is_said(image: tuple[Asked, Question]) -> None:
    asked, question = image
    for wrong, sentence in (
        ("black", "no baseline black"),
        ("sample:9", "no sample 9"),
        ("sample:x", "no baseline sample:x"),
        (noise(5), "shape 5 does not fit"),
        (torch.tensor(torch.nan), "NaN"),
        ("pad", "padding token"),
    ):
        with pytest.raises(Refusal, match=sentence):
            baseline_tensors(asked, question, wrong)
    for wrong in (True, object()):
        with pytest.raises(TypeError, match="baseline must be"):
            baseline_tensors(asked, question, wrong)
    table = asked_of(models.MLP, noise(1, 6))
    with pytest.raises(Refusal, match="cannot be blurred"):
        baseline_tensors(*table, "blurred")
    with pytest.raises(Refusal, match="no other sample"):
        baseline_tensors(*table, "sample")


def test_those_that_apply_are_offered_and_have_words() -> None:
    cases: list[tuple[Any, Any, tuple[str, ...]]] = [
        (models.SmallCNN, IMAGE, NAMES),
        (models.MLP, noise(4, 6), ("zero", "mean", "sample")),
        (models.MLP, noise(1, 6), ("zero", "mean")),
        (nn.Identity, noise(2, 3), ("zero", "mean", "sample")),
    ]
    for make, sample, names in cases:
        asked, question = asked_of(make, sample)
        assert baseline_names(asked, question) == names
        for name in names:
            (made,) = baseline_tensors(asked, question, name)
            assert made.shape == asked.inputs[0].shape
            for language in ("en", "zh"):
                key, params = baseline_words(name, asked, question)
                assert "{" not in text(key, language, **params)
    asked, question = asked_of(models.SmallCNN, IMAGE)
    assert baseline_words(0.5, asked)[1] == {"value": "0.5"}
    assert baseline_words("mean", asked, question)[1] == {"count": "4"}
    assert baseline_words("sample", asked, question)[1] == {"index": "1"}
    assert baseline_words(IMAGE, asked)[0] == "explain.baseline.given"
