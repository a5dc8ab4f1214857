"""Points that are drawn, dragged and deleted by hand, in the browser."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_editing import Editing
from nnwidgets._boundary_space import asks_elsewhere
from nnwidgets.live.widget import action
from nnwidgets.probe.refusal import Refusal

__all__ = ["Drawing"]


class Drawing(Editing):
    """The part of a plot that is drawn into."""

    def _rows_at(self, places: Any) -> NDArray[np.float64]:
        plane = self._now.plane
        if plane is None:
            raise Refusal("explain.boundary.no_plane")
        return plane.to_inputs(np.asarray(places, np.float64).reshape(-1, 2))

    @action("add")
    def _click_add(self, at: list[float], y: Any = None, test: bool = False) -> dict[str, int]:
        store = self._space.points
        row = self._rows_at([at])[0]
        if store.regression and y is not None:
            y = float(y)
        store.add(row, y if store.labelled else None, test=bool(test))
        return self._version

    @action("move")
    def _click_move(
        self, ids: list[int], at: list[list[float]], gesture: str = ""
    ) -> dict[str, int]:
        store, plane, wish = self._space.points, self._now.plane, self._now.wish
        places = np.asarray(at, np.float64).reshape(-1, 2)
        if plane is None:
            raise Refusal("explain.boundary.no_plane")
        names = [int(one) for one in ids]
        if wish.projection == "slice":
            # The features that are held stay what they are in each point.
            store.move(names, places, features=wish.axes, gesture=gesture or None)
            return self._version
        points = store.snapshot()
        known = points.ids.tolist()
        for one in names:
            if one not in known:
                raise KeyError(f"there is no point {one}: it may have been deleted")
        held = np.array([known.index(one) for one in names])
        rows = points.X[held].astype(np.float64)
        moved = rows + plane.to_inputs(places) - plane.to_inputs(self._places_of(names, rows))
        store.move(names, moved, gesture=gesture or None)
        return self._version

    def _places_of(self, ids: list[int], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points are in the picture, in whatever thread this is asked."""
        plane, verdict = self._now.plane, self._now.verdict
        assert plane is not None
        if verdict is None or not asks_elsewhere(self._now.wish.projection):
            return plane.to_plane(rows)
        # The model is asked at safe points only: where they were at the last look.
        known = verdict.points.ids[verdict.places].tolist()
        if any(one not in known for one in ids):
            raise Refusal("explain.boundary.no_plane")
        return np.array([verdict.xy[known.index(one)] for one in ids])

    @action("label")
    def _click_label(self, ids: list[int], y: Any) -> dict[str, int]:
        self.label([int(one) for one in ids], y)
        return self._version

    @action("delete")
    def _click_delete(self, ids: list[int]) -> dict[str, int]:
        known = set(self._space.points.snapshot().ids.tolist())
        self.delete([int(one) for one in ids if int(one) in known])
        return self._version

    @action("clear")
    def _click_clear(self) -> dict[str, int]:
        self.clear()
        return self._version

    @action("undo")
    def _click_undo(self) -> dict[str, int]:
        self.undo()
        return self._version

    @action("redo")
    def _click_redo(self) -> dict[str, int]:
        self.redo()
        return self._version

    @action("toy")
    def _click_toy(
        self, name: str, noise: float = 0.1, n: int = 200, seed: int = 0
    ) -> dict[str, int]:
        self.toy(name, n, noise=noise, seed=seed)
        return self._version

    @property
    def _version(self) -> dict[str, int]:
        return {"version": self._space.points.snapshot().version}
