"""Badges for the rows of a model's tree: what is wrong with a layer, in one number and one step.

`nnwidgets.probe.health` tells the story of a run in a few findings; here each layer is judged by
itself, by the same rules and thresholds, from the samples of `nnwidgets.probe.activity`.
"""

from __future__ import annotations

import copy
import warnings
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnwidgets.probe import health, health_units, sampled
from nnwidgets.probe.activity_sample import ActivityRow, ActivitySample
from nnwidgets.probe.badge import KINDS, Badge, first_not_finite, of_origin
from nnwidgets.probe.origin import NonFiniteOrigin
from nnwidgets.probe.sample import LayerRow, LayerSample
from nnwidgets.probe.sentences import factor, number, percent, whole

__all__ = ["KINDS", "Badge", "LayerHealth"]

_REMEMBERED: Final = 64  # samples; what is judged is recent
_AGREEING: Final = 3  # samples that have to agree on what a layer gives
_SATURATED_SOFTMAX: Final = 0.95  # share of the distributions: attention may well be sharp

Floats = NDArray[np.float64]


class _Record(NamedTuple):
    """What is remembered of a sample; the histograms are not."""

    layers: LayerSample
    saturated: Floats
    varies: Floats
    given_varies: Floats
    order: NDArray[np.int64]
    final: NDArray[np.bool_]
    bad: bool  # some number was not finite

    @property
    def step(self) -> int:
        return self.layers.step


