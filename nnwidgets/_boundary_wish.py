"""What a DecisionBoundaryPlot is asked to show, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.contours import Contour, boundaries, level_lines, ticks
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.surface import Surface
from nnwidgets.probe.blocks import Words

__all__ = ["Shown", "Verdict", "Wish"]


@dataclass(frozen=True)
class Wish:
    """Which surface is to be shown; how it is coloured is another matter.

    Attributes
    ----------
    axes
        The two columns, of a slice.
    fixed
        Column and value (or "median", "mean") of features held elsewhere than `others` says.
    others
        At what all other features are held: "median", "mean", or the number of a sample.
    projection
        "slice", "pca", "pca_scaled", "layer:<name>" or "given".
    uncertain
        The way to a committee; None for the model alone.
    rectangle
        What is shown of the plane; None for all of the data.
    step
        Of the time cursor; None for the newest.
    """

    axes: tuple[int, int] = (0, 1)
    fixed: tuple[tuple[int, float | str], ...] = ()
    others: str | int = "median"
    projection: str = "slice"
    uncertain: str | None = None
    rectangle: Rectangle | None = None
    step: int | None = None

    @property
    def timeless(self) -> Wish:
        """The same wish, of whatever step."""
        return self if self.step is None else replace(self, step=None)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the model says of the points that are there.

    Attributes
    ----------
    points
        The points at that time.
    places
        (m,) which of them were asked; the rest were too many.
    xy, away
        (m, 2) where they are in the picture, and (m,) how far from what is shown there.
    said
        (m,) predicted class (−1: none), or predicted value of the output that labels are of.
    wrong
        (m,) bool: the label is another; None without labels, and of values.
    train, test
        Share of right answers, of values R²; None where there is nothing to go by.
    """

    points: Snapshot
    places: NDArray[np.intp]
    xy: NDArray[np.float64]
    away: NDArray[np.float64]
    said: NDArray[Any]
    wrong: NDArray[np.bool_] | None
    train: float | None
    test: float | None


@dataclass(frozen=True, eq=False)
class Shown:
    """One surface, and what stands around it.

    Attributes
    ----------
    number
        Of the look; 0 before the first.
    wish
        What was asked for.
    step, past
        Of the weights, and whether they are stored ones.
    mark
        Differs when the weights do, by whatever hand.
    era
        Of the data that the plane is of.
    state
        "ready", "refining", "working", "stale" or "failed".
    problem
        Why it failed, as a sentence.
    asked
        Which share of the places was really asked.
    members
        Of the committee; 0 for the model alone.
    """

    number: int = 0
    wish: Wish = field(default_factory=Wish)
    step: int = 0
    past: bool = False
    mark: int = 0
    era: int = 0
    state: str = "working"
    problem: str | None = None
    plane: Plane | None = None
    rectangle: Rectangle | None = None
    surface: Surface | None = None
    asked: float = 1.0
    members: int = 0
    verdict: Verdict | None = None
    notes: tuple[Words, ...] = ()

    @cached_property
    def lines(self) -> tuple[Contour, ...]:
        """Where the most probable class changes; of values, where round ones are reached."""
        return () if self.surface is None else lines_of(self.surface, 0)

    @cached_property
    def levels(self) -> tuple[float, ...]:
        """The values that `lines` are of, for a regression."""
        return () if self.surface is None else levels_of(self.surface, 0)


def lines_of(surface: Surface, output: int) -> tuple[Contour, ...]:
    """Return boundaries, or the level lines of an output."""
    if surface.probabilities is not None:
        return boundaries(surface)
    return level_lines(surface, levels_of(surface, output), output=output)


def levels_of(surface: Surface, output: int) -> tuple[float, ...]:
    """Return the round values that an output of a regression reaches."""
    if surface.values is None:
        return ()
    values = surface.view("value", output)
    finite = values[np.isfinite(values)]
    return ticks(float(finite.min()), float(finite.max())) if finite.size else ()
