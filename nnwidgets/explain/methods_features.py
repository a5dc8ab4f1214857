"""What is switched off together: segments of a picture, windows of a signal, whole tokens.

captum perturbs one number at a time unless it is told otherwise: 150,528 runs for a picture of
224 × 224. Here a picture is cut into a grid of equal squares over all its channels (no superpixels:
those come from another library and from the picture's edges, which the model need not share), a
signal and a sequence into stretches of time, a table into its columns, a text into its tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.inputs import Slot

__all__ = [
    "feature_count",
    "feature_masks",
    "given_masks",
    "mean_over_vectors",
    "own_count",
    "windows",
]


def feature_masks(asked: Asked, *, segments: int) -> tuple[Tensor, ...]:
    """Return which elements belong together, as captum's ``feature_mask``.

    Parameters
    ----------
    asked
        Whose inputs.
    segments
        Largest number of pieces that an axis of space or time is cut into. Features of a table
        and tokens are always single.

    Returns
    -------
    tuple of Tensor
        One for each input, of its shape; numbers from 0, different in different inputs.
    """
    masks: list[Tensor] = []
    first = 0
    for slot, value in zip(asked.slots, asked.inputs, strict=True):
        index = torch.zeros([1] * value.dim(), dtype=torch.long)
        for axis, (size, pieces) in enumerate(_pieces(slot, value, segments), 1):
            if pieces == 1:
                continue  # the same all along: no number has to be made for each
            cell = _cell(slot, value, axis, segments)
            view = [1] * value.dim()
            view[axis] = size
            place = torch.arange(size).div(cell, rounding_mode="floor")
            index = index * pieces + place.view(view)
        masks.append((index.to(value.device) + first).expand(value.shape).contiguous())
        first += _count(slot, value, segments)
    return tuple(masks)


def own_count(asked: Asked, *, segments: int) -> int:
    """Return how many features the masks of `feature_masks` name, without making them."""
    pairs = zip(asked.slots, asked.inputs, strict=True)
    return sum(_count(slot, value, segments) for slot, value in pairs)


def _pieces(slot: Slot, value: Tensor, segments: int) -> list[tuple[int, int]]:
    """Return the size of each axis of a sample, and into how many pieces it is cut."""
    sizes = enumerate(value.shape[1:], 1)
    return [(size, ceil(size / _cell(slot, value, axis, segments))) for axis, size in sizes]


def _count(slot: Slot, value: Tensor, segments: int) -> int:
    return prod(pieces for _, pieces in _pieces(slot, value, segments)) if value.numel() else 0


def given_masks(asked: Asked, given: Any) -> tuple[Tensor, ...]:
    """Bring a ``feature_mask`` of the user's into the shape of the inputs.

    Parameters
    ----------
    asked
        Whose inputs.
    given
        A tensor or array, of several inputs a tuple of them, of a dict sample a dict; with or
        without the batch, of anything that broadcasts to the input. Of tokens one number a token.

    Raises
    ------
    ValueError
        If it does not fit.
    """
    parts = _one_each(asked, given, "feature_mask")
    masks = []
    for slot, value, part in zip(asked.slots, asked.inputs, parts, strict=True):
        mask = torch.as_tensor(np.asarray(part) if not isinstance(part, Tensor) else part)
        if mask.dtype.is_floating_point and not bool((mask == mask.round()).all()):
            raise ValueError("feature_mask must hold whole numbers, one for each feature")
        mask = mask.detach().to(value.device).long()
        if slot.integer and mask.shape in (slot.shape, (1, *slot.shape)):
            mask = mask.unsqueeze(-1)
        try:
            masks.append(mask.broadcast_to(value.shape).clone())
        except RuntimeError:
            raise ValueError(
                f"feature_mask has the shape {tuple(mask.shape)}, which does not fit the input "
                f"{slot.name} of shape {tuple(value.shape)}"
            ) from None
    return tuple(masks)


def feature_count(masks: Sequence[Tensor]) -> int:
    """Return how many features masks name."""
    return len(torch.unique(torch.cat([mask.flatten() for mask in masks])))


def windows(
    asked: Asked, shapes: Any, strides: Any
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...], int]:
    """Return occlusion's windows and strides, and how many windows there are.

    Parameters
    ----------
    asked
        Whose inputs.
    shapes, strides
        As captum's ``sliding_window_shapes`` and ``strides``; None: an eighth of each axis of
        space and a twentieth of time, half a window at a time; single features and tokens.

    Raises
    ------
    ValueError
        If they do not fit the inputs, with what would.
    """
    sizes = [tuple(value.shape[1:]) for value in asked.inputs]
    if shapes is None:
        each = [
            tuple(_window(slot, value, axis) for axis in range(1, value.dim()))
            for slot, value in zip(asked.slots, asked.inputs, strict=True)
        ]
    else:
        each = [
            _numbers(part, size, "sliding_window_shapes", slot)
            for part, size, slot in zip(
                _one_each(asked, shapes, "sliding_window_shapes"), sizes, asked.slots, strict=True
            )
        ]
    if strides is None:
        # captum's own default is 1 with a given window; half a window is ours with our window.
        steps = [tuple(max(1, w // 2) if shapes is None else 1 for w in window) for window in each]
    else:
        steps = [
            _numbers(part, size, "strides", slot, limit=False)
            for part, size, slot in zip(
                _one_each(asked, strides, "strides"), sizes, asked.slots, strict=True
            )
        ]
    count = 0
    for window, step, size in zip(each, steps, sizes, strict=True):
        for w, s, whole in zip(window, step, size, strict=True):
            if s > w and w < whole:
                raise ValueError(
                    f"strides {step} are larger than the window {window}: parts of the input would "
                    "never be covered; make strides at most as large as sliding_window_shapes"
                )
        counts = [ceil((n - w) / s) + 1 for n, w, s in zip(size, window, step, strict=True)]
        count += int(np.prod(counts))
    return tuple(each), tuple(steps), count


def mean_over_vectors(asked: Asked, values: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Divide what stands on each feature of a token's vector by their number.

    A token that is switched off as a whole has one effect; captum writes it on each of the
    vector's features, and they are summed up for the user later.
    """
    return tuple(
        value / value.shape[-1] if slot.integer and value.dim() > len(slot.shape) + 1 else value
        for slot, value in zip(asked.slots, values, strict=True)
    )


