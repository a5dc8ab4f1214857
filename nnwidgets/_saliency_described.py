"""What samples, classes, features and tokens are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from torch import Tensor

from nnwidgets._saliency_wish import Target
from nnwidgets.explain.names import class_names, feature_names, token_texts
from nnwidgets.explain.outputs import checked_target
from nnwidgets.explain.question import Question

__all__ = ["Described", "Given"]

_MOST_LABELS: Final = 64  # samples of which a text is read


@dataclass(frozen=True, eq=False)
class Given:
    """What the user has told about the samples.

    Attributes
    ----------
    targets
        What to ask about, one a sample; None for what the model answers.
    class_names, feature_names
        In the order of the outputs and of the features.
    tokens
        Texts of the tokens of each sample, or a vocabulary.
    to_image
        Turns one sample into a picture.
    baseline
        As given: a name, a number, tensors; None for zero.
    """

    targets: tuple[Target, ...] | None = None
    class_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    tokens: Any = None
    to_image: Callable[[Tensor], Any] | None = None
    baseline: Any = None

    @property
    def baseline_name(self) -> str:
        """Under which it is chosen."""
        if self.baseline is None:
            return "zero"
        return self.baseline if isinstance(self.baseline, str) else "given"

    def target(self, index: int) -> Target:
        """Return what to ask about for a sample."""
        return None if self.targets is None else self.targets[index]


class Described:
    """Names, as far as a question is known.

    Attributes
    ----------
    given
        What the user has told.
    """

    given: Given
    _question: Question | None

    def check_names(self) -> None:
        """Raise if what was told does not fit the model.

        Raises
        ------
        Refusal
            If there are not as many names as classes, features or tokens, or no such targets.
        """
        question, given = self._question, self.given
        if question is None:
            return
        class_names(given.class_names, question)
        feature_names(given.feature_names, question.slots[0])
        if given.tokens is not None:
            for index in range(min(question.count, _MOST_LABELS)):
                self.tokens(index, 0)
        for target in set(given.targets or ()):
            checked_target(target, question.output)

    def labels(self) -> list[str] | None:
        """Return a short text on each sample: its first tokens or its target; None for numbers."""
        question, given = self._question, self.given
        if given.tokens is not None and question is not None:
            few = range(min(question.count, _MOST_LABELS))
            return [" ".join(self.tokens(index, 0) or ())[:60] for index in few]
        if given.targets is None or any(not isinstance(one, int) for one in given.targets):
            return None
        names = self.classes()
        shown = [one for one in given.targets[:_MOST_LABELS] if isinstance(one, int)]
        return [names[one] if 0 <= one < len(names) else str(one) for one in shown]

    def classes(self) -> tuple[str, ...]:
        """Return the names of what can be asked about."""
        if self._question is None:
            return self.given.class_names or ()
        return class_names(self.given.class_names, self._question)

    def output_numbers(self) -> str:
        """Return what the model's numbers are (see ``nnwidgets.explain.outputs``)."""
        return "" if self._question is None else self._question.output.numbers

    def target_name(self, target: Target) -> str:
        """Return what a target is called."""
        names = self.classes()
        if isinstance(target, int):
            return names[target] if 0 <= target < len(names) else str(target)
        if target is None:
            return ""
        return getattr(target, "__name__", str(target))

    def slots(self) -> tuple[str, ...]:
        """Return the names of several inputs; none of one."""
        question = self._question
        if question is None or len(question.slots) < 2:
            return ()
        return tuple(slot.name for slot in question.slots)

    def features(self, slot: int, count: int) -> tuple[str, ...] | None:
        """Return the names of an input's features, if they were given and are those of it."""
        names = self.given.feature_names
        return names if slot == 0 and names is not None and len(names) == count else None

    def tokens(self, index: int, slot: int) -> tuple[str, ...] | None:
        """Return the texts of a sample's tokens; of ids without texts the ids; None for others."""
        question = self._question
        if question is None:
            return None
        described = question.slots[min(slot, len(question.slots) - 1)]
        given = self.given.tokens if slot == 0 else None
        ids = described.token_ids
        if ids is None and given is None:
            return None
        if ids is not None:
            ids = np.asarray(ids)
            described = replace(described, token_ids=ids[index] if ids.ndim > 1 else ids)
        return token_texts(given, described, index, question.count)
