"""A layer's map over the plane of the input: pixels, samples of a signal, tokens.

Which of several inputs a layer looks at is read from the graph of the run. An input that it does
not look at, or that has no plane of this form, gets NaN: the map says nothing about it, and zero
would say that it does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from nnwidgets.explain.registry import Warned
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.inputs import Slot

__all__ = [
    "MODES",
    "interpolated",
    "over_inputs",
    "over_tokens",
    "place_of_tokens",
    "plane_of",
    "token_grid",
]

MODES: Final = {1: ("nearest", "linear", "area"), 2: ("nearest", "bilinear", "bicubic", "area")}
# Tokens in front of those that have a place: class, distillation and register tokens of pictures.
_EXTRA: Final = {1: 1, 2: 16}
_DEFAULT: Final = {1: "linear", 2: "bilinear"}


def interpolated(values: Tensor, size: Sequence[int], mode: str | None = None) -> Tensor:
    """Bring a map to another resolution.

    Parameters
    ----------
    values
        (N, C, height, width) or (N, C, length).
    size
        The new (height, width) or (length,).
    mode
        Of ``torch.nn.functional.interpolate``; by default ``"bilinear"``, for one axis
        ``"linear"``: as the Grad-CAM paper and pytorch-grad-cam do it (captum's own default is
        ``"nearest"``).

    Raises
    ------
    ValueError
        If there is no such mode for so many axes.
    """
    axes = values.dim() - 2
    if mode is None:
        mode = _DEFAULT[axes]
    if mode not in MODES[axes]:
        known = ", ".join(MODES[axes])
        raise ValueError(f"interpolate_mode is one of {known} for this layer, not {mode!r}")
    if tuple(values.shape[2:]) == tuple(size):
        return values
    smooth = mode in ("linear", "bilinear", "bicubic")
    return F.interpolate(values, tuple(size), mode=mode, align_corners=False if smooth else None)


def plane_of(slot: Slot) -> tuple[int, ...]:
    """Return the size of an input's plane: (height, width), (length,), (tokens,); or empty."""
    shape = slot.shape
    if slot.kind == "image":
        if slot.channel_axis is None:
            return shape
        return shape[1:] if slot.channel_axis == 0 else shape[:-1]
    if slot.kind == "signal":
        return shape[-1:]
    return shape[:1] if slot.kind in ("tokens", "sequence") else ()


def over_inputs(
    asked: Asked, values: Tensor, *, layer: str, reached: Sequence[bool], mode: str | None = None
) -> tuple[tuple[Tensor, ...], tuple[Warned, ...]]:
    """Lay a layer's map over the inputs that it looks at.

    Parameters
    ----------
    asked
        Whose inputs.
    values
        (1, 1, height, width) or (1, 1, length).
    layer
        Its name, for the sentence.
    reached
        Whether the layer's output depends on each input.
    mode
        See `interpolated`.

    Returns
    -------
    values
        One tensor an input: images (1, height, width), signals (1, length), tokens and sequences
        (1, time). NaN throughout, in the input's shape, where the map says nothing.
    warnings
        A sentence where that is so.

    Raises
    ------
    Refusal
        If it can be laid over none of them.
    """
    axes = values.dim() - 2
    laid: list[Tensor] = []
    blank: list[str] = []
    for slot, given, looked in zip(asked.slots, asked.inputs, reached, strict=True):
        size = plane_of(slot)
        if looked and len(size) == axes:
            laid.append(interpolated(values, size, mode)[:, 0])
        else:
            laid.append(torch.full_like(given, torch.nan))
            blank.append(slot.name)
    if len(blank) == len(laid):
        raise Refusal("explain.plane.none", layer=layer)
    warned = (("explain.plane.blank", {"layer": layer, "inputs": ", ".join(blank)}),)
    return tuple(laid), warned if blank else ()


def token_grid(tokens: int, size: Sequence[int]) -> tuple[tuple[int, ...], int] | None:
    """Return how a row of tokens lies on an input's plane.

    Parameters
    ----------
    tokens
        How many there are, with class and register tokens, which stand in front.
    size
        Of the plane: (height, width), (length,) or (tokens,).

    Returns
    -------
    grid, dropped
        Rows and columns, or the length alone, and how many tokens in front belong to no place; as
        few as there can be. None if they cannot be patches of one form that cover the plane.
    """
    for dropped in range(_EXTRA[len(size)] + 1):
        left = tokens - dropped
        if left <= dropped:
            return None
        if len(size) == 1 and left <= size[0] and size[0] % left == 0:
            return (left,), dropped
        if len(size) == 2:
            for rows in range(1, left + 1):
                columns, rest = divmod(left, rows)
                # Patches are as high as they are wide.
                if rest == 0 and rows * size[1] == columns * size[0]:
                    return (rows, columns), dropped
    return None


def place_of_tokens(asked: Asked, tokens: int) -> tuple[int, tuple[int, ...], int]:
    """Return on which input a row of tokens lies, and how.

    Parameters
    ----------
    asked
        Whose inputs.
    tokens
        How many there are.

    Returns
    -------
    number, grid, dropped
        The first input on whose plane they fit; see `token_grid`.

    Raises
    ------
    Refusal
        If they fit on none.
    """
    for number, slot in enumerate(asked.slots):
        size = plane_of(slot)
        found = token_grid(tokens, size) if size else None
        if found is not None:
            return number, *found
    raise Refusal("explain.rollout.tokens", tokens=str(tokens))


def over_tokens(asked: Asked, values: Tensor, mode: str | None = None) -> tuple[Tensor, ...]:
    """Lay one value a token over the input that the tokens are made of.

    Parameters
    ----------
    asked
        Whose inputs. The first on whose plane the tokens fit gets the map; others NaN.
    values
        (tokens,), those in front that belong to no place included.
    mode
        See `interpolated`.

    Returns
    -------
    tuple of Tensor
        As `over_inputs`.

    Raises
    ------
    Refusal
        If they fit on none.
    """
    number, grid, dropped = place_of_tokens(asked, values.numel())
    laid = [torch.full_like(given, torch.nan) for given in asked.inputs]
    maps = values[dropped:].reshape(1, 1, *grid)
    wide = torch.float64 if laid[number].dtype is torch.float64 else torch.float32
    fitted = interpolated(maps, plane_of(asked.slots[number]), mode)[:, 0]
    laid[number] = fitted.to(laid[number].device, wide)
    return tuple(laid)