def _spatial(slot: Slot, value: Tensor) -> set[int]:
    """Return the axes of space or time, in (batch, …)."""
    last = value.dim() - 1
    if slot.kind == "image":
        axes = set(range(1, last + 1))
        if slot.channel_axis is not None:
            axes.discard(last if slot.channel_axis == -1 else 1)
        return axes
    if slot.kind == "signal":
        return {last}
    return {1} if slot.kind == "sequence" else set()


def _cell(slot: Slot, value: Tensor, axis: int, segments: int) -> int:
    """Return how many elements along an axis belong together."""
    size = value.shape[axis]
    if axis in _spatial(slot, value):
        return max(1, ceil(size / segments))
    if slot.kind == "image" or (slot.kind == "signal" and axis == 1):
        return max(1, size)  # all channels at once
    if slot.kind == "tokens" and axis == value.dim() - 1 and slot.integer:
        return max(1, size)  # a token as a whole
    if slot.kind == "other":
        return max(1, ceil(size / segments))
    return 1


def _window(slot: Slot, value: Tensor, axis: int) -> int:
    size = value.shape[axis]
    if slot.kind != "image" and axis in _spatial(slot, value):
        return max(1, round(size / 20))
    return _cell(slot, value, axis, 8)


def _one_each(asked: Asked, given: Any, name: str) -> tuple[Any, ...]:
    """Return one entry for each input, from one, a tuple of them or a dict by name."""
    if isinstance(given, dict):
        missing = [slot.name for slot in asked.slots if slot.name not in given]
        if missing:
            raise ValueError(f"{name} lacks the input {missing[0]!r}")
        return tuple(given[slot.name] for slot in asked.slots)
    count = len(asked.inputs)
    if count == 1:
        nested = isinstance(given, tuple | list) and len(given) == 1
        return (given[0],) if nested and not np.isscalar(given[0]) else (given,)
    if isinstance(given, int):
        return (given,) * count
    if not isinstance(given, tuple | list) or len(given) != count:
        raise ValueError(f"{name} needs one entry for each of the {count} inputs")
    return tuple(given)


def _numbers(
    given: Any, size: tuple[int, ...], name: str, slot: Slot, *, limit: bool = True
) -> tuple[int, ...]:
    """Return one whole number for each axis of an input."""
    numbers = (given,) * len(size) if isinstance(given, int) else tuple(int(n) for n in given)
    if len(numbers) == len(size) - 1 and slot.integer:
        numbers = (*numbers, size[-1])  # of tokens: whole vectors
    if len(numbers) != len(size) or any(n < 1 for n in numbers):
        raise ValueError(f"{name} needs {len(size)} positive whole numbers for shape {size}")
    if limit and any(n > whole for n, whole in zip(numbers, size, strict=True)):
        raise ValueError(f"{name} {numbers} is larger than the input, of shape {size}")
    return numbers
