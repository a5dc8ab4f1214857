"""One sample and one target: everything that a method needs to answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.explanation import Target, Values
from nnwidgets.explain.inputs import Slot
from nnwidgets.explain.outputs import OutputKind, Readout
from nnwidgets.explain.tokens import Piece, put_in_place

__all__ = ["Asked", "Scored", "Wiring"]


@dataclass(frozen=True, eq=False)
class Wiring:
    """How the arguments of a call are made of what is attributed and what goes along.

    Attributes
    ----------
    order
        For each argument of the model: its key (position or keyword), where its value comes from
        (``"input"``, ``"other"`` or ``"constant"``) and its number there.
    constants
        What is the same for all samples.
    pieces
        For each attributed input, where its parts take the place of an embedding's output; empty
        for one that is an argument itself.
    in_place
        Whether the model changes its arguments.
    """

    order: tuple[tuple[int | str, str, int], ...]
    constants: tuple[Any, ...]
    pieces: tuple[tuple[Piece, ...], ...]
    in_place: bool = False


class Scored(nn.Module):
    """The target's score as a function of what is attributed: ``model(*inputs, *others) -> (N,)``.

    Parameters
    ----------
    root
        The user's model (a private copy of it), the submodule ``root`` of this one.
    wiring
        How it is called.
    readout
        How the score is read from what it returns.

    Notes
    -----
    What goes along may have one row or as many as the inputs. A recurrent layer on a GPU runs as
    in training, without dropout, because cuDNN records no gradient otherwise; its numbers are the
    same.
    """

    def __init__(self, root: nn.Module, wiring: Wiring, readout: Readout) -> None:
        super().__init__()
        self.root = root
        self.wiring = wiring
        self.readout = readout
        self.training = False

    def forward(self, *values: Any) -> Tensor:
        """Return the score, (N,).

        Parameters
        ----------
        *values
            The attributed inputs, then what goes along.
        """
        score = self.readout.score(self.call(*values))
        inputs = values[: len(self.wiring.pieces)]
        if len(inputs) > 1 and score.requires_grad:
            # A gradient of zero for those that this score does not depend on: autograd would find
            # none, and raise.
            for value in inputs:
                score = score + torch.nan_to_num(value).reshape(len(value), -1)[:, :1].sum(1) * 0
        return score

    def probability(self, *values: Any) -> Tensor:
        """Return the target's probability, (N,), without a graph; the score if there is none."""
        with torch.no_grad():
            return self.readout.probability(self.call(*values))

    def call(self, *values: Any) -> Any:
        """Return what the model returns."""
        wiring = self.wiring
        inputs = values[: len(wiring.pieces)]
        rows = inputs[0].shape[0]
        others = [_as_many(other, rows) for other in values[len(wiring.pieces) :]]
        sources = {"input": inputs, "other": others, "constant": wiring.constants}
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for key, source, number in wiring.order:
            value = sources[source][number]
            if wiring.in_place:
                value = _cloned(value)
            if isinstance(key, int):
                args.append(value)
            else:
                kwargs[key] = value
        with put_in_place(self.root, wiring.pieces, inputs), _differentiable(self.root, inputs[0]):
            return self.root(*args, **kwargs)


def _as_many(value: Any, rows: int) -> Any:
    if isinstance(value, Tensor):
        same = value.shape[0] == rows or not value.dim()
        return value if same else value[:1].expand(rows, *value.shape[1:])
    if type(value) in (tuple, list):
        return type(value)(_as_many(item, rows) for item in value)
    return value


def _cloned(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if type(value) in (tuple, list):
        return type(value)(_cloned(item) for item in value)
    return value


@contextmanager
def _differentiable(root: nn.Module, like: Tensor) -> Iterator[None]:
    """Let cuDNN's recurrent layers record a gradient in evaluation mode."""
    changed: list[tuple[nn.RNNBase, bool, float]] = []
    try:
        if like.is_cuda:
            for module in root.modules():
                if isinstance(module, nn.RNNBase) and not module.training:
                    changed.append((module, module.training, module.dropout))
                    module.training, module.dropout = True, 0.0
        yield
    finally:
        for module, training, dropout in changed:
            module.training, module.dropout = training, dropout


@dataclass(frozen=True, eq=False)
class Asked:
    """One sample and one target.

    Attributes
    ----------
    model
        ``model(*inputs, *others)`` is the target's score, (N,), in the model's own units. The
        user's model is its submodule ``root``.
    inputs
        What is attributed, floating and detached, with one row. Of token ids the embedded tokens,
        (1, T, D).
    others
        What goes along (captum's ``additional_forward_args``), with one row.
    slots
        One for each of `inputs`.
    index
        Which sample.
    target
        The class, place or callable; None for the one output of a regression.
    output
        What the model's numbers are.
    form
        How the answer is given: ``"one"`` array, a ``"tuple"`` or a ``"dict"``.
    """

    model: Scored
    inputs: tuple[Tensor, ...]
    others: tuple[Any, ...]
    slots: tuple[Slot, ...]
    index: int
    target: Target
    output: OutputKind
    form: str = "one"
    _embed: Any = field(default=None, repr=False)

    @property
    def root(self) -> nn.Module:
        """The user's model (a private copy of it)."""
        return self.model.root

    def on(self, root: nn.Module) -> Asked:
        """Ask the same of another model of the same structure, such as one with other weights.

        Parameters
        ----------
        root
            In evaluation mode; tokens are embedded by its own embeddings.
        """
        inputs = self.inputs if self._embed is None else self._embed(root, self.index)
        model = Scored(root, self.model.wiring, self.model.readout)
        return replace(self, model=model, inputs=inputs)

    def class_probability(self, *inputs: Tensor) -> Tensor:
        """Return the target's probability for other values of the inputs, without a graph.

        Parameters
        ----------
        *inputs
            (N, …) each, as `inputs`; those themselves if left out.

        Returns
        -------
        Tensor
            (N,); for regression and callable targets the score.
        """
        return self.model.probability(*(inputs or self.inputs), *self.others)

    def shaped(self, values: Sequence[Tensor]) -> Values:
        """Bring attributions into the form that the user gets.

        Parameters
        ----------
        values
            One tensor for each of `inputs`, (1, …). Those of embedded tokens, (1, T, D), are
            summed over the features; what comes without them, (1, T), stays.

        Returns
        -------
        ndarray, tuple or dict
            Without the batch; of several inputs a tuple, of a dict sample a dict by keyword.
        """
        arrays = [self._plain(number, value) for number, value in enumerate(values)]
        if self.form == "dict":
            return {slot.name: array for slot, array in zip(self.slots, arrays, strict=True)}
        return arrays[0] if len(arrays) == 1 else tuple(arrays)

    def _plain(self, number: int, value: Tensor) -> NDArray[Any]:
        value = value.detach()[0]
        if value.dtype in (torch.bfloat16, torch.float16):
            value = value.float()
        if self.slots[number].integer and value.dim() > len(self.slots[number].shape):
            value = value.sum(-1)
        return np.array(value.cpu().numpy())  # a copy: the user's to change
