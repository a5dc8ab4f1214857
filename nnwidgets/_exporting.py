"""Files for the browser: what a widget shows, as a picture or as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from nnwidgets.live import wire

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["exported"]

_MEDIA: Final = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html"}


class _Exports(Protocol):
    @property
    def _page_title(self) -> str: ...

    def figure(self, *, dark: bool = False) -> Figure: ...


def exported(widget: _Exports, format: str, stem: str, *, dark: bool) -> dict[str, Any]:
    """Return a file of what a widget shows, as an answer to its browser.

    Parameters
    ----------
    widget
        With a figure.
    format
        "png", "svg" or "html".
    stem
        The file's name, without its ending.
    dark
        Of a picture: on a dark ground.

    Raises
    ------
    ValueError
        If there is no such format.
    """
    if format not in _MEDIA:
        raise ValueError(f"format must be one of {', '.join(_MEDIA)}, not {format!r}.")
    if format == "html":
        from nnwidgets.export.html import saved_page

        data = saved_page(widget, title=widget._page_title).encode()
    else:
        from nnwidgets.export import figures

        write = figures.to_png if format == "png" else figures.to_svg
        data = write(widget.figure(dark=dark))
    return wire.pack(
        {"name": f"{stem}.{format}", "mime": _MEDIA[format]},
        {"file": np.frombuffer(data, dtype=np.uint8)},
    )
