"""What somebody wants explained, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.explanation import Explanation

__all__ = ["COMPARED", "Answer", "Drawn", "State", "Target", "Wish"]

COMPARED: Final = ("method", "target", "step", "checkpoint")

Target = int | tuple[int, ...] | Callable[..., Any] | None
State = Literal["ready", "working", "stale", "failed"]


@dataclass(frozen=True)
class Wish:
    """One question.

    Attributes
    ----------
    index
        Of the sample.
    target
        Class or place in the output, or a function of it; None for what the model answers.
    method
        Name of the method.
    layer
        Name of the layer; empty for the one that is chosen by itself.
    baseline
        Name of the baseline; ``"given"`` for the one that the user passed.
    slot
        Which of several inputs is drawn.
    step
        The step whose weights are asked; None for the model as it is.
    checkpoint
        Name of the stored weights that are asked instead; None for those of the run.
    """

    index: int
    target: Target
    method: str
    layer: str
    baseline: str
    slot: int = 0
    step: int | None = None
    checkpoint: str | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """One input and its map, as small as they are drawn.

    Attributes
    ----------
    kind
        What the input is: ``"image"``, ``"table"``, ``"tokens"``, ``"signal"``, ``"sequence"``,
        ``"other"``.
    map
        float64; (height, width) of an image, else in the layout of the kind. None while it is
        worked out.
    input
        uint8 picture of an image, float32 of the rest; None where there is nothing to draw.
    spread
        As `map`: how far the values differ between seeds; None of most methods.
    reduced
        Size of the squares of pixels that one value of the map stands for.
    """

    kind: str
    map: NDArray[np.float64] | None
    input: NDArray[Any] | None = None
    spread: NDArray[np.float64] | None = None
    reduced: int = 1


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of a wish.

    Attributes
    ----------
    wish
        What was asked.
    step
        The step that the weights are from.
    past
        Whether that is an earlier one than the newest.
    state
        ``"working"`` while it is being worked out; ``"stale"`` when it was given up.
    explanation
        None until there is one.
    drawn
        The same, ready to be drawn.
    problem
        Why there is none, in a sentence.
    scores, probabilities
        Of all classes, as the model gave them for the sample; None if it failed.
    tokens
        Texts of the sample's tokens.
    said
        Sentences on the input and the map, as keys of the catalogue with their parameters.
    numbers
        What the values may be compared with: their sum, the scores.
    weights
        Tells apart the weights that the model itself had at one step; 0 for stored ones.
    """

    wish: Wish
    step: int
    past: bool = False
    state: State = "ready"
    explanation: Explanation | None = None
    drawn: Drawn | None = None
    problem: str | None = None
    scores: NDArray[Any] | None = None
    probabilities: NDArray[Any] | None = None
    tokens: tuple[str, ...] | None = None
    said: tuple[tuple[str, dict[str, str]], ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)
    weights: int = 0

    @property
    def nbytes(self) -> int:
        """Memory that its numbers take, in bytes."""
        arrays = [] if self.explanation is None else list(self.explanation.arrays)
        if self.drawn is not None:
            arrays += [
                one
                for one in (self.drawn.map, self.drawn.input, self.drawn.spread)
                if one is not None
            ]
        return sum(array.nbytes for array in arrays)
