"""Where tensors of our own are made, whatever the user has said of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["any_without_data", "with_data"]


@contextmanager
def with_data() -> Iterator[None]:
    """Let new tensors hold numbers, also within ``with torch.device("meta")``.

    Notes
    -----
    Another default device is left as it is: a model may rely on it.
    """
    if torch.empty(0).device.type != "meta":
        yield
        return
    with torch.device("cpu"):
        yield


def any_without_data(tensors: Iterable[Tensor]) -> bool:
    """Say whether one of some tensors is on the meta device, which holds no numbers."""
    return any(tensor.device.type == "meta" for tensor in tensors)
