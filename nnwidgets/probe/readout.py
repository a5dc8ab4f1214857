"""What a model's result says: its scores, and whether they are classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.units import UnitError, as_unit, samples_first

__all__ = ["Readout", "model_output", "read_out", "score_index"]

_CLASSES: Final = 100_000  # more columns than any vocabulary are no classes


@dataclass(frozen=True, eq=False)
class Readout:
    """The outputs of a model as a table.

    Attributes
    ----------
    values
        float64, shape (samples, outputs): probabilities, or what the model gave.
    how
        ``"softmax"`` (was applied to the outputs), ``"log_softmax"`` (the outputs were
        log-probabilities, undone), ``"probabilities"`` (the model gave them) or ``"given"``.
    where
        ``"last"`` if the table is of the last of several tokens, ``"mean"`` if each number is the
        mean over the positions of a map, else ``""``.
    """

    values: NDArray[np.float64]
    how: str
    where: str

    @property
    def classes(self) -> bool:
        """Whether the outputs are taken for the probabilities of classes."""
        return self.how != "given"

    def words(self) -> Words:
        """Return a sentence that says what the numbers are."""
        return f"probe.readout.{self.how}{'_' + self.where if self.where else ''}", {}


def model_output(result: Any) -> Tensor:
    """Return the tensor that a model's result is about.

    Among named outputs, ``logits``; else the first tensor of numbers that is not a single one (the
    loss that comes first in the outputs of ``transformers``); else the first.

    Raises
    ------
    Refusal
        If the model returned no tensor of numbers.
    """
    if isinstance(result, Mapping) and isinstance(result.get("logits"), Tensor):
        return result["logits"]  # type: ignore[no-any-return]
    named = getattr(result, "logits", None)
    if isinstance(named, Tensor):
        return named
    found = [t for t in tensors_in(result) if t.dtype.is_floating_point]
    if not found:
        raise Refusal("probe.readout.none")
    return next((t for t in found if t.dim() > 0), found[0])


def score_index(
    output: Tensor, sample_index: int, target: int | tuple[int, ...] | None
) -> tuple[int, ...]:
    """Return where in a model's output the score stands that is asked about.

    Parameters
    ----------
    output
        See `model_output`; the first dimension is the batch (one dimension: one score a sample).
    sample_index
        Of the batch.
    target
        Index of the score without the batch. An int for several tokens is a class at the last one;
        None is the largest score of the sample (of its last token).

    Raises
    ------
    UnitError
        If there is no such sample or target.
    """
    if output.dim() == 0:
        return ()
    if not 0 <= sample_index < output.shape[0]:
        raise UnitError("probe.unit.sample", index=str(sample_index), count=str(output.shape[0]))
    scores = output.detach()[sample_index]
    if target is None:
        if scores.dim() == 2 and scores.numel():  # tokens × vocabulary
            return (sample_index, scores.shape[0] - 1, int(scores[-1].argmax()))
        if scores.numel() == 0:
            raise Refusal("probe.readout.none")
        best = np.unravel_index(int(scores.argmax()), tuple(scores.shape)) if scores.dim() else ()
        return (sample_index, *(int(i) for i in best))
    wanted = as_unit(target)
    if len(wanted) == 1 and scores.dim() == 2:
        wanted = (scores.shape[0] - 1, *wanted)
    shape = tuple(scores.shape)
    whole = tuple(i + n if i < 0 else i for i, n in zip(wanted, shape, strict=False))
    fits = len(wanted) == len(shape)
    if not fits or any(not 0 <= i < n for i, n in zip(whole, shape, strict=True)):
        words = "×".join(map(str, shape)) or "1"
        raise UnitError("probe.readout.target", target=str(target), shape=words)
    return (sample_index, *whole)


def read_out(
    result: Any, *, inputs: Any = None, how: str | None = None, model: nn.Module | None = None
) -> Readout:
    """Return a model's result as a table, as probabilities where it looks like classes.

    Taken for classes: two or more columns that are not shaped like the input (as the output of an
    autoencoder is). A model of several real numbers cannot be told from a classifier by its
    outputs; `Readout.words` says what was done with them.

    Parameters
    ----------
    result
        What the model returned.
    inputs
        What it was given.
    how
        Read it this way (see `Readout`) instead of finding out.
    model
        What returned it: tells which dimension counts the samples. Without it, the first.

    Raises
    ------
    Refusal
        If there is no tensor of numbers.
    """
    output = model_output(result).detach()
    first = output if model is None else samples_first(model, output)
    values = first.to("cpu", torch.float64)
    rebuilt = any(t.shape == output.shape for t in tensors_in(inputs))
    where = ""
    if values.dim() < 2:
        values = values.reshape(-1, 1)
    elif values.dim() == 3:
        values, where = values[:, -1], "last"
    elif values.dim() > 3:
        values, where, rebuilt = values.flatten(2).mean(2), "mean", True
    table = values.numpy()
    if how is None:
        classes = not rebuilt and 2 <= table.shape[1] <= _CLASSES
        how = _kind(table) if classes else "given"
    if how == "softmax" and table.size:
        with np.errstate(invalid="ignore"):
            shifted = np.exp(table - table.max(axis=1, keepdims=True))
            table = shifted / shifted.sum(axis=1, keepdims=True)
    elif how == "log_softmax":
        table = np.exp(table)
    return Readout(table, how, where)


def _kind(table: NDArray[np.float64]) -> str:
    """Tell logits, probabilities and log-probabilities apart by what their rows sum to."""
    if not table.size or not np.isfinite(table).all():
        return "given"
    near = 1e-2  # half precision over many classes
    if (table >= 0).all() and np.abs(table.sum(axis=1) - 1).max() < near:
        return "probabilities"
    if (table <= 1e-6).all() and np.abs(np.exp(table).sum(axis=1) - 1).max() < near:
        return "log_softmax"
    return "softmax"
