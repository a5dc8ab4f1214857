"""Inputs in natural colours: as the user's function makes them, or by a guessed normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets._saliency_drawn import pooled
from nnwidgets._saliency_marks import marked, marks_of
from nnwidgets.explain.guess_image import (
    Inverse,
    channels_first,
    given_picture,
    guess,
    picture_of,
)
from nnwidgets.explain.inputs import Slot
from nnwidgets.explain.question import Question
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["Pictures"]

_FEW: Final = 64  # samples that a normalisation is guessed from
_THUMBS: Final = 32  # samples that have a thumbnail
_THUMB: Final = 32  # pixels a side

_DRAWN_FROM: Final = 256  # pixels a side, at least, that a thumbnail is made from

Pixels = NDArray[np.uint8]


class Pictures:
    """The pictures of one question's samples.

    Parameters
    ----------
    question
        Where the samples are.
    to_image
        Turns one sample into a picture; None: a usual normalisation is guessed from the set.
    """

    def __init__(self, question: Question, to_image: Callable[[Tensor], Any] | None) -> None:
        self._to_image = to_image
        self._inverses: dict[int, Inverse] = {}
        few = range(min(question.count, _FEW))
        if any(slot.kind == "image" for slot in question.slots):
            for number, tensor in enumerate(question.inputs_of(few)):
                slot = question.slots[number]
                if slot.kind == "image":
                    self._inverses[number] = guess(channels_first(tensor.float().cpu(), slot))

    def of(self, image: Tensor, slot: Slot, number: int = 0) -> tuple[Pixels, tuple[Words, ...]]:
        """Return one input as uint8 (height, width) or (height, width, 3), and what was assumed.

        Parameters
        ----------
        image
            One sample, without the batch.
        slot
            What it is.
        number
            Which of several inputs.
        """
        said: tuple[Words, ...] = ()
        if self._to_image is not None:
            try:
                pixels, words = given_picture(self._to_image, image)
            except Refusal as refusal:
                said = ((refusal.key, refusal.params),)  # and the guess is shown instead
            else:
                return pixels, (words,)
        pixels, words = picture_of(image, slot, self._inverses.get(number))
        return pixels, (*said, words)

    def thumbs(self, question: Question) -> Pixels | None:
        """Return small pictures of the first samples, (n, h, w) or (n, h, w, 3).

        None if the samples are no pictures, or their pictures differ in size.
        """
        slot = question.slots[0]
        if slot.kind != "image":
            return None
        made = []
        for tensor in question.inputs_of(range(min(question.count, _THUMBS)))[0]:
            few = tensor if self._to_image is not None else _thinned(tensor, slot)
            picture, _ = self.of(few, slot)
            planes = picture[..., None] if picture.ndim == 2 else picture
            small = [
                pooled(planes[..., channel].astype(np.float64), _THUMB)[0]
                for channel in range(planes.shape[-1])
            ]
            pixels = np.rint(np.stack(small, -1)).astype(np.uint8)
            made.append(marked(pixels, marks_of(few, slot)))
        if len({one.shape[:2] for one in made}) != 1:
            return None
        channels = max(one.shape[-1] for one in made)  # marks are coloured in grey pictures too
        stack = np.stack([np.broadcast_to(one, (*one.shape[:2], channels)) for one in made])
        return stack[..., 0] if stack.shape[-1] == 1 else stack


def _thinned(image: Tensor, slot: Slot) -> Tensor:
    """Return every few pixels of a large picture: for a thumbnail they show as much."""
    first = 0 if slot.channel_axis == -1 else image.dim() - 2
    step = max(1, max(image.shape[first : first + 2]) // _DRAWN_FROM)
    few = (slice(None),) * first + (slice(None, None, step),) * 2
    return image[few]
