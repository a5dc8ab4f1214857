"""Looks of a plot: at a safe point what is quick, slice by slice what is slow."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any, Final

import numpy as np
from torch import nn

from nnwidgets._boundary_extras import Extras
from nnwidgets._boundary_film import SIDE
from nnwidgets._boundary_passing import Passing
from nnwidgets._boundary_progress import Progress
from nnwidgets._boundary_scene import Scene
from nnwidgets._boundary_sources import Weights, copies
from nnwidgets._boundary_space import MOST_POINTS
from nnwidgets._boundary_wish import Shown, Wish
from nnwidgets.catalogue import text
from nnwidgets.explain.plane_base import Plane
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.refine import LATTICE, Refinement
from nnwidgets.explain.surface import surface
from nnwidgets.live.budget import work_clock
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.snapshots import state_of

__all__ = ["Looking"]

# How long a look may take (seconds): in the middle of a training that nobody has interrupted, for
# somebody who waits, and where nothing trains.
_PASSING: Final = 0.005
_WAITED_FOR: Final = 0.03
_AT_REST: Final = 0.08
_MOVING: Final = 0.0003
_COARSE_SIDE: Final = 40
_ALIKE: Final = 0.75  # of the places along an axis: other numbers of them are the clock's noise
_OLD: Final = 3.0  # seconds, after which a slow surface begins anew with the weights of now
_FEW_POINTS: Final = 50
_FEWEST: Final = 4  # rows, and more, to see how long one takes
_MORE: Final = 256
_PATIENCE: Final = 20.0  # seconds that a notebook without a view is held for a long answer


class Looking(Extras):
    """The part of a plot that asks the model, whenever something else is to be shown."""

    _progress: Progress | None = None
    _passer: Passing
    _moved_side = 0  # places along an axis of the pictures beside a training

    # -- a look ----------------------------------------------------------------------------

    def _look(self) -> None:
        """Bring the picture up to date; at a safe point, under the session's lock."""
        if self.closed:
            return
        if self._session.model is None:
            self._fail_to_show(self._wish_now, self._sentence_of(self._gone()))
            self._stale = False
            return
        asked = self._asked_for
        self._stale = self._asked_for = False
        self._cursor = self._session.cursor
        begun = work_clock()
        wish = self._wish_now
        try:
            step, weights, past = self._source(wish)
            progress = self._progress
            if progress is not None and not asked and self._goes_on(progress, wish):
                self._advance(progress)
            else:
                self._begin(wish, step, weights, past, asked=asked)
            self._obstacle = None
        except KeyboardInterrupt:
            self._stale = True
            raise
        except Exception as problem:
            self._obstacle = problem
            self._fail_to_show(wish, self._note_failure("the surface", problem))
        finally:
            self._looked_at = perf_counter()
            self._look_seconds = work_clock() - begun
        if self._progress is not None:
            self._go_on_soon()
        elif not self._session.training:
            self._backfill()

    def _begin(
        self, wish: Wish, step: int, weights: Weights | None, past: bool, *, asked: bool
    ) -> None:
        space, training = self._space, self._session.training
        mark = self._mark(past)
        progress = self._progress
        if progress is not None and not self._goes_on(progress, wish):
            progress = self._progress = None
        if (asked or not training) and not self._is_shown(wish, step, mark):
            space.renew()
        with self._twin.open(weights) as root:
            predictor = space.ask(root)
            self._note_ways(root)
            self._fit_view()
            plane = space.plane(wish, predictor)
            rectangle = space.rectangle(wish, plane)
            points = space.points.snapshot()
            scene = Scene(wish, step, past, mark, predictor, plane, rectangle, points, space.era)
            if self._is_shown(wish, step, mark) or progress is not None:
                self._judge_again(scene)
            elif wish.uncertain is None or self._alone:
                self._draw(scene, root, asked=asked)
            elif self._now.wish != wish or self._now.surface is None or self._lacks_committee:
                self._wait_for_committee(scene)
            self._see_units(scene, asked=asked)
            space.row_seconds = predictor.row_seconds or space.row_seconds
            self._begin_tasks(scene, root, asked=asked or not training)
        if progress is not None:
            self._advance(progress)

    def _fit_view(self) -> None:
        """Show what there is to be seen, once it is known what the model says."""

    def _is_shown(self, wish: Wish, step: int, mark: int) -> bool:
        """Whether the whole surface is there already: a click may be about something else."""
        now = self._now
        if self._lacks_committee:
            return False
        return self._is_of(wish, step, mark) and now.state == "ready" and not self._coarse

    def _is_of(self, wish: Wish, step: int, mark: int) -> bool:
        now = self._now
        return (now.wish, now.step, now.mark, now.era) == (wish, step, mark, self._space.era)

    @property
    def _lacks_committee(self) -> bool:
        """Whether the model alone is shown where several are wanted, and can be had."""
        wanted = self._wish.uncertain is not None and not self._alone
        there = self._now.members or self._now.state == "failed"
        return wanted and not there and self._untold is None

    def _judge_again(self, scene: Scene) -> None:
        """See what is said of the points if they have been edited since."""
        verdict = self._now.verdict
        if self._now.members or (verdict and verdict.points.version == scene.points.version):
            return  # a committee is asked in its own job
        again = self._space.verdict(scene.predictor, scene.plane)
        with self._shelf:
            self._now = replace(self._now, number=self._now.number + 1, verdict=again)
        for trait in ("_surface", "_points"):
            self._part_changed(trait)

    def _draw(self, scene: Scene, root: nn.Module, *, asked: bool) -> None:
        """Ask the model all over the picture, or begin to."""
        space, side = self._space, self._given.resolution
        training = self._session.training and not self._in_full
        seconds = _AT_REST if not training else _WAITED_FOR if asked else _PASSING
        passing = training and not asked and space.row_seconds > 0
        if passing and self._moving_side**2 * space.row_seconds <= _PASSING:
            # A picture that moves is worth more than a fine one; at rest it becomes fine.
            self._pass_by(scene, self._moving_side)
            return
        if space.row_seconds <= 0:
            self._time_it(scene)
        refinement = None
        if side * side * space.row_seconds > seconds:
            if training:
                side = self._coarse_side
            refinement = Refinement(scene.plane, side, scene.rectangle)
        if refinement is None:
            made = surface(scene.predictor, scene.plane, side, scene.rectangle)
            self._show(scene, Shown(surface=made, state="ready"))
            return
        kept = copies(state_of(root)) if training and not scene.past else None
        if scene.past:
            kept = self._source(scene.wish)[1]
        self._progress = Progress(
            scene.wish,
            scene.step,
            scene.past,
            scene.mark,
            space.era,
            kept,
            scene.plane,
            scene.rectangle,
            refinement,
            asked,
            perf_counter(),
        )
        self._refine(self._progress, scene.predictor, seconds)

    def _pass_by(self, scene: Scene, side: int) -> None:
        """Show a surface that nobody waits for, beside a training."""
        most = self._points_beside_training
        made, verdict = self._passer.ask(
            scene.predictor, scene.plane, scene.rectangle, side, scene.points, most
        )
        self._show(scene, Shown(surface=made, state="ready", verdict=verdict))

    @property
    def _points_beside_training(self) -> int:
        return max(_FEW_POINTS, int(_PASSING / self._space.row_seconds))

    def _time_it(self, scene: Scene) -> None:
        """See how long a point takes, by a few first."""
        for count in (_FEWEST, _FEWEST, _MORE):  # the first call of all is slow
            scene.predictor.answer(scene.plane.to_inputs(np.zeros((count, 2))))
            self._space.row_seconds = scene.predictor.row_seconds
            if count * self._space.row_seconds > _PASSING:
                break

    @property
    def _coarse_side(self) -> int:
        """Places along an axis whose coarsest lattice does not keep a loop waiting for long."""
        lattice = (_WAITED_FOR / self._space.row_seconds) ** 0.5
        return int(min(self._given.resolution, max(16, LATTICE * (lattice - 1))))

    @property
    def _moving_side(self) -> int:
        """Places along an axis that a passing look takes a third of a millisecond for."""
        side, row = self._given.resolution, self._space.row_seconds
        if row <= 0:
            return side
        now, before = max(_COARSE_SIDE, int((_MOVING / row) ** 0.5)), self._moved_side
        # As long as it may be, the same places are asked again: what those need is known.
        if not _ALIKE * before <= now <= before / _ALIKE or before**2 * row > _PASSING:
            self._moved_side = now
        return min(side, self._moved_side)

    def _refine(self, progress: Progress, predictor: Predictor, seconds: float) -> None:
        progress.advance(predictor, seconds)
        self._space.row_seconds = predictor.row_seconds or self._space.row_seconds
        over = progress.over(training=self._session.training)
        scene = Scene(
            progress.wish,
            progress.step,
            progress.past,
            progress.mark,
            predictor,
            progress.plane,
            progress.rectangle,
            self._space.points.snapshot(),
            progress.era,
        )
        state = "ready" if over else "refining"
        refinement = progress.refinement
        self._show(scene, Shown(surface=refinement.surface(), state=state, asked=refinement.share))
        if over:
            self._progress = None

    def _show(self, scene: Scene, drawn: Shown) -> None:
        """Show a surface of the model alone, with what it says of the points."""
        space = self._space
        most = MOST_POINTS
        if self._session.training and space.row_seconds > 0:
            most = self._points_beside_training
        self._committee_key = None  # what is shown is of the model alone
        verdict = drawn.verdict  # of the same weights; the points may be others
        if verdict is None or verdict.points.version != scene.points.version:
            verdict = space.verdict(scene.predictor, scene.plane, most=most)
        notes = (*drawn.notes, *self._left_out(), *self._for_now(scene.wish))
        self._put(scene.showing(replace(drawn, verdict=verdict, notes=notes)))

    def _left_out(self) -> list[Words]:
        """Say what of the model the copy has not, where its answers may differ by that."""
        hooked = [params for key, params in self._twin.notes if key == "probe.twin_hooks"]
        return [("explain.boundary.hooks", params) for params in hooked]

    def _for_now(self, wish: Wish) -> list[Words]:
        """Say that several models will be asked once the training leaves the time."""
        if wish.uncertain is None or not self._alone:
            return []
        return [("explain.boundary.alone_for_now", {})]

    def _wait_for_committee(self, scene: Scene) -> None:
        """Show where the picture will be, until the first answer of the committee is there."""
        now = self._now
        coming: tuple[Words, ...] = (("explain.boundary.committee_comes", {}),)
        if self._is_of(scene.wish, scene.step, scene.mark) and now.surface is not None:
            if now.state != "working":
                with self._shelf:
                    self._now = replace(now, number=now.number + 1, state="working", notes=coming)
                self._part_changed("_surface")
            return
        side = min(SIDE, self._given.resolution)
        made = surface(scene.predictor, scene.plane, side, scene.rectangle)
        waiting: Words = ("explain.boundary.committee_comes", {})
        self._show(scene, Shown(surface=made, state="working", notes=(waiting,)))

    def _fail_to_show(self, wish: Wish, problem: str) -> None:
        with self._shelf:
            now = self._now
            self._progress = None
            self._now = replace(
                now, number=now.number + 1, wish=wish, state="failed", problem=problem
            )
        for trait in ("_surface", "_choices"):
            self._part_changed(trait)

    # -- slow models -------------------------------------------------------------------------

    def _goes_on(self, progress: Progress, wish: Wish) -> bool:
        """Whether the surface under way is still what is wanted."""
        if progress.wish != wish or progress.era != self._space.era:
            return False
        if progress.weights is None and progress.mark != self._mark(progress.past):
            return False
        behind = progress.step != self._session.step and not progress.past
        return not behind or (self._session.training and perf_counter() - progress.began < _OLD)

    def _advance(self, progress: Progress) -> None:
        training = self._session.training
        seconds = _AT_REST if not training else _WAITED_FOR if progress.asked else _PASSING
        with self._twin.open(progress.weights) as root:
            self._refine(progress, self._space.ask(root), seconds)

    def _go_on_soon(self) -> None:
        """Have the rest of a slow surface worked out: in between, others have their turn."""
        session = self._session
        if session.training:
            return  # the next look that can be afforded goes on
        if session.host.soon(_nothing):
            self._stale = True
            session.submit(self._look_if_still_stale)

    def _finish(self, patience: float) -> None:
        """Work out what is under way, here and now; at rest."""
        until = perf_counter() + patience
        while (progress := self._progress) is not None and perf_counter() < until:
            if not self._goes_on(progress, self._wish_now):
                break
            self._advance(progress)

    # -- what the session tells ------------------------------------------------------------

    def _look_if_stale(self) -> None:
        """Look again; what nobody waits for only if the budget allows it."""
        if self._left_behind or (self._progress is not None and self._session.training):
            rested = perf_counter() - self._looked_at >= self._looks_apart
            self._stale = self._stale or rested
        super()._look_if_stale()

    def on_change(self) -> None:
        """State, cursor or learning-rate factor changed."""
        session = self._session
        # A loop that pauses or ends leaves the picture behind that it could last afford.
        if session.cursor != self._cursor or (self._is_behind and not session.training):
            self._changed()
        super().on_change()

    @property
    def _coarse(self) -> bool:
        """Whether there is more to be seen than was drawn beside a training."""
        shown = self._now
        if shown.surface is None or shown.state == "failed":
            return False
        return shown.asked < 1 or len(shown.surface.x) < self._given.resolution

    @property
    def _is_behind(self) -> bool:
        return self._left_behind or self._coarse or self._lagging

    @property
    def _lagging(self) -> bool:
        """Whether something that stands beside the surface is of an earlier step than that."""
        step = self._now.step
        found = [self._at if self._spot else None, self._found_rules if self._depth else None]
        if any(one and one.step != step and one.key not in self._given_up for one in found):
            return True
        if self._lacks_committee:
            return not any("surface" in key for key in (*self._given_up, *self._job_of))
        return self._unit_surfaces is not None and self._unit_step != step

    def cell_over(self) -> None:
        """The cell has ended; with no view to wait in, long answers are waited for here."""
        if not self._views:
            self._complete(_PATIENCE)
        super().cell_over()

    def _complete(self, patience: float) -> None:
        """Bring the picture up to date, to the last place; at rest."""
        self._in_full = True
        try:
            self._catch_up(patience)
        finally:
            self._in_full = False

    def _catch_up(self, patience: float) -> None:
        for _ in range(2):  # what was begun before the last step is worked out again
            if self._is_behind:
                self._stale = self._asked_for = True
            if self._stale:
                self._at_rest(self._look)
            self._at_rest(lambda: self._finish(patience))
            self._wait_for_answers(patience)

    def _say_what_is_seen(self, language: str) -> list[str]:
        session = self._session
        copied = [note for note in self._twin.notes if note[0] != "probe.twin_hooks"]
        notes = [*self._space.points.notes, *copied, *self._left_out()]
        notes += self._kept.snapshots.notes
        if self._untold is not None:
            notes.append(self._untold)
        said = [text(key, language, **params) for key, params in dict(notes).items()]
        if session.model is None:
            said.append(text("status.model_gone", language))
        elif self._obstacle is not None:
            said.append(self._sentence_of(self._obstacle))
        elif not session.slots:
            said.append(text("explain.boundary.no_optimizer", language))
        return said or [text("status.ready", language)]

    def _plan(self) -> Plane:
        """Find out what the model says of the points at all; at rest.

        Raises
        ------
        ValueError, TypeError
            If it cannot be asked.
        """

        def work() -> Plane:
            with self._twin.open() as root:
                self._note_ways(root)
                predictor = self._space.ask(root)
                return self._space.plane(self._wish, predictor)

        return self._at_rest(work)

    def _gone(self) -> Exception:
        try:
            self._model_or_refuse()
        except ValueError as refusal:
            return refusal
        return ValueError("")

    def close(self) -> None:
        """Detach from model, optimiser and kernel; the views disappear. Idempotent."""
        if self.closed:  # or its constructor has refused what it was given
            return
        self._session.sampling.remove(self._kept)
        self._stop_working()
        super().close()
        self._stop_working()  # the last picture may have asked for more
        self._progress = None
        self._twin.forget()
        for twin in self._others:
            twin.forget()
        self._space.forget()
        self._passer.forget()


def _nothing(*_: Any) -> None:
    """Do nothing."""
