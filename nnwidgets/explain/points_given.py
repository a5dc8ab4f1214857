"""Points as they were given: tables, tensors, frames; labels as numbers or as names.

What cannot be drawn or learned from is left out and said; what cannot be meant is refused in a
sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from nnwidgets.explain.plane_base import FARTHEST
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.refusal import Refusal

__all__ = [
    "Points",
    "all_kept",
    "label_array",
    "label_notes",
    "left_out",
    "points_given",
    "within",
]

_MOST_CLASSES: Final = 20
_GLANCE: Final = 256


@dataclass(frozen=True, eq=False)
class Points:
    """Points that can be drawn and learned from.

    Attributes
    ----------
    X
        (n, features), floating, finite and not too large to be drawn.
    y
        (n,): classes as int64 from 0, or values as a floating type; None where none are known.
    class_names
        One name a class, if names are known.
    feature_names
        One name a feature, if names are known.
    notes
        What is to be said, as keys of the catalogue.
    kept
        (n,): which rows of what was given these are.
    """

    X: NDArray[Any]
    y: NDArray[Any] | None
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    notes: tuple[Words, ...]
    kept: NDArray[np.intp]

    @property
    def classes(self) -> bool:
        """Whether the labels are classes; also where there are none."""
        return self.y is None or self.y.dtype.kind == "i"


def points_given(
    X: Any, y: Any = None, *, class_names: Sequence[str] | None = None, width: int | None = None
) -> Points:
    """Read points and labels.

    Parameters
    ----------
    X
        (n, features): array, tensor, frame or nested lists.
    y
        (n,) or (n, 1). Integers, booleans and names are classes; floating numbers are values. Names
        that are not in `class_names` cannot be; without `class_names` they are put in order.
    class_names
        One name a class, in the order of the model's outputs.
    width
        How many features there must be; None: any number.

    Raises
    ------
    Refusal
        If `X` or `y` holds no numbers, if `X` is no table of them, has another width or no
        finite row, or if the labels do not fit it or the names.
    """
    table = _numbers(X)
    if table.ndim != 2:
        raise Refusal("explain.points.table", shape=_size(table.shape))
    if width is not None and table.shape[1] != width:
        raise Refusal("explain.points.width", given=str(table.shape[1]), width=str(width))
    names = None if class_names is None else tuple(str(name) for name in class_names)
    labels, names = (None, names) if y is None else _labels(y, len(table), names)
    finite, near = np.isfinite(table).all(1), within(table).all(1)
    if labels is not None and labels.dtype.kind == "f":
        finite &= np.isfinite(labels)
        near &= within(labels)
    if len(table) and not near.any():
        if within(table).all():
            raise Refusal("explain.points.label_finite")
        raise Refusal("explain.points.far" if finite.any() else "explain.points.none_finite")
    kept = np.flatnonzero(near)
    total = str(len(table))
    notes: list[Words] = []
    for key, lost in (
        ("explain.points.not_finite", int((~finite).sum())),
        ("explain.points.far_left_out", int((finite & ~near).sum())),
    ):
        if lost:
            notes.append((key, {"count": str(lost), "total": total}))
    # Copies: what is edited here is not what the user holds.
    table = np.array(table[kept])
    labels = None if labels is None else np.array(labels[kept])
    notes += label_notes(labels, names)
    columns = getattr(X, "columns", None)
    features = None if columns is None else tuple(str(name) for name in columns)
    return Points(table, labels, names, features, tuple(notes), kept)


def all_kept(given: Points, count: int) -> Points:
    """Return points as they are; raise Refusal if one was left out for its label."""
    if len(given.X) != count:
        raise Refusal("explain.points.label_finite")
    return given


def within(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which numbers can be drawn: NaN, infinite and huge ones cannot."""
    largest = np.finfo(numbers.dtype).max if numbers.dtype.kind == "f" else FARTHEST
    near: NDArray[np.bool_] = np.abs(numbers) <= min(FARTHEST, float(largest))
    return near


def label_array(y: Any) -> NDArray[Any]:
    """Return labels as an array: of numbers, where all of them are."""
    labels = _array(y)
    if labels.dtype.kind == "O" and labels.size and all(map(_is_number, labels.ravel())):
        return np.asarray(labels.tolist())  # of a frame's column, as it often comes
    return labels


