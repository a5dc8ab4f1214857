"""The parts of a SaliencyViewer's picture, built from what the viewer knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._live_part import Packed, Picture
from nnwidgets._saliency_panes import pane_of, scale_of
from nnwidgets._saliency_wish import Answer
from nnwidgets.catalogue import text
from nnwidgets.explain.methods import method_named
from nnwidgets.explain.registry import METHODS
from nnwidgets.live import wire
from nnwidgets.live.jobs import Job
from nnwidgets.probe.blocks import EXACT, encode
from nnwidgets.probe.shapes import shape_text

if TYPE_CHECKING:
    from nnwidgets._saliency_checking import Checking

__all__ = ["SaliencyPicture"]

_MOST_CLASSES: Final = 1_000  # names that travel; more are numbers
_MOST_STEPS: Final = 128


def _same_input(one: Answer, other: Answer) -> bool:
    """Whether two panes draw the same input, number by number."""
    mine = None if one.drawn is None else one.drawn.input
    theirs = None if other.drawn is None else other.drawn.input
    return mine is not None and theirs is not None and np.array_equal(mine, theirs, equal_nan=True)


class SaliencyPicture(Picture):
    """Builds each part, or None when nothing in it has changed since."""

    _widget: Checking

    def _jobs(self) -> list[Job]:
        own = self._widget._job
        return [*super()._jobs(), *([] if own is None else [own])]

    def samples(self) -> Packed | None:
        """The inputs, as thumbnails or by their names."""
        viewer = self._widget
        viewer._look_if_stale()
        if self._same("samples", viewer._solver.described):
            return None
        kind, thumbs = viewer._solver.thumbs()
        arrays = {} if thumbs is None else {"thumbs": thumbs}
        return wire.pack(
            {
                "seq": self._seq(),
                "kind": kind,
                "count": viewer._probe.count,
                "labels": viewer._solver.labels(),
            },
            arrays,
        )

    def choices(self) -> Packed | None:
        """What can be asked: methods, layers, baselines, classes, steps."""
        viewer = self._widget
        viewer._look_if_stale()
        known = viewer._applicability
        language = viewer._shown_language
        steps = viewer._kept.snapshots.steps
        state = (id(known), language, steps, tuple(viewer._checkpoints), viewer._wish.slot)
        if known is None or self._same("choices", state):
            return None
        solver = viewer._solver
        return wire.pack(
            {
                "seq": self._seq(),
                "methods": list(known.methods),
                "unavailable": [
                    [name, text(known.unavailable[name][0], language, **known.unavailable[name][1])]
                    for name in METHODS
                    if name in known.unavailable
                ],
                "default": known.default,
                "layers": [
                    {"name": one.name, "type": one.type, "shape": shape_text(one.shape)}
                    for one in solver.layers()
                ],
                "baselines": [
                    {"name": name, "label": text(key, language, **params)}
                    for name, (key, params) in solver.baselines()
                ],
                "classes": list(solver.classes()[:_MOST_CLASSES]),
                "slots": list(solver.slots()),
                "steps": [int(step) for step in steps[-_MOST_STEPS:]],
                "checkpoints": list(viewer._checkpoints),
                "uses": {
                    name: {
                        "layer": method_named(name).needs_layer,
                        "baseline": method_named(name).uses_baseline,
                        "random": method_named(name).random,
                        "slow": solver.is_slow(name),
                    }
                    for name in known.methods
                },
            }
        )

    def picture(self) -> Packed | None:
        """The panes."""
        viewer = self._widget
        viewer._look_if_stale()
        number, by, answers = viewer._view
        if number == 0 or self._same("picture", (number, viewer._shown_language)):
            return None
        return self.page(by, answers)

    def page(self, by: str | None, answers: tuple[Any, ...]) -> Packed:
        """Pack panes that share one scale.

        Parameters
        ----------
        by
            What they are compared by; None for one.
        answers
            One or two.
        """
        viewer = self._widget
        low, high, signed = scale_of(answers)
        panes: list[dict[str, Any]] = []
        arrays: dict[str, NDArray[Any]] = {}
        for place, answer in enumerate(answers):
            meta, own = pane_of(answer, viewer._solver, low, high, viewer._shown_language)
            if place and _same_input(answers[0], answer):
                own.pop("input", None)  # the browser draws that of the first pane
            panes.append(meta)
            arrays.update({f"{place}.{name}": array for name, array in own.items()})
        return wire.pack(
            {
                "seq": self._seq(),
                "compare": by,
                "signed": signed,
                "low": low,
                "high": high,
                "panes": panes,
            },
            arrays,
        )

    def film(self) -> Packed | None:
        """The map through the training."""
        viewer = self._widget
        reels = viewer._reels
        if self._same("film", reels.number):
            return None
        steps, drift, frames = reels.arrays()
        finite = frames[np.isfinite(frames)]
        low = float(finite.min()) if finite.size else 0.0
        high = float(finite.max()) if finite.size else 0.0
        signed = low < 0
        if signed:
            high = max(-low, high)
            low = -high
        image = frames.ndim == 3
        meta = {
            "seq": self._seq(),
            "method": "" if reels.wish is None else reels.wish.method,
            "index": 0 if reels.wish is None else reels.wish.index,
            "shown": len(steps),
            "signed": signed,
            "low": low,
            "high": high,
        }
        kept = encode(frames, low, high) if image or frames.size > EXACT else frames
        return wire.pack(meta, {"steps": steps, "drift": drift, "frames": kept})

    def trust(self) -> Packed | None:
        """What was found out about the map."""
        found = self._widget._trust_meta()
        state, meta, arrays = found
        if self._same("trust", (state, self._widget._shown_language)):
            return None
        return wire.pack({"seq": self._seq(), **meta}, arrays)

    def importance(self) -> Packed | None:
        """Which features matter over the whole set."""
        state, meta, arrays = self._widget._importance_meta()
        if self._same("importance", (state, self._widget._shown_language)):
            return None
        return wire.pack({"seq": self._seq(), **meta}, arrays)
