"""Which place in the user's code a torch function is called from."""

from __future__ import annotations

import os
import sys
from functools import cache
from types import CodeType, FrameType
from typing import Any, Final

import torch

__all__ = ["caller", "function_name", "is_counting", "path"]

_TORCH: Final = os.path.dirname(torch.__file__) + os.sep
_MODULES: Final = os.path.join(_TORCH, "nn", "modules") + os.sep
_LONGEST: Final = 24  # frames that tell one place from another
# Names of functions that only pass a call on.
_GENERIC: Final = frozenset(
    ("fn", "wrapper", "wrapped", "inner", "_fn", "handle_torch_function", "decorate_context")
)
_DUNDER: Final = {
    "truediv": "div",
    "floordiv": "floor_divide",
    "rfloordiv": "floor_divide",
    "rdiv": "div",
    "rtruediv": "div",
    "invert": "bitwise_not",
}
_REFLECTED: Final = frozenset(("radd", "rsub", "rmul", "rmatmul", "rpow", "rmod"))
_IN_PLACE: Final = frozenset(
    f"i{name}"
    for name in ("add", "sub", "mul", "matmul", "pow", "mod", "truediv", "floordiv", "div")
) | {"iand", "ior", "ixor", "ilshift", "irshift"}

Path = tuple[tuple[CodeType, int], ...]


def caller() -> FrameType:
    """Return the frame that called the function this is called from."""
    return sys._getframe(2)


def is_counting(frame: FrameType) -> bool:
    """Whether torch's flop counter calls a function for something that called it before."""
    at: FrameType | None = frame
    while at is not None and _is_library(at.f_code):
        if at.f_globals.get("__name__") == "torch.utils.flop_counter":
            return True
        at = at.f_back
    return False


def path(frame: FrameType, outermost: int) -> tuple[Path, str | None, FrameType | None]:
    """Tell one place of the code from all others.

    Parameters
    ----------
    frame
        That the torch function was called in.
    outermost
        `id` of the frame (alive) that called the module's forward: what lies within counts.

    Returns
    -------
    path
        Code and instruction of each frame. Frames of torch's own Python functions are left out:
        what they do is one call.
    label
        Name of the outermost of those functions; None if there is none.
    library
        Its frame.
    """
    label: str | None = None
    library: FrameType | None = None
    found: list[tuple[CodeType, int]] = []
    at: FrameType | None = frame
    while at is not None and id(at) != outermost:
        code = at.f_code
        if not found and _is_library(code):
            library = at
            if code.co_name not in _GENERIC:
                label = tidy(code.co_name)
        elif len(found) < _LONGEST:
            found.append((code, at.f_lasti))
        at = at.f_back
    return tuple(found), label, library


@cache
def _is_library(code: CodeType) -> bool:
    file = code.co_filename
    return file.startswith(_TORCH) and not file.startswith(_MODULES)


def function_name(func: Any) -> str:
    """Return a function's name, as one would say it: ``add`` for ``__iadd__`` and ``add_``."""
    name = getattr(func, "__name__", None) or type(func).__name__
    name = name.partition(".")[0] or name  # an operator's overload: "addmm.default"
    if name in ("__get__", "__set__"):
        name = getattr(getattr(func, "__self__", None), "__name__", name)
    return tidy(name)


@cache
def tidy(name: str) -> str:
    """Strip a name of what says how a function is called rather than what it does."""
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        if name in _REFLECTED or name in _IN_PLACE:
            name = name[1:]
        name = _DUNDER.get(name, name)
    return name.strip("_") or name
