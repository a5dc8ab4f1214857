"""The layers of a model: which modules have a row of their own, and what they are called."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import Parameter, is_lazy

__all__ = [
    "compile_in_use",
    "describe",
    "has_lazy",
    "is_compiled",
    "layer_modules",
    "own_parameters",
    "type_name",
    "unwrap",
]


def unwrap(model: nn.Module) -> nn.Module:
    """Return the module inside compiled and replicated wrappers, or `model` itself."""
    for _ in range(8):  # DDP around compile around …: bounded, in case a wrapper wraps itself
        inner = _child(model, "_orig_mod")
        if inner is None and isinstance(
            model, (nn.DataParallel, nn.parallel.DistributedDataParallel)
        ):
            inner = model.module
        if not isinstance(inner, nn.Module) or inner is model:
            break
        model = inner
    return model


def layer_modules(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield ``(name, module)`` for every module that owns a parameter, a shared one once.

    The names are those of ``named_modules()``, so a root that owns parameters is ``""``. The
    helper modules of ``torch.nn.utils.parametrize`` are counted to the module they belong to.
    """
    for name, module in root.named_modules():
        if "parametrizations" in name.split("."):
            continue
        if next(own_parameters(module), None) is not None:
            yield name, module


def own_parameters(module: nn.Module) -> Iterator[tuple[str, Parameter]]:
    """Yield the floating-point parameters the module itself owns, under their local names."""
    for name, parameter in module._parameters.items():
        if parameter is not None and (
            parameter.dtype.is_floating_point or parameter.dtype.is_complex
        ):
            yield name, parameter
    parametrized = _child(module, "parametrizations")
    if parametrized is not None:
        yield from parametrized.named_parameters()


def _child(module: nn.Module, name: str) -> nn.Module | None:
    if name in module._modules:  # the table of a scripted module knows no `get`
        return module._modules[name]
    return None


def has_lazy(module: nn.Module) -> bool:
    """Whether a parameter of the module waits for the first batch to learn its shape."""
    return any(is_lazy(p) for _, p in own_parameters(module))


def type_name(module: nn.Module) -> str:
    """Return the class name, without the prefix that a parametrization adds to it."""
    kind = type(module)
    if kind.__name__.startswith("Parametrized") and len(kind.__mro__) > 1:
        kind = kind.__mro__[1]
    return kind.__name__


def describe(module: nn.Module) -> str:
    """Return a short label such as ``"Conv2d 16→32"``."""
    name, sizes = type_name(module), _sizes(module)
    return f"{name} {sizes}" if sizes else name


def _sizes(module: Any) -> str:
    def pair(before: str, after: str) -> str:
        first, last = getattr(module, before, None), getattr(module, after, None)
        if first is None or last is None:
            return ""
        # A lazy layer states 0 until the first batch tells.
        return f"{first or '?'}→{last or '?'}"

    if isinstance(module, nn.Bilinear):
        return f"{module.in1_features}×{module.in2_features}→{module.out_features}"
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return f"{module.num_embeddings}×{module.embedding_dim}"
    if isinstance(module, nn.RNNBase):
        layers = f" ×{module.num_layers}" if module.num_layers > 1 else ""
        return pair("input_size", "hidden_size") + layers
    if isinstance(module, nn.MultiheadAttention):
        return f"{module.embed_dim}, {module.num_heads} heads"
    shape = getattr(module, "normalized_shape", None)
    if isinstance(shape, (tuple, list)):
        return "×".join(map(str, shape))
    for single in ("num_features", "num_channels"):
        if isinstance(getattr(module, single, None), int):
            return str(getattr(module, single) or "?")
    return (
        pair("in_features", "out_features")
        or pair("in_channels", "out_channels")
        or pair("input_size", "hidden_size")
    )


def compile_in_use() -> bool:
    """Whether this process has used ``torch.compile``, on whatever.

    A global hook makes a call of a compiled module warn, and one that is there while code is
    compiled ends up in the compiled code: none may be attached then. The list of back ends in use
    is private to torch; where it is missing, only `is_compiled` can tell.
    """
    frame = sys.modules.get("torch._dynamo.eval_frame")
    backends = getattr(frame, "cached_backends", None)
    return isinstance(backends, dict) and any(b is not None for b in list(backends.values()))


def is_compiled(root: nn.Module) -> bool:
    """Whether the module, or one inside it, is compiled."""
    return any(
        vars(m).get("_compiled_call_impl") is not None or "_orig_mod" in m._modules
        for m in root.modules()
        if not isinstance(m, torch.jit.ScriptModule)
    )
