"""Which dimension counts the samples in a model that takes time first.

Torch's layers on sequences say of themselves where their batch stands (``batch_first``). The layers
around them do not: a linear layer behind an LSTM gets time × batch × features and knows nothing of
it. It is found out here by experiment: the model is run with one sample less, and the dimension of
an output that has become shorter is the one that counts samples. Nothing is guessed from sizes
where the experiment works, so that a sequence as long as the batch is wide is told apart as well.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nnwidgets.probe.keep import few_samples
from nnwidgets.probe.look import Arguments, call_arguments, look
from nnwidgets.probe.nests import replaced
from nnwidgets.probe.tensors import tensors_in

__all__ = [
    "SampleAxes",
    "fewer_samples",
    "input_axes",
    "learned_axis",
    "remember",
    "sample_axes",
    "says_batch_first",
    "takes_time_first",
]

_TRIES: Final = 12  # ways to cut the inputs
_BYTES: Final = 8 << 20
_Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class SampleAxes:
    """Where samples stand in a model that takes time first.

    Attributes
    ----------
    count
        How many the probe batch holds.
    inputs
        For each tensor of the sample, in order: the dimension that counts samples; None if it is
        the same for all of them.
    outputs
        By name of the module (``""``: the model): how many dimensions its output has, and which of
        them counts the samples. What is not named is as everywhere else.
    """

    count: int
    inputs: tuple[int | None, ...]
    outputs: Mapping[str, tuple[int, int]]


def says_batch_first(module: Any) -> bool | None:
    """Return what torch's layers on sequences say of themselves; None for other modules."""
    if isinstance(module, (nn.TransformerEncoder, nn.TransformerDecoder)) and len(module.layers):
        module = module.layers[0]
    if isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)):
        module = module.self_attn
    if isinstance(module, (nn.RNNBase, nn.MultiheadAttention, nn.Transformer)):
        return bool(module.batch_first)
    return None


def takes_time_first(model: nn.Module) -> bool:
    """Whether one of a model's layers says that time stands before the batch."""
    return any(says_batch_first(module) is False for module in model.modules())


def sample_axes(model: nn.Module, sample: Any) -> SampleAxes | None:
    """Find out where the samples stand.

    Parameters
    ----------
    model
        A private copy (see `nnwidgets.probe.twin`); run a few times.
    sample
        The probe batch, see `nnwidgets.probe.look.call_arguments`.

    Returns
    -------
    SampleAxes or None
        None for a model none of whose layers takes time first, or that was not called with a batch
        of sequences.
    """
    telling = [name for name, module in model.named_modules() if says_batch_first(module) is False]
    if not telling:
        return None
    whole = _shapes(model, sample)
    if whole is None:
        return None
    for first, count in _sequences(whole, telling):
        found = _found(model, sample, whole, first, count)
        if found is not None:
            return found
    return None


def _found(
    model: nn.Module, sample: Any, whole: _Shapes, first: str, count: int
) -> SampleAxes | None:
    """Return where the samples stand if they are what a layer takes for its batch."""
    arguments = call_arguments(sample)
    tensors = list(tensors_in(arguments))
    given = [v for v in (*arguments[0], *arguments[1].values()) if isinstance(v, PackedSequence)]
    # Of what is packed no dimension counts samples; what is ragged cannot be cut.
    fixed = {id(t) for t in tensors_in(given)} | {id(t) for t in tensors if not _can_be_cut(t)}
    axes_tell = True
    for axes in islice(_ways(tensors, count, fixed), _TRIES):
        other = count - 1 if count > 1 else 2
        cut = {
            id(t): _resized(t, axis, other)
            for t, axis in zip(tensors, axes, strict=True)
            if axis is not None
        }
        args, kwargs = replaced(arguments, cut)
        fewer = _shapes(model, Arguments(args, kwargs)) if cut else None
        if fewer is None or fewer.get(first, (0, 0))[1] != other:
            continue
        if whole.get("") and fewer.get("") == whole[""]:
            axes_tell = False  # frames of one clip, or steps given in the place of samples
            continue
        return SampleAxes(count, axes, dict(_moved(whole, fewer, count, other)))
    # It cannot be run with another number of samples: sizes tell, unless they are the same.
    time = whole[first][0]
    axes = next(_ways(tensors, count, fixed))
    # Characters of all words, or rows of all images: the batch of a layer that is not the model's.
    known = axes_tell and any(axis is not None for axis in axes)
    if time == count or not (known or fixed or count in whole.get("", ())[:2]):
        return None
    named = {n: (len(s), 1) for n, s in whole.items() if len(s) > 1 and s[:2] == (time, count)}
    return SampleAxes(count, axes, named)


