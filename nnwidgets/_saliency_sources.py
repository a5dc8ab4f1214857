"""What a viewer is asked and knows: wishes, answers, and the weights that they are of."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import torch
import traitlets as t
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nnwidgets._inspector_sample import ProbeBatch
from nnwidgets._saliency_described import Given
from nnwidgets._saliency_film import Film
from nnwidgets._saliency_solving import Solver, cannot, captum_is_loaded
from nnwidgets._saliency_wish import Answer, Wish
from nnwidgets.explain.applicability import Applicability
from nnwidgets.explain.question import Question
from nnwidgets.live.jobs import Job
from nnwidgets.live.looks import Looks
from nnwidgets.live.session import Session
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.snapshot_watch import SnapshotWatch
from nnwidgets.probe.snapshots import state_of
from nnwidgets.probe.tree import unwrap
from nnwidgets.probe.twin import Twin, TwinError

__all__ = ["Sources", "View", "Weights"]

log = logging.getLogger("nnwidgets")

R = TypeVar("R")
Weights = Mapping[str, Tensor]

_QUICK_SECONDS: Final = 0.1  # what takes longer does not hold a training, or a click, up
_REMEMBERED: Final = 48  # answers
_REMEMBERED_BYTES: Final = 64 << 20  # that they take together


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


class Sources(Looks):
    """The part of a viewer that knows what was asked, and what the answers are of.

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
        self._obstacle: Exception | None = None  # why nothing can be asked
        self._era = 0  # grows when answers to the same question may differ
        super().__init__(session, budget=budget, language=language)

    # -- what is wanted --------------------------------------------------------------------

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

    @property
    def _is_past(self) -> bool:
        """Whether what is shown is of stored weights, which no step changes."""
        answers = self._view.answers
        return bool(answers) and answers[0].past

    @property
    def _left_behind(self) -> bool:
        """Whether the loop has gone on since the picture was made of what was newest then."""
        answers, session = self._view.answers, self._session
        if not answers or answers[0].past or answers[0].step == session.step:
            return False
        return session.cursor is None or session.cursor < session.step

    # -- what is known ---------------------------------------------------------------------

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

    def _is_quick(self, question: Question, wish: Wish) -> bool:
        # Importing captum takes a second or two, for which no training is held up.
        ready = captum_is_loaded() or not self._session.training
        return ready and self._solver.seconds(question, wish) <= _QUICK_SECONDS

    def _failed(self, wish: Wish, step: int, problem: Exception) -> Answer:
        """Return an answer that says what went wrong, in the place of the one that was asked."""
        if not isinstance(problem, (TwinError, ValueError, TypeError)):
            log.error("%s could not be worked out", wish.method, exc_info=problem)
        return cannot(wish, step, problem, self._shown_language)

    # -- at rest ---------------------------------------------------------------------------

    def _plan(self) -> Applicability:
        """Return what can be asked of the model as it is.

        Raises
        ------
        ValueError
            If the model is gone.
        """
        if self._session.model is None:
            raise Refusal("explain.view.model_gone")

        def work() -> Applicability:
            with self._twin.open() as root:
                return self._solver.plan(self._solver.question(root), self._wish)

        return self._at_rest(work)

    def _keep(self, name: str, weights: Weights | None) -> None:
        model = self._session.model
        if model is None:
            raise Refusal("explain.view.model_gone")
        if weights is None:
            held = self._at_rest(lambda: _copies(state_of(unwrap(model))))
        else:
            wanted = state_of(unwrap(model))
            _check_whole(weights, wanted)
            held = _copies({entry: weights[entry] for entry in wanted})

            def fits() -> None:
                try:
                    with self._twin.open(held):
                        pass
                except TwinError as problem:
                    raise ValueError(str(problem)) from None

            self._at_rest(fits)
        with self._shelf:
            self._checkpoints = {**self._checkpoints, name: held}
            about = [key for key, one in self._answers.items() if one.wish.checkpoint == name]
            for key in about:
                del self._answers[key]
            if any(wish.checkpoint == name for wish in self._jobs_wishes):
                self._supersede()
        if self._other == ("checkpoint", name):
            self._changed()


def _check_whole(weights: Weights, wanted: Weights) -> None:
    """Raise ValueError unless these are all weights of a model, in their shapes."""
    unknown = [entry for entry in weights if entry not in wanted]
    if unknown:
        raise ValueError(f"weights hold {_few(unknown)}, which the model has not.")
    for entry, tensor in weights.items():
        if tensor.shape != wanted[entry].shape:
            there, given = tuple(wanted[entry].shape), tuple(tensor.shape)
            raise ValueError(
                f"weights do not fit the model: {entry} has the shape {given}, not {there}."
            )
    missing = [entry for entry in wanted if entry not in weights]
    if missing:
        raise ValueError(f"weights lack {_few(missing)}: pass a whole state dict of the model.")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _copies(state: Mapping[str, Tensor]) -> Weights:
    with torch.no_grad():
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}


def _version(tensor: Tensor) -> int:
    # One that is still lazy, or was made in inference mode, counts no changes.
    return 0 if is_lazy(tensor) or tensor.is_inference() else tensor._version