class LayerHealth:
    """The badges of a run, from its sampled steps.

    Memory is bounded: the last 64 samples are remembered, without their histograms.
    """

    def __init__(self) -> None:
        self._records: deque[_Record] = deque(maxlen=_REMEMBERED)
        self._rows: tuple[ActivityRow, ...] = ()
        self._layers: tuple[LayerRow, ...] = ()
        self._first_bad: Badge | None = None
        self._harmless: Badge | None = None  # infinities that were meant, in the newest sample

    def add(self, sample: ActivitySample) -> None:
        """Take in a sampled step, newer than the last one."""
        if sample.rows != self._rows or sample.layer_rows != self._layers:
            names = [row.name for row in self._rows], [row.name for row in self._layers]
            self._rows, self._layers = sample.rows, sample.layer_rows
            if names != ([row.name for row in self._rows], [row.name for row in self._layers]):
                self._records.clear()  # the model has changed
        found = first_not_finite(sample)
        self._harmless = found if found is not None and found.severity == "info" else None
        bad = found is not None and self._harmless is None
        if bad and self._first_bad is None:
            self._first_bad = found
        self._records.append(
            _Record(
                sample.layers,
                sample.saturated,
                sample.varies,
                sample.given_varies,
                sample.order,
                sample.final,
                bad,
            )
        )

    def clear(self) -> None:
        """Forget the run."""
        self._records.clear()
        self._first_bad = self._harmless = None

    def badges(self, *, origin: NonFiniteOrigin | None = None) -> tuple[Badge, ...]:
        """Judge the run so far.

        Parameters
        ----------
        origin
            Where the first NaN or infinity came from, if that was found between the samples.

        Returns
        -------
        tuple of Badge
            By row and urgency; a row may have several, of different kinds.

        Notes
        -----
        May be called in another thread than `add`.
        """
        records = copy.copy(self._records)  # first: what is in it fits the rows that follow
        frozen = copy.copy(self)
        frozen._records = records
        return frozen._badges(origin)

    def _badges(self, origin: NonFiniteOrigin | None) -> tuple[Badge, ...]:
        found = list(self._not_finite(origin))
        if self._records and not any(badge.severity == "error" for badge in found):
            # A layer that was never seen makes a median of nothing: NaN, as it should be.
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore", RuntimeWarning)
                found += self._dead()
                # A dead layer lets no gradient through: that is one badge, not one on each before.
                if not any(badge.kind == "dead" and badge.severity == "error" for badge in found):
                    found += self._vanishing()
                found += self._exploding()
                found += self._saturated()
                found += self._constant()
        return tuple(sorted(found, key=lambda badge: (badge.row, KINDS.index(badge.kind))))

    # -- each kind -------------------------------------------------------------------------------

    def _not_finite(self, origin: NonFiniteOrigin | None) -> Iterator[Badge]:
        badge = self._first_bad
        if origin is not None and (badge is None or badge.step is None or origin.step < badge.step):
            row = self._row(origin.layer)
            if row is not None:
                badge = of_origin(row, origin)
        badge = badge or self._harmless
        if badge is None or badge.row >= len(self._rows):
            return
        newest = self._records[-1] if self._records else None
        passed = newest is not None and not newest.bad and newest.step > (badge.step or 0)
        if passed and badge.severity == "error":
            # A scaled loss in mixed precision overflows on purpose now and then.
            badge = Badge(
                badge.row, badge.layer, "nan", "info", badge.value, badge.step,
                "probe.badge.nan_past", badge.params,
            )  # fmt: skip
        yield badge

    def _dead(self) -> Iterator[Badge]:
        """As in ``nnwidgets.probe.health``: from a quarter of the units on, for three samples."""
        dead, units = self._table("dead"), self._table("units")
        share = dead / np.where(units > 0, units, np.nan)
        for at, row in self._own_rows():
            known = np.flatnonzero(~np.isnan(share[:, at]))
            if len(known) < _AGREEING:
                continue
            now = float(share[known[-_AGREEING:], at].min())
            if now < health_units.SOME_DEAD:
                continue
            step = self._steps[known[sampled.since(share[known, at] >= health_units.SOME_DEAD)]]
            count, of = dead[known[-1], at], units[known[-1], at]
            severity = (
                "error" if now == 1 else "warning" if now >= health_units.MANY_DEAD else "info"
            )
            yield self._badge(
                row, "dead", severity, now, step,
                dead=whole(count), units=whole(of), percent=percent(float(count / of)),
            )  # fmt: skip

    def _vanishing(self) -> Iterator[Badge]:
        """As in ``nnwidgets.probe.health``: an unbroken run of layers from the first one on."""
        norms = self._table("grad_norm")
        chain = sampled.gradient_chain(self._layers, norms)
        if len(norms) < sampled.AGREEING or len(chain) < 3:
            return
        recent = norms[-sampled.AGREEING :, chain]
        near, end = sampled.near_the_loss(recent)
        if not (near > 0).all():
            return
        behind = recent / near[:, None]
        low = (np.median(behind, axis=0) < health.VANISHED) & (
            behind.max(axis=0) < 2 * health.VANISHED
        )
        count = int(np.argmin(low)) if not low.all() else 0
        for place in range(count if count <= end else 0):
            row = self._row(self._layers[chain[place]].name)
            if row is None:
                continue
            ratio = float(np.median(behind[:, place]))
            far = norms[:, chain[place]] < 2 * health.VANISHED * norms[:, chain[end]]
            yield self._badge(
                row, "vanishing", "warning", ratio, self._steps[sampled.since(far)],
                variant="" if ratio > 0 else "zero",
                norm=number(float(np.median(recent[:, place]))),
                times=factor(1 / ratio) if ratio > 0 else "∞", last=self._layers[chain[end]].name,
            )  # fmt: skip

    def _exploding(self) -> Iterator[Badge]:
        """As in ``nnwidgets.probe.health``, for each layer; the plainest evidence first."""
        norms, updates = self._table("grad_norm"), self._table("update_ratio")
        if len(norms) < sampled.AGREEING:
            return
        recent = updates[-sampled.AGREEING :]
        steadily = recent.min(axis=0)  # NaN where any is unknown
        usual = np.nanmedian(norms[:-3], axis=0)
        times = np.nanmin(norms[-3:], axis=0) / np.where(usual > 0, usual, np.nan)
        times[np.nanmedian(updates[-3:], axis=0) < health.THROWN] = np.nan
        if len(norms) < 2 * sampled.AGREEING:
            times[:] = np.nan
        depth, since, last = self._with_depth(norms)
        for at, row in self._own_rows():
            if self._layers[at].frozen:
                continue
            if steadily[at] >= health.TOO_LARGE_A_STEP:
                step = self._steps[sampled.since(updates[:, at] >= health.TOO_LARGE_A_STEP)]
                ratio = float(np.median(recent[:, at]))
                yield self._badge(row, "exploding", "warning", ratio, step,
                                  variant="updates", ratio=number(ratio))  # fmt: skip
            elif times[at] > health.EXPLODED:
                step = self._steps[sampled.since(norms[:, at] > 10 * usual[at])]
                yield self._badge(
                    row, "exploding", "warning", float(times[at]), step,
                    norm=number(float(norms[-1, at])), times=factor(float(times[at])),
                )  # fmt: skip
            elif at in depth:
                yield self._badge(
                    row, "exploding", "warning", depth[at], since[at], variant="depth",
                    norm=number(float(norms[-1, at])), times=factor(depth[at]), last=last,
                )  # fmt: skip

    def _with_depth(self, norms: Floats) -> tuple[dict[int, float], dict[int, int], str]:
        """Return the layers whose gradients have grown on their way back from the loss."""
        chain = sampled.gradient_chain(self._layers, norms)
        if len(chain) < 4:
            return {}, {}, ""
        recent = norms[-sampled.AGREEING :, chain]
        near, end = sampled.near_the_loss(recent)
        times = recent / near[:, None]
        depth: dict[int, float] = {}
        since: dict[int, int] = {}
        for place, at in enumerate(chain[: len(chain) // 2]):
            if times[:, place].min() > health.EXPLODED_BACKWARDS:
                depth[at] = float(np.median(times[:, place]))
                grown = norms[:, at] > health.EXPLODED_BACKWARDS * norms[:, chain[end]]
                since[at] = self._steps[sampled.since(grown)]
        return depth, since, self._layers[chain[end]].name

    def _saturated(self) -> Iterator[Badge]:
        """Find layers whose outputs lie at the ends of their range, where slopes are flat.

        What the model returns is left out: a classifier that is sure of itself is none the worse.
        """
        table = np.array([record.saturated for record in self._records])
        recent = table[-sampled.AGREEING :]
        for row in np.flatnonzero(~np.isnan(recent).any(axis=0)).tolist():
            if len(recent) < _AGREEING or any(r.final[row] for r in self._records):
                continue
            softmax = "softmax" in self._rows[row].type.lower()
            limit = _SATURATED_SOFTMAX if softmax else health_units.SATURATED
            if recent[:, row].min() < limit:
                continue
            share = float(np.median(recent[:, row]))
            step = self._steps[sampled.since(table[:, row] >= limit)]
            variant = "softmax" if softmax else ""
            yield self._badge(
                row, "saturated", "warning", share, step, variant=variant, percent=percent(share)
            )

    def _constant(self) -> Iterator[Badge]:
        """Find layers that say the same whatever the sample."""
        if len(self._records) < _AGREEING:
            return
        recent = list(self._records)[-_AGREEING:]
        same = np.all([r.varies == 0 for r in recent], axis=0)
        given = np.all([r.given_varies == 1 for r in recent], axis=0)
        newest = recent[-1]
        causes = np.flatnonzero(same & given).tolist()
        if not causes:
            return
        first = min(int(newest.order[row]) for row in causes)
        for row in np.flatnonzero(same).tolist():
            cause = row in causes
            # Behind a constant layer all others are; before it, it is how they are meant to be
            # (the places of tokens).
            if not cause and newest.order[row] < first:
                continue
            since = sampled.since(np.array([r.varies[row] == 0 for r in self._records]))
            yield self._badge(
                row, "constant", "warning" if cause else "info", 1.0, self._steps[since],
                variant="" if cause else "behind",
            )  # fmt: skip

    # -- small things ------------------------------------------------------------------------------

    @property
    def _steps(self) -> list[int]:
        return [record.step for record in self._records]

    def _table(self, what: str) -> Floats:
        return sampled.table([record.layers for record in self._records], what)

    def _row(self, name: str | None) -> int | None:
        return next((i for i, row in enumerate(self._rows) if row.name == name), None)

    def _own_rows(self) -> list[tuple[int, int]]:
        """Return pairs of a row of the layers' table and the row of the tree it belongs to."""
        rows = {row.name: i for i, row in enumerate(self._rows)}
        return [
            (at, rows[layer.name]) for at, layer in enumerate(self._layers) if layer.name in rows
        ]

    def _badge(
        self,
        row: int,
        kind: str,
        severity: str,
        value: float,
        step: int,
        *,
        variant: str = "",
        **params: str,
    ) -> Badge:
        key = f"probe.badge.{kind}_{variant}" if variant else f"probe.badge.{kind}"
        params = {"step": whole(step), **params}
        return Badge(row, self._rows[row].name, kind, severity, value, step, key, params)
