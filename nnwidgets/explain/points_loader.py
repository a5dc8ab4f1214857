"""Batches of points that may be edited while they are learned.

An epoch goes through the points as they are when each batch is made: moved points are given where
they are by then, deleted ones are left out, new ones still come in the same epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nnwidgets.explain.points_snapshot import Snapshot

__all__ = ["PointsLoader"]


class PointsLoader:
    """Gives batches; each ``for`` loop over it is one epoch.

    Parameters
    ----------
    snapshot
        Gives the points as they are now.
    batch_size
        Points a batch, at most.
    shuffle
        Whether each epoch has an order of its own.
    seed
        Of a generator of its own: nothing is drawn from the global ones.
    device
        Where the tensors are to be; None: on the CPU.
    shape
        Of one point, where it is no row: (1, 8, 8).
    starved
        Called when there is no point to give in a whole epoch: a loop over epochs takes no step
        then, at which anything else could be done.

    Yields
    ------
    X : Tensor
        (batch, features) or ``(batch, *shape)``, of torch's default type.
    y : Tensor
        (batch,): classes as int64, or values of torch's default type.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        device: Any = None,
        shape: tuple[int, ...] | None = None,
        starved: Callable[[], None] = lambda: None,
    ) -> None:
        size: Any = batch_size  # a caller may give anything
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"batch_size is a whole number from 1 on, not {batch_size!r}")
        self._snapshot = snapshot
        self._size = int(batch_size)
        self._shuffle = shuffle
        self._generator = np.random.default_rng(seed)
        self._device = device
        self._shape = shape
        self._starved = starved

    def __len__(self) -> int:
        """How many batches an epoch has, as the points are now."""
        return -(-len(self._snapshot().train) // self._size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        given: set[int] = set()
        waiting: list[int] = []
        version = -1
        while True:
            now = self._snapshot()
            if now.version != version:
                version = now.version
                train = now.train
                places = dict(zip(now.ids[train].tolist(), train.tolist(), strict=True))
                waiting = self._order(waiting, places, given)
            batch, waiting = waiting[: self._size], waiting[self._size :]
            if not batch:
                if not given:
                    self._starved()
                return
            given.update(batch)
            yield self._tensors(now, np.array([places[name] for name in batch], np.intp))

    def _order(self, waiting: list[int], places: dict[int, int], given: set[int]) -> list[int]:
        """Return who is still to come: the old order, with new points put in between."""
        still = [name for name in waiting if name in places]
        known = set(still) | given
        new = [name for name in places if name not in known]
        if not self._shuffle:
            return still + new
        if not still:
            return [new[place] for place in self._generator.permutation(len(new))]
        for name in new:
            still.insert(int(self._generator.integers(len(still) + 1)), name)
        return still

    def _tensors(self, now: Snapshot, places: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        assert now.y is not None  # a loader is only made of points with labels
        plain = torch.get_default_dtype()
        # Indexing copies, so the tensors are the loop's own.
        x = torch.from_numpy(now.X[places]).to(self._device, plain)
        if self._shape is not None:
            x = x.reshape(len(x), *self._shape)
        y = torch.from_numpy(now.y[places])
        return x, y.to(self._device, plain if y.is_floating_point() else torch.int64)
