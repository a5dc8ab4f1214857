"""A history as plain bytes and numbers: what a checkpoint keeps, and what a copy is made from.

Only built-in types, so that ``torch.load`` reads it with ``weights_only=True``, and one columnar
table, so that what a newer version knows of a history (extremes, pyramids) is worked out anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .pending import Batch, Part

__all__ = ["pack", "unpack"]

_VERSION: Final = 1

Rows = slice | NDArray[np.uint32]


def pack(
    steps: NDArray[Any],
    times: NDArray[np.float64],
    series: Mapping[str, tuple[Rows, NDArray[np.float64]]],
    logged: int,
) -> dict[str, Any]:
    """Return what `unpack` makes a history of.

    Parameters
    ----------
    steps, times
        The table.
    series
        By name: its rows of the table, and its values.
    logged
        Rows ever appended, those without a number included.
    """
    return {
        "version": _VERSION,
        "logged": logged,
        "steps": (steps.dtype.kind, _bytes(steps)),
        "times": _bytes(times),
        "series": [
            (name, rows.start if isinstance(rows, slice) else _bytes(rows), _bytes(values))
            for name, (rows, values) in series.items()
        ],
    }


def unpack(state: Mapping[str, Any]) -> Batch:
    """Return all rows of a packed history, ready to be stored in an empty one.

    Raises
    ------
    ValueError
        If a newer version of nnwidgets has packed it.
    """
    if state["version"] > _VERSION:
        raise ValueError(
            "this history was saved by a newer version of nnwidgets; "
            "install that one (pip install -U nnwidgets) to read it."
        )
    kind, steps = state["steps"]
    parts = []
    for name, rows, packed in state["series"]:
        values = np.frombuffer(packed, dtype="<f8")
        if isinstance(rows, int):
            places = np.arange(rows, rows + len(values), dtype=np.int64)
        else:
            places = np.frombuffer(rows, dtype="<u4").astype(np.int64)
        parts.append(Part(name, places, values))
    return Batch(
        0,
        np.frombuffer(steps, dtype=f"<{kind}8"),
        np.frombuffer(state["times"], dtype="<f8"),
        parts,
        [],
        None,
        0,
        state["logged"],
    )


def _bytes(column: NDArray[Any]) -> bytes:
    return column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes()
