"""How many rows a model is given at once: measured, not guessed.

Integrated gradients with 50 steps on a picture is one batch of 50 if nobody says otherwise, and
several gigabytes. One row is run and watched: the memory that its backward pass keeps, and the time
of its slowest module, which nobody can interrupt. From these follows a batch that stays small
enough and can be cancelled.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.probe.tensors import tensors_in

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["BYTES", "SECONDS", "RowCost", "in_batches", "row_cost", "rows_at_once"]

BYTES: Final = 192 * 2**20  # for everything that one batch keeps alive at its worst moment
SECONDS: Final = 0.025  # of one module's forward; its backward takes two to four times as long
_WARM_SECONDS: Final = 0.001  # what takes longer the first time is measured once more

_costs: weakref.WeakKeyDictionary[nn.Module, dict[Any, RowCost]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class RowCost:
    """What one row costs.

    Attributes
    ----------
    kept
        Bytes that the backward pass needs and the forward keeps until then.
    largest
        Bytes of the largest output of a module.
    given
        Bytes of the inputs.
    seconds
        The slowest module's forward; of a model without modules the whole forward.
    """

    kept: int
    largest: int
    given: int
    seconds: float


def row_cost(asked: Asked) -> RowCost:
    """Run one row forward and say what it took; the answer is remembered with the model.

    Parameters
    ----------
    asked
        What is run: its inputs.
    """
    known = _costs.setdefault(asked.root, {})
    key = tuple((tuple(value.shape), value.dtype, value.device) for value in asked.inputs)
    if key not in known:
        cost = _measured(asked)
        if cost.seconds > _WARM_SECONDS:  # the first run of a shape also chooses kernels
            again = _measured(asked)
            cost = again if again.seconds < cost.seconds else cost
        known[key] = cost
    return known[key]


def rows_at_once(
    asked: Asked, rows: int, *, gradient: bool, beside: int = 0, most: int | None = None
) -> int:
    """Return how many rows to run at once.

    Parameters
    ----------
    asked
        What is run.
    rows
        How many there are in all.
    gradient
        Whether they go backward as well.
    beside
        Bytes that the method itself needs for each row besides (masks, copies of the input).
    most
        Never more than so many.

    Returns
    -------
    int
        At least 1 and at most `rows`.
    """
    if rows <= 1:
        return 1
    cost = row_cost(asked)
    # Forward with a graph: what is kept, and two gradients of the largest output on the way back.
    # Without one: what goes into a module, what comes out, and what it needs in between.
    memory = cost.kept + 2 * cost.largest if gradient else 3 * cost.largest
    memory += 3 * cost.given + beside
    by_memory = BYTES // max(memory, 1)
    by_time = int(SECONDS / max(cost.seconds, 1e-9))
    return max(1, min(rows, by_memory, by_time, most or rows))


def in_batches(
    asked: Asked,
    rows: tuple[Tensor, ...],
    run: Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]],
    *,
    gradient: bool,
    size: int | None = None,
) -> tuple[Tensor, ...]:
    """Do something to many rows, some at a time.

    Parameters
    ----------
    asked
        What is run.
    rows
        One tensor for each of its inputs, (N, …).
    run
        Called with some of the rows of each; gives one tensor or more, with so many rows.
    gradient
        Whether it goes backward.
    size
        Rows at a time; None: measured.

    Returns
    -------
    tuple of Tensor
        What `run` gave, one batch after another.
    """
    count = rows[0].shape[0]
    step = size or rows_at_once(asked, count, gradient=gradient)
    parts = [run(tuple(r[at : at + step] for r in rows)) for at in range(0, count, step)]
    if len(parts) == 1:
        return parts[0]
    return tuple(torch.cat(each) for each in zip(*parts, strict=True))


def _measured(asked: Asked) -> RowCost:
    storages: dict[int, int] = {}
    weights = {value.untyped_storage().data_ptr() for value in asked.model.parameters()}
    largest = 0
    slowest = 0.0
    began: list[float] = []

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return value

    def before(module: nn.Module, inputs: object) -> None:
        began.append(perf_counter())

    def after(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal largest, slowest
        slowest = max(slowest, perf_counter() - began.pop())
        sizes = [value.nbytes for value in tensors_in(output)]
        largest = max(largest, sum(sizes))

    leaves = [m for m in asked.root.modules() if not any(True for _ in m.children())]
    handles: list[Any] = []
    inputs = [value.detach().clone().requires_grad_() for value in asked.inputs]
    start = perf_counter()
    try:
        for module in leaves:
            if isinstance(module, torch.jit.ScriptModule):
                continue
            handles.append(module.register_forward_pre_hook(before))
            handles.append(module.register_forward_hook(after))
        start = perf_counter()
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda v: v):
            asked.model(*inputs, *asked.others)
    finally:
        for handle in handles:
            handle.remove()
    whole = perf_counter() - start
    if not leaves or slowest == 0:
        slowest = whole
    given = sum(value.nbytes for value in asked.inputs)
    # A model without modules keeps what it computes all the same.
    largest = max(largest, given, max(storages.values(), default=0))
    return RowCost(sum(storages.values()), largest, given, slowest)
