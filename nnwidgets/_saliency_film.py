"""The map of one sample through the training: a bounded film of small frames."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._saliency_drawn import pooled
from nnwidgets._saliency_wish import Answer, Wish
from nnwidgets.explain.ranks import similarity

__all__ = ["Film", "Frame", "frame_of"]

_SIDE: Final = 32  # pixels of a frame
_VALUES: Final = 1_024  # of a frame that is no picture
_MOST: Final = 96


@dataclass(frozen=True, eq=False)
class Frame:
    """One small map.

    Attributes
    ----------
    values
        (height, width) of at most 32 each, or (n,).
    """

    values: NDArray[np.float32]


def frame_of(answer: Answer) -> Frame | None:
    """Return the small map of an answer; None if it has none."""
    values = None if answer.drawn is None else answer.drawn.map
    if values is None or answer.drawn is None or answer.state != "ready":
        return None
    if answer.drawn.kind == "image":
        return Frame(pooled(values, _SIDE)[0].astype(np.float32))
    return Frame(values.reshape(-1)[:_VALUES].astype(np.float32))


class Film:
    """Frames by step, all of one question.

    Attributes
    ----------
    wish
        The question, less its step; None before the first.
    number
        Grows with every change.

    Notes
    -----
    Frames may be added in any order: live ones at the end, those of stored weights in between. Of
    steps whose weights are not kept only the newest frame stays, so that whoever sees a frame can
    also go there. Where no weights are kept at all, all stay: then they are what there is. When
    there are more than 96, the one whose neighbours are nearest goes; the first and the last stay.
    """

    def __init__(self) -> None:
        self.wish: Wish | None = None
        self.number = 0
        self._frames: dict[int, Frame] = {}

    @property
    def steps(self) -> tuple[int, ...]:
        """Ascending."""
        return tuple(sorted(self._frames))

    def begin(self, wish: Wish) -> None:
        """Start anew if `wish` is another question than that of the frames."""
        wish = replace(wish, step=None)
        if wish != self.wish:
            self.wish, self._frames = wish, {}
            self.number += 1

    def add(self, step: int, frame: Frame, kept: Collection[int] = ()) -> None:
        """Add the frame of a step, in place of one that is there.

        Parameters
        ----------
        step
            Of the frame.
        frame
            The map.
        kept
            The steps whose weights are kept.
        """
        held = next(iter(self._frames.values()), frame)
        if held.values.shape != frame.values.shape:
            self._frames = {}  # the model gives maps of another size now
        frames = {**self._frames, step: frame}
        if kept:
            newest = max(frames)
            frames = {one: frames[one] for one in frames if one in kept or one == newest}
        if len(frames) > _MOST:
            steps = sorted(frames)
            gaps = [after - before for before, after in zip(steps, steps[2:], strict=False)]
            frames.pop(steps[1 + int(np.argmin(gaps))])
        self._frames = frames
        self.number += 1

    def missing(self, steps: tuple[int, ...]) -> list[int]:
        """Return those of `steps` that have no frame and would stay if they had one.

        In an order in which a few of them already show the whole run: halves, quarters, eighths.
        """
        lacking = [step for step in steps if step not in self._frames]
        room = max(0, _MOST - len(self._frames))
        order: list[int] = []
        stride = 1 << max(0, len(lacking) - 1).bit_length()
        while stride and len(order) < len(lacking):
            order += [step for step in lacking[::stride] if step not in order]
            stride //= 2
        return order[:room]

    def clear(self) -> None:
        """Forget all frames."""
        self.wish, self._frames = None, {}
        self.number += 1

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
        """Return steps (f,), drift (f,) and frames (f, …).

        Drift is Spearman's rank correlation with the frame before: 1 where the order of the values
        stayed, NaN for the first frame and where it is not defined.
        """
        frames = dict(self._frames)
        steps = sorted(frames)
        stack = [frames[step].values for step in steps]
        drift = [np.nan] * len(steps)
        for place in range(1, len(steps)):
            found = similarity(stack[place - 1], stack[place])
            drift[place] = np.nan if found is None else found
        values = np.stack(stack) if stack else np.zeros((0, 0), np.float32)
        return np.array(steps, np.float64), np.array(drift, np.float32), values
