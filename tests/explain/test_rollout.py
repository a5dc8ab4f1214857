"""Attention rollout, against loops in numpy, on models whose attention is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnwidgets.explain.plane import token_grid
from nnwidgets.explain.question import Question
from nnwidgets.explain.registry import REGISTRY, Run
from nnwidgets.explain.rollout import attention_rollout, self_attention, tokens_read
from nnwidgets.probe.refusal import Refusal
from tests.explain.nets import Patches


def by_hand(maps: list[np.ndarray], residual: float = 0.5) -> np.ndarray:
    """Share of input token j in token i of the last layer, path by path."""
    tokens = maps[0].shape[-1]
    result = np.eye(tokens)
    for attention in maps:
        heads = attention.shape[0]
        after = np.zeros((tokens, tokens))
        for i in range(tokens):
            row = [sum(attention[h, i, k] for h in range(heads)) / heads for k in range(tokens)]
            mixed = [(1 - residual) * row[k] + residual * (i == k) for k in range(tokens)]
            total = sum(mixed)
            for k in range(tokens):
                after[i] += mixed[k] / total * result[k]
        result = after
    return result


@settings(max_examples=30, deadline=None)
@given(
    layers=st.integers(1, 4),
    heads=st.integers(1, 3),
    tokens=st.integers(1, 6),
    residual=st.sampled_from([0.5, 0.2]),
    seed=st.integers(0, 999),
)
def test_rollout_is_the_product_of_paths(
    layers: int, heads: int, tokens: int, residual: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = [
        torch.rand(heads, tokens, tokens, generator=generator).softmax(-1) for _ in range(layers)
    ]
    found = attention_rollout(maps, residual=residual)
    np.testing.assert_allclose(found, by_hand([m.double().numpy() for m in maps], residual))
    np.testing.assert_allclose(found.sum(1), 1)


def test_heads_can_be_joined_otherwise() -> None:
    maps = torch.tensor([[[0.9, 0.1], [0.5, 0.5]], [[0.3, 0.7], [0.5, 0.5]]])
    most = attention_rollout([maps], head_fusion="max", residual=0.0)
    np.testing.assert_allclose(most[0], np.array([0.9, 0.7]) / 1.6, rtol=1e-6)
    least = attention_rollout([maps], head_fusion="min", residual=0.0)
    np.testing.assert_allclose(least[0], [0.75, 0.25], rtol=1e-6)
    with pytest.raises(ValueError, match="mean, max, min"):
        attention_rollout([maps], head_fusion="median")
    with pytest.raises(ValueError, match="from 0 to 1"):
        attention_rollout([maps], residual=2)
    with pytest.raises(ValueError, match="no attention"):
        attention_rollout([])


def test_a_query_that_sees_nothing_passes_on_itself() -> None:
    maps = torch.tensor([[[torch.nan, torch.nan], [0.5, 0.5]]])
    np.testing.assert_allclose(attention_rollout([maps])[0], [1, 0])


class Encoder(nn.Module):
    """torch's own transformer over tokens, read in one of several ways."""

    def __init__(self, read: str, batch_first: bool = True, layers: int = 3) -> None:
        super().__init__()
        self.read = read
        self.batch_first = batch_first
        self.embed = nn.Embedding(20, 8, padding_idx=0)
        self.place = nn.Parameter(torch.randn(12, 8))
        self.cls = nn.Parameter(torch.randn(1, 1, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        padding = ids == 0
        if self.read == "class":
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1)
            padding = torch.cat([torch.zeros_like(padding[:, :1]), padding], 1)
        x = x + self.place[: x.shape[1]]
        if not self.batch_first:
            x = x.transpose(0, 1)
        x = self.encoder(x, src_key_padding_mask=padding)
        if not self.batch_first:
            x = x.transpose(0, 1)
        if self.read == "last":
            return self.head(x[:, -1])
        if self.read == "class":
            return self.head(x[:, 0])
        kept = (~padding).float()[..., None]
        return self.head((x * kept).sum(1) / kept.sum(1))


def rolled(model: nn.Module, sample: Any, index: int = 0, **options: Any) -> Any:
    question = Question(model.eval(), sample)
    asked = question.ask(index)
    run = Run(asked, question, None, asked.inputs, options, lambda: None, lambda fraction: None)
    result = REGISTRY["attention_rollout"].run(run)
    return asked, result


def attention_of(model: Encoder, ids: Tensor) -> list[np.ndarray]:
    """The weights of each layer, from torch's own attention asked for them."""
    maps: list[np.ndarray] = []

    def hook(module: nn.MultiheadAttention, args: Any, kwargs: Any, output: Any) -> None:
        kwargs = {**kwargs, "need_weights": True, "average_attn_weights": False}
        maps.append(forward(module, *args, **kwargs)[1][0].detach().double().numpy())

    forward = nn.MultiheadAttention.forward
    handles = [
        layer.self_attn.register_forward_hook(hook, with_kwargs=True)
        for layer in model.encoder.layers
    ]
    model(ids).sum()  # with a graph: torch then runs each layer
    for handle in handles:
        handle.remove()
    return maps


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("read", ["class", "last", "mean"])
def test_the_tokens_that_the_score_is_read_from_are_found(read: str, batch_first: bool) -> None:
    torch.manual_seed(0)
    model = Encoder(read, batch_first).eval()
    ids = torch.randint(1, 20, (2, 6))
    if read == "mean":
        ids[1, 4:] = 0
    expected = by_hand(attention_of(model, ids[1:2]))
    rows = {"class": [0], "last": [5], "mean": [0, 1, 2, 3]}[read]
    asked, result = rolled(model, ids, 1)
    assert result.details["read"] == tuple(rows)
    assert result.details["layers"] == 3
    shares = expected[rows].mean(0)
    np.testing.assert_allclose(result.details["shares"], shares, atol=1e-6)
    values = asked.shaped(result.values)
    assert values.shape == (6,)
    np.testing.assert_allclose(values, shares[1:] if read == "class" else shares, atol=1e-6)


def test_frozen_weights_take_no_fused_path_past_the_hooks() -> None:
    torch.manual_seed(0)
    model = Encoder("last").eval()
    ids = torch.randint(1, 20, (1, 6))
    _, free = rolled(model, ids)
    model.requires_grad_(False)
    _, frozen = rolled(model, ids)
    assert frozen.details["read"] == (5,)
    np.testing.assert_allclose(frozen.details["shares"], free.details["shares"], atol=1e-6)


def test_another_token_can_be_asked_about() -> None:
    torch.manual_seed(0)
    model = Encoder("mean").eval()
    ids = torch.randint(1, 20, (1, 5))
    expected = by_hand(attention_of(model, ids))
    asked, result = rolled(model, ids, token=-2)
    np.testing.assert_allclose(asked.shaped(result.values), expected[3], atol=1e-6)
    with pytest.raises(ValueError, match="0 … 4"):
        rolled(model, ids, token=5)


class Shared(nn.Module):
    """Two layers, run twice in turns: maps come in the order of the run."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.a = nn.MultiheadAttention(4, 1, batch_first=True)
        self.b = nn.MultiheadAttention(4, 1, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for layer in (self.a, self.b, self.a, self.b):
            x = x + layer(x, x, x)[0]
        return self.head(x.mean(1))


def test_layers_that_run_again_are_taken_in_their_order() -> None:
    torch.manual_seed(0)
    model = Shared().eval()
    ids = torch.randint(0, 9, (1, 5))
    x, maps = model.embed(ids), []
    for layer in (model.a, model.b, model.a, model.b):
        given, weights = layer(x, x, x, average_attn_weights=False)
        maps.append(weights[0].detach().double().numpy())
        x = x + given
    asked = Question(model, ids).ask(0)
    found, last = self_attention(asked)
    assert last == "b"
    for one, other in zip(found, maps, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_patches_lie_on_the_picture_where_they_were_cut() -> None:
    """… and the class token on none of them."""
    torch.manual_seed(0)
    model = Patches().eval()
    pictures = torch.randn(1, 3, 12, 16)
    expected = by_hand(attention_of(model, pictures))[0]  # type: ignore[arg-type]
    asked, result = rolled(model, pictures, interpolate_mode="nearest")
    values = asked.shaped(result.values)
    assert values.shape == (12, 16)
    np.testing.assert_allclose(values[::4, ::4].ravel(), expected[1:], atol=1e-6)
    np.testing.assert_allclose(values[::4, ::4], values[3::4, 3::4])


def test_what_has_no_attention_or_another_is_refused() -> None:
    with pytest.raises(Refusal, match="No attention"):
        rolled(nn.Linear(3, 2), torch.zeros(1, 3))

    class Cross(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(9, 4)
            self.cross = nn.MultiheadAttention(4, 1, batch_first=True)
            self.few = nn.Parameter(torch.randn(1, 2, 4))

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids)
            return self.cross(self.few.expand(len(x), -1, -1), x, x)[0].mean(1)

    model = Cross()
    with pytest.raises(Refusal, match="2 × 5"):
        rolled(model, torch.randint(0, 9, (1, 5)))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class Summary(nn.Module):
    """Seven tokens made of all ten, by a linear layer: none of them has a place."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.mix = nn.Linear(10, 7)
        self.attention = nn.MultiheadAttention(4, 1, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.mix(self.embed(ids).transpose(1, 2)).transpose(1, 2)
        return self.attention(x, x, x)[0].mean(1)


def test_tokens_without_a_place_in_the_input_are_refused() -> None:
    """… also when it is asked whether the method applies."""
    model = Summary().eval()
    asked = Question(model, torch.randint(0, 9, (1, 10))).ask(0)
    with pytest.raises(Refusal, match="7 tokens"):
        self_attention(asked)


@pytest.mark.parametrize(
    ("tokens", "size", "expected"),
    [
        (196, (224, 224), ((14, 14), 0)),
        (197, (224, 224), ((14, 14), 1)),  # ViT
        (198, (224, 224), ((14, 14), 2)),  # DeiT, with a distillation token
        (201, (224, 224), ((14, 14), 5)),  # four registers
        (13, (12, 16), ((3, 4), 1)),
        (10, (10,), ((10,), 0)),
        (11, (10,), ((10,), 1)),
        (5, (10,), ((5,), 0)),  # patches of two steps
        (7, (12,), ((6,), 1)),
        (7, (11,), None),
    ],
)
def test_how_tokens_lie_on_a_plane(
    tokens: int, size: tuple[int, ...], expected: tuple[tuple[int, ...], int] | None
) -> None:
    assert token_grid(tokens, size) == expected


def test_no_hook_is_left_behind() -> None:
    model = Encoder("last")
    rolled(model, torch.randint(1, 20, (1, 6)))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_reading_is_unknown_where_the_last_attention_gives_no_row_of_tokens() -> None:
    """Then rollout takes the mean over all of them."""

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(9, 4)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids)
            return nn.functional.scaled_dot_product_attention(x, x, x).mean(1)

    model = Bare().eval()
    ids = torch.randint(0, 9, (1, 5))
    asked = Question(model, ids).ask(0)
    maps, last = self_attention(asked)
    assert tokens_read(asked, last, 5) is None
    _, result = rolled(model, ids)
    assert result.details["read"] is None
    np.testing.assert_allclose(
        result.details["shares"], by_hand([m.double().numpy() for m in maps]).mean(0), atol=1e-6
    )
