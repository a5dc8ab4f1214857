"""The loss of a model on labelled points: how wrong its answers are, as training measures it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnwidgets.explain.answers import waiting
from nnwidgets.explain.outputs import OutputKind
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.shares import LEAST_LOG, log_shares
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal

__all__ = ["DataLoss", "data_loss"]

_MOST: Final = 2000


class DataLoss:
    """Asks a model about labelled points and says how wrong it is; see `data_loss`.

    Attributes
    ----------
    words
        Which loss it is, as a key of the catalogue with its parameters.
    count
        How many points it is taken over.
    """

    def __init__(
        self,
        predictor: Predictor,
        rows: NDArray[Any],
        right: Tensor,
        kind: OutputKind,
        check: Callable[[], None],
    ) -> None:
        self._predictor = predictor
        self._rows = rows
        self._right = right
        self._kind = kind
        self._check = check
        self.count = len(rows)
        params = {"count": f"{len(rows):,}"}
        if kind.kind == "regression":
            self.words: Words = ("explain.loss.squared", params)
        elif kind.kind in ("logit", "probability") or not kind.exclusive:
            self.words = ("explain.loss.binary", params)
        else:
            self.words = ("explain.loss.cross_entropy", params)

    def __call__(self, module: nn.Module) -> float:
        """Return the loss of a private module, in evaluation mode, that answers the same question.

        It is worked out in float64 from what the module gives. NaN where it gives NaN.

        Raises
        ------
        Refusal
            As `nnwidgets.explain.predictor.Predictor.answer`.
        """
        scores = self._predictor.on(module).scores(self._rows, self._check).double()
        if self._kind.kind == "regression":
            return float((scores - self._right).square().mean())
        logs = log_shares(scores, self._kind)
        if self._kind.exclusive:
            return -float(logs.gather(1, self._right[:, None]).mean())
        others = torch.log1p(-logs.exp()).clamp_min(LEAST_LOG)
        return -float((self._right * logs + (1 - self._right) * others).mean())


def data_loss(
    predictor: Predictor,
    X: Any,
    y: Any,
    *,
    most: int = _MOST,
    check: Callable[[], None] = waiting,
) -> DataLoss:
    """Make the loss of a model on labelled points.

    Parameters
    ----------
    predictor
        Knows how points are brought to the model, and what its numbers mean.
    X
        (n, features), finite.
    y
        (n,): index of the right class; or the right value, (n,) or (n, outputs).
    most
        Of more points, so many are taken, evenly chosen.
    check
        Called between batches; what it raises ends the work.

    Returns
    -------
    DataLoss
        Of a module: the mean over the points of the cross-entropy −ln p(right class), in nats; of
        classes that do not exclude each other the binary cross-entropy, a mean over the classes,
        too; of values the squared error, a mean over points and outputs. Where the model itself
        gives probabilities, ln p is taken as −100 at least, as in torch's
        ``binary_cross_entropy``; from logits it is exact.

    Raises
    ------
    Refusal
        If there are no points or labels, or labels that do not fit what the model answers.
    ValueError
        If there are not as many labels as points, or `most` is below one.
    """
    if most < 1:
        raise ValueError(f"most is a number of points from 1 on, not {most!r}")
    if y is None or not len(X):
        raise Refusal("explain.loss.no_labels")
    right = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    if not len(right) == len(X):
        raise ValueError(f"{len(right)} labels were given for {len(X)} points")
    rows = np.asarray(X.detach().cpu() if isinstance(X, Tensor) else X)
    if len(rows) > most:
        places = np.linspace(0, len(rows) - 1, most).round().astype(int)
        rows, right = rows[places], right[places]
    kind = predictor.kind(rows)
    if kind.kind == "regression":
        return DataLoss(predictor, rows, _values(right, kind.classes), kind, check)
    right = _classes(right, kind.classes)
    if not kind.exclusive:
        right = np.eye(kind.classes)[right]
    return DataLoss(predictor, rows, torch.as_tensor(right), kind, check)


def _values(right: NDArray[Any], outputs: int) -> Tensor:
    values = right.astype(np.float64).reshape(len(right), -1)
    if values.shape[1] != outputs:
        given = str(values.shape[1])
        raise Refusal("explain.loss.outputs", outputs=str(outputs), given=given)
    return torch.as_tensor(values)


def _classes(right: NDArray[Any], count: int) -> NDArray[np.int64]:
    labels = right.astype(np.float64)
    odd = ~((labels >= 0) & (labels < count) & (labels == np.floor(labels)))
    if labels.ndim != 1 or odd.any():
        label = f"{labels[odd][0]:g}" if odd.any() else str(right[0].tolist())
        raise Refusal("explain.loss.label", label=label, last=str(count - 1))
    return labels.astype(np.int64)
