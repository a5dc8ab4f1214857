"""Packed traits of a DecisionBoundaryPlot, of real surfaces and points, to be drawn."""

from typing import Any

import numpy as np

from nnwidgets.explain.answers import Answers
from nnwidgets.explain.contours import boundaries, level_lines
from nnwidgets.explain.points_store import PointStore
from nnwidgets.explain.surface import Surface, grid, lines, surface_of
from nnwidgets.explain.toy_data import toy
from nnwidgets.live.wire import pack, unpack
from nnwidgets.probe.blocks import encode, span

SQUARE = (-1.5, 1.5, -1.5, 1.5)
WHOLE = "The picture shows the whole space: there are no other features."


def softmax(scores):
    parts = np.exp(scores - scores.max(1, keepdims=True))
    return parts / parts.sum(1, keepdims=True)


def beams(count):
    """Classes like slices of a cake: class k is most probable around the angle 90° + k · 360°/K."""
    angles = np.pi / 2 + np.arange(count) * 2 * np.pi / count
    return lambda xy: softmax(4 * xy @ np.stack([np.cos(angles), np.sin(angles)]))


def surface_by(probabilities=None, values=None, *, resolution=(40, 30), rectangle=SQUARE, **more):
    """A surface that a function of places gives."""
    x, y = lines(rectangle, resolution)
    places = grid(x, y)
    answers = Answers(
        None if probabilities is None else probabilities(places).astype(np.float32),
        None if values is None else values(places).reshape(len(places), -1),
        **{name: function(places) for name, function in more.items()},
    )
    return surface_of(x, y, answers)


def sent_surface(surface: Surface, points=None, view=None, interest=None, **meta):
    """A trait `_surface` as the contract lays it out."""
    classes = surface.probabilities is not None
    view = view or ("probability" if classes else "value")
    arrays: dict[str, Any] = {}
    palette, low, high, unit = "sequential", 0.0, 1.0, "probability"
    if classes:
        arrays["label"] = np.where(surface.label < 0, 255, surface.label).astype(np.uint8)
        contours = [(c.of, line) for c in boundaries(surface) for line in c.lines]
        levels = []
        if view == "label":
            palette = "labels"
        elif view == "probability" and interest is None:
            palette, low = "classes", 1 / len(surface.probabilities)
            arrays["value"] = encode(surface.probabilities.max(0), low, 1.0)
        else:
            unit = {"probability": unit, "margin": "difference"}.get(view, "nats")
            values = surface.view(view, interest)
            high = 1.0 if unit != "nats" else np.log(len(surface.probabilities))
            arrays["value"] = encode(values, low, high)
    else:
        values = surface.view(view, interest)
        low, high = span(values, signed=True)
        palette, unit = "diverging", "value"
        if values[np.isfinite(values)].min() >= 0:
            palette, low = "sequential", 0.0
        found = level_lines(surface)
        levels = [contour.level for contour in found]
        contours = [(place, line) for place, c in enumerate(found) for line in c.lines]
        arrays["value"] = encode(values, low, high)
    pieces = [line for _, line in contours]
    arrays["lines"] = np.concatenate([*pieces, np.zeros((0, 2))]).astype(np.float32)
    arrays["line_ends"] = np.cumsum([len(line) for line in pieces], dtype=np.int32)
    arrays["line_of"] = np.array([of for of, _ in contours], np.int32)
    rows, columns = next(a for n, a in arrays.items() if n in ("label", "value")).shape
    words = {
        "seq": 1,
        "kind": "classes" if classes else "values",
        "state": "ready",
        "problem": None,
        "view": view,
        "interest": interest,
        "interest_name": None,
        "step": 3412,
        "past": False,
        "columns": columns,
        "rows": rows,
        "rectangle": list(surface.rectangle),
        "labels": ["x₁", "x₂"],
        "quality": WHOLE,
        "share": 1.0,
        "error": 0.0,
        "palette": palette,
        "low": low,
        "high": high,
        "unit": unit,
        "asked": 1.0,
        "members": 0,
        "notes": [],
        "accuracy": {"train": 0.97, "test": 0.933},
        "counts": {"train": 0, "test": 0},
        "points_version": None,
        "levels": levels,
    }
    if points is not None:
        now = points.snapshot()
        arrays["wrong"] = np.full(len(now.X), 2, np.uint8)
        if classes and now.y is not None:
            said = surface.label[_nearest(surface.y, now.X[:, 1]), _nearest(surface.x, now.X[:, 0])]
            arrays["wrong"] = (said != now.y).astype(np.uint8)
        words["counts"] = {"train": int((~now.test).sum()), "test": int(now.test.sum())}
        words["points_version"] = now.version
    return unpack(pack({**words, **meta}, arrays))


def _nearest(places, values):
    return np.abs(places[:, None] - values).argmin(0)


def sent_points(points: PointStore, fade=None):
    """A trait `_points`."""
    now = points.snapshot()
    if now.y is None:
        y = np.full(len(now.X), 255, np.uint8)
    else:
        y = now.y.astype(np.float32 if points.regression else np.uint8)
    meta = {
        "seq": 1,
        "version": now.version,
        "kind": "values" if points.regression else "classes",
        "count": {"train": int((~now.test).sum()), "test": int(now.test.sum())},
        "drawn": len(now.X),
        "can_undo": False,
        "can_redo": False,
        "low": 0.0,
        "high": 0.0,
    }
    arrays = {
        "xy": now.X[:, :2].astype(np.float32),
        "id": now.ids.astype(np.float64),
        "y": y,
        "test": now.test.astype(np.uint8),
        "fade": np.zeros(len(now.X), np.uint8) if fade is None else np.asarray(fade, np.uint8),
    }
    return unpack(pack(meta, arrays))


