"""Making a private copy of a model, and keeping it equal to the model.

What a model is made of besides weights counts too: a copy whose temperature is of yesterday shows
what the model does not do. So numbers, flags, plain tensors and plain lists are carried over each
time; other objects a module holds are copied once, and again when they are replaced.
"""

from __future__ import annotations

import copy
import enum
import functools
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from nnwidgets.probe.replay import HOOKS, RandomState, bare_copy
from nnwidgets.probe.tree import has_lazy

__all__ = ["Copy", "Modules", "is_sharded", "named_modules", "set_evaluation", "signature"]

Modules: TypeAlias = Sequence[tuple[str, nn.Module]]

_INTERNAL: Final = frozenset(
    (
        *HOOKS,
        "training",
        "_parameters",
        "_buffers",
        "_modules",
        "_non_persistent_buffers_set",
        "_is_full_backward_hook",
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_forward_pre_hooks_with_kwargs",
        "_compiled_call_impl",
        "_initialize_hook",
        "_load_hook",
    )
)
_PLAIN: Final = (
    int,
    float,
    complex,
    bool,
    str,
    bytes,
    type(None),
    torch.dtype,
    torch.device,
    torch.Size,
    torch.layout,
    torch.memory_format,
    enum.Enum,
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
)
_FEW: Final = 256  # entries of a list that is carried over each time
_MISSING: Final = object()


