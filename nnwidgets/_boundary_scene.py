"""What a look or a long answer is about: who is asked, where, with which weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nnwidgets._boundary_wish import Shown, Wish
from nnwidgets.explain.layer_plane import LayerProjection
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.predictor import Predictor

__all__ = ["Found", "Scene", "Spot"]


@dataclass(frozen=True)
class Spot:
    """The place that is asked about.

    Attributes
    ----------
    at
        In the picture.
    id
        Of the drawn point that it is, if it is one.
    row
        All features, where they were given; None: those that the place stands for.
    """

    at: tuple[float, float]
    id: int | None = None
    row: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """A result, and what it is of.

    Attributes
    ----------
    key
        Of the question, the weights and the points: differs where the answer may.
    step
        Of the weights.
    result
        None where there is a problem.
    problem
        Why there is none, as a sentence.
    """

    key: tuple[Any, ...]
    step: int
    result: Any = None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """What is looked at: who is asked, where, with which weights."""

    wish: Wish
    step: int
    past: bool
    mark: int
    predictor: Predictor
    plane: Plane
    rectangle: Rectangle
    points: Snapshot
    era: int
    origin: Plane | None = None  # the plane that is drawn, where this scene has a copy of it

    def by(self, predictor: Predictor) -> Scene:
        """Return the scene as another predictor sees it, which may be asked in another thread."""
        plane = self.plane
        if isinstance(plane, LayerProjection):
            plane = plane.by(predictor)
        return replace(self, predictor=predictor, plane=plane, origin=self.drawn)

    @property
    def drawn(self) -> Plane:
        """The plane of the picture."""
        return self.plane if self.origin is None else self.origin

    def showing(self, drawn: Shown) -> Shown:
        """Return a surface of this scene with what it is of."""
        return replace(
            drawn,
            wish=self.wish,
            step=self.step,
            past=self.past,
            mark=self.mark,
            era=self.era,
            plane=self.drawn,
            rectangle=self.rectangle,
        )

    def key(self, *more: Any) -> tuple[Any, ...]:
        """Return what an answer depends on."""
        return (replace(self.wish, step=self.step), self.mark, self.past, self.era, *more)
