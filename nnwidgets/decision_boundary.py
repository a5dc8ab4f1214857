"""DecisionBoundaryPlot: what a model would say everywhere else, live, on points one can draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import traitlets as t
from torch import nn

from nnwidgets._boundary_arguments import check_projection, checked
from nnwidgets._boundary_extras import layer_names
from nnwidgets._boundary_pages import held_surfaces
from nnwidgets._boundary_picture import BoundaryPicture
from nnwidgets._boundary_verbs import Verbs
from nnwidgets._exporting import exported
from nnwidgets._inspector_arguments import check_inspected
from nnwidgets._training_arguments import check_budget
from nnwidgets.live import wire
from nnwidgets.live.cells import retire_earlier
from nnwidgets.live.channel import Paced
from nnwidgets.live.jobs import Job
from nnwidgets.live.kernel import kernel_link
from nnwidgets.live.session import Session
from nnwidgets.live.widget import Part, action, bundle, check_language
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DecisionBoundaryPlot"]

_BYTES_PER_SECOND: Final = 300_000
_PATIENCE: Final = 60.0
_OF_THE_POINTS: Final = ("explain.plane.", "explain.predict.")
_OF_THE_SHAPE: Final = ("shape", "size", "dimension", "expected")
_OF_THE_CALL: Final = (
    "explain.class_count",
    "explain.class_count_one",
    "explain.boundary.one_number",
    "explain.points.label_range",
    "explain.points.label_shift",
)


class DecisionBoundaryPlot(Verbs):
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
        Copies of the points that are trained on, as they were edited; can be set and observed.
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
        if not isinstance(model, (nn.Module, type)):
            raise TypeError(
                f"model must be a torch.nn.Module, not {type(model).__name__}: wrap it in one "
                "whose forward takes a batch of points."
            )
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
        if given.projection == "slice" or given.cuts:
            # Behind a projection too: it is what the picture of two features begins with.
            first, second, fixed = space.named(given.features, given.fixed)
            wish = replace(self._wish, axes=(first, second), fixed=fixed, others=given.others)
            space.slice(wish)  # says what is wrong with it
            self._wish = wish
        if self._session.hands_free:
            # A model that cannot be run yet is no mistake of the call: the widget says so.
            try:
                self._plan()
            except (Refusal, RuntimeError) as problem:
                if _is_of_the_call(problem):
                    raise
                self._obstacle = problem
        self._mirror()
        if space.regression:
            self.view = "value"
        picture = self._parts_of = BoundaryPicture(self, self._next_seq)
        # What has changed is hurried; the others need not be asked again and again.
        for trait, build, pace in (
            ("_live", picture.live, Paced(1.0, _BYTES_PER_SECOND, 0.1, along=0.1)),
            ("_choices", picture.choices, Paced(4.0, _BYTES_PER_SECOND, 0.1)),
            ("_surface", picture.surface, Paced(0.1, _BYTES_PER_SECOND, 0.4)),
            ("_points", picture.points, Paced(2.0, _BYTES_PER_SECOND, 0.2)),
            ("_film", picture.film, Paced(4.0, _BYTES_PER_SECOND / 3, 0.1)),
            ("_units", picture.units, Paced(2.0, _BYTES_PER_SECOND, 0.1)),
            ("_point", picture.point, Paced(2.0, _BYTES_PER_SECOND, 0.1)),
            ("_rules", picture.rules, Paced(2.0, _BYTES_PER_SECOND, 0.1)),
            ("_landscape", picture.landscape, Paced(2.0, _BYTES_PER_SECOND, 0.1)),
        ):
            self._add_part(Part(trait, build, pace))

    # -- verbs ---------------------------------------------------------------------------

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
        return exported(self, format, f"boundary-{self.view}", dark=dark)

    # -- inside --------------------------------------------------------------------------

    def _page(self, view: str, interest: int | None) -> dict[str, Any] | None:
        """Return what is shown now in another view; nothing is asked."""
        if self._now.surface is None:
            return None
        points = self._space.points.snapshot()
        return self._parts_of.page(self._now, view, interest, points)

    def _have_answers(self) -> None:
        if self._session.model is not None:
            self._given_up = frozenset()  # whoever wants a file wants all of it
            if not self._session.training:
                # Weights may have been written to by hand (``p.data -= …``), which nobody is told.
                with self._shelf:
                    self._now = replace(self._now, mark=-1)
                    self._committee_key = None
                self._stale = True
            self._complete(_PATIENCE)
        self.flush()

    @property
    def _page_title(self) -> str:
        return f"{type(self._session.model).__name__} · {self.view}"


def _is_of_the_call(problem: Exception) -> bool:
    """Whether an argument is wrong, rather than a model that may be ready later."""
    key = getattr(problem, "key", "")
    if key == "explain.predict.model":
        words = str(problem.__cause__).lower()
        return any(word in words for word in _OF_THE_SHAPE)
    return key in _OF_THE_CALL or key.startswith(_OF_THE_POINTS)
