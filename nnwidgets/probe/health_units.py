"""What layers give: units that are always zero, and outputs at the ends of their range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.sampled import AGREEING, called, known, since, table
from nnwidgets.probe.sentences import names, percent, whole

if TYPE_CHECKING:  # their module imports torch, which judging numbers does not need
    from nnwidgets.probe.layers import LayerRow, LayerSample

__all__ = ["MANY_DEAD", "NEARLY_ALL", "SATURATED", "SOME_DEAD", "dead_units", "saturated_units"]

SOME_DEAD: Final = 0.25
"""Share of a layer's units that is worth a remark."""
MANY_DEAD: Final = 0.5
"""Share of a layer's units that is worth a warning."""
SATURATED: Final = 0.8
"""Share of the outputs at the ends; two thirds are seen in nets that learn well …"""
NEARLY_ALL: Final = 0.9
"""… and up to here some still do."""


def dead_units(
    rows: Sequence[LayerRow], samples: Sequence[LayerSample], language: str
) -> Finding | None:
    """Find layers in which many units give zero whatever comes in.

    Some dead units are the price of ReLU (Glorot, Bordes & Bengio 2011) and only worth a remark; a
    third of a layer is capacity lost (Lu et al. 2019, "Dying ReLU"), a whole layer is the end of
    learning for all layers before it.
    """
    dead, units = table(samples, "dead"), table(samples, "units")
    share = dead / np.where(units > 0, units, np.nan)
    told = [i for i in range(len(rows)) if len(known(share[:, i])) >= 3]
    # The newest samples that know; a layer is unknown again when its window starts anew.
    now = {i: float(np.min(known(share[:, i])[-3:])) for i in told}
    hit = sorted((i for i in now if now[i] >= SOME_DEAD), key=lambda i: -now[i])
    if not hit:
        return None
    worst = hit[0]
    severity = "error" if now[worst] == 1 else "warning" if now[worst] >= MANY_DEAD else "info"
    ill = np.nan_to_num(share[:, worst], nan=1.0) >= SOME_DEAD
    ill[: int(np.argmax(~np.isnan(share[:, worst])))] = False
    step = samples[since(ill)].step
    count, of = known(dead[:, worst])[-1], known(units[:, worst])[-1]
    others = [
        f"{called(rows[i])}: {known(dead[:, i])[-1]:.0f}/{known(units[:, i])[-1]:.0f}"
        for i in hit[1:]
    ]
    evidence: dict[str, float | int | str] = {
        "layer": rows[worst].name,
        "dead": int(count),
        "units": int(of),
        "layers": len(hit),
    }
    params = {
        "layer": called(rows[worst]),
        "dead": whole(float(count)),
        "units": whole(float(of)),
        "step": whole(step),
        "more": f"; {names(others, 3)}" if others else "",
    }
    return make("dead_units", severity, step, evidence, params,
                variant="all" if severity == "error" else "", language=language)  # fmt: skip


def saturated_units(
    rows: Sequence[LayerRow], samples: Sequence[LayerSample], language: str
) -> Finding | None:
    """Find layers that drive the sigmoid or tanh behind them to the ends of its range.

    There its slope is next to nothing, so neither this layer nor those before it learn (LeCun,
    Bottou, Orr & Müller 1998, §4.4; Glorot & Bengio 2010). What the model returns is left out, a
    classifier that is sure of itself is none the worse, and so are layers that are not trained.
    """
    shares = table(samples, "saturated")
    recent = shares[-AGREEING:]
    if len(recent) < AGREEING:
        return None
    least = np.min(recent, axis=0)  # NaN where any is unknown
    hit = [i for i, row in enumerate(rows) if least[i] >= SATURATED and not row.frozen]
    if not hit:
        return None
    hit.sort(key=lambda i: -least[i])  # the first of equals is the one nearest to the input
    worst = hit[0]
    share = float(np.median(recent[:, worst]))
    severity = "warning" if least[worst] >= NEARLY_ALL else "info"
    step = samples[since(shares[:, worst] >= SATURATED)].step
    others = [f"{called(rows[i])}: {percent(float(np.median(recent[:, i])))}" for i in hit[1:]]
    return make(
        "saturated", severity, step,
        {"layer": rows[worst].name, "share": share, "layers": len(hit)},
        {"layer": called(rows[worst]), "percent": percent(share), "step": whole(step),
         "more": f"; {names(others, 3)}" if others else ""},
        language=language,
    )  # fmt: skip
