"""The suite must be able to fail: harm of every kind, planted, and found where it was planted."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from tests.harm.cases import CASES
from tests.harm.copies import copies
from tests.harm.endings import ENDINGS, left_behind
from tests.harm.loop import Loop
from tests.harm.observe import differences, observe
from tests.harm.watchers import Attached

Harm = Callable[[Loop], Any]
STEPS = 3
_kept: list[Any] = []


class Bad(Attached):
    """Does something once, after the last step of the run."""

    def __init__(self, loop: Loop, harm: Harm) -> None:
        self.loop, self.harm, self.steps = loop, harm, 0
        self.undo: Any = None

    def stepped(self, loss: Tensor) -> None:
        self.steps += 1
        if self.steps == STEPS:
            self.undo = self.harm(self.loop)


def first(loop: Loop) -> nn.Parameter:
    return next(loop.model.parameters())


def nudge(loop: Loop) -> None:
    with torch.no_grad():
        first(loop)[0, 0] *= 1.000001


def nudge_and_put_back(loop: Loop) -> None:
    with torch.no_grad():
        first(loop).mul_(1.0)


def take_gradient(loop: Loop) -> None:
    first(loop).grad = None


def change_rate(loop: Loop) -> None:
    loop.optimizers[0].param_groups[0]["lr"] *= 1.0000001


HARMS: dict[str, tuple[Harm, str]] = {
    "draws from torch": (lambda loop: torch.rand(1), "rng/torch"),
    "draws from numpy": (lambda loop: np.random.rand(), "rng/numpy"),
    "draws from python": (lambda loop: random.random(), "rng/python"),
    "flips to evaluation": (lambda loop: loop.model[2].eval(), "training/2"),
    "nudges a weight": (nudge, "parameter/0.weight"),
    "writes and puts back": (nudge_and_put_back, "flags/0.weight"),
    "changes a buffer": (
        lambda loop: loop.model[3].running_mean.add_(1e-7),
        "buffer/3.running_mean",
    ),
    "freezes": (lambda loop: loop.model[0].bias.requires_grad_(False), "flags/0.bias"),
    "takes a gradient": (take_gradient, "gradient/0.weight"),
    "adds an attribute": (lambda loop: setattr(loop.model, "_mine", 1), "keys/"),
    "marks a parameter": (lambda loop: setattr(first(loop), "mine", 1), "flags/0.weight"),
    "leaves a hook": (
        lambda loop: loop.model[0].register_forward_hook(lambda *_: None),
        "hooks/0/_forward_hooks",
    ),
    "leaves a tensor hook": (
        lambda loop: first(loop).register_hook(lambda g: None),
        "flags/0.weight",
    ),
    "leaves a step hook": (
        lambda loop: loop.optimizers[0].register_step_post_hook(lambda *_: None),
        "optimizer/0/hooks",
    ),
    "leaves a global hook": (
        lambda loop: register_module_forward_hook(lambda *_: None),
        "torch/hooks",
    ),
    "changes the learning rate": (change_rate, "optimizer/0/state"),
    "touches the optimiser's state": (
        lambda loop: loop.optimizers[0].state[first(loop)]["momentum_buffer"].mul_(1.01),
        "optimizer/0/state",
    ),
    "switches gradients off": (lambda loop: torch.set_grad_enabled(False), "torch/flags"),
}


@pytest.mark.parametrize("name", HARMS)
def test_harm_is_noticed(name: str) -> None:
    harm, where = HARMS[name]
    bad: list[Bad] = []

    def attach(loop: Loop) -> Attached:
        bad.append(Bad(loop, harm))
        return bad[0]

    case = CASES["goes_to_nan"]  # has everything that harm can be done to; not NaN so soon
    try:
        found = differences(observe(case, steps=STEPS), observe(case, attach, steps=STEPS))
    finally:
        torch.set_grad_enabled(True)
        if hasattr(bad[0].undo, "remove"):
            bad[0].undo.remove()
    assert where in found


def test_a_watcher_that_does_nothing_is_as_bare() -> None:
    assert (
        differences(observe(CASES["dropout"]), observe(CASES["dropout"], lambda _: Attached()))
        == []
    )


def test_a_watcher_that_sleeps_is_noticed() -> None:
    from tests.harm.watchers import WATCHERS

    def asleep(loop: Loop) -> Attached:
        attached = WATCHERS["layers"](loop)
        attached.close()
        attached.stepped = lambda loss: None  # type: ignore[method-assign]
        return attached

    with pytest.raises(AssertionError):
        observe(CASES["dropout"], asleep)


class HookedModel(Attached):
    """Puts hooks where they travel with copies, and lets itself be kept."""

    def __init__(self, loop: Loop, clean: bool) -> None:
        self.clean = clean
        self.handles = [
            loop.model.register_forward_hook(_hook),
            loop.optimizers[0].register_step_post_hook(_hook),
        ]
        _kept.append((self, loop.model))

    def close(self) -> None:
        if self.clean:
            for handle in self.handles:
                handle.remove()

    def parts(self) -> list[Any]:
        return [self]


def _hook(*_: Any) -> None:
    pass


def test_a_hook_that_travels_with_copies_is_noticed() -> None:
    found = differences(copies(None, 1), copies(lambda loop: HookedModel(loop, clean=True), 1))
    _kept.clear()
    assert {"0/within/deepcopy", "0/after/torch.save", "0/after/pickle"} <= set(found)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_stays_behind_is_noticed(ending: str) -> None:
    left = left_behind(ENDINGS[ending], lambda loop: HookedModel(loop, clean=False))
    _kept.clear()
    assert "HookedModel is still alive" in left
    assert "module '': _forward_hooks" in left
    assert "optimizer: _optimizer_step_post_hooks" in left
    assert "the model is kept alive" in left
