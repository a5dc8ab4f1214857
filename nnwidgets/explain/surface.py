"""What a model says all over a picture: probabilities, or values, on a grid of places."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.answers import Answering, Answers, entropies, labels, margins, waiting
from nnwidgets.explain.plane_base import Plane, Rectangle
from nnwidgets.probe.refusal import Refusal

__all__ = ["VIEWS", "Surface", "checked_rectangle", "grid", "lines", "surface", "surface_of"]

VIEWS: Final = ("probability", "label", "entropy", "margin", "epistemic", "aleatoric", "value")

Floats = NDArray[np.floating[Any]]
Resolution = int | tuple[int, int]


@dataclass(frozen=True, eq=False)
class Surface:
    """What a model says on a grid.

    Attributes
    ----------
    x, y
        (columns,) and (rows,): the places along each axis, increasing.
    probabilities
        (classes, rows, columns): ``probabilities[k, i, j]`` is class k at ``(x[j], y[i])``. None
        for a regression.
    epistemic, aleatoric
        (rows, columns) in nats, for several models taken together; of a regression
        (outputs, rows, columns). None where one model was asked, which cannot tell them apart.
    values
        (outputs, rows, columns) of a regression; None for classes.
    exclusive
        Whether the classes' probabilities add up to one.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    probabilities: Floats | None
    epistemic: Floats | None = None
    aleatoric: Floats | None = None
    values: Floats | None = None
    exclusive: bool = True

    # Found when first asked for: of most surfaces that pass by, nobody asks.

    @cached_property
    def label(self) -> NDArray[np.int64] | None:
        """The most probable class, (rows, columns); of several the first; None for a regression.

        −1 where there is none, since a probability is not finite.
        """
        return None if self.probabilities is None else labels(self.probabilities)

    @cached_property
    def entropy(self) -> Floats | None:
        """In nats, (rows, columns); of classes that do not exclude each other the sum of theirs.

        None for a regression.
        """
        shares = self.probabilities
        return None if shares is None else entropies(shares, exclusive=self.exclusive)

    @property
    def margin(self) -> Floats | None:
        """By how much the most probable class leads the next, (rows, columns); None for values."""
        return None if self.probabilities is None else margins(self.probabilities)

    @property
    def rectangle(self) -> Rectangle:
        """Left, right, bottom, top."""
        return (float(self.x[0]), float(self.x[-1]), float(self.y[0]), float(self.y[-1]))

    @property
    def views(self) -> tuple[str, ...]:
        """Which of `VIEWS` it has."""
        have = {
            "probability": self.probabilities,
            "label": self.probabilities,
            "entropy": self.probabilities,
            "margin": self.probabilities,
            "epistemic": self.epistemic,
            "aleatoric": self.aleatoric,
            "value": self.values,
        }
        return tuple(name for name in VIEWS if have[name] is not None)

    def view(self, name: str, which: int | None = None) -> NDArray[Any]:
        """Return one picture.

        Parameters
        ----------
        name
            One of `views`.
        which
            Of "probability" the class; None: of two classes the second one, of more the one that
            is most probable at each place. Of the pictures of a regression the output; None: the
            first.

        Returns
        -------
        ndarray
            (rows, columns).

        Raises
        ------
        Refusal
            If the surface has no such picture, class or output.
        ValueError
            If there is no view of this name.
        """
        if name not in VIEWS:
            raise ValueError(f"view must be one of {', '.join(VIEWS)}, not {name!r}")
        if name not in self.views:
            raise Refusal("explain.surface.view", view=name, views=", ".join(self.views))
        layers: Any = {"probability": self.probabilities, "value": self.values}.get(
            name, getattr(self, name, None)
        )
        if layers.ndim == 2:
            return np.asarray(layers)
        if which is None and name == "probability":
            return np.asarray(layers[1] if len(layers) == 2 else layers.max(0))
        number = which or 0
        if not 0 <= number < len(layers):
            last = str(len(layers) - 1)
            raise Refusal("explain.surface.which", number=str(which), last=last)
        return np.asarray(layers[number])


def surface(
    predictor: Answering,
    plane: Plane,
    resolution: Resolution = 100,
    rectangle: Rectangle | None = None,
    check: Callable[[], None] = waiting,
) -> Surface:
    """Ask a model at every place of a grid.

    Parameters
    ----------
    predictor
        Answers for points: `nnwidgets.explain.predictor.Predictor`, or several models together.
    plane
        What the two axes mean.
    resolution
        Places along each axis, or (columns, rows).
    rectangle
        Left, right, bottom, top; None: around the data.
    check
        Called between batches; what it raises ends the work.

    Raises
    ------
    Refusal
        As the predictor and the plane, and if the rectangle is empty or not finite.
    ValueError
        If there are fewer than two places along an axis.
    """
    x, y = lines(plane.rectangle if rectangle is None else rectangle, resolution)
    return surface_of(x, y, predictor.answer(plane.to_inputs(grid(x, y)), check))


def lines(
    rectangle: Rectangle, resolution: Resolution
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places along each axis, (columns,) and (rows,); both ends are among them.

    Raises
    ------
    Refusal
        If the rectangle is empty or not finite.
    TypeError
        If it is not four numbers, or the resolution not one or two whole ones.
    ValueError
        If there are fewer than two places along an axis.
    """
    left, right, bottom, top = checked_rectangle(rectangle)
    pair = resolution if isinstance(resolution, Sequence) else (resolution, resolution)
    try:
        columns, rows = (operator.index(count) for count in pair)
    except (TypeError, ValueError):
        raise TypeError(
            f"resolution must be a whole number or two of them, not {resolution!r}"
        ) from None
    if min(columns, rows) < 2:
        raise ValueError(f"resolution must be at least 2 along each axis, not {resolution}")
    return np.linspace(left, right, columns), np.linspace(bottom, top, rows)


def checked_rectangle(rectangle: Sequence[float]) -> Rectangle:
    """Return a rectangle as plain numbers.

    Raises
    ------
    Refusal
        If it is empty or not finite.
    TypeError
        If it is not four numbers.
    """
    try:
        left, right, bottom, top = (float(value) for value in rectangle)
    except (TypeError, ValueError):
        raise TypeError(
            f"rectangle must be four numbers (left, right, bottom, top), not {rectangle!r}"
        ) from None
    sizes = (right - left, top - bottom)
    if not (np.isfinite(sizes).all() and min(sizes) > 0):
        given = ", ".join(f"{value:g}" for value in (left, right, bottom, top))
        raise Refusal("explain.surface.rectangle", given=given)
    return (left, right, bottom, top)


def grid(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all places, (rows · columns, 2), row by row from the bottom."""
    places = np.empty((len(y), len(x), 2))
    places[:, :, 0] = x
    places[:, :, 1] = y[:, None]
    return places.reshape(-1, 2)


def surface_of(x: NDArray[np.float64], y: NDArray[np.float64], answers: Answers) -> Surface:
    """Lay out answers for a grid.

    Parameters
    ----------
    x, y
        The places along each axis.
    answers
        For the places in the order of `grid`.
    """
    shape = (len(y), len(x))

    def laid(rows: Floats | None) -> Floats | None:
        if rows is None:
            return None
        return np.ascontiguousarray(rows.T).reshape(*rows.shape[1:], *shape)

    return Surface(
        x=x,
        y=y,
        probabilities=laid(answers.probabilities),
        epistemic=laid(answers.epistemic),
        aleatoric=laid(answers.aleatoric),
        values=laid(answers.values),
        exclusive=answers.exclusive,
    )
