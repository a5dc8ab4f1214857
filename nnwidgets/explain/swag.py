"""Weights that the run passed through, as a normal distribution to draw others from: SWAG.

Maddox et al. 2019, "A simple baseline for Bayesian uncertainty in deep learning": the mean of the
weights late in training, the variance of each, and a low-rank part from their deviations,
w = w̄ + √½ σ z₁ + D z₂ / √(2 (K − 1)). The paper's deviations are from the mean as it stood then,
because it keeps no weights; here they are kept, so deviations are from the mean itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from nnwidgets.explain.committee import evaluating, set_aside
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["SnapshotCommittee", "late"]

Weights = Mapping[str, Tensor]

_Normalising = nn.modules.batchnorm._BatchNorm


def late(steps: Sequence[int], share: float = 0.5) -> tuple[int, ...]:
    """Return the steps of the last part of the run, from which weights are worth a mean.

    Parameters
    ----------
    steps
        Of which there are weights, ascending.
    share
        Of the run, counted in steps.

    Returns
    -------
    tuple of int
        Those from ``last − share · (last − first)`` on.
    """
    if not steps:
        return ()
    begin = steps[-1] - share * (steps[-1] - steps[0])
    return tuple(step for step in steps if step >= begin)


class SnapshotCommittee:
    """Networks whose weights are drawn from where the run has been.

    Parameters
    ----------
    model
        A private copy of the model, to put weights in.
    snapshots
        Weights and buffers by their names in ``state_dict()``, oldest first
        (`nnwidgets.probe.snapshots.WeightSnapshots.nearest` gives them by step). Of all of them
        the mean and the variances are taken.
    count
        How many members.
    rank
        How many of the newest deviations make the low-rank part. Below two there is none, and the
        variances have their full weight.
    seed
        Of a generator of its own.
    refresh
        Runs a module on training data. Batch norm then takes its statistics from that, anew for
        each member, as the paper has it. Without it they are the mean over the snapshots.

    Raises
    ------
    Refusal
        If there are fewer than two snapshots, or one does not fit the model.
    ValueError
        If `count` is below two.
    """

    def __init__(
        self,
        model: nn.Module,
        snapshots: Sequence[Weights],
        *,
        count: int = 30,
        rank: int = 20,
        seed: int = 0,
        refresh: Callable[[nn.Module], object] | None = None,
    ) -> None:
        if count < 2:
            raise ValueError(f"a committee has two members at least, not {count!r}")
        if len(snapshots) < 2:
            raise Refusal("explain.uncertainty.few_snapshots", count=str(len(snapshots)))
        self._model = model
        self._count = count
        self._seed = seed
        self._refresh = refresh
        self._snapshots = len(snapshots)
        self._moved = {
            name: value for name, value in model.named_parameters() if value.dtype.is_floating_point
        }
        self._kept = {
            name: value
            for name, value in model.named_buffers()
            if all(name in state for state in snapshots)
        }
        self._normalising = [m for m in model.modules() if _is_tracking(m)]
        self._check(snapshots)
        self._mean = {name: _stacked(snapshots, name).mean(0) for name in self._moved}
        # In float64, from the deviations: the mean of the squares less the square of the mean
        # loses all digits of a weight that hardly moves.
        self._spread: dict[str, Tensor] = {}
        self._deviations: dict[str, Tensor] = {}
        self.rank = min(rank, len(snapshots))
        for name, mean in self._mean.items():
            away = _stacked(snapshots, name) - mean
            self._spread[name] = away.square().mean(0).sqrt()
            if self.rank >= 2:
                self._deviations[name] = away[-self.rank :].flatten(1)
        averaged = {
            id(buffer)
            for module in self._normalising
            for buffer in (module.running_mean, module.running_var)
        }
        self._buffers = {
            name: (
                _stacked(snapshots, name).mean(0) if id(buffer) in averaged else snapshots[-1][name]
            )
            for name, buffer in self._kept.items()
        }

    @property
    def count(self) -> int:
        """How many members there are."""
        return self._count

    @property
    def notes(self) -> tuple[Words, ...]:
        """How they were made, and what was done about batch norm."""
        words = {"count": str(self._snapshots), "members": str(self._count)}
        notes: list[Words] = [("explain.uncertainty.snapshots", words)]
        if self._normalising:
            if self._refresh is None:
                notes.append(("explain.uncertainty.norm_mean", {}))
            else:
                notes.append(("explain.uncertainty.norm_anew", {}))
        return tuple(notes)

    def draw(self, index: int) -> dict[str, Tensor]:
        """Return the weights of one member, by name, float64."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + index)
        low = self.rank >= 2
        shared = torch.randn(self.rank, generator=generator, dtype=torch.float64) if low else None
        drawn = {}
        for name, mean in self._mean.items():
            z = torch.randn(mean.shape, generator=generator, dtype=torch.float64)
            if shared is None:
                drawn[name] = mean + self._spread[name] * z
            else:
                along = (shared @ self._deviations[name]).reshape(mean.shape)
                drawn[name] = (
                    mean + sqrt(0.5) * self._spread[name] * z + along / sqrt(2 * (self.rank - 1))
                )
        return drawn

    @contextmanager
    def member(self, index: int) -> Iterator[nn.Module]:
        """Give the network with the weights of one member, in evaluation mode."""
        drawn = self.draw(index)
        with set_aside(self._model), evaluating(self._model):
            with torch.no_grad():
                for name, parameter in self._moved.items():
                    parameter.detach().copy_(drawn[name])
                for name, buffer in self._kept.items():
                    buffer.detach().copy_(self._buffers[name])
            if self._normalising and self._refresh is not None:
                _renormalise(self._model, self._normalising, self._refresh)
            yield self._model

    def _check(self, snapshots: Sequence[Weights]) -> None:
        for state in snapshots:
            for name, value in (*self._moved.items(), *self._kept.items()):
                if name not in state or state[name].shape != value.shape:
                    raise Refusal("explain.uncertainty.unfit", name=name)


def _renormalise(
    model: nn.Module, modules: Sequence[Any], refresh: Callable[[nn.Module], object]
) -> None:
    """Take the statistics of batch norm over all that `refresh` runs, each batch counting once."""
    momenta = [module.momentum for module in modules]
    try:
        for module in modules:
            module.reset_running_stats()
            module.momentum = None  # a plain mean over the batches
            module.training = True
        with torch.no_grad():
            refresh(model)
    finally:
        for module, momentum in zip(modules, momenta, strict=True):
            module.momentum = momentum
            module.training = False


def _is_tracking(module: nn.Module) -> bool:
    return isinstance(module, _Normalising) and module.running_mean is not None


def _stacked(snapshots: Sequence[Weights], name: str) -> Tensor:
    return torch.stack([state[name].detach().to("cpu", torch.float64) for state in snapshots])
