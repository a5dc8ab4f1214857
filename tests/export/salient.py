"""Packed traits of a SaliencyViewer, made by hand, to be drawn."""

from typing import Any

import numpy as np

from nnwidgets.live.wire import pack, unpack
from nnwidgets.probe.blocks import encode

NAN, INF = np.nan, np.inf
PANE: dict[str, Any] = {
    "index": 3,
    "method": "integrated_gradients",
    "target": 1,
    "target_name": "cat",
    "layer": None,
    "baseline": "zero",
    "step": 3412,
    "past": False,
    "checkpoint": None,
    "state": "ready",
    "problem": None,
    "warnings": [],
    "note": None,
    "seconds": 0.25,
    "evaluations": 51,
    "shape": [],
    "sum": None,
    "score": None,
    "baseline_score": None,
    "classes": ["dog", "cat"],
    "target_unit": "logit",
    "features": None,
    "tokens": None,
    "slots": None,
    "slot": 0,
    "details": {},
}


def pane(kind, values, given=None, *, outputs=(0.2, 0.8), spread=None, **meta):
    """Words and arrays of a pane."""
    arrays = {"map": np.asarray(values, np.float32), "probabilities": np.asarray(outputs, "f4")}
    if given is not None:
        arrays["input"] = np.asarray(given)
    if spread is not None:
        arrays["spread"] = np.asarray(spread, np.float32)
    return {**PANE, "kind": kind, **meta}, arrays


def packed(*panes, codes=False, compare=None, signed=None):
    """A trait `_picture`, with the scale that the viewer gives it."""
    maps = [arrays["map"] for _, arrays in panes if "map" in arrays]
    finite = np.concatenate([m[np.isfinite(m)].astype(float) for m in maps] or [np.zeros(0)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    signed = low < 0 if signed is None else signed
    if signed:
        high = max(-low, high)
        low = -high
    else:
        low = 0.0
    arrays = {}
    for place, (_, own) in enumerate(panes):
        for name, array in own.items():
            if name == "map" and codes:
                array = encode(array, low, high)
            arrays[f"{place}.{name}"] = array
    meta = {"seq": 1, "compare": compare, "signed": signed, "low": low, "high": high}
    return unpack(pack({**meta, "panes": [words for words, _ in panes]}, arrays))


def trusted(checks=(), verdict=None, *, arrays=None, layers=(), **meta):
    """A trait `_trust` on the pane above."""
    words = {
        "seq": 1,
        "state": "ready",
        "method": PANE["method"],
        "index": PANE["index"],
        "target": PANE["target"],
        "step": PANE["step"],
        "problem": None,
        "checks": [
            {"kind": "x", "level": level, "text": text, "value": None} for level, text in checks
        ],
        "verdict": verdict,
        "cascade_layers": list(layers),
        **meta,
    }
    return unpack(pack(words, arrays or {}))


CURVES = {
    "fraction": np.linspace(0, 1, 5),
    "deletion": np.array([1, 0.5, 0.2, 0.1, 0.0]),
    "insertion": np.array([0, 0.6, 0.9, 1.0, 1.0]),
    "random_deletion": np.array([1, 0.9, 0.5, 0.2, 0.0]),
    "random_insertion": np.array([0, 0.1, 0.4, 0.8, 1.0]),
    "cascade": np.array([0.8, 0.3, NAN]),
}
CHECKED = trusted(
    [("good", "Adds up."), ("warn", "Depends on the baseline (0.62)."), ("bad", "Noise.")],
    "Tried: sums, noise. Use with care.",
    arrays=CURVES,
    layers=["head", "conv2", "conv1"],
)


def every_kind():
    """One pane of each kind, by its name."""
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 255, (12, 9)).astype(np.uint8)
    words = ["the", " ", "\n", "", "cat", "$x_1^", "猫", "sat"]
    return {
        "image": pane("image", rng.normal(size=(12, 9)), grey, shape=[3, 12, 9], reduced=2),
        "table": pane(
            "table",
            rng.normal(size=5),
            rng.normal(size=5).astype("f4"),
            features=["age", "height", "weight", "a_b^c", "<b>"],
            baseline_score=0.5,
            score=0.5,
            spread=rng.random(5),
        ),
        "tokens": pane("tokens", rng.normal(size=8), tokens=words, slots=["ids", "mask"]),
        "signal": pane("signal", rng.normal(size=(3, 70)), rng.normal(size=(3, 70)).astype("f4")),
        "sequence": pane(
            "sequence", rng.normal(size=(20, 4)), rng.normal(size=(20, 4)).astype("f4")
        ),
        "other": pane("other", rng.random(7), layer="conv1", past=True),
    }
