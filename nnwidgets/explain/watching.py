"""Running a model once to see what it does with its inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from nnwidgets.explain.tokens import Embedded, embedded_calls
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tensors import tensors_in

__all__ = ["Taken", "Watched", "kind_of", "watch"]

_CONV1: Final = (nn.Conv1d, nn.ConvTranspose1d)
_CONV2: Final = (nn.Conv2d, nn.ConvTranspose2d)
_STEPS: Final = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
_TAKERS: Final = (*_CONV1, *_CONV2, *_STEPS, nn.Conv3d, nn.Linear, nn.Bilinear)
# What hands its input on, changed or not, in the same shape.
_PASSING: Final = (
    nn.Identity,
    nn.Dropout,
    nn.Flatten,
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
)
_COLOURS: Final = (1, 3, 4)  # channels of a picture
_SIDE: Final = 8  # pixels: what is smaller than this in a flat table is no picture


@dataclass(frozen=True)
class Taken:
    """The first layer that worked on an input.

    Attributes
    ----------
    kind
        Type of the layer.
    shape
        Of what it was given, with the batch.
    """

    kind: type[nn.Module]
    shape: tuple[int, ...]


@dataclass(eq=False)
class Watched:
    """What a run has shown.

    Attributes
    ----------
    output
        What the model returned, with a graph where there is one.
    calls
        Of embeddings.
    taken
        By key of the floating input: which layer took it first.
    in_place
        Whether the model changed an argument.
    """

    output: Any = None
    calls: list[Embedded] = field(default_factory=list)
    taken: dict[int | str, Taken] = field(default_factory=dict)
    in_place: bool = False


def watch(root: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Watched:
    """Run a private model and see where its inputs go.

    Parameters
    ----------
    root
        In evaluation mode.
    args, kwargs
        Of a few samples; ours to change.

    Raises
    ------
    Refusal
        If the model has no weights yet, or raises.
    """
    if any_without_data((*root.parameters(), *root.buffers())):
        raise Refusal("explain.meta_model")
    seen = Watched()
    given: dict[int | str, Any] = dict(enumerate(args))
    given.update(kwargs)
    tensors = [tensor for value in given.values() for tensor in tensors_in(value)]
    versions = [tensor._version for tensor in tensors]
    floats = {
        key: value
        for key, value in given.items()
        if isinstance(value, Tensor) and value.dtype.is_floating_point
    }
    takers = _Takers(floats)
    with takers.on(root), embedded_calls(root) as calls:
        # A leaf that wants a gradient cannot be changed in place, so a copy of it is handed over.
        ready = {
            key: value.clone().requires_grad_() + 0 if key in floats else value
            for key, value in given.items()
        }
        before = {key: value._version for key, value in ready.items() if key in floats}
        with torch.enable_grad():
            seen.output = run(root, *_split(ready), running=takers.running)
        seen.calls = calls
    seen.taken = takers.taken
    changed = [tensor._version for tensor in tensors] != versions
    seen.in_place = changed or any(ready[key]._version != old for key, old in before.items())
    return seen


def _split(given: dict[int | str, Any]) -> tuple[list[Any], dict[str, Any]]:
    args = [value for key, value in given.items() if isinstance(key, int)]
    return args, {key: value for key, value in given.items() if isinstance(key, str)}


def run(
    root: nn.Module, args: Sequence[Any], kwargs: dict[str, Any], *, running: Sequence[str] = ()
) -> Any:
    """Call a model; what it raises becomes a sentence.

    Raises
    ------
    Refusal
        With what the model raised, and where if `running` names the modules at work.
    """
    try:
        return root(*args, **kwargs)
    except Refusal:
        raise
    except Exception as problem:
        why = f"{type(problem).__name__}: {problem}".strip().splitlines()[0][:200]
        layer = running[-1] if running else ""
        if layer:
            raise Refusal("explain.model_failed_in", problem=why, layer=layer) from problem
        raise Refusal("explain.model_failed", problem=why) from problem


class _Takers:
    """Hooks that find the first layer to work on each input."""

    def __init__(self, floats: dict[int | str, Tensor]) -> None:
        self.taken: dict[int | str, Taken] = {}
        self.running: list[str] = []
        self._same: dict[int | str, list[_Print]] = {k: [_Print(v)] for k, v in floats.items()}
        self._handles: list[Any] = []

    def on(self, root: nn.Module) -> _Takers:
        for name, module in root.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # takes no hooks
            enters = module.register_forward_pre_hook(self._enters(name), with_kwargs=True)
            self._handles += [enters, module.register_forward_hook(self._leaves)]
        return self

    def __enter__(self) -> _Takers:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _enters(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.running.append(name)
            if not isinstance(module, _TAKERS) or len(self.taken) == len(self._same):
                return
            for tensor in tensors_in((args, list(kwargs.values()))):
                for key in self._keys(tensor, exact=True) or self._keys(tensor, exact=False):
                    self.taken[key] = Taken(type(module), tuple(tensor.shape))
                    break

        return hook

    def _keys(self, tensor: Tensor, *, exact: bool) -> list[int | str]:
        if not tensor.dtype.is_floating_point:
            return []
        open_ = {key: prints for key, prints in self._same.items() if key not in self.taken}
        if not any(one.size == tensor.numel() for prints in open_.values() for one in prints):
            return []
        mine = _Print(tensor)
        return [
            key for key, prints in open_.items() if any(one.fits(mine, exact) for one in prints)
        ]

    def _leaves(self, module: nn.Module, args: Any, output: Any) -> None:
        self.running.pop()
        if isinstance(module, _PASSING) and args and isinstance(output, Tensor):
            for key in self._keys(args[0], exact=True) if isinstance(args[0], Tensor) else []:
                self._same[key].append(_Print(output))


class _Print:
    """What stays the same of a tensor's numbers when they are put into another order."""

    def __init__(self, tensor: Tensor) -> None:
        values = tensor.detach()
        self.size = tensor.numel()
        self._moments = _moments(values)
        if not all(map(math.isfinite, self._moments)):
            self._moments = _moments(torch.nan_to_num(values.double(), posinf=0.0, neginf=0.0))

    def fits(self, other: _Print, exact: bool) -> bool:
        if self.size != other.size:
            return False
        scale = 1e-9 * (1 + abs(self._moments[1]) + self.size)
        pairs = zip(self._moments, other._moments, strict=True)
        return not exact or all(abs(mine - its) <= scale for mine, its in pairs)


