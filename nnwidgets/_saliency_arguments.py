"""Checking what a SaliencyViewer is given, before anything is changed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from nnwidgets._inspector_arguments import check_sample, nearest
from nnwidgets._saliency_wish import Target
from nnwidgets.explain.baselines import NAMES as BASELINES
from nnwidgets.explain.registry import METHODS

__all__ = [
    "check_inputs",
    "check_method",
    "checked_baseline",
    "checked_names",
    "checked_targets",
    "checked_tokens",
]

_MOST_CLASSES: Final = 100_000


def check_inputs(inputs: object) -> None:
    """Raise TypeError or ValueError unless `inputs` can be what a model is called with."""
    if inputs is None:
        raise TypeError(
            "inputs must hold the samples to explain, as the model is called with them: a tensor, "
            "a tuple of positional inputs or a dictionary of keyword inputs."
        )
    try:
        check_sample(inputs)
    except (TypeError, ValueError) as problem:
        words = str(problem).replace("the sample", "inputs").replace("a sample", "inputs")
        words = words.replace("torch.as_tensor(sample)", "torch.as_tensor(inputs)")
        raise type(problem)(words.replace("sample must", "inputs must")) from None
    inside: Iterable[Any] = inputs.values() if isinstance(inputs, Mapping) else (inputs,)
    if isinstance(inputs, tuple):
        inside = inputs
    if not any(isinstance(value, Tensor) for value in inside):
        raise TypeError("inputs hold no tensor; a sample to explain is a tensor, batch first.")


def check_method(name: object) -> None:
    """Raise ValueError, with the nearest name, unless there is a method of this name."""
    if name not in METHODS:
        raise ValueError(nearest(name, METHODS).replace("there is no layer", "there is no method"))


def checked_targets(targets: object, count: int) -> tuple[Target, ...] | None:
    """Return what to ask about for each of `count` samples; None: what the model answers.

    Raises
    ------
    TypeError, ValueError
        If `targets` is of another kind, or of another number.
    """
    if targets is None:
        return None
    if callable(targets):
        return (targets,) * count
    if isinstance(targets, (bool, np.bool_)):
        raise TypeError("targets must be classes (integers), not a truth value.")
    if isinstance(targets, (int, np.integer)):
        return (int(targets),) * count
    if isinstance(targets, (Tensor, np.ndarray)):
        if isinstance(targets, Tensor):
            targets = targets.detach().cpu().numpy()
        if targets.dtype.kind not in "iu" or targets.ndim > 1:
            raise TypeError(
                "targets must be class numbers, one integer a sample; not an array of "
                f"{targets.dtype} of shape {targets.shape}."
            )
        targets = targets.reshape(-1).tolist()
    if not isinstance(targets, Sequence) or isinstance(targets, (str, bytes)):
        raise TypeError(
            "targets must be a class, one class a sample, a function that picks the score out of "
            f"the model's output, or None; not {type(targets).__name__}."
        )
    if len(targets) != count:
        raise ValueError(f"targets holds {len(targets)} entries for {count} samples.")
    return tuple(checked_target(one) for one in targets)


def checked_target(target: object) -> Target:
    """Return one target.

    Raises
    ------
    TypeError
        If it is no class, place or function.
    """
    if target is None or (callable(target) and not isinstance(target, type)):
        return target
    if isinstance(target, (Tensor, np.ndarray)) and target.ndim == 0:
        target = target.item()
    if isinstance(target, (int, np.integer)) and not isinstance(target, (bool, np.bool_)):
        return int(target)
    if isinstance(target, (tuple, list)) and target and all(type(i) is int for i in target):
        return tuple(target)
    raise TypeError(
        "target must be a class (an integer), a place in the output (a tuple of integers), a "
        f"function of the output, or None for what the model answers; not {target!r}."
    )


def checked_names(names: object, what: str) -> tuple[str, ...] | None:
    """Return names as a tuple of strings.

    Raises
    ------
    TypeError
        If `names` is no sequence.
    """
    if names is None:
        return None
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if isinstance(names, (str, bytes)) or not isinstance(names, Sequence):
        raise TypeError(f"{what} must be a list of names, not {type(names).__name__}.")
    if len(names) > _MOST_CLASSES:
        raise ValueError(f"{what} holds {len(names):,} names; more than {_MOST_CLASSES:,}.")
    return tuple(str(name) for name in names)


def checked_tokens(tokens: Any, count: int) -> Any:
    """Return the texts of the tokens of each sample.

    Parameters
    ----------
    tokens
        One list of texts a sample; one list alone for one sample; or a vocabulary: a dictionary
        or a function, returned as it is.
    count
        Samples.

    Raises
    ------
    TypeError, ValueError
        If it is something else.
    """
    if tokens is None or isinstance(tokens, Mapping) or callable(tokens):
        return tokens
    if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Sequence):
        raise TypeError(
            "tokens must be one list of texts for each sample, in the order of the token ids; not "
            f"{type(tokens).__name__}."
        )
    if tokens and all(isinstance(token, str) for token in tokens):
        tokens = [tokens]
    if len(tokens) != count:
        raise ValueError(f"tokens holds the texts of {len(tokens)} samples; inputs hold {count}.")
    return tuple(checked_names(one, "each entry of tokens") or () for one in tokens)


def checked_baseline(baseline: Any) -> Any:
    """Return what stands for "nothing there": None, a name, a number, tensors.

    Raises
    ------
    TypeError, ValueError
        If it is something else, or no known name.
    """
    if baseline is None:
        return None
    if isinstance(baseline, str):
        if baseline not in (*BASELINES, "pad") and not baseline.startswith("sample:"):
            near = difflib.get_close_matches(baseline, BASELINES, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            names = ", ".join(map(repr, BASELINES))
            raise ValueError(
                f"baseline must be a number, a tensor or one of {names}; not {baseline!r}.{hint}"
            )
        return baseline
    if isinstance(baseline, tuple):
        return tuple(_baseline_value(one) for one in baseline)
    return _baseline_value(baseline)


def _baseline_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = torch.as_tensor(value)
    elif isinstance(value, np.number):
        value = value.item()
    if isinstance(value, Tensor) and value.is_complex():
        raise TypeError("baseline must hold real numbers.")
    if isinstance(value, bool) or not isinstance(value, (int, float, Tensor)):
        raise TypeError(
            "baseline must be a number, a tensor in the shape of one sample, a tuple of these for "
            f"several inputs, or a name; not {type(value).__name__}."
        )
    return value
