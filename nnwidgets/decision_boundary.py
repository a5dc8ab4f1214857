"""DecisionBoundaryPlot: what a model would say everywhere else, live, on points one can draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import traitlets as t
from torch import nn

from nnwidgets._boundary_arguments import check_projection, checked
from nnwidgets._boundary_asking import Asking
from nnwidgets._boundary_looking import layer_names
from nnwidgets._boundary_pages import held_surfaces
from nnwidgets._boundary_picture import BoundaryPicture
from nnwidgets._boundary_working import DEPTH, Found, Scene, Spot
from nnwidgets._inspector_arguments import check_inspected
from nnwidgets._training_arguments import check_budget
from nnwidgets.explain.answers import Answering, waiting
from nnwidgets.explain.at_point import AtPoint
from nnwidgets.explain.landscape import Landscape
from nnwidgets.explain.prediction import Prediction, prediction_of
from nnwidgets.explain.rules import Rules
from nnwidgets.explain.surface import Surface
from nnwidgets.explain.surface import surface as surface_by
from nnwidgets.explain.unit_surfaces import UnitSurfaces, unit_surfaces
from nnwidgets.live import wire
from nnwidgets.live.cells import retire_earlier
from nnwidgets.live.channel import Paced
from nnwidgets.live.jobs import Job
from nnwidgets.live.kernel import kernel_link
from nnwidgets.live.session import Session
from nnwidgets.live.widget import Part, action, bundle, check_language
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DecisionBoundaryPlot"]

_BYTES_PER_SECOND: Final = 300_000
_MEDIA: Final = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html"}
_PATIENCE: Final = 60.0
_OF_THE_CALL: Final = (
    "explain.class_count",
    "explain.class_count_one",
    "explain.boundary.one_number",
    "explain.points.label_range",
)

R = TypeVar("R")


class DecisionBoundaryPlot(Asking):
    """What the model says all over the plane of two features, live, and points to draw into it.

    Everything is asked of a private copy of the model in evaluation mode; nothing of the model
    changes. What is quick happens between two training steps, within the budget; what takes long
    in a thread of its own, with progress, and can be cancelled.

    Parameters
    ----------
    model
        Any module that answers for points: logits, one logit, probabilities or values, in a tensor,
        a tuple, a dictionary or an output object. Held weakly; nothing of it is changed.
    X
        (n, features) points to train on: an array, a tensor, a frame. Samples of several axes, such
        as images, are seen through a projection.
    y
        A label each: classes from 0, names of classes, or floats for a regression. None: no labels.
    features
        The two features that are the axes, columns or names.
    projection
        None: the two features. ``"pca"`` or ``"pca_scaled"``: principal components. The name of a
        layer as ``"layer:<name>"``: principal components of what that layer gives. Or a pair of
        functions: from points (n, features) to places (n, 2), and back.
    fixed
        At what the other features are held: None or ``"median"``, ``"mean"``, the number of a
        sample of X, or ``{column or name: value}`` for some of them.
    test
        ``(X, y)`` of points that are held out.
    class_names, feature_names
        In the order of the outputs and of the columns.
    preprocess
        Turns points as they are in X into what the model is called with, such as the ``transform``
        of a scaler.
    resolution
        Places along each axis, 8 to 512.
    uncertainty
        ``"mc_dropout"``, ``"snapshots"`` (weights of this run), ``"laplace"`` (of the last layer)
        or a list of models, the whole ensemble: probabilities are the mean over several models
        then, and what these disagree about is seen. None: the model alone.
    budget
        Fraction of wall time that watching may take, above 0 and at most 0.5.
    language
        ``"en"``, ``"zh"`` or None for the language of the page.

    Attributes
    ----------
    X, y : ndarray
        The points that are trained on, as they were edited; can be set and observed.
    view : str
        ``"probability"``, ``"label"``, ``"entropy"``, ``"margin"``, ``"epistemic"`` or
        ``"aleatoric"``; of a regression ``"value"``. Can be set and observed.
    interest : int or None
        The class, or the output of a regression, that is shown alone.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of these kinds, or does not fit the model; before anything has been
        changed.

    Examples
    --------
    >>> plot = DecisionBoundaryPlot(model, X, y, class_names=["A", "B"])
    >>> for xb, yb in plot.loader(batch_size=32):
    ...     train_step(xb, yb)
    >>> plot.surface().probabilities.shape
    >>> print(plot.rules(max_depth=3).text)
    """

    _esm = t.Unicode(bundle("decision_boundary.js")).tag(sync=True)
    _css = t.Unicode(bundle("decision_boundary.css")).tag(sync=True)

    def __init__(
        self,
        model: nn.Module,
        X: Any,
        y: Any = None,
        *,
        features: Sequence[int | str] = (0, 1),
        projection: str | tuple[Callable[..., Any], Callable[..., Any]] | None = None,
        fixed: Mapping[Any, float | str] | str | int | None = None,
        test: tuple[Any, Any] | None = None,
        class_names: Sequence[str] | None = None,
        feature_names: Sequence[str] | None = None,
        preprocess: Callable[[Any], Any] | None = None,
        resolution: int = 100,
        uncertainty: str | Sequence[nn.Module] | None = None,
        budget: float = 0.02,
        language: str | None = None,
    ) -> None:
        check_inspected(model)
        given = checked(
            X,
            y,
            features=features,
            projection=projection,
            fixed=fixed,
            test=test,
            class_names=class_names,
            feature_names=feature_names,
            preprocess=preprocess,
            resolution=resolution,
            uncertainty=uncertainty,
        )
        check_budget(budget)
        check_language(language)
        check_projection(given.projection, [name for name, _ in layer_names(model)], given.pair)
        retire_earlier(type(self))
        session = Session.of(model, [], host=kernel_link())
        super().__init__(session, model, given, budget=budget, language=language)
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise
        session.seek_optimizers()
        self._open_for_business()

    def _set_up(self) -> None:
        space, given = self._space, self._given
        if given.projection == "slice":
            self._wish = replace(self._wish, others=given.others, axes=(0, 1))
            first, second, fixed = space.named(given.features, given.fixed)
            self._wish = replace(self._wish, axes=(first, second), fixed=fixed)
            space.slice(self._wish)
        if self._session.hands_free:
            # A model that cannot be run yet is no mistake of the call: the widget says so.
            try:
                self._plan()
            except (Refusal, RuntimeError) as problem:
                key = getattr(problem, "key", "")
                if key in _OF_THE_CALL or key.startswith("explain.plane."):
                    raise
                self._obstacle = problem
        self._mirror()
        if space.regression:
            self.view = "value"
        picture = self._parts_of = BoundaryPicture(self, self._next_seq)
        # What has changed is hurried; the others need not be asked again and again.
        for trait, build, pace in (
            ("_live", picture.live, Paced(0.1, _BYTES_PER_SECOND, 0.1)),
            ("_choices", picture.choices, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_surface", picture.surface, Paced(0.1, _BYTES_PER_SECOND, 0.4)),
            ("_points", picture.points, Paced(0.5, _BYTES_PER_SECOND, 0.2)),
            ("_film", picture.film, Paced(2.0, _BYTES_PER_SECOND / 3, 0.1)),
            ("_units", picture.units, Paced(0.5, _BYTES_PER_SECOND, 0.1)),
            ("_point", picture.point, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_rules", picture.rules, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_landscape", picture.landscape, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
        ):
            self._add_part(Part(trait, build, pace))

    # -- verbs ---------------------------------------------------------------------------

    def surface(self) -> Surface:
        """Ask the model, as it is now, at every place of the picture, and wait for the answer.

        Returns
        -------
        Surface
            Of ``resolution`` places along each axis. With ``uncertainty`` it is that of several
            models taken together.

        Raises
        ------
        ValueError
            If the model cannot be asked; in one sentence.
        """
        side = self._given.resolution

        def work(scene: Scene, asked: Answering) -> Surface:
            return surface_by(asked, scene.plane, side, scene.rectangle)

        return self._in_peace(work)

    def predict(self, points: Any) -> Prediction:
        """Ask the model, as it is now, about points.

        Parameters
        ----------
        points
            (n, features), or one point.

        Returns
        -------
        Prediction
            ``.probabilities`` (n, classes) and what follows from them, or ``.values``.

        Raises
        ------
        ValueError, TypeError
            If they are no such points.
        """
        rows = self._rows(points)
        return self._in_peace(lambda scene, asked: prediction_of(asked.answer(rows)))

    def explain(self, point: Any) -> AtPoint:
        """Explain what the model says at one point, and show it.

        Parameters
        ----------
        point
            (features,): all of them; or the two coordinates of a place in the picture, where there
            are more features than two.

        Returns
        -------
        AtPoint
            Probabilities, uncertainty, slopes, a linear fit nearby, the rule that applies, the
            nearest training points, the smallest changes that change the answer.

        Raises
        ------
        ValueError, TypeError
            If it is no such point.
        """
        rows = self._rows(point, one=True)

        def work(scene: Scene, asked: Answering) -> tuple[AtPoint, Spot]:
            row = rows[0]
            if len(row) != scene.plane.features:
                row = scene.plane.to_inputs(row[None])[0]
            joint: Any = None if asked is scene.predictor else asked
            try:
                rules = self._ruled(scene, asked, self._depth or DEPTH, waiting)
            except Refusal:
                rules = None  # scikit-learn is not there, and all else is worth having
            found = self._explained(scene, joint, row, waiting, rules)
            x, y = scene.plane.to_plane(row[None])[0]
            spot = Spot((float(x), float(y)), None, tuple(map(float, row)))
            with self._shelf:
                self._spot = spot
                key = scene.key("point", spot, scene.points.version)
                self._at = Found(key, scene.step, found)
            return found, spot

        found, _ = self._in_peace(work)
        self._part_changed("_point")
        return found

    def rules(self, max_depth: int = DEPTH) -> Rules:
        """Approximate the model by the rules of a shallow tree, and show them.

        Parameters
        ----------
        max_depth
            How many conditions lead to a rule at most, from 1 on.

        Returns
        -------
        Rules
            Fitted to what the model says, not to the labels. ``.fidelity`` is how often both agree
            on points that were not used for fitting, drawn evenly from the picture.

        Raises
        ------
        ValueError
            If scikit-learn is not installed, or the model cannot be asked.
        """

        def work(scene: Scene, asked: Answering) -> Rules:
            found = self._ruled(scene, asked, max_depth, waiting)
            with self._shelf:
                self._depth = max_depth
                key = scene.key("rules", max_depth, scene.points.version)
                self._found_rules = Found(key, scene.step, found)
            return found

        found = self._in_peace(work)
        self._part_changed("_rules")
        return found

    def landscape(
        self,
        loss: Callable[[nn.Module], Any] | None = None,
        *,
        span: float = 1.0,
        side: int = 21,
        seed: int = 0,
    ) -> Landscape:
        """Work out the loss on a plane through the current weights, and show it.

        Parameters
        ----------
        loss
            Runs a module and gives its loss, a number; None: that of the training points
            (cross-entropy, or the mean squared error).
        span
            How far to each side, in lengths of each filter.
        side
            Places along each direction, odd.
        seed
            Of the two directions.

        Returns
        -------
        Landscape
            Worked out on a copy; the model is left alone.

        Raises
        ------
        ValueError
            If the points have no labels, or the loss is not finite.
        """
        root, step = self._at_rest(self._copied_now)
        job = Job(lambda job: None, lambda job: None, lambda *_: None, "landscape")
        with OwnRandom():
            found = self._surveyed(root, job, loss=loss, span=span, side=side, seed=seed)
        self._landscape_found, self._landscape_state = found, "ready"
        self._landscape_of = step, self._landscape_of[1]
        self._part_changed("_landscape")
        return found

    def units(self, layer: str, units: Sequence[int] | None = None) -> UnitSurfaces:
        """Ask what the units of a layer say all over the picture, and show it.

        Parameters
        ----------
        layer
            Name of a module.
        units
            Which; None: the first 64.

        Returns
        -------
        UnitSurfaces
            ``.values`` (units, rows, columns).

        Raises
        ------
        ValueError
            If there is no such layer or unit.
        """

        def work(scene: Scene, asked: Answering) -> UnitSurfaces:
            return unit_surfaces(
                scene.predictor, scene.plane, layer, units=units, rectangle=scene.rectangle
            )

        found = self._in_peace(work)
        self._click_units(layer)
        return found

    @property
    def status(self) -> str:
        """What can and cannot be observed, in plain sentences."""
        return " ".join(self._say_what_is_seen(self.language or "en"))

    def figure(self, *, dark: bool = False) -> Figure:
        """Return what is shown as a matplotlib figure.

        Parameters
        ----------
        dark
            On a dark ground.
        """
        from nnwidgets.export.boundary_figure import boundary_figure

        self._have_answers()
        parts: dict[str, Any] = {
            name: wire.unpack(packed) if packed else None
            for name, packed in (
                ("choices", self._choices),
                ("units", self._units),
                ("point", self._point),
                ("rules", self._rules),
                ("landscape", self._landscape),
            )
        }
        surface, points = (
            wire.unpack(packed) if packed else None for packed in (self._surface, self._points)
        )
        return boundary_figure(surface, points, dark=dark, language=self.language or "en", **parts)

    def save_html(self, path: str | PathLike[str]) -> None:
        """Write one offline page that shows what is shown, and its other views.

        Parameters
        ----------
        path
            Of the file.
        """
        from nnwidgets.export.html import save_page

        self._have_answers()
        save_page(path, self, title=self._page_title)

    def held(self) -> dict[str, Any]:
        """Return the pictures that a saved page holds (see ``js/src/offline.ts``)."""
        return held_surfaces(self)

    @action("export", long=True)
    def _export(self, job: Job, format: str, dark: bool = False) -> dict[str, Any]:
        """Make a file for the browser; drawing takes too long to hold the training up."""
        if format not in _MEDIA:
            raise ValueError(f"format must be one of {', '.join(_MEDIA)}, not {format!r}.")
        if format == "html":
            from nnwidgets.export.html import saved_page

            data = saved_page(self, title=self._page_title).encode()
        else:
            from nnwidgets.export import figures

            write = figures.to_png if format == "png" else figures.to_svg
            data = write(self.figure(dark=dark))
        return wire.pack(
            {"name": f"boundary-{self.view}.{format}", "mime": _MEDIA[format]},
            {"file": np.frombuffer(data, dtype=np.uint8)},
        )

    # -- inside --------------------------------------------------------------------------

    def _page(self, view: str, interest: int | None) -> dict[str, Any] | None:
        """Return what is shown now in another view; nothing is asked."""
        if self._now.surface is None:
            return None
        points = self._space.points.snapshot()
        return self._parts_of.page(self._now, view, interest, points)

    def _rows(self, points: Any, *, one: bool = False) -> np.ndarray[Any, Any]:
        given = points.detach().cpu().numpy() if hasattr(points, "detach") else np.asarray(points)
        try:
            rows = given.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError("points must be numbers, one row a point.") from None
        shape, width = self._given.shape, self._space.points.width
        if shape is not None and rows.shape[-len(shape) :] == shape:
            rows = rows.reshape(-1, width)
        elif rows.ndim == 1:
            rows = rows[None]
        if rows.ndim != 2 or (one and len(rows) != 1):
            raise ValueError(f"one point has {width} numbers; this has the shape {given.shape}.")
        if rows.shape[1] != width and not (one and rows.shape[1] == 2):
            raise ValueError(f"a point has {width} features here, not {rows.shape[1]}.")
        if one and not np.isfinite(rows).all():
            raise ValueError("a point must have finite numbers.")
        return rows

    def _in_peace(self, work: Callable[[Scene, Answering], R]) -> R:
        """Run `work` on the twin if nothing trains, else on a copy beside the training."""
        self._model_or_refuse()
        wish = replace(self._wish, step=None)

        def scene_of(root: nn.Module) -> Scene:
            predictor = self._space.ask(root)
            plane = self._space.plane(wish, predictor)
            rectangle = self._space.rectangle(wish, plane)
            points = self._space.points.snapshot()
            step, mark = self._session.step, self._mark(False)
            era = self._space.era
            return Scene(wish, step, False, mark, predictor, plane, rectangle, points, era)

        def at_once() -> R:
            with self._twin.open() as root:
                scene = scene_of(root)
                return work(scene, scene.predictor)

        if wish.uncertain is None and (self._session.hands_free or not self._twin.copied):
            return self._at_rest(at_once)

        def copied() -> tuple[Scene, Any, list[nn.Module], list[Any]]:
            with self._twin.open() as root:
                scene = scene_of(root)
                own, models = self._private(scene, root)
                late = self._late_weights(scene.step) if wish.uncertain == "snapshots" else []
                return scene, own, models, late

        scene, own, models, late = self._at_rest(copied)
        with OwnRandom():
            scene = replace(scene, predictor=self._apart(own))
            asked: Answering = scene.predictor
            if wish.uncertain is not None:
                asked = self._space.committee(scene.predictor, wish.uncertain, late, models)
            return work(scene, asked)

    def _have_answers(self) -> None:
        if self._session.model is not None:
            now = self._now
            if now.number == 0 or now.mark != self._mark(now.past):
                self._stale = True  # no optimiser's step has told of it
            self._complete(_PATIENCE)
        self.flush()

    @property
    def _page_title(self) -> str:
        return f"{type(self._session.model).__name__} · {self.view}"
