"""One training, watched and bare in turns of a tenth of a second, with the same widget throughout.

A machine that others use as well is now fast and now slow, by more than what is to be measured,
but seldom changes within half a second: turns this short are held against their neighbours. No
widget could be made anew for each, so it stays, and in a bare turn nothing of it is left to be
paid: no hook, no sender, and no time passes for it, so that it neither saves up a budget nor finds
that the loop has stopped.

What is replaced here for that (the clock that modules of nnwidgets read, the sender's `_serve`, the
tables of torch's hooks) is put back in the end. The clock is one without a line of Python, which
would add a tenth of what is to be measured. As it is, each reading takes 0.4 µs more inside a loop
than one of the real clock: 0.2 % of a step of 0.21 ms, which are in the figures.
"""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from types import ModuleType
from typing import Any, Final

from bench.workloads import Workload
from nnwidgets.live.channel import TICK, Publisher

__all__ = ["Turns", "turns"]

_CLOCKS: Final = {"perf_counter": time.perf_counter, "monotonic": time.monotonic}


class Turns:
    """Switches a watched training to bare and back.

    Parameters
    ----------
    work
        What is trained.
    """

    def __init__(self, work: Workload) -> None:
        self._work = work
        self._stopped_at: float | None = None
        self._left_out = 0.0
        self._hooks: list[dict[Any, Any]] = []
        self._patched = [
            (module, name)
            for module in list(sys.modules.values())
            if getattr(module, "__name__", "").split(".")[0] == "nnwidgets"
            for name, clock in _CLOCKS.items()
            if vars(module).get(name) is clock
        ]
        self._set_clock()

    @property
    def watched(self) -> bool:
        """Whether the training is watched now."""
        return self._stopped_at is None

    @property
    def watched_seconds(self) -> float:
        """For how long the training has been watched, plus a constant."""
        now = self._stopped_at
        return (time.perf_counter() if now is None else now) - self._left_out

    def watch(self, watched: bool) -> None:
        """Begin a turn."""
        if watched == self.watched:
            return
        if watched:
            for table, kept in zip(self._tables(), self._hooks, strict=True):
                table.update(kept)
            assert self._stopped_at is not None
            self._left_out += time.perf_counter() - self._stopped_at
            self._stopped_at = None
        else:
            self._stopped_at = time.perf_counter()
            self._hooks = [dict(table) for table in self._tables()]
            for table in self._tables():
                table.clear()
        self._set_clock()

    def put_back(self) -> None:
        """Give every module its own clock again."""
        for module, name in self._patched:
            setattr(module, name, _CLOCKS[name])

    def _set_clock(self) -> None:
        # Both clocks are the same one here: what is compared is compared within each.
        now = repeat(self._stopped_at) if self._stopped_at else iter(time.perf_counter, None)
        clock = map(operator.sub, now, repeat(self._left_out)).__next__
        module: ModuleType
        for module, name in self._patched:
            setattr(module, name, clock)

    def _tables(self) -> Iterator[dict[Any, Any]]:
        optimizer: Any = self._work.optimizer
        yield optimizer._optimizer_step_pre_hooks
        yield optimizer._optimizer_step_post_hooks
        module: Any
        for module in self._work.model.modules():
            yield module._forward_pre_hooks
            yield module._forward_hooks
            yield module._backward_pre_hooks
            yield module._backward_hooks


@contextmanager
def turns(work: Workload) -> Iterator[Turns]:
    """Let the training of `work` be watched and bare in turns, by widgets made meanwhile."""
    made = Turns(work)
    serve: Callable[..., float] = Publisher._serve

    def gated(*args: Any, last: bool) -> float:
        return serve(*args, last=last) if made.watched or last else TICK

    Publisher._serve = staticmethod(gated)  # type: ignore[method-assign, assignment]
    try:
        yield made
    finally:
        made.watch(True)
        Publisher._serve = staticmethod(serve)  # type: ignore[method-assign]
        made.put_back()
