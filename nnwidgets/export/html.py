"""Widgets as one offline page that still zooms and clicks through what it holds.

The page holds each widget's bundle and state as JSON, and the script that shows them
(``js/src/offline.ts``, which describes the layout). Nothing is fetched: a content security policy
forbids it. Whatever the user named is data to that script and text to the page, never HTML.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

from nnwidgets.catalogue import LANGUAGES, text

__all__ = ["SavedWidget", "page", "save_page", "saved_page"]

# What ipywidgets adds to every widget, and the bundle itself, which the page holds once.
_NOT_STATE = {
    *("_esm", "_css", "_anywidget_id", "_dom_classes", "layout", "tabbable", "tooltip"),
    *("_model_module", "_model_module_version", "_model_name"),
    *("_view_module", "_view_module_version", "_view_name", "_view_count"),
}

# Scripts and styles of the page itself; modules that they make of what the page holds; pictures
# that they draw. No address outside.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; background: #f3f4f6; color: #1d2127; font: 13px system-ui, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 16px; display: grid; gap: 16px; }
main > div { min-width: 0; }
@media (prefers-color-scheme: dark) { body { background: #0f1114; color: #e4e7eb; } }
@media print { body { background: none; } }
"""


@dataclass(frozen=True)
class SavedWidget:
    """One widget on a page.

    Attributes
    ----------
    name
        Of the bundle; widgets of the same name share it.
    bundle
        Text of the ES module.
    style
        Text of the style sheet.
    state
        Traits by name: JSON, with bytes anywhere within.
    """

    name: str
    bundle: str
    style: str
    state: Mapping[str, Any]


def page(*, title: str, widgets: Sequence[SavedWidget], offline: str, language: str = "") -> str:
    """Write one self-contained page that shows widgets without a kernel.

    Parameters
    ----------
    title
        Of the page.
    widgets
        What it shows, one below the other.
    offline
        Text of ``static/offline.js``.
    language
        ``"en"``, ``"zh"``, or empty for the language of whoever reads.

    Raises
    ------
    ValueError
        If a state holds NaN, an infinity or anything else that JSON cannot carry, outside of
        its binary values.
    """
    bundles = {widget.name: widget for widget in widgets}
    lang = f' lang="{html.escape(language)}"' if language else ""
    sentences = (text("page.noscript", one) for one in ([language] if language else LANGUAGES))
    return "\n".join(
        [
            "<!doctype html>",
            f"<html{lang}>",
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            *(f"<style>{_within_style(widget.style)}</style>" for widget in bundles.values()),
            "</head>",
            "<body>",
            "<main>",
            f"<noscript><p>{html.escape(' '.join(sentences))}</p></noscript>",
            *(
                f'<script type="application/vnd.nnwidgets.bundle+json" '
                f'data-name="{html.escape(name)}">{_json(widget.bundle)}</script>'
                for name, widget in bundles.items()
            ),
            *(
                f'<script type="application/vnd.nnwidgets.state+json" '
                f'data-bundle="{html.escape(widget.name)}">{_json(_saved(widget.state))}</script>'
                for widget in widgets
            ),
            "</main>",
            f'<script type="module">{_within_script(offline)}</script>',
            "</body>",
            "</html>",
            "",
        ]
    )


def save_page(path: str | PathLike[str], *widgets: Any, title: str = "") -> None:
    """Write widgets as they are now to an offline page.

    Parameters
    ----------
    path
        File to write, usually ``*.html``.
    *widgets
        Widgets of this package.
    title
        Of the page; by default that of the first widget that has one.
    """
    written = saved_page(*widgets, title=title)
    Path(path).write_text(written, encoding="utf-8", newline="\n")


def saved_page(*widgets: Any, title: str = "") -> str:
    """Return the page that `save_page` writes."""
    saved = [
        SavedWidget(
            _snake(type(widget).__name__),
            widget._esm,
            widget._css,
            _state(widget),
        )
        for widget in widgets
    ]
    titles: Iterable[str] = (title, *(str(widget.title) for widget in widgets), "nnwidgets")
    languages = {str(widget.language) for widget in widgets}
    return page(
        title=next(filter(None, titles)),
        widgets=saved,
        offline=(files("nnwidgets") / "static" / "offline.js").read_text(encoding="utf-8"),
        language=languages.pop() if len(languages) == 1 else "",
    )


def _state(widget: Any) -> dict[str, Any]:
    """Return a widget's traits, and what else a page can turn to (see ``js/src/offline.ts``)."""
    state = {name: value for name, value in widget.get_state().items() if name not in _NOT_STATE}
    held = getattr(widget, "held", None)
    return state if held is None else {**state, "_held": held()}


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def _saved(state: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a state out as ipywidgets saves it: JSON, and the binary values by their path."""
    buffers: list[dict[str, Any]] = []

    def without_binary(value: Any, path: list[str | int]) -> Any:
        if isinstance(value, (bytes, bytearray, memoryview)):
            data = base64.b64encode(value).decode("ascii")
            buffers.append({"path": path, "encoding": "base64", "data": data})
            return None
        if isinstance(value, Mapping):
            return {key: without_binary(item, [*path, key]) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [without_binary(item, [*path, i]) for i, item in enumerate(value)]
        return value

    return {"state": without_binary(state, []), "buffers": buffers}


def _json(value: Any) -> str:
    """Write strict JSON that nothing in it can end the surrounding element."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def _within_script(code: str) -> str:
    # In a bundle these can only stand in strings and regular expressions, where the backslash
    # changes nothing.
    return re.sub("</(?=script)", r"<\\/", code, flags=re.IGNORECASE).replace("<!--", "<\\!--")


def _within_style(style: str) -> str:
    return re.sub("</(?=style)", r"<\\/", style, flags=re.IGNORECASE)
