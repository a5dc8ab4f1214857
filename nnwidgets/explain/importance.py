"""Which columns of a table a model needs, over the whole set: permutation importance.

A column is shuffled over the rows, so that it still looks as it did but tells nothing; how much
worse the model then does is what the column was worth (Breiman 2001; Fisher et al. 2019). It is
about the model, not about the world: of two columns that say the same, either may look unneeded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from nnwidgets.probe.refusal import Refusal

if TYPE_CHECKING:
    from nnwidgets.explain.question import Question

__all__ = ["Importance", "permutation_importance", "scoring", "table_importance"]

Predict = Callable[[NDArray[Any]], NDArray[Any]]
Score = Callable[[NDArray[Any]], float]

_BATCH: Final = 512  # rows a run: between two of them it can be cancelled


@dataclass(frozen=True, eq=False)
class Importance:
    """How much worse a model does without each column.

    Attributes
    ----------
    mean, spread
        (columns,): drop of the score, mean and standard deviation (÷ repeats) over the repeats.
        Near zero or below: the model does as well without.
    raw
        (columns, repeats): each drop.
    base
        The score with all columns in place.
    score
        Which score: ``"accuracy"``, ``"r2"``, ``"agreement"`` (share of rows whose predicted class
        stays) or ``"own_r2"`` (R² towards the model's own answers); the last two where no targets
        are known.
    count
        Rows.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    raw: NDArray[np.float64]
    base: float
    score: str
    count: int


def scoring(
    outputs: NDArray[Any], targets: ArrayLike | None, *, classes: bool
) -> tuple[str, Score]:
    """Return the score that fits a model: its name, and the function.

    Parameters
    ----------
    outputs
        What the model gives on the untouched rows: (rows, classes), one logit or value (rows,) or
        (rows, 1), or (rows, values).
    targets
        What is right: a class or a value a row. None: what the model itself says.
    classes
        Whether the outputs stand for classes. One column stands for two: class 1 above zero, so
        give a logit there.

    Returns
    -------
    name
        See `Importance.score`.
    score
        Of outputs of that form; higher is better.

    Raises
    ------
    ValueError
        If the targets do not fit the rows.
    """
    if targets is not None and len(np.asarray(targets)) != len(outputs):
        raise ValueError(
            f"there are {len(np.asarray(targets))} targets for {len(outputs)} rows: give one a row"
        )
    if classes:
        if targets is not None and np.asarray(targets).size != len(outputs):
            raise ValueError("targets must be one class a row, as an integer (not one-hot)")
        right = _classes(outputs) if targets is None else np.asarray(targets).reshape(-1)
        name = "agreement" if targets is None else "accuracy"
        return name, lambda given: float((_classes(given) == right).mean())
    truth = outputs if targets is None else np.asarray(targets)
    truth = np.asarray(truth, np.float64).reshape(len(outputs), -1)
    name = "own_r2" if targets is None else "r2"
    return name, lambda given: _r2(truth, np.asarray(given, np.float64).reshape(truth.shape))


def _classes(outputs: NDArray[Any]) -> NDArray[np.intp]:
    flat = np.asarray(outputs).reshape(len(outputs), -1)
    if flat.shape[1] == 1:
        return (flat[:, 0] > 0).astype(np.intp)
    return np.asarray(flat.argmax(1), np.intp)


def _r2(truth: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    """Mean over the columns of 1 − Σ(y − ŷ)² / Σ(y − ȳ)²; a column that does not vary: 1 or 0."""
    left = ((truth - given) ** 2).sum(0)
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    ratio = np.divide(left, spread, out=(left > 0).astype(np.float64), where=spread > 0)
    return float((1 - ratio).mean())


def permutation_importance(
    predict: Predict,
    rows: NDArray[Any],
    score: Score,
    *,
    name: str = "score",
    repeats: int = 5,
    seed: int = 0,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Importance:
    """Shuffle each column in turn and see what that costs.

    Parameters
    ----------
    predict
        The model's outputs for rows like `rows`. It may raise to stop.
    rows
        (rows, columns). Not changed.
    score
        Of those outputs; higher is better (see `scoring`).
    name
        Of the score.
    repeats
        Shuffles of each column.
    seed
        Of a generator of its own: nothing else draws from it. The shuffles are those of
        ``sklearn.inspection.permutation_importance(..., random_state=seed)``.
    progress
        Told the share that is done after each shuffle; may raise to stop.

    Returns
    -------
    Importance
        Of the columns.

    Raises
    ------
    Refusal
        If there are fewer than two rows: nothing can be shuffled.
    ValueError
        If `rows` is no table, or `repeats` is below 1.
    """
    if rows.ndim != 2:
        raise ValueError(f"a table of rows and columns is needed, not an array of {rows.ndim} axes")
    if repeats < 1:
        raise ValueError(f"repeats is at least 1, not {repeats!r}")
    count, columns = rows.shape
    if count < 2:
        raise Refusal("explain.importance.rows", count=str(count))
    base = score(predict(rows))
    # scikit-learn gives each column the same seed, drawn once.
    drawn = int(np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1))
    raw = np.zeros((columns, repeats))
    for column in range(columns):
        generator = np.random.RandomState(drawn)
        order, changed = np.arange(count), rows.copy()
        for repeat in range(repeats):
            generator.shuffle(order)
            # Shuffled over again each time, not from the original: any order is as good.
            changed[:, column] = changed[order, column]
            raw[column, repeat] = base - score(predict(changed))
            progress((column * repeats + repeat + 1) / (columns * repeats))
    return Importance(raw.mean(1), raw.std(1), raw, base, name, count)


def table_importance(
    question: Question,
    targets: Any = None,
    *,
    repeats: int = 5,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Importance:
    """Return the permutation importance of a model's table, over all samples of a question.

    Parameters
    ----------
    question
        Its inputs that are tables are shuffled, column by column, in their order; all others stay.
    targets
        What is right, one a sample: a class, or the values of a regression. None: the model is
        held against its own answers.
    repeats, seed, progress
        See `permutation_importance`.
    check
        Called between batches; raises to stop.

    Returns
    -------
    Importance
        One entry a column; of several tables one after the other.

    Raises
    ------
    Refusal
        If no input is a table, if there is only one sample, or if the model gives more than one
        number or one class a sample.
    ValueError
        If the targets do not fit the samples.
    """
    tables = [n for n, slot in enumerate(question.slots) if slot.kind == "table"]
    if not tables:
        raise Refusal("explain.importance.table")
    if question.output.kind == "other":
        raise Refusal("explain.importance.output")
    if question.count < 2:
        raise Refusal("explain.importance.rows", count=str(question.count))
    everything = range(question.count)
    inputs = question.inputs_of(everything)
    others = question.others_of(everything)
    model = question.ask(0).model
    ends = np.cumsum([0, *(_columns(inputs[table]) for table in tables)])

    def outputs(places: NDArray[Any]) -> NDArray[Any]:
        found = []
        for start in range(0, question.count, _BATCH):
            check()
            here = slice(start, start + _BATCH)
            values = [value[here] for value in inputs]
            for number, first, last in zip(tables, ends[:-1], ends[1:], strict=True):
                values[number] = _gathered(inputs[number], places[here, first:last])
            beside = [_sliced(other, here, question.count) for other in others]
            with torch.no_grad():
                scores = model.readout.scores(model.call(*values, *beside))
            found.append(scores.double().cpu().numpy())
        joined = np.concatenate(found)
        return joined - 0.5 if question.output.kind == "probability" else joined

    # What is shuffled is where each value comes from, so that embedded columns can be, too.
    places = np.repeat(np.arange(question.count)[:, None], ends[-1], axis=1)
    classes = question.output.kind != "regression"
    right = targets.detach().cpu().numpy() if isinstance(targets, Tensor) else targets
    name, score = scoring(outputs(places), right, classes=classes)
    return permutation_importance(
        outputs, places, score, name=name, repeats=repeats, seed=seed, progress=progress
    )


def _columns(values: Tensor) -> int:
    return values.shape[1] if values.dim() > 1 else 1


def _gathered(values: Tensor, places: NDArray[Any]) -> Tensor:
    """Return each column's values from the rows that `places` names, (rows, columns)."""
    rows = torch.as_tensor(places, device=values.device)
    if values.dim() == 1:
        return values[rows[:, 0]]
    return values[rows, torch.arange(rows.shape[1], device=values.device)]


def _sliced(value: Any, here: slice, count: int) -> Any:
    if isinstance(value, Tensor):
        return value[here] if value.dim() and value.shape[0] == count else value
    if type(value) in (tuple, list):
        return type(value)(_sliced(item, here, count) for item in value)
    return value
