"""The space of the points: how a model is asked about it, and how a picture cuts through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets._boundary_arguments import Given
from nnwidgets._boundary_judging import MOST_POINTS, drawn_places, evenly_chosen, judged
from nnwidgets._boundary_wish import Verdict, Wish
from nnwidgets.explain.answers import Answering, waiting
from nnwidgets.explain.committee_answers import CommitteePredictor, committee_for
from nnwidgets.explain.layer_plane import layer_projection
from nnwidgets.explain.outputs import OutputKind
from nnwidgets.explain.plane_base import Plane, Rectangle, around, default_names
from nnwidgets.explain.points_store import PointStore
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.projection import Projection, evenly, pca
from nnwidgets.explain.random_answers import answers_vary, numbers
from nnwidgets.explain.surface import checked_rectangle
from nnwidgets.explain.view_plane import Slice
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.refusal import Refusal

__all__ = ["MOST_POINTS", "Space", "asks_elsewhere", "drawn_places"]

_FEW: Final = 4
_EVERY: Final = 5.0  # seconds after which a model is asked twice again …
_RARELY: Final = 200  # … or, if that takes long, so many times as long
_TRAINED: Final = 2_000  # points that a committee is made with

Floats = NDArray[np.float64]


class Space:
    """Points, planes through them, and the model's answers there.

    Parameters
    ----------
    given
        The arguments.
    changed
        Called after each edit of the points.

    Attributes
    ----------
    points
        Which can be edited.
    kind
        What the model's numbers are; None before it was first asked.
    row_seconds
        How long a point takes.
    notes
        What is to be said of the model's answers, as keys of the catalogue.
    era
        Grows when the points were replaced, so that planes through them differ.

    Raises
    ------
    Refusal, TypeError, ValueError
        If points or labels cannot be what they are said to be.
    """

    def __init__(self, given: Given, changed: Callable[[], None]) -> None:
        self.given = given
        self.points = PointStore(
            given.X, given.y, test=given.test, class_names=given.class_names, changed=changed
        )
        if (names := given.feature_names) and len(names) != self.points.width:
            count = str(self.points.width)
            raise Refusal("explain.plane.names", given=str(len(names)), count=count)
        self.kind: OutputKind | None = None
        self.row_seconds = 0.0
        self.notes: tuple[Words, ...] = ()
        self.era = 0
        self._ask_again = 0.0
        self._base: Predictor | None = None
        self._newest: Predictor | None = None
        self._planes: dict[tuple[Any, ...], Plane] = {}
        self._rectangles: dict[tuple[Any, ...], Rectangle] = {}
        self._data = self.points.snapshot()

    # -- names -----------------------------------------------------------------------------

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns."""
        names = self.given.feature_names or self.points.feature_names
        return tuple(names) if names else default_names(self.points.width)

    @property
    def regression(self) -> bool:
        """Whether the model predicts values."""
        return self.points.regression if self.kind is None else self.kind.kind == "regression"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty for values."""
        if self.regression:
            return ()
        count = 0 if self.kind is None else self.kind.classes
        names = self.points.class_names or ()
        return (*names, *(str(number) for number in range(len(names), count)))

    @property
    def outputs(self) -> int:
        """How many values the model predicts; 0 for classes."""
        return self.kind.classes if self.kind is not None and self.regression else 0

    # -- asking ----------------------------------------------------------------------------

    def ask(self, root: nn.Module) -> Predictor:
        """Return who answers for a private module in evaluation mode.

        Raises
        ------
        Refusal
            If the model has no weights yet, cannot be asked about such points, or tells other
            classes apart than the labels name.
        """
        newest = self._newest
        if newest is None or newest.root is not root:
            # Another module is another structure, with other outputs perhaps.
            if any_without_data((*root.parameters(), *root.buffers())):
                raise Refusal("explain.meta_model")
            found, kind = self._first(root)
            self._check_labels(kind)
            if kind.kind != "regression":
                self.points.classes = kind.classes
            self._ask_twice(found)
            self._base = found.on(nn.Identity())
            newest = self._newest = self.ask_apart(root)
            self.kind = kind
        elif perf_counter() >= self._ask_again:
            # Noise may be switched on in the middle of a run, or off.
            self._ask_twice(newest)
        newest.row_seconds = self.row_seconds
        return newest

    def _ask_twice(self, predictor: Predictor) -> None:
        """Find out whether the model answers the same question in the same way."""
        begun = perf_counter()
        vary = answers_vary(lambda: numbers(predictor.answer(self._few)))
        self.notes = (("explain.boundary.random", {}),) if vary else ()
        now = perf_counter()
        self._ask_again = now + max(_EVERY, _RARELY * (now - begun))

    def ask_apart(self, root: nn.Module) -> Predictor:
        """Return who answers for another private module, once `ask` has found out how."""
        assert self._base is not None
        return self._base.on(root)

    def forget(self) -> None:
        """Find out anew what the model's numbers are, and where planes lie."""
        # How the last model was asked stays known: a job may still ask a copy of that.
        self._newest = self.kind = None
        self.row_seconds = 0.0
        self._planes.clear()

    def _first(self, root: nn.Module) -> tuple[Predictor, OutputKind]:
        given, points, few = self.given, self.points.snapshot(), self._few
        names = given.class_names  # names that labels have may be of some of the classes only

        def predictor(classes: int | None) -> Predictor:
            return Predictor(
                root,
                preprocess=given.preprocess,
                output="regression" if self.points.regression else None,
                classes=classes,
                shape=given.shape,
            )

        found = predictor(len(names) if names and not self.points.regression else None)
        kind = found.kind(few)
        y = points.y
        if kind.kind == "regression" and y is not None and y.dtype.kind == "i":
            if kind.classes != 1 or (len(y) and int(y.max()) > 1):
                low, high = str(int(y.min())), str(int(y.max()))
                raise Refusal("explain.boundary.one_number", low=low, high=high)
            found = predictor(2)  # one number for two classes is a logit
            kind = found.kind(few)
        return found, kind

    @property
    def _few(self) -> NDArray[Any]:
        points = self.points.snapshot()
        return points.X[:_FEW] if len(points.X) else self._data.X[:_FEW]

    def _check_labels(self, kind: OutputKind) -> None:
        y = self.points.snapshot().y
        if kind.kind == "regression" or y is None or not len(y):
            return
        if int(y.max()) >= kind.classes:
            words = {"label": str(int(y.max())), "last": str(kind.classes - 1)}
            low = int(y.min())
            if low and int(y.max()) - low < kind.classes:
                raise Refusal("explain.points.label_shift", low=str(low), **words)
            raise Refusal("explain.points.label_range", **words)

    def committee(
        self,
        predictor: Predictor,
        way: str,
        snapshots: Sequence[Mapping[str, Tensor]],
        models: Sequence[nn.Module],
        members: int,
    ) -> CommitteePredictor:
        """Return who answers for several models.

        Parameters
        ----------
        predictor
            Of a private copy, whose weights may be changed for each member.
        way
            "mc_dropout", "snapshots", "laplace" or "ensemble".
        snapshots
            Weights of the run, oldest first.
        models
            Private copies of the models of an ensemble.
        members
            How many are drawn, by the ways that draw.

        Raises
        ------
        Refusal
            If this way cannot tell for this model.
        """
        points = self.points.snapshot()
        chosen = evenly_chosen(points.train, _TRAINED)
        targets = None if points.y is None else points.y[chosen]
        made = committee_for(
            list(models) if way == "ensemble" else way,
            predictor,
            data=points.X[chosen],
            targets=targets,
            snapshots=snapshots,
            count=members,
        )
        return CommitteePredictor(predictor, made)

    # -- planes ----------------------------------------------------------------------------

    def plane(self, wish: Wish, predictor: Predictor, check: Callable[[], None] = waiting) -> Plane:
        """Return the plane of a wish; the one through a layer's view is of the model as it is then.

        Raises
        ------
        Refusal, TypeError
            If there is no such plane.
        """
        key = (wish.projection, self.era, *self._cut(wish))
        if key not in self._planes:
            made = self._made(wish, predictor, check)
            kept = [known for known in self._planes if known[1] == self.era][-8:]
            self._planes = {known: self._planes[known] for known in kept}
            self._planes[key] = made
        return self._planes[key]

    def renew(self) -> None:
        """Let planes that follow from the weights be made again."""
        self._planes = {key: p for key, p in self._planes.items() if not asks_elsewhere(key[0])}

    def replaced(self) -> None:
        """Other points are there: planes go through them."""
        points = self.points.snapshot()
        if len(points.X):
            self.era += 1
            self._data = points
            self._rectangles.clear()

    def slice(self, wish: Wish) -> Slice:
        """Return the slice of a wish, whatever its projection; nothing is asked."""
        train = self._data.train
        rows = self._data.X[train] if len(train) else self._data.X
        return Slice(
            rows,
            wish.axes,
            dict(wish.fixed),
            others=wish.others,
            feature_names=self.features,
        )

    def named(
        self, features: tuple[Any, Any], fixed: Mapping[Any, Any]
    ) -> tuple[int, int, tuple[tuple[int, Any], ...]]:
        """Return columns for names: of the two axes, and of what is held.

        Raises
        ------
        Refusal, TypeError
            If there are no such columns.
        """
        train = self._data.train
        rows = self._data.X[train] if len(train) else self._data.X
        cut = Slice(rows, features, fixed, feature_names=self.features)
        held = tuple(sorted((cut.column(name), value) for name, value in fixed.items()))
        return (*cut.axes, held)

    def rectangle(self, wish: Wish, plane: Plane) -> Rectangle:
        """Return what is shown of a plane."""
        if wish.rectangle is not None:
            return checked_rectangle(wish.rectangle)
        key = (wish.projection, *self._cut(wish), id(plane))
        if key not in self._rectangles:
            # Of the points that were given: those that are drawn later must not move the picture.
            points = plane.rectangle if asks_elsewhere(wish.projection) else self._around(plane)
            self._rectangles = {key: points}
        return self._rectangles[key]

    def _around(self, plane: Plane) -> Rectangle:
        return around(plane.to_plane(self._data.X))

    def _cut(self, wish: Wish) -> tuple[Any, ...]:
        if wish.projection != "slice":
            return ()
        return wish.axes, wish.fixed, wish.others

    def _made(self, wish: Wish, predictor: Predictor, check: Callable[[], None]) -> Plane:
        if wish.projection == "slice":
            return self.slice(wish)
        train = self._data.train
        rows = self._data.X[train] if len(train) else self._data.X
        if wish.projection == "given":
            assert self.given.pair is not None
            forward, inverse = self.given.pair
            return Projection(forward, inverse, evenly(rows.astype(np.float64), _TRAINED))
        if wish.projection.startswith("layer:"):
            layer = wish.projection.removeprefix("layer:")
            return layer_projection(predictor, layer, rows, check=check)
        return pca(rows, standardise=wish.projection == "pca_scaled")

    # -- the points ------------------------------------------------------------------------

    def verdict(
        self,
        asked: Answering,
        plane: Plane,
        *,
        most: int = MOST_POINTS,
        check: Callable[[], None] = waiting,
    ) -> Verdict | None:
        """Return what is said of the points; None if there are none.

        Parameters
        ----------
        asked
            Who answers.
        plane
            Of the picture.
        most
            How many points are asked at most.
        check
            Called between batches.
        """
        return judged(self.points.snapshot(), asked, plane, most, check)


def asks_elsewhere(projection: str) -> bool:
    """Whether the places of points cannot be known without asking somebody else's code."""
    return projection == "given" or projection.startswith("layer:")
