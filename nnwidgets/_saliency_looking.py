"""Looks of a viewer: at a safe point what is quick, in a thread of its own what takes long."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any, Final

from nnwidgets._saliency_solving import cannot, run_once, waiting
from nnwidgets._saliency_sources import View
from nnwidgets._saliency_wish import Answer, Wish
from nnwidgets._saliency_working import Working
from nnwidgets.catalogue import text
from nnwidgets.explain.question import Question
from nnwidgets.explain.registry import GRADIENT_FREE
from nnwidgets.live.budget import work_clock
from nnwidgets.probe.own_random import use_of_state
from nnwidgets.probe.refusal import Refusal

__all__ = ["Looking"]

_PATIENCE: Final = 20.0  # seconds that a notebook without a view is held for a long answer


class Looking(Working):
    """The part of a viewer that asks the model, whenever something else is to be shown."""

    def _forget_answers(self) -> None:
        with self._shelf:
            self._era += 1
            self._answers.clear()
            self._reels.clear()
            self._given_up.clear()
            self._supersede()

    def _look(self) -> None:
        """Bring the picture up to date; at a safe point, under the session's lock."""
        if self.closed:
            return
        if self._session.model is None:
            if not self._view.answers:  # one that was made in the call itself is gone with it
                gone = Refusal("explain.view.model_gone")
                self._view = View(1, None, (self._failed(self._wish, 0, gone),))
                self._part_changed("_picture")
            return
        asked = self._asked_for
        self._stale = self._asked_for = False
        self._cursor = self._session.cursor
        begun = work_clock()
        try:
            answers = tuple(self._answer(wish, asked=asked) for wish in self._wishes)
            if answers[0].state != "failed":
                self._obstacle = None
            self._show(answers)
        except KeyboardInterrupt:
            self._stale = True
            raise
        finally:
            self._looked_at = perf_counter()
            for trait in ("_picture", "_choices"):
                self._part_changed(trait)
        self._look_seconds = work_clock() - begun
        self._roll_film()

    def _show(self, answers: tuple[Answer, ...]) -> None:
        by = None if self._other is None else self._other[0]
        with self._shelf:
            answers = tuple(self._arrived(answer) for answer in answers)
            self._view = View(self._view.number + 1, by, answers)
            if not {answer.wish for answer in answers}.issuperset(self._jobs_wishes):
                self._supersede()
            slow = tuple(answer.wish for answer in answers if answer.state == "working")
            if slow:
                self._begin_job(slow)

    def _arrived(self, answer: Answer) -> Answer:
        """Return what has been worked out since `answer` began to wait."""
        if answer.state != "working":
            return answer
        step, _, past = self._source(answer.wish)  # what `answer` shows may be an older map
        return self._known(answer.wish, step, past, self._weights(answer.wish, past)) or answer

    def _answer(self, wish: Wish, *, asked: bool) -> Answer:
        """Return what is known, or what can be had quickly; else an answer that is on its way."""
        try:
            step, weights, past = self._source(wish)
            mark = self._weights(wish, past)
            known = self._known(wish, step, past, mark)
            if known is not None:
                return known
            with self._twin.open(weights) as root:
                question = self._solver.question(root)
                wish = self._solver.settled(wish, question)
                if self._is_quick(question, wish) or self._stays_here(question, wish):
                    found = self._solver.solve(question, wish, step, past)
                    return self._remember(replace(found, weights=mark))
                known = self._known(wish, step, past, mark)
                if known is not None:
                    return known
                preview = self._solver.preview(question, wish, step, past)
                return self._slowly(replace(preview, weights=mark), asked=asked)
        except Exception as problem:
            return self._failed(wish, self._session.step, problem)

    def _stays_here(self, question: Question, wish: Wish) -> bool:
        """Whether this can only be asked where the model is at rest.

        Raises
        ------
        Refusal
            If something trains, and would be held up for too long.
        """
        if not self._twin.copied:
            return True
        if wish.method in GRADIENT_FREE:
            return False
        asked = question.ask(wish.index, wish.target)
        if use_of_state(lambda: run_once(asked)) != "reads":
            return False
        if self._session.training:
            raise Refusal("explain.view.checkpointed")
        return True

    def _slowly(self, preview: Answer, *, asked: bool) -> Answer:
        """Return the answer of a slow method for now: an old one, or one that is on its way."""
        wish = preview.wish
        with self._shelf:
            job = self._job
            under_way = job is not None and not job.cancelled and wish in self._jobs_wishes
            coming = under_way or (asked and wish not in self._given_up)
            old = None
            for known in reversed(self._answers.values()):
                if known.explanation and self._solver.same(known.wish, wish):
                    old = known
                    break
        return waiting(preview, "working" if coming else "stale", old)

    # -- what the session tells ------------------------------------------------------------

    def on_change(self) -> None:
        """State, cursor or learning-rate factor changed."""
        session = self._session
        # A loop that pauses or ends leaves the picture behind that it could last afford.
        if session.cursor != self._cursor or (self._left_behind and not session.training):
            self._changed()
        super().on_change()

    def on_sample(self, sampler: Any, sample: Any) -> None:
        """Weights have been kept, so some steps have passed: look again if it can be afforded."""
        if sampler is not self._kept:
            return
        if self._left_behind:
            self._stale = True
            self._look_if_rested()
        elif self._is_past and self._may_look_now:
            self._look_comes = True
            self._session.submit(self._film_goes_on)
            self._part_changed("_choices")  # the steps that can be gone to

    def cell_over(self) -> None:
        """The cell has ended; with no view to wait in, long answers are waited for here."""
        if not self._views:
            self._look_if_stale()
            self._wait_for_answers(_PATIENCE)
        super().cell_over()

    def _say_what_is_seen(self, language: str) -> list[str]:
        session = self._session
        notes = [*self._twin.notes, *self._kept.snapshots.notes]
        said = [text(key, language, **params) for key, params in dict(notes).items()]
        if session.model is None:
            said.append(text("status.model_gone", language))
        elif self._obstacle is not None:
            said.append(cannot(self._wish, 0, self._obstacle, language).problem or "")
        elif not session.slots:
            said.append(text("explain.view.no_optimizer", language))
        return said or [text("status.ready", language)]

    def close(self) -> None:
        """Detach from model, optimiser and kernel; the views disappear. Idempotent."""
        if self.closed:  # or its constructor has refused what it was given
            return
        self._session.sampling.remove(self._kept)
        self._stop_working()
        super().close()
        self._stop_working()  # the last picture may have asked for more
        self._twin.forget()
        self._solver.forget()
