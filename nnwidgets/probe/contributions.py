"""The terms activation × weight that make up one unit.

What a unit of a linear layer or a convolution computes before its activation function is a sum:
each input that it sees times the weight it gives it, plus a bias. Here the terms are worked out one
by one, in float64, from what the layer was given and the weights it has; they are not derived from
the layer's output, so that their sum is a check on both. Terms of padding are zero and stay in
their place.

A layer that is not torch's but has a matrix (``Conv1D`` of transformers) is taken for a linear one
if the terms add up to what it gave.

An embedding picks a row of its table (activation 1), a normalisation scales what it has normalised
(one term, x̂ × γ), a plain recurrent cell sums over its input and its last state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from nnwidgets.probe.given import argument, numbers
from nnwidgets.probe.look import Call
from nnwidgets.probe.norms import NORMS, normalised
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.tree import type_name
from nnwidgets.probe.units import Unit, locate, main_tensor, packed, unit_words, without_sample
from nnwidgets.probe.windows import convolution_window, transposed_window

__all__ = ["Contributions", "NoContributions", "contributions", "has_contributions"]


class NoContributions(Refusal):
    """The layer's output is no sum of activation × weight; the sentence says what it is."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """What makes up one unit for one sample.

    Attributes
    ----------
    unit
        As given, with no negative indices.
    values
        The products, float64, in the shape of the weights the unit has: (inputs,) of a linear
        layer, (channels in the group, kernel …) of a convolution.
    inputs
        int64, shape (terms, dimensions): which input each term is from, without the batch, in C
        order of `values`. Coordinates outside of the input are padding.
    activation, weight, product
        float64, one for each term.
    bias
        None if the layer has none.
    total
        ``values.sum() + bias``: the unit before its activation function.
    output
        What the layer itself gave there.
    """

    unit: tuple[int, ...]
    values: NDArray[np.float64]
    inputs: NDArray[np.int64]
    activation: NDArray[np.float64]
    weight: NDArray[np.float64]
    product: NDArray[np.float64]
    bias: float | None
    total: float
    output: float

    @property
    def words(self) -> str:
        """The unit, written: ``7`` or ``(3, 5, 7)``."""
        return unit_words(self.unit)


@dataclass(frozen=True, eq=False)
class _Terms:
    """Activation and weight in the shape of the weights, and where each is from."""

    activation: ArrayLike
    weight: ArrayLike
    inputs: NDArray[np.int64]
    bias: float | None


def contributions(module: nn.Module, call: Call, sample_index: int, unit: Unit) -> Contributions:
    """Return the terms that sum to a unit's pre-activation less its bias.

    Parameters
    ----------
    module
        A private copy, with the weights that the call was made with.
    call
        One of its calls, from ``look(…, copy=True)``: a later module may work in place.
    sample_index
        Which sample of the batch.
    unit
        Index into the layer's output without the batch.

    Returns
    -------
    Contributions
        In float64. NaN and infinities stay what they are.

    Raises
    ------
    NoContributions
        If the layer is of another kind.
    UnitError
        If there is no such unit or sample.
    """
    found = _rule(module)
    if found is None and not _like_linear(module):
        raise _refusal(module)
    if packed(call.output):
        raise NoContributions("probe.contributions.packed", type=type_name(module))
    output = main_tensor(call.output)
    if output.is_complex():
        raise NoContributions("probe.contributions.complex", type=type_name(module))
    index, whole = locate(module, output, sample_index, unit)
    own = float(output.detach()[index])
    if found is None:
        terms = _guess(module, call, index)
        if terms is None:
            raise _refusal(module)
        return _summed(terms, whole, own)
    kind, rule = found
    with torch.no_grad():
        result = _summed(rule(module, call, index), whole, own)
    if type(module).forward is not kind.forward and not _agrees(result, output.dtype):
        raise NoContributions(
            "probe.contributions.differs", type=type_name(module), base=kind.__name__
        )
    return result


def has_contributions(module: nn.Module) -> bool:
    """Whether `contributions` knows the kind of layer, or may find out that it does."""
    return _rule(module) is not None or _like_linear(module)


def _summed(terms: _Terms, unit: tuple[int, ...], output: float) -> Contributions:
    with np.errstate(invalid="ignore", over="ignore"):
        activation, weight = np.broadcast_arrays(
            np.asarray(terms.activation, np.float64), np.asarray(terms.weight, np.float64)
        )
        values = activation * weight
        total = float(values.sum() + (terms.bias or 0.0))
    return Contributions(
        unit, values, terms.inputs, activation.ravel(), weight.ravel(), values.ravel(),
        terms.bias, total, output,
    )  # fmt: skip


def _agrees(found: Contributions, dtype: torch.dtype) -> bool:
    # A class derived from a known layer may compute something else.
    size = float(np.abs(found.product).sum()) + abs(found.bias or 0.0)
    gap = abs(found.total - found.output)
    return bool(gap <= _tolerance(dtype) * size) or not np.isfinite(gap)


def _tolerance(dtype: torch.dtype) -> float:
    # Rounding grows with the size of what is added up, not with the sum; matrix units may round
    # to 11 bits.
    return max(torch.finfo(dtype).eps * 8, 2e-3)


def _line(*parts: NDArray[np.int64] | int, count: int) -> NDArray[np.int64]:
    columns = [np.broadcast_to(np.asarray(part, np.int64), (count,)) for part in parts]
    return np.stack(columns, axis=1) if columns else np.zeros((count, 0), np.int64)


def _bias(bias: Any, at: int) -> float | None:
    return None if bias is None else float(bias[at])


# ---- layers of other libraries that work like a linear one


def _like_linear(module: nn.Module) -> bool:
    """Whether a layer that is not torch's has a matrix, and a vector at most beside it."""
    own = dict(module.named_parameters(recurse=False))
    weight, bias = own.pop("weight", None), own.pop("bias", None)
    return (
        weight is not None
        and weight.dim() == 2
        and (bias is None or bias.dim() == 1)
        and not own
        and not any(module.children())
        and not type(module).__module__.startswith("torch.")
    )


