"""Arithmetic, written out: lines of words and numbers, each number with five digits.

After its words a line is a chain of expressions that are equal to one another, such as
``0.5 × −0.25 = −0.125``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnwidgets.catalogue import text
from nnwidgets.probe.blocks import Block
from nnwidgets.probe.contributions import Contributions
from nnwidgets.probe.sentences import power, whole
from nnwidgets.probe.units import unit_words

__all__ = ["SHOWN", "Written", "digits", "joined"]

SHOWN = 12
"""Terms that are written one by one; the others are summed."""
_CLOSE = 2e-6


def digits(value: float) -> str:
    """Write a number with five significant digits: ``0.5``, ``−12.346``, ``1.2e−7``, ``∞``."""
    if math.isnan(value):
        return "NaN"
    sign = "−" if value < 0 else ""
    if math.isinf(value):
        return f"{sign}∞"
    mantissa, _, exponent = f"{abs(value):.5g}".partition("e")
    if exponent:
        return f"{sign}{mantissa}{power(int(exponent))}"
    return f"{sign if value else ''}{mantissa}"


def joined(first: float, second: float) -> str:
    """Write a sum of two numbers: ``0.5 + 0.1``, or ``0.5 − 0.1`` for a negative second one."""
    if second < 0:
        return f"{digits(first)} − {digits(-second)}"
    return f"{digits(first)} + {digits(second)}"


class Written:
    """The lines, as they are being written.

    Parameters
    ----------
    language
        Of the words in them.
    shown
        How many terms of a sum are written one by one.
    """

    def __init__(self, language: str = "en", shown: int = SHOWN) -> None:
        self.lines: list[list[str]] = []
        self.shown = shown
        self._language = language

    def say(self, kind: str, key: str, /, **params: str) -> None:
        """Write a sentence of the catalogue: a ``"head"``, ``"term"``, ``"result"``, ``"note"``."""
        self.lines.append([text(key, self._language, **params), kind])

    def put(self, kind: str, line: str) -> None:
        """Write a line that is the same in every language."""
        self.lines.append([line, kind])

    def terms(self, found: Contributions, real: np.ndarray | None = None) -> None:
        """Write the largest terms of a sum of products, the others together, and the sum."""
        size = np.nan_to_num(np.abs(found.product), nan=np.inf, posinf=np.inf)
        order = np.argsort(-size, kind="stable")
        for i in order[: self.shown]:
            inside = real is None or bool(real[i])
            self.say(
                "term",
                "probe.arithmetic.term" if inside else "probe.arithmetic.padding",
                input=unit_words(found.inputs[i].tolist()),
                product=f"{digits(found.activation[i])} × {digits(found.weight[i])}"
                f" = {digits(found.product[i])}",
            )
        self.others(found.product[order[self.shown :]])
        self.sum(len(order), float(found.product.sum()))

    def others(self, values: np.ndarray) -> None:
        """Write what the terms that were left out sum to, if there are any."""
        if len(values):
            total = digits(float(values.sum()))
            self.say("term", "probe.arithmetic.others", count=whole(len(values)), sum=total)

    def sum(self, count: int, total: float) -> None:
        """Write a sum of terms."""
        if count == 1:
            self.say("result", "probe.arithmetic.sum_one", sum=digits(total))
        else:
            self.say("result", "probe.arithmetic.sum", count=whole(count), sum=digits(total))

    def compare(self, computed: float, given: float, dtype: Any) -> None:
        """Say so where the layer itself gave something else than was written last."""
        same = digits(computed) == digits(given)
        if not same and not math.isclose(computed, given, rel_tol=_CLOSE, abs_tol=1e-12):
            name = str(dtype).removeprefix("torch.")
            self.say("note", "probe.arithmetic.rounded", value=digits(given), dtype=name)

    def block(self, **meta: Any) -> Block:
        """Return the lines as a block."""
        return Block("arithmetic", {"lines": self.lines, **meta})
