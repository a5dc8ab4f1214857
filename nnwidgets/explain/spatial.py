"""Layers that keep the places of the input: maps of channels, and tokens.

They are found by running the model and looking: what a layer returned, and whether the score's
gradient reaches those places. The last block of a transformer that classifies by a class token is
so left out by itself: nothing of its other tokens reaches the score.
"""

from __future__ import annotations

import difflib
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.asked import Asked
    from nnwidgets.explain.inputs import Slot
    from nnwidgets.explain.registry import Warned

__all__ = [
    "SpatialLayer",
    "as_maps",
    "default_layer",
    "mixed_tokens",
    "spatial_layer",
    "spatial_layers",
]

_CHANNELS_FIRST: Final = (nn.Conv1d, nn.ConvTranspose1d)
_TOKENS_FIRST: Final = (nn.Linear, nn.LayerNorm, nn.MultiheadAttention, nn.RNNBase, nn.Embedding)
_EXTRA: Final = 8  # class, distillation and register tokens that may stand before the patches


@dataclass(frozen=True)
class SpatialLayer:
    """A layer whose output keeps the places of the input.

    Attributes
    ----------
    name
        As in ``named_modules()`` of the user's model.
    type
        Of the module.
    shape
        Of its output for one sample, without the batch.
    grid
        Its places: (height, width), or (length,).
    tokens
        Whether the places are tokens, (tokens, features), rather than maps, (channels, …).
    dropped
        Tokens that stand before those of the grid (a class token, registers).
    """

    name: str
    type: str
    shape: tuple[int, ...]
    grid: tuple[int, ...]
    tokens: bool = False
    dropped: int = 0


def spatial_layers(asked: Asked) -> tuple[SpatialLayer, ...]:
    """Return the layers of which a class activation map can be made, in order of their return.

    Parameters
    ----------
    asked
        The sample and the target. The model is run once, forward and backward, the first time
        that inputs of this form are asked about.

    Returns
    -------
    tuple of SpatialLayer
        Those with more than one place that the score depends on; of a layer that is called several
        times, as its last call was. Empty if the score has no gradient.
    """
    return tuple(layer for layer, _ in _found(asked))


def default_layer(asked: Asked) -> str | None:
    """Return the name of the layer that a class activation map is made of unless told otherwise.

    It is the last spatial layer; of modules that returned the same numbers (a block and the last
    layer in it), the outermost. None if there is none.
    """
    found = _found(asked)
    if not found:
        return None
    last = found[-1][1]
    same = [layer.name for layer, key in found if key == last]
    return min(same, key=lambda name: (name.count("."), -same.index(name)))


def spatial_layer(asked: Asked, name: str) -> SpatialLayer:
    """Return what a layer is.

    Parameters
    ----------
    asked
        The sample and the target.
    name
        Of a module in the user's model.

    Raises
    ------
    Refusal
        If there is no such layer (with the nearest name), or if it is no spatial one.
    """
    found = {layer.name: layer for layer in spatial_layers(asked)}
    if name in found:
        return found[name]
    names = [known for known, _ in asked.root.named_modules() if known]
    if name not in names:
        near = difflib.get_close_matches(str(name), names, 1, 0.0)
        raise Refusal("explain.layer_unknown", layer=str(name), nearest=near[0] if near else "–")
    raise Refusal("explain.layer_not_spatial", layer=name, layers=", ".join([*found][-6:]) or "–")


def mixed_tokens(asked: Asked, layer: str) -> tuple[Warned, ...]:
    """Return the sentence on a map over the tokens of a text or a sequence; none on pictures.

    In a layer behind attention or recurrence each of them holds some of the others.
    """
    found = next((one for one in spatial_layers(asked) if one.name == layer), None)
    if found is None or not found.tokens or len(found.grid) > 1:
        return ()
    return (("explain.cam.mixed", {"layer": layer}),)


def as_maps(activation: Tensor, layer: SpatialLayer) -> Tensor:
    """Bring what a spatial layer returned (or its gradient) into the form of maps.

    Parameters
    ----------
    activation
        (N, channels, …), or (N, tokens, features).
    layer
        Which.

    Returns
    -------
    Tensor
        (N, channels, height, width) or (N, channels, length); tokens before the grid are left out.
    """
    if not layer.tokens:
        return activation
    places = activation[:, layer.dropped :].transpose(1, 2)
    return places.reshape(*places.shape[:2], *layer.grid)


Key = tuple[int, tuple[int, ...]]


# Which layers keep places is a matter of structure; it is asked again with each map.
_known: weakref.WeakKeyDictionary[nn.Module, dict[Any, list[tuple[SpatialLayer, Key]]]] = (
    weakref.WeakKeyDictionary()
)


def _found(asked: Asked) -> list[tuple[SpatialLayer, Key]]:
    if callable(asked.target):  # it may look at one of several outputs, and we cannot see at which
        return _looked(asked)
    shapes = tuple((tuple(value.shape), value.dtype, value.device) for value in asked.inputs)
    modules = sum(1 for _ in asked.root.modules())
    key = type(asked.target), shapes, modules
    known = _known.setdefault(asked.root, {})
    if key not in known:
        found = _looked(asked)
        if not found:  # perhaps only now: a constant score has no gradient anywhere
            return found
        known[key] = found
    return known[key]


