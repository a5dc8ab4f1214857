"""What can be chosen in a DecisionBoundaryPlot, as the browser is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nnwidgets._boundary_extras import layer_names
from nnwidgets._live_part import Packed, Picture
from nnwidgets.catalogue import text
from nnwidgets.live import wire

if TYPE_CHECKING:
    from nnwidgets._boundary_asking import Asking

__all__ = ["Choices"]

_MOST_STEPS: Final = 128
_MOST_HELD: Final = 64  # sliders
_MOST_SAMPLES: Final = 5_000


class Choices(Picture):
    """Builds the part that says what there is to choose.

    Parameters
    ----------
    plot
        Whose picture it is.
    next_seq
        Gives each part a number; the browser draws only what is newer.
    """

    def __init__(self, plot: Asking, next_seq: Callable[[], int]) -> None:
        super().__init__(plot, next_seq)
        self._plot = plot

    def choices(self) -> Packed | None:
        """What can be shown: views, axes, what is held, ways to uncertainty, layers, steps."""
        plot = self._plot
        plot._look_if_stale()
        space, wish, language = plot._space, plot._wish, plot._shown_language
        steps, kind = plot._kept.snapshots.steps, space.kind
        state = (
            wish, language, steps, plot._ways, space.era, kind, space.points.labelled,
            plot.views,
        )  # fmt: skip
        if kind is None or self._same("choices", state):
            return None
        layers = layer_names(plot.session.model)
        held = self._held()
        return wire.pack(
            {
                "seq": self._seq(),
                "kind": "values" if space.regression else "classes",
                "classes": list(space.classes),
                "outputs": space.outputs,
                "exclusive": kind.exclusive,
                "features": list(space.features),
                "views": list(plot.views),
                "axes": list(wish.axes) if wish.projection == "slice" else None,
                "projection": wish.projection,
                "projections": self._projections(layers, language),
                "others": wish.others if isinstance(wish.others, str) else "sample",
                "sample": None if isinstance(wish.others, str) else wish.others,
                "samples": min(len(space.points.snapshot().train), _MOST_SAMPLES),
                "held": held,
                "uncertain": wish.uncertain,
                "uncertainties": [
                    {
                        "name": name,
                        "label": _way(name, language),
                        "problem": None if problem is None else text(
                            problem[0], language, **problem[1]
                        ),
                    }
                    for name, problem in plot._ways
                ],
                "layers": [{"name": name, "type": kind} for name, kind in layers],
                "steps": [int(step) for step in steps[-_MOST_STEPS:]],
                "toys": list(plot._toys),
                "labelled": space.points.labelled,
                "editable": True,
                "resolution": plot._given.resolution,
                "rules_available": True,
                "zoomed": wish.rectangle is not None,
            }
        )  # fmt: skip

    def _projections(self, layers: list[tuple[str, str]], language: str) -> list[dict[str, str]]:
        plot = self._plot
        names = ["slice"]
        if plot._space.points.width > 2:
            names += ["pca", "pca_scaled"]
        found = [{"name": name, "label": _projection(name, language)} for name in names]
        if plot._given.pair is not None:
            found.append({"name": "given", "label": _projection("given", language)})
        for name, kind in layers:
            words = text("explain.boundary.projection.layer", language, layer=name, type=kind)
            found.append({"name": f"layer:{name}", "label": words})
        return found

    def _held(self) -> list[dict[str, Any]]:
        """Return the features that are held fixed, with the ends of their sliders."""
        plot = self._plot
        if plot._wish.projection != "slice":
            return []
        try:
            cut = plot._space.slice(plot._wish)
        except (ValueError, TypeError):
            return []
        found = []
        for column in cut.held[:_MOST_HELD]:
            low, high = cut.extent(column)
            value = cut.fixed[column]
            found.append(
                {
                    "column": column,
                    "name": cut.names[column],
                    "value": value,
                    "low": min(low, value),
                    "high": max(high, value),
                }
            )
        return found


def _way(name: str, language: str) -> str:
    words = {
        "mc_dropout": text("explain.boundary.way.mc_dropout", language),
        "snapshots": text("explain.boundary.way.snapshots", language),
        "laplace": text("explain.boundary.way.laplace", language),
        "ensemble": text("explain.boundary.way.ensemble", language),
    }
    return words[name]


def _projection(name: str, language: str) -> str:
    words = {
        "slice": text("explain.boundary.projection.slice", language),
        "pca": text("explain.boundary.projection.pca", language),
        "pca_scaled": text("explain.boundary.projection.pca_scaled", language),
        "given": text("explain.boundary.projection.given", language),
    }
    return words[name]
