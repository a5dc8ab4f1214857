"""Long answers of a plot: worked out on a private copy, in a thread beside the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter, thread_time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nnwidgets._boundary_committee import OF_COMMITTEES, Committees
from nnwidgets._boundary_scene import Found, Scene, Spot
from nnwidgets._boundary_sources import Weights
from nnwidgets._boundary_wish import Shown, Wish
from nnwidgets.explain.answers import Answering
from nnwidgets.explain.at_point import AtPoint, at_point
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.committee_answers import CommitteePredictor
from nnwidgets.explain.plane_base import Plane
from nnwidgets.explain.points_snapshot import Snapshot
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.rules import Rules, fit_rules
from nnwidgets.explain.surface import surface
from nnwidgets.live.jobs import CancelledError, Job
from nnwidgets.probe.first_import import import_aside
from nnwidgets.probe.own_random import OwnRandom, draws_outside_torch, use_of_state
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.replay import bare_copy

__all__ = ["DEPTH", "OF_COMMITTEES", "Working"]

DEPTH: Final = 3  # conditions of a rule
_APART: Final = 1.0  # seconds between two jobs that nobody has asked for


class Working(Committees):
    """The part of a plot that has long answers worked out, one job at a time."""

    _job: Job | None = None
    _job_of: tuple[tuple[Any, ...], ...] = ()  # the keys of what is under way
    _job_wish: Wish | None = None
    _job_began = float("-inf")
    _job_seconds = 0.0
    _spot: Spot | None = None
    _depth: int | None = None  # of the rules that are shown
    _at: Found | None = None
    _found_rules: Found | None = None
    _given_up: frozenset[tuple[Any, ...]] = frozenset()

    # -- what is to be worked out ------------------------------------------------------------

    def _tasks(self, scene: Scene, *, asked: bool) -> dict[str, tuple[Any, ...]]:
        """Return what is not known yet: name and key of each."""
        tasks: dict[str, tuple[Any, ...]] = {}
        version = scene.points.version
        if self._spot is not None:
            key = scene.key("point", self._spot, version, self._output)
            if self._at is None or self._at.key != key:
                tasks["point"] = key
        if scene.wish.uncertain is not None and not self._alone:
            key = scene.key("surface", version, self._side, self._passing)
            if self._committee_key != key or self._now.state in ("working", "stale"):
                tasks["surface"] = key
        # The rule that applies to a place is worth a fit when somebody asks, not over and over.
        if self._depth is not None or (self._spot is not None and asked):
            key = scene.key("rules", self._depth or DEPTH, version, self._output)
            if self._found_rules is None or self._found_rules.key != key:
                tasks["rules"] = key
        return {name: key for name, key in tasks.items() if key not in self._given_up}

    _committee_key: tuple[Any, ...] | None = None  # of the surface that is shown

    def _begin_tasks(self, scene: Scene, root: nn.Module, *, asked: bool) -> None:
        """Begin what is not known yet; what nobody has asked for only if it can be afforded."""
        tasks = self._tasks(scene, asked=asked)
        with self._shelf:
            if self._job is not None and self._job_wish != scene.wish:
                self._supersede()
            if not tasks or set(tasks.values()) <= set(self._job_of):
                return
            if self._job is not None and not asked:
                return  # to be cancelled again and again is never to come to an end
        if not asked and self._session.training:
            # Credit is kept for a moment only: what takes long has to wait by the clock.
            governor = self._session.governor
            apart = max(_APART, self._job_seconds / governor.budget)
            if perf_counter() - self._job_began < apart:
                return
            if not governor.allows(self._job_seconds, "looking"):
                return
        self._begin_job(scene, root, tasks, asked=asked)

    def _begin_job(
        self, scene: Scene, root: nn.Module, tasks: dict[str, tuple[Any, ...]], *, asked: bool
    ) -> None:
        """Copy the model, at a safe point, and go to work."""
        if "rules" in tasks:
            import_aside()
        copied, models = self._private(scene, root)
        snapshots = self._late_weights(scene.step) if scene.wish.uncertain == "snapshots" else []

        def work(job: Job) -> None:
            begun = thread_time()
            try:
                with OwnRandom():
                    asked_of = scene.by(self._apart(copied))
                    self._work(job, asked_of, tasks, snapshots, models)
            except Cancelled:
                raise CancelledError from None
            finally:
                self._job_seconds = thread_time() - begun
                self._pay(self._job_seconds, asked=asked)

        def then(job: Job) -> None:
            with self._shelf:
                if self._job is job:
                    self._job, self._job_of = None, ()
            if self.closed:
                return
            if job.problem is not None:
                self.on_failure("explain", job.problem)
                self._given_up |= set(tasks.values())
            for trait in ("_surface", "_point", "_rules", "_live"):
                self._part_changed(trait)
            if not job.cancelled and not self._session.training and self._is_behind:
                self._changed()  # the loop has ended meanwhile: its last step is what counts

        with self._shelf:
            self._supersede()
            self._job_of, self._job_wish = tuple(tasks.values()), scene.wish
            self._job_began = perf_counter()
            name = "point" if "point" in tasks else next(iter(tasks))
            self._job = Job(work, then, lambda *_: self._part_changed("_live"), name)
            self._job.start()
        for trait in ("_point", "_rules", "_live"):
            self._part_changed(trait)

    def _private(self, scene: Scene, root: nn.Module) -> tuple[nn.Module, list[nn.Module]]:
        """Return copies that may be run beside the training: of the model, and of an ensemble."""
        if not self._twin.copied:
            raise Refusal("explain.boundary.no_copy")
        self._check_apart(scene.predictor, scene.plane.to_inputs([scene.rectangle[::2]]))
        models: list[nn.Module] = []
        if scene.wish.uncertain == "ensemble":
            for twin in self._others:
                with twin.open() as other:
                    models.append(bare_copy(other))
        return bare_copy(root), models

    _differentiable = True

    def _check_apart(self, predictor: Predictor, few: NDArray[np.float64]) -> None:
        """Raise Refusal if a copy, run in another thread, would draw the training's numbers."""
        used: list[str] = []
        if draws_outside_torch(lambda: used.append(use_of_state(lambda: predictor.answer(few)))):
            raise Refusal("probe.random.python")
        if used == ["sets"]:
            raise Refusal("probe.random.state")
        # To differentiate a checkpointed model sets the random numbers of the process back.
        self._differentiable = used == ["none"]

    def _apart(self, root: nn.Module) -> Predictor:
        """Return who answers for a copy that is run beside a training."""
        predictor = self._space.ask_apart(root)
        predictor.differentiable = self._differentiable
        return predictor

    # -- the work, in its thread -------------------------------------------------------------

    def _work(
        self,
        job: Job,
        scene: Scene,
        tasks: dict[str, tuple[Any, ...]],
        snapshots: Sequence[Weights],
        models: Sequence[nn.Module],
    ) -> None:
        joint: CommitteePredictor | None = None
        if scene.wish.uncertain is not None:
            joint = self._joint(scene, snapshots, models)
            if joint is None:
                self._show_alone(scene, tasks)
                tasks = {name: key for name, key in tasks.items() if name != "surface"}
        for done, (name, key) in enumerate(tasks.items()):
            job.progress(done / len(tasks))
            try:
                result = getattr(self, f"_work_{name}")(job, scene, joint)
                found = Found(key, scene.step, result)
            except (CancelledError, Cancelled):
                raise
            except Exception as problem:
                found = Found(key, scene.step, None, self._note_failure(name, problem))
            job.check()
            self._have(name, found)

    def _work_point(
        self, job: Job, scene: Scene, joint: CommitteePredictor | None
    ) -> AtPoint | None:
        spot = self._spot
        if spot is None:
            return None
        row = self._row_of(spot, scene.plane, scene.points)
        return self._explained(scene, joint, row, job.check, drawn=spot.id)

    def _explained(
        self,
        scene: Scene,
        joint: CommitteePredictor | None,
        row: NDArray[np.float64],
        check: Callable[[], None],
        rules: Rules | None = None,
        drawn: int | None = None,
    ) -> AtPoint:
        return at_point(
            scene.predictor,
            row,
            joint=joint,
            plane=scene.plane,
            snapshot=scene.points,
            rules=rules,
            rectangle=scene.rectangle,
            class_names=self._space.classes,
            feature_names=self._space.features,
            target=self._output if self._space.regression else None,
            drawn=drawn,
            check=check,
        )

    @staticmethod
    def _row_of(spot: Spot, plane: Plane, points: Snapshot) -> NDArray[np.float64]:
        if spot.row is not None:
            return np.array(spot.row, np.float64)
        if spot.id is not None and spot.id in points.ids:
            place = int(np.flatnonzero(points.ids == spot.id)[0])
            drawn: NDArray[np.float64] = points.X[place].astype(np.float64)
            return drawn
        row: NDArray[np.float64] = plane.to_inputs(np.array([spot.at]))[0]
        return row

    def _work_rules(self, job: Job, scene: Scene, joint: CommitteePredictor | None) -> Rules:
        return self._ruled(scene, joint or scene.predictor, self._depth or DEPTH, job.check)

    def _ruled(
        self, scene: Scene, asked: Answering, depth: int, check: Callable[[], None]
    ) -> Rules:
        """Fit rules to what is said all over the picture."""
        space, plane = self._space, scene.plane
        left, right, bottom, top = scene.rectangle
        output = self._output

        def ask(rows: NDArray[Any]) -> NDArray[Any]:
            found = asked.answer(rows, check)
            if found.probabilities is not None:
                return found.probabilities
            assert found.values is not None
            return found.values[:, [output]]

        def draw(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
            places = generator.uniform((left, bottom), (right, top), (count, 2))
            return plane.to_inputs(places)

        return fit_rules(
            ask,
            draw,
            scene.points.X[scene.points.train],
            max_depth=depth,
            regression=space.regression,
            class_names=space.classes or None,
            feature_names=space.features,
        )

    # -- what came of it ----------------------------------------------------------------------

    def _have(self, name: str, found: Found) -> None:
        with self._shelf:
            if self.closed:
                return
            if name == "surface":
                if found.key[0] != replace(self._wish_now, step=found.step):
                    return  # something else is to be shown by now
                self._committee_key = found.key
                if found.result is not None:
                    self._put(found.result)
                elif found.problem is not None:
                    number = self._now.number + 1
                    self._now = replace(
                        self._now, number=number, state="failed", problem=found.problem
                    )
            elif name == "point":
                self._at = found
            else:
                self._found_rules = found
            at, rules = self._at, self._found_rules
            if (
                at is not None
                and rules is not None
                and isinstance(at.result, AtPoint)
                and isinstance(rules.result, Rules)
                and (rules.step == at.step or self._session.training)
            ):
                rule = rules.result.rule_for(at.result.point)
                self._at = replace(at, result=replace(at.result, rule=rule))
        for trait in ("_surface", "_points", "_point", "_rules"):
            self._part_changed(trait)

    def _show_alone(self, scene: Scene, tasks: dict[str, tuple[Any, ...]]) -> None:
        """Show the model alone, and say why there is no committee."""
        if "surface" not in tasks:
            return
        made = surface(scene.predictor, scene.plane, self._side, scene.rectangle)
        verdict = self._space.verdict(scene.predictor, scene.plane)
        why = () if self._untold is None else (self._untold,)
        notes = (*why, *self._space.notes)
        shown = scene.showing(Shown(surface=made, state="ready", verdict=verdict, notes=notes))
        self._have("surface", Found(tasks["surface"], scene.step, shown))

    def _put(self, shown: Shown) -> None:
        """Show a surface."""
        with self._shelf:
            before = self._now
            self._now = replace(shown, number=before.number + 1)
            self._reels.begin(shown.wish, shown.era)
            if shown.surface is not None and shown.asked > 0:
                self._reels.add(shown.step, shown.surface)
        self._part_changed("_surface")
        if before.plane is not shown.plane:
            self._part_changed("_points")

    @property
    def _is_behind(self) -> bool:
        """Whether a look would show something newer."""
        return self._left_behind

    # -- giving up ----------------------------------------------------------------------------

    def _supersede(self) -> None:
        """Cancel what is under way: something else is wanted now."""
        if self._job is not None:
            self._job.cancelled = True
            self._job, self._job_of = None, ()

    def _stop_working(self) -> None:
        """Give up what is under way, until it is asked for again."""
        with self._shelf:
            self._given_up |= set(self._job_of)
            self._supersede()
            if self._landscape_job is not None:
                self._landscape_job.cancelled = True
            if self._now.state == "working":  # on something that will not come
                self._now = replace(self._now, number=self._now.number + 1, state="stale")

    _landscape_job: Job | None = None

    def _wait_for_answers(self, patience: float) -> None:
        """Wait until long work is over; before a file is written or a kernel goes."""
        until = perf_counter() + patience
        while (job := self._job) is not None and perf_counter() < until:
            job.wait(0.1)
            if not job._thread.is_alive() and self._job is job:
                break