def fewer_samples(
    model: nn.Module, sample: Any, axes: SampleAxes | None, most: int
) -> tuple[Any, SampleAxes | None]:
    """Return the first few samples, and where they stand; all where the model needs them all.

    Parameters
    ----------
    model, sample
        See `sample_axes`.
    axes
        What it found; None: the first dimension counts samples.
    most
        So many at most.
    """
    arguments, given = call_arguments(sample), axes
    if axes is None:
        fewer = Arguments(*few_samples(arguments, most, _BYTES))
    elif axes.count > most:
        placed = zip(tensors_in(arguments), axes.inputs, strict=True)
        cut = {id(t): t.narrow(axis, 0, most).clone() for t, axis in placed if axis is not None}
        fewer, axes = Arguments(*replaced(arguments, cut)), replace(axes, count=most)
    else:
        return sample, axes
    return (sample, given) if _shapes(model, fewer) is None else (fewer, axes)


def _sequences(shapes: _Shapes, telling: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Return the first layer for each number of samples that one takes."""
    seen: set[int] = set()
    for name in telling:
        shape = shapes.get(name, ())
        if len(shape) == 3 and shape[1] not in seen:
            seen.add(shape[1])
            yield name, shape[1]


def _shapes(model: nn.Module, sample: Any) -> _Shapes | None:
    """Return the shape of what each module first returned; None if the model raised."""
    seen: _Shapes = {}

    def recorder(name: str) -> Callable[[Any], None]:
        def record(output: Any) -> None:
            if name not in seen:
                seen[name] = _shape(output)

        return record

    edit = {name: recorder(name) for name, _ in model.named_modules()}
    return None if look(model, sample, edit=edit).problem is not None else seen


def _shape(output: Any) -> tuple[int, ...]:
    parts = output if isinstance(output, tuple) else (output,)
    for part in parts:
        if isinstance(part, PackedSequence):
            return (len(part.batch_sizes), int(part.batch_sizes[0]), *part.data.shape[1:])
    first = next((t for t in tensors_in(output) if t.is_floating_point()), None)
    return () if first is None or first.is_nested else tuple(first.shape)


def _ways(
    tensors: Sequence[Tensor], count: int, fixed: Collection[int]
) -> Iterator[tuple[int | None, ...]]:
    """Return how the inputs may be cut, time first before the others."""
    options: list[tuple[int | None, ...]] = []
    for tensor in tensors:
        fits: list[int | None] = [
            axis
            for axis in (1, 0)
            if id(tensor) not in fixed and tensor.dim() > axis and tensor.shape[axis] == count
        ]
        options.append((*fits, None))
    return product(*options)


def _can_be_cut(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_nested


def _resized(tensor: Tensor, axis: int, count: int) -> Tensor:
    if count < tensor.shape[axis]:
        return tensor.narrow(axis, 0, count)
    return torch.cat([tensor] * count, axis)


def _moved(
    whole: _Shapes, fewer: _Shapes, count: int, other: int
) -> Iterator[tuple[str, tuple[int, int]]]:
    for name, shape in whole.items():
        now = fewer.get(name, ())
        if len(now) != len(shape):
            continue
        changed = [i for i, (a, b) in enumerate(zip(shape, now, strict=True)) if a != b]
        if len(changed) == 1 and (shape[changed[0]], now[changed[0]]) == (count, other):
            yield name, (len(shape), changed[0])


# What was found out is known of the modules, not kept in them: they may be the user's own.
_lock = threading.Lock()
_outputs: weakref.WeakKeyDictionary[nn.Module, tuple[int, int]] = weakref.WeakKeyDictionary()
_inputs: weakref.WeakKeyDictionary[nn.Module, tuple[int | None, ...]] = weakref.WeakKeyDictionary()


def remember(model: nn.Module, axes: SampleAxes | None) -> None:
    """Let `learned_axis` and `input_axes` know what was found out of a model or its copy."""
    if axes is None:
        return
    modules = dict(model.named_modules())
    with _lock:
        _inputs[model] = axes.inputs
        for name, found in axes.outputs.items():
            if name in modules:
                _outputs[modules[name]] = found


def learned_axis(module: nn.Module, dims: int) -> int | None:
    """Return which dimension of a module's output counts the samples, if that was found out.

    Parameters
    ----------
    module
        What returned it.
    dims
        How many dimensions it has.
    """
    if not _outputs:
        return None
    with _lock:
        known = _outputs.get(module)
    return None if known is None or known[0] != dims else known[1]


def input_axes(model: nn.Module, tensors: Sequence[Tensor]) -> tuple[int | None, ...]:
    """Return which dimension of each input counts the samples: the first unless found otherwise.

    Parameters
    ----------
    model
        What takes them.
    tensors
        Of a sample, in order.
    """
    if _inputs:
        with _lock:
            known = _inputs.get(model)
        if known is not None and len(known) == len(tensors):
            return known
    return tuple(0 if t.dim() else None for t in tensors)
