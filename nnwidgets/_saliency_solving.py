"""Turning a wish into an answer: knows the samples and what was told of them, no widget."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nnwidgets._inspector_sample import ProbeBatch
from nnwidgets._saliency_described import Described, Given
from nnwidgets._saliency_drawn import drawn, slot_of
from nnwidgets._saliency_marks import marked, marks_of, words_of
from nnwidgets._saliency_pictures import Pictures
from nnwidgets._saliency_wish import Answer, Drawn, State, Target, Wish
from nnwidgets.catalogue import text
from nnwidgets.explain.applicability import Applicability, applicable
from nnwidgets.explain.asked import Asked
from nnwidgets.explain.baselines import baseline_names, baseline_tensors, baseline_words
from nnwidgets.explain.cancelling import never
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.methods import cost, explain, method_named
from nnwidgets.explain.question import Question
from nnwidgets.explain.spatial import SpatialLayer, default_layer
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["Given", "Solver", "cannot", "captum_is_loaded", "run_once", "waiting"]


def load_captum() -> None:
    """Import captum, which takes longer than most methods: it is no part of their time."""
    importlib.import_module("captum.attr")


def captum_is_loaded() -> bool:
    """Whether that has been done."""
    return "captum.attr" in sys.modules


def waiting(answer: Answer, state: State, old: Answer | None = None) -> Answer:
    """Return an answer that is not there yet, with an old picture if there is one.

    Parameters
    ----------
    answer
        What is known already.
    state
        ``"working"`` or ``"stale"``.
    old
        An answer to the same question at an earlier step.
    """
    if old is not None:
        return replace(old, wish=answer.wish, state=state)
    return replace(answer, state=state)


def cannot(wish: Wish, step: int, problem: Exception, language: str) -> Answer:
    """Return an answer that says why there is none."""
    key = getattr(problem, "key", None)
    said = text(key, language, **problem.params) if key else str(problem)  # type: ignore[attr-defined]
    return Answer(wish, step, state="failed", problem=said[:500])


@dataclass(eq=False)
class Solver(Described):
    """Answers wishes about one batch of samples.

    Parameters
    ----------
    probe
        The samples.
    given
        What was told of them.

    Attributes
    ----------
    applicability
        What can be asked, as of the newest `plan`.
    described
        Grows when the description of the samples changes.
    """

    probe: ProbeBatch
    given: Given
    applicability: Applicability | None = None
    described: int = 0
    _question: Question | None = None
    _pictures: Pictures | None = None
    _thumbs: NDArray[np.uint8] | None = None
    _layers: tuple[SpatialLayer, ...] = ()
    _default_layer: str | None = None
    _baselines: tuple[tuple[str, Words], ...] = ()
    _forward_seconds: float = 0.0
    _costs: dict[str, int] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)  # that a method took, by name

    def apart(self, root: nn.Module) -> tuple[Solver, Question]:
        """Return a solver and a question for a private copy in another thread."""
        known = self._question
        question = self._new_question(root) if known is None else known.on(root)
        return replace(self, _question=question, _costs=dict(self._costs)), question

    def forget(self) -> None:
        """Let go of the copy of the model."""
        self._question = None

    def question(self, root: nn.Module) -> Question:
        """Return the question to a private copy; the same one for the same copy."""
        if self._question is None or self._question.root is not root:
            self._question = self._new_question(root)
            self._pictures = Pictures(self._question, self.given.to_image)
            # Here, because the thread that sends them must not run the copy.
            self._thumbs = self._pictures.thumbs(self._question)
            self.applicability = None
            self.described += 1
        return self._question

    def _new_question(self, root: nn.Module) -> Question:
        names = self.given.class_names
        targets = self.given.targets or ()
        classes = any(isinstance(target, int) for target in targets)
        try:
            return Question(
                root,
                self.probe.sample,
                classes=None if names is None else len(names),
                # Whoever names a class of one number means yes and no.
                binary=True if classes and names is None else None,
            )
        except Refusal as refusal:
            pick = next((target for target in targets if callable(target)), None)
            if pick is None or refusal.key != "explain.output_none":
                raise
            # Boxes, say: there are no scores but those that the user's function makes of them.
            return Question(root, self.probe.sample, target_of=pick)

    def plan(self, question: Question, wish: Wish) -> Applicability:
        """Find out what can be asked of the model."""
        if self.applicability is None:
            asked = question.ask(wish.index, wish.target)
            self.applicability = applicable(question, wish.index, wish.target)
            self._layers = self.applicability.layers
            self._default_layer = default_layer(asked)
            self._baselines = tuple(
                (name, baseline_words(name, asked, question))
                for name in baseline_names(asked, question)
            )
            self._costs = {
                name: cost(asked, name, _shown_with(name)) for name in self.applicability.methods
            }
            self._forward_seconds = min(_timed(asked) for _ in range(2))
        return self.applicability

    def settled(self, wish: Wish, question: Question) -> Wish:
        """Return the wish with its open choices made.

        Raises
        ------
        Refusal
            If the method does not apply.
        """
        known = self.plan(question, wish)
        method = wish.method or known.default
        if method in known.unavailable:
            key, params = known.unavailable[method]
            raise Refusal(key, **params)
        return replace(wish, method=method)

    def same(self, one: Wish, other: Wish) -> bool:
        """Whether two settled wishes ask the same, whatever step they name and input they draw."""
        alike = replace(one, step=None, slot=0), replace(other, step=None, slot=0)
        if not method_named(one.method).uses_baseline:
            alike = replace(alike[0], baseline=""), replace(alike[1], baseline="")
        return alike[0] == alike[1]

    def is_slow(self, method: str) -> bool:
        """Whether a method takes a person's patience."""
        return self._estimate(method) > 0.3

    def seconds(self, question: Question, wish: Wish) -> float:
        """Return about how long a wish takes."""
        return self._estimate(wish.method)

    def _estimate(self, method: str, found: Explanation | None = None) -> float:
        known = self._seconds.get(method)
        if known is None:
            guessed = self._costs.get(method, 3) * self._forward_seconds
            return guessed if found is None else found.seconds
        return known

    # -- answers -------------------------------------------------------------------------

    def sketch(self, question: Question, wish: Wish, step: int, past: bool) -> Answer:
        """Return what is known without the explanation: input and classes."""
        scores, shares = self._classes(question, wish)
        return Answer(
            wish, step, past, scores=scores, probabilities=shares,
            tokens=self.tokens(wish.index, wish.slot),
        )  # fmt: skip

    def preview(self, question: Question, wish: Wish, step: int, past: bool) -> Answer:
        """Return a sketch with the input in it, to be shown while the map is worked out."""
        answer = self.sketch(question, wish, step, past)
        asked = question.ask(wish.index, _predicted(answer))
        slot = min(wish.slot, len(asked.slots) - 1)
        picture, said = self._natural(asked, slot)
        shown, said = self._marked(Drawn(asked.slots[slot].kind, None, picture), asked, slot, said)
        return replace(answer, drawn=shown, said=said)

    def solve(
        self,
        question: Question,
        wish: Wish,
        step: int,
        past: bool,
        cancelled: Callable[[], bool] = never,
        progress: Callable[[float], None] | None = None,
    ) -> Answer:
        """Answer a settled wish."""
        answer = self.sketch(question, wish, step, past)
        asked = question.ask(wish.index, _predicted(answer))
        options = _shown_with(wish.method)
        found = self.explained(asked, question, wish, options, cancelled, progress)
        picture, said = self._drawn(question, asked, wish, found)
        return replace(
            answer,
            explanation=found,
            drawn=picture,
            said=said,
            numbers=self._numbers(question, asked, answer, found),
        )

    def explained(
        self,
        asked: Asked,
        question: Question,
        wish: Wish,
        options: Mapping[str, Any],
        cancelled: Callable[[], bool] = never,
        progress: Callable[[float], None] | None = None,
        *,
        given: Any = None,
    ) -> Explanation:
        """Run the method of a settled wish, with `given` in place of the wish's baseline."""
        method = method_named(wish.method)
        baseline = self.baseline(wish) if given is None else given
        load_captum()
        found = explain(
            asked,
            wish.method,
            question=question,
            layer=self.layer(wish),
            baseline=baseline if method.uses_baseline else None,
            options=options,
            cancelled=cancelled,
            progress=progress,
        )
        if options == _shown_with(wish.method):
            # The shortest: what else the machine has to do does not make the method a slow one.
            self._seconds[wish.method] = min(found.seconds, self._estimate(wish.method, found))
        return found

    def uses_baseline(self, method: str) -> bool:
        """Whether a method compares with a baseline."""
        return bool(method) and method_named(method).uses_baseline

    def layer(self, wish: Wish) -> str | None:
        """Return the layer that a method looks at; None if it looks at none."""
        if not wish.method or not method_named(wish.method).needs_layer:
            return None
        return wish.layer or self._default_layer

    def baseline(self, wish: Wish) -> Any:
        """Return what stands for "nothing there"."""
        return self.given.baseline if wish.baseline == "given" else wish.baseline

    def _classes(
        self, question: Question, wish: Wish
    ) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
        place = wish.target if isinstance(wish.target, tuple) else None
        try:
            return question.scores(wish.index, place)
        except Refusal:  # of a place in an image: there are no classes to list
            return None, None

    def _drawn(
        self, question: Question, asked: Asked, wish: Wish, found: Explanation
    ) -> tuple[Drawn, tuple[Words, ...]]:
        slot = min(wish.slot, len(asked.slots) - 1)
        described = asked.slots[slot]
        values = slot_of(found.values, slot)
        given = self._given_values(asked, slot)
        picture, said = self._natural(asked, slot)
        values = self.channels_first(values, slot)
        spread = found.details.get("spread")
        spread = None if spread is None else slot_of(spread, slot)
        shown = drawn(described.kind, values, given, picture, spread)
        return self._marked(shown, asked, slot, said)

    def _natural(
        self, asked: Asked, slot: int
    ) -> tuple[NDArray[np.uint8] | None, tuple[Words, ...]]:
        """Return an image in natural colours and what was assumed; nothing of other kinds."""
        described = asked.slots[slot]
        if described.kind != "image" or self._pictures is None:
            return None, ()
        return self._pictures.of(asked.inputs[slot][0], described, slot)

    def _marked(
        self, shown: Drawn, asked: Asked, slot: int, said: tuple[Words, ...]
    ) -> tuple[Drawn, tuple[Words, ...]]:
        """Return a picture in which what is not finite can be seen, and the sentence on it."""
        if shown.kind != "image" or shown.input is None:
            return shown, said
        codes = marks_of(asked.inputs[slot][0], asked.slots[slot])
        if codes is None:
            return shown, said
        return replace(shown, input=marked(shown.input, codes)), (*said, words_of(codes))

    def channels_first(self, values: NDArray[Any], slot: int) -> NDArray[Any]:
        """Return an image's values as (channels, height, width); others as they are."""
        slots = () if self._question is None else self._question.slots
        described = slots[min(slot, len(slots) - 1)] if slots else None
        if described is None or described.kind != "image" or values.ndim != 3:
            return values
        return np.moveaxis(values, -1, 0) if described.channel_axis == -1 else values

    def _given_values(self, asked: Asked, slot: int) -> NDArray[Any] | None:
        described = asked.slots[slot]
        if described.token_ids is not None:
            return np.asarray(described.token_ids)
        value: NDArray[Any] = asked.inputs[slot][0].detach().float().cpu().numpy()
        return value

    def _numbers(
        self, question: Question, asked: Asked, answer: Answer, found: Explanation
    ) -> dict[str, float]:
        """Return what the values may be compared with: their sum, and the scores."""
        numbers = {}
        with torch.no_grad():
            if isinstance(asked.target, int) and answer.scores is not None:
                numbers["score"] = float(answer.scores[asked.target])
            else:
                numbers["score"] = float(asked.model(*asked.inputs, *asked.others)[0])
            if method_named(found.method).uses_baseline:
                nothing = baseline_tensors(asked, question, self.baseline(answer.wish))
                numbers["baseline_score"] = float(asked.model(*nothing, *asked.others)[0])
        numbers["sum"] = float(sum(np.asarray(v, np.float64).sum() for v in found.arrays))
        return numbers

    # -- what the samples are --------------------------------------------------------------

    def thumbs(self) -> tuple[str, NDArray[np.uint8] | None]:
        """Return the kind of the samples, and thumbnails of pictures."""
        if self._question is None or self._pictures is None:
            return self.probe.picture()
        return self._question.kind, self._thumbs

    def layers(self) -> tuple[SpatialLayer, ...]:
        """Return the layers that maps can be made of, in the order of the forward pass."""
        return self._layers

    def baselines(self) -> tuple[tuple[str, Words], ...]:
        """Return name and words of the baselines that can be chosen."""
        if self.given.baseline_name != "given":
            return self._baselines
        return (("given", ("explain.baseline.given", {})), *self._baselines)


def _predicted(answer: Answer) -> Target:
    """Return the target of an answer's wish; where it names none, what the model answers."""
    if answer.wish.target is not None or answer.probabilities is None or answer.scores is None:
        return answer.wish.target
    return int(np.nan_to_num(answer.scores, nan=-np.inf).argmax())


def _shown_with(method: str) -> Mapping[str, Any]:
    """Return the options of what is shown: of a surrogate also how far it differs by its seed."""
    return {"seeds": 3} if method in ("lime", "kernel_shap") else {}


def run_once(asked: Asked) -> None:
    """Run the model on one sample."""
    with torch.no_grad():
        asked.model(*asked.inputs, *asked.others)


def _timed(asked: Asked) -> float:
    begun = perf_counter()
    run_once(asked)
    return perf_counter() - begun
