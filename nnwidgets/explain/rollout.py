"""Attention rollout: how much of each token can have reached the one that the score is read from.

Abnar & Zuidema, "Quantifying Attention Flow in Transformers" (2020): a layer passes on half of
what it was given (its skip connection) and half of what its heads, on average, look at,
Ã = (A + I) / 2; the layers' matrices are multiplied. It is about where information can flow, not
about the class: the same picture for every target.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.explain.layer_pass import layer_pass
from nnwidgets.explain.plane import over_tokens, place_of_tokens
from nnwidgets.explain.registry import Method, Result, Run, Warned, register
from nnwidgets.probe.attention import AttentionTap
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked

__all__ = ["attention_rollout", "self_attention", "tokens_read"]

Named = tuple[str, Tensor]

_FUSIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "mean": lambda maps: maps.mean(0),
    "max": lambda maps: maps.amax(0),
    "min": lambda maps: maps.amin(0),
}


def attention_rollout(
    maps: Sequence[Tensor], *, head_fusion: str = "mean", residual: float = 0.5
) -> Tensor:
    """Multiply the attention of all layers, each mixed with its skip connection.

    Parameters
    ----------
    maps
        One tensor a layer, first layer first: (heads, tokens, tokens), rows are queries.
    head_fusion
        How the heads become one: ``"mean"`` (the paper's), ``"max"`` or ``"min"``.
    residual
        Share of the skip connection; the paper's is one half.

    Returns
    -------
    Tensor
        (tokens, tokens), float64; row i: the share of each input token in token i of the last
        layer. The rows sum to one.

    Raises
    ------
    ValueError
        If `head_fusion` or `residual` is none of these, or there is no map.
    """
    if head_fusion not in _FUSIONS:
        raise ValueError(f"head_fusion is one of {', '.join(_FUSIONS)}, not {head_fusion!r}")
    if not 0 <= residual <= 1:
        raise ValueError(f"residual is a share from 0 to 1, not {residual!r}")
    if not maps:
        raise ValueError("there is no attention map to roll out")
    tokens = maps[0].shape[-1]
    identity = torch.eye(tokens, dtype=torch.float64)
    result = identity
    for each in maps:
        # A query that may look at nothing has no weights: all it passes on is itself.
        fused = _FUSIONS[head_fusion](each.detach().to("cpu", torch.float64)).nan_to_num(0.0)
        mixed = (1 - residual) * fused + residual * identity
        total = mixed.sum(-1, keepdim=True)
        mixed = torch.where(total > 0, mixed / total, identity)
        result = mixed @ result
    return result


def self_attention(asked: Asked) -> tuple[list[Tensor], str]:
    """Run the model and return its layers' attention, in the order in which they ran.

    Parameters
    ----------
    asked
        The sample.

    Returns
    -------
    maps
        One a call of an attention layer: (heads, tokens, tokens).
    last
        Name of the layer of the last one.

    Raises
    ------
    Refusal
        If there is no attention to be seen, if it is not one of the same tokens over themselves
        throughout (cross-attention, windows, tokens that are merged on the way), or if the tokens
        cannot be laid over any input.
    """
    with AttentionTap(asked.root) as tap, _Order(asked.root) as order, torch.no_grad():
        asked.model(*asked.inputs, *asked.others)
    if tap.left_out:
        raise Refusal("explain.rollout.large", layer=sorted(tap.left_out)[0])
    if not tap.maps:
        raise Refusal("explain.rollout.none")
    ran = _in_order(tap.maps, order.calls)
    sizes = {tuple(each.shape[-2:]) for _, each in ran}
    size = next(iter(sizes))
    if len(sizes) > 1 or size[0] != size[1] or any(each.shape[0] != 1 for _, each in ran):
        shown = ", ".join(sorted(f"{rows} × {columns}" for rows, columns in sizes))
        raise Refusal("explain.rollout.shapes", shapes=shown)
    place_of_tokens(asked, size[0])
    return [each[0] for _, each in ran], ran[-1][0]


def tokens_read(asked: Asked, layer: str, tokens: int) -> Tensor | None:
    """Return which tokens of the last attention layer the score is read from.

    They are those on which the score's gradient is not zero: a class token alone, the last token
    of a text, or all of them under a mean.

    Parameters
    ----------
    asked
        The sample and the target.
    layer
        Of the last attention.
    tokens
        How many there are.

    Returns
    -------
    Tensor or None
        (tokens,), boolean, at least one True; None if that cannot be found out.
    """
    try:
        # The tap keeps no map here: while it is open, torch calls the layers one by one.
        with AttentionTap(asked.root, layers=()):
            gradient = layer_pass(asked, layer).gradient
    except Refusal:
        return None
    if gradient.dim() != 3 or not gradient.isfinite().all():
        return None
    for batch, axis in ((0, 1), (1, 0)):  # nn.MultiheadAttention may have its batch second
        if gradient.shape[batch] == 1 and gradient.shape[axis] == tokens:
            reads = (gradient.select(batch, 0) != 0).any(-1).cpu()
            return reads if reads.any() else None
    return None


class _Order:
    """Hooks that write down in which order the modules return."""

    def __init__(self, root: nn.Module) -> None:
        self.calls: list[str] = []
        self._root = root
        self._handles: list[Any] = []

    def __enter__(self) -> _Order:
        for name, module in self._root.named_modules():
            if not isinstance(module, torch.jit.ScriptModule):
                self._handles.append(module.register_forward_hook(self._writes(name)))
        return self

    def __exit__(self, *problem: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _writes(self, name: str) -> Callable[..., None]:
        return lambda module, args, output: self.calls.append(name)


def _in_order(maps: Mapping[str, Sequence[Tensor]], calls: Sequence[str]) -> list[Named]:
    """Put the maps of all layers into the order in which they were made."""
    counts = {name: calls.count(name) for name in maps}
    if any(not count or len(maps[name]) % count for name, count in counts.items()):
        return [(name, each) for name, found in maps.items() for each in found]
    left = {name: iter(found) for name, found in maps.items()}
    return [
        (name, next(left[name]))
        for name in calls
        if name in maps
        for _ in range(len(maps[name]) // counts[name])
    ]


def _run(run: Run) -> Result:
    asked, options = run.asked, run.options
    run.expect(3)
    maps, last = self_attention(asked)
    rolled = attention_rollout(
        maps,
        head_fusion=options.get("head_fusion", "mean"),
        residual=options.get("residual", 0.5),
    )
    run.check()
    tokens = rolled.shape[0]
    token = options.get("token")
    if token is None:
        read = tokens_read(asked, last, tokens)
    else:
        if not -tokens <= operator.index(token) < tokens:
            raise ValueError(f"token is one of 0 … {tokens - 1}, not {token!r}")
        read = torch.arange(tokens) == token % tokens
    shares = (rolled if read is None else rolled[read]).mean(0)
    values = over_tokens(asked, shares, options.get("interpolate_mode"))
    details = {
        "layers": len(maps),
        "shares": shares.numpy(),
        "read": None if read is None else tuple(read.nonzero().flatten().tolist()),
    }
    warned: tuple[Warned, ...] = (("explain.rollout.target", {}),)
    return Result(values, warnings=warned, details=details)


register(
    Method(
        "attention_rollout",
        _run,
        options=frozenset({"head_fusion", "residual", "token", "interpolate_mode"}),
        cost=lambda asked, options: 4,
    )
)
