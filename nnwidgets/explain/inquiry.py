"""One map under test: the method is asked again and again, in slices that can be stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked
from nnwidgets.explain.baselines import baseline_tensors
from nnwidgets.explain.cancelling import Cancelled, Watch
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.question import Question

__all__ = ["Inquiry"]


class Inquiry:
    """One map under test.

    Parameters
    ----------
    asked, method, question, layer, baseline, options
        What the map answers.
    explain
        Called as `nnwidgets.explain.methods.explain`.
    cancelled
        Whether nobody waits any more; asked before and after each slice, and by `explain` inside.
    progress
        Told the fraction that is done.
    seed
        Of what the tests draw.

    Attributes
    ----------
    first
        The explanation under test, once `begin` was called.
    map
        Its values as one vector, float64.
    evaluations
        Times the model was run so far.
    details
        What was found besides the numbers that are judged, by name.
    """

    def __init__(
        self,
        asked: Asked,
        method: str,
        question: Question | None,
        layer: str | None,
        baseline: Any,
        options: Mapping[str, Any],
        explain: Callable[..., Explanation],
        cancelled: Callable[[], bool],
        progress: Callable[[float], None] | None,
        seed: int,
    ) -> None:
        self.asked = asked
        self.method = method
        self.question = question
        self.options = dict(options)
        self.seed = seed
        self.details: dict[str, Any] = {}
        self.evaluations = 0
        self._layer = layer
        self._baseline = baseline
        self._explain = explain
        self._cancelled = cancelled
        self._progress = progress
        self._done = 0.0  # in explanations
        self._whole = 30.0  # a guess, until it is known how often the method is asked
        self._told = 0.0

    def begin(self) -> Explanation:
        """Ask for the map itself; what the method raises is raised."""
        self.first = self._ask(self.asked, self.question)
        self.map = _flat(self.first)
        # On a model with other weights the method shall not choose another layer.
        self._layer = self.first.layer or self._layer
        return self.first

    def expect(self, explanations: float) -> None:
        """Say how much is still to be done, counted in explanations."""
        self._whole = self._done + explanations

    def again(
        self, asked: Asked, root: nn.Module | None = None, **changed: Any
    ) -> NDArray[np.float64] | None:
        """Ask under other circumstances.

        Parameters
        ----------
        asked
            With other inputs or on another model.
        root
            That model.
        **changed
            Other ``baseline`` or ``options``.

        Returns
        -------
        ndarray or None
            The map as one vector; None if the method cannot answer there.

        Raises
        ------
        Cancelled
            If nobody waits any more.
        """
        question = self.question
        if root is not None and question is not None:
            question = question.on(root)
        try:
            return _flat(self._ask(asked, question, **changed))
        except Cancelled:
            raise
        except Exception:
            return None

    def baselines(self) -> tuple[Tensor, ...]:
        """Return the baseline that was asked for, or that stands in where none was."""
        return baseline_tensors(self.asked, self.question, self._baseline)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the model be run outside of explanations: it can be stopped between two layers."""
        root = self.asked.root
        if isinstance(root, torch.jit.ScriptModule):  # takes no hooks
            yield
            return
        with Watch(root, self._cancelled).open():
            yield

    def slices(self, explanations: float) -> Callable[[float], None]:
        """Return what to call with the fraction done of something as long as so many explanations.

        It raises `Cancelled` if nobody waits any more.
        """
        begun = self._done
        return lambda fraction: self._reach(begun + explanations * min(max(fraction, 0.0), 1.0))

    def check(self) -> None:
        """Raise `Cancelled` if nobody waits any more."""
        if self._cancelled():
            raise Cancelled

    def finish(self) -> None:
        """Tell that all is done."""
        self._tell(1.0)

    def _ask(self, asked: Asked, question: Question | None, **changed: Any) -> Explanation:
        self.check()
        reach = self.slices(1)
        given = {"layer": self._layer, "baseline": self._baseline, "options": self.options}
        found = self._explain(
            asked,
            self.method,
            question=question,
            **{**given, **changed},
            cancelled=self._cancelled,
            progress=reach,
        )
        self.evaluations += found.evaluations
        reach(1.0)
        return found

    def _reach(self, done: float) -> None:
        self.check()
        self._done = max(self._done, done)
        self._tell(min(self._done / self._whole, 0.99))

    def _tell(self, fraction: float) -> None:
        if self._progress is not None and fraction > self._told:
            self._told = fraction
            self._progress(fraction)


def _flat(explanation: Explanation) -> NDArray[np.float64]:
    arrays = [np.asarray(array, dtype=np.float64).ravel() for array in explanation.arrays]
    return np.concatenate(arrays) if arrays else np.zeros(0)