def _moments(values: Tensor) -> tuple[float, float]:
    """Return the sums of values and of their squares, without a copy in double precision."""
    norm = torch.linalg.vector_norm(values, dtype=torch.float64)
    return float(values.sum(dtype=torch.float64)), float(norm.square())


def kind_of(shape: Sequence[int], taken: Taken | None, name: str = "") -> tuple[str, int | None]:
    """Say what a floating input is.

    Parameters
    ----------
    shape
        Of one sample.
    taken
        The layer that works on it first, if it was seen.
    name
        Its keyword.

    Returns
    -------
    kind, channel_axis
        As in `nnwidgets.explain.inputs.Slot`.
    """
    layer: type[nn.Module] = taken.kind if taken else nn.Identity
    inner = taken.shape[1:] if taken else ()
    if len(shape) == 3:
        return _picture(shape, layer, inner)
    if len(shape) == 2:
        return _plane(shape, layer, inner, name)
    if len(shape) == 1:
        if issubclass(layer, _CONV1):
            return "signal", None
        return ("sequence" if issubclass(layer, (nn.RNNBase, nn.RNNCellBase)) else "table"), None
    return ("table" if not shape else "other"), None


def _picture(
    shape: Sequence[int], layer: type[nn.Module], inner: Sequence[int]
) -> tuple[str, int | None]:
    first, last = tuple(shape), (shape[2], *shape[:2])
    if issubclass(layer, _CONV2) and tuple(inner) in (first, last) and first != last:
        axis = 0 if tuple(inner) == first else -1
    elif issubclass(layer, nn.Conv3d):
        return "other", None
    else:
        axis = -1 if shape[-1] in _COLOURS and shape[0] not in _COLOURS else 0
    height, width = shape[1:] if axis == 0 else shape[:2]
    return ("image", axis) if min(height, width) > 1 else ("other", None)


def _plane(
    shape: Sequence[int], layer: type[nn.Module], inner: Sequence[int], name: str
) -> tuple[str, int | None]:
    if issubclass(layer, _CONV1):
        turned = tuple(inner) == tuple(reversed(shape)) and shape[0] != shape[1]
        return ("sequence" if turned else "signal"), None
    if issubclass(layer, _CONV2):
        return "image", None
    large = min(shape) >= _SIDE and max(shape) <= 4 * min(shape)
    if issubclass(layer, nn.Linear) and large and inner[-1:] == (shape[0] * shape[1],):
        return "image", None
    return "sequence", None
