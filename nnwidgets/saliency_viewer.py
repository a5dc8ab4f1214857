"""SaliencyViewer: why did the model say that, and how far to trust the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import traitlets as t
from torch import Tensor, nn

from nnwidgets._exporting import exported
from nnwidgets._inspector_arguments import check_inspected, nearest
from nnwidgets._inspector_sample import ProbeBatch
from nnwidgets._saliency_arguments import (
    check_inputs,
    check_method,
    checked_baseline,
    checked_names,
    checked_target,
    checked_targets,
    checked_tokens,
)
from nnwidgets._saliency_asking import Asking
from nnwidgets._saliency_described import Given
from nnwidgets._saliency_pages import held_panes
from nnwidgets._saliency_picture import SaliencyPicture
from nnwidgets._saliency_solving import Solver
from nnwidgets._saliency_wish import Wish
from nnwidgets._training_arguments import check_budget
from nnwidgets.catalogue import text
from nnwidgets.explain.applicability import Applicability
from nnwidgets.explain.explanation import Explanation
from nnwidgets.explain.question import Question
from nnwidgets.explain.registry import METHODS
from nnwidgets.explain.trust import trust
from nnwidgets.explain.verdict import TrustReport
from nnwidgets.live import wire
from nnwidgets.live.cells import retire_earlier
from nnwidgets.live.channel import Paced
from nnwidgets.live.jobs import Job
from nnwidgets.live.kernel import kernel_link
from nnwidgets.live.registry import inner_model
from nnwidgets.live.session import Session
from nnwidgets.live.widget import Part, action, bundle, check_language
from nnwidgets.probe.own_random import OwnRandom
from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SaliencyViewer"]

_BYTES_PER_SECOND: Final = 300_000
_AS_IT_IS: Final = object()
_OF_THE_CALL: Final = ("explain.class_count", "explain.class_count_one")

R = TypeVar("R")


class SaliencyViewer(Asking):
    """Which parts of an input a model's answer rests on, live, and how far to believe that.

    Attribution methods of captum, and some that it lacks, on fixed inputs, while the model trains.
    Everything is computed on a private copy of the model in evaluation mode; nothing of the model
    changes. What is quick happens between two training steps, what takes long in a thread of its
    own, with progress, and can be cancelled.

    Parameters
    ----------
    model
        Any module. Held weakly; nothing of it is changed.
    inputs
        The samples, batch first: a tensor, a tuple (positional inputs) or a dictionary (keyword
        inputs), as the model is called with them. Images (n, channels, height, width), tables
        (n, features), token ids (n, tokens), signals (n, channels, length), sequences
        (n, time, features).
    targets
        What to ask about: a class, one class a sample, or a function that takes the model's output
        and gives one score a sample, shape (n,). None: the class that the model answers.
    class_names, feature_names
        In the order of the outputs and of the features.
    tokens
        The texts of the tokens of each sample; or a vocabulary, a dictionary from ids to texts (or
        from texts to ids) or a function from an id to a text.
    to_image
        Turns one sample (a tensor without the batch) into a picture: (height, width) or
        (height, width, 3), floats in 0…1 or uint8. Without it a usual normalisation is guessed, and
        the widget says which.
    method
        One of ``nnwidgets.explain.registry.METHODS``; None: a sound one that applies.
    layer
        Name of the layer for methods that look at one; None: the last one with places.
    baseline
        What stands for "nothing there": a number, a tensor in the shape of one sample, or
        ``"zero"``, ``"mean"``, ``"blurred"``, ``"sample"``; None: zero.
    budget
        Fraction of wall time that watching may take, above 0 and at most 0.5.
    language
        ``"en"``, ``"zh"`` or None for the language of the page.

    Attributes
    ----------
    index : int
        The sample that is shown; can be set and observed, as all of these.
    target : int or tuple of int or callable or None
        What is asked about; None for what the model answers.
    method : str
        How.
    layer : str
        The layer; empty for the one that is chosen by itself.

    Raises
    ------
    TypeError, ValueError
        If an argument is not of these kinds, or a method does not apply; before anything has been
        changed.

    Examples
    --------
    >>> viewer = SaliencyViewer(model, images[:8], class_names=names)
    >>> viewer.explain(0, method="integrated_gradients").values.shape
    >>> viewer.trust(0).verdict
    """

    _esm = t.Unicode(bundle("saliency_viewer.js")).tag(sync=True)
    _css = t.Unicode(bundle("saliency_viewer.css")).tag(sync=True)

    def __init__(
        self,
        model: nn.Module,
        inputs: Any,
        *,
        targets: Any = None,
        class_names: Sequence[str] | None = None,
        feature_names: Sequence[str] | None = None,
        tokens: Any = None,
        to_image: Callable[[Tensor], Any] | None = None,
        method: str | None = None,
        layer: str | None = None,
        baseline: Any = None,
        budget: float = 0.02,
        language: str | None = None,
    ) -> None:
        check_inspected(model)
        check_inputs(inputs)
        if to_image is not None and not callable(to_image):
            raise TypeError("to_image must be a function of one sample, or None.")
        if method is not None:
            check_method(method)
        names = dict(inner_model(model).named_modules())
        if layer is not None and layer not in names:
            raise ValueError(nearest(layer, [name for name in names if name]))
        baseline = checked_baseline(baseline)
        check_budget(budget)
        check_language(language)
        probe = ProbeBatch(inputs)
        given = Given(
            checked_targets(targets, probe.count),
            checked_names(class_names, "class_names"),
            checked_names(feature_names, "feature_names"),
            checked_tokens(tokens, probe.count),
            to_image,
            baseline,
        )
        retire_earlier(type(self))
        session = Session.of(model, [], host=kernel_link())
        super().__init__(session, model, probe, given, budget=budget, language=language)
        try:
            self._set_up(method, layer)
        except BaseException:
            self.close()
            raise
        session.seek_optimizers()
        self._open_for_business()

    def _set_up(self, method: str | None, layer: str | None) -> None:
        self.target, self.layer = self._given.target(0), layer or ""
        self._wish = replace(self._wish, target=self.target, layer=self.layer)
        if self._session.hands_free:
            # A model that cannot be run yet is no mistake of the call: the widget says so.
            try:
                default = self._plan().default
            except (Refusal, RuntimeError) as problem:
                if getattr(problem, "key", "") in _OF_THE_CALL:
                    raise
                default, self._obstacle = "", problem
            # … but names that do not fit, a target or a method that it does not have are.
            self._solver.check_names()
            try:
                self.method, self.layer = method or default, self.layer
                self._check_layer({"value": self.layer})
            except t.TraitError as problem:
                raise ValueError(str(problem)) from None
        else:
            self.method = method or ""
        self._wish = replace(self._wish, method=self.method)
        picture = SaliencyPicture(self, self._next_seq)
        for trait, build, pace in (
            ("_live", picture.live, Paced(0.1, _BYTES_PER_SECOND, 0.1)),
            ("_samples", picture.samples, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_choices", picture.choices, Paced(1.0, _BYTES_PER_SECOND, 0.1)),
            ("_picture", picture.picture, Paced(0.25, _BYTES_PER_SECOND, 0.4)),
            ("_film", picture.film, Paced(0.5, _BYTES_PER_SECOND, 0.2)),
            ("_trust", picture.trust, Paced(0.5, _BYTES_PER_SECOND, 0.1)),
            ("_importance", picture.importance, Paced(0.5, _BYTES_PER_SECOND, 0.1)),
        ):
            self._add_part(Part(trait, build, pace))

    # -- verbs ---------------------------------------------------------------------------

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that apply to this model and these inputs; none if it cannot be asked."""
        known = self._plan_or_reason()
        return () if isinstance(known, Exception) else tuple(known.methods)

    @property
    def unavailable(self) -> dict[str, str]:
        """Why the other methods do not apply, in one sentence each, by name."""
        known = self._plan_or_reason()
        if isinstance(known, Exception):
            return dict.fromkeys(METHODS, str(known))
        why = known.unavailable
        return {name: text(key, "en", **params) for name, (key, params) in why.items()}

    def explain(
        self,
        index: int | None = None,
        *,
        method: str | None = None,
        target: Any = _AS_IT_IS,
        layer: str | None = None,
        baseline: Any = _AS_IT_IS,
        **options: Any,
    ) -> Explanation:
        """Ask why, and wait for the answer.

        Parameters
        ----------
        index
            The sample; the shown one by default.
        method, layer, baseline
            As of the constructor; those of the widget by default.
        target
            A class, a place in the output, a function of the output; None for what the model
            answers. By default the target of the shown sample, of another one that given to the
            constructor.
        **options
            Of the method, by captum's names (``n_steps=200``), and ``seed``. The ``method`` of
            captum's integrated gradients is called ``integration`` here (``"riemann_middle"``).

        Returns
        -------
        Explanation
            ``.values`` has the shape of one sample; of class activation maps that of its plane; of
            token ids one value a token.

        Raises
        ------
        ValueError, TypeError
            If the method does not apply or an argument is out of range; in one sentence.
        """
        wish, given = self._named(index, method, target, layer, baseline)
        found = self._in_peace(
            lambda solver, question: solver.explained(
                question.ask(wish.index, wish.target),
                question,
                solver.settled(wish, question),
                options,
                given=given,
            )
        )
        hooked = [note for note in self._twin.notes if note[0] == "probe.twin_hooks"]
        if not hooked:
            return found
        sentences = tuple(text(key, "en", **params) for key, params in hooked)
        return replace(found, warnings=(*found.warnings, *sentences), words=(*found.words, *hooked))

    def trust(
        self, index: int | None = None, *, method: str | None = None, **options: Any
    ) -> TrustReport:
        """Try what speaks against a map: random weights, sums, deletion, noise.

        Parameters
        ----------
        index
            The sample; the shown one by default.
        method
            Of the map; the shown one by default.
        **options
            Of the method.

        Returns
        -------
        TrustReport
            Numbers, and words beside them. The widget shows it below the map that it is about.

        Raises
        ------
        ValueError
            If the method does not apply.
        """
        wish, given = self._named(index, method, _AS_IT_IS, None, _AS_IT_IS)

        def work(solver: Solver, question: Question) -> tuple[Wish, TrustReport]:
            settled = solver.settled(wish, question)
            return settled, trust(
                question.ask(settled.index, settled.target),
                settled.method,
                question=question,
                layer=solver.layer(settled),
                baseline=given,
                options=options,
                language=self.language or "en",
            )

        step, era = self._session.step, self._era
        settled, report = self._in_peace(work)
        self._checked_now(settled, step, era, report)
        return report

    def compare(self, by: str | None = None, value: Any = None) -> None:
        """Show a second pane on the same scale, or go back to one.

        Parameters
        ----------
        by
            ``"method"``, ``"target"``, ``"step"`` or ``"checkpoint"``; None for one pane.
        value
            What the second pane shows: a method's name, a class, a step, the name of a checkpoint.

        Raises
        ------
        ValueError
            If there is no such thing.
        """
        self._click_compare(by, value)

    def keep(self, name: str, weights: Mapping[str, Any] | None = None) -> None:
        """Keep weights under a name, to compare with.

        Parameters
        ----------
        name
            Of the checkpoint.
        weights
            A state dict; None for the model's weights as they are now. Copied, to the CPU.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            If they are no weights, or do not fit the model.
        """
        if not isinstance(name, str):
            raise TypeError(f"the name of a checkpoint must be a text, not {name!r}.")
        if not name:
            raise ValueError("a checkpoint needs a name, a text that is not empty.")
        if weights is not None and not isinstance(weights, Mapping):
            raise TypeError(f"weights must be a state dict, not {type(weights).__name__}.")
        for entry, tensor in (weights or {}).items():
            if not isinstance(tensor, Tensor):
                kind = type(tensor).__name__
                raise TypeError(f"weights must hold tensors; {entry!r} is of type {kind}.")
        self._keep(name, weights)
        self._part_changed("_choices")

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Names of the weights that were kept."""
        return tuple(self._checkpoints)

    @property
    def status(self) -> str:
        """What can and cannot be observed, in plain sentences."""
        return " ".join(self._say_what_is_seen(self.language or "en"))

    def figure(self, *, dark: bool = False) -> Figure:
        """Return what is shown as a matplotlib figure.

        Parameters
        ----------
        dark
            On a dark ground.
        """
        from nnwidgets.export.saliency_figure import saliency_figure

        self._have_answers()
        picture, trust_part = (
            wire.unpack(packed) if packed else None for packed in (self._picture, self._trust)
        )
        return saliency_figure(picture, trust_part, dark=dark, language=self.language or "en")

    def save_html(self, path: str | PathLike[str]) -> None:
        """Write one offline page that shows what is shown, other samples and other methods too.

        Parameters
        ----------
        path
            Of the file.
        """
        from nnwidgets.export.html import save_page

        self._have_answers()
        save_page(path, self, title=self._page_title)

    def held(self) -> dict[str, Any]:
        """Return the pictures that a saved page holds (see ``js/src/offline.ts``)."""
        return self._at_rest(lambda: held_panes(self))

    @action("export", long=True)
    def _export(self, job: Job, format: str, dark: bool = False) -> dict[str, Any]:
        """Make a file for the browser; drawing takes too long to hold the training up."""
        return exported(self, format, f"{self.method}-{self.index}", dark=dark)

    # -- inside --------------------------------------------------------------------------

    def _named(
        self, index: int | None, method: str | None, target: Any, layer: str | None, baseline: Any
    ) -> tuple[Any, Any]:
        """Return a wish, and the baseline itself."""
        if self._session.model is None:
            raise Refusal("explain.view.model_gone")
        if method is not None:
            check_method(method)
        if index is None:
            index = self.index
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise TypeError(f"index must be a whole number, not {index!r}.")
        count = self._probe.count
        if not -count <= index < count:
            raise ValueError(
                f"index must be from 0 to {count - 1}: inputs hold {count} samples; not {index}."
            )
        index = int(index) % count
        if target is _AS_IT_IS:
            target = self.target if index == self.index else self._given.target(index)
        if baseline is _AS_IT_IS:
            baseline = self._solver.baseline(self._wish)
        baseline = checked_baseline(baseline)
        wish = replace(
            self._wish,
            index=index,
            target=checked_target(target),
            method=method or self.method,
            layer=self.layer if layer is None else layer,
            step=None,
        )
        return wish, baseline

    def _in_peace(self, work: Callable[[Solver, Question], R]) -> R:
        """Run `work` on the twin if nothing trains, else on a copy beside the training."""

        def at_once() -> R:
            with self._twin.open() as root:
                return work(self._solver, self._solver.question(root))

        session = self._session
        if session.hands_free or not self._twin.copied:
            return self._at_rest(at_once)
        root, _, _ = self._at_rest(lambda: self._private(replace(self._wish, step=None)))
        with OwnRandom():
            return work(*self._solver.apart(root))

    def _plan_or_reason(self) -> Applicability | Exception:
        """Return what can be asked; or why nothing can, such as a target that has to be given."""
        try:
            known = self._plan()
        except Refusal as refusal:
            if self._session.model is None:
                raise
            self._obstacle = refusal
            return refusal
        self._obstacle = None
        return known

    def _have_answers(self) -> None:
        if self._view.answers and self._session.model is not None:
            shown = self._view.answers[0]
            by_hand = shown.weights != self._weights(shown.wish, shown.past)
            self._stale = self._stale or by_hand  # no optimiser's step has told of it
        for _ in range(2):  # what was begun before the last step is worked out again
            if self._stale:
                self._at_rest(self._look)
            self._wait_for_answers(60.0)
        self.flush()

    @property
    def _page_title(self) -> str:
        return f"{type(self._session.model).__name__} · {self.method}"
