"""Copies of a model's weights over the run, so that any step can be looked at again.

A bounded set, spread evenly over the run (`nnwidgets.probe.thinning`). Taking one costs a copy of
the model, so `WeightSnapshots.due` says when it is worth it: each time the stretches have doubled,
copies come half as often, and never so often that they take more than one percent of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.parameter import Parameter, is_lazy

from nnwidgets.catalogue import text
from nnwidgets.probe import tree
from nnwidgets.probe.layer_history import LayerHistory, Moment
from nnwidgets.probe.ridge import history_blocks
from nnwidgets.probe.sentences import number
from nnwidgets.probe.tensors import quietly
from nnwidgets.probe.thinning import Thinning

__all__ = [
    "LayerHistory",
    "Moment",
    "Thinning",
    "WeightSnapshots",
    "history_blocks",
    "state_of",
]

Weights = Mapping[str, Tensor]

_FEWEST: Final = 4  # copies that must fit, or there is no history to speak of
_MOST: Final = 128  # however small the model: more than a slider has places
_SHARE: Final = 0.01  # of the time may go into copies
_PLAIN: Final = (Tensor, Parameter, getattr(torch.nn, "Buffer", Tensor))


class WeightSnapshots:
    """Copies of parameters and buffers, on the CPU, at steps spread evenly over the run.

    Parameters
    ----------
    limit_bytes
        Memory they may take. A model of which fewer than four copies would fit has none.
    """

    def __init__(self, limit_bytes: int = 48 << 20) -> None:
        self._limit = limit_bytes
        self._kept: Thinning[Weights] | None = None
        self._largest = 0
        self._next_time = float("-inf")
        self._note: tuple[str, dict[str, str]] | None = None

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that are kept, ascending."""
        return () if self._kept is None else self._kept.steps

    @property
    def nbytes(self) -> int:
        """Memory they take."""
        if self._kept is None:
            return 0
        return sum(_nbytes(weights) for _, weights in self._kept.items)

    @property
    def notes(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """Why there are none, as catalogue keys with their parameters."""
        return () if self._note is None else (self._note,)

    @property
    def status(self) -> str:
        """Why there are none, in plain English; empty when there can be some."""
        return " ".join(text(key, "en", **params) for key, params in self.notes)

    def due(self, step: int, now: float) -> bool:
        """Say whether a copy taken now would stay; costs next to nothing.

        Parameters
        ----------
        step
            The step that has just ended.
        now
            Time, in seconds of ``time.perf_counter``.
        """
        if self._note is not None or now < self._next_time:
            return False
        return self._kept is None or step >= self._kept.next_step

    def take(self, model: nn.Module, step: int) -> bool:
        """Copy the weights; at a safe point, when no step is under way.

        Parameters
        ----------
        model
            Compiled and replicated models are copied from the module inside.
        step
            The number of the step that led to these weights. One that lies before the newest copy
            is left out.

        Returns
        -------
        bool
            Whether there is a copy of this step now.
        """
        begun = perf_counter()
        state = state_of(tree.unwrap(model))
        self._note = None
        if any(is_lazy(tensor) for tensor in state.values()):
            return False  # the first batch has not come yet
        if not all(_is_copyable(tensor) for tensor in state.values()):
            # With some of them left out, what is shown would be a mixture of two steps.
            self._note = ("probe.snapshots_unreadable", {})
            return False
        size = max(1, sum(t.nbytes for t in {id(t): t for t in state.values()}.values()))
        if size * _FEWEST > self._limit:
            words = {"size": _megabytes(size), "limit": _megabytes(self._limit)}
            self._note = ("probe.snapshots_too_large", words)
            return False
        if self._kept is not None and self._kept.steps and step < self._kept.steps[-1]:
            return False
        if size > self._largest:
            self._largest = size
            capacity = min(_MOST, self._limit // size)
            if self._kept is None:
                self._kept = Thinning(capacity)
            else:
                self._kept.capacity = min(capacity, self._kept.capacity)
        assert self._kept is not None
        self._kept.add(step, _copied(state))
        now = perf_counter()
        self._next_time = now + (now - begun) / _SHARE
        return True

    def nearest(self, step: int) -> tuple[int, Weights] | None:
        """Return the copy that was current at a step: the last one not after it.

        Parameters
        ----------
        step
            Before the first copy, the first is returned.

        Returns
        -------
        step : int
            The one it is from.
        weights : mapping
            By name, as in ``state_dict()``; tied weights are one tensor under several names.
            Must not be changed. None instead of the pair if there is no copy.
        """
        return None if self._kept is None else self._kept.nearest(step)

    def clear(self) -> None:
        """Forget the run."""
        self._kept, self._largest, self._note = None, 0, None
        self._next_time = float("-inf")


def state_of(root: nn.Module) -> dict[str, Tensor]:
    """Return parameters and persistent buffers under the names of ``state_dict()``.

    That method itself is not called: users' hooks hang on it, and in a sharded model it is a
    collective call that would hang the other ranks.
    """
    return dict(_state(root))


def _state(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for prefix, module in root.named_modules(remove_duplicate=False):
        dot = f"{prefix}." if prefix else ""
        for name, parameter in module._parameters.items():
            if parameter is not None:
                yield dot + name, parameter
        passing = getattr(module, "_non_persistent_buffers_set", ())
        for name, buffer in module._buffers.items():
            if buffer is not None and name not in passing:
                yield dot + name, buffer


def _is_copyable(tensor: Tensor) -> bool:
    return type(tensor) in _PLAIN and tensor.device.type != "meta"


def _copied(state: Mapping[str, Tensor]) -> Weights:
    copies: dict[int, Tensor] = {}
    with quietly():
        for tensor in state.values():
            if id(tensor) not in copies:
                copies[id(tensor)] = tensor.detach().to("cpu", copy=True)
    return MappingProxyType({name: copies[id(tensor)] for name, tensor in state.items()})


def _nbytes(weights: Weights) -> int:
    return sum(t.nbytes for t in {id(t): t for t in weights.values()}.values())


def _megabytes(size: int) -> str:
    return f"{number(size / (1 << 20))} MB"
