"""Activation functions, written out: a formula, the numbers put in, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from torch import nn

from nnwidgets.probe.written import digits, joined

__all__ = ["POINTWISE", "write_out"]

Step = tuple[str, str, float]
"""The formula, the formula with numbers in it, and its value."""


def write_out(module: nn.Module, x: float, channel: int) -> Step | None:
    """Return how an activation function makes its output, None if it is not known here.

    Parameters
    ----------
    module
        The activation function.
    x
        Its input.
    channel
        Of the input; a ``PReLU`` may have a slope for each.
    """
    for kind, rule in POINTWISE:
        if type(module) is kind:
            return rule(module, x, channel)
    return None


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _sigmoid(x: float) -> float:
    return 1 / (1 + _exp(-x)) if x >= 0 else (0.0 if x == -math.inf else _exp(x) / (1 + _exp(x)))


def _clip(x: float, low: float, high: float) -> float:
    return x if math.isnan(x) else min(max(x, low), high)


def _relu(m: Any, x: float, channel: int) -> Step:
    return "ReLU(x) = max(0, x)", f"max(0, {digits(x)})", _clip(x, 0.0, math.inf)


def _relu6(m: Any, x: float, channel: int) -> Step:
    return "ReLU6(x) = min(max(0, x), 6)", f"min(max(0, {digits(x)}), 6)", _clip(x, 0.0, 6.0)


def _hardtanh(m: Any, x: float, channel: int) -> Step:
    low, high = digits(m.min_val), digits(m.max_val)
    return (
        f"Hardtanh(x) = min(max({low}, x), {high})",
        f"min(max({low}, {digits(x)}), {high})",
        _clip(x, m.min_val, m.max_val),
    )


def _leaky(m: Any, x: float, channel: int) -> Step:
    return _sloped("LeakyReLU", m.negative_slope, x)


def _prelu(m: Any, x: float, channel: int) -> Step:
    slopes = m.weight.detach()
    return _sloped("PReLU", float(slopes[channel if len(slopes) > 1 else 0]), x)


def _sloped(name: str, slope: float, x: float) -> Step:
    formula = f"{name}(x) = max(0, x) + {digits(slope)} × min(0, x)"
    if x >= 0:
        return formula, digits(x), x
    return formula, f"{digits(slope)} × {digits(x)}", slope * x


def _elu(m: Any, x: float, channel: int) -> Step:
    formula = f"ELU(x) = x > 0 ? x : {digits(m.alpha)} × (e^(x) − 1)"
    if x > 0:
        return formula, digits(x), x
    return formula, f"{digits(m.alpha)} × (e^({digits(x)}) − 1)", m.alpha * math.expm1(x)


def _gelu(m: Any, x: float, channel: int) -> Step:
    if m.approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return (
            "GELU(x) = 0.5 × x × (1 + tanh(√(2 ÷ π) × (x + 0.044715 × x³)))",
            f"0.5 × {digits(x)} × (1 + tanh({digits(inner)}))",
            0.5 * x * (1 + math.tanh(inner)),
        )
    below = 0.5 * math.erfc(-x / math.sqrt(2))  # keeps its digits where x is far below zero
    value = 0.0 if x == -math.inf else x * below
    return "GELU(x) = x × Φ(x)", f"{digits(x)} × {digits(below)}", value


def _silu(m: Any, x: float, channel: int) -> Step:
    value = 0.0 if x == -math.inf else x * _sigmoid(x)
    return "SiLU(x) = x ÷ (1 + e^(−x))", f"{digits(x)} ÷ (1 + e^({digits(-x)}))", value


def _logistic(m: Any, x: float, channel: int) -> Step:
    return "σ(x) = 1 ÷ (1 + e^(−x))", f"1 ÷ (1 + e^({digits(-x)}))", _sigmoid(x)


def _tanh(m: Any, x: float, channel: int) -> Step:
    return "tanh(x)", f"tanh({digits(x)})", math.tanh(x)


def _softplus(m: Any, x: float, channel: int) -> Step:
    beta = digits(m.beta)
    formula = f"Softplus(x) = ln(1 + e^({beta} × x)) ÷ {beta}"
    if x * m.beta > m.threshold:
        return formula, digits(x), x
    value = math.log1p(_exp(m.beta * x)) / m.beta
    return formula, f"ln(1 + e^({beta} × {digits(x)})) ÷ {beta}", value


def _hardsigmoid(m: Any, x: float, channel: int) -> Step:
    value = _clip(x + 3, 0.0, 6.0) / 6
    return (
        "Hardsigmoid(x) = min(max(0, x + 3), 6) ÷ 6",
        f"min(max(0, {joined(x, 3.0)}), 6) ÷ 6",
        value,
    )


def _hardswish(m: Any, x: float, channel: int) -> Step:
    value = 0.0 if x == -math.inf else x * _clip(x + 3, 0.0, 6.0) / 6
    return (
        "Hardswish(x) = x × min(max(0, x + 3), 6) ÷ 6",
        f"{digits(x)} × min(max(0, {joined(x, 3.0)}), 6) ÷ 6",
        value,
    )


_Rule = Callable[[Any, float, int], Step]
POINTWISE: Final[tuple[tuple[type[nn.Module], _Rule], ...]] = (
    (nn.ReLU, _relu),
    (nn.ReLU6, _relu6),
    (nn.Hardtanh, _hardtanh),
    (nn.LeakyReLU, _leaky),
    (nn.PReLU, _prelu),
    (nn.ELU, _elu),
    (nn.GELU, _gelu),
    (nn.SiLU, _silu),
    (nn.Sigmoid, _logistic),
    (nn.Tanh, _tanh),
    (nn.Softplus, _softplus),
    (nn.Hardsigmoid, _hardsigmoid),
    (nn.Hardswish, _hardswish),
)
