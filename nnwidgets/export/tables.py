"""A history as a table: CSV, JSON, pandas. Every point, every digit.

In the wide table a line is a step. Points are joined on (step, occurrence): the second loss logged
at step 5 meets the second accuracy logged at step 5, and a line of its own if there is none. So
nothing is dropped and no two points are merged, also under gradient accumulation or when a resumed
run counts its steps again. A line's time is that of the first of its points to be logged, and lines
stand in the order of these times.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnwidgets.live.history import History, Series

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_csv", "to_json", "to_pandas"]

Target = str | PathLike[str] | IO[str]

_LINES = 50_000  # formatted at a time


def to_csv(history: History, target: Target) -> None:
    """Write step, time and all series, a column for each.

    Parameters
    ----------
    history
        What to write.
    target
        A path, or something open for writing text.

    Notes
    -----
    RFC 4180: comma, CRLF, quotes where needed. Numbers are written with as many digits as it
    takes to read back the very same float64; NaN and infinities as ``nan``, ``inf``, ``-inf``.
    A cell is empty where a series has no point. A series that is itself called "step" or "time"
    keeps its name, and the leading column is called "(step)" or "(time)".
    """
    series = history.snapshot()
    steps, times, places = _join(series)
    with _open(target) as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([*_leading(series), *series])
        for start in range(0, len(steps), _LINES):
            lines = slice(start, start + _LINES)
            columns = [_cells(each.values, places[name][lines]) for name, each in series.items()]
            # str() of a Python float is the shortest text that reads back as the same number.
            writer.writerows(
                zip(steps[lines].tolist(), times[lines].tolist(), *columns, strict=True)
            )


def to_json(history: History, target: Target) -> None:
    """Write all series as strict JSON, each with its own steps, values and times.

    Parameters
    ----------
    history
        What to write.
    target
        A path, or something open for writing text.

    Notes
    -----
    ``{"format": "nnwidgets.history", "version": 1, "series": {name: {"steps": [...],
    "values": [...], "times": [...]}}}``. JSON has no NaN and no infinities: such a value is one
    of the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, which Python's ``float()`` and
    JavaScript's ``Number()`` both read.
    """
    with _open(target) as file:
        file.write('{"format": "nnwidgets.history", "version": 1, "series": {')
        for i, (name, each) in enumerate(history.snapshot().items()):
            file.write(",\n" if i else "\n")
            file.write(json.dumps(name) + ": {")
            for j, column in enumerate(("steps", "values", "times")):
                file.write(", " if j else "")
                file.write(f'"{column}": [')
                for k, text in enumerate(_json_numbers(getattr(each, column))):
                    file.write(", " + text if k else text)
                file.write("]")
            file.write("}")
        file.write("\n}}\n")


def to_pandas(history: History) -> pd.DataFrame:
    """Return the wide table as a data frame.

    Raises
    ------
    ImportError
        If pandas is not installed.

    Notes
    -----
    Columns as in `to_csv`. A cell is NaN where a series has no point, and where its point is
    NaN; ``history[name]`` tells the two apart.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(
            "to_pandas() needs pandas, which is not installed: run `pip install pandas`, or use "
            "to_csv() and history[name], which need nothing."
        ) from None
    series = history.snapshot()
    steps, times, places = _join(series)
    columns: dict[str, NDArray[Any]] = dict(zip(_leading(series), (steps, times), strict=True))
    for name, each in series.items():
        column = np.full(len(steps), np.nan)
        there = places[name] >= 0
        column[there] = each.values[places[name][there]]
        columns[name] = column
    return pd.DataFrame(columns)


def _join(
    series: Mapping[str, Series],
) -> tuple[NDArray[Any], NDArray[np.float64], dict[str, NDArray[np.int64]]]:
    """Join series on (step, occurrence).

    Returns
    -------
    steps, times
        Of each line.
    places
        For each series and line: which of its points stands there; -1 for none.
    """
    if not series:
        return np.empty(0, dtype=np.int64), np.empty(0), {}
    sizes = [len(each) for each in series.values()]
    steps = np.concatenate([each.steps for each in series.values()])
    times = np.concatenate([each.times for each in series.values()])
    nth = np.concatenate([_occurrence(each.steps) for each in series.values()])
    order = np.lexsort((times, nth, steps))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(steps[order]) != 0) | (np.diff(nth[order]) != 0)
    # The first point of a line in `order` is its earliest.
    first = order[new]
    lines = np.lexsort((nth[first], steps[first], times[first]))
    rank = np.empty(len(lines), dtype=np.int64)
    rank[lines] = np.arange(len(lines))
    line = np.empty(len(order), dtype=np.int64)
    line[order] = rank[np.cumsum(new) - 1]
    places = {}
    start = 0
    for name, size in zip(series, sizes, strict=True):
        where = np.full(len(lines), -1, dtype=np.int64)
        where[line[start : start + size]] = np.arange(size)
        places[name] = where
        start += size
    return steps[first][lines], times[first][lines], places


def _occurrence(steps: NDArray[Any]) -> NDArray[np.int64]:
    """How many points before each are at the same step."""
    order = np.argsort(steps, kind="stable")
    ordered = steps[order]
    new = np.ones(len(steps), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    counted = np.arange(len(steps))
    nth = np.empty(len(steps), dtype=np.int64)
    nth[order] = counted - np.maximum.accumulate(np.where(new, counted, 0))
    return nth


def _leading(series: Mapping[str, Series]) -> list[str]:
    names = []
    for name in ("step", "time"):
        while name in series:
            name = f"({name})"
        names.append(name)
    return names


def _cells(values: NDArray[np.float64], places: NDArray[np.int64]) -> list[float | str]:
    cells: list[float | str] = values[places].tolist()
    for missing in np.flatnonzero(places < 0).tolist():
        cells[missing] = ""
    return cells


def _json_numbers(values: NDArray[Any]) -> Iterator[str]:
    for start in range(0, len(values), _LINES):
        part = values[start : start + _LINES]
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            yield from (_json_number(value) for value in part.tolist())
        elif len(part):
            yield repr(part.tolist())[1:-1]


def _json_number(value: float) -> str:
    return json.dumps(value) if np.isfinite(value) else f'"{json.dumps(value)}"'


def _open(target: Target) -> AbstractContextManager[IO[str]]:
    if isinstance(target, (str, PathLike)):
        return open(target, "w", encoding="utf-8", newline="")
    return nullcontext(target)
