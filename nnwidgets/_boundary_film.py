"""The surface through the training: a bounded film of small surfaces, of one question."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_drawn import colouring_of
from nnwidgets._boundary_wish import Wish
from nnwidgets.explain.surface import Surface
from nnwidgets.probe.blocks import encode

__all__ = ["SIDE", "SurfaceFilm", "reduced"]

SIDE: Final = 32  # places along an axis of a frame
_MOST: Final = 48


def reduced(surface: Surface, side: int = SIDE) -> Surface:
    """Return a surface at fewer of its places; both ends of each axis are among them."""
    columns, rows, places = _places(len(surface.x), len(surface.y), side)

    def of(field: NDArray[Any] | None) -> NDArray[Any] | None:
        if field is None:
            return None
        flat = field.reshape(*field.shape[:-2], -1)
        return flat.take(places, axis=-1).reshape(*flat.shape[:-1], len(rows), len(columns))

    return Surface(
        surface.x[columns],
        surface.y[rows],
        of(surface.probabilities),
        of(surface.epistemic),
        of(surface.aleatoric),
        of(surface.values),
        surface.exclusive,
    )


@lru_cache(maxsize=4)
def _places(
    columns: int, rows: int, side: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return which columns and rows stay, and where the places are when all are in one row."""
    some = _some(columns, side), _some(rows, side)
    return *some, (some[1][:, None] * columns + some[0]).reshape(-1)


def _some(count: int, most: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


class SurfaceFilm:
    """Surfaces by step.

    Attributes
    ----------
    number
        Grows with every change.

    Notes
    -----
    Frames may come in any order. When there are more than 48, the one whose neighbours are nearest
    goes; the first and the last stay. Frames hold what the model said, not how that is coloured,
    so another view of them needs no model.
    """

    def __init__(self) -> None:
        self.number = 0
        self._of: tuple[Wish, int] | None = None
        self._frames: dict[int, Surface] = {}

    @property
    def steps(self) -> tuple[int, ...]:
        """Ascending."""
        return tuple(sorted(self._frames))

    def begin(self, wish: Wish, era: int) -> None:
        """Start anew if this is another question than that of the frames."""
        of = wish.timeless, era
        if of != self._of:
            self._of, self._frames = of, {}
            self.number += 1

    def add(self, step: int, surface: Surface) -> None:
        """Add the surface of a step, in place of one that is there."""
        frames = {**self._frames, step: reduced(surface)}
        if len(frames) > _MOST:
            steps = sorted(frames)
            gaps = [after - before for before, after in zip(steps, steps[2:], strict=False)]
            frames.pop(steps[1 + int(np.argmin(gaps))])
        self._frames = frames
        self.number += 1

    def missing(self, steps: tuple[int, ...]) -> list[int]:
        """Return some of `steps` that have no frame, spread over the run."""
        lacking = [step for step in steps if step not in self._frames]
        room = max(0, _MOST - len(self._frames))
        if len(lacking) <= room:
            return lacking
        chosen = np.linspace(0, len(lacking) - 1, room).round().astype(int) if room else []
        return [lacking[place] for place in chosen]

    def clear(self) -> None:
        """Forget all frames."""
        self._of, self._frames = None, {}
        self.number += 1

    def packed(
        self,
        view: str,
        interest: int | None,
        *,
        exclusive: bool,
        labels: NDArray[Any] | None,
        only: Collection[int] | None = None,
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the frames in one view, on one scale.

        Parameters
        ----------
        view, interest, exclusive, labels
            As of `nnwidgets._boundary_drawn.colouring_of`.
        only
            Steps that can be gone back to; None: frames of all steps.
        """
        frames = dict(self._frames)
        steps = [step for step in sorted(frames) if view in frames[step].views or view == "margin"]
        if only is not None:
            steps = [step for step in steps if step in only]
        if not steps:
            return {"shown": 0, "low": 0.0, "high": 0.0, "palette": "labels", "rectangle": None}, {
                "steps": np.zeros(0)
            }
        found = [
            colouring_of(frames[step], view, interest, exclusive=exclusive, labels=labels)
            for step in steps
        ]
        low = min(one.low for one in found)
        high = max(one.high for one in found)
        palettes = {one.palette for one in found}
        palette = found[-1].palette
        if len(palettes) > 1:  # values that have come to lie on both sides of zero
            palette, high = "diverging", max(-low, high)
            low = -high
        arrays: dict[str, NDArray[Any]] = {"steps": np.array(steps, np.float64)}
        first = frames[steps[0]]
        if first.label is not None:
            marks = np.stack([np.asarray(frames[step].label) for step in steps])
            arrays["label"] = marks.astype(np.uint8)
        if found[0].values is not None:
            values = np.stack([np.asarray(one.values) for one in found])
            arrays["value"] = encode(values, low, high)
        meta = {
            "shown": len(steps),
            "low": low,
            "high": high,
            "palette": palette,
            "rectangle": list(first.rectangle),
        }
        return meta, arrays
