"""What a SaliencyViewer shows, read out of the parts that it sends, and the words that go with it.

As in ``js/src/saliency_viewer``: forgiving of what is missing, so that whatever was sent can be
drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.catalogue import text as say
from nnwidgets.export.blocks_colours import Scale
from nnwidgets.export.blocks_words import told, whole
from nnwidgets.export.look import number
from nnwidgets.probe.blocks import decode

__all__ = [
    "Pane",
    "Picture",
    "Sent",
    "Trust",
    "caption_of",
    "feature_name",
    "heading_of",
    "method_name",
    "notes_of",
    "read_picture",
    "read_trust",
    "units_of",
]

Floats = NDArray[np.float64]

Sent = tuple[Mapping[str, Any], Mapping[str, NDArray[Any]]]
"""Words and arrays of a trait, as they were packed."""

_KINDS: Final = ("image", "table", "tokens", "signal", "sequence")
_SLOPES: Final = ("saliency", "smooth_grad", "guided_backprop")
_BARE: Final = (
    *("grad_cam", "grad_cam_plus_plus", "layer_cam", "guided_grad_cam", "attention_rollout"),
)
# Of the others the words count or number something that a pane does not hold.
_BASELINES: Final = {
    "zero": "explain.baseline.zero",
    "blurred": "explain.baseline.blurred",
    "given": "explain.baseline.given",
    "pad": "explain.baseline.pad",
}
_WEAK: Final = 0.5  # R² of a surrogate below which it is a warning
_MOST_NOTES: Final = 8


@dataclass(frozen=True, eq=False)
class Pane:
    """One map.

    Attributes
    ----------
    meta
        Its words, as sent.
    kind
        What the input is; ``"other"`` where that is not known.
    map
        The numbers, codes turned back; None where there is no map.
    input
        As sent.
    outputs
        Of each class.
    spread
        Like `map`, or None.
    """

    meta: Mapping[str, Any]
    kind: str
    map: Floats | None
    input: NDArray[Any] | None
    outputs: Floats
    spread: Floats | None

    def word(self, name: str) -> str:
        """Return a word or a sentence; empty where there is none."""
        found = self.meta.get(name)
        return found if isinstance(found, str) else ""

    def number(self, name: str) -> float | None:
        """Return a number; None where there is none."""
        found = self.meta.get(name)
        return _number(found)

    def texts(self, name: str) -> list[str]:
        """Return a list of words; empty where there is none."""
        return _texts(self.meta.get(name))


@dataclass(frozen=True, eq=False)
class Picture:
    """All panes, and the scale that they share."""

    panes: tuple[Pane, ...]
    scale: Scale


@dataclass(frozen=True, eq=False)
class Trust:
    """What was found out about a map.

    Attributes
    ----------
    checks
        Level and sentence of each.
    cascade
        Layer and similarity of the maps, from the last layer on.
    curves
        ``fraction``, ``deletion``, ``insertion``, ``random_deletion``, ``random_insertion``.
    """

    meta: Mapping[str, Any]
    checks: tuple[tuple[str, str], ...]
    cascade: tuple[tuple[str, float], ...]
    curves: Mapping[str, Floats]

    def is_of(self, pane: Pane | None) -> bool:
        """Whether what was checked is this map."""
        return pane is not None and all(
            self.meta.get(name) == pane.meta.get(name) for name in ("method", "index", "target")
        )


def read_picture(sent: Sent | None) -> Picture:
    """Read the trait ``_picture``; no panes of an empty one."""
    meta, arrays = sent or ({}, {})
    low, high = _number(meta.get("low")) or 0.0, _number(meta.get("high")) or 0.0
    scale = Scale(low, high, meta.get("signed") is True)
    given = meta.get("panes")
    panes = tuple(
        _pane(pane, place, arrays, scale)
        for place, pane in enumerate(given if isinstance(given, list) else [])
        if isinstance(pane, Mapping)
    )
    # Panes that are compared are of one sample: its input travels once.
    return Picture(
        tuple(
            replace(pane, input=panes[0].input)
            if pane.input is None and pane.kind == panes[0].kind
            else pane
            for pane in panes
        ),
        scale,
    )


def _pane(
    meta: Mapping[str, Any], place: int, arrays: Mapping[str, NDArray[Any]], scale: Scale
) -> Pane:
    kind = meta.get("kind")

    def array(name: str) -> NDArray[Any] | None:
        found = arrays.get(f"{place}.{name}")
        return found if found is not None and found.size else None

    drawn, outputs, spread = array("map"), array("probabilities"), array("spread")
    values: Floats | None = None
    if drawn is not None:
        codes = drawn.dtype == np.uint8
        values = decode(drawn, scale.low, scale.high) if codes else drawn.astype(np.float64)
    return Pane(
        meta,
        kind if kind in _KINDS else "other",
        values,
        array("input"),
        np.zeros(0) if outputs is None else outputs.astype(np.float64).reshape(-1),
        None if spread is None else spread.astype(np.float64),
    )


def read_trust(sent: Sent | None) -> Trust:
    """Read the trait ``_trust``."""
    meta, arrays = sent or ({}, {})
    given = meta.get("checks")
    checks = [check for check in given or [] if isinstance(check, Mapping)]
    layers = _texts(meta.get("cascade_layers"))
    cascade = [float(value) for value in arrays.get("cascade", np.zeros(0)).reshape(-1)]
    return Trust(
        meta,
        tuple((str(check.get("level")), str(check.get("text") or "")) for check in checks),
        tuple(
            (layers[place] if place < len(layers) else str(place), value)
            for place, value in enumerate(cascade)
        ),
        {
            name: values.astype(np.float64).reshape(-1)
            for name, values in arrays.items()
            if name != "cascade"
        },
    )


# -- words -------------------------------------------------------------------------------------


def heading_of(pane: Pane, language: str) -> str:
    """Return what the evidence is for: "Evidence for “5”"."""
    name = pane.word("target_name")
    if not name:
        return say("ui.saliency.evidence.output", language)
    return say("ui.saliency.evidence", language, name=name)


def method_name(name: str, language: str) -> str:
    """Return what a method is called."""
    return told(f"ui.saliency.method.{name}", language) or name


def caption_of(pane: Pane, language: str) -> str:
    """Return how a map was found: "Grad-CAM, layer features.6, step 3,412"."""
    parts = [method_name(pane.word("method"), language)]
    if layer := pane.word("layer"):
        parts.append(say("ui.saliency.of.layer", language, layer=layer))
    if baseline := pane.word("baseline"):
        key = _BASELINES.get(baseline)
        words = baseline if key is None else say(key, language)
        parts.append(say("ui.saliency.of.baseline", language, baseline=words))
    if checkpoint := pane.word("checkpoint"):
        parts.append(say("ui.saliency.of.checkpoint", language, name=checkpoint))
    else:
        step = whole(pane.number("step") or 0.0)
        key = "ui.saliency.of.past" if pane.meta.get("past") is True else "ui.step_at"
        parts.append(say(key, language, step=step))
    return say("ui.saliency.comma", language).join(parts)


def notes_of(pane: Pane, language: str) -> list[tuple[str, str]]:
    """Return level and text of the sentences beside a map."""
    notes: list[tuple[str, str]] = []
    state = pane.word("state")
    if state in ("working", "stale", "failed"):
        level = "error" if state == "failed" else "warning"
        notes.append((level, say(f"ui.saliency.state.{state}", language)))
    if problem := pane.word("problem"):
        notes.append(("error", problem))
    warnings = pane.texts("warnings")
    notes += [("warning", words) for words in warnings]
    if not warnings and state not in ("working", "failed"):
        flaw = _flaw(pane.map)
        if flaw is not None:
            notes.append(("warning", say(f"ui.saliency.flaw.{flaw}", language)))
    details = pane.meta.get("details")
    r2 = _number(details.get("r2")) if isinstance(details, Mapping) else None
    if r2 is not None:
        level = "warning" if r2 < _WEAK else "info"
        notes.append((level, say("ui.saliency.r2", language, r2=number(r2))))
    notes += [("info", words) for words in (_sums(pane, language), pane.word("note")) if words]
    return notes[:_MOST_NOTES]


def _sums(pane: Pane, language: str) -> str:
    """Say what one value of an image's map stands for, if that is more than one number."""
    if pane.kind != "image" or pane.map is None:
        return ""
    words = []
    shape = pane.meta.get("shape")
    if isinstance(shape, list) and len(shape) == 3 and min(shape) > 1:
        words.append(say("figure.saliency.summed", language))
    reduced = pane.number("reduced") or 1
    if reduced > 1:
        words.append(say("figure.saliency.averaged", language, side=whole(reduced)))
    return " ".join(words)


def _flaw(values: Floats | None) -> str | None:
    if values is None:
        return "empty"
    if not np.isfinite(values).all():
        return "not_finite"
    if not values.any():
        return "zero"
    return "constant" if values.size > 1 and values.min() == values.max() else None


def units_of(panes: Sequence[Pane], language: str) -> str:
    """Return what the numbers of the maps count; by method where that differs."""
    found: dict[str, str] = {}
    for pane in panes:
        unit = pane.word("target_unit")
        known = unit if unit in ("logit", "probability") else "value"
        method = pane.word("method")
        score = say(f"ui.saliency.unit.{known}", language)
        if method in _BARE:
            score = say("ui.saliency.unit.none", language)
        elif method in _SLOPES:
            score = say("ui.saliency.unit.slope", language, score=score)
        found.setdefault(method, score)
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return " · ".join(f"{method_name(name, language)}: {unit}" for name, unit in found.items())


def feature_name(names: Sequence[str], index: int, language: str) -> str:
    """Return what a feature or a channel is called."""
    if index < len(names):
        return names[index]
    return say("ui.saliency.feature", language, number=whole(index))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []
