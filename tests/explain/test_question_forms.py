"""Inputs of unusual form: bytes, halves, no axes, a graph behind them, not finite, one row."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.explain.question import Question
from tests.explain import models
from tests.explain.models import ids, noise, seeded
from tests.explain.questions import PADDED, lengths


def test_vectors_take_the_place_of_the_embedding() -> None:
    """The gradient towards embedded tokens, against the one that the weights' rows get."""
    root, words = seeded(models.TokenTransformer), torch.tensor([[3, 8, 5, 1]])
    asked = Question(root, {"input_ids": words}).ask(0, 1)
    (vectors,) = (value.clone().requires_grad_() for value in asked.inputs)
    (gradient,) = torch.autograd.grad(asked.model(vectors, *asked.others).sum(), [vectors])
    rows = torch.autograd.grad(root(words)["logits"][0, 1], [root.words.weight])[0][words[0]]
    torch.testing.assert_close(gradient[0], rows, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_padding_in_a_bag_has_no_influence(mode: str) -> None:
    root = seeded(lambda: models.Bag(mode))
    asked = Question(root, PADDED).ask(0, 2)
    (vectors,) = (value.clone().requires_grad_() for value in asked.inputs)
    (gradient,) = torch.autograd.grad(asked.model(vectors, *asked.others).sum(), [vectors])
    share = root.head.weight[2].detach() / (2 if mode == "mean" else 1)
    torch.testing.assert_close(gradient[0], torch.stack([share, share, share * 0, share * 0]))


def test_a_column_is_zero_beyond_its_own_embedding() -> None:
    root, table = seeded(models.Categories), ids(4, 2)
    asked = Question(root, table).ask(1, 0)
    first, second = (column(table[1, at]) for at, column in enumerate(root.columns))
    torch.testing.assert_close(asked.inputs[0][0, 0], torch.cat([first, torch.zeros(1)]))
    torch.testing.assert_close(asked.inputs[0][0, 1], second.detach())


def test_bytes_that_the_model_turns_into_numbers_are_attributed() -> None:
    cnn = seeded(lambda: models.SmallCNN(1))

    class Bytes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cnn = cnn

        def forward(self, x: Tensor) -> Tensor:
            return self.cnn(x.float() / 255)

    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    question = Question(Bytes().eval(), images)
    assert question.kind == "image"
    asked = question.ask(1, 2)
    expected = cnn(images[1:].float() / 255)[0, 2].item()
    assert asked.model(*asked.inputs).item() == pytest.approx(expected, abs=1e-5)


def test_half_precision_and_strides() -> None:
    root = seeded(models.MLP).to(torch.bfloat16)
    sample = noise(6, 4).t().to(torch.bfloat16)
    assert not sample.is_contiguous()
    asked = Question(root, sample).ask(3, 1)
    expected = models.called(root, sample)[3, 1].item()
    assert asked.model(*asked.inputs).item() == pytest.approx(expected, rel=0.02)
    values = asked.shaped(asked.inputs)
    assert isinstance(values, np.ndarray)
    assert values.dtype == np.float32


def test_a_graph_that_led_to_the_sample_is_not_kept() -> None:
    sample = noise(3, 6).requires_grad_() * 2
    asked = Question(seeded(models.MLP), sample).ask(0)
    assert all(not value.requires_grad for value in asked.inputs)
    asked.inputs[0].zero_()
    assert sample.detach().abs().min() > 0


def test_not_a_number_goes_through() -> None:
    sample = noise(3, 6)
    sample[1, 2] = torch.nan
    question = Question(seeded(models.MLP), sample)
    raw, _ = question.scores(1)
    assert np.isnan(raw).all()
    assert question.ask(1).target == 0
    assert torch.isnan(question.ask(1).model(*question.ask(1).inputs)).all()


def test_probabilities_are_known_though_some_rows_are_not_numbers() -> None:
    sample = noise(3, 6)
    sample[1, 2] = torch.nan
    for last, kind in ((nn.Softmax(1), "probabilities"), (nn.LogSoftmax(1), "log_probabilities")):
        root = seeded(lambda last=last: models.MLP(last=last))
        assert Question(root, sample).output.kind == kind
        assert Question(root, sample * torch.nan).output.kind == kind


def test_numbers_without_axes() -> None:
    class Product(nn.Module):
        def forward(self, left: Tensor, right: Tensor, shift: float) -> Tensor:
            return left * right + shift

    left, right = noise(4), noise(4, seed=6)
    question = Question(Product(), {"left": left, "right": right, "shift": 2.0})
    assert [slot.shape for slot in question.slots] == [(), ()]
    asked = question.ask(2)
    inputs = [value.clone().requires_grad_() for value in asked.inputs]
    score = asked.model(*inputs, *asked.others)
    assert score.item() == pytest.approx((left[2] * right[2] + 2).item())
    gradients = torch.autograd.grad(score.sum(), inputs)
    assert [g.item() for g in gradients] == pytest.approx([right[2].item(), left[2].item()])
    values = asked.shaped(gradients)
    assert isinstance(values, dict)
    assert values["left"].shape == ()


def test_each_of_several_inputs_has_a_gradient_even_where_the_score_needs_it_not() -> None:
    class Half(nn.Module):
        def forward(self, x: Tensor, unused: Tensor) -> Tensor:
            return x * 2

    unused = noise(3, 5)
    unused[0, 0] = torch.inf
    asked = Question(Half(), (noise(3, 4), unused)).ask(0, 1)
    inputs = [value.clone().requires_grad_() for value in asked.inputs]
    score = asked.model(*inputs)
    assert score.item() == pytest.approx(2 * inputs[0][0, 1].item())
    gradients = torch.autograd.grad(score.sum(), inputs)
    assert gradients[0].tolist() == [[0, 2, 0, 0]]
    assert gradients[1].abs().max() == 0


def test_a_batch_of_one() -> None:
    for make, sample in (
        (models.MLP, noise(1, 6)),
        (models.SmallCNN, noise(1, 3, 8, 8)),
        (models.TokenLSTM, {"ids": ids(1, 6), "lengths": lengths(4)}),
    ):
        question = Question(seeded(make), sample)
        assert question.count == 1
        asked = question.ask(0)
        assert asked.model(*asked.inputs, *asked.others).shape == (1,)
