"""Token ids: which embedding they go through, and how other vectors take its output's place.

Integers have no gradient; the vectors that a model looks up for them have. The model is watched
once: every call of an ``nn.Embedding`` whose ids are an integer input, its transpose or one of its
columns belongs to that input. An ``nn.EmbeddingBag`` over rows of ids is an embedding and a
pooling: the vectors are those before the pooling, which is done here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "Embedded",
    "Piece",
    "embedded_calls",
    "looked_up",
    "pieces_for",
    "put_in_place",
    "vectors_of",
]

_EMBEDDINGS: Final = (nn.Embedding, nn.EmbeddingBag)


@dataclass(frozen=True)
class Piece:
    """A call of an embedding that an input goes through.

    Attributes
    ----------
    module
        Name of the embedding.
    call
        Which of its calls in a forward pass.
    start, width
        Which features of the input's vectors are this call's.
    column
        Which token this call looked up, if only one.
    turned
        Whether the call had the tokens before the samples.
    """

    module: str
    call: int
    start: int
    width: int
    column: int | None = None
    turned: bool = False

    def output(self, vectors: Tensor, like: Tensor) -> Tensor:
        """Return what the call is to return: this piece's share of vectors (N, …, D)."""
        mine = vectors[..., self.start : self.start + self.width]
        if self.column is not None:
            mine = mine[:, self.column]
        elif self.turned:
            mine = mine.transpose(0, 1)
        return mine.reshape(like.shape).to(like.dtype)

    def vectors(self, output: Tensor, shape: Sequence[int]) -> Tensor:
        """Return what the call returned as vectors: (N, …, width), of one column (N, width)."""
        if self.column is not None:
            return output.reshape(shape[0], self.width)
        if self.turned:
            output = output.transpose(0, 1)
        return output.reshape(*shape, self.width)


@dataclass(frozen=True, eq=False)
class Embedded:
    """One call of an embedding in a forward pass.

    Attributes
    ----------
    module, call
        Which.
    ids
        What was looked up.
    output
        What came out.
    """

    module: str
    call: int
    ids: Tensor
    output: Tensor


def looked_up(module: nn.Module, ids: Tensor) -> Tensor:
    """Return the vectors that an embedding has for ids: (*ids.shape, D), before any pooling."""
    if isinstance(module, nn.EmbeddingBag):
        return F.embedding(ids, module.weight)
    vectors: Tensor = module(ids)
    return vectors


def _pooled(module: nn.EmbeddingBag, vectors: Tensor, ids: Tensor) -> Tensor:
    """Pool vectors (N, T, D) as the bag pools those of its own; padding is left out."""
    counts = torch.ones_like(ids, dtype=torch.bool)
    if module.padding_idx is not None:
        counts = ids != module.padding_idx
    kept = counts[..., None]
    if module.mode == "max":
        highest = vectors.masked_fill(~kept, -torch.inf).amax(1)
        return torch.where(kept.any(1), highest, 0.0)
    total = torch.where(kept, vectors, 0.0).sum(1)
    return total if module.mode == "sum" else total / kept.sum(1).clamp(min=1)


