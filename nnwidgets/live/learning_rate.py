"""A factor on the learning rate that no scheduler ever sees.

Schedulers of two kinds exist: those that set the rate (OneCycleLR, LambdaLR) and those that
multiply what stands in the parameter group (StepLR, ReduceLROnPlateau). A scaled rate left
in the group would be overwritten by the first and compounded by the second. So the factor is
put on just before the optimiser's step and taken off right after: outside of the step the
group holds what the scheduler wrote, inside it holds that times the factor.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["LearningRateScale"]


class LearningRateScale:
    """Scale of one optimiser's learning rates during its steps.

    Notes
    -----
    With a factor of exactly 1 the groups are not touched at all. Rates held as tensors
    (``capturable=True``, compiled optimisers) are scaled in place and restored bit by bit.
    """

    def __init__(self) -> None:
        self._saved: list[tuple[dict[str, Any], Any, Any]] = []

    def apply(self, groups: list[dict[str, Any]], factor: float) -> None:
        """Multiply every group's rate by `factor` until `restore`."""
        if self._saved:  # the step before raised, so its post hook never ran
            self.restore()
        if factor == 1.0:
            return
        for group in groups:
            rate = group.get("lr")
            if isinstance(rate, torch.Tensor):
                with torch.no_grad():
                    saved = rate.detach().clone()
                    rate.mul_(factor)
                self._saved.append((group, saved, rate))
            elif rate is not None:
                scaled = rate * factor
                group["lr"] = scaled
                self._saved.append((group, rate, scaled))

    def restore(self) -> None:
        """Put back what `apply` found; a rate that somebody else has set since is left alone."""
        for group, saved, scaled in self._saved:
            now = group.get("lr")
            if now is not scaled:
                continue
            if isinstance(scaled, torch.Tensor):
                with torch.no_grad():
                    scaled.copy_(saved)
            else:
                group["lr"] = saved
        self._saved.clear()


def rates(groups: list[dict[str, Any]]) -> list[float]:
    """Learning rate of every group; NaN where reading it would wait for a device."""
    found = []
    for group in groups:
        rate = group.get("lr", float("nan"))
        if isinstance(rate, torch.Tensor):
            rate = float(rate) if rate.device.type == "cpu" else float("nan")
        found.append(float(rate))
    return found
