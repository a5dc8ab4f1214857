"""A row of a table: signed bars that lead from the score of the baseline to that of the row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_sheet import LINE, Box, Part, Sheet, Style
from nnwidgets.export.blocks_words import (
    SIZE,
    cut,
    even,
    signed,
    whole,
    width_of,
    wrapped,
)
from nnwidgets.export.look import number
from nnwidgets.export.saliency_reading import Pane, feature_name

__all__ = [
    "Axis",
    "Fall",
    "Step",
    "axis_of",
    "table_part",
    "waterfall",
]

Floats = NDArray[np.float64]

_MOST: Final = 12  # features with a row of their own
_UNTOLD: Final = 0.01  # of the way from score to score: what is missing beyond this is a row
_UNRELATED: Final = 0.5  # if more is missing, values and scores have nothing to do with each other
_STEP: Final = 0.2


@dataclass(frozen=True)
class Step:
    """One bar of a table.

    Attributes
    ----------
    kind
        ``"baseline"``, ``"feature"``, ``"others"``, ``"gap"``, ``"score"``.
    value
        Its number.
    begin, end
        Where its bar begins and ends.
    feature
        Which; -1 of what is no single feature.
    count
        How many features are taken together.
    """

    kind: str
    value: float
    begin: float
    end: float
    feature: int = -1
    count: int = 1


@dataclass(frozen=True)
class Fall:
    """The bars of a table, from the largest value to the smallest.

    Attributes
    ----------
    adds
        Whether they lead from the score of the baseline to that of the input; otherwise each
        begins at zero.
    low, high
        Ends of all bars.
    """

    adds: bool
    steps: tuple[Step, ...]
    low: float
    high: float


def waterfall(values: Floats, baseline: float | None, score: float | None) -> Fall:
    """Lay a table's values out as steps, by the rules of ``js/src/saliency_viewer/waterfall.ts``.

    Parameters
    ----------
    values
        One for each feature.
    baseline, score
        What the model gives for the baseline and for the input; None where that is not known.
    """
    sizes = np.where(np.isnan(values), np.inf, np.abs(values))
    order = np.argsort(-sizes, kind="stable")
    most = len(order) if len(order) <= _MOST + 1 else _MOST
    with np.errstate(invalid="ignore", over="ignore"):
        total, rest = float(values.sum()), float(values[order[most:]].sum())
    way = math.nan if baseline is None or score is None else score - baseline
    gap = way - total
    adds = math.isfinite(gap) and abs(gap) <= _UNRELATED * max(abs(way), 1e-12)
    at = baseline if adds and baseline is not None else 0.0
    steps = [Step("baseline", at, at, at)] if adds else []
    moves = [("feature", float(values[i]), int(i), 1) for i in order[:most]]
    if most < len(order):
        moves.append(("others", rest, -1, len(order) - most))
    if adds and abs(gap) > _UNTOLD * abs(way):
        moves.append(("gap", gap, -1, 1))
    for kind, value, feature, count in moves:
        begin = at if adds else 0.0
        steps.append(Step(kind, value, begin, begin + value, feature, count))
        at = begin + value
    if adds and score is not None:
        steps.append(Step("score", score, score, score))
    ends = [end for step in steps for end in (step.begin, step.end) if math.isfinite(end)]
    ends += [] if adds else [0.0]
    return Fall(adds, tuple(steps), min(ends, default=0.0), max(ends, default=0.0))


@dataclass(frozen=True)
class Axis:
    """Where the bars of tables are: the same in all panes, so that they can be compared.

    Attributes
    ----------
    low, high
        Its ends.
    left, right
        Room for the names and values before the bars, and for the numbers behind them, in inches.
    """

    low: float
    high: float
    left: float
    right: float


@dataclass(frozen=True)
class _Row:
    """The words of one bar."""

    name: str
    own: str
    value: str
    spread: str


def fall_of(pane: Pane) -> Fall:
    """Return the bars of a pane."""
    values = np.zeros(0) if pane.map is None else pane.map.reshape(-1)
    return waterfall(values, pane.number("baseline_score"), pane.number("score"))


def axis_of(panes: Sequence[Pane], style: Style, width: float) -> Axis:
    """Return the axis that the tables of `panes` share, each `width` inches wide."""
    falls = [fall_of(pane) for pane in panes]
    rows = [
        row
        for pane, fall in zip(panes, falls, strict=True)
        for row in _rows(pane, fall, style.language, width)
    ]

    def widest(words: list[str], size: float = SIZE) -> float:
        return max((width_of(word, size, "bold") for word in words), default=0.0)

    spread = widest([row.spread for row in rows], 7.5)
    return Axis(
        min((fall.low for fall in falls), default=0.0),
        max((fall.high for fall in falls), default=0.0),
        widest([row.name for row in rows]) + widest([row.own for row in rows]) + 0.24,
        widest([row.value for row in rows]) + 0.1 + (spread + 0.08 if spread else 0.0),
    )


def _rows(pane: Pane, fall: Fall, language: str, width: float) -> list[_Row]:
    given = None if pane.input is None else pane.input.reshape(-1)
    form = even([step.value for step in fall.steps])
    rows = []
    for step in fall.steps:
        known = given is not None and 0 <= step.feature < len(given)
        sign = "+" if step.value > 0 and step.kind not in ("baseline", "score") else ""
        rows.append(
            _Row(
                cut(_step_name(step, pane, language), 0.34 * width, weight="bold"),
                number(float(given[step.feature])) if known and given is not None else "",
                f"{sign}{form(step.value)}",
                _spread(pane, step, language),
            )
        )
    return rows


def table_part(pane: Pane, axis: Axis, style: Style, width: float) -> Part:
    """Draw signed bars that add up to the score, with the features' own values."""
    fall, language, look = fall_of(pane), style.language, style.look
    rows = _rows(pane, fall, language, width)
    track = max(0.4, width - axis.left - axis.right)
    span = axis.high - axis.low or 1.0
    wide = max((width_of(row.spread, 7.5) + 0.08 for row in rows if row.spread), default=0.0)
    below = wrapped(_sum_words(pane, fall, language), width, 8)

    def place(value: float) -> float:
        return axis.left + (min(max(value, axis.low), axis.high) - axis.low) / span * track

    def draw(sheet: Sheet) -> None:
        if not fall.adds:
            _upright(sheet, place(0.0), 0.0, len(rows) * _STEP)
        for i, (step, row) in enumerate(zip(fall.steps, rows, strict=True)):
            top, base = i * _STEP, i * _STEP + 0.135
            whole_score = step.kind in ("baseline", "score")
            shade = look.text if whole_score or step.kind == "feature" else look.muted
            weight = "bold" if whole_score else "normal"
            sheet.write(0, base, row.name, shade, weight=weight)
            sheet.write(axis.left - 0.12, base, row.own, look.muted, align="right")
            if math.isfinite(step.end):
                colour = look.text if whole_score else style.signs[step.value > 0]
                sheet.fill([_bar(step, place, top)], colour, step.kind)
                if fall.adds and i + 1 < len(rows):
                    _upright(sheet, place(step.end), top + 0.1, top + _STEP + 0.1)
            shade = look.text if math.isfinite(step.value) else look.error
            sheet.write(width - wide, base, row.value, shade, align="right", weight=weight)
            sheet.write(width, base, row.spread, look.muted, size=7.5, align="right")
        for i, line in enumerate(below):
            base = len(rows) * _STEP + 0.17 + i * LINE
            sheet.write(0, base, line, look.muted, size=8)

    return Part(len(rows) * _STEP + 0.06 + len(below) * LINE, draw)


