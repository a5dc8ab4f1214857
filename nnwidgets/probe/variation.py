"""Whether what a layer says differs from one sample of a batch to another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.parameter import Parameter

from nnwidgets.probe.look import Call
from nnwidgets.probe.tensors import is_readable, tensors_in

__all__ = ["constant_layers", "numbers_in", "variation"]

_COMPARED: Final = 16  # samples on a device that are compared with each other
_GLANCE: Final = 256  # numbers of a sample that nearly always tell


def numbers_in(out: Any) -> Tensor | None:
    """Return the first tensor of numbers in an output, a scalar only if there is nothing else."""
    if isinstance(out, Tensor):
        return out if is_readable(out) else None
    found = [t for t in tensors_in(out, 3, 16) if is_readable(t)]
    return next((t for t in found if t.dim() > 0), found[0] if found else None)


def variation(args: Any, out: Tensor, axis: int = 0) -> tuple[Tensor | float, Tensor | float]:
    """Say whether the output and the input of a call differ from sample to sample.

    Parameters
    ----------
    args
        What the module was given; the first tensor in it counts.
    out
        What it returned.
    axis
        The dimension of both that counts the samples.

    Returns
    -------
    out_varies, given_varies
        1 or 0, as a number or a 0-d tensor on the device of `out`; NaN where that cannot be told:
        there is one sample only, input and output do not have the same number of them, or (for the
        input) the module worked in place. On a CPU the input is looked at only where the output is
        the same for all samples.
    """
    given: Tensor | None = args[0] if type(args) is tuple and args else None
    if given is None or not _has_samples(given, axis):
        given = next((t for t in tensors_in(args, 2, 8) if _has_samples(t, axis)), None)
    if given is None or not _has_samples(out, axis) or given.shape[axis] != out.shape[axis]:
        return math.nan, math.nan
    if given.device != out.device or given.data_ptr() == out.data_ptr():
        return _varies(out.movedim(axis, 0)), math.nan
    varies = _varies(out.movedim(axis, 0))
    if isinstance(varies, float) and varies:
        return varies, math.nan
    return varies, _varies(given.movedim(axis, 0))


def constant_layers(calls: Mapping[str, Sequence[Call]]) -> tuple[str, ...]:
    """Return the layers that say the same for every sample of a batch although they differ.

    Parameters
    ----------
    calls
        What each layer was given and gave for the batch (see ``nnwidgets.probe.look``).

    Returns
    -------
    tuple of str
        Names of those whose own inputs differ from sample to sample and whose outputs do not, in
        the order of `calls`. Those behind them, which can do no better, are not among them.
    """
    found = []
    for name, made in calls.items():
        told = [
            (float(out), float(given))
            for call in made
            if (tensor := numbers_in(call.output)) is not None
            for out, given in [variation((call.args, call.kwargs), tensor)]
        ]
        if told and all(out == 0 for out, _ in told) and any(given == 1 for _, given in told):
            found.append(name)
    return tuple(found)


def _has_samples(tensor: Tensor, axis: int) -> bool:
    return (
        type(tensor) in (Tensor, Parameter)
        and not tensor.is_meta
        and tensor.layout is torch.strided
        and tensor.dim() > axis
        and tensor.shape[axis] > 1
        and tensor.numel() > 0
    )


def _varies(tensor: Tensor) -> Tensor | float:
    tensor = tensor.detach()
    if not tensor.is_cpu:
        return (tensor[:_COMPARED] != tensor[:1]).any()
    if tensor.dtype is not torch.bfloat16:  # which numpy has not; it is quicker here
        first, second = tensor[:2].resolve_conj().resolve_neg().numpy().reshape(2, -1)
        if (first[:_GLANCE] != second[:_GLANCE]).any():
            return 1.0
    return float((tensor != tensor[:1]).any())
