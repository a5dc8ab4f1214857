"""Telling whether a twin is its model, and whether the model has noticed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from nnwidgets.probe.look import call_arguments
from nnwidgets.probe.tensors import tensors_in
from tests.generators import generators


def run(model: nn.Module, sample: Any) -> list[Tensor]:
    args, kwargs = call_arguments(copy.deepcopy(sample))
    with torch.no_grad():
        return [t.clone() for t in tensors_in(model(*args, **kwargs))]


def fingerprint(model: nn.Module) -> dict[str, Any]:
    """Everything of a model that a look could change, identities included."""
    result: dict[str, Any] = {}
    for name, module in model.named_modules():
        result[name] = {
            "self": (id(module), type(module), module.training),
            "attributes": {
                key: (id(value), repr(value) if isinstance(value, (list, dict)) else None)
                for key, value in vars(module).items()
            },
        }
    for name, tensor in (
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ):
        lazy = nn.parameter.is_lazy(tensor)
        held = None if lazy else tensor.detach().clone().flatten().view(torch.uint8).tolist()
        grad = None if tensor.grad is None else (id(tensor.grad), tensor.grad.tolist())
        result["tensor " + name] = (
            id(tensor),
            held,
            grad,
            tensor.requires_grad,
            None if lazy else tensor._version,
        )
    return result


@contextmanager
def unharmed(model: nn.Module) -> Iterator[None]:
    before, numbers = fingerprint(model), generators()
    yield
    assert fingerprint(model) == before
    assert generators() == numbers


def in_evaluation(model: nn.Module, sample: Any) -> list[Tensor]:
    """What a plain copy in evaluation mode answers: the oracle."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return run(copy.deepcopy(model).eval(), sample)