def _bar(step: Step, place: Callable[[float], float], top: float) -> Box:
    begin, end = place(step.begin), place(step.end)
    if step.kind in ("baseline", "score"):
        return begin - 0.015, top + 0.03, 0.03, _STEP - 0.06
    return min(begin, end), top + 0.045, max(abs(end - begin), 0.008), _STEP - 0.09


def _upright(sheet: Sheet, x: float, top: float, low: float) -> None:
    sheet.axes.plot(
        [x, x], [top, low], color=sheet.style.look.muted, linewidth=0.6, linestyle="-",
        marker="None", zorder=0.5,
    )  # fmt: skip


def _step_name(step: Step, pane: Pane, language: str) -> str:
    if step.kind == "feature":
        return feature_name(pane.texts("features"), step.feature, language)
    if step.kind == "others":
        return say("ui.saliency.table.others", language, count=whole(step.count))
    if step.kind == "gap":
        return say("ui.saliency.table.gap", language)
    if step.kind == "score":
        return say("ui.saliency.table.score", language)
    baseline = pane.word("baseline")
    return say("ui.saliency.table.baseline", language, baseline=baseline).strip()


def _spread(pane: Pane, step: Step, language: str) -> str:
    if pane.spread is None or not 0 <= step.feature < pane.spread.size:
        return ""
    value = float(pane.spread.reshape(-1)[step.feature])
    return say("ui.saliency.spread", language, value=number(value))


def _sum_words(pane: Pane, fall: Fall, language: str) -> str:
    total, score = pane.number("sum"), pane.number("score")
    baseline = pane.number("baseline_score")
    if not fall.adds or total is None or score is None or baseline is None:
        return say("ui.saliency.table.no_sum", language)
    unit = pane.word("target_unit")
    known = unit if unit in ("logit", "probability") else "value"
    return say(
        "ui.saliency.table.sum",
        language,
        baseline=number(baseline),
        sum=signed(total),
        score=number(score),
        unit=say(f"ui.saliency.unit.{known}", language),
    )
