"""ViT and BERT as users have them, with random weights from a small configuration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.inspector.conftest import Make, blocks
from tests.inspector.test_families import look_at_everything

transformers = pytest.importorskip("transformers")


def vit() -> tuple[nn.Module, Any]:
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        image_size=16, patch_size=8, num_labels=3,
    )  # fmt: skip
    return transformers.ViTForImageClassification(config).eval(), torch.randn(2, 3, 16, 16)


def bert() -> tuple[nn.Module, Any]:
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=16,
    )  # fmt: skip
    sample = {
        "input_ids": torch.randint(0, 50, (2, 7)),
        "attention_mask": torch.ones(2, 7, dtype=torch.long),
    }
    return transformers.BertForSequenceClassification(config).eval(), sample


@pytest.mark.parametrize("build", [vit, bert])
def test_every_tab_of_every_layer(build: Any, make: Make) -> None:
    torch.manual_seed(0)
    model, sample = build()
    inspector = make(model, sample)
    seen = look_at_everything(inspector)
    kinds = {kind for found in seen.values() for kind in found}
    assert {"matrix", "bars", "histogram", "terms"} <= kinds
    assert sum(layer.n_params for layer in inspector.layers) <= sum(
        p.numel() for p in model.parameters()
    )


@pytest.mark.parametrize("build", [vit, bert])
def test_attention_is_shown_where_it_is_made(build: Any, make: Make) -> None:
    """… as rows that sum to one, of each head."""
    torch.manual_seed(0)
    model, sample = build()
    inspector = make(model, sample)
    names = [row.name for row in inspector.layers if row.type.endswith("SelfAttention")] or [
        row.name for row in inspector.layers if row.type.endswith("Attention")
    ]
    assert names
    inspector.selected = names[0]
    shown = blocks(inspector)["attention"]
    assert shown.arrays["pixels"].shape[0] == 4
    np.testing.assert_allclose(shown.arrays["pixels"].sum(-1), 1.0, atol=1e-4)
