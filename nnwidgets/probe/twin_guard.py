"""What is put aside while a model is run for a look, and put back afterwards.

`surroundings` holds what belongs to the process: random number generators, autocast, inference
mode, global hooks, compilation. `guarded` holds what belongs to a model that has to be run itself.
"""

from __future__ import annotations

import random
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.probe.own_device import with_data
from nnwidgets.probe.replay import HOOKS, RandomState, is_torch_hook
from nnwidgets.probe.twin_copy import set_evaluation

__all__ = ["guarded", "surroundings"]

_GLOBAL_HOOKS: Final = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)
_TABLES: Final = ("_parameters", "_buffers", "_modules")
_MISSING: Final = object()


@contextmanager
def surroundings() -> Iterator[None]:
    """Make a run depend on nothing but the model and its input, and leave no trace of it.

    Notes
    -----
    Random numbers begin at the same seed each time, so that a model that draws some in evaluation
    mode gives the same picture for the same weights. The fused path of ``nn.TransformerEncoder``
    is off: it would skip the modules inside. What was compiled runs as it was written. New tensors
    hold numbers, also within ``with torch.device("meta")``.
    """
    state = RandomState.now()
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.callback(state.restore)
        _seed()
        stack.enter_context(with_data())
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        stack.enter_context(_no_global_hooks())
        # A copy made in inference mode could not be written to outside of it. Leaving that mode
        # switches gradients on.
        recording = torch.is_grad_enabled()
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(recording))
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        # Nothing can have been compiled before that is imported. set_stance: torch ≥ 2.6.
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


def _seed() -> None:
    # Not torch.manual_seed: before CUDA is first used, that would leave a seed behind for it.
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        for generator in torch.cuda.default_generators:
            generator.manual_seed(0)
    random.seed(0)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed(0)


@contextmanager
def _no_global_hooks() -> Iterator[None]:
    """Let no global module hook see the run, ours and other libraries'.

    Each keeps its place in torch's table, so that one that is removed meanwhile stays removed.
    """
    module = torch.nn.modules.module
    aside: list[tuple[dict[int, Any], dict[int, Any]]] = []
    for name in _GLOBAL_HOOKS:
        table = getattr(module, name, None)
        if table:
            aside.append((table, dict(table)))
            table.update(dict.fromkeys(table, _nothing))
    try:
        yield
    finally:
        for table, hooks in aside:
            table.update({k: hook for k, hook in hooks.items() if k in table})


def _nothing(*args: Any, **kwargs: Any) -> None:
    """Stand in for a hook."""


@contextmanager
def guarded(model: nn.Module) -> Iterator[nn.Module]:
    """Give the user's own model in evaluation mode, without its hooks; then put it all back.

    Put back are the training flag, the attributes, buffers, parameters and hooks of every module,
    the gradients, and what plain lists, dicts and sets held. Buffers are clones meanwhile.

    Parameters
    ----------
    model
        Not lazy: there is no way back from a shape.
    """
    modules = list(model.modules())
    kept = [_Kept(m) for m in modules]
    clones: dict[int, Tensor] = {}
    with ExitStack() as stack:
        for one in kept:
            stack.callback(one.restore)
        for module in modules:
            _drop_hooks(module)
            _lend_buffers(module, clones)
        for module in modules:
            set_evaluation(module)
        yield model


class _Kept:
    """One module, as it was."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._training = module.training
        self._scripted = isinstance(module, torch.jit.ScriptModule)
        self._vars = {} if self._scripted else dict(vars(module))
        self._tables = {} if self._scripted else {n: dict(self._vars[n]) for n in _TABLES}
        self._parameters = [
            (p, p.grad, p.requires_grad)
            for p in dict(module._parameters.items()).values()
            if p is not None
        ]
        self._contents = [
            (v, v.copy()) for v in self._vars.values() if type(v) in (list, dict, set)
        ]

    def restore(self) -> None:
        module = self._module
        if self._scripted:
            module.training = self._training
        else:
            own = vars(module)
            for name in [n for n in own if n not in self._vars]:
                del own[name]
            for name, value in self._vars.items():
                if own.get(name, _MISSING) is not value:
                    own[name] = value
            for name, table in self._tables.items():
                _put_back(own[name], table)
        for value, before in self._contents:
            if isinstance(value, list):
                value[:] = before
            elif isinstance(value, dict):
                _put_back(value, before)
            else:
                value.clear()
                value.update(before)
        for parameter, gradient, requires in self._parameters:
            if parameter.grad is not gradient:
                parameter.grad = gradient
            if parameter.requires_grad is not requires:
                parameter.requires_grad_(requires)


def _put_back(table: dict[Any, Any], before: Mapping[Any, Any]) -> None:
    same = len(table) == len(before) and all(
        a is b and table[a] is before[b] for a, b in zip(table, before, strict=True)
    )
    if not same:
        table.clear()
        table.update(before)


def _lend_buffers(module: nn.Module, clones: dict[int, Tensor]) -> None:
    """Let the run write to clones; not even the originals' version counters move then."""
    for name, buffer in list(module._buffers.items()):
        if buffer is not None and not isinstance(module, torch.jit.ScriptModule):
            if id(buffer) not in clones:
                clones[id(buffer)] = buffer.detach().clone()
            module._buffers[name] = clones[id(buffer)]


def _drop_hooks(module: nn.Module) -> None:
    own = vars(module)
    for name in HOOKS:
        hooks = own.get(name)
        if hooks:
            own[name] = OrderedDict((k, h) for k, h in hooks.items() if is_torch_hook(h))
    if own.get("_compiled_call_impl") is not None:
        own["_compiled_call_impl"] = None
