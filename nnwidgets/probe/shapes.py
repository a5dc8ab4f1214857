"""Shapes of whatever a module returns, as nested Python values and as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

__all__ = ["Shape", "shape_of", "shape_text"]

Shape: TypeAlias = Any
"""A tuple of ints for a tensor; tuples, lists and dicts of shapes for a nest; None for the rest."""

_MANY: Final = 64  # entries of a list whose shapes are kept
_ALIKE: Final = 3  # equal shapes in a row that are written out


def shape_of(value: Any, depth: int = 4) -> Shape:
    """Return the shape of a tensor, or the shapes in a nest of them.

    Parameters
    ----------
    value
        A tensor gives a tuple of ints (its dimensions, the batch included). Tuples and lists give
        tuples and lists of shapes; mappings and dataclasses a dict without what is None; a packed
        sequence ``{"packed": (steps, features)}``. Anything else gives None.
    depth
        Levels that are looked into.
    """
    if isinstance(value, Tensor):
        try:
            return tuple(int(size) for size in value.shape)
        except (RuntimeError, TypeError):  # nested tensors, symbolic sizes
            return None
    if depth == 0:
        return None
    if isinstance(value, PackedSequence):
        return {"packed": shape_of(value.data)}
    if isinstance(value, Mapping):  # before dataclasses: transformers' outputs are both
        return _named(list(value.items()), depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return _named([(f.name, getattr(value, f.name, None)) for f in fields], depth)
    if isinstance(value, (tuple, list)):
        inside = [shape_of(item, depth - 1) for item in value[:_MANY]]
        return tuple(inside) if isinstance(value, tuple) else inside
    return None


def _named(items: Sequence[tuple[Any, Any]], depth: int) -> dict[str, Shape]:
    return {str(k): shape_of(v, depth - 1) for k, v in items[:_MANY] if v is not None}


def shape_text(shape: Shape) -> str:
    """Write a shape: ``"32×10"``, ``"(2×7×10, 4×2×5)"``, ``"{logits: 3×2}"``, ``""`` for None.

    A tensor without dimensions is ``"scalar"``; many equal shapes in a row are written once, as
    ``"12 × (2×8×12)"``.
    """
    if shape is None:
        return ""
    if isinstance(shape, dict):
        parts = [f"{k}: {shape_text(v)}" if v is not None else k for k, v in shape.items()]
        return "{" + ", ".join(parts) + "}"
    if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape):
        return "×".join(map(str, shape)) if shape else "scalar"
    if len(shape) > _ALIKE and all(part == shape[0] for part in shape):
        inside = shape_text(shape[0])
        return f"{len(shape)} × " + (f"({inside})" if "×" in inside else inside)
    return "(" + ", ".join(shape_text(part) or "–" for part in shape) + ")"
