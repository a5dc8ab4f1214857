"""Rows of packed sequences, told apart by sample and time step.

In a packed sequence all first steps stand before all second ones, the longest sequence first. A
recurrent layer returns such a sequence as a whole; a linear layer on its ``.data`` returns a plain
tensor whose rows are the same steps in the same order, and nothing in it says so. Which layers
those are is seen in one run: the tensor that a layer is given is the data of a packed sequence, or
what another such layer made of it.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nnwidgets.probe.contributions import Contributions, contributions
from nnwidgets.probe.look import Call, call_arguments, copied
from nnwidgets.probe.tensors import tensors_in
from nnwidgets.probe.units import Unit, UnitError, as_unit, main_tensor, unit_words

__all__ = [
    "PackedRows",
    "as_packed",
    "first_packed",
    "packed_contributions",
    "packed_layers",
    "place_in_rows",
    "rows_of",
]


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Which row belongs to which sample and time step.

    Attributes
    ----------
    sizes
        How many sequences are that long, for each time step.
    places
        Where each sample stands in the order by length; None where that is its own order.
    """

    sizes: tuple[int, ...]
    places: tuple[int, ...] | None

    @property
    def count(self) -> int:
        """How many samples there are."""
        return self.sizes[0]

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(self.sizes)

    @property
    def ragged(self) -> bool:
        """Whether the sequences have several lengths."""
        return self.sizes[0] != self.sizes[-1]

    def of_sample(self, sample_index: int) -> list[int]:
        """Return the rows of one sample, one for each of its steps.

        Raises
        ------
        UnitError
            If there is no such sample.
        """
        if not 0 <= sample_index < self.count:
            raise UnitError("probe.unit.sample", index=str(sample_index), count=str(self.count))
        place = sample_index if self.places is None else self.places[sample_index]
        begins = accumulate(self.sizes, initial=0)
        return [
            begin + place for begin, size in zip(begins, self.sizes, strict=False) if size > place
        ]

    @staticmethod
    def of(sequences: PackedSequence) -> PackedRows:
        """Read them off a packed sequence."""
        order = sequences.unsorted_indices
        places = None if order is None else tuple(order.tolist())
        return PackedRows(tuple(sequences.batch_sizes.tolist()), places)

    def packed(self, data: Tensor) -> PackedSequence:
        """Return rows as the packed sequence that they are."""
        sizes = torch.tensor(self.sizes)
        if self.places is None:
            return PackedSequence(data, sizes)
        unsorted = torch.tensor(self.places, device=data.device)
        return PackedSequence(data, sizes, unsorted.argsort(), unsorted)


def rows_of(call: Call, known: PackedRows | None = None) -> PackedRows | None:
    """Return how the rows of a call's output are packed; None where they are no packed rows.

    Parameters
    ----------
    call
        Of a layer.
    known
        What `packed_layers` said of the layer.
    """
    sequences = first_packed(call.output)
    if sequences is not None:
        return PackedRows.of(sequences)
    if known is None or not isinstance(call.output, Tensor) or len(call.output) != known.total:
        return None
    return known


def as_packed(call: Call, known: PackedRows | None) -> Call:
    """Return a call with its output as the packed sequence that it is, if it is one."""
    rows = None if first_packed(call.output) is not None else rows_of(call, known)
    return call if rows is None else replace(call, output=rows.packed(call.output))


def packed_layers(model: nn.Module, sample: Any) -> dict[str, PackedRows]:
    """Return the layers whose outputs are rows of a packed sequence without saying so.

    Parameters
    ----------
    model
        A private copy; run once, unless nothing in it could take a packed sequence.
    sample
        See `nnwidgets.probe.look.call_arguments`.
    """
    arguments = call_arguments(sample)
    given = any(isinstance(v, PackedSequence) for v in (*arguments[0], *arguments[1].values()))
    if not given and not any(isinstance(module, nn.RNNBase) for module in model.modules()):
        return {}
    watch = _Watch(model)
    try:
        args, kwargs = copied(arguments)
        with torch.no_grad():
            model(*args, **kwargs)
    except Exception:  # told of by whoever looks at the layers
        return {}
    finally:
        watch.close()
    return watch.found


@dataclass(eq=False)
class _Made:
    """One call of a layer: what it returned, of what, and whether those are packed rows."""

    output: weakref.ref[Tensor]
    given: Tensor | None
    rows: PackedRows | None


