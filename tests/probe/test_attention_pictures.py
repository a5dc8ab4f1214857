"""Pictures of attention: a head each, averaged where they are many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nnwidgets.probe.attention import attention_blocks, attention_weights
from tests.probe.pictured import checked, level, pixels
from tests.probe.pictured import shown as picture_of


def test_heads_are_pictures() -> None:
    weights = torch.rand(2, 3, 7, 9).softmax(-1)
    (block,) = checked(attention_blocks([weights, weights], 1))
    np.testing.assert_allclose(block.arrays["pixels"], weights[1], rtol=1e-6)
    assert (block.meta["low"], block.meta["heads"], block.meta["calls"]) == (0.0, 3, 2)
    assert block.meta["high"] == pytest.approx(float(weights[1].max()))
    assert block.arrays["row_numbers"].tolist() == list(range(7))
    assert block.arrays["column_numbers"].tolist() == list(range(9))
    assert not block.meta["reduced"]
    (same,) = attention_blocks([weights[1:]], 1)  # a tap of one sample
    np.testing.assert_array_equal(same.arrays["pixels"], block.arrays["pixels"])


@pytest.mark.parametrize("heads", [1, 12, 200])
def test_long_sequences_are_averaged(heads: int) -> None:
    weights = torch.randn(1, heads, 192, 192).softmax(-1)
    (block,) = checked(attention_blocks([weights], 0))
    side = block.arrays["pixels"].shape[1]
    assert side <= 96
    assert block.meta["reduced"]
    if heads == 1:
        expected = weights[0, 0].unfold(0, 2, 2).unfold(1, 2, 2).mean((-1, -2))
        np.testing.assert_allclose(pixels(block)[0], expected, atol=level(block))


def test_rows_masked_throughout_are_nan() -> None:
    query = torch.randn(1, 1, 2, 4)
    mask = torch.tensor([[True, False], [False, False]])
    (block,) = checked(attention_blocks([attention_weights(query, query, mask)], 0))
    assert np.isnan(block.arrays["pixels"][0, 1]).all()
    assert block.arrays["pixels"][0, 0].tolist() == [1, 0]


@pytest.mark.parametrize("average", [True, False])
def test_weights_that_the_layer_returned_are_drawn(average: bool) -> None:
    layer = nn.MultiheadAttention(8, 4, batch_first=True).eval()

    class Given(nn.MultiheadAttention):
        def forward(self, x: Tensor, **options: Any) -> Any:  # type: ignore[override]
            return super().forward(x, x, x, average_attn_weights=average)

    module = Given(8, 4, batch_first=True).eval()
    module.load_state_dict(layer.state_dict())
    for x, sample in ((torch.randn(2, 5, 8), 1), (torch.randn(5, 8), 0)):
        weights = layer(x, x, x, average_attn_weights=average)[1].detach()
        blocks = picture_of(module, x, sample=sample, output=1)
        expected = weights[sample] if x.dim() == 3 else weights
        expected = expected[None] if average else expected
        np.testing.assert_allclose(blocks[0].arrays["pixels"], expected, atol=1e-6)
        assert blocks[0].meta["outputs"][1]["label"] == "1"
