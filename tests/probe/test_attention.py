"""Attention maps, against torch's own weights and brute force."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nnwidgets.probe.attention import AttentionTap, attention_blocks, attention_weights, maps_within
from nnwidgets.probe.look import look
from tests.probe.attending import tapped
from tests.probe.model_families import FAMILIES
from tests.probe.pictured import checked, keys


def by_hand(
    query: Tensor, key: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> np.ndarray:
    """Softmax attention in plain loops; `query` and `key` are (heads, tokens, size)."""
    heads, queries, size = query.shape
    keys_ = key.shape[1]
    result = np.zeros((heads, queries, keys_))
    factor = 1 / math.sqrt(size) if scale is None else scale
    for head in range(heads):
        served = head * key.shape[0] // heads
        for i in range(queries):
            scores = np.full(keys_, -np.inf)
            for j in range(keys_):
                if causal and j > i:
                    continue
                added = 0.0
                if mask is not None and mask.dtype is torch.bool:
                    if not mask[i, j]:
                        continue
                elif mask is not None:
                    added = float(mask[i, j])
                scores[j] = (
                    float(query[head, i].double() @ key[served, j].double()) * factor + added
                )
            with np.errstate(invalid="ignore"):
                weights = np.exp(scores - scores.max())
                result[head, i] = weights / weights.sum()
    return result


@settings(max_examples=40)
@given(
    queries=st.integers(1, 5),
    key_count=st.integers(1, 5),
    groups=st.sampled_from([(1, 1), (4, 4), (4, 2), (3, 1)]),
    mask=st.sampled_from(["none", "bool", "float", "causal"]),
    scale=st.sampled_from([None, 0.3]),
    seed=st.integers(0, 1000),
)
def test_weights_are_those_of_brute_force_and_of_torch(
    queries: int, key_count: int, groups: tuple[int, int], mask: str, scale: Any, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads, served = groups
    query = torch.randn(2, heads, queries, 3, generator=generator)
    key = torch.randn(2, served, key_count, 3, generator=generator)
    value = torch.randn(2, served, key_count, 4, generator=generator)
    given_mask = None
    if mask == "bool":
        given_mask = torch.rand(queries, key_count, generator=generator) > 0.4
        given_mask[:, 0] = True
    elif mask == "float":
        given_mask = torch.randn(queries, key_count, generator=generator)
    options: dict[str, Any] = {
        "is_causal": mask == "causal",
        "scale": scale,
        "enable_gqa": heads != served,
    }
    weights = attention_weights(query, key, given_mask, **options)
    for n in range(2):
        expected = by_hand(query[n], key[n], given_mask, mask == "causal", scale)
        np.testing.assert_allclose(weights[n], expected, atol=1e-5)
    output = F.scaled_dot_product_attention(query, key, value, given_mask, **options)
    np.testing.assert_allclose(
        weights @ value.repeat_interleave(heads // served, 1), output, atol=1e-5
    )


def test_half_precision_is_computed_wide() -> None:
    query = (torch.randn(1, 2, 3, 4) * 20).to(torch.float16)
    weights = attention_weights(query, query)
    assert weights.dtype is torch.float32
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)


# --- torch's own layer ---------------------------------------------------------------------------


def masks_for(kind: str) -> dict[str, Any]:
    if kind == "padding":
        padding = torch.zeros(3, 5, dtype=torch.bool)
        padding[1, 3:] = True
        return {"key_padding_mask": padding}
    if kind == "mask":
        return {"attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1)}
    if kind == "float":
        return {"attn_mask": torch.randn(5, 5)}
    if kind == "each":
        return {"attn_mask": torch.randn(3 * 4, 5, 5)}
    if kind == "causal":
        return {"attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1), "is_causal": True}
    return {}


class Attending(nn.Module):
    """Torch's attention with fixed further arguments."""

    def __init__(self, batch_first: bool, options: dict[str, Any], **more: Any) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 4, batch_first=batch_first, dropout=0.5, **more)
        self.options = options

    def forward(self, x: Tensor) -> Tensor:
        """Give the attended values."""
        return self.inner(x, x, x, **self.options)[0]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("need", [False, True])
