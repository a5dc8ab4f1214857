"""A model's answers for points that come as rows of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.answers import Answers, waiting
from nnwidgets.explain.cancelling import Cancelled
from nnwidgets.explain.known_rows import KnownRows
from nnwidgets.explain.outputs import KINDS, OutputKind, Readout, output_kind, scored_part
from nnwidgets.explain.shares import shares
from nnwidgets.probe.look import call_arguments
from nnwidgets.probe.refusal import Refusal

__all__ = ["Predictor", "finite_rows"]

_FEW: Final = 4  # points, to see what the model's numbers are
_SMALLEST: Final = 64  # rows of a batch
_LARGEST: Final = 4096  # more only takes memory that has to be cleared first
_NUMBERS: Final = 2**21  # in a batch's inputs, at most, before its time is known
_SECONDS: Final = 0.03  # that a batch is to take: how long a cancellation may have to wait
_TELLING: Final = 512  # rows of a batch that tells how long one takes
_HALVES: Final = (torch.float16, torch.bfloat16)

Points = NDArray[np.floating[Any]]
Preprocess = Callable[[Any], Any]


def finite_rows(points: Any) -> NDArray[np.bool_]:
    """Return which rows hold finite numbers only, (n,).

    Parameters
    ----------
    points
        (n, …).
    """
    array = np.asarray(points, dtype=np.float64)
    return np.asarray(np.isfinite(array.reshape(len(array), -1)).all(1))


class Predictor:
    """Asks a model about points.

    Parameters
    ----------
    root
        A private module in evaluation mode. Nothing is changed in it. Its parameters' type and
        device are those that points are brought to.
    preprocess
        Takes points as the user has them, ``(n, *shape)``, and returns what the model is called
        with: an array or tensor of n rows, a tuple (positional inputs) or a dict (keyword inputs)
        of such. It is given an array first and, if that raises, a tensor. Floating numbers are
        brought to the model's type; integers stay.
    output
        One of `nnwidgets.explain.outputs.KINDS`, for what cannot be seen, such as "regression".
    classes
        How many classes there are; None: not known. With 2, one number is a logit.
    shape
        Of one sample as `preprocess` and the model take it, such as (1, 8, 8); None: points are
        rows.
    target_of
        Picks or builds the scores from what the model returns; None: the tensor named ``logits``
        or the like, or the first with several numbers.

    Attributes
    ----------
    root, shape
        As given.
    row_seconds
        How long a point takes, by the newest batch that tells; 0 before the first.
    differentiable
        Whether gradients may be asked for; set to False where they would do harm.
    """

    def __init__(
        self,
        root: nn.Module,
        *,
        preprocess: Preprocess | None = None,
        output: str | None = None,
        classes: int | None = None,
        shape: Sequence[int] | None = None,
        target_of: Callable[[Any], Any] | None = None,
    ) -> None:
        if output is not None and output not in KINDS:
            raise ValueError(f"output must be one of {', '.join(KINDS)}, not {output!r}")
        if preprocess is not None and not callable(preprocess):
            raise TypeError(f"preprocess must be callable, not {type(preprocess).__name__}")
        self.shape = None if shape is None else tuple(int(size) for size in shape)
        self._preprocess = preprocess
        self._takes_tensors = False
        self._output = output
        self._classes = classes
        self._target_of = target_of
        self._readout: Readout | None = None
        self._width = None if self.shape is None else int(np.prod(self.shape))
        self.row_seconds = 0.0
        self.differentiable = True
        self._use(root)

    def _use(self, root: nn.Module) -> None:
        self.root = root
        tensors = (*root.parameters(), *root.buffers())
        first = next((t for t in tensors if t.dtype.is_floating_point), None)
        self.dtype = torch.float32 if first is None else first.dtype
        self.device = next((t.device for t in tensors), torch.device("cpu"))

    def on(self, root: nn.Module) -> Predictor:
        """Ask the same of another private module, whose outputs mean the same; it is not run.

        Parameters
        ----------
        root
            In evaluation mode.
        """
        other = object.__new__(Predictor)
        other.__dict__.update(self.__dict__)
        other._use(root)
        return other

    def kind(self, points: Any) -> OutputKind:
        """Return what the model's numbers are; found once, from the first points asked about.

        Parameters
        ----------
        points
            (n, features) or ``(n, *shape)``.
        """
        return self._read_by(self._checked(points)).kind

    def known(self, points: Any) -> KnownRows:
        """Return points in the form in which they are asked about again with least effort.

        Parameters
        ----------
        points
            (n, features) or ``(n, *shape)``; not written to afterwards.

        Raises
        ------
        Refusal, TypeError
            As `answer`, as far as points alone can be the reason.
        """
        return KnownRows(self._checked(points))

    def answer(self, points: Any, check: Callable[[], None] = waiting) -> Answers:
        """Return what the model says at points.

        Parameters
        ----------
        points
            (n, features) or ``(n, *shape)``, finite; or what `known` made of them.
        check
            Called between batches; what it raises ends the work.

        Returns
        -------
        Answers
            In the model's precision, at least single.

        Raises
        ------
        Refusal
            If there are no points, if they have the wrong width or numbers that are not finite, if
            `preprocess` or the model raises, or if what it returns is not one answer a point.
        TypeError
            If points are not numbers.
        """
        rows = self._checked(points)
        readout = self._read_by(rows)
        known = points if isinstance(points, KnownRows) else None
        scores, kind = self._gather(rows, known, readout.scores, check), readout.kind
        if kind.kind == "regression":
            return Answers(None, scores.numpy())
        return Answers(shares(scores, kind).numpy(), exclusive=kind.exclusive)

    def scores(self, points: Any, check: Callable[[], None] = waiting) -> Tensor:
        """Return the model's own numbers, (n, numbers); `kind` says what they are.

        Raises
        ------
        Refusal, TypeError
            As `answer`.
        """
        return self.gather(points, self._read_by(self._checked(points)).scores, check)

    def with_graph(self, points: Tensor) -> Tensor:
        """Return the model's own numbers, with the graph that leads back to the points.

        Parameters
        ----------
        points
            (n, features), on the CPU.

        Raises
        ------
        Exception
            Whatever the model raises, and `preprocess`, which is given a tensor.
        """
        readout = self._read_by(self._checked(points))
        shape = (-1,) if self.shape is None else self.shape
        # Cloned: what works in place must not reach the caller's numbers.
        rows = points.to(self.device, self.dtype).reshape(len(points), *shape).clone()
        args, kwargs = call_arguments(rows if self._preprocess is None else self._preprocess(rows))
        scores = readout.scores(self.root(*args, **kwargs)).flatten(1)
        return scores.float() if scores.dtype in _HALVES else scores

    def probabilities(self, points: Any, check: Callable[[], None] = waiting) -> Points:
        """Return probabilities, (n, classes).

        Raises
        ------
        Refusal
            As `answer`, and if the model predicts a quantity.
        """
        found = self.answer(points, check).probabilities
        if found is None:
            raise Refusal("explain.predict.no_classes")
        return found

    def values(self, points: Any, check: Callable[[], None] = waiting) -> Points:
        """Return the outputs of a regression, (n, outputs).

        Raises
        ------
        Refusal
            As `answer`, and if the model tells classes apart.
        """
        found = self.answer(points, check).values
        if found is None:
            raise Refusal("explain.predict.no_values")
        return found

    def gather(
        self,
        points: Any,
        read: Callable[[Any], Tensor],
        check: Callable[[], None] = waiting,
    ) -> Tensor:
        """Run the model on points, in batches and without gradients, and keep one row for each.

        Parameters
        ----------
        points
            (n, features) or ``(n, *shape)``.
        read
            Takes what the model returned for a batch; gives a tensor with a row for each point.
        check
            As for `answer`.

        Returns
        -------
        Tensor
            (n, …) flattened behind the rows, on the CPU, at least single precision.

        Raises
        ------
        Refusal
            As `answer`.
        """
        return self._gather(self._checked(points), None, read, check)

    # --- inside -----------------------------------------------------------------------------------

    def _gather(
        self,
        rows: Points,
        known: KnownRows | None,
        read: Callable[[Any], Tensor],
        check: Callable[[], None],
    ) -> Tensor:
        """Run the model on rows that have been checked."""
        found: list[Tensor] = []
        at = 0
        with torch.no_grad():
            while at < len(rows):
                check()
                count = min(self._batch(rows.shape[1]), len(rows) - at)
                began = perf_counter()
                part = _not_alone(rows[at : at + count])
                given = None
                if known is not None and count == len(part) and self._preprocess is None:
                    given = self._shaped(known.some(slice(at, at + count), self.dtype, self.device))
                batch = read(self._run(part, given=given))
                if batch.dim() == 0 or batch.shape[0] != len(part):
                    got = str(batch.shape[0]) if batch.dim() else "1"
                    raise Refusal("explain.output_batch", rows=got, count=str(len(part)))
                batch = batch.detach().reshape(len(part), -1)[:count]
                batch = batch.float() if batch.dtype in _HALVES else batch
                found.append(batch.cpu())
                took = (perf_counter() - began) / count
                # Of a few rows most of the time is the call's, which many share.
                if count >= _TELLING or took < self.row_seconds or not self.row_seconds:
                    self.row_seconds = took
                at += count
        check()
        return found[0] if len(found) == 1 else torch.cat(found)

    def _checked(self, points: Any) -> Points:
        """Return points as rows of finite numbers of the right width."""
        if isinstance(points, KnownRows) and self._width == points.array.shape[1]:
            return points.array
        if isinstance(points, KnownRows):
            points = points.array
        if isinstance(points, Tensor):
            points = points.detach().cpu().numpy()
        try:
            array = np.asarray(points)
            if array.dtype.kind not in "f":
                array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                "points must be numbers, one row a point; turn texts and categories into numbers"
            ) from None
        if array.ndim < 2:
            raise Refusal("explain.predict.shape", shape=_size(array.shape))
        if len(array) == 0:
            raise Refusal("explain.predict.none")
        array = array.reshape(len(array), -1)
        if array.shape[1] == 0:
            raise Refusal("explain.predict.shape", shape=_size((len(array), 0)))
        if self._width is not None and array.shape[1] != self._width:
            width, wanted = str(array.shape[1]), str(self._width)
            raise Refusal("explain.predict.width", width=width, wanted=wanted)
        if not (np.isfinite(array.min()) and np.isfinite(array.max())):  # NaN comes through both
            bad = ~np.isfinite(array).all(1)
            count, row = str(bad.sum()), str(bad.argmax())
            raise Refusal("explain.predict.not_finite", count=count, row=row)
        return array

    def _batch(self, width: int) -> int:
        by_size = _NUMBERS // max(width, 1)
        by_time = _SECONDS / self.row_seconds if self.row_seconds else 1024
        return int(max(_SMALLEST, min(_LARGEST, by_size, by_time)))

    def _read_by(self, rows: Points) -> Readout:
        if self._readout is None:
            few = _not_alone(rows[:_FEW])
            with torch.enable_grad():  # the graph tells what made the numbers
                output = self._run(few, graph=True)
            part = 0 if self._target_of is not None else scored_part(output, len(few))
            unknown = OutputKind("other", 0, ())
            readout = Readout(unknown, part, self._target_of, None)
            scores = readout.scores(output)
            if scores.shape[0] != len(few):
                got = str(scores.shape[0])
                raise Refusal("explain.output_batch", rows=got, count=str(len(few)))
            kind = output_kind(scores, classes=self._classes, given=self._output)
            if kind.kind == "other":
                raise Refusal("explain.predict.places", shape=_size(kind.shape))
            self._readout = replace(readout, kind=kind)
            self._width = rows.shape[1]
        return self._readout

    def _run(self, rows: Points, *, graph: bool = False, given: Tensor | None = None) -> Any:
        args, kwargs = call_arguments(self._inputs(rows) if given is None else given)
        if graph:
            args = tuple(_wanting(value) for value in args)
            kwargs = {key: _wanting(value) for key, value in kwargs.items()}
        try:
            return self.root(*args, **kwargs)
        except (Refusal, Cancelled):  # of a hook of ours
            raise
        except Exception as problem:
            width = _size(rows.shape[1:] if self.shape is None else self.shape)
            raise Refusal("explain.predict.model", width=width, problem=_why(problem)) from problem

    def _shaped(self, rows: Any) -> Any:
        return rows if self.shape is None else rows.reshape(len(rows), *self.shape)

    def _inputs(self, rows: Points) -> Any:
        rows = self._shaped(rows)
        if self._preprocess is None:
            # Copied by torch where it converts, and where it does not: a model that works in place
            # must not reach the caller's numbers.
            return torch.tensor(rows, dtype=self.dtype, device=self.device)
        made = self._preprocessed(rows)
        if isinstance(made, dict):
            return {key: self._as_input(value, len(rows)) for key, value in made.items()}
        if isinstance(made, tuple):
            return tuple(self._as_input(value, len(rows)) for value in made)
        return self._as_input(made, len(rows))

    def _preprocessed(self, rows: Points) -> Any:
        assert self._preprocess is not None
        if not self._takes_tensors:
            try:
                return self._preprocess(rows.copy())
            except Exception as problem:
                failure = problem
        try:
            made = self._preprocess(torch.tensor(rows, dtype=self.dtype, device=self.device))
        except Exception as problem:
            first = problem if self._takes_tensors else failure
            raise Refusal("explain.predict.preprocess", problem=_why(first)) from first
        self._takes_tensors = True
        return made

    def _as_input(self, value: Any, count: int) -> Tensor:
        try:
            if hasattr(value, "toarray"):  # some scalers of scikit-learn give sparse matrices
                value = value.toarray()
            tensor = value if isinstance(value, Tensor) else torch.tensor(np.asarray(value))
        except (TypeError, ValueError, RuntimeError):
            raise Refusal("explain.predict.preprocess_type", got=type(value).__name__) from None
        if tensor.dim() == 0 or tensor.shape[0] != count:
            got = str(tensor.shape[0]) if tensor.dim() else "1"
            raise Refusal("explain.predict.preprocess_rows", rows=got, count=str(count))
        dtype = self.dtype if tensor.dtype.is_floating_point else tensor.dtype
        return tensor.detach().to(self.device, dtype)


def _not_alone(rows: Points) -> Points:
    """Return two rows for one: a model that ends in squeeze() would drop the axis of the points."""
    return np.repeat(rows, 2, axis=0) if len(rows) == 1 else rows


def _wanting(value: Any) -> Any:
    """Return an input that a graph is recorded for, and that may be changed in place."""
    if isinstance(value, Tensor) and value.dtype.is_floating_point:
        return value.clone().requires_grad_() + 0
    return value


def _why(problem: Exception) -> str:
    lines = f"{type(problem).__name__}: {problem}".strip().splitlines()
    return lines[0][:200]


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "1"
