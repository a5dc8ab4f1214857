"""How far to trust a map, and which features matter over the whole set: long work on demand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from nnwidgets._saliency_looking import Looking
from nnwidgets._saliency_solving import Solver
from nnwidgets._saliency_wish import Answer, Wish
from nnwidgets.catalogue import text
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.importance import Importance, table_importance
from nnwidgets.explain.question import Question
from nnwidgets.explain.trust import trust
from nnwidgets.explain.verdict import TrustReport
from nnwidgets.live.jobs import CancelledError, Job
from nnwidgets.live.widget import action
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal

__all__ = ["Checking"]

_SCORES: Final = {
    "accuracy": "explain.importance.accuracy",
    "r2": "explain.importance.r2",
    "agreement": "explain.importance.agreement",
    "own_r2": "explain.importance.own_r2",
}

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class _Checked:
    """What was checked, and what came of it."""

    wish: Wish
    step: int
    era: int
    weights: int  # of the model then; 0 of stored ones
    report: TrustReport | None = None
    problem: str | None = None


class Checking(Looking):
    """The part of a viewer that checks its own maps."""

    _under_check: frozenset[str] = frozenset()  # what is being worked out, of these two
    _checked: _Checked | None = None
    _important: Importance | None = None
    _important_problem: str | None = None

    @action("trust", long=True)
    def _click_trust(self, job: Job) -> None:
        """Check the map of the first pane; on a copy of its own, in its own thread."""
        wish, era = self._wishes[0], self._era
        with self._working_out("trust"):
            root, step, weights = self._at_rest(lambda: self._copied_for(wish))
            try:
                with OwnRandom():
                    solver, question = self._solver.apart(root)
                    wish = solver.settled(wish, question)
                    report = self._check(solver, question, wish, job)
                self._checked = _Checked(wish, step, era, weights, report)
            except Cancelled:
                raise CancelledError from None
            except (ValueError, TypeError) as problem:
                said = self._said_of(problem)
                self._checked = _Checked(wish, step, era, weights, None, said)

    def _copied_for(self, wish: Wish) -> tuple[nn.Module, int, int]:
        root, step, past = self._private(wish)
        return root, step, self._weights(wish, past)

    def _checked_now(self, wish: Wish, step: int, era: int, report: TrustReport) -> None:
        """Show a report that was asked for in Python."""
        weights = self._weights(wish, past=False)
        self._checked = _Checked(wish, step, era, weights, report)
        self._part_changed("_trust")

    @contextmanager
    def _working_out(self, what: str) -> Iterator[None]:
        """Have the browser told that this is under way, and afterwards that it no longer is."""
        self._under_check |= {what}
        self._part_changed(f"_{what}")
        try:
            yield
        finally:
            self._under_check -= {what}
            self._part_changed(f"_{what}")

    def _check(self, solver: Solver, question: Question, wish: Wish, job: Job) -> TrustReport:
        report = trust(
            question.ask(wish.index, wish.target),
            wish.method,
            question=question,
            layer=solver.layer(wish),
            baseline=solver.baseline(wish),
            cancelled=lambda: job.cancelled,
            progress=job.progress,
        )
        if job.cancelled:
            raise CancelledError
        return report

    @action("importance", long=True)
    def _click_importance(self, job: Job) -> None:
        """Permute each feature over all samples."""
        with self._working_out("importance"):
            root, _, _ = self._at_rest(lambda: self._private(replace(self._wish, step=None)))
            self._important_problem = None
            try:
                with OwnRandom():
                    _, question = self._solver.apart(root)
                    self._important = table_importance(
                        question, self._right_classes(), check=job.check, progress=job.progress
                    )
            except Cancelled:
                raise CancelledError from None
            except (ValueError, TypeError) as problem:
                self._important_problem = self._said_of(problem)
            if job.cancelled:
                raise CancelledError

    def _right_classes(self) -> list[int] | None:
        """Return the targets if they are classes: what the model is held against."""
        targets = self._given.targets
        classes = [one for one in targets or () if isinstance(one, int)]
        return classes if classes and len(classes) == self._probe.count else None

    @action("stop")
    def _click_stop(self) -> None:
        """Cancel whatever is being worked out, from any view."""
        self._stop_working()
        for waiting in list(self._waiting.values()):
            if isinstance(waiting, Job) and waiting.name in self._under_check:
                waiting.cancelled = True
        self._part_changed("_live")

    def _asked_alike(self, checked: _Checked, current: Answer) -> bool:
        """Whether what was checked is what is shown, a class by name or as the model's answer."""
        wish, report, found = checked.wish, checked.report, current.explanation
        if report is not None and found is not None and report.target == found.target:
            wish = replace(wish, target=current.wish.target)
        return self._solver.same(wish, current.wish)

    def _trust_meta(self) -> tuple[object, dict[str, Any], Arrays]:
        """Return what identifies the report, its words and its arrays."""
        checked, language = self._checked, self._shown_language
        working = "trust" in self._under_check
        if checked is None:
            nothing: dict[str, Any] = {
                "state": "working" if working else "none",
                "checks": [],
                "verdict": None,
            }
            return (working, None), nothing, {}
        current = self._view.answers[0] if self._view.answers else None
        fresh = (
            current is not None
            and checked.era == self._era
            and (checked.step, checked.weights) == (current.step, current.weights)
            and self._asked_alike(checked, current)
        )
        # What the model answers has become a class by now, as in the pane.
        target = checked.wish.target if checked.report is None else checked.report.target
        state = "working" if working else "failed" if checked.report is None else "ready"
        if state == "ready" and not fresh:
            state = "stale"
        meta: dict[str, Any] = {
            "state": state,
            "method": checked.wish.method,
            "index": checked.wish.index,
            "target": target if isinstance(target, int) else None,
            "step": checked.step,
            "problem": checked.problem,
            "checks": [],
            "verdict": None,
        }
        arrays: Arrays = {}
        if checked.report is not None:
            own, arrays = report_parts(checked.report, language)
            meta.update(own)
        return (id(checked), state), meta, arrays

    def _importance_meta(self) -> tuple[object, dict[str, Any], Arrays]:
        found, problem = self._important, self._important_problem
        working = "importance" in self._under_check
        state = "working" if working else "failed" if problem else "ready" if found else "none"
        meta: dict[str, Any] = {"state": state, "problem": problem, "features": []}
        arrays: Arrays = {}
        if found is not None and problem is None:
            mean = np.asarray(found.mean, np.float32).reshape(-1)
            names = self._solver.features(0, len(mean))
            meta |= {
                "features": list(names or map(str, range(len(mean)))),
                "score": text(_SCORES[found.score], self._shown_language),
                "base": float(found.base),
                "count": int(found.count),
            }
            arrays = {"mean": mean, "spread": np.asarray(found.spread, np.float32).reshape(-1)}
        return (id(found), state, problem), meta, arrays

    def _said_of(self, problem: Exception) -> str:
        if isinstance(problem, Refusal):
            return text(problem.key, self._shown_language, **problem.params)
        return str(problem)[:500]


def report_parts(report: TrustReport, language: str) -> tuple[dict[str, Any], Arrays]:
    """Return the words and the curves of a report."""
    details = report.details
    meta: dict[str, Any] = {
        "checks": [
            {
                "kind": check.kind,
                "level": check.level,
                "text": check.text(language),
                "value": check.value,
            }
            for check in report.checks
        ],
        "verdict": report.in_language(language).verdict,
        "level": report.level,
        "cascade_layers": [],
    }
    arrays: Arrays = {}
    curves = details.get("curves")
    if curves is not None:
        arrays = {
            "fraction": np.asarray(curves.fraction, np.float32),
            "deletion": np.asarray(curves.deletion, np.float32),
            "insertion": np.asarray(curves.insertion, np.float32),
            "random_deletion": np.asarray(curves.random_deletion.mean(0), np.float32),
            "random_insertion": np.asarray(curves.random_insertion.mean(0), np.float32),
        }
    cascade = details.get("cascade") or ()
    if cascade:
        meta["cascade_layers"] = [layer for layer, _ in cascade]
        values = [np.nan if value is None else value for _, value in cascade]
        arrays["cascade"] = np.array(values, np.float32)
    return meta, arrays
