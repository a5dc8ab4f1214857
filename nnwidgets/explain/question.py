"""A model and the samples that it can be asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.asked import Asked, Scored, Wiring
from nnwidgets.explain.explanation import Target
from nnwidgets.explain.inputs import Arranged, Entry, Slot, arrange, one_of, rows_of
from nnwidgets.explain.outputs import (
    KINDS,
    OutputKind,
    Readout,
    checked_target,
    one_a_sample,
    output_kind,
    scored_part,
)
from nnwidgets.explain.tokens import Piece, embedded_calls, pieces_for, vectors_of
from nnwidgets.explain.watching import Watched, kind_of, run, watch
from nnwidgets.probe.outputs import parts
from nnwidgets.probe.refusal import Refusal

__all__ = ["Question"]

_FEW: Final = 4  # samples, to see what a model does with them


class Question:
    """A model and the samples that it can be asked about.

    Parameters
    ----------
    root
        A private module in evaluation mode. It is run once, on the first few samples.
    sample
        A tensor, a tuple (positional inputs) or a dict (keyword inputs); one row a sample in each.
    target_of
        Picks or builds the scores, (N,) or (N, classes), from what the model returns; None: the
        tensor named ``logits`` or the like, or the first with several numbers.
    binary
        Whether one number a sample is the logit of class 1 against class 0. None: not known; then
        it is a probability if a sigmoid made it, a logit if `classes` is 2, a quantity otherwise.
        A logit and a quantity cannot be told apart by looking at them.
    classes
        How many class names there are; None: not known.
    output
        One of `nnwidgets.explain.outputs.KINDS`, for what cannot be seen (several regression
        outputs look like logits).

    Attributes
    ----------
    root
        As given.
    count
        Samples.
    slots
        The inputs that are attributed.
    output
        What the model's numbers are.

    Raises
    ------
    Refusal
        If there is no sample, if nothing can be attributed, if the model raises, if its output
        holds no scores, or if these cannot be what was said of them.
    TypeError
        If the sample holds no tensor.
    """

    def __init__(
        self,
        root: nn.Module,
        sample: Any,
        *,
        target_of: Callable[[Any], Any] | None = None,
        binary: bool | None = None,
        classes: int | None = None,
        output: str | None = None,
    ) -> None:
        if output is not None and output not in KINDS:
            raise ValueError(f"output must be one of {', '.join(KINDS)}, not {output!r}")
        self.root = root
        self._arranged = arrange(sample)
        self._device = next((t.device for t in (*root.parameters(), *root.buffers())), None)
        few = range(min(self._arranged.count, _FEW))
        seen = watch(root, *self._call(few))
        self._arranged, seen = self._integers_as_numbers(self._arranged, seen, few)
        pieces = self._pieces(seen, few)
        self.slots, self._keys = _slots(self._arranged, seen, pieces)
        if not self.slots:
            names = ", ".join(entry.name for entry in self._arranged.with_role("ids"))
            raise Refusal("explain.ids_not_embedded", names=names)
        self._wiring = self._wired(pieces, seen.in_place)
        self._target_of = target_of
        self._part = 0 if target_of is not None else scored_part(seen.output, len(few))
        readout = Readout(OutputKind("other", 0, ()), self._part, target_of, None)
        scores = readout.scores(seen.output)
        if scores.shape[0] != len(few):
            raise Refusal("explain.output_batch", rows=str(scores.shape[0]), count=str(len(few)))
        self.output = output_kind(scores, binary=binary, classes=classes, given=output)

    @property
    def count(self) -> int:
        """How many samples there are."""
        return self._arranged.count

    @property
    def kind(self) -> str:
        """What the first attributed input is; see `nnwidgets.explain.inputs.Slot`."""
        return self.slots[0].kind

    def on(self, root: nn.Module) -> Question:
        """Ask the same of another private module of the same structure; it is not run.

        Parameters
        ----------
        root
            In evaluation mode.
        """
        other = object.__new__(Question)
        other.__dict__.update(self.__dict__)
        other.root = root
        return other

    def ask(self, index: int, target: Any = None) -> Asked:
        """Put a question.

        Parameters
        ----------
        index
            Which sample; negative ones count from the end.
        target
            A class; a place in the output, as many integers as it has axes besides the batch; a
            callable that takes what the model returns and gives one number a sample, (N,); None:
            the predicted class, of a regression the (first) output.

        Returns
        -------
        Asked

        Raises
        ------
        Refusal
            If there is no such sample or target, or if a callable gives something else.
        TypeError
            If index or target are nothing of the kind.
        """
        index = one_of(index, self.count)
        target = checked_target(target, self.output)
        if target is None:
            target = self._predicted(index)
        readout = Readout(self.output, self._part, self._target_of, target)
        inputs = self._inputs(self.root, (index,))
        asked = Asked(
            model=Scored(self.root, self._wiring, readout),
            inputs=inputs,
            others=self.others_of((index,)),
            slots=tuple(self._slot_of(slot, index) for slot in self.slots),
            index=index,
            target=target,
            output=self.output,
            form=self._arranged.form,
            _embed=self._embed if self._embeds else None,
        )
        if callable(target):
            self._try(target, index)
        return asked

    def scores(
        self, index: int, place: Sequence[int] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return what the model says of one sample.

        Parameters
        ----------
        index
            Which sample.
        place
            Where, if the output has more axes than the classes: a target of that form.

        Returns
        -------
        raw, probabilities
            (K,) each. Of one logit z: (−z, z); of one probability p: (1 − p, p); None for the
            probabilities of a regression.

        Raises
        ------
        Refusal
            If there is no such sample, or if a place is needed.
        """
        index = one_of(index, self.count)
        raw = self._scores((index,))[0].double()
        kind = self.output
        if kind.kind == "other":
            where = checked_target(tuple(place) if place is not None else 0, kind)
            assert isinstance(where, tuple)
            rest = where[1:] if kind.class_axis == 0 else where[:-1]
            raw = raw.movedim(kind.class_axis, -1)[rest]
        raw = raw.flatten()
        if kind.kind == "regression":
            return raw.cpu().numpy(), None
        if kind.kind == "logit":
            raw = torch.cat([-raw, raw])
            shares = raw.sigmoid()
        elif kind.kind == "probability":
            raw = shares = torch.cat([1 - raw, raw])
        elif kind.numbers == "probabilities":
            shares = raw
        else:
            shares = raw.exp() if kind.numbers == "log_probabilities" else raw.softmax(0)
        return raw.cpu().numpy(), shares.cpu().numpy()

    def inputs_of(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """Return the attributed inputs of some samples, (n, …) each; tokens embedded.

        Parameters
        ----------
        indices
            Which samples.
        """
        return self._inputs(self.root, [one_of(index, self.count) for index in indices])

    def others_of(self, indices: Sequence[int]) -> tuple[Any, ...]:
        """Return what goes along with some samples, (n, …) each.

        Parameters
        ----------
        indices
            Which samples.
        """
        places = [one_of(index, self.count) for index in indices]
        return tuple(self._rows(entry, places) for entry in self._others)

    # --- inside -----------------------------------------------------------------------------------

    @property
    def _others(self) -> tuple[Entry, ...]:
        roles = ("ids", "aside")
        return tuple(entry for entry in self._arranged.entries if entry.role in roles)

    @property
    def _embeds(self) -> bool:
        return any(self._wiring.pieces)

    def _rows(self, entry: Entry, indices: Sequence[int]) -> Any:
        count = self._arranged.count
        if entry.role == "constant":
            return entry.value
        return rows_of(entry.value, indices, count, self._device)

    def _call(self, indices: Sequence[int]) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for entry in self._arranged.entries:
            value = self._rows(entry, indices)
            if isinstance(entry.key, int):
                args.append(value)
            else:
                kwargs[entry.key] = value
        return args, kwargs

    def _integers_as_numbers(
        self, arranged: Arranged, seen: Watched, few: Sequence[int]
    ) -> tuple[Arranged, Watched]:
        """Attribute integers that are plain numbers, such as pixels from 0 to 255."""
        ids = arranged.with_role("ids")
        if seen.calls or arranged.with_role("input") or not ids:
            return arranged, seen
        entries = tuple(
            replace(entry, value=entry.value.float(), role="input") if entry in ids else entry
            for entry in arranged.entries
        )
        before = self._arranged
        self._arranged = replace(arranged, entries=entries)
        try:
            again = watch(self.root, *self._call(few))
        except Refusal:
            self._arranged = before
            return arranged, seen
        pairs = list(zip(parts(seen.output), parts(again.output), strict=False))
        same = all(
            isinstance(a.value, Tensor)
            and isinstance(b.value, Tensor)
            and a.value.shape == b.value.shape
            and a.value.dtype == b.value.dtype
            and torch.allclose(a.value.detach(), b.value.detach(), equal_nan=True)
            for a, b in pairs
        )
        if not same:
            self._arranged = before
            return arranged, seen
        return self._arranged, again

    def _pieces(self, seen: Watched, few: Sequence[int]) -> dict[int | str, tuple[Piece, ...]]:
        ids = self._arranged.with_role("ids")
        found = pieces_for([self._rows(entry, few) for entry in ids], seen.calls)
        return {entry.key: mine for entry, mine in zip(ids, found, strict=True) if mine}

    def _wired(self, pieces: dict[int | str, tuple[Piece, ...]], in_place: bool) -> Wiring:
        others = {entry.key: number for number, entry in enumerate(self._others)}
        inputs = {key: number for number, key in enumerate(self._keys)}
        constants = self._arranged.with_role("constant")
        order: list[tuple[int | str, str, int]] = []
        for entry in self._arranged.entries:
            if entry.role == "constant":
                order.append((entry.key, "constant", constants.index(entry)))
            elif entry.role == "input":
                order.append((entry.key, "input", inputs[entry.key]))
            else:
                order.append((entry.key, "other", others[entry.key]))
        return Wiring(
            order=tuple(order),
            constants=tuple(entry.value for entry in constants),
            pieces=tuple(pieces.get(key, ()) for key in self._keys),
            in_place=in_place,
        )

    def _embed(self, root: nn.Module, index: int) -> tuple[Tensor, ...]:
        return self._inputs(root, (index,))

    def _inputs(self, root: nn.Module, indices: Sequence[int]) -> tuple[Tensor, ...]:
        entries = {entry.key: entry for entry in self._arranged.entries}
        calls: list[Any] = []
        if self._embeds:
            with torch.no_grad(), embedded_calls(root) as calls:
                run(root, *self._call(indices))
        inputs = []
        for key, pieces in zip(self._keys, self._wiring.pieces, strict=True):
            rows = self._rows(entries[key], indices)
            if pieces:
                rows = vectors_of(pieces, calls, rows.shape)
                if rows is None:
                    raise Refusal("explain.embedding_missed", name=str(key))
            inputs.append(rows.detach())
        return tuple(inputs)

    def _slot_of(self, slot: Slot, index: int) -> Slot:
        ids = slot.token_ids
        return slot if ids is None else replace(slot, token_ids=ids[index])

    def _scores(self, indices: Sequence[int]) -> Tensor:
        readout = Readout(self.output, self._part, self._target_of, None)
        with torch.no_grad():
            return readout.scores(run(self.root, *self._call(indices))).detach()

    def _predicted(self, index: int) -> Target:
        kind = self.output
        if kind.kind == "other":
            shape = "×".join(map(str, kind.shape))
            raise Refusal("explain.target_place", shape=shape, axes=str(len(kind.shape)))
        if kind.kind == "regression":
            return 0 if kind.classes > 1 else None
        raw, _ = self.scores(index)
        return int(np.nan_to_num(raw, nan=-np.inf).argmax())

    def _try(self, target: Callable[[Any], Any], index: int) -> None:
        with torch.no_grad():
            output = run(self.root, *self._call((index,)))
            try:
                score = one_a_sample(target(output))
            except Refusal:
                raise
            except Exception as problem:
                why = f"{type(problem).__name__}: {problem}"[:200]
                raise Refusal("explain.target_raised", problem=why) from problem
        if score.shape[0] != 1:
            raise Refusal("explain.target_callable", got=str(score.shape[0]))


def _slots(
    arranged: Arranged, seen: Watched, pieces: dict[int | str, tuple[Piece, ...]]
) -> tuple[tuple[Slot, ...], tuple[int | str, ...]]:
    slots: list[Slot] = []
    keys: list[int | str] = []
    for entry in arranged.entries:
        if entry.role == "input":
            shape = tuple(entry.value.shape[1:])
            kind, axis = kind_of(shape, seen.taken.get(entry.key), entry.name)
            slots.append(Slot(entry.name, kind, shape, channel_axis=axis))
            keys.append(entry.key)
        elif entry.key in pieces:
            ids = entry.value
            columns = {piece.module for piece in pieces[entry.key] if piece.column is not None}
            kind = "table" if len(columns) > 1 else "tokens"
            array = ids.cpu().numpy().astype(np.int64)
            slots.append(Slot(entry.name, kind, tuple(ids.shape[1:]), array, integer=True))
            keys.append(entry.key)
    return tuple(slots), tuple(keys)
