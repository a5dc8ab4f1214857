"""One unit's value, written out step by step with its numbers."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.probe.arithmetic_pointwise import write_out
from nnwidgets.probe.arithmetic_window import POOLING, SOFTMAX, write_pooling, write_softmax
from nnwidgets.probe.blocks import Block
from nnwidgets.probe.contributions import NoContributions, contributions
from nnwidgets.probe.given import argument, numbers
from nnwidgets.probe.look import Call
from nnwidgets.probe.norms import NORMS, normalised
from nnwidgets.probe.sentences import whole
from nnwidgets.probe.tree import type_name
from nnwidgets.probe.units import (
    Unit,
    batch_axis,
    locate,
    main_tensor,
    packed,
    spatial_dims,
    unit_words,
)
from nnwidgets.probe.written import SHOWN, Written, digits, joined

__all__ = ["explain_forward"]

_UNCHANGED: Final = (
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout
)  # fmt: skip


def explain_forward(
    module: nn.Module,
    call: Call,
    sample_index: int,
    unit: Unit,
    *,
    language: str = "en",
    shown: int = SHOWN,
) -> Block:
    """Write out how a layer made one unit's value.

    Convolutions and linear layers, embeddings, normalisation, activation functions, pooling,
    softmax, flattening and dropout are written out; of other layers only the value is given, and
    this said. Everything is computed again in float64 from the layer's input and weights; where the
    layer itself gave something else (it rounds to fewer digits), that is written below.

    Parameters
    ----------
    module
        A private copy in evaluation mode, with the weights that the call was made with.
    call
        One of its calls, from ``look(…, copy=True)``.
    sample_index
        Which sample of the batch.
    unit
        Index into the layer's output without the batch.
    language
        Of the words.
    shown
        How many terms of a sum are written one by one, the largest ones.

    Returns
    -------
    Block
        ``"arithmetic"``: ``meta["lines"]`` holds pairs of a text and its kind.

    Raises
    ------
    UnitError
        If there is no such unit or sample.
    """
    output = main_tensor(call.output)
    index, whole_unit = locate(module, output, sample_index, unit)
    out = Written(language, shown)
    value = float(output.detach()[index].real)
    computed: float | None = None
    if not output.is_complex() and not packed(call.output):
        with torch.no_grad(), np.errstate(all="ignore"):
            computed = _write(out, module, call, output, index, whole_unit, sample_index)
    if computed is None:
        out.say("head", "probe.arithmetic.layer", type=type_name(module))
        out.say("note", "probe.arithmetic.unknown", type=type_name(module))
        out.say("result", "probe.arithmetic.gives", value=digits(value))
    else:
        out.compare(computed, value, output.dtype)
    return out.block(unit=unit_words(whole_unit), direction="forward")


def _write(
    out: Written,
    module: Any,
    call: Call,
    output: Tensor,
    index: tuple[int, ...],
    unit: tuple[int, ...],
    sample_index: int,
) -> float | None:
    """Write the lines of one kind of layer and return the value they end in, None if unknown."""
    given = argument(call)
    if not isinstance(given, Tensor):
        return None
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return _embedding(out, module, call, sample_index, unit)
    if isinstance(module, NORMS):
        return _normalisation(out, module, given, index)
    if isinstance(module, POOLING):
        batched = batch_axis(module, output) is not None
        inside = (given[index[0]], output[index[0]]) if batched else (given, output)
        return write_pooling(out, module, *inside, unit)
    if isinstance(module, SOFTMAX):
        dim = -3 if isinstance(module, nn.Softmax2d) else module.dim
        if dim is None:  # torch's own rule for a softmax that was given none
            dim = 0 if given.dim() in (0, 1, 3) else 1
        return write_softmax(out, module, given, index, dim) if given.dim() else None
    if type(module) in _UNCHANGED and not module.training:
        return _unchanged(out, module, given, index)
    if isinstance(module, (nn.Flatten, nn.Unflatten)):
        return _reshaped(out, module, given, output, index)
    step = None
    if given.shape == output.shape:
        channel = index[1] if len(index) > 1 else 0
        step = write_out(module, float(numbers(given[index])), channel)
    if step is not None:
        formula, expression, value = step
        out.put("head", formula)
        out.put("term", f"x = {digits(float(numbers(given[index])))}")
        out.put("result", f"{expression} = {digits(value)}")
        return value
    return _sum_of_products(out, module, call, sample_index, unit)


def _sum_of_products(
    out: Written, module: nn.Module, call: Call, sample_index: int, unit: tuple[int, ...]
) -> float | None:
    try:
        found = contributions(module, call, sample_index, unit)
    except NoContributions:
        return None
    convolution = spatial_dims(module) is not None
    kind = "convolution" if convolution else "products"
    out.say("head", f"probe.arithmetic.{kind}", type=type_name(module), unit=unit_words(unit))
    real: NDArray[np.bool_] | None = None
    if convolution:
        shape = argument(call).shape[-found.inputs.shape[1] :]
        inside = (found.inputs >= 0) & (found.inputs < np.asarray(shape))
        real = np.asarray(inside.all(axis=1))
    out.terms(found, real)
    if found.bias is not None:
        summed = float(found.product.sum())
        expression = f"{joined(summed, found.bias)} = {digits(found.total)}"
        out.say("result", "probe.arithmetic.bias", sum=expression)
    if not isinstance(module, nn.RNNCell):
        return found.total
    relu = module.nonlinearity == "relu"
    value = float(np.maximum(0.0, found.total)) if relu else math.tanh(found.total)
    name = f"max(0, {digits(found.total)})" if relu else f"tanh({digits(found.total)})"
    out.put("result", f"{name} = {digits(value)}")
    return value


def _embedding(
    out: Written, module: Any, call: Call, sample_index: int, unit: tuple[int, ...]
) -> float | None:
    try:
        found = contributions(module, call, sample_index, unit)
    except NoContributions:
        return None
    if isinstance(module, nn.EmbeddingBag):
        out.say("head", "probe.arithmetic.bag", mode=module.mode, feature=str(unit[-1]))
        out.terms(found)
    else:
        row = str(int(found.inputs[0, 0]))
        out.say("head", "probe.arithmetic.embedding")
        value = digits(found.total)
        out.say("result", "probe.arithmetic.row", row=row, feature=str(unit[-1]), value=value)
    return found.total


def _normalisation(out: Written, module: Any, given: Tensor, index: tuple[int, ...]) -> float:
    found = normalised(module, given, index)
    out.say("head", f"probe.arithmetic.{'rms' if found.mean is None else 'norm'}")
    out.put("term", f"x = {digits(found.value)}")
    source = "running" if not found.count else ("square" if found.mean is None else "computed")
    params = {"count": whole(found.count), "variance": digits(found.variance)}
    if found.mean is not None:
        params["mean"] = digits(found.mean)
    out.say("term", f"probe.arithmetic.over.{source}", **params)
    below = f"√({digits(found.variance)} + {digits(found.eps)})"
    mean = found.mean or 0.0
    above = digits(found.value)
    if found.mean is not None:
        above = f"({joined(found.value, -mean)})"
    out.put("result", f"x̂ = {above} ÷ {below} = {digits(found.scaled)}")
    value = found.scaled * found.weight
    out.put("result", f"γ × x̂ = {digits(found.weight)} × {digits(found.scaled)} = {digits(value)}")
    if found.bias is not None:
        total = value + found.bias
        out.put("result", f"γ × x̂ + β = {joined(value, found.bias)} = {digits(total)}")
        value = total
    return value


def _unchanged(out: Written, module: nn.Module, given: Tensor, index: tuple[int, ...]) -> float:
    value = float(numbers(given[index]))
    key = "identity" if isinstance(module, nn.Identity) else "dropout"
    out.say("head", f"probe.arithmetic.{key}")
    out.say("result", "probe.arithmetic.gives", value=digits(value))
    return value


def _reshaped(
    out: Written, module: nn.Module, given: Tensor, output: Tensor, index: tuple[int, ...]
) -> float:
    """Write which input a flattened output is: both count the same elements in the same order."""
    flat = int(np.ravel_multi_index(index, tuple(output.shape)))
    source = tuple(int(i) for i in np.unravel_index(flat, tuple(given.shape)))
    value = float(numbers(given[source]))
    out.say("head", "probe.arithmetic.reshape")
    words = unit_words(source[1:] or source)
    out.say("result", "probe.arithmetic.value", input=words, value=digits(value))
    return value
