"""What a TrainingMonitor keeps of sampled steps, and the findings it draws from everything."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.live.history import History
from nnwidgets.probe.findings import Finding, curve_findings, ended_at, ordered
from nnwidgets.probe.health import layer_findings
from nnwidgets.probe.layers import LayerSample
from nnwidgets.probe.origin import NonFiniteOrigin

__all__ = ["Diagnosis", "Samples"]

_MOST_SAMPLES: Final = 256


class Samples:
    """Sampled steps over the whole run: a bounded set that thins evenly.

    When it is full, every second sample goes and from then on only every second one is kept:
    a long run keeps its beginning. The newest is always there.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[LayerSample] = []
        self._newest: LayerSample | None = None
        self._stride = 1
        self._count = 0

    def add(self, sample: LayerSample) -> None:
        """Keep `sample`."""
        with self._lock:
            if self._kept and len(sample.grad_norm) != len(self._kept[0].grad_norm):
                self._kept.clear()  # the model has grown: what was seen no longer lines up
            self._newest = sample
            if self._count % self._stride == 0:
                self._kept.append(sample)
                if len(self._kept) >= _MOST_SAMPLES:
                    del self._kept[1::2]
                    self._stride *= 2
            self._count += 1

    @property
    def count(self) -> int:
        """How many steps have been sampled so far."""
        return self._count

    def all(self) -> list[LayerSample]:
        """The samples that are kept, oldest first, the newest among them."""
        with self._lock:
            kept = list(self._kept)
            if self._newest is not None and (not kept or kept[-1] is not self._newest):
                kept.append(self._newest)
            return kept

    def matrix(
        self, most: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return steps, gradient norms and update ratios for at most `most` samples.

        Returns
        -------
        steps : (k,)
        grad_norm, update_ratio : (rows, k)
        """
        kept = self.all()
        if not kept:
            return np.empty(0), np.empty((0, 0)), np.empty((0, 0))
        places = np.unique(np.linspace(0, len(kept) - 1, min(most, len(kept))).round().astype(int))
        chosen = [kept[i] for i in places]
        return (
            np.array([sample.step for sample in chosen], dtype=np.float64),
            np.stack([sample.grad_norm for sample in chosen], axis=1),
            np.stack([sample.update_ratio for sample in chosen], axis=1),
        )


class Diagnosis:
    """Findings of one run, computed again only when something has been added."""

    def __init__(self, history: History, samples: Samples) -> None:
        self._history = history
        self._samples = samples
        self._lock = threading.Lock()
        self._state: tuple[Any, ...] = ()
        self._found: list[Finding] = []

    def findings(
        self,
        rows: Sequence[Any],
        language: str = "en",
        *,
        epochs: Sequence[float] = (),
        rate_changes: Sequence[float] = (),
        origin: NonFiniteOrigin | None = None,
    ) -> list[Finding]:
        """Return what there is to tell, the most urgent first.

        Parameters
        ----------
        rows
            The layers that the samples are of.
        epochs
            Steps at which epochs began.
        rate_changes
            Steps at which the user moved the learning rate.
        origin
            Where the first NaN or infinity came from, if that is known from elsewhere.
        language
            ``"en"`` or ``"zh"``.
        """
        with self._lock:
            state = (
                *(self._history.revision, self._samples.count, len(rows), language, origin),
                *(len(epochs), len(rate_changes)),
            )
            if state != self._state:
                curves = curve_findings(
                    self._history,
                    epochs=epochs or None,
                    events=[{"kind": "lr", "step": step} for step in rate_changes],
                    language=language,
                )
                layers = layer_findings(
                    rows,
                    self._samples.all(),
                    origin=origin,
                    end=ended_at(curves),
                    language=language,
                )
                self._found = ordered([*curves, *layers])
                self._state = state
            return list(self._found)
