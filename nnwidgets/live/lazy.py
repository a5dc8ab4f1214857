"""Numbers that are still being computed on a device, logged without waiting for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nnwidgets.live.pending import Reason, as_float

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
        """Read neighbours in one transfer, or one for each type that they have."""
        alike: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for i, scalar in enumerate(scalars):
            if scalar._event is not None:  # they may come from several streams
                scalar._event.synchronize()
            alike.setdefault((scalar._copy.device, scalar._copy.dtype), []).append(i)
        numbers = [0.0] * len(scalars)
        for places in alike.values():
            stacked = torch.stack([scalars[i]._copy.reshape(()) for i in places])
            # Made float64 here: not every device (Apple's) has such numbers.
            for i, number in zip(places, stacked.cpu().to(torch.float64).tolist(), strict=True):
                numbers[i] = float(number)
        return numbers


def as_number(value: Any) -> float | LazyScalar | Reason:
    """Return the number that `value` holds now, or in words why it is none; never raises.

    Everything is read at once, because arrays and meters change in place (and a function is not
    called, because who knows when). Only a tensor of another device, where reading would wait,
    becomes a `LazyScalar`.
    """
    try:
        if not isinstance(value, Tensor):
            return as_float(value)
        if value.numel() != 1:
            return Reason(f"it is no single number but of shape {tuple(value.shape)}")
        if value.is_complex():
            return Reason("it is a complex number")
        if value.device.type == "meta":
            return Reason("it is a tensor without data (of the device meta)")
        if value.device.type == "cpu":
            return float(value.item())
        return LazyScalar(value.reshape(()))
    except Exception as problem:
        return Reason(f"it could not be read: {problem!r}")


def _event_behind(device: torch.device) -> Any:
    if device.type not in ("cuda", "xpu"):
        return None  # mps and others: reading waits, but it happens on the sender's thread
    event = getattr(torch, device.type).Event()
    event.record()
    return event
