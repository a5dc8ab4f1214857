"""Keeping the weights of a run: once for all widgets on a model."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from time import perf_counter
from typing import Any, Final

from torch import nn

from nnwidgets.probe.snapshots import WeightSnapshots

__all__ = ["SnapshotWatch"]


class SnapshotWatch:
    """Copies the weights after some of the sampled steps.

    Parameters
    ----------
    model
        Held weakly.

    Attributes
    ----------
    snapshots
        What has been kept.

    Notes
    -----
    A sampler (see ``nnwidgets.live.sampling``) that attaches nothing: the weights are read between
    two steps. Widgets on one model share one of these, so the same steps can be gone back to in
    all of them, and the memory is taken once.
    """

    apart: Final = 0.25  # seconds: what is gone back to later need not be denser

    def __init__(self, model: nn.Module) -> None:
        self._model = weakref.ref(model)
        self.snapshots = WeightSnapshots()

    @property
    def model(self) -> nn.Module | None:
        """The model, None when it is gone."""
        return self._model()

    def arm(self) -> None:
        """Nothing has to be attached."""

    def before_update(
        self, params: Iterable[Any] | None = None, *, grad_scale: Any | None = None
    ) -> None:
        """Gradients are of no interest here."""

    def after_update(self, params: Iterable[Any] | None = None) -> None:
        """Not yet: the loop may still change the weights (averages, clipping) in this step."""

    def finish(self, step: int) -> tuple[int, ...]:
        """Take a copy if one is due.

        Parameters
        ----------
        step
            The step that has just ended.

        Returns
        -------
        tuple of int
            The steps that are kept.
        """
        model = self._model()
        if model is not None and self.snapshots.due(step, perf_counter()):
            self.snapshots.take(model, step)
        return self.snapshots.steps

    def disarm(self) -> None:
        """Nothing was attached."""