class _Watch:
    """Follows the data of packed sequences from layer to layer."""

    def __init__(self, model: nn.Module) -> None:
        self._calls: dict[str, list[_Made | None]] = {}  # None: it returned something else
        self._made: dict[int, _Made] = {}
        self._known: dict[int, tuple[weakref.ref[Tensor], PackedRows]] = {}
        self._ragged: dict[int, PackedRows] = {}  # by how many rows there are
        self._handles: list[Any] = []
        for name, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            before = module.register_forward_pre_hook(self._before, with_kwargs=True)
            after = module.register_forward_hook(self._after(name), with_kwargs=True)
            self._handles += [before, after]

    @property
    def found(self) -> dict[str, PackedRows]:
        """The layers all of whose calls returned rows."""
        return {
            name: rows[0]
            for name, calls in self._calls.items()
            if (rows := [call.rows for call in calls if call is not None and call.rows is not None])
            and len(rows) == len(calls)
            and all(one.sizes == rows[0].sizes and one.places == rows[0].places for one in rows)
        }

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        for value in (*args, *kwargs.values()):
            if isinstance(value, PackedSequence):
                self._learn(value.data, PackedRows.of(value))

    def _after(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            calls = self._calls.setdefault(name, [])
            sequences = first_packed(output)
            if sequences is not None:
                self._learn(sequences.data, PackedRows.of(sequences))
            packed = any(isinstance(v, PackedSequence) for v in (*args, *kwargs.values()))
            if not isinstance(output, Tensor) or not output.dim() or packed:
                calls.append(None)
                return
            given = next(tensors_in((args, kwargs)), None)
            rows = None if given is None else self._rows(given)
            rows = None if rows is None or len(output) != rows.total else rows
            made = _Made(weakref.ref(output), given, rows)
            calls.append(made)
            known = self._made.get(id(output))  # of another that is gone, or of a layer inside
            if known is None or known.output() is not output:
                self._made[id(output)] = made
            if rows is not None:
                self._learn(output, rows)

        return hook

    def _learn(self, data: Tensor, rows: PackedRows) -> None:
        self._known[id(data)] = weakref.ref(data), rows
        if rows.ragged:
            self._ragged[rows.total] = rows
        # What made it was run before anybody said that it is packed: an embedding of its tokens.
        made = self._made.get(id(data))
        while made is not None and made.rows is None and made.output() is data:
            made.rows = rows
            if made.given is None or len(made.given) != rows.total:
                break
            data, made = made.given, self._made.get(id(made.given))

    def _rows(self, given: Tensor) -> PackedRows | None:
        for tensor in (given, given._base):
            known = self._known.get(id(tensor))
            if known is not None and known[0]() is tensor:
                return known[1] if given.dim() and len(given) == known[1].total else None
        # An operation between the layers has made another tensor of it. Sequences of several
        # lengths have as many rows as nothing else in a model.
        return self._ragged.get(len(given)) if given.dim() > 1 else None


def first_packed(output: Any) -> PackedSequence | None:
    """Return the packed sequence in what a module returned, None if there is none."""
    parts = (output,) if isinstance(output, PackedSequence) else output
    if type(parts) is not tuple:
        return None
    return next((part for part in parts if isinstance(part, PackedSequence)), None)


def place_in_rows(
    rows: PackedRows, call: Call, sample_index: int, unit: Unit
) -> tuple[tuple[int, ...], int, Unit]:
    """Return a unit of a sample, and sample and unit that it is in the plain tensor of rows.

    Parameters
    ----------
    rows, call
        See `rows_of`.
    sample_index
        Which sample.
    unit
        (time step of the sample, feature); negative indices count from the end.

    Raises
    ------
    UnitError
        If there is no such sample or unit.
    """
    indices = as_unit(unit)
    own = rows.of_sample(sample_index)
    inner = (len(own), *main_tensor(call.output).shape[1:])
    words = "×".join(map(str, inner))
    if len(indices) != len(inner):
        given = unit_words(indices) if indices else "()"
        raise UnitError("probe.unit.dims", unit=given, shape=words, count=str(len(inner)))
    whole = tuple(i + n if i < 0 else i for i, n in zip(indices, inner, strict=True))
    if any(not 0 <= i < n for i, n in zip(whole, inner, strict=True)):
        raise UnitError("probe.unit.range", unit=unit_words(indices), shape=words)
    row = own[whole[0]]
    if first_packed(call.output) is not None:  # which has no batch: its rows are part of the unit
        return whole, sample_index, (row, *whole[1:])
    return whole, row, whole[1:]


def packed_contributions(
    module: nn.Module, call: Call, rows: PackedRows, sample_index: int, unit: Unit
) -> Contributions:
    """Return the terms of one unit of one sample: see `nnwidgets.probe.contributions`.

    Parameters
    ----------
    module, call
        As there.
    rows
        See `rows_of`.
    sample_index
        Which sample.
    unit
        (time step of the sample, feature).

    Raises
    ------
    Refusal
        As there.
    """
    if first_packed(call.output) is not None:
        return contributions(module, call, sample_index, unit)  # which says why there are none
    whole, row, inside = place_in_rows(rows, call, sample_index, unit)
    found = contributions(module, call, row, inside)
    inputs = found.inputs
    if not isinstance(module, (nn.Embedding, nn.EmbeddingBag)):  # whose inputs are their entries
        inputs = np.insert(inputs, 0, whole[0], axis=1)
    return replace(found, unit=whole, inputs=inputs)