@pytest.mark.parametrize("masked", ["none", "padding", "mask", "float", "each", "causal"])
@pytest.mark.parametrize("extra", [{}, {"add_bias_kv": True, "add_zero_attn": True}])
def test_torch_attention_layer(batch_first: bool, need: bool, masked: str, extra: Any) -> None:
    torch.manual_seed(0)
    model = Attending(batch_first, {"need_weights": need, **masks_for(masked)}, **extra).eval()
    x = torch.randn(3, 5, 8) if batch_first else torch.randn(5, 3, 8)
    options = {**model.options, "need_weights": True, "average_attn_weights": False}
    expected = model.inner(x, x, x, **{**options, "is_causal": False})[1].detach()
    plain = look(model, x).result
    tap, seen = tapped(model, x)
    assert list(tap.maps) == ["inner"]
    np.testing.assert_allclose(tap.maps["inner"][0], expected, atol=1e-6)
    np.testing.assert_allclose(seen.result, plain, atol=1e-5)
    for sample in range(3):
        one, _ = tapped(model, x, sample_index=sample)
        assert one.maps["inner"][0].shape[0] == 1
        np.testing.assert_allclose(one.maps["inner"][0][0], expected[sample], atol=1e-6)


def test_dropout_is_ignored_and_draws_nothing_more() -> None:
    model = Attending(True, {"need_weights": False}).train()
    x = torch.randn(2, 5, 8)
    torch.manual_seed(3)
    plain = look(model, x).result
    state = torch.get_rng_state()
    torch.manual_seed(3)
    tap, seen = tapped(model, x)
    np.testing.assert_array_equal(seen.result, plain)
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_allclose(tap.maps["inner"][0].sum(-1), 1, atol=1e-6)


def test_a_hint_that_belies_its_mask_is_followed_as_torch_does() -> None:
    """Without weights, ``is_causal`` alone decides: the map is of what was computed."""
    everything = torch.zeros(5, 5, dtype=torch.bool)
    model = Attending(False, {"need_weights": False, "attn_mask": everything, "is_causal": True})
    tap, _ = tapped(model.eval(), torch.randn(5, 2, 8))
    assert torch.equal(tap.maps["inner"][0], tap.maps["inner"][0].tril())


