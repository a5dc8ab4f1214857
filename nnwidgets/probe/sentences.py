"""Numbers as they appear in sentences: few digits, no surprises, the same in every language."""

from __future__ import annotations

import math
from collections.abc import Sequence


def number(value: float) -> str:
    """Write a number with three significant digits: ``0.212``, ``12.3``, ``4,560``, ``1.2e−7``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    sign = "−" if value < 0 else ""
    # Rounded first: 9.999 is 10.0, not 10.00.
    mantissa, e = f"{abs(value):.2e}".split("e")
    exponent = int(e)
    if 3 <= exponent < 6:
        return f"{sign}{abs(value):,.0f}"
    if -3 <= exponent < 3:
        return f"{sign}{abs(value):.{2 - exponent}f}"
    return f"{sign}{mantissa.rstrip('0').rstrip('.')}{power(exponent)}"


def power(exponent: int) -> str:
    """Write what comes behind a mantissa, with the minus sign of all numbers: ``e5``, ``e−7``."""
    return f"e{'−' if exponent < 0 else ''}{abs(exponent)}"


def whole(value: float) -> str:
    """Write a count or a step: ``2,310``."""
    return f"{round(value):,}"


def percent(share: float) -> str:
    """Write a share in per cent, without decimals: ``83 %``."""
    return f"{100 * share:.0f} %"


def factor(value: float) -> str:
    """Write how many times as large something is, without the sign ×: ``1.4``, ``40``, ``3e5``."""
    if 1 <= value < 1e6:
        return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"
    return number(value)


def signed_change(now: float, then: float) -> str:
    """Write a change in per cent of a positive start, or as a plain difference otherwise."""
    if then > 0 and now >= 0:
        share = (now / then - 1) * 100 if now < then * 1e4 else math.inf
        if share < 10_000:
            digits = 1 if abs(share) < 9.95 else 0
            return f"{'−' if share < 0 else '+'}{abs(share):.{digits}f} %"
        return f"×{factor(now / then)}" if math.isfinite(now / then) else "×∞"
    change = now - then
    return f"{'−' if change < 0 else '+'}{number(abs(change))}"


def names(items: Sequence[str], limit: int = 4) -> str:
    """List names, the first few in full: ``fc1, fc2, fc3, fc4 … (+7)``."""
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} … (+{len(items) - limit})"
