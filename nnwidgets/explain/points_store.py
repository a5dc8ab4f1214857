"""Points that are drawn, dragged and deleted while a loop learns from them.

Every edit makes new arrays, so whoever has the old ones (a surface being drawn, a batch on its
way) keeps a consistent picture, and undo is going back to them. Points have names of their own
(ids), since their places change when others are deleted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnwidgets.explain.points_given import (
    Points,
    all_kept,
    label_array,
    label_notes,
    left_out,
    points_given,
    within,
)
from nnwidgets.explain.points_loader import PointsLoader
from nnwidgets.explain.points_snapshot import Snapshot, freeze, held_out, places_of, taken
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["PointStore", "Snapshot"]

_UNDO_BYTES: Final = 64 << 20
_UNDO_STEPS: Final = 500


class PointStore:
    """An editable set of points with labels; every method may be called from any thread.

    An edit of no points is none.

    Parameters
    ----------
    X, y
        As `nnwidgets.explain.points_given.points_given` takes them. They are copied.
    test
        ``(X, y)`` of points that are held out.
    class_names
        One name a class.
    classes
        How many classes there are, if that is known; labels must lie below.
    changed
        Called after each edit, in the thread that made it, with no lock held.

    Attributes
    ----------
    class_names, feature_names
        As given or found; None if there are none.

    Raises
    ------
    Refusal
        If points or labels cannot be what they are said to be.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        test: tuple[Any, Any] | None = None,
        class_names: Sequence[str] | None = None,
        classes: int | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        given = points_given(X, y, class_names=class_names)
        self.class_names, self.feature_names = given.class_names, given.feature_names
        self.classes = len(given.class_names) if given.class_names else classes
        self._changed = changed
        self._lock = threading.RLock()
        self._next = 0
        self._undo: list[Snapshot] = []
        self._redo: list[Snapshot] = []
        self._gesture: object = None
        self._dtype = None if given.y is None else given.y.dtype
        self._x_type, self.width = given.X.dtype, given.X.shape[1]
        rows, labels, lost = given.X, self._fitting(given), left_out(given.notes)
        held = np.zeros(len(rows), bool)
        if test is not None:
            other = self._read(*test)
            lost = left_out(given.notes, other.notes)
            rows = np.concatenate([rows, other.X])
            labels = None if labels is None else np.concatenate([labels, self._fitting(other)])
            held = np.concatenate([held, np.ones(len(other.X), bool)])
        self._now = Snapshot(0, rows, labels, held, self._new_ids(len(rows)), lost)
        freeze(self._now)

    # --- looking ---------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the points as they are now."""
        return self._now

    def __len__(self) -> int:
        return len(self._now.X)

    @property
    def notes(self) -> tuple[Words, ...]:
        """What is to be said of the points as they are now, as keys of the catalogue."""
        now = self._now
        return (*now.left_out, *label_notes(now.y, self.class_names))

    @property
    def labelled(self) -> bool:
        """Whether points have labels."""
        return self._dtype is not None

    @property
    def regression(self) -> bool:
        """Whether labels are values."""
        return self._dtype is not None and self._dtype.kind == "f"

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether an edit was taken back."""
        return bool(self._redo)

    def loader(
        self, batch_size: int = 32, *, shuffle: bool = True, seed: int = 0, device: Any = None
    ) -> PointsLoader:
        """Return batches of the points as they are when each batch is made.

        Parameters
        ----------
        batch_size
            Points a batch; the last one of an epoch may have fewer.
        shuffle
            Whether each epoch has an order of its own.
        seed
            Of the loader's generator.
        device
            Where the tensors are to be.

        Raises
        ------
        Refusal
            If the points have no labels.
        ValueError
            If `batch_size` is below one.
        """
        if self._dtype is None:
            raise Refusal("explain.points.no_labels")
        return PointsLoader(self.snapshot, batch_size, shuffle=shuffle, seed=seed, device=device)

    # --- editing ---------------------------------------------------------------------------------

    def add(self, X: Any, y: Any = None, *, test: bool = False) -> tuple[int, ...]:
        """Add points and return their ids.

        Parameters
        ----------
        X
            (n, features), or one point (features,).
        y
            A label each; of one point the label itself. None only where no point has a label.
        test
            Whether they are held out.

        Raises
        ------
        Refusal
            If they do not fit the points that are there; nothing is added then.
        """
        rows = np.asarray(X) if not hasattr(X, "detach") else X.detach().cpu().numpy()
        if rows.ndim == 1:
            rows, y = rows[None], None if y is None else [y]
        if self._dtype is None and y is not None:
            raise Refusal("explain.points.labels_first")
        given = self._read(rows, y)
        with self._lock:
            now = self._now
            ids = self._new_ids(len(given.X))
            labels = None if now.y is None else np.concatenate([now.y, self._fitting(given)])
            self._put(
                replace(
                    now,
                    X=np.concatenate([now.X, given.X]),
                    y=labels,
                    test=np.concatenate([now.test, np.full(len(given.X), test)]),
                    ids=np.concatenate([now.ids, ids]),
                    left_out=left_out(now.left_out, given.notes),
                )
            )
        self._changed()
        return tuple(ids.tolist())

    def move(
        self,
        ids: Sequence[int],
        values: ArrayLike,
        *,
        features: Sequence[int] | None = None,
        gesture: object = None,
    ) -> None:
        """Move points, as when they are dragged.

        Parameters
        ----------
        ids
            Which.
        values
            (points, features): where to.
        features
            Of which columns these are; None: of all. The others stay as they are.
        gesture
            Moves that follow each other with the same gesture, not None, are undone as one.

        Raises
        ------
        Refusal
            If a value is not finite.
        KeyError
            If there is no such point.
        """
        if not len(ids):
            return
        columns = np.arange(self.width) if features is None else np.asarray(features, np.intp)
        to = np.asarray(values, np.float64)
        if to.ndim == 1 and len(ids) == 1:
            to = to[None]
        if to.shape != (len(ids), len(columns)):
            raise ValueError(
                f"{len(ids)} points with {len(columns)} columns are moved by an array of the shape "
                f"({len(ids)}, {len(columns)}), not {to.shape}"
            )
        if not np.isfinite(to).all():
            raise Refusal("explain.points.move_finite")
        to = self._cast(to, self._x_type)
        with self._lock:
            now = self._now
            rows = np.array(now.X)
            rows[np.ix_(places_of(self._now, ids), columns)] = to
            going_on = gesture is not None and gesture == self._gesture and bool(self._undo)
            self._put(replace(now, X=rows), remember=not going_on)
            self._gesture = gesture
        self._changed()

    def label(self, ids: Sequence[int], y: Any) -> None:
        """Give points other labels: one for all of them, or one each."""
        if not len(ids):
            return
        several = isinstance(y, (list, tuple)) or (not isinstance(y, str) and np.ndim(y) > 0)
        each = y if several else [y] * len(ids)
        with self._lock:
            now = self._now
            places = places_of(self._now, ids)
            if now.y is None:
                raise Refusal("explain.points.no_labels")
            labels = np.array(now.y)
            labels[places] = self._fitting(all_kept(self._read(now.X[places], each), len(places)))
            self._put(replace(now, y=labels))
        self._changed()

    def give_labels(self, y: Any) -> None:
        """Give labels to points that have none: one each, of all of them."""
        with self._lock:
            now = self._now
            given = all_kept(self._read(now.X, y), len(now.X))
            assert given.y is not None
            self._dtype, self.class_names = given.y.dtype, given.class_names
            # Labels cannot be undone: a loop may learn from them already.
            self._undo.clear()
            self._put(replace(now, y=given.y), remember=False)
        self._changed()

    def delete(self, ids: Sequence[int]) -> None:
        """Delete points; KeyError if there is no such point."""
        if not len(ids):
            return
        with self._lock:
            keep = np.ones(len(self._now.ids), bool)
            keep[places_of(self._now, ids)] = False
            self._put(taken(self._now, keep))
        self._changed()

    def clear(self) -> None:
        """Delete all points."""
        with self._lock:
            nothing = taken(self._now, np.zeros(len(self._now.ids), bool))
            self._put(replace(nothing, left_out=()))
        self._changed()

    def replace(self, X: Any, y: Any = None) -> None:
        """Put other points, such as toy data, in the place of all; none is held out then.

        Where no point had a label, these may bring some.
        """
        given = self._read(X, y)
        with self._lock:
            if self._dtype is None and given.y is not None:
                self._dtype, self.class_names = given.y.dtype, given.class_names
            ids = self._new_ids(len(given.X))
            held = np.zeros(len(given.X), bool)
            labels = None if self._dtype is None else self._fitting(given)
            then = replace(self._now, X=given.X, y=labels, test=held, ids=ids)
            self._put(replace(then, left_out=left_out(given.notes)))
        self._changed()

    def split(self, share: float = 0.3, *, seed: int = 0) -> None:
        """Hold out a share of the points, of each class alike, chosen by a generator of its own."""
        if not 0 <= share <= 1:
            raise ValueError(f"the share that is held out lies between 0 and 1, not {share!r}")
        with self._lock:
            now = self._now
            classes = None if self.regression else now.y
            self._put(replace(now, test=held_out(len(now.X), classes, share, seed)))
        self._changed()

    def undo(self) -> bool:
        """Take the last edit back; False if there is none."""
        return self._step(self._undo, self._redo)

    def redo(self) -> bool:
        """Do again what was taken back last; False if there is nothing."""
        return self._step(self._redo, self._undo)

    # --- inside ----------------------------------------------------------------------------------

    def _step(self, source: list[Snapshot], other: list[Snapshot]) -> bool:
        with self._lock:
            if not source:
                return False
            other.append(self._now)
            self._now = replace(source.pop(), version=self._now.version + 1)
            self._gesture = None
        self._changed()
        return True

    def _put(self, then: Snapshot, *, remember: bool = True) -> None:
        if remember:
            self._undo.append(self._now)
            held = np.cumsum([one.nbytes for one in reversed(self._undo)])
            fits = max(1, min(_UNDO_STEPS, int((held <= _UNDO_BYTES).sum())))
            del self._undo[:-fits]
        self._redo.clear()
        self._gesture = None
        then = replace(then, version=self._now.version + 1)
        freeze(then)
        self._now = then

    def _read(self, X: Any, y: Any) -> Points:
        if self._dtype is not None and y is not None:
            y = self._alike(y)
        given = points_given(X, y, class_names=self.class_names, width=self.width)
        return replace(given, X=self._cast(given.X, self._x_type))

    def _alike(self, y: Any) -> Any:
        """Return labels of the kind of those that are there, where nothing is lost by that."""
        try:
            labels = label_array(y)
        except (TypeError, ValueError, RuntimeError):
            return y  # which is no list of labels: to be said by whoever reads it
        names = [label for label in labels.ravel() if isinstance(label, str)]
        if names and (self.regression or self.class_names is None):
            raise Refusal("explain.points.label_text", label=names[0])
        if self.regression and labels.dtype.kind in "iub":
            return labels.astype(np.float64)  # among values a whole number is one, too
        return labels

    def _cast(self, numbers: NDArray[Any], to: Any) -> NDArray[Any]:
        """Return numbers in the type of those there are: they have to be finite in it as well."""
        if not within(numbers).all():
            raise Refusal("explain.points.far")
        with np.errstate(over="ignore"):
            found = numbers.astype(to)
        if not np.isfinite(found).all():
            raise Refusal("explain.points.too_large", type=str(to))
        return found

    def _fitting(self, given: Points) -> Any:
        """Return the labels as those that are there; or say why they cannot be."""
        if self._dtype is None:
            return None
        if given.y is None:
            raise Refusal("explain.points.label_needed")
        if self.regression:
            return self._cast(given.y, self._dtype)
        if given.y.dtype.kind == "f":
            raise Refusal("explain.points.label_value")
        if self.classes is not None and len(given.y) and given.y.max() >= self.classes:
            last = str(self.classes - 1)
            raise Refusal("explain.points.label_range", label=str(given.y.max()), last=last)
        return given.y

    def _new_ids(self, count: int) -> NDArray[np.int64]:
        with self._lock:
            ids = np.arange(self._next, self._next + count, dtype=np.int64)
            self._next += count
        return ids
