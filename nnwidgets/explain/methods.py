"""Asking a model why, by any of the methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nnwidgets.explain.cancelling import never

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.explanation import Explanation
    from nnwidgets.explain.question import Question

__all__ = ["cost", "explain"]


def explain(
    asked: Asked,
    method: str,
    *,
    question: Question | None = None,
    layer: str | None = None,
    baseline: Any = None,
    options: Mapping[str, Any] | None = None,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[float], None] | None = None,
) -> Explanation:
    """Work out one explanation (being written)."""
    raise NotImplementedError


def cost(asked: Asked, method: str, options: Mapping[str, Any] | None = None) -> int:
    """Return how many forward-equivalents of one sample a method takes (being written)."""
    raise NotImplementedError
