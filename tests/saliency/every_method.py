"""Every method that applies is tried on a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnwidgets import SaliencyViewer
from tests.saliency.conftest import part


def settled(viewer: SaliencyViewer, method: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choose a method and wait; the pane's words and the arrays of the picture."""
    viewer.method = method
    viewer._have_answers()
    meta, arrays = part(viewer, "_picture")
    return meta["panes"][0], arrays


def check_every_method(viewer: SaliencyViewer) -> dict[str, dict[str, Any]]:
    """Every method that is said to apply does, in the picture as in the answer."""
    found = {}
    assert viewer.methods
    for method in viewer.methods:
        pane, arrays = settled(viewer, method)
        assert (pane["method"], pane["state"], pane["problem"]) == (method, "ready", None)
        assert arrays["0.map"].size
        assert list(np.shape(viewer.explain(method=method).arrays[0])) == pane["shape"]
        found[method] = {**arrays, **pane}
    assert viewer._error is None
    return found
