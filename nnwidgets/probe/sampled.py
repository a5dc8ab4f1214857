"""Samples of a run as tables, and what every rule that judges them asks of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # its module imports torch, which judging numbers does not need
    from nnwidgets.probe.layers import LayerRow, LayerSample

__all__ = [
    "AGREEING", "Floats", "called", "gradient_chain", "known", "largest", "near_the_loss", "since",
    "table",
]  # fmt: skip

Floats = NDArray[np.float64]

AGREEING: Final = 5
"""Samples that have to agree."""


def table(samples: Sequence[LayerSample], what: str) -> Floats:
    """Return one quantity as samples × rows; infinities count as unknown."""
    table = np.array([getattr(s, what) for s in samples], dtype=np.float64)
    table[np.isinf(table)] = np.nan
    return table


def gradient_chain(rows: Sequence[LayerRow], norms: Floats) -> list[int]:
    """Return the layers whose gradients can be compared over depth.

    Those that transform and were seen in every recent sample. Normalisation layers and embeddings
    have gradients of another size by nature.
    """
    seen = np.all(np.isfinite(norms[-AGREEING:]), axis=0).tolist()

    def plain(row: LayerRow) -> bool:
        kind = row.type.lower()
        return not row.frozen and "norm" not in kind and "embedding" not in kind

    return [i for i, row in enumerate(rows) if seen[i] and plain(row)]


def near_the_loss(recent: Floats) -> tuple[Floats, int]:
    """Return the norms and the place of the usual layer among the last third of them."""
    size = max(1, recent.shape[1] // 3)
    typical = np.median(recent[:, -size:], axis=0)
    at = recent.shape[1] - size + int(np.argsort(typical)[size // 2])
    return recent[:, at], at


def known(column: Floats) -> Floats:
    """Return the values of a column that are known."""
    return column[~np.isnan(column)]


def largest(values: Floats, among: Sequence[int]) -> int | None:
    """Return where a value is largest, None where all are unknown."""
    known = [i for i in among if not np.isnan(values[i])]
    return max(known, key=lambda i: values[i], default=None)


def since(condition: NDArray[np.bool_]) -> int:
    """Return from which sample on a condition has held without a break."""
    broken: Iterator[int] = (i for i in range(len(condition) - 1, -1, -1) if not condition[i])
    return min(next(broken, -1) + 1, len(condition) - 1)


def called(row: LayerRow) -> str:
    """Return a layer as it is written in a sentence: ``fc1 (Linear)``; the model has no name."""
    return f"{row.name} ({row.type})" if row.name else row.type
