"""A factor on the learning rate that no scheduler ever sees.

Schedulers of two kinds exist: those that set the rate (OneCycleLR, LambdaLR) and those that
multiply what stands in the parameter group (StepLR, ReduceLROnPlateau). A scaled rate left
in the group would be overwritten by the first and compounded by the second. So the factor is
put on just before the optimiser's step and taken off right after: outside of the step the
group holds what the scheduler wrote, inside it holds that times the factor.

An optimiser that a user wraps around another one (Lookahead, a trust ratio) shares its groups,
and its step contains the other's. Whichever comes first scales a rate; the other leaves it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["LearningRateScale", "rates"]

# Groups and tensors whose rates are scaled now, by any optimiser, and what they held: by address,
# which stays theirs as long as they are held here.
_scaled: dict[int, tuple[Any, Any]] = {}


class LearningRateScale:
    """Scale of one optimiser's learning rates during its steps.

    Attributes
    ----------
    turn
        Grows with each `apply`: tells one step from the next.

    Notes
    -----
    With a factor of exactly 1 the groups are not touched at all. Rates held as tensors
    (``capturable=True``, compiled optimisers) are scaled in place, once each although all
    groups share the one that the optimiser was made with, and restored bit by bit.
    """

    def __init__(self) -> None:
        self.turn = 0
        self._floats: list[tuple[dict[str, Any], Any, Any]] = []
        self._tensors: list[tuple[Tensor, Tensor, int | None]] = []

    @property
    def applied(self) -> bool:
        """Whether rates are scaled now."""
        return bool(self._floats or self._tensors)

    def apply(self, groups: list[dict[str, Any]], factor: float) -> None:
        """Multiply every group's rate by `factor` until `restore`."""
        if self.applied:  # the step before raised, so its post hook never ran
            self.restore()
        self.turn += 1
        if factor == 1.0:
            return
        for group in groups:
            rate = group.get("lr")
            holder = rate if isinstance(rate, Tensor) else group
            if rate is None or id(holder) in _scaled:
                continue
            if isinstance(rate, Tensor):
                with torch.no_grad():
                    saved = rate.detach().clone()
                    rate.mul_(factor)
                self._tensors.append((rate, saved, _version(rate)))
                _scaled[id(rate)] = rate, saved
            else:
                scaled = rate * factor
                group["lr"] = scaled
                self._floats.append((group, rate, scaled))
                _scaled[id(group)] = group, rate

    def restore(self, turn: int | None = None) -> None:
        """Put back what `apply` found; a rate that somebody else has set since is left alone.

        Parameters
        ----------
        turn
            Only if the rates are still scaled for this turn.
        """
        if turn is not None and turn != self.turn:
            return
        floats, self._floats = self._floats, []
        tensors, self._tensors = self._tensors, []
        for group, saved, scaled in floats:
            _scaled.pop(id(group), None)
            if group.get("lr") is scaled:
                group["lr"] = saved
        for tensor, before, version in tensors:
            _scaled.pop(id(tensor), None)
            if _version(tensor) == version:
                with torch.no_grad():
                    tensor.copy_(before)


def rates(groups: list[dict[str, Any]]) -> list[float]:
    """Scheduled rate of every group, a factor left out; NaN where reading would wait."""
    found = []
    for group in groups:
        rate = group.get("lr", float("nan"))
        holder = rate if isinstance(rate, Tensor) else group
        rate = _scaled.get(id(holder), (None, rate))[1]
        if isinstance(rate, Tensor):
            rate = float(rate) if rate.device.type == "cpu" else float("nan")
        found.append(float(rate))
    return found


def _version(tensor: Tensor) -> int | None:
    """Return how often `tensor` has been written to; None where torch does not count."""
    return None if tensor.is_inference() else tensor._version
