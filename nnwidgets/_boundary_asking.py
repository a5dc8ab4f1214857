"""What somebody asks a plot: the traits that can be set, and the clicks of the browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import traitlets as t

from nnwidgets._boundary_arguments import check_projection
from nnwidgets._boundary_drawing import Drawing
from nnwidgets._boundary_extras import layer_names
from nnwidgets._boundary_scene import Spot
from nnwidgets._boundary_working import DEPTH, OF_COMMITTEES
from nnwidgets._inspector_arguments import nearest
from nnwidgets.catalogue import text
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.data_loss import data_loss
from nnwidgets.explain.landscape import Landscape, landscape
from nnwidgets.explain.surface import VIEWS, checked_rectangle
from nnwidgets.live.jobs import CancelledError, Job
from nnwidgets.live.widget import action
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.replay import bare_copy
from nnwidgets.probe.tree import unwrap

__all__ = ["Asking"]

_OF_CLASSES: Final = ("probability", "label", "entropy", "margin")
_DEEPEST: Final = 8


class Asking(Drawing):
    """The part of a plot that is asked for something."""

    _landscape_found: Landscape | None = None
    _landscape_state = "none"
    _landscape_problem: str | None = None
    _landscape_of: tuple[int, Words | None] = (0, None)  # step, and which loss

    # -- traits --------------------------------------------------------------------------

    @property
    def views(self) -> tuple[str, ...]:
        """The views that apply now."""
        alone = self._wish.uncertain is None or self._untold is not None
        if self._space.regression:
            if alone:
                return ("value",)
            # Of values only Laplace knows how noisy the data are.
            noisy = self._wish.uncertain == "laplace"
            return ("value", *(OF_COMMITTEES if noisy else OF_COMMITTEES[:1]))
        return _OF_CLASSES if alone else (*_OF_CLASSES, *OF_COMMITTEES)

    def _fit_view(self) -> None:
        if self.view not in self.views:
            self.view = self.views[0]

    @t.validate("view")
    def _check_view(self, proposal: Any) -> str:
        name = str(proposal["value"])
        if name not in VIEWS:
            words = nearest(name, VIEWS).replace("there is no layer", "there is no view")
            raise t.TraitError(words)
        if getattr(self, "_ready", False) and name not in self.views:
            if name in OF_COMMITTEES and self._untold is not None:
                raise t.TraitError(text(self._untold[0], "en", **self._untold[1]))
            if name in OF_COMMITTEES and self._wish.uncertain is None:
                raise t.TraitError(
                    f"one model alone cannot tell its {name} uncertainty: set uncertainty to "
                    "'mc_dropout', 'snapshots' or 'laplace', or give a list of models, first."
                )
            raise t.TraitError(
                f"the view {name!r} does not apply here; there are {', '.join(self.views)}."
            )
        return name

    @t.validate("interest")
    def _check_interest(self, proposal: Any) -> int | None:
        value = proposal["value"]
        if value is None:
            return None
        space = self._space
        count = space.outputs if space.regression else len(space.classes)
        if isinstance(value, bool) or (count and not 0 <= value < count):
            raise t.TraitError(f"interest must be None or from 0 to {count - 1}, not {value!r}.")
        return int(value)

    @t.observe("view", "interest")
    def _recoloured(self, change: Any) -> None:
        if getattr(self, "_ready", False):
            for trait in ("_surface", "_film", "_choices"):
                self._part_changed(trait)
            other_output = self._space.regression and self._spot is not None
            if other_output or (self.view in OF_COMMITTEES and not self._now.members):
                self._changed()

    @property
    def uncertainty(self) -> str | None:
        """The way to several models: "mc_dropout", "snapshots", "laplace", "ensemble", or None."""
        return self._wish.uncertain

    @uncertainty.setter
    def uncertainty(self, value: str | None) -> None:
        self._click_uncertainty(value)

    def _want(self, **changes: Any) -> None:
        """Have another surface shown."""
        with self._shelf:
            self._wish = replace(self._wish, **changes)
            self._given_up = frozenset()
            if "uncertain" in changes:
                self._untold = None  # to be found out
        for trait in ("_choices", "_surface"):
            self._part_changed(trait)
        self._changed()

    # -- clicks: what is shown -------------------------------------------------------------

    @action("view")
    def _click_view(self, view: str) -> None:
        self.view = view

    @action("interest")
    def _click_interest(self, interest: int | None = None) -> None:
        self.interest = interest

    @action("axes")
    def _click_axes(self, x: int, y: int) -> None:
        kept = tuple(pair for pair in self._wish.fixed if pair[0] not in (x, y))
        wish = replace(
            self._wish, axes=(int(x), int(y)), fixed=kept, projection="slice", rectangle=None
        )
        self._space.slice(wish)  # says what is wrong with it
        self._want(axes=wish.axes, fixed=kept, projection="slice", rectangle=None)

    @action("held")
    def _click_held(self, column: int, value: float) -> None:
        held = {**dict(self._wish.fixed), int(column): float(value)}
        fixed = tuple(sorted(held.items()))
        self._space.slice(replace(self._wish, fixed=fixed))
        self._want(fixed=fixed)

    @action("others")
    def _click_others(self, others: str, sample: int | None = None) -> None:
        chosen: str | int = others
        if others == "sample":
            if sample is None:
                raise ValueError("which sample? Pass its number.")
            chosen = int(sample)
        self._space.slice(replace(self._wish, fixed=(), others=chosen))
        self._want(others=chosen, fixed=())

    @action("projection")
    def _click_projection(self, projection: str) -> None:
        layers = [name for name, _ in layer_names(self._session.model)]
        check_projection(projection, layers, self._given.pair)
        if projection == "slice":
            self._space.slice(replace(self._wish, projection="slice"))
        self._want(projection=projection, rectangle=None)

    @action("uncertainty")
    def _click_uncertainty(self, uncertainty: str | None = None) -> None:
        if uncertainty is not None:
            known = dict(self._ways)
            if str(uncertainty) not in known:
                names = ", ".join(map(repr, known))
                raise ValueError(
                    f"uncertainty must be one of {names} or None; a list of models is given to "
                    "the constructor."
                )
            problem = known[uncertainty]
            if problem is not None and uncertainty != "snapshots":
                raise Refusal(problem[0], **problem[1])
        if uncertainty is None and self.view in OF_COMMITTEES:
            self.view = "value" if self._space.regression else "entropy"
        self._want(uncertain=uncertainty)

    @action("zoom")
    def _click_zoom(self, rectangle: list[float] | None = None) -> None:
        chosen = None if rectangle is None else checked_rectangle(rectangle)
        self._want(rectangle=chosen)

    @action("cursor")
    def _click_cursor(self, step: int | None = None) -> None:
        self._session.set_cursor(None if step is None else int(step))

    # -- clicks: what is asked -------------------------------------------------------------

    @action("point")
    def _click_point(self, at: list[float], id: int | None = None) -> None:
        x, y = (float(value) for value in at)
        if not np.isfinite([x, y]).all():
            raise ValueError("a place in the picture has two finite numbers.")
        self._ask_about(Spot((x, y), None if id is None else int(id)))

    def _ask_about(self, spot: Spot | None) -> None:
        with self._shelf:
            self._spot, self._given_up = spot, frozenset()
            self._at = None
        for trait in ("_point", "_rules"):
            self._part_changed(trait)
        if spot is not None:
            self._changed()

    @action("unpoint")
    def _click_unpoint(self) -> None:
        self._ask_about(None)

    @action("rules")
    def _click_rules(self, on: bool, max_depth: int = DEPTH) -> None:
        if isinstance(max_depth, bool) or max_depth not in range(1, _DEEPEST + 1):
            raise ValueError(f"max_depth must be from 1 to {_DEEPEST}, not {max_depth!r}.")
        with self._shelf:
            self._depth, self._given_up = (int(max_depth) if on else None), frozenset()
        self._part_changed("_rules")
        if on:
            self._changed()

    @action("units")
    def _click_units(self, layer: str | None = None) -> None:
        if layer is not None:
            names = [name for name, _ in unwrap(self._model_or_refuse()).named_modules() if name]
            if layer not in names:
                raise ValueError(nearest(layer, names))
        self._layer, self._unit = layer, None
        self._unit_surfaces = self._unit_large = self._unit_problem = None
        self._part_changed("_units")
        if layer is not None:
            self._changed()

    @action("unit")
    def _click_unit(self, unit: int | None = None) -> None:
        known = self._unit_surfaces
        if unit is not None and known is not None and not 0 <= int(unit) < known.count:
            raise ValueError(f"unit must be from 0 to {known.count - 1}, not {unit}.")
        self._unit = None if unit is None else int(unit)
        self._unit_large = None
        self._part_changed("_units")
        if unit is not None:
            self._changed()

    @action("stop")
    def _click_stop(self) -> None:
        """Give up what is being worked out, until it is asked for again."""
        self._stop_working()
        for trait in ("_surface", "_point", "_rules", "_landscape", "_live"):
            self._part_changed(trait)

    @action("refresh", touches_model=True)
    def _click_refresh(self) -> None:
        # At a safe point already: to wait for another one, with the lock in hand, would hang.
        self._ask_anew()

    def refresh(self) -> None:
        """Ask the model anew, as it is now: what it says at all, planes, the surface."""
        self._model_or_refuse()
        self._at_rest(self._ask_anew)

    def _ask_anew(self) -> None:
        self._model_or_refuse()
        self._space.forget()
        self._twin.forget()
        with self._shelf:
            self._supersede()
            self._progress = None
            self._given_up = frozenset()
            self._committee_key = self._at = self._found_rules = None
            self._reels.clear()
            self._now = replace(self._now, step=-1)  # what is shown is of another time
        self._stale = self._asked_for = True
        self._look()

    # -- the loss around the weights ---------------------------------------------------------

    @action("landscape", long=True)
    def _click_landscape(self, job: Job, on: bool = True) -> None:
        """Work the loss around the weights out, on a copy of its own, in its own thread."""
        if self._landscape_job is not None:
            self._landscape_job.cancelled = True
        if not on:
            self._landscape_found, self._landscape_state = None, "none"
            self._part_changed("_landscape")
            return
        self._landscape_job, self._landscape_state = job, "working"
        self._landscape_problem = None
        self._part_changed("_landscape")
        try:
            root, step = self._at_rest(self._copied_now)
            with OwnRandom():
                self._landscape_found = self._surveyed(root, job)
            self._landscape_state = "ready"
            self._landscape_of = step, self._landscape_of[1]
        except CancelledError:
            self._landscape_state = "ready" if self._landscape_found else "none"
            raise
        except Exception as problem:
            if self.closed:
                raise CancelledError from None
            self._landscape_state = "failed"
            self._landscape_problem = self._note_failure("the landscape", problem)
        finally:
            if self._landscape_job is job:
                self._landscape_job = None
            self._part_changed("_landscape")

    def _copied_now(self) -> tuple[Any, int]:
        step, weights, _ = self._source(self._wish_now)
        with self._twin.open(weights) as root:
            if not self._twin.copied:
                raise Refusal("explain.boundary.no_copy")
            predictor = self._space.ask(root)
            few = self._space.points.snapshot().X[:2]
            if len(few):
                self._check_apart(predictor, few.astype(np.float64))
            return bare_copy(root), step

    def _surveyed(self, root: Any, job: Job, *, loss: Any = None, **options: Any) -> Landscape:
        """Work the landscape out; the loss is that of the training points unless one is given."""
        if loss is not None and not callable(loss):
            raise TypeError(f"loss must be a function of a module, or None, not {loss!r}.")
        self._landscape_of = self._landscape_of[0], ("explain.boundary.loss_given", {})
        if loss is None:
            loss = self._own_loss(root)
        try:
            return landscape(
                root, loss, cancelled=lambda: job.cancelled, progress=job.progress, **options
            )
        except Cancelled:
            raise CancelledError from None

    def _own_loss(self, root: Any) -> Any:
        points = self._space.points.snapshot()
        if not len(points.train):
            raise Refusal("explain.boundary.no_points")
        if points.y is None:
            raise Refusal("explain.boundary.no_labels")
        rows, labels = points.X[points.train], points.y[points.train]
        loss = data_loss(self._space.ask_apart(root), rows, labels)
        self._landscape_of = self._landscape_of[0], loss.words
        return loss
