"""The film of a viewer: frames as they come, and those of stored weights when there is time."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Final

from nnwidgets._saliency_film import frame_of
from nnwidgets._saliency_sources import Sources
from nnwidgets._saliency_wish import Answer, Wish
from nnwidgets.live.budget import work_clock
from nnwidgets.probe.twin import TwinError

__all__ = ["Filming"]

_BACKFILL_SECONDS: Final = 0.2  # at rest, in one go, for frames of stored weights


class Filming(Sources):
    """The part of a viewer that keeps its maps through the training."""

    def _film_frame(self, answer: Answer) -> None:
        if not self._is_asked_now(answer.wish) or (frame := frame_of(answer)) is None:
            return
        with self._shelf:
            self._reels.begin(answer.wish)
            self._reels.add(answer.step, frame, self._kept.snapshots.steps)
        self._part_changed("_film")

    def _is_asked_now(self, wish: Wish | None) -> bool:
        """Whether a settled wish is what the first pane shows, at whatever step."""
        now = self._wish
        return wish is not None and replace(wish, step=None) == replace(
            now, step=None, method=now.method or wish.method
        )

    def _roll_film(self) -> None:
        """Add the newest frame, and those of stored weights: all at rest, else what costs allow."""
        answers = self._view.answers
        if not answers or answers[0].state != "ready":
            return
        self._film_frame(answers[0])
        if not self._session.training:
            self._backfill()
        elif self._session.governor.allows(2 * self._look_seconds, "looking"):
            begun = work_clock()
            self._backfill(most=1)
            self._pay(work_clock() - begun, asked=False)

    def _film_goes_on(self) -> None:
        """Add frames while somebody looks at the past: the picture stays, the film grows."""
        self._look_comes = False
        if self.closed or not self._is_past or not self._can_afford_to_look:
            return
        begun = work_clock()
        self._backfill(most=1)
        self._looked_at = perf_counter()
        self._pay(work_clock() - begun, asked=False)

    def _backfill(self, most: int | None = None) -> None:
        """Make frames of stored weights, some at a time."""
        wish = self._wish
        lacking = self._reels.missing(self._kept.snapshots.steps)[:most]
        until = perf_counter() + _BACKFILL_SECONDS
        for step in lacking:
            if perf_counter() > until or self.closed:
                break
            answer = self._film_answer(replace(wish, step=step))
            if answer is None:
                return  # too slow, or it fails: not for every step again
            self._film_frame(answer)
        else:
            return
        if not self._session.training and self._session.host.soon(_nothing):
            self._session.submit(self._go_on_filling)

    def _go_on_filling(self) -> None:
        if not self._session.training and self._is_asked_now(self._reels.wish):
            self._backfill()

    def _film_answer(self, wish: Wish) -> Answer | None:
        step, weights, past = self._source(wish)
        try:
            with self._twin.open(weights) as root:
                question = self._solver.question(root)
                wish = self._solver.settled(wish, question)
                if not self._is_quick(question, wish):
                    return None
                known = self._known(wish, step, past, self._weights(wish, past))
                if known is not None:
                    return known
                found = self._solver.solve(question, wish, step, past)
        except (TwinError, ValueError, TypeError):
            return None
        return found if found.state == "ready" else None


def _nothing() -> None:
    """Do nothing."""
