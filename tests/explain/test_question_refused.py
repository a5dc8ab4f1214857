"""What cannot be asked is said, and leaves nothing behind; names that are given."""

from __future__ import annotations

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
from tests.explain.questions import hooks


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
