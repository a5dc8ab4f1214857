"""A plain loop while others click: it must come to the same numbers as without them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.generators import generators
from tests.live.doubles import Background
from tests.training import Training

__all__ = ["assert_same_numbers", "numbers_at_the_end", "seed_everything", "train"]

Click = Callable[[random.Random], None]


def seed_everything(seed: int) -> None:
    """Begin anew with the generators of torch, of Python and of numpy."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def train(training: Training, click: Click | None = None, *, threads: int = 2) -> list[float]:
    """Take 150 steps that draw random numbers, and return their losses.

    Parameters
    ----------
    click
        Does one thing to a widget, as the dice have it. Called again and again, by several threads
        beside the loop, and once at least by each; from the first step on. Before that nothing
        tells in a script that a loop runs, and what is asked for there is done at once.
    """
    over, begun = threading.Event(), threading.Event()

    def disturb(seed: int) -> None:
        begun.wait()
        dice = random.Random(seed)
        while True:
            assert click is not None
            click(dice)
            if over.wait(0.01):  # a quick hand; the loop needs some of the processor too
                break

    others = [_started(disturb, seed) for seed in range(threads)] if click is not None else []
    losses = []
    try:
        for _ in range(150):
            training.optimizer.zero_grad()
            loss = F.cross_entropy(training.model(training.x), training.y)
            loss = loss + 0.0 * torch.rand(()) + random.random() * 0
            loss.backward()
            training.optimizer.step()
            begun.set()
            losses.append(loss.item())
    finally:
        over.set()
        begun.set()
    for other in others:
        other.join()
    return losses


def _started(disturb: Callable[[int], None], seed: int) -> Background:
    return Background(lambda: disturb(seed))


def numbers_at_the_end(model: nn.Module) -> list[Any]:
    """The weights, and the state of all generators."""
    return [generators(), *(value.clone() for value in model.state_dict().values())]


def assert_same_numbers(one: list[Any], other: list[Any]) -> None:
    """Bit by bit."""
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert torch.equal(left, right) if isinstance(left, torch.Tensor) else left == right