def _looked(asked: Asked) -> list[tuple[SpatialLayer, Key]]:
    calls, gradients = _run(asked)
    plane, steps = _plane(asked.slots)
    grids = [call.output.shape[2:] for call in calls if call.output.dim() == 4]
    found: dict[str, tuple[SpatialLayer, Key]] = {}
    for call, gradient in zip(calls, gradients, strict=True):
        layer = _layer(call, plane, [tuple(grid) for grid in grids], steps=steps)
        if layer is None or gradient is None:
            continue
        if layer.tokens and not _reaches(gradient, layer):
            continue
        found.pop(layer.name, None)  # of several calls the last one counts, at its own place
        found[layer.name] = layer, (call.output.data_ptr(), layer.shape)
    return list(found.values())


def _reaches(gradient: Tensor, layer: SpatialLayer) -> bool:
    """Whether the score depends on the tokens of the grid; of a row of them, on more than one.

    A map of the one token that a sentence is classified by would say nothing.
    """
    reached = (as_maps(gradient, layer) != 0).any(1)
    return int(reached.sum()) > (1 if len(layer.grid) == 1 else 0)


@dataclass(frozen=True, eq=False)
class _Call:
    name: str
    type: str
    output: Tensor
    first: bool  # the channels come before the places, as far as the layers before it tell


def _run(asked: Asked) -> tuple[list[_Call], Sequence[Tensor | None]]:
    calls: list[_Call] = []
    handles = []
    first = True

    def keeps(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            nonlocal first
            if isinstance(module, _CHANNELS_FIRST):
                first = True
            elif isinstance(module, _TOKENS_FIRST):
                first = False
            tensor = _first(output)
            if tensor is not None and tensor.shape[0] == 1 and tensor.requires_grad:
                calls.append(_Call(name, type(module).__name__, tensor, first))

        return hook

    try:
        for name, module in asked.root.named_modules():
            if name and not isinstance(module, torch.jit.ScriptModule):
                handles.append(module.register_forward_hook(keeps(name)))
        with torch.enable_grad():
            # Gradients wanted of the inputs keep torch off the fused paths that call no hooks.
            inputs = [value.detach().clone().requires_grad_() for value in asked.inputs]
            score = asked.model(*inputs, *asked.others).sum()
        if not score.requires_grad or not calls:
            return [], []
        outputs = [call.output for call in calls]
        return calls, torch.autograd.grad(score, outputs, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()


def _first(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output if output.dim() in (3, 4) and output.is_floating_point() else None
    if isinstance(output, dict):
        output = tuple(output.values())
    if isinstance(output, (tuple, list)) and output:
        return _first(output[0])
    return None


def _plane(slots: Sequence[Slot]) -> tuple[tuple[int, ...], bool]:
    """Return the size of the plane of the first input that has one, and whether it is of steps."""
    for slot in slots:
        if slot.kind == "image":
            if slot.channel_axis is None:
                return slot.shape, False
            return (slot.shape[1:] if slot.channel_axis == 0 else slot.shape[:-1]), False
    for slot in slots:
        if slot.kind == "signal":
            return slot.shape[-1:], False
        if slot.kind in ("tokens", "sequence") and slot.shape:
            return slot.shape[:1], True
    return (), False


def _layer(
    call: _Call, plane: tuple[int, ...], grids: Sequence[tuple[int, ...]], *, steps: bool
) -> SpatialLayer | None:
    shape = tuple(call.output.shape[1:])
    if len(plane) == 2 and len(shape) == 3:
        grid = shape[1:]
        fits = grid[0] * grid[1] > 1 and grid[0] <= 2 * plane[0] and grid[1] <= 2 * plane[1]
        return SpatialLayer(call.name, call.type, shape, grid) if fits else None
    if len(plane) == 2 and len(shape) == 2:
        tokens = _grid_of(shape[0], plane, grids)
        if tokens is None:
            return None
        return SpatialLayer(call.name, call.type, shape, tokens[0], True, tokens[1])
    if len(plane) == 1 and len(shape) == 2 and call.first and 1 < shape[1] <= 2 * plane[0]:
        return SpatialLayer(call.name, call.type, shape, shape[1:])
    if steps and len(shape) == 2 and not call.first and plane[0] > 1:
        extra = shape[0] - plane[0]  # a class token that the model itself puts in front
        # An embedding is the input itself, of which the gradient methods tell.
        turned = extra == 1 and shape[1] == plane[0]  # features of tokens that stand behind
        if extra in (0, 1) and not turned and call.type != nn.Embedding.__name__:
            return SpatialLayer(call.name, call.type, shape, plane, True, extra)
    return None


def _grid_of(
    count: int, plane: tuple[int, ...], grids: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], int] | None:
    """Return the grid that tokens form over a plane, and how many stand before it."""
    for grid in reversed(grids):  # of the convolution that cut the picture into patches
        if 1 < grid[0] * grid[1] <= count <= grid[0] * grid[1] + _EXTRA:
            return grid, count - grid[0] * grid[1]
    for extra in range(min(_EXTRA, count - 1) + 1):
        height = round(((count - extra) * plane[0] / plane[1]) ** 0.5)
        for rows in (height, height + 1, height - 1):
            if rows > 0 and (count - extra) % rows == 0:
                columns = (count - extra) // rows
                # Patches are as high as they are wide.
                if rows * columns > 1 and rows * plane[1] == columns * plane[0]:
                    return (rows, columns), extra
    return None
