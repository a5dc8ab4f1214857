"""The one pair of hooks on an optimiser, however many sessions watch it.

One pair, because the factors of several sessions must come off as one (each undoing only its
own would leave the others' behind), and because hooks are not safe to add or take off while
torch goes through them: a training thread that waits in our hook, paused, is in the middle of
that, and would be met by "OrderedDict mutated during iteration".
"""

from __future__ import annotations

import math
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from time import perf_counter
from types import FrameType
from typing import Any, ClassVar, Protocol

from torch.optim import Optimizer

from nnwidgets.live.learning_rate import LearningRateScale
from nnwidgets.live.pulse import GLANCE, NOTHING, Pulse

__all__ = ["StepHooks"]


class WatchesSteps(Protocol):
    """Whoever is told about an optimiser's steps; held weakly."""

    factor: float
    """On the learning rates of the step that begins now."""

    pulse: Pulse
    """Says in which steps there is nothing to tell."""

    def before(self) -> None:
        """Gradients are there, weights not yet changed."""

    def after(self) -> None:
        """Weights have changed."""

    def fail(self, problem: Exception) -> None:
        """One of these raised; the training loop does not hear of it."""


class StepHooks:
    """Hooks on one optimiser; use `StepHooks.of`.

    Neither ``Optimizer.__getstate__`` nor ``state_dict`` carries hooks: copies of the optimiser
    are free of them.
    """

    _known: ClassVar[weakref.WeakKeyDictionary[Optimizer, StepHooks]] = weakref.WeakKeyDictionary()

    def __init__(self, optimizer: Optimizer) -> None:
        self._may_nest = _may_nest(optimizer)
        self._pulse: Pulse | None = None  # of the only watcher, if its steps can be counted here
        self._lock = threading.RLock()
        self._watchers: list[weakref.ref[WatchesSteps]] = []
        self._pre: Any = None
        self._post: Any = None
        self._scale = LearningRateScale()
        self._inside = 0  # hooks of ours that are running
        self._open = False  # a step has begun and not ended yet
        self._nested = 0  # steps inside of that step

    @classmethod
    def of(cls, optimizer: Optimizer) -> StepHooks:
        """Return the hooks of `optimizer`."""
        hooks = cls._known.get(optimizer)
        if hooks is None:
            hooks = cls._known[optimizer] = cls(optimizer)
        return hooks

    def add(self, optimizer: Optimizer, watcher: WatchesSteps) -> None:
        """Tell `watcher` about the steps of `optimizer`, which is the one that this is of."""
        with self._lock:
            self._watchers.append(weakref.ref(watcher, self._gone))
            self._find_pulse()
            if self._pre is None:
                self._pre = optimizer.register_step_pre_hook(self._before)
            if self._post is None:
                self._post = optimizer.register_step_post_hook(self._after)

    def remove(self, watcher: WatchesSteps) -> None:
        """Tell `watcher` no more; the last one takes the hooks off and restores the rates."""
        with self._lock:
            self._watchers = [ref for ref in self._watchers if ref() not in (None, watcher)]
            self._tidy()

    def refresh(self) -> None:
        """A watcher has another pulse."""
        with self._lock:
            self._find_pulse()

    def restore(self) -> None:
        """Leave the learning rates as the scheduler set them: no step is under way."""
        with self._lock:
            self._scale.restore()

    def _gone(self, ref: weakref.ref[WatchesSteps]) -> None:
        with self._lock:
            self._watchers = [other for other in self._watchers if other is not ref]
            self._tidy()

    def _find_pulse(self) -> None:
        watchers = self._alive()
        self._pulse = watchers[0].pulse if len(watchers) == 1 and not self._may_nest else None

    def _tidy(self) -> None:
        self._find_pulse()
        if self._watchers:
            return
        self._scale.restore()
        if self._inside:
            return  # whoever runs them tidies up
        for handle in (self._pre, self._post):
            if handle is not None:
                handle.remove()
        self._pre = self._post = None

    def _alive(self) -> Sequence[WatchesSteps]:
        if len(self._watchers) == 1:
            watcher = self._watchers[0]()
            return () if watcher is None else (watcher,)
        return [watcher for ref in self._watchers if (watcher := ref()) is not None]

    def _tell(self, watcher: WatchesSteps, what: Callable[[], None]) -> None:
        self._inside += 1
        try:
            what()
        except Exception as problem:
            watcher.fail(problem)
        finally:
            self._inside -= 1

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        pulse = self._pulse
        if pulse is not None:
            if not pulse.before:  # as almost always
                return None
            if pulse.before == GLANCE and pulse.glance is not None:
                pulse.glance_at = pulse.step + pulse.glance_every
                pulse.before, pulse.mark = NOTHING, 0  # which looks at the marks again
                if pulse.glance():
                    return None
                pulse.glance_at = pulse.step
        elif self._open and _is_inside_step(sys._getframe(1), optimizer):
            self._nested += 1
            return None
        self._open, self._nested = True, 0
        watchers = self._alive()
        if len(watchers) == 1 and watchers[0].factor == 1.0 and not self._scale.applied:
            self._tell(watchers[0], watchers[0].before)
            return None
        self._inside += 1
        try:
            self._scale_rates(optimizer, watchers)
            for watcher in watchers:
                watcher.pulse.quiet_until = 0.0  # the scale has to come off after the step
                _call(watcher, watcher.before)
        finally:
            self._inside -= 1
        if not self._scale.applied:
            return None
        # A step that raises never gets to the post hook. Torch holds these arguments for as
        # long as the step lasts, and lets go of them however it ends.
        return _Arguments(args, self._scale), kwargs

    def _scale_rates(self, optimizer: Optimizer, watchers: Sequence[WatchesSteps]) -> None:
        try:
            factor = math.prod(watcher.factor for watcher in watchers)
            if factor != 1.0 or self._scale.applied:
                with self._lock:
                    # all may have left meanwhile, and nobody would restore the rates
                    self._scale.apply(optimizer.param_groups, factor if self._watchers else 1.0)
        except Exception as problem:
            watchers[0].fail(problem)

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        pulse = self._pulse
        if pulse is not None:
            now = perf_counter()
            if now < pulse.quiet_until:
                groups = optimizer.param_groups
                if (
                    len(groups) == pulse.groups
                    and groups[0].get("lr") is pulse.rate
                    and (pulse.groups == 1 or _unchanged(groups, pulse.rates))
                ):
                    pulse.step = step = pulse.step + 1
                    if step >= pulse.mark:
                        _mark(pulse, now)
                    return
        elif self._nested:
            self._nested -= 1
            return
        self._open = False
        watchers = self._alive()
        if self._scale.applied:
            self.restore()
        self._inside += 1
        try:
            for watcher in watchers:
                _call(watcher, watcher.after)
        finally:  # KeyboardInterrupt may come through from a pause
            self._inside -= 1
            if not self._watchers:
                self._leave_from_inside()

    def _leave_from_inside(self) -> None:
        # All watchers left while this hook ran, and torch is going through the post hooks: ours
        # may be taken off now only if it is the last. If not, it stays and does nothing, until
        # the next watcher comes or the next step finds it last.
        with self._lock:
            if self._pre is not None:
                self._pre.remove()
                self._pre = None
            hooks = None if self._post is None else self._post.hooks_dict_ref()
            if hooks is not None and next(reversed(hooks), None) == self._post.id:
                self._post.remove()
                self._post = None


