"""A question's score is what the model itself says, however it is called and answers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from nnwidgets.explain.question import Question
from nnwidgets.probe.refusal import Refusal
from tests.explain import models, models_hf
from tests.explain.models import ids, noise, seeded
from tests.explain.questions import CASES, MASK, asked_of, hooks, row_of


@pytest.mark.parametrize("name", CASES)
def test_the_score_is_the_models_own(name: str) -> None:
    root, sample, facts, question = asked_of(name)
    plain = row_of(models.called(root, copy.deepcopy(sample)))
    assert question.kind == facts.get("kind", question.kind)
    assert question.output.kind == facts.get("output", "logits")
    assert question.output.classes == facts.get("classes", question.output.classes)
    assert question.count == len(plain)
    for index in range(question.count):
        for target in range(question.output.classes):
            asked = question.ask(index, target)
            score = asked.model(*asked.inputs, *asked.others)
            row = plain[index].flatten()
            if question.output.kind == "probability":
                row = torch.stack([1 - row[0], row[0]])
            expected = row[target]
            assert score.shape == (1,)
            assert score.item() == pytest.approx(expected.item(), abs=1e-5)
    assert hooks(root) == 0


@pytest.mark.parametrize("name", CASES)
def test_what_is_attributed_has_a_gradient_and_leaves_nothing_behind(name: str) -> None:
    root, sample, _, question = asked_of(name)
    state = {key: value.clone() for key, value in root.state_dict().items()}
    before = copy.deepcopy(sample)
    asked = question.ask(0, 0)
    inputs = [value.clone().requires_grad_() for value in asked.inputs]
    gradients = torch.autograd.grad(asked.model(*inputs, *asked.others).sum(), inputs)
    for gradient, value, slot in zip(gradients, asked.inputs, asked.slots, strict=True):
        assert gradient.shape == value.shape
        assert value.shape[0] == 1
        assert not value.requires_grad
        if slot.token_ids is None:
            assert tuple(value.shape[1:]) == slot.shape
        else:
            assert slot.token_ids.shape == slot.shape
            assert tuple(value.shape[1:-1]) == slot.shape
    assert all(torch.equal(state[key], value) for key, value in root.state_dict().items())
    assert all(parameter.grad is None for parameter in root.parameters())
    assert str(before) == str(sample)
    assert hooks(root) == 0


@pytest.mark.parametrize("name", CASES)
def test_many_rows_are_many_scores(name: str) -> None:
    _, _, _, question = asked_of(name)
    asked = question.ask(1 % question.count, 0)
    rows = [torch.cat([value, value * 0.5, value * 0]) for value in asked.inputs]
    together = asked.model(*rows, *asked.others)
    single = [asked.model(*(row[n : n + 1] for row in rows), *asked.others) for n in range(3)]
    assert together.shape == (3,)
    torch.testing.assert_close(together, torch.cat(single), atol=1e-5, rtol=1e-5)
    probability = asked.class_probability(*rows)
    assert probability.shape == (3,)
    if question.output.kind != "regression":
        assert ((probability >= 0) & (probability <= 1)).all()


@pytest.mark.parametrize("name", ["mlp", "probabilities", "log", "sigmoid", "bert", "two"])
def test_scores_and_probabilities_belong_together(name: str) -> None:
    _, _, _, question = asked_of(name)
    raw, shares = question.scores(0)
    assert shares is not None
    assert len(raw) == len(shares) == question.output.classes
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert raw.argmax() == shares.argmax()
    asked = question.ask(0)
    assert asked.target == raw.argmax()
    for target in range(question.output.classes):
        asked = question.ask(0, target)
        score = asked.model(*asked.inputs, *asked.others)
        assert score.item() == pytest.approx(raw[target], abs=1e-5)
        assert asked.class_probability().item() == pytest.approx(shares[target], abs=1e-5)


def test_one_logit_is_told_from_a_quantity_by_who_asks() -> None:
    root, sample = seeded(lambda: models.MLP(outputs=1)), noise(4, 6)
    z = models.called(root, sample)[:, 0]
    assert Question(root, sample).output.kind == "regression"
    assert Question(root, sample).ask(0).target is None
    for question in (Question(root, sample, binary=True), Question(root, sample, classes=2)):
        assert question.output.kind == "logit"
        for target, sign in ((1, 1), (0, -1)):
            asked = question.ask(2, target)
            score = asked.model(*asked.inputs, *asked.others)
            assert score.item() == pytest.approx(sign * z[2].item(), abs=1e-6)
            expected = torch.sigmoid(sign * z[2]).item()
            assert asked.class_probability().item() == pytest.approx(expected, abs=1e-6)
        raw, shares = question.scores(2)
        np.testing.assert_allclose(raw, [-z[2], z[2]], rtol=1e-5)
        assert shares is not None
        np.testing.assert_allclose(shares, [torch.sigmoid(-z[2]), torch.sigmoid(z[2])], rtol=1e-5)
        assert question.ask(2).target == int(z[2] > 0)
    assert Question(root, sample, binary=False).output.kind == "regression"


def test_several_quantities_are_no_classes_if_that_is_said() -> None:
    root, sample = seeded(models.MLP), noise(4, 6)
    question = Question(root, sample, output="regression")
    assert question.ask(0).target == 0
    raw, shares = question.scores(1)
    assert shares is None
    np.testing.assert_allclose(raw, models.called(root, sample)[1], rtol=1e-5)


def test_a_place_in_the_output_of_tokens_and_pixels() -> None:
    tagger, words = seeded(models.TiedTagger), ids(2, 5, most=7)
    question = Question(tagger, words)
    assert question.output.kind == "other"
    asked = question.ask(1, (3, 2))
    plain = models.called(tagger, words)
    score = asked.model(*asked.inputs, *asked.others)
    assert score.item() == pytest.approx(plain[1, 3, 2].item(), abs=1e-5)
    share = plain[1, 3].softmax(0)[2].item()
    assert asked.class_probability().item() == pytest.approx(share, abs=1e-5)
    raw, shares = question.scores(1, (3, 2))
    np.testing.assert_allclose(raw, plain[1, 3], atol=1e-5)
    assert shares is not None
    np.testing.assert_allclose(shares, plain[1, 3].softmax(0), atol=1e-5)

    segmenter, image = seeded(models.Segmenter), noise(2, 3, 6, 5)
    question = Question(segmenter, image)
    asked = question.ask(0, (1, 4, 2))
    plain = models.called(segmenter, image)["out"]
    score = asked.model(*asked.inputs, *asked.others)
    assert score.item() == pytest.approx(plain[0, 1, 4, 2].item(), abs=1e-5)
    share = plain[0, :, 4, 2].softmax(0)[1].item()
    assert asked.class_probability().item() == pytest.approx(share, abs=1e-5)
    with pytest.raises(Refusal, match="3 integers"):
        question.ask(0)
    with pytest.raises(Refusal, match="2×6×5"):
        question.ask(0, (1, 6, 0))


def test_a_callable_builds_the_score() -> None:
    root, image = seeded(models.Segmenter), noise(2, 3, 6, 5)
    question = Question(root, image)
    asked = question.ask(1, lambda output: output["out"][:, 1].sum((1, 2)))
    expected = models.called(root, image)["out"][1, 1].sum().item()
    assert asked.model(*asked.inputs).item() == pytest.approx(expected, abs=1e-4)
    assert asked.class_probability().item() == pytest.approx(expected, abs=1e-4)
    for wrong, got in (
        (lambda output: output["out"].sum(), "not 1"),
        (lambda output: 3.0, "float"),
        (lambda output: output["out"].argmax(1), "not 1×6×5"),
        (lambda output: output["masks"], "KeyError"),
    ):
        with pytest.raises(Refusal, match=got):
            question.ask(0, wrong)


def test_target_of_picks_the_scores() -> None:
    root, sample = seeded(models.SequenceLSTM), noise(3, 7, 3)
    question = Question(root, sample, target_of=lambda output: output[1][:, -1])
    assert question.output.classes == 6
    asked = question.ask(2, 4)
    expected = models.called(root, sample)[1][2, -1, 4].item()
    assert asked.model(*asked.inputs).item() == pytest.approx(expected, abs=1e-6)
    with pytest.raises(Refusal, match="function of the output"):
        Question(root, sample, target_of=lambda output: 3)


def test_gpt_knows_its_tokens_though_its_head_is_tied() -> None:
    root, words = models_hf.tiny_gpt(), ids(2, 6)
    question = Question(root, {"input_ids": words})
    asked = question.ask(0, (5, 7))
    plain = models.called(root, words).logits
    score = asked.model(*asked.inputs, *asked.others)
    assert score.item() == pytest.approx(plain[0, 5, 7].item(), abs=1e-4)
    assert asked.inputs[0].shape == (1, 6, 12)
    torch.testing.assert_close(asked.inputs[0][0], root.transformer.wte(words[0]).detach())


def test_answers_come_in_the_form_of_the_sample() -> None:
    root, sample = seeded(models.TokenTransformer), {"input_ids": ids(2, 5), "attention_mask": MASK}
    asked = Question(root, sample).ask(1)
    values = asked.shaped(asked.inputs)
    assert isinstance(values, dict)
    assert list(values) == ["input_ids"]
    np.testing.assert_allclose(values["input_ids"], asked.inputs[0][0].sum(-1), rtol=1e-5)
    assert asked.slots[0].token_ids is not None
    np.testing.assert_array_equal(asked.slots[0].token_ids, sample["input_ids"][1])

    both = Question(seeded(models.TwoInputs), (noise(3, 1, 6, 6), noise(3, 4))).ask(0)
    pair = both.shaped(both.inputs)
    assert isinstance(pair, tuple)
    assert [one.shape for one in pair] == [(1, 6, 6), (4,)]
    single = Question(seeded(models.MLP), noise(4, 6)).ask(0)
    assert isinstance(single.shaped(single.inputs), np.ndarray)


def test_another_model_is_asked_the_same() -> None:
    one, other = seeded(models.TokenTransformer), seeded(models.TokenTransformer, seed=9)
    words = {"input_ids": ids(2, 5)}
    asked = Question(one, words).ask(1, 2).on(other)
    again = Question(other, words).ask(1, 2)
    torch.testing.assert_close(asked.inputs[0], again.inputs[0])
    score = asked.model(*asked.inputs, *asked.others)
    torch.testing.assert_close(score, again.model(*again.inputs, *again.others))
    moved = Question(one, words).on(other).ask(1, 2)
    torch.testing.assert_close(score, moved.model(*moved.inputs, *moved.others))
