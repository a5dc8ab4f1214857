"""How the distributions of all layers changed over a run, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.probe import reduction
from nnwidgets.probe.activity_sample import ActivitySample, Distributions
from nnwidgets.probe.summary import QUANTILES
from nnwidgets.probe.thinning import Thinning

__all__ = ["KINDS", "LINES", "LayerHistory", "Moment"]

Floats = NDArray[np.float64]

KINDS: Final = ("activation", "weight", "gradient")
LINES: Final = ("mean", "std", "min", "max", "q05", "q50", "q95", "zero_fraction", "nan", "inf")
"""The numbers that are kept beside each histogram, in this order."""

_COLUMNS: Final = [
    reduction.MEAN, reduction.STD, reduction.LOW, reduction.HIGH,
    *(reduction.RANKS.start + QUANTILES.index(q) for q in (0.05, 0.5, 0.95)),
    reduction.ZERO, reduction.NAN, reduction.INF,
]  # fmt: skip
_LEVELS: Final = 65_535
_MOST: Final = 512  # records, however small: more than a picture has columns
_LAYERS: Final = ("grad_norm", "update_ratio", "dead", "units")  # of a LayerSample


class _Table:
    """The histograms of one kind at one step, of the rows that had one."""

    __slots__ = ("codes", "lines", "rows", "size")

    def __init__(self, kind: Distributions) -> None:
        self.rows = np.flatnonzero(kind.known).astype(np.int32)
        numbers = kind.numbers[self.rows]
        self.lines = numbers[:, _COLUMNS].astype(np.float32)
        self.size = numbers[:, reduction.SIZE].astype(np.float32)
        counts = numbers[:, reduction.COUNTS]
        peak = counts.max(1, keepdims=True, initial=0)
        # A quarter of the memory of floats, and finer than any picture of a histogram.
        shares = np.divide(counts, peak, out=np.zeros_like(counts), where=peak > 0)
        self.codes = np.rint(shares * _LEVELS).astype(np.uint16)

    @property
    def nbytes(self) -> int:
        parts = (self.rows, self.lines, self.size, self.codes)
        return sum(int(part.nbytes) for part in parts)


class Moment:
    """What is kept of one sampled step.

    Attributes
    ----------
    names
        Of the rows.
    """

    __slots__ = ("_layers", "_tables", "names")

    def __init__(self, sample: ActivitySample, names: tuple[str, ...]) -> None:
        self.names = names
        kinds = (sample.activation, sample.weight, sample.gradient)
        self._tables = {kind: _Table(of) for kind, of in zip(KINDS, kinds, strict=True)}
        spread = [sample.of_layers(getattr(sample.layers, name)) for name in _LAYERS]
        self._layers = np.array(spread, np.float32).reshape(len(_LAYERS), len(names))

    @property
    def nbytes(self) -> int:
        """Memory it takes, the names left out, which all moments share."""
        return self._layers.nbytes + sum(table.nbytes for table in self._tables.values())

    def histogram(self, row: int, kind: str) -> tuple[Floats, float, float] | None:
        """Return counts (64 equal bins) and smallest and largest value; None if unknown."""
        table = self._tables[kind]
        at = np.flatnonzero(table.rows == row)
        if not at.size or not table.size[at[0]] > 0:
            return None
        codes = table.codes[at[0]].astype(np.float64)
        low, high = table.lines[at[0], [LINES.index("min"), LINES.index("max")]].tolist()
        return codes * (float(table.size[at[0]]) / codes.sum()), low, high

    def line(self, row: int, kind: str) -> NDArray[np.float32]:
        """Return the numbers of `LINES`, NaN where unknown."""
        table = self._tables[kind]
        at = np.flatnonzero(table.rows == row)
        return table.lines[at[0]] if at.size else np.full(len(LINES), np.nan, np.float32)

    def statistic(self, name: str) -> NDArray[np.float32]:
        """Return one number for each row, NaN where unknown (see `LayerHistory.sparks`)."""
        if name in _LAYERS:
            return np.asarray(self._layers[_LAYERS.index(name)])
        kind, _, line = name.partition("_")
        table = self._tables[kind]
        result = np.full(len(self.names), np.nan, np.float32)
        result[table.rows] = table.lines[:, LINES.index(line)]
        return result


class LayerHistory:
    """Histograms and moments of every layer, at steps spread evenly over the run.

    Parameters
    ----------
    limit_bytes
        Memory it may take. A model of 20 layers fills half a percent of the default with one step,
        one of 1,000 about two percent; when it is full, every other step goes.
    """

    def __init__(self, limit_bytes: int = 16 << 20) -> None:
        self._limit = limit_bytes
        self._kept: Thinning[Moment] = Thinning(_MOST)
        self._largest = 0
        self._names: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that are kept, ascending."""
        return self._kept.steps

    @property
    def nbytes(self) -> int:
        """Memory it takes."""
        return sum(moment.nbytes for _, moment in self._kept.items)

    @property
    def moments(self) -> tuple[tuple[int, Moment], ...]:
        """Pairs of step and what is kept of it, oldest first."""
        return self._kept.items

    def add(self, sample: ActivitySample) -> None:
        """Take in a sampled step, newer than the last one (an older one is left out)."""
        steps = self._kept.steps
        if steps and sample.step < steps[-1]:
            return
        names = tuple(row.name for row in sample.rows)
        if names != self._names:  # one tuple for all moments
            self._names = names
        moment = Moment(sample, self._names)
        if moment.nbytes > self._largest:
            self._largest = moment.nbytes
            self._kept.capacity = max(2, min(_MOST, self._limit // max(1, self._largest)))
        self._kept.add(sample.step, moment)

    def nearest(self, step: int) -> tuple[int, Moment] | None:
        """Return the moment that was current at a step (see `Thinning.nearest`)."""
        return self._kept.nearest(step)

    def clear(self) -> None:
        """Forget the run."""
        self._kept.clear()

    def sparks(
        self, statistic: str, points: int = 48, names: Sequence[str] | None = None
    ) -> tuple[Floats, NDArray[np.float32]]:
        """Return one statistic of all layers over the run.

        Parameters
        ----------
        statistic
            ``"<kind>_<line>"`` of `KINDS` and `LINES`, such as ``"activation_std"``, or
            ``"grad_norm"``, ``"update_ratio"``, ``"dead"``, ``"units"`` (see ``LayerSample``).
        points
            So many steps at most: the first, the newest, and evenly spaced ones between them.
        names
            The layers, one a row; by default those of the newest step.

        Returns
        -------
        steps : ndarray
            float64 (k,).
        values : ndarray
            float32 (layers, k), NaN where unknown.

        Raises
        ------
        ValueError
            For a statistic that there is not.
        """
        kind, _, line = statistic.partition("_")
        if statistic not in _LAYERS and not (kind in KINDS and line in LINES):
            raise ValueError(f"There is no statistic {statistic!r}.")
        chosen = spread(self._kept.items, points)
        rows = self._names if names is None else tuple(names)
        values = np.full((len(rows), len(chosen)), np.nan, np.float32)
        places: Mapping[tuple[str, ...], NDArray[np.int64]] = {
            of: _places(rows, of) for of in {moment.names for _, moment in chosen}
        }
        for column, (_, moment) in enumerate(chosen):
            at = places[moment.names]
            found = at >= 0
            values[found, column] = moment.statistic(statistic)[at[found]]
        return np.array([step for step, _ in chosen], np.float64), values


def spread(items: Sequence[tuple[int, Moment]], points: int) -> list[tuple[int, Moment]]:
    """Return at most `points` of the items, evenly over the steps, with the first and the last."""
    if len(items) <= points:
        return list(items)
    steps = np.array([step for step, _ in items], np.float64)
    wanted = np.linspace(steps[0], steps[-1], max(2, points))
    nearest = np.unique(np.abs(steps[None, :] - wanted[:, None]).argmin(1))
    return [items[i] for i in nearest.tolist()]


def _places(rows: Sequence[str], of: Sequence[str]) -> NDArray[np.int64]:
    known = {name: i for i, name in enumerate(of)}
    return np.array([known.get(name, -1) for name in rows], np.int64)
