"""What a plot is asked for in Python, and waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nnwidgets._boundary_asking import Asking
from nnwidgets._boundary_scene import Found, Scene, Spot
from nnwidgets._boundary_working import DEPTH
from nnwidgets.explain.answers import Answering, waiting
from nnwidgets.explain.at_point import AtPoint
from nnwidgets.explain.landscape import Landscape
from nnwidgets.explain.prediction import Prediction, prediction_of
from nnwidgets.explain.rules import Rules
from nnwidgets.explain.surface import Surface
from nnwidgets.explain.surface import surface as surface_by
from nnwidgets.explain.unit_surfaces import UnitSurfaces, unit_surfaces
from nnwidgets.live.jobs import Job
from nnwidgets.probe.own_device import with_data
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal

__all__ = ["Verbs"]

R = TypeVar("R")


class Verbs(Asking):
    """The part of a plot that answers in Python."""

    def surface(self) -> Surface:
        """Ask the model, as it is now, at every place of the picture, and wait for the answer.

        Returns
        -------
        Surface
            Of ``resolution`` places along each axis. With ``uncertainty`` it is that of several
            models taken together; where this way cannot tell (no dropout, one model only), that of
            the model alone, and ``status`` says why.

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
            rules = self._rules_of(scene, asked)
            found = self._explained(scene, joint, row, waiting, rules)
            x, y = scene.plane.to_plane(row[None])[0]
            spot = Spot((float(x), float(y)), None, tuple(map(float, row)))
            with self._shelf:
                self._spot = spot
                key = scene.key("point", spot, scene.points.version, self._output)
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
                key = scene.key("rules", max_depth, scene.points.version, self._output)
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
        with with_data(), OwnRandom():
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

    # -- inside --------------------------------------------------------------------------

    def _rules_of(self, scene: Scene, asked: Answering) -> Rules | None:
        """Return the rules that are known already, or fit them; None without scikit-learn."""
        depth = self._depth or DEPTH
        key = scene.key("rules", depth, scene.points.version, self._output)
        known = self._found_rules
        if known is not None and known.key == key and known.result is not None:
            found: Rules = known.result
            return found
        try:
            return self._ruled(scene, asked, depth, waiting)
        except Refusal:
            return None  # all else is worth having

    def _rows(self, points: Any, *, one: bool = False) -> NDArray[np.float64]:
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
        with with_data(), OwnRandom():
            scene = scene.by(self._apart(own))
            asked: Answering = scene.predictor
            if wish.uncertain is not None:
                asked = self._joint(scene, late, models) or asked
            try:
                return work(scene, asked)
            finally:
                self._note_members(asked)
