"""What a model returned, read as scores: which tensor counts, and what its numbers are.

Whether one number a sample is the logit of a yes-or-no question or a prediction of a quantity
cannot be seen in the number. It is taken for a probability if a sigmoid made it, for a logit if
whoever asks says so (or names two classes), and for a quantity otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from nnwidgets.explain.explanation import Target
from nnwidgets.probe.outputs import Part, main_part, parts
from nnwidgets.probe.refusal import Refusal

__all__ = ["KINDS", "OutputKind", "Readout", "checked_target", "output_kind", "scored_part"]

KINDS: Final = (
    "logits",
    "logit",
    "probabilities",
    "probability",
    "log_probabilities",
    "regression",
    "other",
)

_SCORES: Final = ("logits", "probs", "probabilities", "scores", "out", "prediction", "predictions")
_ROUNDING: Final = {torch.float64: 1e-6, torch.float32: 1e-4}
_NORMALISING: Final = {"Softmax": "probabilities", "LogSoftmax": "log_probabilities"}
# What only brings the numbers into another shape or type, so that what made them lies before it.
_SHAPES: Final = (
    "Squeeze",
    "Unsqueeze",
    "View",
    "UnsafeView",
    "Reshape",
    "Select",
    "Slice",
    "Index",
    "ToCopy",
    "Transpose",
    "Permute",
    "Clone",
    "Alias",
    "T",
)


@dataclass(frozen=True)
class OutputKind:
    """What the numbers are that a model returns.

    Attributes
    ----------
    kind
        ``"logits"``: one a class, before a softmax. ``"logit"``: one number, before a sigmoid.
        ``"probabilities"``, ``"log_probabilities"``: one a class. ``"probability"``: one number,
        after a sigmoid. ``"regression"``: one or several quantities. ``"other"``: more than one
        axis besides the batch (tokens, pixels), so that a target names a place.
    classes
        How many integer targets there are: classes, or outputs of a regression; 0 for "other".
    shape
        Of the scores of one sample.
    exclusive
        Whether the classes' probabilities add up to one.
    along
        Of "other": what the numbers are along the axis of the classes.
    """

    kind: str
    classes: int
    shape: tuple[int, ...]
    exclusive: bool = True
    along: str | None = None

    @property
    def numbers(self) -> str:
        """What each number is, also where the kind is "other"."""
        return self.along or self.kind

    @property
    def single(self) -> bool:
        """Whether there is one number a sample."""
        return all(size == 1 for size in self.shape)

    @property
    def class_axis(self) -> int:
        """Which axis of one sample's scores counts the classes: pixels have it first."""
        return 0 if len(self.shape) == 3 else -1


def scored_part(output: Any, batch: int) -> int:
    """Return which tensor in an output holds the scores.

    Parameters
    ----------
    output
        A tensor, or tensors in nested tuples, mappings and dataclasses.
    batch
        Samples that the model was given.

    Returns
    -------
    int
        Index into `nnwidgets.probe.outputs.parts`: what is named ``logits`` or the like, or else
        the first that has several numbers.

    Raises
    ------
    Refusal
        If there is no such tensor with one row a sample.
    """
    found = parts(output)
    named = [n for n, part in enumerate(found) if part.label.split(".")[-1] in _SCORES]
    for number in [*named, main_part(found)] if found else []:
        if _is_scores(found[number], batch):
            return number
    raise Refusal("explain.output_none", found=", ".join(_described(p) for p in found[:4]) or "–")


def _is_scores(part: Part, batch: int) -> bool:
    value = part.value
    return (
        isinstance(value, Tensor)
        and value.dtype.is_floating_point
        and not value.is_nested
        and value.dim() > 0
        and value.shape[0] == batch
        and value.numel() > 0
    )


def _described(part: Part) -> str:
    return f"{part.label} {part.shape}".strip()


