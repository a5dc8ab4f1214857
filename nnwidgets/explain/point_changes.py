"""What would change the answer: along each feature, the nearest place where the model says else.

From the point, places are tried at even steps both ways; between the last one with the old answer
and the first one with another, the border is closed in by halving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Change", "changes"]

Floats = NDArray[np.float64]

_PLACES: Final = 64  # tried on the way from the point to each end
_HALVINGS: Final = 18  # a quarter of a millionth of a step: single precision has no more


@dataclass(frozen=True)
class Change:
    """The smallest change of one feature that was found to change the answer.

    Attributes
    ----------
    feature
        Index of the column.
    to
        Value of the feature at which the answer is another; None: no other answer was found.
    change
        ``to`` less the point's value; None likewise.
    answer
        The class, or the value, that the model gives there; None likewise.
    within
        The answer is still the old one at ``to`` less this, towards the point: how closely the
        border is known. None likewise.
    searched
        (low, high): where it was looked for.
    step
        Distance of the places that were tried, the larger of both ways. Another answer that lies
        between two of them, nearer than the one found, has been missed.
    """

    feature: int
    to: float | None
    change: float | None
    answer: int | float | None
    within: float | None
    searched: tuple[float, float]
    step: float


def changes(
    ask: Callable[[Floats], Floats],
    point: Floats,
    low: Floats,
    high: Floats,
    *,
    features: Iterable[int],
    by: float | None = None,
    places: int = _PLACES,
) -> tuple[Change, ...]:
    """Look for the smallest change of each feature that changes the answer.

    Parameters
    ----------
    ask
        (n, features) to (n, classes), or (n, 1) values. Where it is not finite, there is no answer.
    point
        (features,).
    low, high
        (features,): ends of the search. An end on the wrong side of the point: nothing is looked
        for that way.
    features
        Which.
    by
        Of values: how far they must move; None: classes.
    places
        How many are tried each way.

    Returns
    -------
    tuple of Change
        One a feature, in that order.
    """
    chosen = [int(feature) for feature in features]
    for feature in chosen:
        if not 0 <= feature < len(point):
            raise ValueError(f"there is no feature {feature}: they go from 0 to {len(point) - 1}")
    if by is not None and not by > 0:
        raise ValueError(f"by is how far a value must move, above zero, not {by!r}")
    old = ask(point[None])[0]
    ways = [(feature, float(end[feature])) for feature in chosen for end in (low, high)]
    # (ways, places): towards low and towards high, for each feature.
    shares = np.arange(1, places + 1) / places
    reach = np.array(
        [
            end - point[feature] if (end < point[feature]) == (number % 2 == 0) else 0.0
            for number, (feature, end) in enumerate(ways)
        ]
    )
    columns = np.array([feature for feature, _ in ways], np.intp)
    tried = point[columns][:, None] + reach[:, None] * shares
    other = _differs(ask, point, columns, tried, old, by) & (reach != 0)[:, None]
    first = np.where(other.any(1), other.argmax(1), -1)
    active = np.flatnonzero(first >= 0)
    far = tried[active, first[active]]
    near = np.where(first[active] > 0, tried[active, first[active] - 1], point[columns[active]])
    for _ in range(_HALVINGS if len(active) else 0):
        middle = (near + far) / 2
        beyond = _differs(ask, point, columns[active], middle[:, None], old, by)[:, 0]
        far, near = np.where(beyond, middle, far), np.where(beyond, near, middle)
    given = _asked(ask, point, columns[active], far)
    borders = {int(way): number for number, way in enumerate(active)}
    found = []
    for number, feature in enumerate(chosen):
        both = [borders[way] for way in (2 * number, 2 * number + 1) if way in borders]
        span = float(low[feature]), float(high[feature])
        step = float(np.abs(reach[2 * number : 2 * number + 2]).max()) / places
        if not both:
            found.append(Change(feature, None, None, None, None, span, step))
            continue
        best = min(both, key=lambda way: abs(float(far[way]) - float(point[feature])))
        to = float(far[best])
        answer = int(given[best].argmax()) if by is None else float(given[best, 0])
        away = to - float(point[feature])
        found.append(Change(feature, to, away, answer, to - float(near[best]), span, step))
    return tuple(found)


def _differs(
    ask: Callable[[Floats], Floats],
    point: Floats,
    columns: NDArray[np.intp],
    values: Floats,
    old: Floats,
    by: float | None,
) -> NDArray[np.bool_]:
    """Return where the answer is another, in the form of `values`: (ways, places)."""
    if not values.size:
        return np.zeros(values.shape, bool)
    given = _asked(ask, point, np.repeat(columns, values.shape[1]), values.ravel())
    if by is None:
        other: Any = (given.argmax(1) != old.argmax()) & np.isfinite(given).all(1)
    else:
        other = np.abs(given[:, 0] - old[0]) >= by
    return np.asarray(other, bool).reshape(values.shape)


def _asked(
    ask: Callable[[Floats], Floats], point: Floats, columns: NDArray[np.intp], values: Floats
) -> Floats:
    rows = np.repeat(point[None], len(values), axis=0)
    rows[np.arange(len(values)), columns] = values
    return ask(rows) if len(rows) else np.zeros((0, 1))
