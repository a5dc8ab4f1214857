"""Finding the optimisers of a model that nobody has named.

A widget that is shown before the training, and is given the model alone, hears of no step. But an
optimiser that steps holds the model's parameters, and torch calls global hooks after the step of
every optimiser: whichever steps first with one of these parameters is the one that is meant. The
next one may come at any time (each call of a function that trains makes its own), so the search
goes on: at a step of a known optimiser it costs a quarter of a microsecond (measured between the
steps of a small network). The session ends it for as long as steps are so short that this would
show.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.hooks import RemovableHandle

__all__ = ["OptimizerSearch"]


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
    """Tells a session of optimisers of its model, each at the first step that it is seen to make.

    Parameters
    ----------
    seeker
        Held weakly; the search ends with it.
    """

    def __init__(self, seeker: Seeker) -> None:
        self._seeker = weakref.ref(seeker)
        _hook.add(self)

    def end(self) -> None:
        """Search no more."""
        _hook.remove(self)

    def stepped(self, optimizer: Optimizer) -> None:
        """An optimiser has stepped that has not been seen before."""
        seeker = self._seeker()
        if seeker is None:
            return
        try:
            model = seeker.model
            if model is None:
                return
            own = {id(parameter) for parameter in model.parameters()}
            steps = (p for group in optimizer.param_groups for p in group["params"])
            if any(id(parameter) in own for parameter in steps):
                seeker.found(optimizer)
        except Exception as problem:  # never into the user's loop
            seeker.fail("search", problem)


class _Hook:
    """The one hook on the steps of all optimisers, however many sessions search.

    Torch walks through its table of hooks while it calls them, and does not bear that the table
    changes meanwhile. So the hook is taken off only where no other thread has ever come by, and
    not from within; else it stays, does nothing, and serves whoever searches next.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._searches: list[weakref.ref[OptimizerSearch]] = []
        # By address, which is looked up in no time; an entry goes before its optimiser does.
        self._seen: dict[int, weakref.ref[Optimizer]] = {}
        self._threads: set[int] = set()  # that have come by
        self._inside = 0
        self._handle: RemovableHandle | None = None

    def add(self, search: OptimizerSearch) -> None:
        """Tell `search` of every optimiser that steps from now on."""
        with self._lock:
            self._searches.append(weakref.ref(search, self._gone))
            self._seen.clear()
            if self._handle is None:
                self._threads.clear()
                self._handle = register_optimizer_step_post_hook(self._stepped())

    def remove(self, search: OptimizerSearch) -> None:
        """Tell `search` no more."""
        with self._lock:
            self._searches = [one for one in self._searches if one() not in (None, search)]
            self._tidy()

    def _gone(self, search: weakref.ref[OptimizerSearch]) -> None:
        with self._lock:
            self._searches = [one for one in self._searches if one is not search]
            self._tidy()

    def _tidy(self) -> None:
        handle = self._handle
        if handle is None or self._searches or self._inside:
            return
        alive = {thread.ident for thread in threading.enumerate()}
        if not self._threads & alive <= {threading.get_ident()}:
            return
        handle.remove()
        self._handle = None
        self._seen.clear()

    def _stepped(self) -> Any:
        seen, threads, thread = self._seen, self._threads, threading.get_ident

        def stepped(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
            if thread() not in threads:
                threads.add(thread())
            if id(optimizer) not in seen:
                self._first(optimizer)

        return stepped

    def _first(self, optimizer: Optimizer) -> None:
        key, seen = id(optimizer), self._seen

        def forget(_: weakref.ref[Optimizer]) -> None:
            seen.pop(key, None)

        seen[key] = weakref.ref(optimizer, forget)
        self._inside += 1
        try:
            for ref in list(self._searches):
                search = ref()
                if search is not None:
                    search.stepped(optimizer)
        finally:
            self._inside -= 1
            if not self._searches:
                self._leave_from_inside()

    def _leave_from_inside(self) -> None:
        # All have ended while one was told. Torch bears it if the last of its table goes.
        with self._lock:
            hooks = None if self._handle is None else self._handle.hooks_dict_ref()
            if self._handle is not None and hooks and next(reversed(hooks)) == self._handle.id:
                self._tidy()


_hook = _Hook()