class Inside(nn.Module):
    """Stands in the copy for a compiled or replicated module, and calls the one inside.

    It keeps the names: the module inside is called ``_orig_mod`` or ``module`` in both.
    """

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__()
        self._inside = name
        self.add_module(name, module)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module inside."""
        return self._modules[self._inside](*args, **kwargs)  # type: ignore[misc]


class Copy:
    """A private copy of a model.

    Parameters
    ----------
    model
        Any module; not kept.

    Attributes
    ----------
    module
        The copy.
    shared
        Names of attributes that could not be copied: the copy uses the user's own objects.

    Raises
    ------
    Exception
        Whatever ``copy.deepcopy`` raises, and TypeError for a model that takes copying into its
        own hands and gives itself, or its own weights.
    """

    def __init__(self, model: nn.Module) -> None:
        self.shared: tuple[str, ...] = ()
        try:
            self.module = bare_copy(model, _prepared(model))
        except Exception:
            found = dict(_not_copyable(model))
            if not found:
                raise
            memo = _prepared(model)
            memo.update({id(value): value for value in found.values()})
            self.module = bare_copy(model, memo)
            self.shared = tuple(found)
        if not _is_apart(self.module, model):
            raise TypeError("its copy is not independent of it")
        self._signature = signature(named_modules(model))
        # By module and attribute: which object of the model the copy's own was made from.
        self._made_from: dict[tuple[str, str], int] = {}
        for name, module in model.named_modules():
            for key, value in _attributes(module):
                self._made_from[name, key] = id(value)

    def fits(self, modules: Modules) -> bool:
        """Whether the model still has the modules, shapes, types and devices it was copied with."""
        return self._signature == signature(modules)

    def follow(self, modules: Modules) -> None:
        """Make weights, buffers and attributes equal to those of the model; it must fit.

        All modules are in evaluation mode then.
        """
        copies = dict(self.module.named_modules())
        memo = functools.cache(lambda: _correspondence(modules, copies))
        into: list[Tensor] = []
        values: list[Tensor] = []
        for name, module in modules:
            twin = copies[name]
            for table in ("_parameters", "_buffers"):
                mine = getattr(twin, table)
                for key, value in getattr(module, table).items():
                    if value is None or is_lazy(value):
                        continue
                    target = mine[key]
                    if not _alike(target, value):  # put there by a forward of the copy
                        mine[key] = value.detach().clone()
                        continue
                    if target.is_leaf and target.requires_grad is not value.requires_grad:
                        target.requires_grad_(value.requires_grad)
                    into.append(target)
                    values.append(value)
            if not isinstance(twin, (torch.jit.ScriptModule, Inside)):
                self._follow_attributes(name, module, twin, memo)
        for twin in copies.values():
            set_evaluation(twin)
        assign(into, values)

    def _follow_attributes(
        self, name: str, module: nn.Module, twin: nn.Module, memo: Callable[[], dict[int, Any]]
    ) -> None:
        if has_lazy(module) and not has_lazy(twin):
            return  # the twin has learnt its sizes, which are attributes too
        own = vars(twin)
        theirs = vars(module)
        if len(own) > len(theirs):
            for key in [k for k in own if k not in theirs and k not in _INTERNAL]:
                del own[key]
        for key, value in _attributes(module):
            if _is_constant(value):
                if own.get(key, _MISSING) is not value:
                    own[key] = value
            elif _is_data(value) or self._made_from.get((name, key)) != id(value):
                own[key] = _copied(value, memo())
                self._made_from[name, key] = id(value)

    def put(self, weights: dict[str, Tensor]) -> str | None:
        """Put in other weights, by their names in the state dict; or name the first that is unfit.

        Nothing is changed when one is unfit. Lazy ones take no weights.
        """
        own: dict[str, Tensor] = dict(self.module.named_parameters(remove_duplicate=False))
        own.update(self.module.named_buffers(remove_duplicate=False))
        for name, value in weights.items():
            if name not in own or own[name].shape != value.shape:
                return name
        assign([own[name] for name in weights], list(weights.values()))
        return None


@torch.no_grad()
def assign(into: list[Tensor], values: list[Tensor]) -> None:
    """Copy tensors into tensors of the same shapes, in as few calls as can be."""
    simple: list[int] = []
    for index, (target, value) in enumerate(zip(into, values, strict=True)):
        dense = target.layout is torch.strided and not target.is_quantized
        if dense and target.device.type != "meta" and value.device.type != "meta":
            simple.append(index)
        elif value.device.type != "meta":
            target.copy_(value)
    if simple:
        torch._foreach_copy_([into[i] for i in simple], [values[i] for i in simple])


def named_modules(model: nn.Module) -> Modules:
    """Return the modules with their names, each once: walked through once for each look."""
    return list(model.named_modules())


def set_evaluation(module: nn.Module) -> None:
    """Switch one module to evaluation mode, by its flag alone.

    ``eval()`` may be overridden: adapters merge their weights in it.
    """
    if module.training:
        module.training = False


def is_sharded(modules: Modules) -> bool:
    """Whether a forward pass would wait for other processes to take part."""
    return any(
        type(module).__name__ == "FullyShardedDataParallel"
        or any(
            type(value).__module__.startswith("torch.distributed")
            for value in module._parameters.values()
            if value is not None
        )
        for _, module in modules
    )


def _is_apart(one: nn.Module, other: nn.Module) -> bool:
    """Whether two models have no module and no memory in common."""

    def parts(model: nn.Module) -> set[tuple[str, int]]:
        found = {("module", id(module)) for module in model.modules()}
        for tensor in (*model.parameters(), *model.buffers()):
            found.add(("tensor", id(tensor)))
            if not is_lazy(tensor) and tensor.layout is torch.strided and tensor.numel():
                with suppress(RuntimeError):  # fake tensors
                    found.add(("memory", tensor.data_ptr()))
        return found - {("memory", 0)}  # meta

    return parts(one).isdisjoint(parts(other))


def _prepared(model: nn.Module) -> dict[int, Any]:
    """Make the memo that steers the copy: stand-ins for wrappers and for what cannot be copied."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            continue
        for _, value in _attributes(module):
            for tensor in _tensors(value):
                _leave_graph(tensor, memo)
            if _is_machinery(value):
                memo[id(value)] = value
        for registered in (*module._parameters.values(), *module._buffers.values()):
            if registered is not None:
                _leave_graph(registered, memo)
    wrappers = [m for m in model.modules() if _inside(m)]
    for wrapper in reversed(wrappers):  # the inner ones first
        name = _inside(wrapper)
        memo[id(wrapper)] = Inside(name, bare_copy(wrapper._modules[name], memo))  # type: ignore[arg-type]
    return memo


def _inside(module: nn.Module) -> str:
    if isinstance(module, torch.jit.ScriptModule):
        return ""
    if "_orig_mod" in module._modules:
        return "_orig_mod"
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return "module" if isinstance(module, parallel) else ""


