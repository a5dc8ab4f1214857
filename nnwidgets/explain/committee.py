"""Committees: several models that could all be true, from one that was trained.

P(y|x) = ∫ P(y|x, w) P(w) dw is taken as a mean over members. Each way of getting them gives the
same thing: a number of members, each of which is a module for as long as it is entered. So whoever
draws a surface can ask a member point by point, in whatever order, and it stays the same function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["Answer", "Committee", "Ensemble", "holding", "member_answers", "set_aside"]

Answer = Callable[[nn.Module], ArrayLike]
"""What a module says of the points in question: probabilities (n, classes) or values (n, outputs).
"""


class Committee(Protocol):
    """Some models that could all be true."""

    @property
    def count(self) -> int:
        """How many members there are."""

    @property
    def notes(self) -> tuple[Words, ...]:
        """What is to be said of how they were made, as keys of the catalogue."""

    def member(self, index: int) -> AbstractContextManager[nn.Module]:
        """Give a member, to be run until it is left; what was changed for it is put back then."""


class Ensemble:
    """A given list of models, which is the whole committee.

    Parameters
    ----------
    models
        Private copies; run in evaluation mode, which is put back.

    Raises
    ------
    Refusal
        If there are fewer than two: one model cannot disagree with itself.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        if len(models) < 2:
            raise Refusal("explain.uncertainty.one_member", count=str(len(models)))
        self._models = tuple(models)

    @property
    def count(self) -> int:
        """How many models there are."""
        return len(self._models)

    @property
    def notes(self) -> tuple[Words, ...]:
        """Nothing is to be said."""
        return ()

    @contextmanager
    def member(self, index: int) -> Iterator[nn.Module]:
        """Give one of the models, in evaluation mode."""
        model = self._models[index]
        with evaluating(model):
            yield model


def member_answers(
    committee: Committee,
    answer: Answer,
    *,
    check: Callable[[], None] = lambda: None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> NDArray[np.float64]:
    """Ask each member.

    Parameters
    ----------
    committee
        Whom.
    answer
        Runs a module and reads its answer: (n, classes) probabilities, or (n,) or (n, outputs).
    check
        Called before each member; raises to stop.
    progress
        Told the share that is done after each.

    Returns
    -------
    ndarray
        (members, n, …), float64: for `nnwidgets.explain.uncertainty`.

    Raises
    ------
    Refusal
        If the members' answers have different shapes: they are models of different questions.
    """
    found: list[NDArray[np.float64]] = []
    for index in range(committee.count):
        check()
        with committee.member(index) as module, torch.no_grad():
            given: Any = answer(module)
        if isinstance(given, Tensor):
            given = given.detach().double().cpu().numpy()
        # A copy: a module may give out the same memory again.
        one = np.array(given, np.float64)
        if found and one.shape != found[0].shape:
            raise Refusal(
                "explain.uncertainty.shapes",
                index=str(index),
                shape=_size(one.shape),
                first=_size(found[0].shape),
            )
        found.append(one)
        progress((index + 1) / committee.count)
    return np.stack(found)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put all modules in evaluation mode, and each back to the mode it was in."""
    before = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def set_aside(model: nn.Module) -> Iterator[None]:
    """Put back, bit by bit, all parameters, buffers and modes of a model when this is left.

    The tensors stay the same objects, so that what else holds them sees them put back too.
    """
    before: list[tuple[dict[str, Any], str, Any, Tensor | None]] = []
    modes = [(module, module.training) for module in model.modules()]
    for module, _ in modes:
        for table in (module._parameters, module._buffers):
            for name, value in table.items():
                kept = None if value is None else value.detach().clone()
                before.append((table, name, value, kept))
    try:
        yield
    finally:
        with torch.no_grad():
            for table, name, value, kept in before:
                table[name] = value
                if value is not None and kept is not None:
                    value.detach().copy_(kept)
        for module, training in modes:
            module.training = training


@contextmanager
def holding(values: Sequence[tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Let tensors have other values until this is left; each is put back bit by bit."""
    before = [(tensor, tensor.detach().clone()) for tensor, _ in values]
    try:
        with torch.no_grad():
            for tensor, value in values:
                tensor.detach().copy_(value)
        yield
    finally:
        with torch.no_grad():
            for tensor, kept in before:
                tensor.detach().copy_(kept)


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"