def sent_choices(names, **meta):
    return unpack(pack({"seq": 1, "kind": "classes", "classes": list(names), **meta}))


def sent_point(**meta):
    """A trait `_point` of three classes; arrays among the words go into the arrays."""
    given = {
        "probabilities": np.array([0.31, 0.64, 0.05], np.float32),
        "spread": np.array([0.04, 0.06, 0.02], np.float32),
        "weights": np.array([0.52, -0.17], np.float32),
        "fit_weights": np.array([0.5, -0.15], np.float32),
    }
    words = {
        "seq": 1,
        "state": "ready",
        "problem": None,
        "at": [0.42, -0.31],
        "point": [["x₁", "0.42"], ["x₂", "−0.31"]],
        "id": None,
        "step": 3412,
        "label": 1,
        "true": 0,
        "classes": ["A", "B", "C"],
        "value": None,
        "target": 1,
        "uncertainty": {
            "total": 0.61,
            "aleatoric": 0.48,
            "epistemic": 0.13,
            "members": 30,
            "text": "Total 0.61 nats = noise 0.48 + model 0.13 (30 dropout samples).",
        },
        "weights_text": "By one unit of x₁ the probability of B grows by 0.52.",
        "r2": 0.93,
        "features": ["x₁", "x₂"],
        "rule": "x₁ > 0.18 and x₂ ≤ −0.12 → B",
        "rule_fidelity": 0.94,
        "nearest": [{"id": 4, "text": "B, 0.08 away"}, {"id": 9, "text": "A, 0.11 away"}],
        "changes": [
            {
                "feature": "x₂",
                "text": "x₂ + 0.17 → A",
                "to": -0.14,
                "answer": 0,
                "at": [0.42, -0.14],
            }
        ],
        "notes": ["Slopes by autograd."],
    }
    arrays = {n: meta.pop(n, array) for n, array in given.items()}
    kept = {n: np.asarray(a, np.float32) for n, a in arrays.items() if a is not None}
    return unpack(pack({**words, **meta}, kept))


def sent_rules(**meta):
    """A trait `_rules`."""
    words = {
        "seq": 1,
        "state": "ready",
        "problem": None,
        "step": 3412,
        "max_depth": 2,
        "fidelity": 0.912,
        "score": "agreement",
        "rules": [
            {
                "text": "x₁ ≤ 0.18 and x₂ > 0.4 → A",
                "answer": 0,
                "coverage": 0.31,
                "fidelity": 0.95,
                "box": [-1.5, 0.18, 0.4, 1.5],
            },
            {
                "text": "x₁ > 0.18 → B",
                "answer": 1,
                "coverage": 0.42,
                "fidelity": 0.88,
                "box": [0.18, 1.5, -1.5, 1.5],
            },
            {"text": "else → C", "answer": 2, "coverage": None, "fidelity": None, "box": None},
        ],
        "notes": ["Fitted to 2,000 answers of the model."],
    }
    return unpack(pack({**words, **meta}))


def sent_units(values, **meta):
    """A trait `_units` of (units, rows, columns) numbers."""
    values = np.asarray(values, np.float64)
    low, high = values.min((1, 2)), values.max((1, 2))
    codes = np.stack([encode(v, a, b) for v, a, b in zip(values, low, high, strict=True)])
    words = {
        "seq": 1,
        "layer": "hidden.1",
        "count": len(values),
        "units": list(range(len(values))),
        "state": "ready",
        "problem": None,
        "step": 3412,
        "large": None,
        "large_low": 0.0,
        "large_high": 0.0,
    }
    arrays = {"values": codes, "low": low.astype(np.float32), "high": high.astype(np.float32)}
    return unpack(pack({**words, **meta}, arrays))


def sent_landscape(loss, log=False, **meta):
    """A trait `_landscape` of (side, side) numbers."""
    loss = np.asarray(loss, np.float64)
    shown = np.log10(loss) if log else loss
    low, high = span(shown)
    side = len(loss)
    steps = np.linspace(-1, 1, side).astype(np.float32)
    words = {
        "seq": 1,
        "state": "ready",
        "problem": None,
        "step": 3412,
        "centre": float(loss[side // 2, side // 2]),
        "span": 1.0,
        "low": low,
        "high": high,
        "log": log,
        "loss_name": "Cross-entropy of the training points.",
        "notes": [],
    }
    arrays = {"loss": encode(shown, low, high), "alpha": steps, "beta": steps}
    return unpack(pack({**words, **meta}, arrays))


def blobs(classes, n=90, noise=0.15, held=True):
    """Points of classes, a third of them held out."""
    data = toy("blobs", n, classes=classes, noise=noise)
    apart = n * 2 // 3 if held else n
    test = (data.X[apart:], data.y[apart:]) if held else None
    return PointStore(data.X[:apart], data.y[:apart], test=test)
