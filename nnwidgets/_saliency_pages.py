"""The pictures of other samples, methods and classes that a saved page of a viewer holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from nnwidgets._saliency_picture import SaliencyPicture
from nnwidgets._saliency_wish import Wish
from nnwidgets.live import wire
from nnwidgets.probe.twin import TwinError

if TYPE_CHECKING:
    from nnwidgets._saliency_asking import Asking

__all__ = ["held_panes"]

log = logging.getLogger("nnwidgets")

_BYTES: Final = 6_000_000
_SECONDS: Final = 15.0  # for so long at most a training that is under way waits
_EACH: Final = 1.0  # of one picture: a slow method is held for the sample that is shown alone
_MOST: Final = 20  # classes, samples


def held_panes(viewer: Asking) -> dict[str, Any]:
    """Return pictures by sample, method and class, as ``js/src/offline.ts`` reads them.

    At a safe point, under the session's lock: all samples and all quick methods for the answer of
    the model, then the other classes of the sample that is shown.

    Parameters
    ----------
    viewer
        Whose samples.
    """
    pages: dict[str, Any] = {}
    try:
        _fill(pages, viewer)
    except (TwinError, ValueError) as problem:
        log.warning("the page holds one picture only: %s", problem)
    return {
        "trait": "_picture",
        "by": ["index", "method", "target"],
        "actions": {
            "index": ["index", "index"],
            "method": ["method", "method"],
            "target": ["target", "target"],
        },
        "resets": {"index": ["target"], "method": ["target"]},
        "pages": pages,
    }


def _fill(pages: dict[str, Any], viewer: Asking) -> None:
    session, solver = viewer._session, viewer._solver
    if session.model is None:
        return
    room, until = _BYTES, perf_counter() + _SECONDS
    picture = SaliencyPicture(viewer, viewer._next_seq)
    with viewer._twin.open() as root:
        question = solver.question(root)
        solver.plan(question, viewer._wish)
        for wish in _wishes(viewer):
            if solver.seconds(question, wish) > _EACH:
                continue
            try:
                answer = solver.solve(question, wish, session.step, False)
            except Exception as problem:  # the others are worth having
                log.warning("the page lacks %s of sample %s: %s", wish.method, wish.index, problem)
                continue
            page = picture.page(None, (answer,))
            room -= wire.size(page)
            if room < 0 or perf_counter() > until:
                return
            target = "null" if wish.target is None else str(wish.target)
            pages[f"{wish.index}\n{wish.method}\n{target}"] = page


def _wishes(viewer: Asking) -> Iterator[Wish]:
    """Give what may be looked for first, first."""
    known = viewer._applicability
    methods = () if known is None else known.methods
    shown = replace(viewer._wish, step=None, checkpoint=None, target=None)
    samples = range(min(viewer._probe.count, _MOST))
    for index in samples:
        yield replace(shown, index=index)
    for method in methods:
        yield replace(shown, method=method)
    for target in range(min(len(viewer._solver.classes()), _MOST)):
        yield replace(shown, target=target)
    for method in methods:
        for index in samples:
            if (method, index) != (shown.method, shown.index):
                yield replace(shown, method=method, index=index)