def _numbers(X: Any) -> NDArray[Any]:
    try:
        table = _array(X)
        if table.dtype.kind == "O":
            # A frame has its own sign for what is missing, which no number stands for.
            frame = hasattr(X, "to_numpy")
            table = X.to_numpy(np.float64, na_value=np.nan) if frame else table.astype(np.float64)
    except Refusal:
        raise
    except (TypeError, ValueError, RuntimeError):
        raise Refusal("explain.points.numbers") from None
    if table.dtype.kind not in "fiub":
        raise Refusal("explain.points.numbers")
    return table if table.dtype in (np.float32, np.float64) else table.astype(np.float32)


def _labels(
    y: Any, count: int, names: tuple[str, ...] | None
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    try:
        labels = label_array(y)
    except Refusal:
        raise
    except (TypeError, ValueError, RuntimeError):
        raise Refusal("explain.points.labels") from None
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise Refusal("explain.points.label_shape", shape=_size(labels.shape))
    if len(labels) != count:
        raise Refusal("explain.points.label_count", given=str(len(labels)), count=str(count))
    if labels.dtype.kind == "f":
        return labels, names
    if labels.dtype.kind in "iub":
        return _checked(labels.astype(np.int64), names), names
    if any(label is None or label != label for label in labels.tolist()):
        raise Refusal("explain.points.label_missing")
    texts = [str(label) for label in labels.tolist()]
    known = names if names is not None else tuple(sorted(set(texts), key=_order))
    places = {name: place for place, name in enumerate(known)}
    for text in texts:
        if text not in places:
            raise Refusal("explain.points.label_unknown", label=text, names=", ".join(known))
    return np.array([places[text] for text in texts], np.int64), known


def label_notes(labels: NDArray[Any] | None, names: Sequence[str] | None) -> list[Words]:
    """Return what is to be said of labels, as keys of the catalogue.

    Parameters
    ----------
    labels
        Classes from 0 or values; None where there are none.
    names
        Of the classes.
    """
    if labels is None:
        return []
    if labels.dtype.kind == "f":
        return [("explain.points.whole_values", {})] if _looks_like_classes(labels) else []
    if not len(labels) or labels.min() != labels.max():
        return []
    only = int(labels[0])
    return [("explain.points.one_class", {"name": names[only] if names else str(only)})]


def left_out(*given: Sequence[Words]) -> tuple[Words, ...]:
    """Put together what several sets of points say of those that could not be taken."""
    found: dict[str, dict[str, str]] = {}
    for key, params in (words for notes in given for words in notes if "total" in words[1]):
        known = found.setdefault(key, dict.fromkeys(params, "0"))
        found[key] = {name: str(int(known[name]) + int(params[name])) for name in params}
    return tuple(found.items())


def _looks_like_classes(labels: NDArray[Any]) -> bool:
    """Whether values are a few whole numbers from 0 on, as classes are."""
    if (labels[:_GLANCE] % 1).any():  # most values; to sort them takes a while
        return False
    found = np.unique(labels)
    return 2 <= len(found) <= _MOST_CLASSES and np.array_equal(found, np.arange(len(found)))


def _array(values: Any) -> NDArray[Any]:
    """Return anything as an array; in single precision tensors of types that numpy has not."""
    if isinstance(values, torch.Tensor):
        if any_without_data([values]):
            raise Refusal("explain.meta_data")
        values = values.detach().cpu()
        values = values.to_dense() if values.layout != torch.strided else values
        if values.dtype in (torch.bfloat16, torch.float16):
            values = values.float()
    elif hasattr(values, "toarray"):  # a sparse matrix of scipy
        values = values.toarray()
    return np.asarray(values)


def _is_number(value: object) -> bool:
    return isinstance(value, (bool, int, float, np.number, np.bool_))


def _order(name: str) -> tuple[float, str]:
    """Sort names that are numbers as numbers: "2" before "10"."""
    try:
        return float(name), name
    except ValueError:
        return inf, name


def _checked(labels: NDArray[np.int64], names: tuple[str, ...] | None) -> NDArray[np.int64]:
    if len(labels) and labels.min() < 0:
        raise Refusal("explain.points.label_negative", label=str(labels.min()))
    if names is not None and len(labels) and labels.max() >= len(names):
        raise Refusal(
            "explain.points.label_range", label=str(labels.max()), last=str(len(names) - 1)
        )
    return labels


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"
