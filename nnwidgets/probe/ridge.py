"""One layer's distribution over the run, as pictures: a ridge of histograms and lines."""

from __future__ import annotations

from typing import Final

import numpy as np

from nnwidgets.probe.bins import BINS, Floats, edges, rebin
from nnwidgets.probe.blocks import Block, note
from nnwidgets.probe.layer_history import LINES, LayerHistory, Moment, spread
from nnwidgets.probe.sentences import whole

__all__ = ["common_range", "history_blocks"]

_SHOWN: Final = {"mean": "mean", "std": "std", "q05": "5 %", "q50": "50 %", "q95": "95 %"}
_STEPS: Final = 96  # rows of a ridge: more than that cannot be told apart
_MASS: Final = 0.001  # of all counts may lie beyond the edges …
_GAIN: Final = 4.0  # … if what is left is so many times as wide then


def history_blocks(history: LayerHistory, layer: str, kind: str = "activation") -> list[Block]:
    """Show how a layer's distribution changed.

    Parameters
    ----------
    history
        What was kept.
    layer
        Its name.
    kind
        ``"activation"``, ``"weight"`` or ``"gradient"``.

    Returns
    -------
    list of Block
        ``"ridge"``: ``steps`` float64 (s,), ``counts`` float32 (s, 64) over common ``edges``
        float64 (65,), and ``outside`` float32 (s,), the share of each step that lies beyond them,
        counted to the first and last bin; a note says so if there is any. ``"lines"``: ``values``
        float32 (lines, s) of what ``meta["names"]`` says. Only a note where nothing is known of the
        layer.
    """
    chosen = spread([(step, m) for step, m in history.moments if layer in m.names], _STEPS)
    found: list[tuple[int, Floats, float, float]] = []
    lines: list[Floats] = []
    for step, moment in chosen:
        row = moment.names.index(layer)
        histogram = moment.histogram(row, kind)
        if histogram is not None:
            found.append((step, *histogram))
            lines.append(_line(moment, row, kind))
    if not found:
        return [note(f"probe.history_empty.{kind}")]
    low, high = common_range([(counts, a, b) for _, counts, a, b in found])
    onto = edges(low, high)
    steps = np.array([step for step, *_ in found], np.float64)
    table = np.array([rebin(counts, a, b, onto) for _, counts, a, b in found])
    outside = np.array([_outside(counts, a, b, onto) for _, counts, a, b in found])
    blocks = [
        Block(
            "ridge",
            {"kind": kind, "clipped": bool((outside > 0).any())},
            {
                "steps": steps,
                "counts": table.astype(np.float32),
                "edges": onto,
                "outside": outside.astype(np.float32),
            },
            (f"ui.inspector.history.{kind}", {}),
        ),
        Block(
            "lines",
            {"names": list(_SHOWN.values())},
            {"steps": steps, "values": np.array(lines, np.float32).T.copy()},
            ("ui.inspector.history.lines", {}),
        ),
    ]
    if outside.any():
        worst = int(outside.argmax())
        share = f"{100 * outside[worst]:.2g} %"
        blocks.append(note("probe.history_clipped", share=share, step=whole(found[worst][0])))
    return blocks


def common_range(found: list[tuple[Floats, float, float]]) -> tuple[float, float]:
    """Return the range in which histograms can be compared.

    All of it, unless some rare far values would leave the rest in a few bins: if 99.9 % of all
    counts lie within less than a quarter of it, that part.

    Parameters
    ----------
    found
        For each step counts, smallest and largest value.
    """
    low, high = min(a for _, a, _ in found), max(b for *_, b in found)
    for _ in range(16):  # narrower, as long as it helps
        onto = edges(low, high, 4 * BINS)
        pooled = sum(rebin(c / c.sum(), a, b, onto) for c, a, b in found)
        inside = np.concatenate([[0.0], np.cumsum(pooled)]) / len(found)
        first = int(np.searchsorted(inside, _MASS / 2, "right")) - 1
        last = int(np.searchsorted(inside, 1 - _MASS / 2, "left"))
        near, far = float(onto[max(first, 0)]), float(onto[min(last, 4 * BINS)])
        if not 0 < (far - near) * _GAIN < high - low:
            break
        low, high = near, far
    return low, high


def _outside(counts: Floats, low: float, high: float, onto: Floats) -> float:
    """Return the share of a histogram that lies beyond the edges."""
    if not low < high:
        return float(low < onto[0] or low > onto[-1])
    below = np.concatenate([[0.0], np.cumsum(counts)])
    first, last = np.interp(onto[[0, -1]], edges(low, high, len(counts)), below)
    return float(max(0.0, 1 - (last - first) / below[-1]))


def _line(moment: Moment, row: int, kind: str) -> Floats:
    return moment.line(row, kind)[[LINES.index(name) for name in _SHOWN]].astype(np.float64)
