"""The inputs of one training call, kept small: a probe batch for want of a better one."""

from __future__ import annotations

from typing import Any, Final

from torch import nn

from nnwidgets.probe.keep import UnkeepableError, batch_of, few_samples
from nnwidgets.probe.taps import NextForward
from nnwidgets.probe.tensors import quietly
from nnwidgets.probe.time_first import takes_time_first

__all__ = ["SAMPLES", "FirstInputs", "Inputs"]

SAMPLES: Final = 16
_ALL: Final = 1 << 30
_BYTES: Final = 8 << 20

Inputs = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and keyword arguments."""


class FirstInputs:
    """Keeps what a model is given in its next training call.

    At most 16 samples of at most 8 MB: detached copies, on the device of the originals. Of a model
    that takes time first all samples: nobody knows yet which dimension counts them, and the first
    16 moments would be no samples. Positional inputs are copied before the forward could change
    them in place, keyword inputs after it, because torch shows them to a global hook only then.

    Parameters
    ----------
    root
        The model (unwrapped); held weakly.
    """

    def __init__(self, root: nn.Module) -> None:
        self.found: Inputs | None = None
        self.problem: str | None = None
        self._args: tuple[Any, ...] = ()
        self._most = _ALL if takes_time_first(root) else SAMPLES
        self._count, self._batch = self._most, 0
        self._tap = NextForward(root, self._before, self._after, self._failed)

    def open(self) -> None:
        """Attach."""
        self._tap.open()

    def close(self) -> None:
        """Detach; idempotent."""
        self._tap.close()

    def _before(self) -> None:
        args = self._tap.args
        with quietly():
            self._args = few_samples(args, self._most, _BYTES)
        self._batch, self._count = batch_of(args), batch_of(self._args)

    def _after(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with quietly():
            # As many samples as were kept of the positional inputs, if there were any.
            batch = self._batch if self._batch > 1 else None
            count = self._count if batch else self._most
            self.found = self._args, few_samples(kwargs, count, _BYTES, batch=batch)
        self._args = ()

    def _failed(self, problem: Exception) -> None:
        self._args = ()
        what = problem.args[0] if isinstance(problem, UnkeepableError) else repr(problem)
        self.problem = str(what)[:200]