class _Arguments(tuple[Any, ...]):
    """The arguments of a step under way; scaled rates are restored when they are dropped."""

    _scale: LearningRateScale
    _turn: int

    def __new__(cls, args: tuple[Any, ...], scale: LearningRateScale) -> _Arguments:
        made = super().__new__(cls, args)
        made._scale = scale
        made._turn = scale.turn
        return made

    def __del__(self) -> None:
        self._scale.restore(self._turn)


def _may_nest(optimizer: Optimizer) -> bool:
    """Say whether a step of this optimiser may call another one's of its own (see below)."""
    owners = [cls for cls in type(optimizer).__mro__ if "step" in vars(cls)]
    return len([cls for cls in owners if cls is not Optimizer]) > 1


def _is_inside_step(caller: FrameType, optimizer: Optimizer) -> bool:
    """Say whether torch's wrapper around ``step`` was called from within itself.

    That is so for a user's optimiser whose ``step`` calls ``super().step()``: torch wraps both.
    The other reason why a step has begun and not ended is that it raised.
    """
    frame = caller.f_back
    while frame is not None:
        if frame.f_code is caller.f_code and frame.f_locals.get("self") is optimizer:
            return True
        frame = frame.f_back
    return False


def _unchanged(groups: Sequence[dict[str, Any]], rates: Sequence[Any]) -> bool:
    return all(group.get("lr") is rate for group, rate in zip(groups, rates, strict=True))


def _mark(pulse: Pulse, now: float) -> None:
    """See to what a quiet step does now and then: time itself, and ask for a look at the next."""
    step = pulse.step
    if step == pulse.time_at:
        pulse.cost = perf_counter() - now
    pulse.before = pulse.due if step >= pulse.glance_at else NOTHING
    pulse.mark = min(pulse.glance_at, pulse.time_at if step < pulse.time_at else math.inf)


def _call(watcher: WatchesSteps, what: Callable[[], None]) -> None:
    try:
        what()
    except Exception as problem:
        watcher.fail(problem)