@contextmanager
def embedded_calls(root: nn.Module) -> Iterator[list[Embedded]]:
    """Give a list that fills with the calls of embeddings, in order, while the model runs."""
    seen: list[Embedded] = []
    counts: dict[str, int] = {}
    handles = []

    def watch(name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            call = counts[name] = counts.get(name, -1) + 1
            if args and isinstance(args[0], Tensor) and isinstance(output, Tensor):
                if isinstance(module, nn.EmbeddingBag):
                    if args[0].dim() != 2 or len(args) > 2:
                        return  # rows laid end to end, or weighed: no tokens of one sample
                    output = looked_up(module, args[0])
                seen.append(Embedded(name, call, args[0].detach().clone(), output.detach().clone()))

        return hook

    try:
        for name, module in root.named_modules():
            if isinstance(module, _EMBEDDINGS):
                handles.append(module.register_forward_hook(watch(name)))
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def pieces_for(
    inputs: Sequence[Tensor], calls: Sequence[Embedded]
) -> tuple[tuple[Piece, ...], ...]:
    """Return which calls each integer input goes through.

    Parameters
    ----------
    inputs
        Integer inputs, (N, …), as the model got them.
    calls
        What was seen when it did.

    Returns
    -------
    tuple
        For each input its pieces, in order of the calls; none where no embedding takes it.

    Notes
    -----
    Where two inputs hold the same ids, the calls are dealt out in order, one to each.
    """
    dealt: list[list[Embedded]] = [[] for _ in inputs]
    columns: list[list[tuple[Embedded, int]]] = [[] for _ in inputs]
    for seen in calls:
        whole = [n for n, ids in enumerate(inputs) if _same(ids, seen.ids) or _turned(ids, seen)]
        if whole:
            dealt[min(whole, key=lambda n: len(dealt[n]))].append(seen)
            continue
        for number, ids in enumerate(inputs):
            # A table's columns have an embedding each, or one embedding goes along the tokens.
            column = _column(ids, seen, {at for _, at in columns[number]})
            if column is not None:
                columns[number].append((seen, column))
                break
    return tuple(
        _whole_pieces(ids, mine) if mine else _column_pieces(ids, single)
        for ids, mine, single in zip(inputs, dealt, columns, strict=True)
    )


def _same(ids: Tensor, other: Tensor) -> bool:
    return ids.shape == other.shape and bool((ids == other).all())


def _turned(ids: Tensor, seen: Embedded) -> bool:
    return ids.dim() == 2 and _same(ids.t(), seen.ids)


def _column(ids: Tensor, seen: Embedded, taken: set[int]) -> int | None:
    if ids.dim() != 2 or seen.ids.numel() != ids.shape[0]:
        return None
    flat = seen.ids.flatten()
    fitting = [at for at in range(ids.shape[1]) if bool((ids[:, at] == flat).all())]
    return next((at for at in fitting if at not in taken), fitting[0] if fitting else None)


def _whole_pieces(ids: Tensor, calls: Sequence[Embedded]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for seen in calls:
        before = next((piece for piece in pieces if piece.module == seen.module), None)
        # The same vectors once more (a tied decoder) are not attributed twice.
        end = max((piece.start + piece.width for piece in pieces), default=0)
        start = before.start if before else end
        width = seen.output.shape[-1]
        turned = not _same(ids, seen.ids)
        pieces.append(Piece(seen.module, seen.call, start, width, None, turned))
    return tuple(pieces)


def _column_pieces(ids: Tensor, calls: Sequence[tuple[Embedded, int]]) -> tuple[Piece, ...]:
    if ids.dim() != 2 or len({column for _, column in calls}) != ids.shape[1]:
        return ()  # some of the columns go elsewhere: they could not be attributed
    pieces: list[Piece] = []
    for seen, column in calls:
        mine = [piece for piece in pieces if piece.column == column]
        start = max((piece.start + piece.width for piece in mine), default=0)
        pieces.append(Piece(seen.module, seen.call, start, seen.output.shape[-1], column))
    return tuple(pieces)


def vectors_of(
    pieces: Sequence[Piece], calls: Sequence[Embedded], shape: Sequence[int]
) -> Tensor | None:
    """Return the vectors of one input, as its embeddings gave them.

    Parameters
    ----------
    pieces
        Of the input.
    calls
        Of a run.
    shape
        Of the ids in that run.

    Returns
    -------
    Tensor or None
        (*shape, D); features that a token's own embedding lacks are zero. None if a call is
        missing.
    """
    outputs = {(seen.module, seen.call): seen.output for seen in calls}
    if any((piece.module, piece.call) not in outputs for piece in pieces):
        return None
    first = outputs[pieces[0].module, pieces[0].call]
    depth = max(piece.start + piece.width for piece in pieces)
    vectors = torch.zeros(*shape, depth, dtype=first.dtype, device=first.device)
    for piece in pieces:
        part = piece.vectors(outputs[piece.module, piece.call], shape)
        features = slice(piece.start, piece.start + piece.width)
        if piece.column is None:
            vectors[..., features] = part
        else:
            vectors[:, piece.column, features] = part
    return vectors


@contextmanager
def put_in_place(
    root: nn.Module, pieces: Sequence[Sequence[Piece]], inputs: Sequence[Tensor]
) -> Iterator[None]:
    """Let embeddings return the given vectors while the model runs.

    Parameters
    ----------
    root
        The model.
    pieces
        For each input its pieces; none for what is no token ids.
    inputs
        (N, …, D) for those that have pieces.
    """
    wanted: dict[str, dict[int, tuple[Piece, Tensor]]] = {}
    for mine, vectors in zip(pieces, inputs, strict=True):
        for piece in mine:
            wanted.setdefault(piece.module, {})[piece.call] = piece, vectors
    if not wanted:
        yield
        return
    counts: dict[str, int] = {}
    handles = []

    def instead(name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
            call = counts[name] = counts.get(name, -1) + 1
            if call not in wanted[name]:
                return None
            piece, vectors = wanted[name][call]
            if isinstance(module, nn.EmbeddingBag):
                mine = vectors[..., piece.start : piece.start + piece.width]
                return _pooled(module, mine, args[0]).to(output.dtype)
            return piece.output(vectors, output)

        return hook

    try:
        for name in wanted:
            handles.append(root.get_submodule(name).register_forward_hook(instead(name)))
        yield
    finally:
        for handle in handles:
            handle.remove()