def output_kind(
    scores: Tensor,
    *,
    binary: bool | None = None,
    classes: int | None = None,
    given: str | None = None,
) -> OutputKind:
    """Say what scores are.

    Parameters
    ----------
    scores
        (samples, …) of some samples; with a graph if there is one, which tells what made them.
    binary
        Whether one number a sample is a logit of class 1 against class 0; None: not known.
    classes
        How many classes have names; None: not known.
    given
        One of `KINDS`, for what cannot be seen, such as several regression outputs.

    Raises
    ------
    Refusal
        If they cannot be what was said.
    """
    shape = tuple(scores.shape[1:])
    long = [size for size in shape if size > 1]
    if len(long) > 1:
        if given not in (None, "other", "logits", "probabilities", "log_probabilities"):
            raise Refusal("explain.output_kind", kind=str(given), shape=_size(shape))
        kind = OutputKind("other", 0, shape)
        rows = scores.detach().double().movedim(1 if kind.class_axis == 0 else -1, 1)
        along = given if given not in (None, "other") else _normalised(rows, scores.dtype)
        return OutputKind("other", 0, shape, along=along or "logits")
    if not long:
        one = _of_one(scores, binary, classes, given)
        return OutputKind(one, 1 if one == "regression" else 2, shape)
    count = long[0]
    if given in ("logit", "probability"):
        raise Refusal("explain.output_kind", kind=given, shape=_size(shape))
    if classes is not None and classes != count and given != "regression":
        raise Refusal("explain.class_count", given=str(classes), count=str(count))
    made = _made_by(scores)
    rows = scores.detach().double().flatten(1)
    seen = _normalised(rows, scores.dtype) or _NORMALISING.get(made)
    if seen is None and made == "Sigmoid":
        return OutputKind(given or "probabilities", count, shape, exclusive=False)
    return OutputKind(given or seen or "logits", count, shape)


def _of_one(scores: Tensor, binary: bool | None, classes: int | None, given: str | None) -> str:
    if classes is not None and classes != 2 and given != "regression" and binary is not False:
        raise Refusal("explain.class_count_one", given=str(classes))
    if given in ("logit", "probability", "regression"):
        return given
    if given is not None:
        raise Refusal("explain.output_kind", kind=given, shape="1")
    if binary is False:
        return "regression"
    if _made_by(scores) == "Sigmoid":
        return "probability"
    return "logit" if binary or classes == 2 else "regression"


def _normalised(rows: Tensor, dtype: torch.dtype) -> str | None:
    """Say whether numbers are probabilities along axis 1, or logarithms of such."""
    close = _ROUNDING.get(dtype, 2e-2)
    rows = rows.movedim(1, -1).flatten(0, -2)
    rows = rows[torch.isfinite(rows.exp()).all(1) & ~rows.isnan().any(1)]
    if not len(rows):
        return None
    if bool((rows >= 0).all()) and bool(((rows.sum(1) - 1).abs() <= close).all()):
        return "probabilities"
    if bool((rows <= 0).all()) and bool(((rows.exp().sum(1) - 1).abs() <= close).all()):
        return "log_probabilities"
    return None


def _made_by(scores: Tensor) -> str:
    """Return the operation that made the numbers, by the graph's name for it; empty if unknown."""
    node: Any = scores.grad_fn
    for _ in range(12):
        if node is None:
            return ""
        name = type(node).__name__.partition("Backward")[0]
        if name not in _SHAPES:
            return name
        node = node.next_functions[0][0] if node.next_functions else None
    return ""


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"


def checked_target(target: Any, kind: OutputKind) -> Target:
    """Return a target that fits the scores, integers as plain ones.

    Parameters
    ----------
    target
        An integer, a tuple of integers or a callable.
    kind
        Of the scores.

    Raises
    ------
    Refusal
        If it lies outside, or if the scores need a tuple.
    TypeError
        If it is nothing of the kind.
    """
    if target is None or (callable(target) and not isinstance(target, Tensor)):
        return target
    if isinstance(target, (tuple, list)):
        return _checked_place(tuple(_whole(item) for item in target), kind)
    number = _whole(target)
    if kind.kind == "other":
        raise Refusal("explain.target_place", shape=_size(kind.shape), axes=str(len(kind.shape)))
    if not 0 <= number < kind.classes:
        key = "explain.target_only" if kind.classes == 1 else "explain.target_range"
        raise Refusal(key, target=str(number), last=str(kind.classes - 1))
    return number


