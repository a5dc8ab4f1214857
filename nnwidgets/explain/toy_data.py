"""Small data in the plane that show what a model can and cannot separate.

Made by a generator of their own from a seed, so that the same call gives the same points. All lie
in about [−1.5, 1.5] on both axes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from math import pi
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAMES", "ToyData", "fitting", "toy"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ToyData:
    """Points in the plane.

    Attributes
    ----------
    X
        (n, 2), float32.
    y
        (n,): classes as int64 from 0, or values as float32.
    classes
        How many classes; 0 for values.
    """

    X: NDArray[np.float32]
    y: NDArray[Any]
    classes: int


def fitting(name: str, classes: int) -> int | None:
    """Return how many classes a set should have for a model that tells so many apart.

    Parameters
    ----------
    name
        Of the set.
    classes
        Of the model; 0 for values.

    Returns
    -------
    int or None
        As many as it can have, at most those of the model; None if the set does not suit it.
    """
    allowed = [count for count in _MAKERS[name][1] if count <= classes]
    if not classes or allowed == [0]:
        return 0 if 0 in _MAKERS[name][1] and not classes else None
    return max((count for count in allowed if count), default=None)


def toy(
    name: str, n: int = 200, *, classes: int | None = None, noise: float = 0.1, seed: int = 0
) -> ToyData:
    """Make one of the sets.

    Parameters
    ----------
    name
        ``"moons"`` (half circles that reach into each other), ``"circles"`` (one inside the other),
        ``"xor"`` (opposite quadrants alike), ``"spirals"``, ``"blobs"`` (one bell for each class)
        or ``"plane"`` (regression: y = 0.8 x₀ − 0.5 x₁ + 0.2).
    n
        How many points; classes differ by one at most.
    classes
        How many classes; None: two, of blobs three. Moons have two; xor has two or four.
    noise
        Standard deviation of the normal noise on both coordinates, or on y of the plane. Of blobs
        it is added to their own of 0.2.
    seed
        Of the generator.

    Returns
    -------
    ToyData
        In random order.

    Raises
    ------
    ValueError
        If there is no such set, or not with so many classes or points.
    """
    if name not in _MAKERS:
        near = get_close_matches(str(name), _MAKERS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"there is no toy data {name!r}: choose {', '.join(NAMES)}{hint}")
    maker, allowed, default = _MAKERS[name]
    count = default if classes is None else classes
    if count not in allowed:
        known = (
            f"{allowed[0]} to {allowed[-1]}" if len(allowed) > 2 else " or ".join(map(str, allowed))
        )
        raise ValueError(f"{name} have {known} classes, not {classes!r}")
    whole: Any = n  # a caller may give anything
    if isinstance(whole, bool) or not isinstance(whole, (int, np.integer)) or whole < 1:
        raise ValueError(f"n is the number of points, at least 1, not {n!r}")
    if not (noise >= 0 and np.isfinite(noise)):
        raise ValueError(f"noise is a standard deviation, zero or above, not {noise!r}")
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % max(count, 1)
    generator.shuffle(labels)
    points = maker(labels, max(count, 1), generator)
    if not count:
        values = points @ _SLOPES + _LEVEL + generator.normal(0, noise, n)
        return ToyData(points.astype(np.float32), values.astype(np.float32), 0)
    points = points + generator.normal(0, noise, points.shape)
    return ToyData(points.astype(np.float32), labels.astype(np.int64), count)


_SLOPES: Final = np.array([0.8, -0.5])
_LEVEL: Final = 0.2


def _moons(labels: NDArray[Any], classes: int, generator: np.random.Generator) -> Floats:
    angle = generator.uniform(0, pi, len(labels))
    upper = labels == 0
    x = np.where(upper, np.cos(angle) - 0.5, 0.5 - np.cos(angle))
    y = np.where(upper, np.sin(angle) - 0.25, 0.25 - np.sin(angle))
    return np.stack([x, y], 1)


def _circles(labels: NDArray[Any], classes: int, generator: np.random.Generator) -> Floats:
    angle = generator.uniform(0, 2 * pi, len(labels))
    return _polar((labels + 1) / classes, angle)


def _xor(labels: NDArray[Any], classes: int, generator: np.random.Generator) -> Floats:
    size = generator.uniform(0.1, 1, (len(labels), 2))
    # Quadrants counter-clockwise; with two classes each has one and the opposite one.
    quadrant = labels + (2 * generator.integers(0, 2, len(labels)) if classes == 2 else 0)
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    return np.asarray(size * signs[quadrant], np.float64)


def _spirals(labels: NDArray[Any], classes: int, generator: np.random.Generator) -> Floats:
    # Evenly along the arm, not along the angle: the square root thins out the middle.
    along = np.sqrt(generator.uniform(0.01, 1, len(labels)))
    return _polar(along * 1.2, along * 1.75 * 2 * pi + labels * 2 * pi / classes)


def _blobs(labels: NDArray[Any], classes: int, generator: np.random.Generator) -> Floats:
    middle = _polar(np.full(len(labels), 0.9), pi / 2 + labels * 2 * pi / classes)
    return middle + generator.normal(0, 0.2, (len(labels), 2))


def _plane(labels: NDArray[Any], classes: int, generator: np.random.Generator) -> Floats:
    return generator.uniform(-1.5, 1.5, (len(labels), 2))


def _polar(radius: Floats, angle: Floats) -> Floats:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


_Maker = Callable[[NDArray[Any], int, np.random.Generator], Floats]
_SEVERAL: Final = range(2, 21)
_MAKERS: Final[dict[str, tuple[_Maker, range, int]]] = {
    "moons": (_moons, range(2, 3), 2),
    "circles": (_circles, _SEVERAL, 2),
    "xor": (_xor, range(2, 5, 2), 2),
    "spirals": (_spirals, _SEVERAL, 2),
    "blobs": (_blobs, _SEVERAL, 3),
    "plane": (_plane, range(1), 0),
}
NAMES: Final = tuple(_MAKERS)
"""Names of the sets."""
