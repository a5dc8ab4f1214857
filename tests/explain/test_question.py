"""A question's score is what the model itself says, however it is called and answers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nnwidgets.explain.names import class_names, feature_names, token_texts
from nnwidgets.explain.question import Question
from nnwidgets.probe.refusal import Refusal
from tests.explain import models
from tests.explain.models import ids, noise, seeded


def hooks(root: nn.Module) -> int:
    """Count all hooks on a model."""
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(m, table)) for m in root.modules() for table in tables)


def lengths(*sizes: int) -> Tensor:
    return torch.tensor(sizes)


MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
PADDED = torch.tensor([[3, 4, 0, 0], [7, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4]])
CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    # what makes the model, the sample, and: kind of the main slot, of the output, classes
    "linear": (models.Linear2, noise(5, 3), dict(kind="table", output="logits", classes=2)),
    "one number": (models.MinOfReLUs, noise(3, 2), dict(output="regression", classes=1)),
    "mlp": (models.MLP, noise(4, 6), dict(kind="table", output="logits", classes=3)),
    "probabilities": (
        lambda: models.MLP(last=nn.Softmax(1)),
        noise(4, 6),
        dict(output="probabilities", classes=3),
    ),
    "log": (
        lambda: models.MLP(last=nn.LogSoftmax(1)),
        noise(4, 6),
        dict(output="log_probabilities"),
    ),
    "sigmoid": (
        lambda: models.MLP(outputs=1, last=nn.Sigmoid()),
        noise(4, 6),
        dict(output="probability", classes=2),
    ),
    "cnn": (models.SmallCNN, noise(2, 3, 8, 8), dict(kind="image", output="logits", classes=4)),
    "grey": (lambda: models.SmallCNN(1), noise(2, 1, 8, 8), dict(kind="image")),
    "bands": (lambda: models.SmallCNN(7), noise(2, 7, 8, 8), dict(kind="image")),
    "resnet": (models.ResNetish, noise(2, 3, 8, 8), dict(kind="image", classes=5)),
    "signal": (models.Conv1dNet, noise(3, 2, 9), dict(kind="signal")),
    "turned": (lambda: models.Conv1dNet(True), noise(3, 9, 2), dict(kind="sequence")),
    "sequence": (models.SequenceLSTM, noise(3, 7, 3), dict(kind="sequence", classes=2)),
    "packed": (
        models.TokenLSTM,
        {"ids": ids(3, 6), "lengths": lengths(6, 2, 4)},
        dict(kind="tokens", output="regression"),
    ),
    "masked": (
        models.TokenTransformer,
        {"input_ids": ids(2, 5), "attention_mask": MASK},
        dict(kind="tokens", classes=3),
    ),
    "two": (
        models.TwoInputs,
        (noise(3, 1, 6, 6), noise(3, 4), True),
        dict(kind="image", classes=2),
    ),
    "siamese": (models.Siamese, (ids(3, 4), ids(3, 5, seed=6)), dict(kind="tokens")),
    "equal texts": (models.Siamese, (ids(3, 4), ids(3, 4)), dict(kind="tokens")),
    "wide": (models.WideAndDeep, ids(3, 4), dict(kind="tokens", output="regression")),
    "bag": (models.Bag, ids(3, 4), dict(kind="tokens", classes=3)),
    "bag, sum": (lambda: models.Bag("sum"), PADDED, dict(kind="tokens", classes=3)),
    "bag, padded": (models.Bag, PADDED, dict(kind="tokens", classes=3)),
    "bag, max": (lambda: models.Bag("max"), PADDED, dict(kind="tokens", classes=3)),
    "columns": (models.Categories, ids(4, 2), dict(kind="table", classes=3)),
    "in place": (models.InPlace, noise(3, 4), dict(kind="table")),
    "bert": (
        models.tiny_bert,
        {"input_ids": ids(2, 5), "attention_mask": MASK, "token_type_ids": torch.zeros_like(MASK)},
        dict(kind="tokens", classes=3),
    ),
    "vit": (models.tiny_vit, {"pixel_values": noise(2, 3, 16, 16)}, dict(kind="image", classes=3)),
    "bert embedded": (
        models.tiny_bert,
        {"inputs_embeds": noise(2, 5, 16)},
        dict(kind="sequence", classes=3),
    ),
}


def asked_of(name: str) -> tuple[nn.Module, Any, dict[str, Any], Question]:
    make, sample, facts = CASES[name]
    root = seeded(make)
    return root, sample, facts, Question(root, sample)


def row_of(output: Any) -> Tensor:
    """The scores in an output, found by hand."""
    if isinstance(output, dict):
        output = output["logits"]
    return output[0] if isinstance(output, tuple) else output


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
    root, words = models.tiny_gpt(), ids(2, 6)
    question = Question(root, {"input_ids": words})
    asked = question.ask(0, (5, 7))
    plain = models.called(root, words).logits
    score = asked.model(*asked.inputs, *asked.others)
    assert score.item() == pytest.approx(plain[0, 5, 7].item(), abs=1e-4)
    assert asked.inputs[0].shape == (1, 6, 12)
    torch.testing.assert_close(asked.inputs[0][0], root.transformer.wte(words[0]).detach())


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


@pytest.mark.parametrize(
    ("make", "sample", "sentence"),
    [
        (models.MLP, torch.zeros(0, 6), "no sample"),
        (models.Sabotage, noise(3, 4), r"in second"),
        (models.MLP, noise(3, 7), "cannot be run"),
        (lambda: nn.Flatten(), ids(3, 4), "no nn.Embedding"),
        (models.MLP, torch.ones(3, 6, dtype=torch.bool), "nothing to attribute"),
    ],
)
def test_what_cannot_be_asked_is_said(make: Any, sample: Tensor, sentence: str) -> None:
    root = seeded(make)
    with pytest.raises(Refusal, match=sentence):
        Question(root, sample)
    assert hooks(root) == 0


def test_wrong_calls_are_said() -> None:
    root, sample = seeded(models.MLP), noise(4, 6)
    question = Question(root, sample)
    with pytest.raises(Refusal, match="from 0 to 3"):
        question.ask(4)
    with pytest.raises(Refusal, match="from 0 to 2"):
        question.ask(0, 3)
    with pytest.raises(Refusal, match="from 0 to 2"):
        question.ask(0, -1)
    with pytest.raises(TypeError, match="target must be"):
        question.ask(0, 1.5)
    with pytest.raises(TypeError, match="target must be"):
        question.ask(0, True)
    with pytest.raises(TypeError, match="index must be"):
        question.ask("first")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a tensor"):
        Question(root, "text")
    with pytest.raises(ValueError, match="output must be one of"):
        Question(root, sample, output="odds")
    with pytest.raises(Refusal, match="4 class names"):
        Question(root, sample, classes=4)
    with pytest.raises(Refusal, match="3 class names"):
        Question(seeded(lambda: models.MLP(outputs=1)), sample, classes=3)
    assert question.ask(-1).index == 3
    assert question.ask(0, torch.tensor(2)).target == 2
    assert question.ask(0, np.int64(2)).target == 2
    assert question.ask(0, (2,)).target == 2


def test_a_failing_model_leaves_no_hook() -> None:
    root = seeded(models.TokenTransformer)
    question = Question(root, {"input_ids": ids(2, 5)})
    asked = question.ask(0)
    with pytest.raises(RuntimeError):
        asked.model(torch.zeros(1, 5, 3), *asked.others)
    assert hooks(root) == 0


@given(rows=st.integers(1, 6), index=st.integers(-8, 8), target=st.integers(-2, 5))
def test_any_index_and_target_is_answered_or_refused(rows: int, index: int, target: int) -> None:
    sample = noise(rows, 3)
    root = models.Linear2().eval()
    question = Question(root, sample)
    if -rows <= index < rows and 0 <= target < 2:
        asked = question.ask(index, target)
        expected = root(sample)[index, target]
        torch.testing.assert_close(asked.model(*asked.inputs)[0], expected)
    else:
        with pytest.raises(Refusal):
            question.ask(index, target)


# --- names ----------------------------------------------------------------------------------------


def test_names_are_texts_as_many_as_needed() -> None:
    question = Question(seeded(models.MLP), noise(4, 6))
    slot = question.slots[0]
    assert class_names(None, question) == ("0", "1", "2")
    assert class_names(["<b>a</b>", 2, None], question) == ("<b>a</b>", "2", "None")
    with pytest.raises(Refusal, match="2 class names"):
        class_names(["a", "b"], question)
    with pytest.raises(TypeError, match="class_names"):
        class_names("abc", question)
    assert feature_names(np.array(list("abcdef")), slot) == tuple("abcdef")
    with pytest.raises(Refusal, match="5 feature names were given for 6"):
        feature_names(list("abcde"), slot)
    image = Question(seeded(models.SmallCNN), noise(2, 3, 8, 8)).slots[0]
    with pytest.raises(Refusal, match="image"):
        feature_names(["a"], image)
    sequence = Question(seeded(models.SequenceLSTM), noise(3, 7, 3)).slots[0]
    assert feature_names(["a", "b", "c"], sequence) == ("a", "b", "c")
    assert feature_names(None, sequence) is None


def test_token_texts_from_lists_and_vocabularies() -> None:
    asked = Question(seeded(models.TokenTransformer), {"input_ids": torch.tensor([[4, 2, 0]])}).ask(
        0
    )
    slot = asked.slots[0]
    assert token_texts(None, slot, 0, 1) == ("4", "2", "0")
    assert token_texts(["a", "b", "c"], slot, 0, 1) == ("a", "b", "c")
    assert token_texts([["a", "b"]], slot, 0, 1) == ("a", "b", "0")
    assert token_texts({4: "four", 2: "two"}, slot, 0, 1) == ("four", "two", "0")
    assert token_texts({"four": 4, "two": 2}, slot, 0, 1) == ("four", "two", "0")
    assert token_texts(lambda one: "t" * one, slot, 0, 1) == ("tttt", "tt", "")
    with pytest.raises(Refusal, match="4 token texts"):
        token_texts([list("abcd")], slot, 0, 1)
    with pytest.raises(Refusal, match="1 samples"):
        token_texts([["a"]], slot, 0, 2)
    with pytest.raises(Refusal, match="IndexError"):
        token_texts(lambda one: "ab"[one], slot, 0, 1)
    with pytest.raises(TypeError, match="tokens must be"):
        token_texts("abc", slot, 0, 1)
