"""Counting steps through the optimisers' public hooks, with no change to the user's loop."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch.optim import Optimizer

from nnwidgets.live.learning_rate import rates
from nnwidgets.live.pulse import Pulse
from nnwidgets.live.step_hooks import StepHooks

__all__ = ["OptimizerSlot", "StepWatcher"]


class StepWatcher(Protocol):
    """Whoever wants to know about steps: the session."""

    lr_scale: float
    pulse: Pulse

    def before_update(self, slot: OptimizerSlot) -> None:
        """Gradients are there, weights not yet changed."""

    def after_update(self, slot: OptimizerSlot) -> None:
        """Weights have changed."""

    def optimizer_gone(self) -> None:
        """An optimiser has been collected."""

    def fail(self, where: str, problem: Exception) -> None:
        """Something of ours went wrong; the loop must not hear of it."""


class OptimizerSlot:
    """One optimiser that a session watches.

    Optimiser and session are held weakly, and the hooks hold this weakly: an optimiser never
    keeps a closed widget alive, and the hooks of a collected one go with it.
    """

    def __init__(self, optimizer: Optimizer, name: str, watcher: StepWatcher) -> None:
        self.name = name
        self.factor = watcher.lr_scale  # on the learning rates of the steps to come
        self.pulse = watcher.pulse
        self.seen_rates: list[Any] = []
        self._factor = 1.0
        self._rates: list[float] = []
        self._began_alone = False  # its first group, which is called by its name alone
        self._watcher = told = weakref.ref(watcher)

        def gone(_: weakref.ref[Optimizer]) -> None:
            if (watcher := told()) is not None:
                watcher.optimizer_gone()

        self._optimizer = weakref.ref(optimizer, gone)
        self._hooks = StepHooks.of(optimizer)
        self._hooks.add(optimizer, self)

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimiser, or None when it has been collected."""
        return self._optimizer()

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The optimiser's parameter groups."""
        optimizer = self._optimizer()
        return [] if optimizer is None else optimizer.param_groups

    def parameters(self) -> Iterable[Any]:
        """Every parameter that this optimiser updates."""
        for group in self.groups:
            yield from group["params"]

    def changed_rates(self, factor: float) -> list[tuple[str, float]]:
        """Return name and effective rate of each group whose rate is another than before.

        Called after every step, so the usual answer, nothing, is found by identity: whoever
        changes a rate puts another object into the group.
        """
        groups = self.groups
        if factor == self._factor and len(groups) == len(self.seen_rates):
            for group, seen in zip(groups, self.seen_rates, strict=True):
                if group.get("lr") is not seen or seen.__class__ is torch.Tensor:
                    break
            else:
                return []
        before = self._rates
        self._factor = factor
        self.seen_rates = [group.get("lr") for group in groups]
        self._rates = [rate * factor for rate in rates(groups)]
        if not before:
            self._began_alone = len(groups) == 1
        # A group keeps its name when another one is added, so that its curve goes on.
        return [
            ("/".join(part for part in (self.name, self._number(i)) if part), rate)
            for i, rate in enumerate(self._rates)
            if i >= len(before) or before[i] != rate
        ]

    def _number(self, group: int) -> str:
        return "" if group == 0 and self._began_alone else str(group)

    def scheduled_rates(self) -> list[float]:
        """Rate of each group as the scheduler set it (NaN where reading it would wait)."""
        return rates(self.groups)

    def beat(self, pulse: Pulse) -> None:
        """Let the steps that need only be counted be counted in `pulse`."""
        if pulse is not self.pulse:
            self.pulse = pulse
            self._hooks.refresh()

    def restore(self) -> None:
        """Leave the learning rates as the scheduler set them."""
        self._hooks.restore()

    def close(self) -> None:
        """Take the hooks off and leave the learning rates as the scheduler set them."""
        self._hooks.remove(self)

    # -- called by StepHooks -----------------------------------------------------------------

    def before(self) -> None:
        """Gradients are there, weights not yet changed."""
        if (watcher := self._watcher()) is not None:
            watcher.before_update(self)

    def after(self) -> None:
        """Weights have changed."""
        if (watcher := self._watcher()) is not None:
            watcher.after_update(self)

    def fail(self, problem: Exception) -> None:
        """One of these raised; the training loop does not hear of it."""
        if (watcher := self._watcher()) is not None:
            watcher.fail("step", problem)
