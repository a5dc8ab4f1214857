"""Running a case and writing down, bit by bit, everything that a widget could have disturbed."""

from __future__ import annotations

import random
import threading
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from tests.harm.loop import Case, Loop
from tests.harm.watchers import Attach, Attached

STEPS = 8

GLOBAL_HOOKS = (
    "_global_forward_hooks",
    "_global_forward_hooks_always_called",
    "_global_forward_hooks_with_kwargs",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
    "_global_buffer_registration_hooks",
    "_global_module_registration_hooks",
    "_global_parameter_registration_hooks",
)
MODULE_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
OPTIMIZER_HOOKS = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)

Record = dict[str, Any]


def seed(value: int = 0) -> None:
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value)


def observe(build: Case, attach: Attach | None = None, steps: int = STEPS) -> Record:
    """Run a case, watched or bare, and return the record of what was there in the end."""
    seed()
    loop = build()
    attached = attach(loop) if attach is not None else Attached()
    record: Record = {}
    try:
        for index in attached.over(range(steps)):
            loss = loop.step()
            record[f"loss/{index}"] = exact(loss)
            attached.stepped(loss)
        attached.check()
    finally:
        attached.close()
        if loop.compiles:
            torch.compiler.reset()
    record.update(record_of(loop))
    return record


def differences(bare: Record, watched: Record) -> list[str]:
    """Return what two records do not agree in."""
    keys = [*bare, *(key for key in watched if key not in bare)]
    return [key for key in keys if key not in bare or bare[key] != watched.get(key)]


def record_of(loop: Loop) -> Record:
    """Return everything that can be seen of a loop, of torch and of the process."""
    record: Record = {
        # First of all: reading further must not be what changes them.
        "rng/torch": exact(torch.get_rng_state()),
        "rng/python": random.getstate(),
        "rng/numpy": exact(np.random.get_state()),
        "torch/flags": (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_anomaly_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.is_autocast_cache_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
        ),
        "torch/hooks": [len(getattr(torch_module, name)) for name in GLOBAL_HOOKS],
        "python/hooks": [threading.excepthook, warnings.showwarning, list(warnings.filters)],
    }
    for name, module in loop.model.named_modules():
        record.update(_record_of_module(name, module))
    for name, parameter in loop.model.named_parameters(remove_duplicate=False):
        record[f"parameter/{name}"] = exact(parameter)
        record[f"gradient/{name}"] = exact(parameter.grad)
        record[f"flags/{name}"] = (
            parameter.requires_grad,
            parameter._version,  # written to and put back is written to all the same
            sorted(vars(parameter)),
            len(parameter._backward_hooks or ()),
        )
    for name, buffer in loop.model.named_buffers(remove_duplicate=False):
        record[f"buffer/{name}"] = exact(buffer)
    for index, optimizer in enumerate(loop.optimizers):
        record[f"optimizer/{index}/state"] = exact(optimizer.state_dict())
        record[f"optimizer/{index}/keys"] = sorted(vars(optimizer))
        record[f"optimizer/{index}/hooks"] = [
            len(getattr(optimizer, name)) for name in OPTIMIZER_HOOKS
        ]
    for name, value in loop.state.items():
        record[f"user/{name}"] = exact(value() if callable(value) else value)
    return record


def _record_of_module(name: str, module: nn.Module) -> Record:
    own: Record = {f"training/{name}": module.training}
    if isinstance(module, torch.jit.ScriptModule):
        return own
    own[f"keys/{name}"] = sorted(vars(module))
    for kind in MODULE_HOOKS:
        own[f"hooks/{name}/{kind}"] = len(getattr(module, kind))
    return own


def exact(value: Any) -> Any:
    """Return something that is equal only for the same bits."""
    if isinstance(value, Tensor):
        dense = value.detach()
        dense = (dense.to_dense() if dense.is_sparse else dense).contiguous()
        return (
            str(value.dtype),
            tuple(value.shape),
            dense.reshape(-1).view(torch.uint8).numpy().tobytes(),
        )
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, Mapping):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(item) for item in value]
    return value
