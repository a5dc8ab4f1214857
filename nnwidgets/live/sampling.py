"""Which steps are looked into: decided one step ahead, within the budget.

Hooks on every layer cost even when they do nothing, so nothing is attached between samples.
After a step the governor is asked whether the next one may be sampled; if so, the samplers
arm, see that step's forward pass, gradients and update, and detach when it is over.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Final, Protocol, TypeVar

from nnwidgets.live.budget import Governor, work_clock

__all__ = ["ModelSampler", "Sampler", "Sampling"]

_AT_MOST_EVERY: Final = 0.1  # seconds: a cheap model is not looked at more often than can be seen
_OFTEN: Final = 0.15  # … and more often than this only from credit that lies idle
_AT_LEAST_EVERY: Final = 2.0  # … while a dear one is still looked at this often, …
_MOST: Final = 2.0  # … as long as samples take no more than so many times the budget
_ASK_EVERY: Final = 0.2  # seconds between two questions to the governor
_YOUNG: Final = 16  # samples: findings need so many, and a run may last a few seconds only
_YOUNG_EVERY: Final = 0.02  # seconds between the first samples, if each is paid for

S = TypeVar("S", bound="ModelSampler")


class Sampler(Protocol):
    """Something that looks into a sampled step (see ``nnwidgets.probe``).

    One with an attribute ``apart`` needs no more than one sample in so many seconds.
    """

    def arm(self) -> None:
        """The step that begins now is sampled."""

    def before_update(
        self, params: Iterable[Any] | None = None, *, grad_scale: Any | None = None
    ) -> None:
        """Gradients are there (times `grad_scale`), weights not yet changed."""

    def after_update(self, params: Iterable[Any] | None = None) -> None:
        """Weights have changed."""

    def finish(self, step: int) -> Any:
        """The sampled step is over: detach, and return what was seen."""

    def disarm(self) -> None:
        """Detach without a result; idempotent."""


class ModelSampler(Sampler, Protocol):
    """A sampler of one model, that several widgets may share."""

    def __init__(self, model: Any) -> None: ...

    @property
    def model(self) -> Any:
        """The model, None when it is gone."""


class Sampling:
    """The samplers of one session, and when they look.

    Parameters
    ----------
    governor
        Pays for the samples.
    report
        Called with ``(sampler, sample)`` after each sampled step, in the training thread.
    fail
        Called with ``(where, exception)``; the sampler that failed is taken off.

    Attributes
    ----------
    armed
        Whether the step under way is sampled.
    count
        Steps that have been.
    cost
        Seconds that a sample takes, averaged over the newest.
    """

    def __init__(
        self,
        governor: Governor,
        report: Callable[[Sampler, Any], None],
        fail: Callable[[str, Exception], None],
    ) -> None:
        self.armed = False
        self.next_look = float("-inf")  # `tick` has nothing to do before this time
        self.samplers: list[Sampler] = []
        self._governor = governor
        self._report = report
        self._fail = fail
        self.count = 0
        self.cost = 0.0
        self._users: dict[int, int] = {}  # of a sampler, by identity
        self._spent = 0.0
        self._last = float("-inf")
        self._wanted = False

    def add(self, sampler: Sampler) -> None:
        """Let `sampler` look into the steps to come; for one more widget if it does already."""
        if sampler not in self.samplers:
            self.samplers.append(sampler)
        self._users[id(sampler)] = self._users.get(id(sampler), 0) + 1
        self.next_look = float("-inf")

    def shared(self, kind: type[S], model: Any) -> S:
        """Add the sampler of a kind that looks at `model`, made if there is none, and return it.

        So two widgets on one model do not both pay for what both of them need.
        """
        for sampler in self.samplers:
            if isinstance(sampler, kind) and sampler.model is model:
                self.add(sampler)
                return sampler
        made = kind(model)
        self.add(made)
        return made

    def remove(self, sampler: Sampler) -> None:
        """Detach `sampler` for good, once all who have added it do so."""
        users = self._users.pop(id(sampler), 1) - 1
        if users > 0:
            self._users[id(sampler)] = users
            return
        if sampler in self.samplers:
            self.samplers.remove(sampler)
        sampler.disarm()

    def want(self) -> None:
        """Sample the next step whatever the credit: something looks wrong."""
        self._wanted = True
        self.next_look = float("-inf")

    def before_update(self, params: Iterable[Any], grad_scale: Any | None = None) -> None:
        """Pass on to the samplers; only while armed."""
        begun = work_clock()
        for sampler in list(self.samplers):
            self._guard(sampler, sampler.before_update, params, grad_scale=grad_scale)
        self._spent += work_clock() - begun

    def after_update(self, params: Iterable[Any]) -> None:
        """Pass on to the samplers; only while armed."""
        begun = work_clock()
        for sampler in list(self.samplers):
            self._guard(sampler, sampler.after_update, params)
        self._spent += work_clock() - begun

    def tick(self, step: int, now: float) -> None:
        """A step is over at time `now`: finish its sample, decide about the next one."""
        if self.armed:
            self._finish(step)
            if not self._wanted:
                # What a sample takes may be more than the credit that can be saved up for it.
                rest = self.cost / (_MOST * self._governor.budget)
                self.next_look = self._last + max(self._apart, rest)
        elif not self.samplers:
            self.next_look = float("inf")
        elif self._wanted or self._affordable(now):
            self.arm()
        else:
            self.next_look = now + (_YOUNG_EVERY if self.young else _ASK_EVERY)

    @property
    def young(self) -> bool:
        """Whether there are too few samples yet to tell much from."""
        return self.count < _YOUNG

    @property
    def _apart(self) -> float:
        if self.young:
            return _YOUNG_EVERY
        wishes = [getattr(one, "apart", _AT_MOST_EVERY) for one in self.samplers]
        return min(wishes, default=_AT_MOST_EVERY)

    def _affordable(self, now: float) -> bool:
        passed, cost, earned = now - self._last, self.cost, self._governor.budget  # in a second
        # What the first look has cost must not blind a young history: as long as its samples by
        # themselves keep within the budget they are taken, and the debt is paid off later.
        if passed >= max(self._apart if self.young else _AT_LEAST_EVERY, cost / earned):
            return True
        if self.young:
            return self._governor.allows(cost, "sampling", now)
        wanted = max(cost, earned) if passed < _OFTEN else cost
        return self._governor.allows(wanted, "sampling", now)

    def arm(self) -> None:
        """Sample the step that begins now."""
        self._wanted = False
        self.next_look = float("-inf")
        self.armed = True
        begun = work_clock()
        for sampler in list(self.samplers):
            self._guard(sampler, sampler.arm)
        self._spent = work_clock() - begun

    def disarm(self) -> None:
        """Forget the sample under way: its step will not come."""
        if self.armed:
            self.armed = False
            for sampler in list(self.samplers):
                self._guard(sampler, sampler.disarm)

    def close(self) -> None:
        """Detach everything for good."""
        self.disarm()
        self.samplers.clear()
        self._users.clear()

    def _finish(self, step: int) -> None:
        self.armed = False
        begun = work_clock()
        for sampler in list(self.samplers):
            sample = self._guard(sampler, sampler.finish, step)
            if sample is not None:
                # hooks inside the forward pass are timed by who owns them
                self._spent += getattr(sample, "seconds", 0.0)
                self._report(sampler, sample)
        spent = self._spent + work_clock() - begun
        self.cost = (self.cost + spent) / 2 if self.count else spent
        self.count += 1
        self._last = perf_counter()
        self._governor.charge(spent, "sampling")

    def _guard(self, sampler: Sampler, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as problem:
            # off the list first: what cannot even detach must not be asked again
            if sampler in self.samplers:
                self.samplers.remove(sampler)
            self._users.pop(id(sampler), None)
            with contextlib.suppress(Exception):
                sampler.disarm()
            self._fail("sampling", problem)
            return None
