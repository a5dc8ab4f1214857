"""Finding the optimiser of a model that nobody has named.

A widget that is shown before the training, and is given the model alone, hears of no step. But an
optimiser that steps holds the model's parameters, and torch calls global hooks after the step of
every optimiser: whichever steps first with one of these parameters is the one that is meant.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Final, Protocol

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.hooks import RemovableHandle

__all__ = ["OptimizerSearch"]

_STEPS: Final = 64  # of known optimisers: a second one of the model would have come by then


class Seeker(Protocol):
    """The session that looks for optimisers."""

    @property
    def model(self) -> nn.Module | None:
        """The model that they train."""

    def found(self, optimizer: Optimizer) -> None:
        """One of them has made a step."""

    def fail(self, where: str, problem: Exception) -> None:
        """The search has failed; the training loop does not hear of it."""


class OptimizerSearch:
    """A hook on the steps of all optimisers, for as long as it is needed.

    Parameters
    ----------
    seeker
        Held weakly; the hook goes with it.

    Notes
    -----
    The hook stays where it is until `end` is called between two steps: torch walks through its
    table of hooks while it calls this one, and does not bear that the table changes meanwhile.
    """

    def __init__(self, seeker: Seeker) -> None:
        self._seeker = weakref.ref(seeker)
        self._known: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._others: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._left = _STEPS
        self._inside = 0
        self._ended = False
        me = weakref.ref(self)

        def stepped(optimizer: Optimizer, *_: Any) -> None:
            one = me()
            if one is not None:
                one._stepped(optimizer)

        self._handle: RemovableHandle | None = register_optimizer_step_post_hook(stepped)
        self._finalizer = weakref.finalize(self, self._handle.remove)

    @property
    def over(self) -> bool:
        """Whether all is found that is likely to be."""
        return self._left <= 0

    def end(self) -> None:
        """Take the hook off; where another thread may be about to call it, let it sleep."""
        self._ended = True
        handle, loop = self._handle, self._inside
        if handle is not None and loop in (0, threading.get_ident()):
            self._finalizer()
            self._handle = None

    def _stepped(self, optimizer: Optimizer) -> None:
        if self._ended:
            return
        self._inside = threading.get_ident()
        if optimizer in self._known:
            self._left -= 1
            return
        seeker = self._seeker()
        if seeker is None or optimizer in self._others:
            return
        try:
            model = seeker.model
            if model is None:
                return
            own = {id(parameter) for parameter in model.parameters()}
            steps = (p for group in optimizer.param_groups for p in group["params"])
            if any(id(parameter) in own for parameter in steps):
                self._known.add(optimizer)
                seeker.found(optimizer)
            elif len(self._others) < _STEPS:
                self._others.add(optimizer)
        except Exception as problem:  # never into the user's loop
            self._others.add(optimizer)
            seeker.fail("search", problem)