def _leave_graph(tensor: Tensor, memo: dict[int, Any]) -> None:
    """Only leaves can be copied; a weight that was computed is copied by its value."""
    if isinstance(tensor, UninitializedBuffer):  # which cannot be copied either
        kind: Any = UninitializedBuffer
        memo[id(tensor)] = kind(device=tensor.device, dtype=tensor.dtype)
    elif not tensor.is_leaf:
        memo[id(tensor)] = tensor.detach().clone()


def _is_machinery(value: Any) -> bool:
    """Whether an object belongs to training: large, and of no use in a forward pass."""
    kinds = (
        torch.optim.Optimizer,
        torch.optim.lr_scheduler.LRScheduler,
        torch.utils.data.DataLoader,
        torch.utils.data.Dataset,
    )
    return isinstance(value, kinds)


def _not_copyable(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Find the attributes that cannot be copied, each by itself."""
    kept: dict[int, Any] = {id(m): m for m in model.modules()}
    state = RandomState.now()
    try:
        for name, module in model.named_modules():
            if _inside(module):
                continue
            for key, value in _attributes(module):
                if isinstance(value, _PLAIN) or _is_machinery(value) or _is_data(value):
                    continue
                try:
                    copy.deepcopy(value, dict(kept))
                except Exception:
                    yield (f"{name}.{key}" if name else key), value
    finally:
        state.restore()


def _attributes(module: nn.Module) -> Iterator[tuple[str, Any]]:
    if not isinstance(module, torch.jit.ScriptModule):
        for key, value in vars(module).items():
            if key not in _INTERNAL:
                yield key, value


def _is_constant(value: Any) -> bool:
    """Whether nobody can change a value, so that model and copy may have the same object.

    Sizes and strides are such, of which a convolution has six: copying them for each look took
    longer than a small network.
    """
    return isinstance(value, _PLAIN) or (type(value) is tuple and all(map(_is_constant, value)))


def _is_data(value: Any, depth: int = 3) -> bool:
    """Whether a value is a tensor, or plain and small and made of such."""
    if isinstance(value, (Tensor, *_PLAIN)):
        return True
    if depth and type(value) in (list, tuple, set, frozenset) and len(value) <= _FEW:
        return all(_is_data(item, depth - 1) for item in value)
    if depth and type(value) is dict and len(value) <= _FEW:
        return all(_is_data(item, depth - 1) for item in value.values())
    return False


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif type(value) in (list, tuple, dict) and _is_data(value):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    own = dict(memo)
    for tensor in _tensors(value):
        if id(tensor) not in own:
            _leave_graph(tensor, own)
    try:
        return copy.deepcopy(value, own)
    except Exception:
        return value


def _correspondence(modules: Modules, copies: dict[str, nn.Module]) -> dict[int, Any]:
    """Map each module, parameter and buffer of the model, by `id`, to the copy's."""
    memo: dict[int, Any] = {}
    for name, module in modules:
        twin = copies[name]
        memo[id(module)] = twin
        for table in ("_parameters", "_buffers"):
            mine = getattr(twin, table)
            memo.update(
                (id(value), mine[key])
                for key, value in getattr(module, table).items()
                if value is not None
            )
    return memo


def _alike(one: Tensor | None, other: Tensor) -> bool:
    return (
        one is not None
        and not is_lazy(one)
        and one.shape == other.shape
        and one.dtype == other.dtype
        and one.device == other.device
    )


def signature(modules: Modules) -> tuple[Any, ...]:
    """Describe everything that must be the same for weights to be copied over."""
    seen: dict[int, int] = {}
    parts: list[Any] = []
    for name, module in modules:
        parts.append((name, type(module)))
        for table in (module._parameters, module._buffers):
            for key, value in table.items():
                if value is None:
                    parts.append((key, None))
                    continue
                shape = None if is_lazy(value) else value.shape
                first = seen.setdefault(id(value), len(parts))  # tied weights stay tied
                parts.append((key, shape, value.dtype, value.device, first))
    return tuple(parts)
