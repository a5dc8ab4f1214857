"""The pictures of all layers that a saved page of an inspector holds."""

from __future__ import annotations

import logging
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from nnwidgets._inspector_picture import InspectorPicture
from nnwidgets._inspector_tabs import blocks_of
from nnwidgets.live import wire
from nnwidgets.probe.twin import TwinError

if TYPE_CHECKING:
    from nnwidgets._inspector_looking import Looking

__all__ = ["held_pages"]

log = logging.getLogger("nnwidgets")

_BYTES: Final = 6_000_000
_SECONDS: Final = 20.0  # for so long at most a training that is under way waits
_TABS: Final = ("activations", "weights", "history", "contributions", "gradients")


def held_pages(inspector: Looking) -> dict[str, Any]:
    """Return the pictures of all layers, as ``js/src/offline.ts`` reads them.

    At a safe point, under the session's lock.

    Parameters
    ----------
    inspector
        Whose layers.
    """
    pages: dict[str, Any] = {}
    try:
        _fill(pages, inspector)
    except TwinError as problem:
        log.warning("the page holds one layer only: %s", problem)
    return {
        "trait": "_layer",
        "by": ["selected", "tab"],
        "actions": {"select": ["selected", "layer"], "tab": ["tab", "tab"]},
        "pages": pages,
    }


def _fill(pages: dict[str, Any], inspector: Looking) -> None:
    structure, session = inspector._structure, inspector._session
    if structure is None or session.model is None:
        return
    room, until = _BYTES, perf_counter() + _SECONDS
    picture = InspectorPicture(inspector, inspector._next_seq)
    with inspector._open_twin() as root:
        for tab in _TABS:
            for node in inspector._rows_of(structure):
                ask = replace(inspector._ask, layer=node.info.name, tab=tab, unit=None, call=0)
                ask = replace(ask, source="probe", output=None, depth=None, off=None)
                try:
                    scene = inspector._scene_of(ask, root, session.step, past=False)
                    scene.extra = {}
                    page = picture.page(ask, scene, blocks_of(scene))
                except Exception as problem:  # the others are worth having
                    log.warning("the page lacks %s of %s: %s", tab, ask.layer, problem)
                    continue
                room -= wire.size(page)
                if room < 0 or perf_counter() > until:
                    return
                pages[f"{ask.layer}\n{tab}"] = page
