"""Keeping captum's routine warnings from the user, without touching anybody else's.

captum says at each call that it sets hooks. ``warnings.catch_warnings`` would hide that, but it
swaps the filters of the whole process, and a training loop in another thread may be doing the same
at this moment. So captum's files are given a `warnings` of their own, which listens in the threads
that asked for it and passes everything else on.
"""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["quiet"]

_FILES: Final = (
    "captum.attr._core.deep_lift",
    "captum.attr._core.guided_backprop_deconvnet",
    "captum.attr._core.guided_grad_cam",
    "captum.attr._core.lime",
    "captum.attr._utils.batching",
    "captum._utils.gradient",
)
_listening = threading.local()


class _Warnings:
    """Stands for the module `warnings` in one of captum's files."""

    def __getattr__(self, name: str) -> Any:
        return getattr(warnings, name)

    def warn(
        self,
        message: Warning | str,
        category: type[Warning] | None = None,
        stacklevel: int = 1,
        **more: Any,
    ) -> None:
        heard: list[str] | None = getattr(_listening, "heard", None)
        if heard is None:
            warnings.warn(message, category, stacklevel + 1, **more)
        else:
            heard.append(str(message))


@contextmanager
def quiet() -> Iterator[list[str]]:
    """Collect captum's warnings in this thread instead of showing them.

    Yields
    ------
    list of str
        What was said so far.
    """
    _install()
    before = getattr(_listening, "heard", None)
    heard: list[str] = []
    _listening.heard = heard
    try:
        yield heard
    finally:
        _listening.heard = before


def _install() -> None:
    for name in _FILES:
        try:
            module: Any = importlib.import_module(name)
        except ImportError:  # another release of captum's keeps it elsewhere
            continue
        if getattr(module, "warnings", None) is warnings:
            module.warnings = _Warnings()
