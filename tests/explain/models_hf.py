"""Tiny models of the transformers library."""

from __future__ import annotations

from torch import nn

from tests.explain.models import seeded


def tiny_bert() -> nn.Module:
    """Give a BERT classifier of two layers with three labels."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
        num_labels=3,
        attn_implementation="eager",
    )
    return seeded(lambda: BertForSequenceClassification(config))


def tiny_vit() -> nn.Module:
    """Give a ViT classifier of 4 × 4 patches with a class token."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        image_size=16,
        patch_size=4,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=3,
        attn_implementation="eager",
    )
    return seeded(lambda: ViTForImageClassification(config))


def tiny_gpt() -> nn.Module:
    """Give a GPT-2 whose head is tied to its embedding."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=25,
        n_positions=12,
        n_embd=12,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        attn_implementation="eager",
    )
    return seeded(lambda: GPT2LMHeadModel(config))