def _checked_place(place: tuple[int, ...], kind: OutputKind) -> Target:
    if len(place) == 1 and kind.kind != "other":
        return checked_target(place[0], kind)
    if len(place) != len(kind.shape):
        raise Refusal("explain.target_place", shape=_size(kind.shape), axes=str(len(kind.shape)))
    if not all(0 <= at < size for at, size in zip(place, kind.shape, strict=True)):
        raise Refusal("explain.target_outside", target=str(place), shape=_size(kind.shape))
    return place


def _whole(value: Any) -> int:
    if isinstance(value, Tensor) and value.dim() == 0 and not value.dtype.is_floating_point:
        value = value.item()
    if isinstance(value, bool):
        value = None
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            "target must be an integer, a tuple of integers, a callable that takes the model's "
            "output and returns one number a sample, or None"
        ) from None


@dataclass(frozen=True, eq=False)
class Readout:
    """How a target's score is read from what a model returns.

    Attributes
    ----------
    kind
        Of the scores.
    part
        Which tensor of the output holds them.
    scores_of
        Picks or builds them from the output instead, if given.
    target
        An integer, a place, a callable on the output, or None for the one output of a regression.
    """

    kind: OutputKind
    part: int
    scores_of: Callable[[Any], Any] | None
    target: Target

    def scores(self, output: Any) -> Tensor:
        """Return the tensor that holds the scores, (N, …)."""
        if self.scores_of is not None:
            built = self.scores_of(output)
            if not isinstance(built, Tensor) or built.dim() == 0:
                raise Refusal("explain.target_of", got=type(built).__name__)
            return built
        if isinstance(output, Tensor):
            return output
        found = parts(output)
        value = found[self.part].value if self.part < len(found) else None
        if not isinstance(value, Tensor):
            raise Refusal("explain.output_none", found=", ".join(map(_described, found[:4])) or "–")
        return value

    def score(self, output: Any) -> Tensor:
        """Return the target's score, (N,), in the model's own units.

        Of one logit z, class 1 has the score z and class 0 the score −z; of one probability p,
        p and 1 − p.
        """
        if callable(self.target):
            return one_a_sample(self.target(output))
        scores = self.scores(output)
        if isinstance(self.target, tuple):
            return _at(scores, self.target)
        rows = scores.flatten(1) if scores.dim() > 1 else scores[:, None]
        if self.kind.kind == "logit":
            return rows[:, 0] if self.target == 1 else -rows[:, 0]
        if self.kind.kind == "probability":
            return rows[:, 0] if self.target == 1 else 1 - rows[:, 0]
        return rows[:, self.target or 0]

    def probability(self, output: Any) -> Tensor:
        """Return the target's probability, (N,); its score where there is no such thing.

        That is the case for regression and for callable targets.
        """
        if callable(self.target) or self.kind.kind in ("regression", "probability"):
            return self.score(output)
        if self.kind.kind == "logit":
            return torch.sigmoid(self.score(output))
        scores = self.scores(output)
        if isinstance(self.target, tuple):
            axis = 1 if self.kind.class_axis == 0 else scores.dim() - 1
            return _at(self._shares(scores, axis), self.target)
        rows = scores.flatten(1)
        return self._shares(rows, 1)[:, self.target or 0]

    def _shares(self, scores: Tensor, axis: int) -> Tensor:
        if self.kind.numbers == "probabilities":
            return scores
        if self.kind.numbers == "log_probabilities":
            return scores.exp()
        return scores.softmax(axis)


def _at(scores: Tensor, place: tuple[int, ...]) -> Tensor:
    for index in place:
        scores = scores.select(1, index)
    return scores


def one_a_sample(score: Any) -> Tensor:
    """Return what a callable target gave, as (N,).

    Raises
    ------
    Refusal
        If it is not one number a sample.
    """
    if isinstance(score, Tensor) and score.dim() == 2 and score.shape[1] == 1:
        score = score[:, 0]
    if not isinstance(score, Tensor) or score.dim() != 1 or not score.dtype.is_floating_point:
        got = _size(score.shape) if isinstance(score, Tensor) else type(score).__name__
        raise Refusal("explain.target_callable", got=got)
    return score
