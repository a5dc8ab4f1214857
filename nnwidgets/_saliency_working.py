"""Long answers of a viewer: worked out on a private copy, in a thread beside the training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

from torch import nn

from nnwidgets._saliency_filming import Filming
from nnwidgets._saliency_solving import run_once, waiting
from nnwidgets._saliency_sources import View
from nnwidgets._saliency_wish import Answer, Wish
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.registry import GRADIENT_FREE
from nnwidgets.live.jobs import CancelledError, Job
from nnwidgets.probe.first_import import import_aside
from nnwidgets.probe.own_random import OwnRandom, draws_outside_torch, use_of_state
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.replay import bare_copy

__all__ = ["Working"]


class Working(Filming):
    """The part of a viewer that has long answers worked out."""

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
        import_aside()  # some methods fit scikit-learn's models
        step, weights, past = self._source(wish)
        with self._twin.open(weights) as root:
            if not self._twin.copied:
                raise Refusal("explain.view.no_copy")
            question = self._solver.question(root)
            asked = question.ask(wish.index, wish.target)
            used: list[str] = []
            if draws_outside_torch(lambda: used.append(use_of_state(lambda: run_once(asked)))):
                raise Refusal("probe.random.python")
            if used == ["sets"]:
                raise Refusal("probe.random.state")
            # To differentiate a checkpointed model sets the random numbers of the process back.
            if used == ["reads"] and wish.method not in GRADIENT_FREE:
                raise Refusal("explain.view.checkpointed")
            return bare_copy(root), step, past

    def _stop_working(self) -> None:
        """Give up what is under way, until it is asked for again; said at once.

        On a busy machine the operation that is running may take a while to end; it does so by
        itself, on a copy of its own.
        """
        with self._shelf:
            if self._job is None:
                return
            self._given_up.update(self._jobs_wishes)
            self._supersede()
            self._no_longer_working()
        self._part_changed("_picture")
        self._part_changed("_live")

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
