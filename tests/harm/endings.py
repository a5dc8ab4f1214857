"""The ways in which watching can end, and what must not be left of it."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from tests.harm.loop import Loop, mlp, simple, vectors
from tests.harm.observe import GLOBAL_HOOKS, MODULE_HOOKS, OPTIMIZER_HOOKS, seed
from tests.harm.watchers import Attach, Attached


class Failing(nn.Module):
    """Raises in the middle of its forward, once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.fails = mlp(), False

    def forward(self, x: Tensor) -> Tensor:
        x = self.net[1](self.net[0](x))
        if self.fails:
            raise RuntimeError("planted")
        return self.net[2](x)


def _run(loop: Loop, attached: Attached, steps: int = 4) -> None:
    for _ in attached.over(range(steps)):
        attached.stepped(loop.step())


def closed(loop: Loop, attach: Attach) -> list[Any]:
    attached = attach(loop)
    _run(loop, attached)
    parts = [weakref.ref(part) for part in attached.parts()]
    attached.close()
    attached.close()
    return parts


def closed_before_it_began(loop: Loop, attach: Attach) -> list[Any]:
    attached = attach(loop)
    parts = [weakref.ref(part) for part in attached.parts()]
    attached.close()
    return parts


def collected(loop: Loop, attach: Attach) -> list[Any]:
    attached = attach(loop)
    _run(loop, attached)
    return [weakref.ref(part) for part in attached.parts()]


def run_again(loop: Loop, attach: Attach) -> list[Any]:
    """A cell that is run three times: each time a new widget takes the name of the last."""
    parts = []
    for _ in range(3):
        attached = attach(loop)
        _run(loop, attached)
        parts += [weakref.ref(part) for part in attached.parts()]
    attached.close()
    return parts


def exception_in_the_loop(loop: Loop, attach: Attach) -> list[Any]:
    attached = attach(loop)
    parts = [weakref.ref(part) for part in attached.parts()]
    _run(loop, attached)
    loop.model.fails = True  # type: ignore[assignment]
    try:
        _run(loop, attached)
    except RuntimeError as problem:
        assert str(problem) == "planted"  # noqa: PT017 - its traceback must not outlive it
    else:
        raise AssertionError("the exception was swallowed")
    loop.model.fails = False  # type: ignore[assignment]
    _run(loop, attached)  # and the loop goes on
    attached.close()
    return parts


Ending = Callable[[Loop, Attach], list[Any]]
ENDINGS: dict[str, Ending] = {
    f.__name__: f
    for f in (closed, closed_before_it_began, collected, run_again, exception_in_the_loop)
}


def left_behind(ending: Ending, attach: Attach) -> list[str]:
    """Return what is still there after the ending, and after everything has been let go."""
    gc.collect()
    gc.freeze()  # what is there already need not be walked through each time
    try:
        return _left_behind(ending, attach)
    finally:
        gc.unfreeze()


def _left_behind(ending: Ending, attach: Attach) -> list[str]:
    seed()
    model = Failing()
    loop = simple(model, vectors, torch.optim.Adam(model.parameters(), lr=0.01))
    parts = ending(loop, attach)
    _let_go()
    left = [f"{type(part()).__name__} is still alive" for part in parts if part() is not None]
    left += [f"torch: {name}" for name in GLOBAL_HOOKS if getattr(torch_module, name)]
    left += [
        f"module {name!r}: {kind}"
        for name, module in loop.model.named_modules()
        for kind in MODULE_HOOKS
        if getattr(module, kind)
    ]
    left += [f"optimizer: {kind}" for kind in OPTIMIZER_HOOKS if getattr(loop.optimizers[0], kind)]
    left += [
        f"{thread.name} still runs"
        for thread in threading.enumerate()
        if thread.name.startswith("nnwidgets")
    ]
    gone = {"model": weakref.ref(model), "optimizer": weakref.ref(loop.optimizers[0])}
    del model, loop
    gc.collect()
    left += [f"the {name} is kept alive" for name, ref in gone.items() if ref() is not None]
    return left


def _let_go() -> None:
    """Collect, and wait for our threads, which end by themselves when nobody is left to send for.

    More than once, because they may hold a widget just when it would be collected.
    """
    for _ in range(100):
        gc.collect()
        ours = [t for t in threading.enumerate() if t.name.startswith("nnwidgets")]
        if not ours:
            break
        ours[0].join(timeout=0.1)
    gc.collect()
