"""Shapes of nests, as values and as words."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nnwidgets.probe.shapes import shape_of, shape_text


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (None, ""),
        ((), "scalar"),
        ((4,), "4"),
        ((2, 3), "2×3"),
        (((2, 3), None), "(2×3, –)"),
        ({"logits": (3, 2), "states": ((3, 6), (3, 6))}, "{logits: 3×2, states: (3×6, 3×6)}"),
        ([(2, 8)] * 5, "5 × (2×8)"),
        ([(2,)] * 5, "5 × 2"),
        ({"packed": (16, 10)}, "{packed: 16×10}"),
    ],
)
def test_shapes_as_text(shape: Any, words: str) -> None:
    assert shape_text(shape) == words


NESTS = st.recursive(
    st.lists(st.integers(0, 3), max_size=3).map(torch.zeros) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)


def obvious(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        return {k: obvious(v) for k, v in value.items() if v is not None}
    return None if value is None else type(value)(obvious(v) for v in value)


@given(NESTS)
def test_shapes_of_any_nest(value: Any) -> None:
    assert shape_of(value, depth=9) == obvious(value)
    assert isinstance(shape_text(shape_of(value)), str)
