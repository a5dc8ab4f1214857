"""Attention maps: how much each query looks at each key, head by head.

They are the numbers of the run itself, computed once more where the layer does not give them out:
while a tap is open, calls of torch's own attention functions are seen on their way
(``torch.overrides.TorchFunctionMode``), and the weights are recomputed from the very arguments,
without dropout. A hand-written attention is recognised by what it does: a softmax over the last of
at least three dimensions whose result is multiplied with the values. Fused kernels of other
libraries and flex attention cannot be seen into.
"""

from __future__ import annotations

import inspect
import math
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nnwidgets.probe.blocks import Block, note, picture
from nnwidgets.probe.pooling import cell_starts, pooled
from nnwidgets.probe.summary import plain_values

__all__ = ["AttentionTap", "attention_blocks", "attention_weights", "maps_within"]

Maps = dict[str, list[Tensor]]

_SIDE: Final = 96  # cells a side
_CELLS: Final = 200_000  # of all heads together
_MOST: Final = 16_000_000  # numbers kept of one call
_CALLS: Final = 64  # of one layer


def attention_weights(
    query: Tensor,
    key: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(Q Kᵀ · scale + mask), as ``scaled_dot_product_attention`` is defined.

    Parameters
    ----------
    query, key
        (…, heads, queries, size), (…, heads, keys, size).
    attn_mask
        Added to the scores; or boolean, True where a key takes part.
    is_causal
        Query i sees keys 0 … i only.
    scale
        By default 1 / √size.
    enable_gqa
        Each head of `key` serves several of `query`.

    Returns
    -------
    Tensor
        (…, heads, queries, keys), float32 (float64 for such arguments). The rows sum to one; one
        that is masked throughout is NaN.
    """
    wide = torch.float64 if query.dtype is torch.float64 else torch.float32
    query, key = query.detach().to(wide), key.detach().to(wide)
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = query @ key.transpose(-2, -1)
    scores = scores * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -torch.inf)
    if attn_mask is not None:
        mask = attn_mask.detach()
        if mask.dtype is torch.bool:
            scores = scores.masked_fill(~mask, -torch.inf)
        else:
            scores = scores + mask
    return scores.softmax(-1)


class AttentionTap(TorchFunctionMode):
    """Sees the attention maps of the runs inside its ``with`` block.

    While it is open torch takes no fused shortcut through its transformer layers, so that numbers
    may differ in their last digits, and outputs at masked positions in what they hold: run the
    model once more for its activations.

    Parameters
    ----------
    model
        A private copy (see `nnwidgets.probe.look`): it carries hooks meanwhile.
    layers
        Names of the layers whose maps are kept, with those inside them; None for all.
    sample_index
        Keep this sample alone; None for the whole batch. A layer whose batch is another one (of
        windows, for instance) is kept whole.

    Attributes
    ----------
    maps
        By name of the innermost layer that was running, one tensor a call: (batch, heads, queries,
        keys), float32 or float64, on the layer's device.
    left_out
        Names of the layers with a map too large to be kept.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Collection[str] | None = None,
        *,
        sample_index: int | None = None,
    ) -> None:
        super().__init__()
        self.maps: Maps = {}
        self.left_out: set[str] = set()
        self._model = model
        self._layers = None if layers is None else tuple(layers)
        self._sample = sample_index
        self._running: list[tuple[str, int | None]] = []
        self._handles: list[Any] = []
        # Results of a softmax, and what became of them, by identity as long as they live.
        self._softmax: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def __enter__(self) -> AttentionTap:
        for name, module in self._model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            enters = module.register_forward_pre_hook(self._enters(name), with_kwargs=True)
            leaves = module.register_forward_hook(self._leaves, always_call=True)
            self._handles += [enters, leaves]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, problem, trace)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._running.clear()
        self._softmax.clear()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let the call happen, and look at it if it is one of attention."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if self._running and self._wanted(self._running[-1][0]):
            try:
                with torch.no_grad():
                    self._look(func, args, kwargs, result)
            except Exception:  # a look must not fail the run: this call stays unseen
                return result
        return result

    def _enters(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            given = [v for v in (*args, *kwargs.values()) if isinstance(v, Tensor) and v.dim()]
            self._running.append((name, given[0].shape[0] if given else None))

        return hook

    def _leaves(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._running:
            self._running.pop()

    def _wanted(self, name: str) -> bool:
        return self._layers is None or any(_is_within(name, layer) for layer in self._layers)

    def _look(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        if func is F.multi_head_attention_forward:
            self._keep(_torch_weights(func, args, kwargs, self._sample), sliced=True)
        elif func is F.scaled_dot_product_attention:
            self._keep(_fused_weights(self._sample, *args, **kwargs), sliced=True)
        else:
            self._follow(getattr(func, "__name__", ""), args, kwargs, result)

    def _follow(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Follow the result of a softmax until it is multiplied with something."""
        if name == "softmax" and isinstance(result, Tensor):
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if result.dim() >= 3 and dim in (-1, result.dim() - 1):
                self._remember(result, result.detach())
        elif name in _PASSING and args and isinstance(result, Tensor):
            source = self._recall(args[0])
            if source is not None:
                self._remember(result, source)
        elif name in _PRODUCTS:
            operands = args[1:] if name == "einsum" else args[:1]
            for operand in operands:
                source = self._recall(operand)
                if source is not None:
                    self._keep(source, sliced=False)

    def _remember(self, tensor: Tensor, source: Tensor) -> None:
        self._softmax[id(tensor)] = (weakref.ref(tensor), source)

    def _recall(self, tensor: Any) -> Tensor | None:
        reference, source = self._softmax.get(id(tensor), (None, None))
        return source if reference is not None and reference() is tensor else None

    def _keep(self, weights: Tensor, *, sliced: bool) -> None:
        name, batch = self._running[-1]
        if weights.dim() == 3 and not sliced and batch and weights.shape[0] % batch == 0:
            # (batch · heads, queries, keys), as torch's own attention writes it
            weights = weights.reshape(batch, -1, *weights.shape[1:])
        elif weights.dim() < 4:
            weights = weights.unsqueeze(-3)
        while weights.dim() < 4:
            weights = weights.unsqueeze(0)
        weights = weights.reshape(weights.shape[0], -1, *weights.shape[-2:])
        if not sliced and self._sample is not None and self._sample < weights.shape[0]:
            weights = weights[self._sample : self._sample + 1]
        if weights.numel() > _MOST:
            self.left_out.add(name)
            return
        kept = self.maps.setdefault(name, [])
        if len(kept) < _CALLS:
            kept.append(weights.detach().clone())


_PASSING: Final = frozenset(
    {"bfloat16", "clone", "contiguous", "double", "dropout", "float", "half", "masked_fill"}
    | {"nan_to_num", "reshape", "to", "type", "type_as", "view"}
)
_PRODUCTS: Final = frozenset(("__matmul__", "baddbmm", "bmm", "einsum", "matmul"))
_SIGNATURE: Final = inspect.signature(F.multi_head_attention_forward)


def _is_within(name: str, layer: str) -> bool:
    return layer in ("", name) or name.startswith(f"{layer}.")


def _torch_weights(func: Any, args: Any, kwargs: Any, sample: int | None) -> Tensor:
    """Ask torch's own function for the weights of every head, without dropout."""
    given = _SIGNATURE.bind(*args, **kwargs)
    given.apply_defaults()
    options = given.arguments
    query = options["query"]
    if options["is_causal"] and options["key_padding_mask"] is None and not options["need_weights"]:
        # Then the run went by the hint, and did not look at the mask.
        shape = (query.shape[0], options["key"].shape[0])
        options["attn_mask"] = torch.ones(shape, dtype=torch.bool, device=query.device).triu(1)
    batched = query.dim() == 3
    if sample is not None and batched and sample < query.shape[1]:
        here = slice(sample, sample + 1)
        for name in ("query", "key", "value"):
            options[name] = options[name][:, here]
        if options["key_padding_mask"] is not None:
            options["key_padding_mask"] = options["key_padding_mask"][here]
        mask, heads = options["attn_mask"], options["num_heads"]
        if mask is not None and mask.dim() == 3:
            options["attn_mask"] = mask[sample * heads : (sample + 1) * heads]
    options.update(
        need_weights=True,
        average_attn_weights=False,
        is_causal=False,
        training=False,
        dropout_p=0.0,
    )
    weights: Tensor = func(**options)[1]
    return weights if batched else weights.unsqueeze(0)


def _fused_weights(
    sample: int | None,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> Tensor:
    if sample is not None and query.dim() >= 3 and sample < query.shape[0]:
        dims, here = query.dim(), slice(sample, sample + 1)
        query = query[here]
        key = key if key.shape[0] == 1 else key[here]
        if attn_mask is not None and attn_mask.dim() == dims and attn_mask.shape[0] > 1:
            attn_mask = attn_mask[here]
    weights = attention_weights(query, key, attn_mask, is_causal, **options)
    # (batch, queries, keys) has one head
    return weights.unsqueeze(1) if weights.dim() == 3 else weights


def maps_within(maps: Mapping[str, Sequence[Tensor]], layer: str) -> dict[str, list[Tensor]]:
    """Return the maps of a layer and of those inside it, by name."""
    return {name: list(calls) for name, calls in maps.items() if _is_within(name, layer)}


def attention_blocks(maps: Sequence[Tensor], sample_index: int, *, call: int = 0) -> list[Block]:
    """Return one sample's attention in one call.

    Parameters
    ----------
    maps
        One tensor a call, (batch, heads, queries, keys): see `AttentionTap`.
    sample_index
        Position in the batch; of maps that hold one sample only, that one.
    call
        Which call.

    Returns
    -------
    list of Block
        ``"attention"``: pixels (heads, queries, keys), average-pooled to at most 96 a side (then
        ``meta["reduced"]``). A ``"note"`` where there is no map.
    """
    if not 0 <= call < len(maps):
        return [note("probe.attention.none")]
    weights = maps[call]
    index = 0 if weights.shape[0] == 1 else sample_index
    if not 0 <= index < weights.shape[0]:
        return [note("probe.unit.sample", index=str(sample_index), count=str(weights.shape[0]))]
    values = plain_values(weights[index])
    if not values.numel():
        return [note("probe.attention.none")]
    heads, queries, keys = values.shape
    side = max(1, min(_SIDE, math.isqrt(_CELLS // heads)))
    small, reduced = pooled(values, side, side)
    kept = values[values.isfinite()]
    high = float(kept.amax()) if kept.numel() else 1.0
    meta = {"heads": heads, "shape": [queries, keys], "reduced": reduced, "calls": len(maps)}
    arrays = {
        "row_numbers": cell_starts(queries, side).astype(np.int32),
        "column_numbers": cell_starts(keys, side).astype(np.int32),
    }
    return [
        picture(
            "attention",
            small.cpu().numpy(),
            signed=False,
            ends=(0.0, high),
            meta=meta,
            arrays=arrays,
        )
    ]