def _guess(module: Any, call: Call, index: tuple[int, ...]) -> _Terms | None:
    """Return terms with the weight as (outputs, inputs), or as (inputs, outputs).

    Whichever makes all the outputs beside the unit; None if neither does.
    """
    given, output = argument(call), main_tensor(call.output)
    fits = isinstance(given, Tensor) and given.shape[:-1] == output.shape[:-1]
    if not fits or not given.dim() or given.is_complex():
        return None
    row, made = numbers(given[index[:-1]]), numbers(output[index[:-1]])
    own = {name: numbers(p) for name, p in module.named_parameters(recurse=False)}
    bias = own.get("bias", np.zeros(len(made)))
    for matrix in (own["weight"], own["weight"].T):
        if matrix.shape != (len(made), len(row)) or len(bias) != len(made):
            continue
        size = np.abs(matrix) @ np.abs(row) + np.abs(bias)
        if (np.abs(matrix @ row + bias - made) <= _tolerance(output.dtype) * size).all():
            place = without_sample(module, output, index)[:-1]
            inputs = _line(*place, np.arange(len(row)), count=len(row))
            return _Terms(row, matrix[index[-1]], inputs, _bias(own.get("bias"), index[-1]))
    return None


# ---- the rules: from a module, a call and an index into the output to the terms


