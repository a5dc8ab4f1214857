"""The other views of the surface that a saved page of a plot holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from nnwidgets.live import wire

__all__ = ["Paging", "held_surfaces"]

log = logging.getLogger("nnwidgets")

_BYTES: Final = 4_000_000  # a third more in the file, as base64
_MOST: Final = 20  # classes or outputs


class Paging(Protocol):
    """What is asked of a plot."""

    @property
    def _choices(self) -> Mapping[str, Any]:
        """What can be chosen, packed."""

    def _page(self, view: str, interest: int | None) -> Mapping[str, Any] | None:
        """Return the part ``_surface`` of what is shown now, in another view; None: there is none.

        Asks the model nothing.
        """


def held_surfaces(plot: Paging) -> dict[str, Any]:
    """Return pictures by view and class, as ``js/src/offline.ts`` reads them.

    All of them are of the surface that is shown: of its step, in its plane. First every view, since
    those are one click away; then each class or output alone. What would make the file too large is
    left out.

    Parameters
    ----------
    plot
        Whose surface.
    """
    pages: dict[str, Any] = {}
    room = _BYTES
    for view, interest in _wishes(plot._choices):
        try:
            page = plot._page(view, interest)
        except Exception as problem:  # the others are worth having
            log.warning("the page lacks the view %s (%s): %s", view, interest, problem)
            continue
        if not page:
            continue
        room -= wire.size(page)
        if room < 0:
            log.warning("the page holds %s views only: more would make it too large", len(pages))
            break
        pages[f"{view}\n{'null' if interest is None else interest}"] = page
    return {
        "trait": "_surface",
        "by": ["view", "interest"],
        "actions": {"view": ["view", "view"], "interest": ["interest", "interest"]},
        # A view that knows no single class is shown for all of them.
        "resets": {"view": ["interest"]},
        "pages": pages,
    }


def _wishes(choices: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """Give every view, then what can be looked at alone in it."""
    if not choices:
        return
    meta, _ = wire.unpack(choices)
    views = [str(view) for view in meta.get("views") or ()]
    for view in views:
        yield view, None
    if meta.get("kind") == "values":
        outputs, alone = int(meta.get("outputs") or 1), views
    else:
        outputs, alone = len(meta.get("classes") or ()), ["probability"]
    if outputs < 2:
        return
    for view in views:
        if view in alone:
            for number in range(min(outputs, _MOST)):
                yield view, number
