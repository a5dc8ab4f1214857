"""One pane of the picture: an answer, packed for the browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets._saliency_solving import Solver
from nnwidgets._saliency_wish import Answer
from nnwidgets.catalogue import text
from nnwidgets.probe.blocks import EXACT, encode

__all__ = ["pane_of", "scale_of"]

_UNITS: Final = {
    "logits": "logit",
    "logit": "logit",
    "probabilities": "probability",
    "probability": "probability",
    "log_probabilities": "log_probability",
}

_MOST_LETTERS: Final = 30_000  # of the names of all classes

Meta = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


def scale_of(answers: Sequence[Answer]) -> tuple[float, float, bool]:
    """Return the ends of the one scale of all panes, and whether it is centred on zero.

    Signed as soon as one value is below zero; else from zero up.
    """
    maps = [None if answer.drawn is None else answer.drawn.map for answer in answers]
    finite = [values[np.isfinite(values)] for values in maps if values is not None]
    low = min((float(values.min()) for values in finite if values.size), default=0.0)
    high = max((float(values.max()) for values in finite if values.size), default=0.0)
    if low < 0:
        high = max(-low, high)
        return -high, high, True
    return 0.0, high, False


def pane_of(
    answer: Answer, solver: Solver, low: float, high: float, language: str
) -> tuple[Meta, Arrays]:
    """Return the words and the arrays of a pane.

    Parameters
    ----------
    answer
        What it shows.
    solver
        Knows the names.
    low, high
        Ends of the scale.
    language
        Of the sentences.
    """
    wish, found, picture = answer.wish, answer.explanation, answer.drawn
    target = found.target if found is not None else wish.target
    if target is None and answer.scores is not None and answer.probabilities is not None:
        target = int(np.nan_to_num(answer.scores, nan=-np.inf).argmax())
    kind = "other" if picture is None else picture.kind
    meta: Meta = {
        "index": wish.index,
        "method": wish.method,
        "target": target if isinstance(target, int) else None,
        "target_name": solver.target_name(target),
        "layer": solver.layer(wish) if found is None else found.layer,
        "baseline": wish.baseline if solver.uses_baseline(wish.method) else None,
        "step": answer.step,
        "past": answer.past,
        "checkpoint": wish.checkpoint,
        "kind": kind,
        "state": answer.state,
        "problem": answer.problem,
        "warnings": _warnings(answer, language),
        "note": " ".join(text(key, language, **params) for key, params in answer.said) or None,
        "delta": None if found is None else _finite(found.convergence_delta),
        "seconds": None if found is None else _finite(found.seconds),
        "evaluations": 0 if found is None else found.evaluations,
        "shape": [] if found is None else list(np.shape(found.arrays[0])),
        "reduced": 1 if picture is None else picture.reduced,
        "sum": _finite(answer.numbers.get("sum")),
        "score": _finite(answer.numbers.get("score")),
        "baseline_score": _finite(answer.numbers.get("baseline_score")),
        "classes": _few(solver.classes()),
        "target_unit": _UNITS.get(solver.output_numbers(), "value"),
        "features": None,
        "tokens": None if answer.tokens is None else list(answer.tokens),
        "slots": list(solver.slots()) or None,
        "slot": wish.slot,
        "details": {} if found is None else _details(found.details),
    }
    arrays: Arrays = {}
    if answer.probabilities is not None or answer.scores is not None:
        values = answer.scores if answer.probabilities is None else answer.probabilities
        arrays["probabilities"] = np.asarray(values, np.float32)
    if picture is not None:
        if picture.input is not None:
            arrays["input"] = picture.input
        # Of a large one the numbers at a place are asked for.
        if picture.spread is not None and picture.spread.size <= EXACT:
            arrays["spread"] = picture.spread.astype(np.float32)
    if picture is not None and picture.map is not None:
        own = picture.map
        if kind in ("table", "other", "sequence", "signal"):
            width = own.shape[-1 if kind != "signal" else 0]
            names = solver.features(wish.slot, width)
            meta["features"] = None if names is None else list(names)
        exact = own.size <= EXACT
        arrays["map"] = own.astype(np.float32) if exact else encode(own, low, high)
    return meta, arrays


def _few(names: tuple[str, ...]) -> list[str]:
    """Return so many names, from the first on, as a message may hold; the rest go by numbers."""
    room = _MOST_LETTERS
    for place, name in enumerate(names):
        room -= len(name) + 4  # as JSON
        if room < 0:
            return list(names[:place])
    return list(names)


def _warnings(answer: Answer, language: str) -> list[str]:
    if answer.explanation is None:
        return []
    return [text(key, language, **params) for key, params in answer.explanation.words]


def _details(details: Any) -> Meta:
    kept = {}
    for name, value in details.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            kept[name] = _finite(float(value))
    return kept


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
