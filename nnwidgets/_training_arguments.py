"""Checking what a TrainingMonitor is given, before anything is changed."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

__all__ = [
    "LR_RANGE",
    "check_budget",
    "check_model",
    "check_title",
    "checked_lr_scale",
    "merged",
    "named_optimizers",
]

LR_RANGE: Final = (0.01, 100.0)


def check_title(title: object) -> None:
    """Raise TypeError unless `title` is a string."""
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, not {type(title).__name__}.")


def check_model(model: object) -> None:
    """Raise TypeError unless `model` is a module or None."""
    if isinstance(model, Optimizer):
        raise TypeError(
            "the first argument is the model; pass the optimiser as TrainingMonitor(model, "
            "optimizer) or TrainingMonitor(optimizer=optimizer)."
        )
    if isinstance(model, (list, tuple, dict)):
        raise TypeError(
            "several models are passed as one: nn.ModuleDict({'generator': g, 'critic': c})."
        )
    if model is not None and not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module or None, not {type(model).__name__}.")


def named_optimizers(optimizer: object) -> dict[str, Optimizer]:
    """Return the optimisers by name; a single one has the empty name."""
    if optimizer is None:
        return {}
    if isinstance(optimizer, Mapping):
        named = {str(name): one for name, one in optimizer.items()}
        if len(named) < len(optimizer):
            raise ValueError("two optimisers have the same name; give each one of its own.")
    elif isinstance(optimizer, (list, tuple)):
        single = len(optimizer) == 1
        named = {"" if single else str(i): one for i, one in enumerate(optimizer)}
    else:
        named = {"": optimizer}
    for one in named.values():
        if not isinstance(one, Optimizer):
            owner = "scheduler" if isinstance(one, LRScheduler) else "its "
            hint = f" (pass {owner}.optimizer)" if _has_inside(one) else ""
            raise TypeError(
                f"optimizer must be a torch.optim.Optimizer, not {type(one).__name__}{hint}."
            )
        if not hasattr(one, "_optimizer_step_post_hooks"):
            instead = "its .optimizer" if _has_inside(one) else "the optimiser inside of it"
            raise TypeError(
                f"the steps of this {type(one).__name__} cannot be seen, because it never called "
                f"Optimizer.__init__; pass {instead} instead."
            )
    return named


def _has_inside(wrapper: object) -> bool:
    return isinstance(getattr(wrapper, "optimizer", None), Optimizer)


def check_budget(budget: object) -> None:
    """Raise ValueError unless `budget` is a fraction that leaves the training most of the time."""
    if not _is_real(budget) or not 0 < budget <= 0.5:
        raise ValueError(
            f"budget is the fraction of time that watching may take, above 0 and at most 0.5; "
            f"not {budget!r}."
        )


def checked_lr_scale(value: object) -> float:
    """Return `value` as a factor on the learning rate; raise TypeError or ValueError if none."""
    low, high = LR_RANGE
    if not _is_real(value):
        raise TypeError(f"lr_scale must be a number, not {type(value).__name__}.")
    if not low <= value <= high:
        raise ValueError(f"lr_scale must lie between {low} and {high:g}, not {value!r}.")
    return float(value)


def merged(metrics: object, named: dict[str, Any]) -> dict[str, Any]:
    """Return both kinds of metrics that ``log()`` takes as one dictionary."""
    if not isinstance(metrics, Mapping):
        raise TypeError(
            f"log() takes a mapping of names to values, not {type(metrics).__name__}; "
            "write log(loss=loss) or log({'loss': loss})."
        )
    for name in metrics:
        if not isinstance(name, str):
            raise TypeError(f"a metric's name must be a string, not {name!r}.")
        if name in named:
            raise TypeError(f"the metric {name!r} is given twice.")
    return {**metrics, **named}


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
