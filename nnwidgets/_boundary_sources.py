"""What a plot was asked for and knows: the wish, the surface, the weights that it is of."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

import torch
import traitlets as t
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nnwidgets._boundary_arguments import Given
from nnwidgets._boundary_film import SurfaceFilm
from nnwidgets._boundary_passing import Passing
from nnwidgets._boundary_space import Space
from nnwidgets._boundary_wish import Shown, Wish
from nnwidgets.catalogue import text
from nnwidgets.explain.swag import late
from nnwidgets.live.looks import Looks
from nnwidgets.live.session import Session
from nnwidgets.live.widget import sentence
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.snapshot_watch import SnapshotWatch
from nnwidgets.probe.twin import Twin, TwinError

__all__ = ["Sources", "Weights"]

log = logging.getLogger("nnwidgets")

Weights = Mapping[str, Tensor]

_LOOKS_APART: Final = 0.1  # seconds: a surface that moves is worth more looks than a map


class Sources(Looks):
    """The part of a plot that knows what was asked for, and what the surface is of.

    Parameters
    ----------
    session
        Of the model.
    model
        What is asked.
    given
        The arguments.
    budget, language
        See `LiveWidget`.
    """

    view = t.Unicode("probability").tag(sync=True)
    interest = t.Int(None, allow_none=True).tag(sync=True)
    _choices = t.Dict().tag(sync=True)
    _surface = t.Dict().tag(sync=True)
    _points = t.Dict().tag(sync=True)
    _film = t.Dict().tag(sync=True)
    _units = t.Dict().tag(sync=True)
    _point = t.Dict().tag(sync=True)
    _rules = t.Dict().tag(sync=True)
    _landscape = t.Dict().tag(sync=True)

    _quiet: ClassVar[frozenset[str]] = frozenset(
        {
            "_live", "_notes", "_choices", "_surface", "_points", "_film", "_units", "_point",
            "_rules", "_landscape",
        }
    )  # fmt: skip
    _looks_apart = _LOOKS_APART
    _thrifty_seconds = 0.15  # a surface that moves is what this widget is for

    def __init__(
        self,
        session: Session,
        model: nn.Module,
        given: Given,
        *,
        budget: float,
        language: str | None,
    ) -> None:
        self._given = given
        self._space = Space(given, self._points_changed)
        self._twin = Twin(model)
        self._others = tuple(Twin(one) for one in given.ensemble)  # which hold their models weakly
        self._kept = session.sampling.shared(SnapshotWatch, model)
        # The thread of a long job, the browser's and the one that trains change what is shown.
        self._shelf = threading.RLock()
        self._passer = Passing()
        self._wish = Wish(projection=given.projection, uncertain=given.uncertain)
        self._now = Shown()
        self._reels = SurfaceFilm()
        self._obstacle: Exception | None = None  # why the model cannot be asked
        self._untold: Words | None = None  # why there are not several models to ask
        super().__init__(session, budget=budget, language=language)

    # -- what is wanted --------------------------------------------------------------------

    @property
    def _wish_now(self) -> Wish:
        """What is to be shown, at the time cursor."""
        return replace(self._wish, step=self._session.cursor)

    @property
    def _output(self) -> int:
        """Of a regression, the output that is looked at."""
        return (self.interest or 0) if self._space.regression else 0

    @property
    def _left_behind(self) -> bool:
        """Whether the loop has gone on since the surface was worked out of what was newest then."""
        shown, session = self._now, self._session
        if shown.number == 0 or shown.past or shown.step == session.step:
            return False
        return session.cursor is None or session.cursor < session.step

    def _points_changed(self) -> None:
        """Somebody has edited the points."""
        raise NotImplementedError

    # -- weights ---------------------------------------------------------------------------

    def _source(self, wish: Wish) -> tuple[int, Weights | None, bool]:
        """Return step, weights (None: as the model has them) and whether that is the past."""
        newest = self._session.step
        if wish.step is not None and wish.step < newest:
            found = self._kept.snapshots.nearest(wish.step)
            if found is not None and found[0] < newest:
                return found[0], found[1], True
        return newest, None, False

    def _mark(self, past: bool) -> int:
        """Return a number that differs when the model's own weights do, by whatever hand."""
        model = self._session.model
        if past or model is None:
            return 0
        models = (model, *self._given.ensemble)
        tensors = [one for each in models for one in (*each.parameters(), *each.buffers())]
        return hash(tuple(map(_state_of, tensors)))

    def _late_weights(self, step: int) -> list[Weights]:
        """Return the weights of the last half of the run up to a step, oldest first."""
        snapshots = self._kept.snapshots
        steps = [one for one in snapshots.steps if one <= step]
        found = (snapshots.nearest(one) for one in late(steps))
        return [pair[1] for pair in found if pair is not None]

    # -- failures --------------------------------------------------------------------------

    def _sentence_of(self, problem: BaseException) -> str:
        """Return a failure in the reader's language where there are words for it."""
        key = getattr(problem, "key", None)
        if key is not None:
            return text(key, self._shown_language, **getattr(problem, "params", {}))
        return sentence(problem)

    def _note_failure(self, what: str, problem: Exception) -> str:
        """Write down what nobody has foreseen, and return the sentence."""
        if not isinstance(problem, (TwinError, ValueError, TypeError)):
            log.error("%s could not be worked out", what, exc_info=problem)
        return self._sentence_of(problem)

    def _model_or_refuse(self) -> nn.Module:
        model = self._session.model
        if model is None:
            raise Refusal("explain.boundary.model_gone")
        return model


def copies(state: Mapping[str, Tensor]) -> Weights:
    """Return weights as they are now, to look at later."""
    with torch.no_grad():
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}


def _state_of(tensor: Tensor) -> tuple[int, int, int]:
    """Return what differs once a tensor has been written to, or put in the place of another."""
    if is_lazy(tensor):
        return id(tensor), 0, 0
    # One that was made in inference mode counts no changes.
    version = 0 if tensor.is_inference() else tensor._version
    return id(tensor), version, tensor.data_ptr() if tensor.layout == torch.strided else 0
