"""The points of a plot: drawn, dragged and deleted while a loop learns from them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import sleep
from typing import Any, Final

import numpy as np
import traitlets as t
from numpy.typing import NDArray

from nnwidgets._boundary_arguments import table_of
from nnwidgets._boundary_telling import Telling
from nnwidgets.explain.points_loader import PointsLoader
from nnwidgets.explain.toy_data import NAMES as TOYS
from nnwidgets.explain.toy_data import fitting, toy
from nnwidgets.probe.refusal import Refusal

__all__ = ["Editing"]

_NAP: Final = 0.01  # seconds


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """Return a call that does not keep alive whom it calls."""
    known = weakref.WeakMethod(method)

    def call() -> None:
        if (found := known()) is not None:
            found()

    return call


class _Array(t.TraitType[Any, Any]):
    """An array that whoever watches is told of whenever it is set: arrays have no one equality."""

    def set(self, obj: t.HasTraits, value: Any) -> None:
        """Set without comparing."""
        name = str(self.name)
        new = self._validate(obj, value)
        old = obj._trait_values.get(name)
        obj._trait_values[name] = new
        obj._notify_trait(name, old, new)


class Editing(Telling):
    """The part of a plot whose points can be edited, in Python and in the browser."""

    X = _Array(None, allow_none=True)
    y = _Array(None, allow_none=True)

    _replacing = False  # planes are still those through the points before
    _mirroring = False  # what is set follows from the points, not the other way round

    # -- the points as arrays ----------------------------------------------------------------

    @property
    def test(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Points that are held out, as ``(X, y)``."""
        return self._arrays(test=True)

    def _arrays(self, *, test: bool) -> tuple[NDArray[Any], NDArray[Any] | None]:
        points = self._space.points.snapshot()
        chosen = points.test if test else ~points.test
        rows = points.X[chosen]
        if self._given.shape is not None:
            rows = rows.reshape(len(rows), *self._given.shape)
        # Copies that can be written to: torch warns of others whenever it is given one.
        return rows, None if points.y is None else points.y[chosen]

    def _mirror(self) -> None:
        """Let the traits say what the points are."""
        rows, labels = self._arrays(test=False)
        self._mirroring = True
        try:
            self.y = labels
            self.X = rows
        finally:
            self._mirroring = False

    @t.validate("X")
    def _check_X(self, proposal: Any) -> Any:
        if self._mirroring or not getattr(self, "_ready", False):
            return proposal["value"]
        try:
            table = table_of(proposal["value"], "X")
            count = len(table.rows)
        except (TypeError, ValueError) as problem:
            raise t.TraitError(f"X must hold points, one row each: {problem}") from None
        points = self._space.points.snapshot()
        if points.y is not None and count != len(points.train):
            raise t.TraitError(
                f"X has {count} points and y {len(points.train)} labels; set both with "
                "set_data(X, y), or add points with add(X, y)."
            )
        return proposal["value"]

    @t.observe("X")
    def _set_X(self, change: Any) -> None:
        if self._mirroring or not getattr(self, "_ready", False):
            return
        store = self._space.points
        try:
            rows = np.asarray(_plain(table_of(change["new"], "X").rows))
            if rows.ndim != 2 or rows.shape[1] != store.width:
                raise ValueError(
                    f"X must hold points with {store.width} features, one row each; this has the "
                    f"shape {rows.shape}."
                )
            points = store.snapshot()
            if len(rows) == len(points.train):
                store.move(points.ids[points.train].tolist(), rows)
            else:
                self._replace(rows, None)
        except (ValueError, TypeError) as problem:
            self._mirror()  # what is there has not changed
            raise t.TraitError(str(problem)) from None

    @t.observe("y")
    def _set_y(self, change: Any) -> None:
        if self._mirroring or not getattr(self, "_ready", False):
            return
        store = self._space.points
        points = store.snapshot()
        try:
            labels = _plain(change["new"])
            if labels is None or np.ndim(labels) == 0 or len(labels) != len(points.train):
                raise ValueError(
                    f"y must hold one label for each of the {len(points.train)} points in X."
                )
            if store.labelled:
                store.label(points.ids[points.train].tolist(), labels)
            else:
                self._with_first_labels(lambda: store.give_labels(labels))
        except (ValueError, TypeError) as problem:
            self._mirror()
            raise t.TraitError(str(problem)) from None

    # -- verbs -------------------------------------------------------------------------------

    def set_data(self, X: Any, y: Any = None) -> None:
        """Put other points in the place of all; none is held out then.

        Parameters
        ----------
        X
            (n, features), as many features as there are.
        y
            A label each; None only where no point has one.

        Raises
        ------
        ValueError, TypeError
            If they do not fit; nothing has changed then.
        """
        self._replace(table_of(X, "X").rows, y)

    def add(self, X: Any, y: Any = None, *, test: bool = False) -> tuple[int, ...]:
        """Add points and return their ids.

        Parameters
        ----------
        X
            (n, features), or one point.
        y
            A label each; of one point the label itself.
        test
            Whether they are held out.

        Raises
        ------
        ValueError, TypeError
            If they do not fit; nothing has changed then.
        """
        rows = X.detach().cpu().numpy() if hasattr(X, "detach") else np.asarray(X)
        shape = self._given.shape
        if shape is not None:
            single = rows.shape == shape
            rows = rows.reshape(-1) if single else rows.reshape(len(rows), -1)
        return self._space.points.add(rows, y, test=test)

    def move(self, ids: Sequence[int], X: Any) -> None:
        """Move points.

        Parameters
        ----------
        ids
            Which.
        X
            (points, features): where to.

        Raises
        ------
        ValueError
            If a number is not finite, or the shape is another.
        KeyError
            If there is no such point.
        """
        names = _ids(ids)
        rows = np.asarray(_plain(X))
        if len(names) == 1 and rows.shape in ((self._space.points.width,), self._given.shape):
            rows = rows[None]
        if rows.ndim < 2:
            raise ValueError(f"{len(names)} points are moved to {len(names)} rows, one each.")
        self._space.points.move(names, rows.reshape(len(rows), -1))

    def label(self, ids: Sequence[int], y: Any) -> None:
        """Give points other labels: one for all of them, or one each."""
        self._space.points.label(_ids(ids), y)

    def delete(self, ids: Sequence[int]) -> None:
        """Delete points; KeyError if there is no such point."""
        self._space.points.delete(_ids(ids))

    def clear(self) -> None:
        """Delete all points."""
        self._space.points.clear()

    def undo(self) -> bool:
        """Take the last edit back; False if there is none."""
        return self._step_back(self._space.points.undo)

    def redo(self) -> bool:
        """Do again what was taken back last; False if there is nothing."""
        return self._step_back(self._space.points.redo)

    def toy(
        self,
        name: str,
        n: int = 200,
        *,
        noise: float = 0.1,
        seed: int = 0,
    ) -> None:
        """Put toy data in the place of all points.

        Parameters
        ----------
        name
            ``"moons"``, ``"circles"``, ``"xor"``, ``"spirals"``, ``"blobs"`` or ``"plane"``.
        n
            How many points.
        noise
            Standard deviation of the normal noise.
        seed
            Of a generator of its own.

        Raises
        ------
        ValueError
            If there is no such set, or it does not suit this model: it has two features, and as
            many classes as the model tells apart at most; "plane" is for a regression alone.
        """
        space = self._space
        if name not in TOYS:
            toy(name, 2)  # says which there are
        if space.points.width != 2:
            raise Refusal("explain.boundary.toy_width", width=str(space.points.width))
        if name not in self._toys:
            raise Refusal("explain.boundary.toy_kind", name=name, names=", ".join(self._toys))
        count = fitting(name, len(space.classes))
        made = toy(name, int(n), classes=count or None, noise=float(noise), seed=int(seed))
        self._replace(made.X, made.y)

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
            Of the loader's generator; the global ones are left alone.
        device
            Where the tensors are to be; None: on the CPU.

        Returns
        -------
        PointsLoader
            Each ``for`` loop over it is one epoch of ``(X, y)``: tensors (batch, features) and
            (batch,), classes as int64, values as floats. Points that are held out are left out.

        Raises
        ------
        ValueError
            If the points have no labels, or `batch_size` is below one.
        """
        store, shape = self._space.points, self._given.shape
        if not store.labelled:
            raise Refusal("explain.points.no_labels")
        return PointsLoader(
            store.snapshot,
            batch_size,
            shuffle=shuffle,
            seed=seed,
            device=device,
            shape=shape,
            starved=_weakly(self._starved),
        )

    # -- inside ------------------------------------------------------------------------------

    def _starved(self) -> None:
        """A loop has nothing to learn from: answer clicks, such as one that draws new points."""
        if not self.closed:
            self._session.serve()
            sleep(_NAP)  # such a loop would only turn the processor hot

    @property
    def _toys(self) -> tuple[str, ...]:
        """Names of the toy sets that suit this model."""
        space = self._space
        if space.points.width != 2:
            return ()
        classes = len(space.classes)
        return tuple(name for name in TOYS if fitting(name, classes) is not None)

    def _points_changed(self) -> None:
        if not getattr(self, "_ready", False):
            return
        self._mirror()
        self._given_up = frozenset()
        self._let_go_of_deleted()
        self._part_changed("_points")
        if not self._replacing:
            self._changed()

    def _let_go_of_deleted(self) -> None:
        """Go on to explain the place of a point that is no more."""
        spot, found = self._spot, self._at
        if spot is None or spot.id is None or spot.id in self._space.points.snapshot().ids:
            return
        at = spot.at
        if found is not None and found.result is not None:
            x, y = found.result.place
            at = float(x), float(y)
        self._spot = replace(spot, at=at, id=None, row=None)

    def _replace(self, X: Any, y: Any) -> None:
        """Put other points in the place of all; the surface follows once planes do."""
        if y is not None and not self._space.points.labelled:
            self._with_first_labels(lambda: self._space.points.replace(X, y))
            return
        self._replacing = True
        try:
            self._space.points.replace(X, y)
        finally:
            self._replacing = False
        self._begin_with_other_data()

    def _with_first_labels(self, edit: Callable[[], None]) -> None:
        """Let points have labels where none had any: what the model's numbers are follows anew."""
        self._replacing = True
        try:
            edit()
        finally:
            self._replacing = False
        self._space.forget()
        self._begin_with_other_data()

    def _begin_with_other_data(self) -> None:
        """The picture goes through other points now."""
        self._space.replaced()
        self._wish = type(self._wish)(
            axes=self._wish.axes,
            fixed=self._wish.fixed,
            others=self._wish.others,
            projection=self._wish.projection,
            uncertain=self._wish.uncertain,
        )
        self._changed()

    def _step_back(self, step: Any) -> bool:
        before = self._space.points.snapshot()
        done = bool(step())
        if done and not np.intersect1d(before.ids, self._space.points.snapshot().ids).size:
            self._begin_with_other_data()  # other data altogether, as before a toy set came
        return done


def _plain(values: Any) -> Any:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def _ids(ids: Any) -> list[Any]:
    """Return ids as a list; one alone is a list of one."""
    if isinstance(ids, (int, np.integer)) and not isinstance(ids, bool):
        return [ids]
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__"):
        raise TypeError(f"ids are whole numbers, those that add() returns; not {ids!r}.")
    return list(ids)
