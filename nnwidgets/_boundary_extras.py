"""What stands beside the surface: its film, hidden units, and the ways to several models."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

from torch import nn

from nnwidgets._boundary_film import SIDE
from nnwidgets._boundary_scene import Scene
from nnwidgets._boundary_sources import Weights
from nnwidgets._boundary_wish import Wish
from nnwidgets._boundary_working import Working
from nnwidgets.explain.committee_answers import WAYS
from nnwidgets.explain.mc_dropout import dropout_layers
from nnwidgets.explain.surface import surface
from nnwidgets.explain.unit_surfaces import UnitSurfaces, unit_surfaces
from nnwidgets.probe.tree import unwrap
from nnwidgets.probe.twin import TwinError

__all__ = ["Extras", "layer_names"]

_FILLING: Final = 0.2  # seconds at rest, in one go, for frames of stored weights
_UNITS: Final = 32
_UNIT_SIDE: Final = 24
_PASSING: Final = 0.005  # seconds that units may take in the middle of a training


class Extras(Working):
    """The part of a plot that shows more than the surface of now."""

    _layer: str | None = None  # whose units are shown
    _unit: int | None = None  # the one that is enlarged
    _unit_surfaces: UnitSurfaces | None = None
    _unit_large: UnitSurfaces | None = None
    _unit_problem: str | None = None
    _unit_step = 0
    _ways: tuple[tuple[str, tuple[str, dict[str, str]] | None], ...] = ()

    # -- hidden units ------------------------------------------------------------------------

    def _see_units(self, scene: Scene, *, asked: bool) -> None:
        """Look at the units of the chosen layer, if that does not take long or somebody waits."""
        layer = self._layer
        if layer is None:
            return
        cost = self._space.row_seconds * _UNIT_SIDE**2
        if self._session.training and not asked and cost > _PASSING:
            return
        try:
            self._unit_surfaces = unit_surfaces(
                scene.predictor,
                scene.plane,
                layer,
                resolution=_UNIT_SIDE,
                rectangle=scene.rectangle,
                most=_UNITS,
            )
            self._unit_large = None
            if self._unit is not None and self._unit < self._unit_surfaces.count:
                self._unit_large = unit_surfaces(
                    scene.predictor,
                    scene.plane,
                    layer,
                    units=(self._unit,),
                    resolution=self._large_side,
                    rectangle=scene.rectangle,
                )
            self._unit_problem = None
        except (ValueError, TypeError) as problem:
            self._unit_surfaces = self._unit_large = None
            self._unit_problem = self._sentence_of(problem)
        self._unit_step = scene.step
        self._part_changed("_units")

    @property
    def _large_side(self) -> int:
        """Places along an axis of an enlarged unit: as many as take about a twentieth second."""
        row = self._space.row_seconds
        most = self._given.resolution
        return most if row <= 0 else int(max(_UNIT_SIDE, min(most, (0.05 / row) ** 0.5)))

    # -- the film ----------------------------------------------------------------------------

    def _backfill(self) -> None:
        """Make frames of stored weights, some at a time; at rest."""
        wish = self._wish.timeless
        if wish.uncertain is not None or self._now.surface is None or self._twin.root is None:
            return
        if self._space.row_seconds * SIDE * SIDE > _FILLING / 4:
            return  # each would take too long
        self._reels.begin(wish, self._space.era)
        lacking = self._reels.missing(self._kept.snapshots.steps)
        until = perf_counter() + _FILLING
        for step in lacking:
            if perf_counter() > until or self.closed:
                break
            found = self._kept.snapshots.nearest(step)
            if found is None or found[0] != step or not self._add_frame(wish, step, found[1]):
                return
        else:
            return
        if self._session.host.soon(_nothing):
            self._session.submit(self._go_on_filling)

    def _add_frame(self, wish: Wish, step: int, weights: Weights) -> bool:
        try:
            with self._twin.open(weights) as root:
                predictor = self._space.ask(root)
                plane = self._space.plane(wish, predictor)
                rectangle = self._space.rectangle(wish, plane)
                made = surface(predictor, plane, min(SIDE, self._given.resolution), rectangle)
        except (TwinError, ValueError, TypeError):
            return False
        with self._shelf:
            self._reels.add(step, made)
        self._part_changed("_film")
        return True

    def _go_on_filling(self) -> None:
        if not self._session.training:
            self._backfill()

    def _note_ways(self, root: nn.Module) -> None:
        """Find out which ways to a committee there are, and what stands in the way of others."""
        found: list[tuple[str, tuple[str, dict[str, str]] | None]] = []
        for way in WAYS:
            problem: tuple[str, dict[str, str]] | None = None
            if way == "mc_dropout" and not dropout_layers(root):
                problem = ("explain.uncertainty.no_dropout", {})
            if way == "snapshots" and len(self._kept.snapshots.steps) < 2:
                count = str(len(self._kept.snapshots.steps))
                problem = ("explain.uncertainty.few_snapshots", {"count": count})
            if (
                way == "laplace"
                and self._space.regression
                and self._space.points.snapshot().y is None
            ):
                problem = ("explain.uncertainty.no_targets", {})
            found.append((way, problem))
        if self._others:
            found.append(("ensemble", None))
        if self._ways != tuple(found):
            self._ways = tuple(found)
            self._part_changed("_choices")


def _nothing(*_: Any) -> None:
    """Do nothing."""


def layer_names(model: nn.Module | None) -> list[tuple[str, str]]:
    """Return name and type of the modules whose units can be looked at."""
    if model is None:
        return []
    root = unwrap(model)
    return [
        (name, type(module).__name__)
        for name, module in root.named_modules()
        if name and not any(True for _ in module.children())
    ]
