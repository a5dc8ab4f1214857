"""Pooling and softmax, written out: one output made from a handful of inputs."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.probe.given import numbers
from nnwidgets.probe.sentences import whole
from nnwidgets.probe.units import unit_words
from nnwidgets.probe.windows import Window, adaptive_window, average_divisor, pooling_window
from nnwidgets.probe.written import Written, digits

__all__ = ["POOLING", "SOFTMAX", "write_pooling", "write_softmax"]

_MAX: Final = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
_ADAPTIVE: Final = (
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
)  # fmt: skip
POOLING: Final = (*_MAX, *_ADAPTIVE, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
SOFTMAX: Final = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d)


def write_pooling(
    out: Written, module: nn.Module, given: Tensor, output: Tensor, unit: tuple[int, ...]
) -> float:
    """Write how a pooling layer makes one output, and return it.

    Parameters
    ----------
    out
        What is written on.
    module
        The layer.
    given, output
        Input and output, without the batch: (channels, sizes …).
    unit
        (channel, position …) of the output.
    """
    sizes = tuple(given.shape[1:])
    if isinstance(module, _ADAPTIVE):
        window = adaptive_window(sizes, tuple(output.shape[1:]), unit[1:])
    else:
        window = pooling_window(module, sizes, unit[1:])
    real = window.mask().ravel()
    values = window.read(given[unit[0]][None]).ravel()[real]
    places = window.indices([unit[0]])[real]
    if isinstance(module, _MAX):
        return _largest(out, values, places)
    return _average(out, module, window, values, places, sizes)


def _largest(out: Written, values: NDArray[np.float64], places: NDArray[np.int64]) -> float:
    out.say("head", "probe.arithmetic.max", count=whole(len(values)))
    order = np.argsort(-np.nan_to_num(values, nan=np.inf), kind="stable")
    _list(out, values, places, order)
    left = order[out.shown :]
    if len(left):
        out.say(
            "term", "probe.arithmetic.smaller",
            count=whole(len(left)), value=digits(float(values[left[0]])),
        )  # fmt: skip
    best = order[0]
    out.say(
        "result", "probe.arithmetic.largest",
        input=unit_words(places[best].tolist()), value=digits(float(values[best])),
    )  # fmt: skip
    return float(values[best])


def _average(
    out: Written,
    module: nn.Module,
    window: Window,
    values: NDArray[np.float64],
    places: NDArray[np.int64],
    sizes: tuple[int, ...],
) -> float:
    if isinstance(module, _ADAPTIVE):
        divisor = len(values)
    else:
        divisor = average_divisor(module, window, sizes)
    out.say("head", "probe.arithmetic.mean", count=whole(len(values)))
    order = np.argsort(-np.nan_to_num(np.abs(values), nan=np.inf), kind="stable")
    _list(out, values, places, order)
    out.others(values[order[out.shown :]])
    total = float(values.sum())
    out.sum(len(values), total)
    if divisor > len(values):
        out.say("note", "probe.arithmetic.counts_padding", count=whole(divisor - len(values)))
    result = total / divisor if divisor else math.nan
    out.put("result", f"{digits(total)} ÷ {divisor} = {digits(result)}")
    return result


def _list(
    out: Written,
    values: NDArray[np.float64],
    places: NDArray[np.int64],
    order: NDArray[np.int64],
) -> None:
    for i in order[: out.shown]:
        words = unit_words(places[i].tolist())
        out.say("term", "probe.arithmetic.value", input=words, value=digits(float(values[i])))


def write_softmax(
    out: Written, module: Any, given: Tensor, index: tuple[int, ...], dim: int
) -> float:
    """Write how a (log-)softmax makes one output, and return it.

    Parameters
    ----------
    out
        What is written on.
    module
        The layer.
    given
        Its input.
    index
        Of the output, into the whole tensor.
    dim
        The dimension it goes over.
    """
    dim %= given.dim()
    chosen = index[dim]
    row = numbers(given.movedim(dim, -1)[index[:dim] + index[dim + 1 :]])
    sign = ""
    if isinstance(module, nn.Softmin):
        row, sign = -row, "−"
    highest = float(row.max())
    out.say("head", "probe.arithmetic.softmax", count=whole(len(row)), sign=sign)
    out.say("term", "probe.arithmetic.highest", value=digits(highest))
    with np.errstate(invalid="ignore"):
        powers = np.exp(row - highest)
    order = np.argsort(-np.nan_to_num(powers, nan=np.inf), kind="stable")
    listed = list(order[: out.shown])
    if chosen not in listed:
        listed[-1] = chosen
    for i in listed:
        expression = f"e^({_less(float(row[i]), highest)}) = {digits(float(powers[i]))}"
        out.say("term", "probe.arithmetic.value", input=str(i), value=expression)
    out.others(np.delete(powers, listed))
    total = float(powers.sum())
    out.sum(len(row), total)
    if isinstance(module, nn.LogSoftmax):
        result = float(row[chosen]) - highest - math.log(total) if total > 0 else math.nan
        expression = f"{_less(float(row[chosen]), highest)} − ln({digits(total)})"
    else:
        result = float(powers[chosen]) / total
        expression = f"{digits(float(powers[chosen]))} ÷ {digits(total)}"
    out.put("result", f"{expression} = {digits(result)}")
    return result


def _less(value: float, other: float) -> str:
    if other < 0:
        return f"{digits(value)} + {digits(-other)}"
    return f"{digits(value)} − {digits(other)}"
