"""Rules of three stripes across the picture."""

from __future__ import annotations

import numpy as np

from nnwidgets.explain.rules import Rules, fit_rules, rectangle


def thirds(rows: np.ndarray) -> np.ndarray:
    """Class 1 where x₁ > 0.5, class 2 elsewhere where x₂ > 1, else class 0."""
    label = np.where(rows[:, 0] > 0.5, 1, np.where(rows[:, 1] > 1, 2, 0))
    return np.eye(3)[label]


def fitted() -> Rules:
    data = np.random.default_rng(1).uniform(-2, 2, (200, 2))
    return fit_rules(thirds, rectangle([-2, -2], [2, 2]), data, feature_names=["x₁", "x₂"])
