"""The pictures of other samples, methods and classes that a saved page of a viewer holds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from nnwidgets._saliency_picture import SaliencyPicture
from nnwidgets._saliency_wish import Answer, Target, Wish
from nnwidgets.explain.question import Question
from nnwidgets.live import wire
from nnwidgets.probe.twin import TwinError

if TYPE_CHECKING:
    from nnwidgets._saliency_asking import Asking

__all__ = ["held_panes"]

log = logging.getLogger("nnwidgets")

_BYTES: Final = 4_000_000  # a third more in the file, as base64
_SECONDS: Final = 15.0  # for so long at most a training that is under way waits
_EACH: Final = 1.0  # of one picture: what takes longer is held only if it is known already
_MOST: Final = 20  # classes, samples


def held_panes(viewer: Asking) -> dict[str, Any]:
    """Return pictures by sample, method and class, as ``js/src/offline.ts`` reads them.

    At a safe point, under the session's lock. First what is one click away from what is shown, each
    kind of click in turn, so that large pictures leave room for all of them; then the rest of the
    samples with each method. Of one step, the newest, and in one pane each.

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
            answer = _answer(viewer, question, wish)
            if answer is None:
                continue
            page = picture.page(None, (answer,))
            room -= wire.size(page)
            if room < 0 or perf_counter() > until:
                return
            # What is no class is what the page shows where no class is chosen.
            target = str(wish.target) if isinstance(wish.target, int) else "null"
            pages[f"{wish.index}\n{wish.method}\n{target}"] = page


def _answer(viewer: Asking, question: Question, wish: Wish) -> Answer | None:
    """Return what is known, or what can be had quickly."""
    solver, step = viewer._solver, viewer._session.step
    weights = viewer._weights(wish, False)
    known = viewer._known(wish, step, False, weights)
    if known is not None:
        return known
    try:
        settled = solver.settled(wish, question)
        known = viewer._known(settled, step, False, weights)
        if known is not None:
            return known
        if solver.seconds(question, settled) > _EACH:
            return None
        return solver.solve(question, settled, step, False)
    except Exception as problem:  # the others are worth having
        log.warning("the page lacks %s of sample %s: %s", wish.method, wish.index, problem)
        return None


def _wishes(viewer: Asking) -> Iterator[Wish]:
    """Give what may be looked for first, first."""
    known = viewer._applicability
    methods = () if known is None else known.methods
    samples = range(min(viewer._probe.count, _MOST))
    classes = range(min(len(viewer._solver.classes()), _MOST))
    shown = replace(viewer._wish, step=None, checkpoint=None)
    asked = shown.target if isinstance(shown.target, int) else None
    shown = replace(shown, target=None if asked is not None else shown.target)
    own = _own_targets(viewer)

    def of_sample(wish: Wish, index: int) -> Wish:
        return wish if index == shown.index else replace(wish, index=index, target=own[index])

    yield shown
    near = (
        (of_sample(shown, index) for index in samples if index != shown.index),
        (replace(shown, method=method) for method in methods if method != shown.method),
        (replace(shown, target=target) for target in _first(asked, classes)),
    )
    for wishes in zip_longest(*near):
        yield from (wish for wish in wishes if wish is not None)
    for method in methods:
        for index in samples:
            if method != shown.method and index != shown.index:
                yield of_sample(replace(shown, method=method), index)


def _own_targets(viewer: Asking) -> dict[int, Target]:
    """Return what is asked about each sample where no class is: None, a place or a function."""
    targets = {i: viewer._given.target(i) for i in range(viewer._probe.count)}
    return {i: None if isinstance(one, int) else one for i, one in targets.items()}


def _first(one: int | None, others: Iterable[int]) -> list[int]:
    """Return all of them, that one before the others."""
    return [*([] if one is None else [one]), *(other for other in others if other != one)]
