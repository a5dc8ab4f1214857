"""An input as a natural picture: by a function of the user's, or by a guess that is said.

Models are fed normalised pictures. Which normalisation it was can often be told from the range of
the numbers, since what it is undone to must lie between black and white.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number

if TYPE_CHECKING:
    from nnwidgets.explain.inputs import Slot
    from nnwidgets.probe.blocks import Words

__all__ = ["Inverse", "channels_first", "given_picture", "guess", "picture_of"]

_SLACK: Final = 0.02  # of the range from black to white: rounding, and resizing that overshoots
_SPREAD: Final = 0.35  # of that range must be used, or the guess would be a dark grey square


@dataclass(frozen=True)
class Inverse:
    """How numbers become brightness from 0 to 1: x · scale + shift, channel by channel.

    Attributes
    ----------
    key
        Of the sentence that says it.
    scale, shift
        One number for all channels, or one each.
    params
        What stands in the sentence's gaps.
    """

    key: str
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    params: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> Words:
        """The sentence."""
        return self.key, dict(self.params)


def _normalised(key: str, mean: Sequence[float], std: Sequence[float]) -> Inverse:
    return Inverse(key, tuple(std), tuple(mean))


_SIGNED: Final = Inverse("explain.picture.signed", (0.5,), (0.5,))
_GREY: Final = (
    _normalised("explain.picture.mnist", (0.1307,), (0.3081,)),
    _normalised("explain.picture.fashion", (0.2860,), (0.3530,)),
)
_COLOUR: Final = (
    _normalised("explain.picture.imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    _normalised("explain.picture.cifar10", (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    _normalised("explain.picture.cifar100", (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    _normalised(
        "explain.picture.clip",
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
    ),
)


def guess(images: Tensor) -> Inverse:
    """Guess how pictures were normalised.

    Parameters
    ----------
    images
        (n, channels, height, width): several samples of the set, since a single dark one could
        be anything.

    Returns
    -------
    Inverse
        Of the first of these that fits the smallest and the largest values: 0 to 1; whole numbers
        from 0 to 16 (scikit-learn's digits); 0 to 255; then −1 to 1 or one of the usual means and
        deviations (MNIST's of one channel; ImageNet's, CIFAR's and CLIP's of three), whichever
        brings the ends nearest to black and white. If none fits, from the smallest to the largest
        value.
    """
    values = images.detach()
    ends = _ends(values)
    if not any(math.isfinite(low) for low, _ in ends):
        return Inverse("explain.picture.none", (0.0,), (0.0,))
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if low >= 0 and high <= 1:
        return Inverse("explain.picture.unit", (1.0,), (0.0,))
    if low >= 0 and high <= 16 and bool(((values == values.round()) | ~values.isfinite()).all()):
        return Inverse("explain.picture.digits", (1 / 16,), (0.0,))
    if low >= 0 and 16 < high <= 255:
        return Inverse("explain.picture.bytes", (1 / 255,), (0.0,))
    known = _known(ends)
    if known is not None:
        return known
    span = high - low or 1.0
    return Inverse(
        "explain.picture.stretched",
        (1 / span,),
        (-low / span,),
        (("low", number(low)), ("high", number(high))),
    )


def _ends(images: Tensor) -> list[tuple[float, float]]:
    """Return the smallest and the largest finite value of each channel; (inf, −inf) of none.

    All that a guess needs: large pictures are gone through once, without copies of them.
    """
    ends = []
    for values in images.movedim(1, 0):
        if not torch.isfinite(values.sum()):
            values = values[torch.isfinite(values)]
        low, high = values.aminmax() if values.numel() else (math.inf, -math.inf)
        ends.append((float(low), float(high)))
    return ends


def _known(ends: list[tuple[float, float]]) -> Inverse | None:
    """Return the usual normalisation that puts the ends nearest to black and white, if any fits."""
    channels = len(ends)
    candidates = (_SIGNED, *(_GREY if channels == 1 else _COLOUR if channels == 3 else ()))
    best: tuple[float, Inverse] | None = None
    for inverse in candidates:
        # It grows with the values, so that their ends become the ends.
        undone = [
            [value * scale + shift for value in pair]
            for pair, scale, shift in zip(
                ends, _each(inverse.scale, channels), _each(inverse.shift, channels), strict=True
            )
        ]
        low, high = min(low for low, _ in undone), max(high for _, high in undone)
        slack = 0.0 if inverse is _SIGNED else _SLACK
        if low < -slack or high > 1 + slack or high - low < _SPREAD:
            continue
        off = abs(low) + abs(1 - high)
        if best is None or off < best[0]:
            best = off, inverse
    return None if best is None else best[1]


def _each(numbers: tuple[float, ...], channels: int) -> tuple[float, ...]:
    return numbers * channels if len(numbers) == 1 else numbers


def _undone(values: Tensor, inverse: Inverse) -> Tensor:
    scale = values.new_tensor(inverse.scale)[:, None, None]
    shift = values.new_tensor(inverse.shift)[:, None, None]
    return values * scale + shift


def picture_of(
    image: Tensor, slot: Slot, inverse: Inverse | None = None
) -> tuple[NDArray[np.uint8], Words]:
    """Return one input as a picture.

    Parameters
    ----------
    image
        One sample, in the slot's shape.
    slot
        Which axis counts the channels.
    inverse
        As guessed from the set; None: guessed from this sample alone.

    Returns
    -------
    pixels
        uint8, (height, width) or (height, width, 3). What is not finite is black. Of another
        number of channels than one or three, their mean; of four, the first three.
    words
        What was assumed.
    """
    maps = _channels_first(image.detach().to("cpu", torch.float64), slot)
    inverse = guess(maps[None]) if inverse is None else inverse
    light = torch.nan_to_num(_undone(maps[None], inverse)[0], nan=0.0, posinf=1.0, neginf=0.0)
    words = inverse.words
    if maps.shape[0] == 4:
        light = light[:3]
    elif maps.shape[0] not in (1, 3):
        light = light.mean(0, keepdim=True)
        words = "explain.picture.mean", {"channels": str(maps.shape[0])}
    pixels = (light.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return np.ascontiguousarray(
        pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    ), words


def channels_first(images: Tensor, slot: Slot) -> Tensor:
    """Bring samples of an image input, (n, …), into the form (n, channels, height, width)."""
    return torch.stack([_channels_first(image, slot) for image in images])


def _channels_first(image: Tensor, slot: Slot) -> Tensor:
    if slot.channel_axis is None or image.dim() == 2:
        return image[None]
    return image if slot.channel_axis == 0 else image.movedim(-1, 0)


def given_picture(to_image: Callable[[Any], Any], image: Tensor) -> tuple[NDArray[np.uint8], Words]:
    """Return one input as a picture, as the user's function makes it.

    Parameters
    ----------
    to_image
        Takes one sample, a tensor without the batch, and gives a tensor or an array: (height,
        width), (height, width, 1 or 3 or 4) or (1 or 3 or 4, height, width); integers from 0 to
        255 or floating numbers from 0 to 1. What lies beyond is cut off.
    image
        One sample; a copy of it is handed over.

    Raises
    ------
    Refusal
        If the function raises, or gives something else.
    """
    try:
        made = to_image(image.detach().clone())
        if isinstance(made, Tensor):
            made = made.detach().cpu().numpy()
        made = np.asarray(made)
    except Exception as problem:
        why = f"{type(problem).__name__}: {problem}"[:200]
        raise Refusal("explain.picture.raised", problem=why) from problem
    if made.ndim == 3 and made.shape[-1] not in (1, 3, 4) and made.shape[0] in (1, 3, 4):
        made = np.moveaxis(made, 0, -1)
    fits = made.ndim == 2 or (made.ndim == 3 and made.shape[-1] in (1, 3, 4))
    if not fits or not made.size or made.dtype.kind not in "buif":
        got = f"{'×'.join(map(str, made.shape)) or '1'} {made.dtype}"
        raise Refusal("explain.picture.form", got=got)
    if made.ndim == 3:
        made = made[..., 0] if made.shape[-1] == 1 else made[..., :3]
    if made.dtype.kind == "f":
        made = np.rint(np.nan_to_num(np.clip(made, 0, 1)) * 255)
    elif made.dtype.kind == "b":
        made = made * 255
    pixels: NDArray[np.uint8] = np.ascontiguousarray(np.clip(made, 0, 255).astype(np.uint8))
    return pixels, ("explain.picture.given", {})