def test_other_widths_cross_attention_and_no_batch() -> None:
    class Cross(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(8, 2, kdim=3, vdim=5)

        def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            return self.inner(q, k, v)[0]

    model = Cross().eval()
    for args in (
        (torch.randn(4, 2, 8), torch.randn(6, 2, 3), torch.randn(6, 2, 5)),
        (torch.randn(4, 8), torch.randn(6, 3), torch.randn(6, 5)),
    ):
        expected = model.inner(*args, average_attn_weights=False)[1].detach()
        tap, _ = tapped(model, args, sample_index=0)
        expected = expected if args[0].dim() == 2 else expected[0]
        np.testing.assert_allclose(tap.maps["inner"][0][0], expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("padded", [False, True])
def test_inside_an_encoder_with_its_fast_path(padded: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=False)
    model = nn.TransformerEncoder(layer, 2).eval()
    x = torch.randn(2, 5, 8)
    padding = torch.zeros(2, 5, dtype=torch.bool)
    padding[1, 3:] = True
    sample: Any = {"src": x, "src_key_padding_mask": padding} if padded else x
    tap, _ = tapped(model, sample)
    assert list(tap.maps) == ["layers.0.self_attn", "layers.1.self_attn"]
    first: Any = model.layers[0]
    expected = first.self_attn(
        x, x, x, key_padding_mask=padding if padded else None, average_attn_weights=False
    )[1]
    np.testing.assert_allclose(tap.maps["layers.0.self_attn"][0], expected.detach(), atol=1e-6)
    assert set(maps_within(tap.maps, "layers.1")) == {"layers.1.self_attn"}
    assert maps_within(tap.maps, "") == tap.maps
    assert maps_within(tap.maps, "layer") == {}


# --- models on functions -------------------------------------------------------------------------


def test_a_gpt_on_the_fused_function() -> None:
    model, sample = FAMILIES["gpt"]()
    model.eval()
    tap, seen = tapped(model, sample)
    assert list(tap.maps) == ["blocks.0.attention", "blocks.1.attention"]
    np.testing.assert_allclose(seen.result, look(model, sample).result, atol=1e-6)
    attention = model.blocks[0].attention
    given_ = look(model, sample, ["blocks.0.attention"]).calls["blocks.0.attention"][0].args[0]
    q, k, _ = (
        part.unflatten(-1, (3, 4)).transpose(1, 2) for part in attention.qkv(given_).chunk(3, 2)
    )
    for n in range(2):
        expected = by_hand(q[n].detach(), k[n].detach(), None, True, None)
        np.testing.assert_allclose(tap.maps["blocks.0.attention"][0][n], expected, atol=1e-6)
    only, _ = tapped(model, sample, layers=["blocks.1"], sample_index=1)
    assert list(only.maps) == ["blocks.1.attention"]
    assert only.maps["blocks.1.attention"][0].shape == (1, 3, 8, 8)


class HandWritten(nn.Module):
    """Attention as it is written in courses, in several spellings."""

    def __init__(self, spelling: str) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.soft = nn.Softmax(dim=-1)
        self.drop = nn.Dropout(0.3)
        self.spelling = spelling

    def forward(self, x: Tensor) -> Tensor:
        """Take and give (N, T, 8)."""
        n, t, _ = x.shape
        q, k, v = (p.view(n, t, 2, 4).transpose(1, 2) for p in self.qkv(x).chunk(3, -1))
        scores = (q @ k.transpose(-2, -1)) / 2
        scores = scores.masked_fill(torch.ones(t, t).triu(1) > 0, -torch.inf)
        if self.spelling == "module":
            out = self.drop(self.soft(scores)) @ v
        elif self.spelling == "einsum":
            out = torch.einsum("bhqk,bhkd->bhqd", torch.softmax(scores, 3), v)
        elif self.spelling == "matmul":
            weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
            out = torch.matmul(F.dropout(weights, 0.1, training=False), v)
        else:
            weights = scores.flatten(0, 1).softmax(-1)
            out = torch.bmm(weights, v.flatten(0, 1)).unflatten(0, (n, 2))
        return out.transpose(1, 2).reshape(n, t, 8)


@pytest.mark.parametrize("spelling", ["module", "einsum", "matmul", "bmm"])
def test_hand_written_attention_is_recognised(spelling: str) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(HandWritten(spelling), nn.Linear(8, 3), nn.Softmax(-1)).eval()
    x = torch.randn(3, 5, 8)
    layer: Any = model[0]
    q, k, _ = (p.view(3, 5, 2, 4).transpose(1, 2) for p in layer.qkv(x).detach().chunk(3, -1))
    tap, _ = tapped(model, x)
    assert list(tap.maps) == ["0"]
    (found,) = tap.maps["0"]
    for n in range(3):
        np.testing.assert_allclose(found[n], by_hand(q[n], k[n], None, True, None), atol=1e-6)
    one, _ = tapped(model, x, sample_index=2)
    np.testing.assert_array_equal(one.maps["0"][0], found[2:])


def test_a_softmax_that_weights_nothing_is_no_attention() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Softmax(dim=-1), nn.Linear(4, 2)).eval()
    assert tapped(model, torch.randn(2, 3, 4))[0].maps == {}


def test_shapes_without_heads() -> None:
    class Bare(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x)

    for shape, expected in (((3, 5, 4), (3, 1, 5, 5)), ((5, 4), (1, 1, 5, 5))):
        x = torch.randn(shape)
        tap, _ = tapped(nn.Sequential(Bare()), x)
        assert tap.maps["0"][0].shape == expected
        wide = x if x.dim() == 3 else x[None]
        for n, part in enumerate(wide):
            np.testing.assert_allclose(
                tap.maps["0"][0][n], by_hand(part[None], part[None], None, False, None), atol=1e-6
            )


# --- around the run ------------------------------------------------------------------------------


def test_a_failing_model_and_the_hooks_after_it() -> None:
    model, sample = FAMILIES["gpt"]()
    with AttentionTap(model) as tap:
        broken = look(model, sample, edit={"blocks.1.norm1": lambda out: out[..., :5]})
        assert broken.problem is not None
        fine = look(model, sample)
    assert fine.problem is None
    assert [len(calls) for calls in tap.maps.values()] == [2, 1]
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_maps_too_large_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnwidgets.probe.attention._MOST", 100)
    model, sample = FAMILIES["gpt"]()
    tap, _ = tapped(model, sample)
    assert tap.maps == {}
    assert tap.left_out == {"blocks.0.attention", "blocks.1.attention"}


def test_a_layer_with_no_map_says_so() -> None:
    assert keys(checked(attention_blocks([], 0))) == ["probe.attention.none"]
    weights = torch.rand(2, 1, 3, 3)
    assert keys(checked(attention_blocks([weights], 5))) == ["probe.unit.sample"]
    assert keys(checked(attention_blocks([weights], 0, call=1))) == ["probe.attention.none"]


# --- other people's models ------------------------------------------------------------------------


def test_bert_and_vit_from_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = transformers.BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=16, attn_implementation="eager",
        )  # fmt: skip
        model = transformers.BertModel(config).eval()
        ids = torch.randint(0, 40, (2, 6))
        expected = model(input_ids=ids, output_attentions=True).attentions
        for implementation in ("eager", "sdpa"):
            model.set_attn_implementation(implementation)
            tap, _ = tapped(model, {"input_ids": ids})
            assert len(tap.maps) == 2
            for calls, weights in zip(tap.maps.values(), expected, strict=True):
                np.testing.assert_allclose(calls[0], weights.detach(), atol=1e-5)
