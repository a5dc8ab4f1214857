"""A figure that a notebook shows as the last line of a cell, whatever matplotlib is set to.

A plain ``Figure`` that was made without pyplot is shown only where the inline backend has been
activated (by ``%matplotlib inline``, or by importing pyplot in the notebook); elsewhere the cell
would say ``<Figure size …>``.
"""

from __future__ import annotations

import io
from typing import Final

from matplotlib.figure import Figure

__all__ = ["ShownFigure"]

_DPI: Final = 160
_PAGE: Final = 96  # CSS pixels in an inch


class ShownFigure(Figure):
    """A matplotlib figure that knows how to show itself in a notebook.

    Where the inline backend is active its own picture is shown: what is registered for figures
    goes before a method.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI, facecolor=self.get_facecolor())
        width, height = (round(_PAGE * inches) for inches in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height}