def _linear(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    row = numbers(argument(call)[index[:-1]])
    place = without_sample(module, main_tensor(call.output), index)[:-1]
    inputs = _line(*place, np.arange(len(row)), count=len(row))
    return _Terms(row, numbers(module.weight[index[-1]]), inputs, _bias(module.bias, index[-1]))


def _bilinear(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    first, second = (numbers(argument(call, i, f"input{i + 1}")[index[:-1]]) for i in (0, 1))
    grid = np.indices((len(first), len(second))).reshape(2, -1).T
    weight = numbers(module.weight[index[-1]])
    return _Terms(np.outer(first, second), weight, grid, _bias(module.bias, index[-1]))


def _maps(call: Call, index: tuple[int, ...], spatial: int) -> Tensor:
    given: Tensor = argument(call)
    return given[index[0]] if given.dim() == spatial + 2 else given


def _convolution(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    spatial = len(module.kernel_size)
    maps = _maps(call, index, spatial)
    channel, position = index[-1 - spatial], index[-spatial:]
    window = convolution_window(module, maps.shape[1:], position)
    width = module.in_channels // module.groups
    first = channel // (module.out_channels // module.groups) * width
    group = range(first, first + width)
    return _Terms(
        window.read(maps[first : first + width]), numbers(module.weight[channel]),
        window.indices(group), _bias(module.bias, channel),
    )  # fmt: skip


def _transposed(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    spatial = len(module.kernel_size)
    maps = _maps(call, index, spatial)
    channel, position = index[-1 - spatial], index[-spatial:]
    window = transposed_window(module, maps.shape[1:], position)
    each, width = module.out_channels // module.groups, module.in_channels // module.groups
    first = channel // each * width
    group = range(first, first + width)
    weight = numbers(module.weight[first : first + width, channel % each])
    activation = window.read(maps[first : first + width])
    return _Terms(activation, weight, window.indices(group), _bias(module.bias, channel))


def _embedding(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    row = int(argument(call)[index[:-1]])
    return _Terms([1.0], [float(module.weight[row, index[-1]])], np.array([[row]]), None)


def _embedding_bag(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    bag, feature = index[0], index[-1]
    ids, offsets = argument(call), argument(call, 1, "offsets")
    scale = argument(call, 2, "per_sample_weights")
    if ids.dim() == 2:
        rows, scales = ids[bag], None if scale is None else scale[bag]
    else:
        end = offsets[bag + 1] if bag + 1 < len(offsets) else len(ids)
        rows, scales = ids[offsets[bag] : end], None if scale is None else scale[offsets[bag] : end]
    if module.padding_idx is not None:
        kept = rows != module.padding_idx
        rows, scales = rows[kept], None if scales is None else scales[kept]
    weight = numbers(module.weight[rows, feature])
    activation = np.ones(len(rows)) if scales is None else numbers(scales)
    if module.mode == "mean" and len(rows):
        activation = activation / len(rows)
    elif module.mode == "max" and len(rows):
        activation = (np.arange(len(rows)) == weight.argmax()).astype(np.float64)
    return _Terms(activation, weight, _line(numbers(rows).astype(np.int64), count=len(rows)), None)


def _norm(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    given = argument(call)
    found = normalised(module, given, index)
    place = without_sample(module, given, index)
    return _Terms([found.scaled], [found.weight], np.asarray([place], np.int64), found.bias)


def _cell(module: Any, call: Call, index: tuple[int, ...]) -> _Terms:
    given, state = argument(call), argument(call, 1, "hx")
    unit, row = index[-1], index[:-1]
    now = numbers(given[row])
    before = np.zeros(module.hidden_size) if state is None else numbers(state[row])
    bias = None
    if module.bias:
        bias = float(module.bias_ih[unit]) + float(module.bias_hh[unit])
    weight = [numbers(module.weight_ih[unit]), numbers(module.weight_hh[unit])]
    inputs = _line(
        np.repeat([0, 1], [len(now), len(before)]),
        np.concatenate([np.arange(len(now)), np.arange(len(before))]),
        count=len(now) + len(before),
    )
    return _Terms(np.concatenate([now, before]), np.concatenate(weight), inputs, bias)


_Rule = Callable[[Any, Call, "tuple[int, ...]"], _Terms]
_RULES: Final[tuple[tuple[type[nn.Module], _Rule], ...]] = (
    (nn.Linear, _linear),
    (nn.Conv1d, _convolution),
    (nn.Conv2d, _convolution),
    (nn.Conv3d, _convolution),
    (nn.ConvTranspose1d, _transposed),
    (nn.ConvTranspose2d, _transposed),
    (nn.ConvTranspose3d, _transposed),
    (nn.Embedding, _embedding),
    (nn.EmbeddingBag, _embedding_bag),
    *((kind, _norm) for kind in NORMS),
    (nn.Bilinear, _bilinear),
    (nn.RNNCell, _cell),
)


def _rule(module: nn.Module) -> tuple[type[nn.Module], _Rule] | None:
    return next(((kind, rule) for kind, rule in _RULES if isinstance(module, kind)), None)


def _refusal(module: nn.Module) -> NoContributions:
    name = type_name(module)
    if isinstance(module, nn.RNN):
        return NoContributions("probe.contributions.recurrent", type=name)
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return NoContributions("probe.contributions.gates", type=name)
    if isinstance(module, nn.MultiheadAttention):
        return NoContributions("probe.contributions.attention", type=name)
    if isinstance(module, (nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.Softmin)):
        return NoContributions("probe.contributions.softmax", type=name)
    if "quantized" in type(module).__module__:
        return NoContributions("probe.contributions.unknown", type=name)
    if next(module.children(), None) is not None:
        return NoContributions("probe.contributions.container", type=name)
    if next(module.parameters(recurse=False), None) is None:
        return NoContributions("probe.contributions.no_weights", type=name)
    return NoContributions("probe.contributions.unknown", type=name)
