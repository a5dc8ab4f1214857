"""Asking the model: at a safe point what is quick, in a thread of its own what takes long."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import torch
import traitlets as t
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nnwidgets._inspector_sample import ProbeBatch
from nnwidgets._saliency_described import Given
from nnwidgets._saliency_film import Film, frame_of
from nnwidgets._saliency_solving import Solver, cannot, captum_is_loaded, run_once, waiting
from nnwidgets._saliency_wish import Answer, Wish
from nnwidgets.catalogue import text
from nnwidgets.explain.applicability import Applicability
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.question import Question
from nnwidgets.live.at_rest import at_rest
from nnwidgets.live.budget import work_clock
from nnwidgets.live.jobs import CancelledError, Job
from nnwidgets.live.session import Session
from nnwidgets.live.widget import LiveWidget
from nnwidgets.probe.own_random import OwnRandom, draws_outside_torch
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.replay import bare_copy
from nnwidgets.probe.snapshot_watch import SnapshotWatch
from nnwidgets.probe.snapshots import state_of
from nnwidgets.probe.tree import unwrap
from nnwidgets.probe.twin import Twin, TwinError

__all__ = ["Looking", "View"]

log = logging.getLogger("nnwidgets")

R = TypeVar("R")
Weights = Mapping[str, Tensor]

_QUICK_SECONDS: Final = 0.1  # what takes longer does not hold a training, or a click, up
_LOOKS_APART: Final = 0.25  # seconds: pictures are not sent more often
_REMEMBERED: Final = 48  # answers
_REMEMBERED_BYTES: Final = 64 << 20  # that they take together
_BACKFILL_SECONDS: Final = 0.2  # at rest, in one go, for frames of stored weights
_PATIENCE: Final = 20.0  # seconds that a notebook without a view is held for a long answer


class View(NamedTuple):
    """What is shown; replaced as a whole, so that no thread ever sees half of it.

    Attributes
    ----------
    number
        Of the look; 0 before the first.
    by
        What two panes are compared by; None for one pane.
    answers
        One or two.
    """

    number: int
    by: str | None
    answers: tuple[Answer, ...]


class Looking(LiveWidget):
    """The part of a viewer that asks the model.

    Parameters
    ----------
    session
        Of the model.
    model
        What is asked.
    probe
        The samples.
    given
        What the user has told about them.
    budget, language
        See `LiveWidget`.
    """

    _samples = t.Dict().tag(sync=True)
    _choices = t.Dict().tag(sync=True)
    _picture = t.Dict().tag(sync=True)
    _film = t.Dict().tag(sync=True)
    _trust = t.Dict().tag(sync=True)
    _importance = t.Dict().tag(sync=True)

    _quiet: ClassVar[frozenset[str]] = frozenset(
        {
            "_live", "_notes", "_samples", "_choices", "_picture", "_film", "_trust",
            "_importance",
        }
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        model: nn.Module,
        probe: ProbeBatch,
        given: Given,
        *,
        budget: float,
        language: str | None,
    ) -> None:
        self._probe = probe
        self._given = given
        self._twin = Twin(model)
        self._solver = Solver(probe, given)
        self._kept = session.sampling.shared(SnapshotWatch, model)
        self._checkpoints: dict[str, Weights] = {}
        self._wish = Wish(0, None, "", "", given.baseline_name)
        self._other: tuple[str, Any] | None = None  # what the second pane differs by, and its value
        # The thread of a long job and the one that trains both change what is known and shown.
        self._shelf = threading.RLock()
        self._answers: OrderedDict[tuple[Any, ...], Answer] = OrderedDict()
        self._reels = Film()
        self._view = View(0, None, ())
        self._job: Job | None = None
        self._jobs_wishes: tuple[Wish, ...] = ()
        self._given_up: set[Wish] = set()
        self._era = 0  # grows when answers to the same question may differ
        self._look_seconds = 0.0
        self._looked_at = float("-inf")
        self._stale = True
        self._asked_for = True  # somebody waits for the next look: it is not refused
        self._look_comes = False
        self._cursor: int | None = None
        super().__init__(session, budget=budget, language=language)

    # -- what is shown -------------------------------------------------------------------

    @property
    def _wishes(self) -> tuple[Wish, ...]:
        """What the panes show, at the time cursor."""
        main = replace(self._wish, step=self._session.cursor)
        if self._other is None:
            return (main,)
        by, value = self._other
        return main, replace(main, **{by: value})

    @property
    def _applicability(self) -> Applicability | None:
        """What can be asked; None before the first look."""
        return self._solver.applicability

    def _changed(self) -> None:
        """Something else is to be shown."""
        self._stale = self._asked_for = True
        if self._ready and (self._shown or not self._session.training):
            self._look_soon()

    def _forget_answers(self) -> None:
        with self._shelf:
            self._era += 1
            self._answers.clear()
            self._reels.clear()
            self._given_up.clear()
            self._supersede()

    def _look_if_stale(self) -> None:
        """Look again; what nobody waits for only if the budget allows it."""
        if self._stale and (self._asked_for or self._can_afford_to_look):
            self._look_soon()

    @property
    def _can_afford_to_look(self) -> bool:
        session = self._session
        return not session.training or session.governor.allows(self._look_seconds, "looking")

    def _look_soon(self) -> None:
        session = self._session
        if self.closed:
            return
        if session.hands_free:
            with session.lock:
                self._look_paid()
        elif not self._look_comes and (
            session.training or session.control.waiting or session.host.soon(_nothing)
        ):
            # In a script nobody but the user says when: a look waits until it is asked for.
            self._look_comes = True
            session.submit(self._look_if_still_stale)

    def _look_if_still_stale(self) -> None:
        self._look_comes = False
        if self._stale:
            self._look_paid()

    def _look_paid(self) -> None:
        asked = self._asked_for
        begun = work_clock()
        try:
            self._look()
        except Exception as problem:
            self.on_failure("look", problem)
        self._pay(work_clock() - begun, asked=asked)

    def _pay(self, seconds: float, *, asked: bool) -> None:
        """Book time for which a loop was held up."""
        if self._session.control.state == "running":
            self._session.governor.charge(seconds, "other" if asked else "looking")

    def _look(self) -> None:
        """Bring the picture up to date; at a safe point, under the session's lock."""
        if self.closed or self._session.model is None:
            return
        asked = self._asked_for
        self._stale = self._asked_for = False
        self._cursor = self._session.cursor
        begun = work_clock()
        try:
            answers = tuple(self._answer(wish, asked=asked) for wish in self._wishes)
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

    # -- one answer ----------------------------------------------------------------------

    def _source(self, wish: Wish) -> tuple[int, Weights | None, bool]:
        """Return step, weights (None: as the model has them) and whether that is the past."""
        if wish.checkpoint is not None:
            weights = self._checkpoints.get(wish.checkpoint)
            if weights is None:
                raise Refusal("explain.view.no_checkpoint", name=wish.checkpoint)
            return self._session.step, weights, False
        newest = self._session.step
        if wish.step is not None and wish.step < newest:
            found = self._kept.snapshots.nearest(wish.step)
            if found is not None and found[0] < newest:
                return found[0], found[1], True
        return newest, None, False

    def _weights(self, wish: Wish, past: bool) -> int:
        """Return a number that differs when the model's own weights do, by whatever hand."""
        model = self._session.model
        if past or wish.checkpoint is not None or model is None:
            return 0
        tensors = [*model.parameters(), *model.buffers()]
        return hash(tuple((id(tensor), _version(tensor)) for tensor in tensors))

    def _key(self, wish: Wish, step: int, past: bool, weights: int) -> tuple[Any, ...]:
        return replace(wish, step=step), past or wish.checkpoint is not None, weights, self._era

    def _known(self, wish: Wish, step: int, past: bool, weights: int) -> Answer | None:
        with self._shelf:
            return self._answers.get(self._key(wish, step, past, weights))

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
                if self._is_quick(question, wish) or not self._twin.copied:
                    found = self._solver.solve(question, wish, step, past)
                    return self._remember(replace(found, weights=mark))
                known = self._known(wish, step, past, mark)
                if known is not None:
                    return known
                preview = self._solver.preview(question, wish, step, past)
                return self._slowly(replace(preview, weights=mark), asked=asked)
        except Exception as problem:
            return self._failed(wish, self._session.step, problem)

    def _failed(self, wish: Wish, step: int, problem: Exception) -> Answer:
        """Return an answer that says what went wrong, in the place of the one that was asked."""
        if not isinstance(problem, (TwinError, ValueError, TypeError)):
            log.error("%s could not be worked out", wish.method, exc_info=problem)
        return cannot(wish, step, problem, self._shown_language)

    def _is_quick(self, question: Question, wish: Wish) -> bool:
        # Importing captum takes a second or two, for which no training is held up.
        ready = captum_is_loaded() or not self._session.training
        return ready and self._solver.seconds(question, wish) <= _QUICK_SECONDS

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

    def _remember(self, answer: Answer) -> Answer:
        if answer.state == "ready":
            key = self._key(answer.wish, answer.step, answer.past, answer.weights)
            with self._shelf:
                self._answers[key] = answer
                self._answers.move_to_end(key)
                room = _REMEMBERED_BYTES - sum(known.nbytes for known in self._answers.values())
                while len(self._answers) > 1 and (room < 0 or len(self._answers) > _REMEMBERED):
                    room += self._answers.popitem(last=False)[1].nbytes
        return answer

    # -- long work -----------------------------------------------------------------------

    @property
    def _working(self) -> bool:
        return self._job is not None

    def _begin_job(self, wishes: tuple[Wish, ...]) -> None:
        """Work wishes out beside the training; whatever was under way is given up."""
        if self._job is not None and self._jobs_wishes == wishes and not self._job.cancelled:
            return
        self._supersede()
        copies = [self._private(wish) for wish in wishes]
        marks = [
            self._weights(wish, past) for wish, (_, _, past) in zip(wishes, copies, strict=True)
        ]
        era = self._era

        def work(job: Job) -> list[Answer]:
            found = []
            for place, (wish, (root, step, past)) in enumerate(zip(wishes, copies, strict=True)):
                done = place / len(wishes)

                def progress(part: float, done: float = done) -> None:
                    job.progress(done + part / len(wishes))

                answer = self._solve_beside(job, root, wish, step, past, progress)
                found.append(replace(answer, weights=marks[place]))
            return found

        def then(job: Job) -> None:
            with self._shelf:
                self._job_is_over(job, wishes, era)
            if self._left_behind and not job.cancelled and not self._session.training:
                self._changed()  # the loop has ended meanwhile: its last step is what counts

        self._jobs_wishes = wishes
        self._job = Job(work, then, lambda fraction, note: self._part_changed("_live"), "explain")
        self._job.start()
        self._part_changed("_live")

    def _solve_beside(
        self,
        job: Job,
        root: nn.Module,
        wish: Wish,
        step: int,
        past: bool,
        progress: Callable[[float], None],
    ) -> Answer:
        try:
            with OwnRandom():
                # A question of its own: the one of the twin belongs to the thread that trains.
                solver, question = self._solver.apart(root)
                return solver.solve(question, wish, step, past, lambda: job.cancelled, progress)
        except (Cancelled, CancelledError):
            raise CancelledError from None
        except Exception as problem:
            return self._failed(wish, step, problem)

    def _job_is_over(self, job: Job, wishes: tuple[Wish, ...], era: int) -> None:
        if self._job is job:
            self._job, self._jobs_wishes = None, ()
        if self.closed:
            return
        if job.problem is not None:
            self.on_failure("explain", job.problem)
            self._given_up.update(wishes)
        elif era == self._era and not job.cancelled:
            for answer in job.result:
                self._remember(answer)
                if answer.state == "failed":
                    self._given_up.add(answer.wish)
            self._replace_answers(job.result)
        self._no_longer_working()
        self._part_changed("_picture")
        self._part_changed("_live")

    def _replace_answers(self, found: list[Answer]) -> None:
        """Put what has been worked out where it is waited for."""
        by_wish = {answer.wish: answer for answer in found}
        number, by, shown = self._view
        answers = tuple(by_wish.get(answer.wish, answer) for answer in shown)
        self._view = View(number + 1, by, answers)
        if answers and answers[0].wish in by_wish:
            self._film_frame(answers[0])

    def _no_longer_working(self) -> None:
        """Say so of answers that nobody works on."""
        if self._job is None:
            number, by, shown = self._view
            answers = (
                waiting(answer, "stale") if answer.state == "working" else answer
                for answer in shown
            )
            self._view = View(number + 1, by, tuple(answers))

    def _private(self, wish: Wish) -> tuple[nn.Module, int, bool]:
        """Return a copy that may be run beside the training, its step, and whether it is past."""
        step, weights, past = self._source(wish)
        with self._twin.open(weights) as root:
            if not self._twin.copied:
                raise Refusal("explain.view.no_copy")
            question = self._solver.question(root)
            asked = question.ask(wish.index, wish.target)
            if draws_outside_torch(lambda: run_once(asked)):
                raise Refusal("probe.random.python")
            return bare_copy(root), step, past

    def _stop_working(self) -> None:
        """Give up what is under way, until it is asked for again."""
        with self._shelf:
            if self._job is not None:
                self._given_up.update(self._jobs_wishes)
                self._job.cancelled = True

    def _supersede(self) -> None:
        """Cancel what is under way: something else is wanted now."""
        if self._job is not None:
            self._job.cancelled = True
            self._job, self._jobs_wishes = None, ()

    def _wait_for_answers(self, patience: float) -> None:
        """Wait until long work is over; before a file is written or a kernel goes."""
        until = perf_counter() + patience
        while (job := self._job) is not None and perf_counter() < until:
            job.wait(0.1)
            if not job._thread.is_alive() and self._job is job:
                break

    # -- the film ------------------------------------------------------------------------

    def _film_frame(self, answer: Answer) -> None:
        if not self._is_asked_now(answer.wish) or (frame := frame_of(answer)) is None:
            return
        with self._shelf:
            self._reels.begin(answer.wish)
            self._reels.add(answer.step, frame)
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
                if self._solver.seconds(question, wish) > _QUICK_SECONDS:
                    return None
                known = self._known(wish, step, past, self._weights(wish, past))
                if known is not None:
                    return known
                found = self._solver.solve(question, wish, step, past)
        except (TwinError, ValueError, TypeError):
            return None
        return found if found.state == "ready" else None

    # -- at rest -------------------------------------------------------------------------

    def _at_rest(self, work: Callable[[], R]) -> R:
        """Run `work` where the model is at rest, and wait for it."""
        asking = threading.get_ident()

        def paid() -> R:
            begun = work_clock()
            try:
                return work()
            finally:
                if threading.get_ident() != asking:  # a loop was held up for somebody else
                    self._pay(work_clock() - begun, asked=True)

        return at_rest(self._session, paid)

    def _plan(self) -> Applicability:
        """Return what can be asked of the model as it is.

        Raises
        ------
        ValueError
            If the model is gone.
        """
        if self._session.model is None:
            raise ValueError(text("status.model_gone", "en"))

        def work() -> Applicability:
            with self._twin.open() as root:
                return self._solver.plan(self._solver.question(root), self._wish)

        return self._at_rest(work)

    def _keep(self, name: str, weights: Weights | None) -> None:
        model = self._session.model
        if model is None:
            raise ValueError(text("status.model_gone", "en"))
        if weights is None:
            held = self._at_rest(lambda: _copies(state_of(unwrap(model))))
        else:
            held = _copies(weights)

            def fits() -> None:
                with self._twin.open(held):
                    pass

            self._at_rest(fits)  # raises in one sentence if they do not
        with self._shelf:
            self._checkpoints = {**self._checkpoints, name: held}
            about = [key for key, one in self._answers.items() if one.wish.checkpoint == name]
            for key in about:
                del self._answers[key]
            if any(wish.checkpoint == name for wish in self._jobs_wishes):
                self._supersede()
        if self._other == ("checkpoint", name):
            self._changed()

    # -- what the session tells ----------------------------------------------------------

    def on_change(self) -> None:
        """State, cursor or learning-rate factor changed."""
        session = self._session
        # A loop that pauses or ends leaves the picture behind that it could last afford.
        if session.cursor != self._cursor or (self._left_behind and not session.training):
            self._changed()
        super().on_change()

    @property
    def _left_behind(self) -> bool:
        """Whether the loop has gone on since the picture was made of what was newest then."""
        answers, session = self._view.answers, self._session
        if not answers or answers[0].past or answers[0].step == session.step:
            return False
        return session.cursor is None or session.cursor < session.step

    def on_sample(self, sampler: Any, sample: Any) -> None:
        """Weights have been kept, so some steps have passed: look again if it can be afforded."""
        if sampler is not self._kept:
            return
        if self._left_behind:
            self._stale = True
            rested = perf_counter() - self._looked_at >= _LOOKS_APART
            if self._shown and rested and not self._look_comes and self._can_afford_to_look:
                self._look_comes = True  # at the safe point behind this step
                self._session.submit(self._look_if_still_stale)

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


def _copies(state: Mapping[str, Tensor]) -> Weights:
    with torch.no_grad():
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}


def _version(tensor: Tensor) -> int:
    # One that is still lazy, or was made in inference mode, counts no changes.
    return 0 if is_lazy(tensor) or tensor.is_inference() else tensor._version


def _nothing() -> None:
    """Do nothing."""
