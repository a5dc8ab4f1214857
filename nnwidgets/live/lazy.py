"""Numbers that are still being computed on a device, logged without waiting for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["LazyScalar", "as_number"]


class LazyScalar:
    """The value that a 0-d tensor has now, to be read once its device has got there.

    A small copy is queued behind the work that computes the tensor, so later changes in place
    do not reach it, and an event behind the copy tells when reading will not wait.
    """

    __slots__ = ("_copy", "_event")

    def __init__(self, tensor: Tensor) -> None:
        self._copy = tensor.detach().clone()
        self._event = _event_behind(tensor.device)

    def ready(self) -> bool:
        """Whether calling this will not wait for the device."""
        return self._event is None or bool(self._event.query())

    def __call__(self) -> float:
        """Read the value, waiting for the device if need be."""
        if self._event is not None:
            self._event.synchronize()
        return float(self._copy)

    @staticmethod
    def many(scalars: Sequence[LazyScalar]) -> list[float]:
        """Read neighbours in one transfer."""
        last = scalars[-1]
        if last._event is not None:
            last._event.synchronize()
        copies = [scalar._copy.reshape(()).to(torch.float64) for scalar in scalars]
        return [float(value) for value in torch.stack(copies).tolist()]


def as_number(value: Any) -> Any:
    """Return what a history can keep: tensors as their value of now, all else as it is.

    Host tensors are read at once (nothing to wait for); a tensor of another device becomes a
    `LazyScalar`. What is no single number is handed on, for the history to reject in words.
    """
    if not isinstance(value, Tensor):
        return value
    if value.numel() != 1 or value.is_complex():
        return value.detach()
    if value.device.type == "cpu":
        return value.item()
    return LazyScalar(value.reshape(()))


def _event_behind(device: torch.device) -> Any:
    if device.type not in ("cuda", "xpu"):
        return None  # mps and others: reading waits, but it happens on the sender's thread
    event = getattr(torch, device.type).Event()
    event.record()
    return event
