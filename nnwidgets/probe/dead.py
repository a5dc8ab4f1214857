"""Counting output units that nothing moves.

A unit (a feature of a ``Linear``, a channel of a convolution) is called **dead** when no sample of
the observed window moved it: in every one of the last sampled steps, at least `WINDOW` of them and
at least `SAMPLES` training samples long, either

* the ``ReLU`` that follows it gave zero for all samples of the step, or, where no such module was
  seen to follow (a functional ``F.relu``, a compiled model),
* its row of the weight gradient, and its bias gradient, were exactly zero.

The gradient is what the question is about: a unit with none will never change again. But it has
other reasons to be zero, and reasons not to be although the unit is dead (a penalty on the weights
inside the loss), so what the activation says has the last word where there is one. Left unknown:

* units that got no gradient at all (frozen layers, branches the step did not use),
* steps in which no layer got a gradient other than zero (a hinge loss that is satisfied),
* layers of float16 weights, whose small gradients round to zero, and layers whose weight is
  computed from other parameters or shared with another layer, unless the activation speaks,
* the layer that gives the model's output: with no non-linearity after it there is nothing to die,
  while a softmax may well give exact zeros to classes it is sure about,
* embeddings and recurrent layers, where a row that did not occur is no news.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from nnwidgets.probe.tensors import zero_rows

__all__ = ["SAMPLES", "WINDOW", "DeadUnits", "Units", "units_of"]

WINDOW: Final = 5
"""Sampled steps in a row before a unit may be called dead."""
SAMPLES: Final = 256
"""Training samples in a row before a unit may be called dead."""
_BLIND_SAMPLES: Final = -(-SAMPLES // 20)  # a step of unknown batch size: 20 of them are enough

_CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_CONV_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


class Units:
    """Where the output units of a layer stand in its weight and in its output."""

    __slots__ = ("count", "dim", "from_end", "groups")

    def __init__(self, count: int, dim: int, groups: int, from_end: int) -> None:
        self.count = count
        self.dim = dim  # of the weight
        self.groups = groups
        self.from_end = from_end  # of the output, counted from its last dimension: 1, 2, …

    def alive_in(self, output: Tensor) -> Tensor | None:
        """Return which units are above zero for any sample of a ReLU's output."""
        axis = output.dim() - self.from_end
        if axis < 0 or output.shape[axis] != self.count or output.numel() == 0:
            return None
        output = output.detach()
        if axis + 1 < output.dim():
            output = output.flatten(axis + 1).amax(-1)
        if axis > 0:
            output = output.flatten(0, axis - 1).amax(0)
        return output != 0  # NaN is not zero

    def samples_in(self, output: Tensor) -> int:
        """Return the batch size of an output (1 for a sample without a batch)."""
        return output.shape[0] if output.dim() > self.from_end else 1


def units_of(module: nn.Module) -> Units | None:
    """Return the output units of a ``Linear`` or convolution, None for other modules."""
    # `module.weight` is left alone: where it is parametrized, reading it computes it, and a
    # spectral norm takes a step of its power iteration each time.
    if isinstance(module, nn.Linear):
        count, dim, groups, from_end = module.out_features, 0, 1, 1
    elif isinstance(module, _CONV):
        count, dim, groups, from_end = module.out_channels, 0, 1, len(module.kernel_size) + 1
    elif isinstance(module, _CONV_TRANSPOSED):
        count, dim, groups = module.out_channels, 1, module.groups
        from_end = len(module.kernel_size) + 1
    else:
        return None
    return Units(count, dim, groups, from_end) if count > 0 else None


class DeadUnits:
    """The window of one layer: for how long each unit has not moved.

    Parameters
    ----------
    units
        The layer's output units.
    """

    __slots__ = ("_evidence", "_quiet", "_seen", "alive", "samples", "units", "unmoved")

    def __init__(self, units: Units) -> None:
        self.units = units
        self._quiet = np.zeros(units.count, np.int64)  # sampled steps in a row
        self._seen = np.zeros(units.count, np.int64)  # samples in these steps
        self._evidence = False
        self.begin()

    def begin(self) -> None:
        """A sampled step begins."""
        self.alive: Tensor | None = None  # by activation
        self.unmoved: Tensor | None = None  # by gradient
        self.samples = 0

    def saw_activation(self, output: Tensor) -> None:
        """Take in the output of the ReLU behind the layer; several calls a step add up."""
        alive = self.units.alive_in(output)
        if alive is not None:
            self.alive = alive if self.alive is None else self.alive | alive

    def saw_gradient(self, weight: Tensor, bias: Tensor | None) -> None:
        """Take in the gradients of the weight and, if it has one, the bias."""
        unmoved = zero_rows(weight, self.units.dim, self.units.groups)
        if bias is not None:
            unmoved = unmoved & (bias == 0)
        self.unmoved = unmoved

    def mask(self) -> Tensor | None:
        """Return which units did not move in this step, None when nothing tells."""
        return torch.logical_not(self.alive) if self.alive is not None else self.unmoved

    def end(self, quiet: np.ndarray | None) -> None:
        """Close the sampled step with the mask (copied by the caller), None if it tells nothing."""
        if quiet is None:
            return
        self._evidence = True
        self._quiet += 1
        self._quiet *= quiet
        self._seen += self.samples or _BLIND_SAMPLES
        self._seen *= quiet

    @property
    def has_evidence(self) -> bool:
        """Whether any sampled step has told something so far."""
        return self._evidence

    @property
    def dead(self) -> float:
        """How many units are dead now; NaN before anything was seen."""
        if not self._evidence:
            return float("nan")
        return float(np.count_nonzero((self._quiet >= WINDOW) & (self._seen >= SAMPLES)))
