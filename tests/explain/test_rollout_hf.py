"""Attention rollout of ViT, BERT and GPT-2 as users have them, against their own attentions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nnwidgets.explain.methods import explain
from nnwidgets.explain.question import Question
from tests.explain.test_rollout import by_hand

transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


def vit() -> tuple[nn.Module, Any, list[int]]:
    config = transformers.ViTConfig(
        **SMALL, intermediate_size=64, image_size=24, patch_size=8, num_labels=3
    )
    return transformers.ViTForImageClassification(config), torch.randn(1, 3, 24, 24), [0]


def bert() -> tuple[nn.Module, Any, list[int]]:
    config = transformers.BertConfig(
        **SMALL, intermediate_size=64, vocab_size=50, max_position_embeddings=16, num_labels=3
    )
    model = transformers.BertForSequenceClassification(config)
    return model, {"input_ids": torch.randint(1, 50, (1, 7))}, [0]


def gpt2() -> tuple[nn.Module, Any, list[int]]:
    """Reads the last word before the padding."""
    config = transformers.GPT2Config(
        vocab_size=50, n_embd=32, n_layer=3, n_head=4, n_positions=16, num_labels=3,
        pad_token_id=0, bos_token_id=1, eos_token_id=1,
    )  # fmt: skip
    ids = torch.randint(2, 50, (1, 7))
    ids[0, 5:] = 0
    sample = {"input_ids": ids, "attention_mask": (ids > 0).long()}
    return transformers.GPT2ForSequenceClassification(config), sample, [4]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("build", [vit, bert, gpt2])
def test_rollout_is_that_of_the_models_own_attentions(build: Any, attention: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, sample, rows = build()
    model.eval().set_attn_implementation("eager")
    with torch.no_grad():
        given = sample if isinstance(sample, dict) else {"pixel_values": sample}
        maps = model(**given, output_attentions=True).attentions
    expected = by_hand([each[0].double().numpy() for each in maps])[rows].mean(0)
    model.set_attn_implementation(attention)
    found = explain(Question(model, sample).ask(0), "attention_rollout")
    assert found.details["read"] == tuple(rows)
    np.testing.assert_allclose(found.details["shares"], expected, atol=1e-6)
    if build is vit:
        assert np.shape(found.values) == (24, 24)
        # Nine patches of 8 × 8; in the middle of a patch stands the mean of four pixels' weights.
        middle = np.asarray(found.values).reshape(3, 8, 3, 8)[:, 3:5, :, 3:5].mean((1, 3))
        assert np.corrcoef(middle.ravel(), expected[1:])[0, 1] > 0.99
    else:
        assert isinstance(found.values, dict)
        np.testing.assert_allclose(found.values["input_ids"], expected, atol=1e-6)
