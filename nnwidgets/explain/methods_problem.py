"""What goes wrong inside captum or the model, as one sentence that says what to do."""

from __future__ import annotations

import re

import torch

from nnwidgets.probe.refusal import Refusal

__all__ = ["sentence"]


def sentence(method: str, problem: Exception) -> Exception:
    """Return what to raise in the place of an exception.

    Parameters
    ----------
    method
        What was being worked out.
    problem
        What came out of it.

    Returns
    -------
    Exception
        A `Refusal`; `problem` itself if it is one, or if it is our own complaint about the call.
    """
    if isinstance(problem, Refusal) or _is_ours(problem):
        return problem
    words = str(problem)
    if isinstance(problem, torch.OutOfMemoryError) or "not enough memory" in words:
        return Refusal("explain.failed.memory", method=method)
    if "being used more than once" in words or ("used more than once" in words):
        return Refusal("explain.failed.reused", method=method)
    found = re.search(r"Module of type <class '([^']+)'> has no rule", words)
    if found:
        return Refusal("explain.failed.lrp_layer", layer=found.group(1).rpartition(".")[2])
    if method == "lrp" and isinstance(problem, AttributeError | KeyError):
        # A layer whose output never met its backward hook: it was skipped, or called twice.
        return Refusal("explain.failed.lrp_graph")
    if "modified by an inplace operation" in words or "is a view and is being modified" in words:
        return Refusal("explain.failed.inplace", method=method)
    if "Backward hooks not supported for module" in words:
        return Refusal("explain.failed.several", method=method)
    if "derivative for" in words and "not implemented" in words:
        return Refusal("explain.failed.derivative", method=method, problem=_short(problem))
    return Refusal("explain.failed", method=method, problem=_short(problem))


def _is_ours(problem: Exception) -> bool:
    """Whether code of this package complains about what it was called with."""
    if not isinstance(problem, ValueError | TypeError):
        return False
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return name.startswith("nnwidgets.")


def _short(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    words = " ".join(line.strip() for line in lines[:3])[:200].rstrip(". ")
    return f"{type(problem).__name__}: {words}" if words else type(problem).__name__
