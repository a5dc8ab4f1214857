"""What the sampled layers say: gradients that vanish or explode, dead units, where NaN began.

Input are the samples of `nnwidgets.probe.layers.LayerWatch`, oldest first. Nothing depends on the
size of the loss: gradient norms are compared with each other and with their own past, updates with
the weights they change. One sample proves nothing; every rule wants several that agree.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnwidgets.probe.finding import Finding, make
from nnwidgets.probe.health_units import dead_units, saturated_units
from nnwidgets.probe.sampled import (
    AGREEING,
    Floats,
    called,
    gradient_chain,
    largest,
    near_the_loss,
    since,
    table,
)
from nnwidgets.probe.sentences import factor, names, number, whole

if TYPE_CHECKING:  # their modules import torch, which judging numbers does not need
    from nnwidgets.probe.layers import LayerRow, LayerSample
    from nnwidgets.probe.origin import NonFiniteOrigin

VANISHED = 1e-3  # of the gradient norm near the loss
EXPLODED_BACKWARDS = 1e3  # times the gradient norm near the loss
EXPLODED = 100.0  # times a layer's own usual gradient norm …
THROWN = 0.05  # … if its weights change by this share in a step
TOO_LARGE_A_STEP = 0.3  # share of the weights' size; 1e-3 is usual
_NO_STEP_AT_ALL = 1e-6


def layer_findings(
    rows: Sequence[LayerRow],
    samples: Sequence[LayerSample],
    *,
    origin: NonFiniteOrigin | None = None,
    end: float = math.inf,
    language: str = "en",
) -> list[Finding]:
    """Judge the sampled steps of a run.

    Parameters
    ----------
    rows
        The layers, in order of definition.
    samples
        Sampled steps, oldest first. Those with another number of rows, from before the model
        changed, are left out.
    origin
        Where the first NaN or infinity came from, if that was found in between the samples.
    end
        The step at which a NaN has ended the run, if a metric says so. What layers show from there
        on is its doing: only where it came from is still looked for.
    language
        Language of the sentences.

    Returns
    -------
    list of Finding
        At most one of each kind; which layer it is about stands in ``evidence["layer"]``.
    """
    samples = [s for s in samples if len(s.grad_norm) == len(rows)]
    broken = _not_finite(rows, samples, origin, language)
    if broken is not None and broken.severity == "error":
        return [broken]  # nothing else means anything any more
    samples = [s for s in samples if s.step < end]
    found = [broken]
    if rows and samples:
        # A layer that was never seen makes a median of nothing, and that is NaN, as it should be.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            dead = dead_units(rows, samples, language)
            # A dead layer lets no gradient through: that is one finding, not two.
            cut = dead is not None and dead.severity == "error"
            found += [
                dead,
                saturated_units(rows, samples, language),
                None if cut else _vanishing(rows, samples, language),
                _exploding(rows, samples, language),
                None if cut else _motionless(rows, samples, language),
            ]
    return [f for f in found if f is not None]


def _not_finite(
    rows: Sequence[LayerRow],
    samples: Sequence[LayerSample],
    origin: NonFiniteOrigin | None,
    language: str,
) -> Finding | None:
    """Tell where the first NaN or infinity came from.

    Information only once newer samples are finite again: a scaled loss in mixed precision
    overflows on purpose (Micikevicius et al. 2018).
    """
    known = [o for o in (origin, *(o for s in samples for o in s.nonfinite)) if o is not None]
    if not known:
        return None
    first = min(known, key=lambda o: o.step)
    newest = samples[-1] if samples else None
    passed = newest is not None and newest.step > first.step and not newest.nonfinite
    everywhere = first.layer is None and first.where in ("weights", "gradient")
    evidence: dict[str, float | int | str] = {
        "value": first.what,
        "where": "all" if everywhere else first.where,
    }
    if first.layer is not None:
        evidence["layer"] = first.layer
    params = {
        "what": "NaN" if first.what == "nan" else "∞",
        "layer": next((called(r) for r in rows if r.name == first.layer), first.layer or ""),
        "step": whole(first.step),
    }
    variant: str = first.where
    if everywhere:
        variant += "_all"
    elif first.where == "output" and not first.exact:
        variant += "_next"  # found by running the weights of that step on the next batch
    return make("nan", "info" if passed else "error", first.step, evidence, params,
                variant=variant, language=language)  # fmt: skip


def _exploding(
    rows: Sequence[LayerRow], samples: Sequence[LayerSample], language: str
) -> Finding | None:
    """Find gradients or updates that are far too large (Pascanu, Mikolov & Bengio 2013)."""
    if len(samples) < AGREEING:
        return None
    trained = [i for i, row in enumerate(rows) if not row.frozen]
    norms, updates = table(samples, "grad_norm"), table(samples, "update_ratio")
    last = slice(-AGREEING, None)
    # Updates as large as the weights: whatever the gradient, nothing survives that for long.
    steadily = np.nanmin(updates[last], axis=0)
    steadily[np.isnan(updates[last]).any(axis=0)] = np.nan
    worst = largest(steadily, trained)
    if worst is not None and steadily[worst] >= TOO_LARGE_A_STEP:
        ratio = float(np.nanmedian(updates[last, worst]))
        step = samples[since(updates[:, worst] >= TOO_LARGE_A_STEP)].step
        return make(
            "exploding", "warning", step,
            {"layer": rows[worst].name, "update_ratio": ratio},
            {"layer": called(rows[worst]), "ratio": number(ratio), "step": whole(step)},
            variant="updates", language=language,
        )  # fmt: skip
    # Far above its own past, and the weights feel it: leaving a plateau also multiplies gradients.
    if len(samples) >= 10:
        usual = np.nanmedian(norms[:-3], axis=0)
        times = np.nanmin(norms[-3:], axis=0) / np.where(usual > 0, usual, np.nan)
        times[np.nanmedian(updates[-3:], axis=0) < THROWN] = np.nan
        worst = largest(times, trained)
        if worst is not None and times[worst] > EXPLODED:
            step = samples[since(norms[:, worst] > 10 * usual[worst])].step
            now = float(norms[-1, worst])
            return make(
                "exploding", "warning", step,
                {"layer": rows[worst].name, "now_value": now, "usual": float(usual[worst]),
                 "times": float(times[worst])},
                {"layer": called(rows[worst]), "now": number(now), "step": whole(step),
                 "usual": number(usual[worst]), "times": factor(float(times[worst]))},
                language=language,
            )  # fmt: skip
    return _exploding_backwards(rows, samples, norms, language)


def _exploding_backwards(
    rows: Sequence[LayerRow], samples: Sequence[LayerSample], norms: Floats, language: str
) -> Finding | None:
    """Find gradients that grow from the loss to the first layers."""
    chain = gradient_chain(rows, norms)
    if len(chain) < 4:
        return None
    recent = norms[-AGREEING:, chain]
    near, end = near_the_loss(recent)
    times = recent / near[:, None]
    far = np.flatnonzero(np.min(times[:, : len(chain) // 2], axis=0) > EXPLODED_BACKWARDS)
    if not len(far):
        return None
    at = int(far[np.argmax(np.median(times[:, far], axis=0))])
    row, last = rows[chain[at]], rows[chain[end]]
    first = float(np.median(recent[:, at]))
    much = float(np.median(times[:, at]))
    step = samples[since(norms[:, chain[at]] > EXPLODED_BACKWARDS * norms[:, chain[end]])].step
    return make(
        "exploding", "warning", step,
        {"layer": row.name, "last_layer": last.name, "times": much, "grad_norm": first},
        {"layer": called(row), "last": called(last), "first": number(first),
         "times": factor(much), "last_norm": number(float(np.median(near)))},
        variant="depth", language=language,
    )  # fmt: skip


def _vanishing(
    rows: Sequence[LayerRow], samples: Sequence[LayerSample], language: str
) -> Finding | None:
    """Find gradients that fade on their way from the loss to the first layers.

    Glorot & Bengio (2010) follow the size of back-propagated gradients over depth; a layer whose
    gradient norm is a thousandth of that near the loss learns a thousand times as slowly. Only an
    unbroken run of layers from the first one counts: that is what fading looks like, while a small
    gradient in the middle belongs to a branch or a small layer.
    """
    norms = table(samples, "grad_norm")
    chain = gradient_chain(rows, norms)
    if len(samples) < AGREEING or len(chain) < 3:
        return None
    recent = norms[-AGREEING:, chain]
    near, end = near_the_loss(recent)
    if not (near > 0).all():
        return None
    behind = recent / near[:, None]
    low = (np.median(behind, axis=0) < VANISHED) & (np.max(behind, axis=0) < 2 * VANISHED)
    count = int(np.argmin(low)) if not low.all() else 0
    if count == 0 or count > end:
        return None
    affected = [called(rows[chain[i]]) for i in range(count)]
    first, last = rows[chain[0]], rows[chain[end]]
    first_norm, last_norm = float(np.median(recent[:, 0])), float(np.median(near))
    # The oldest sample from which on the first layer has been that far behind.
    step = samples[since(norms[:, chain[0]] < 2 * VANISHED * norms[:, chain[end]])].step
    evidence: dict[str, float | int | str] = {
        "layer": first.name,
        "layers": count,
        "last_layer": last.name,
        "first_norm": first_norm,
        "last_norm": last_norm,
        "ratio": first_norm / last_norm,
    }
    params = {
        "layers": names(affected, 3),
        "count": whole(count),
        "total": whole(len(chain)),
        "first": called(first),
        "last": called(last),
        "first_norm": number(first_norm),
        "last_norm": number(last_norm),
        "step": whole(step),
    }
    if first_norm == 0:
        return make("vanishing", "warning", step, evidence, params,
                    variant="zero", language=language)  # fmt: skip
    params["times"] = factor(last_norm / first_norm)
    return make("vanishing", "warning", step, evidence, params, language=language)


def _motionless(
    rows: Sequence[LayerRow], samples: Sequence[LayerSample], language: str
) -> Finding | None:
    """Find a run in which no layer has ever moved noticeably although it has gradients."""
    trained = [i for i, row in enumerate(rows) if not row.frozen]
    if len(samples) < 2 * AGREEING or not trained:
        return None
    updates = table(samples, "update_ratio")[:, trained]
    norms = table(samples, "grad_norm")[:, trained]
    if np.isnan(updates).all() or not np.nanmax(norms[-1]) > 0:
        return None
    # The whole run, not its end: a schedule may well end at zero.
    most = float(np.nanmax(updates))
    if not most < _NO_STEP_AT_ALL:
        return None
    return make(
        "underfitting", "warning", samples[0].step,
        {"update_ratio": most, "samples": len(samples)},
        {"ratio": number(most)},
        variant="frozen", language=language,
    )  # fmt: skip
