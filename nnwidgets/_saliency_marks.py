"""What is not finite in an image input, marked in its picture as maps mark it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.explain.guess_image import channels_first
from nnwidgets.explain.inputs import Slot
from nnwidgets.probe.blocks import INF_CODE, MINUS_INF_CODE, NAN_CODE, Words
from nnwidgets.probe.sentences import whole

__all__ = ["marked", "marks_of", "words_of"]

# The colours of `js/src/ui/colormap.ts` and of figures, on a light and on a dark ground.
_COLOURS: Final = (
    (NAN_CODE, (0xD6, 0x2F, 0xD0)),
    (INF_CODE, (0xFF, 0x95, 0x00)),
    (MINUS_INF_CODE, (0x00, 0xC8, 0xB4)),
)

Codes = NDArray[np.uint8]
Pixels = NDArray[np.uint8]


def marks_of(image: Tensor, slot: Slot) -> Codes | None:
    """Return which pixels are not finite; None if all are.

    Parameters
    ----------
    image
        One sample, in the slot's shape.
    slot
        Which axis counts the channels.

    Returns
    -------
    codes
        uint8 (height, width): 0 where all channels are finite, else 253 for NaN, 254 for infinity,
        255 for minus infinity; of channels that differ the first of these.
    """
    values = channels_first(image.detach()[None].float().cpu(), slot)[0].numpy()
    if np.isfinite(values).all():
        return None
    codes = np.zeros(values.shape[1:], np.uint8)
    for code, test in (
        (MINUS_INF_CODE, np.isneginf(values)),
        (INF_CODE, np.isposinf(values)),
        (NAN_CODE, np.isnan(values)),
    ):
        codes[test.any(0)] = code
    return codes


def marked(picture: Pixels, codes: Codes | None) -> Pixels:
    """Return a picture with its marked pixels in the colours of the marks.

    Parameters
    ----------
    picture
        (height, width) or (height, width, 3); may be smaller than the codes, by whole squares of
        them. One marked pixel marks its square.
    codes
        As of `marks_of`. Of a picture that has other proportions, as a function of the user's may
        make it, nobody knows where its pixels lie: it is left as it is.
    """
    if codes is None:
        return picture
    size = max(1, -(-codes.shape[0] // max(1, picture.shape[0])))
    sides = tuple(-(-side // size) for side in codes.shape)
    if sides != picture.shape[:2]:
        return picture
    colours = picture[..., None] if picture.ndim == 2 else picture
    colours = np.array(np.broadcast_to(colours, (*sides, 3)), np.uint8)
    for code, colour in reversed(_COLOURS):
        rows, columns = np.nonzero(codes == code)
        colours[rows // size, columns // size] = colour
    return np.asarray(colours, np.uint8)


def words_of(codes: Codes) -> Words:
    """Return the sentence that says how many pixels are marked, and how."""
    return "explain.picture.not_finite", {"count": whole(int((codes > 0).sum()))}
