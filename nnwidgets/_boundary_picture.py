"""The parts of a DecisionBoundaryPlot's picture, built from what the plot knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets._boundary_choices import Choices
from nnwidgets._boundary_drawn import (
    colouring_of,
    finite_or_none,
    not_finite,
    point_arrays,
    surface_arrays,
    verdict_arrays,
)
from nnwidgets._boundary_said import landscape_part, point_part, rules_part
from nnwidgets._boundary_scene import Found
from nnwidgets._boundary_space import asks_elsewhere, drawn_places
from nnwidgets._boundary_wish import Shown
from nnwidgets._boundary_working import DEPTH
from nnwidgets._live_part import Packed
from nnwidgets.catalogue import text
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.view_plane import Slice
from nnwidgets.live import wire
from nnwidgets.live.jobs import Job
from nnwidgets.probe.blocks import encode

if TYPE_CHECKING:
    pass

__all__ = ["BoundaryPicture"]


Arrays = dict[str, NDArray[Any]]


class BoundaryPicture(Choices):
    """Builds each part, or None when nothing in it has changed since.

    Parameters
    ----------
    plot
        Whose picture it is.
    next_seq
        Gives each part a number; the browser draws only what is newer.
    """

    def _jobs(self) -> list[Job]:
        jobs = [job for job in super()._jobs() if job is not self._plot._job]
        own = self._plot._job
        return jobs if own is None else [own, *jobs]

    # -- the surface -------------------------------------------------------------------------

    def surface(self) -> Packed | None:
        """What the model says all over the picture, in the view that is chosen."""
        plot = self._plot
        plot._look_if_stale()
        shown = plot._now
        if shown.number == 0:
            return None
        points = plot._space.points.snapshot()
        state = (
            shown.number, plot.view, plot.interest, plot._shown_language, plot._wish,
            shown.verdict is not None and shown.verdict.points.version,
        )  # fmt: skip
        if self._same("surface", state):
            return None
        return self.page(shown, plot.view, plot.interest, points)

    def page(self, shown: Shown, view: str, interest: int | None, points: Snapshot) -> Packed:
        """Pack a surface in one view.

        Parameters
        ----------
        shown
            The surface, and what stands around it.
        view, interest
            How it is coloured.
        points
            As they are drawn.
        """
        plot = self._plot
        space, language = plot._space, plot._shown_language
        verdict = shown.verdict
        if verdict is not None:
            points = verdict.points
        train = len(points.train)
        meta: dict[str, Any] = {
            "seq": self._seq(),
            "kind": "values" if space.regression else "classes",
            "state": shown.state,
            "problem": shown.problem,
            "view": view,
            "interest": interest,
            "interest_name": _name(space.classes, interest),
            "step": shown.step,
            "past": shown.past,
            "columns": 0,
            "rows": 0,
            "rectangle": None if shown.rectangle is None else list(shown.rectangle),
            "labels": ["", ""],
            "quality": "",
            "share": None,
            "error": 0.0,
            "palette": "labels",
            "low": 0.0,
            "high": 1.0,
            "unit": "probability",
            "asked": shown.asked,
            "members": shown.members,
            "notes": self._notes(shown, language),
            "accuracy": {
                "train": None if verdict is None else finite_or_none(verdict.train),
                "test": None if verdict is None else finite_or_none(verdict.test),
            },
            "counts": {"train": train, "test": len(points.X) - train},
            "points_version": points.version,
            "levels": [],
        }
        arrays: Arrays = {}
        if shown.plane is not None:
            quality = shown.plane.quality
            meta["labels"] = list(shown.plane.labels)
            meta["quality"] = text(quality.words[0], language, **quality.words[1])
            meta["share"] = None if quality.share is None else finite_or_none(quality.share)
            meta["error"] = finite_or_none(quality.error)
        if shown.surface is not None:
            view, interest = self._possible(shown, view, interest)
            labels = points.y if space.regression else None
            known = space.kind
            exclusive = known is None or known.exclusive
            colouring = colouring_of(
                shown.surface, view, interest, exclusive=exclusive, labels=labels
            )
            drawn, levels = surface_arrays(shown, colouring, interest)
            arrays.update(drawn)
            arrays.update(verdict_arrays(verdict, drawn_places(points), points))
            meta.update(
                view=view,
                columns=len(shown.surface.x),
                rows=len(shown.surface.y),
                palette=colouring.palette,
                low=colouring.low,
                high=colouring.high,
                unit=colouring.unit,
                levels=[float(level) for level in levels],
            )
        return wire.pack(meta, arrays)

    def _possible(self, shown: Shown, view: str, interest: int | None) -> tuple[str, int | None]:
        """Return a view that the surface at hand has: a committee's may still be on its way."""
        assert shown.surface is not None
        if view == "margin" or view in shown.surface.views:
            return view, interest
        return shown.surface.views[0], interest

    def _notes(self, shown: Shown, language: str) -> list[str]:
        said = [text(key, language, **params) for key, params in shown.notes]
        if shown.surface is not None and (bad := not_finite(shown.surface)):
            total = f"{len(shown.surface.x) * len(shown.surface.y):,}"
            said.insert(
                0, text("explain.boundary.not_finite", language, places=f"{bad:,}", total=total)
            )
        points = self._plot._space.points.snapshot()
        drawn = len(drawn_places(points))
        if drawn < len(points.X):
            count, total = f"{drawn:,}", f"{len(points.X):,}"
            said.append(text("explain.boundary.sampled", language, count=count, total=total))
        return said

    # -- the points --------------------------------------------------------------------------

    def points(self) -> Packed | None:
        """The points that are drawn, where they are in the picture."""
        plot = self._plot
        plot._look_if_stale()
        shown, space = plot._now, plot._space
        if shown.plane is None:
            return None
        found = self._placed(shown)
        if found is None:
            return None
        points, places, xy, away = found
        store = space.points
        state = (points.version, id(shown.plane), store.can_undo, store.can_redo)
        if self._same("points", state):
            return None
        values = points.y if space.regression else None
        low, high = (0.0, 1.0) if values is None or not len(values) else (
            float(values.min()), float(values.max())
        )  # fmt: skip
        train = len(points.train)
        return wire.pack(
            {
                "seq": self._seq(),
                "version": points.version,
                "kind": "values" if space.regression else "classes",
                "count": {"train": train, "test": len(points.X) - train},
                "drawn": len(places),
                "can_undo": store.can_undo,
                "can_redo": store.can_redo,
                "low": low,
                "high": high,
            },
            point_arrays(points, places, xy, away),
        )

    def _placed(
        self, shown: Shown
    ) -> tuple[Snapshot, NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]] | None:
        """Return points, and where they are; of planes that ask the model, as of the last look."""
        plot = self._plot
        points = plot._space.points.snapshot()
        places = drawn_places(points)
        verdict = shown.verdict
        assert shown.plane is not None
        if not len(points.X):
            return points, places, np.zeros((0, 2)), np.zeros(0)
        known = verdict is not None and verdict.points.version == points.version
        if verdict is not None and known and len(verdict.places) == len(places):
            return points, places, verdict.xy, verdict.away
        if asks_elsewhere(shown.wish.projection):
            if verdict is None:
                return None
            if verdict.points.version != points.version:
                return verdict.points, verdict.places, verdict.xy, verdict.away
        rows = points.X[places].astype(np.float64)
        return points, places, shown.plane.to_plane(rows), shown.plane.distance(rows)

    def film(self) -> Packed | None:
        """The surface through the training."""
        plot = self._plot
        space = plot._space
        kept = plot._kept.snapshots.steps
        # While something trains the film shows all that was seen; then what can be gone back to.
        only = None if plot.session.training or not kept else {*kept, plot.session.step}
        state = (plot._reels.number, plot.view, plot.interest, None if only is None else kept)
        known = space.kind  # another thread may find it out anew meanwhile
        if known is None or self._same("film", state):
            return None
        meta, arrays = plot._reels.packed(
            plot.view,
            plot.interest,
            exclusive=known.exclusive,
            labels=space.points.snapshot().y if space.regression else None,
            only=only,
        )
        kind = "values" if space.regression else "classes"
        return wire.pack({"seq": self._seq(), "view": plot.view, "kind": kind, **meta}, arrays)

    def units(self) -> Packed | None:
        """Small surfaces of the units of a layer, and one of them large."""
        plot = self._plot
        found, large = plot._unit_surfaces, plot._unit_large
        coming = plot._stale or plot.session.training
        state = (plot._layer, plot._unit, id(found), id(large), plot._unit_problem, coming)
        if self._same("units", state):
            return None
        meta: dict[str, Any] = {
            "seq": self._seq(),
            "layer": plot._layer,
            "count": 0 if found is None else found.count,
            "units": [] if found is None else list(found.units),
            "state": "none" if plot._layer is None else "ready",
            "problem": plot._unit_problem,
            "step": plot._unit_step,
            "large": None,
            "large_low": 0.0,
            "large_high": 0.0,
        }
        arrays: Arrays = {}
        if plot._layer is not None and found is None:
            meta["state"] = "working" if coming else "stale"
        if plot._unit_problem is not None:
            meta["state"] = "failed"
        if found is not None:
            values = found.values.astype(np.float64)
            ends = [_ends(one) for one in values]
            arrays["values"] = np.stack(
                [encode(one, *end) for one, end in zip(values, ends, strict=True)]
            )
            arrays["low"] = np.array([low for low, _ in ends], np.float32)
            arrays["high"] = np.array([high for _, high in ends], np.float32)
        if large is not None:
            one = large.values[0].astype(np.float64)
            low, high = _ends(one)
            meta.update(large=large.units[0], large_low=low, large_high=high)
            arrays["large"] = encode(one, low, high)
        return wire.pack(meta, arrays)

    # -- answers -----------------------------------------------------------------------------

    def point(self) -> Packed | None:
        """What is said at the place that was clicked."""
        plot = self._plot
        spot, found = plot._spot, plot._at
        state = "none" if spot is None else self._state_of(found, "point")
        language = plot._shown_language
        if self._same("point", (spot, id(found), id(plot._found_rules), state, language)):
            return None
        meta, arrays = point_part(
            None if found is None else found.result,
            state=state,
            problem=None if found is None else found.problem,
            # Where the point is that was explained: somebody may have moved it since the click.
            at=None if spot is None or (found and found.result is not None) else spot.at,
            id=None if spot is None else spot.id,
            step=0 if found is None else found.step,
            classes=plot._space.classes,
            features=plot._space.features,
            language=language,
            rules=None if plot._found_rules is None else plot._found_rules.result,
        )
        return wire.pack({"seq": self._seq(), **meta}, arrays)

    def rules(self) -> Packed | None:
        """Rules that say about the same as the model."""
        plot = self._plot
        found = plot._found_rules
        on = plot._depth is not None
        state = self._state_of(found, "rules") if on else "none"
        language, now = plot._shown_language, plot._now
        if self._same("rules", (on, plot._depth, id(found), state, language, id(now.plane))):
            return None
        cut = now.plane if isinstance(now.plane, Slice) else None
        meta, arrays = rules_part(
            None if found is None or not on else found.result,
            state=state,
            problem=None if found is None else found.problem,
            step=0 if found is None else found.step,
            max_depth=plot._depth or DEPTH,
            plane=cut,
            rectangle=now.rectangle,
            language=language,
        )
        return wire.pack({"seq": self._seq(), **meta}, arrays)

    def landscape(self) -> Packed | None:
        """The loss around the weights."""
        plot = self._plot
        found, language = plot._landscape_found, plot._shown_language
        state = (plot._landscape_state, id(found), plot._landscape_problem, language)
        if self._same("landscape", state):
            return None
        step, loss = plot._landscape_of
        meta, arrays = landscape_part(
            found,
            state=plot._landscape_state,
            problem=plot._landscape_problem,
            step=step,
            loss=loss,
            language=language,
        )
        return wire.pack({"seq": self._seq(), **meta}, arrays)

    def _state_of(self, found: Found | None, name: str) -> str:
        plot = self._plot
        if any(name in key for key in plot._job_of):
            return "working" if found is None or found.result is None else "ready"
        if found is None:
            return "working" if plot._stale else "stale"
        if found.problem is not None:
            return "failed"
        old = found.step != plot._now.step and not plot._session.training
        return "stale" if old else "ready"


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of a unit's own scale: around zero where it has values on both sides."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = float(finite.min()), float(finite.max())
    if low < 0 < high:
        high = max(-low, high)
        low = -high
    return low, high


def _name(classes: tuple[str, ...], interest: int | None) -> str | None:
    return classes[interest] if interest is not None and interest < len(classes) else None
