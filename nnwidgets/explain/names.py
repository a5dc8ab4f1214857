"""Names of features, classes and tokens: checked, and texts throughout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.inputs import Slot
    from nnwidgets.explain.question import Question

__all__ = ["class_names", "feature_names", "token_texts"]


def _texts(given: Any, what: str) -> tuple[str, ...]:
    """Return names as texts; they are shown as they are, never as HTML."""
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise TypeError(f"{what} must be a sequence of names, not {type(given).__name__}")
    return tuple(str(name) for name in given)


def class_names(given: Any, question: Question) -> tuple[str, ...]:
    """Return the names of the classes; of a regression those of its outputs.

    Parameters
    ----------
    given
        Names, or None: numbers stand for them.
    question
        The model.

    Raises
    ------
    Refusal
        If there are not as many as classes.
    TypeError
        If it is no sequence.
    """
    count = question.output.classes
    if given is None:
        return tuple(str(number) for number in range(count))
    names = _texts(given, "class_names")
    if count and len(names) != count:
        raise Refusal("explain.class_count", given=str(len(names)), count=str(count))
    return names


def feature_names(given: Any, slot: Slot) -> tuple[str, ...] | None:
    """Return the names of the features of a table, a sequence or the channels of a signal.

    Parameters
    ----------
    given
        Names; None: there are none.
    slot
        The input.

    Raises
    ------
    Refusal
        If there are not as many as features, or if the input has no features to name.
    TypeError
        If it is no sequence.
    """
    if given is None:
        return None
    names = _texts(given, "feature_names")
    count = _features(slot)
    if count is None:
        raise Refusal("explain.feature_kind", kind=slot.kind)
    if len(names) != count:
        raise Refusal("explain.feature_count", given=str(len(names)), count=str(count))
    return names


def _features(slot: Slot) -> int | None:
    if slot.kind == "table":
        return slot.shape[0] if slot.shape else 1
    if slot.kind == "sequence":
        return slot.shape[1] if len(slot.shape) == 2 else 1
    if slot.kind == "signal":
        return slot.shape[0] if len(slot.shape) == 2 else 1
    return None


def token_texts(given: Any, slot: Slot, index: int, count: int) -> tuple[str, ...] | None:
    """Return the texts of one sample's tokens.

    Parameters
    ----------
    given
        A sequence of texts for each sample; one sequence if there is one sample; a vocabulary (a
        mapping from ids to texts, or from texts to ids, or a callable from an id to a text);
        None: the ids themselves.
    slot
        The input, with the ids of this sample; of embedded inputs without ids, its steps.
    index
        Which sample.
    count
        How many there are.

    Returns
    -------
    tuple of str or None
        One text a token; None if there are neither texts nor ids.

    Raises
    ------
    Refusal
        If there are not as many texts as tokens or samples, or if a callable raises.
    TypeError
        If it is nothing of the kind.
    """
    ids = None if slot.token_ids is None else [int(one) for one in slot.token_ids.ravel()]
    length = len(ids) if ids is not None else (slot.shape[0] if slot.shape else 1)
    if given is None:
        return None if ids is None else tuple(map(str, ids))
    if isinstance(given, dict) or callable(given):
        if ids is None:
            raise Refusal("explain.tokens_no_ids")
        return tuple(_looked_up(given, ids))
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        if isinstance(given, (str, bytes)) or not hasattr(given, "tolist"):
            raise TypeError(
                "tokens must be a sequence of texts for each sample, or a vocabulary (a dict or a "
                f"callable from an id to a text), not {type(given).__name__}"
            )
        given = given.tolist()
    single = all(isinstance(one, str) for one in given)
    rows = [given] if single else list(given)
    if len(rows) != count:
        raise Refusal("explain.tokens_samples", given=str(len(rows)), count=str(count))
    texts = _texts(rows[index], "tokens")
    if len(texts) > length or (len(texts) < length and ids is None):
        raise Refusal("explain.tokens_count", given=str(len(texts)), count=str(length))
    # Padding is seldom written out: the ids stand for it.
    return texts + tuple(str(one) for one in (ids or [])[len(texts) :])


def _looked_up(given: Any, ids: list[int]) -> list[str]:
    if callable(given):
        try:
            return [str(given(one)) for one in ids]
        except Exception as problem:
            why = f"{type(problem).__name__}: {problem}"[:200]
            raise Refusal("explain.tokens_raised", problem=why) from problem
    if given and all(isinstance(key, str) for key in given):
        given = {number: word for word, number in given.items()}
    return [str(given.get(one, one)) for one in ids]
