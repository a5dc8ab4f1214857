"""Imports that draw random numbers of the process, made where that can be taken back."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Final

from nnwidgets.probe.replay import RandomState

__all__ = ["import_aside"]

# rich draws 24 bits for its styles when it is imported; scikit-learn 1.9 imports it.
_DRAWING: Final = "rich.style"


def import_aside() -> None:
    """Import what draws a number when it is first imported, and put the generators back.

    At a safe point, before scikit-learn is used in a thread beside a training: there the number
    would be one of the training's. Does nothing the second time, or without such a module.
    """
    if _DRAWING in sys.modules:
        return
    before = RandomState.now()
    with contextlib.suppress(ImportError):
        importlib.import_module(_DRAWING)
    before.restore()
