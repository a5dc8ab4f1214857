"""Checking what a DecisionBoundaryPlot is given, before anything is changed."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from nnwidgets._inspector_arguments import check_inspected, nearest
from nnwidgets.explain.committee_answers import WAYS
from nnwidgets.probe.own_device import any_without_data
from nnwidgets.probe.refusal import Refusal

__all__ = ["PROJECTIONS", "Given", "Table", "check_projection", "checked", "table_of"]

PROJECTIONS: Final = ("slice", "pca", "pca_scaled")
_MOST: Final = 512  # places along an axis


@dataclass(frozen=True, eq=False)
class Table:
    """Points as the user has them, and as rows.

    Attributes
    ----------
    rows
        Anything of two axes: an array, a tensor, a frame.
    shape
        Of one sample, where it is no row: (1, 8, 8).
    """

    rows: Any
    shape: tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class Given:
    """The arguments, checked."""

    X: Any
    y: Any
    shape: tuple[int, ...] | None
    test: tuple[Any, Any] | None
    features: tuple[Any, Any]
    projection: str
    pair: tuple[Callable[..., Any], Callable[..., Any]] | None
    fixed: Mapping[Any, Any]
    others: str | int
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    preprocess: Callable[[Any], Any] | None
    resolution: int
    uncertain: str | None
    ensemble: tuple[nn.Module, ...]

    @property
    def cuts(self) -> bool:
        """Whether axes were chosen, or where the other features are held."""
        usual = all(type(one) is int for one in self.features) and self.features == (0, 1)
        return not usual or bool(self.fixed) or self.others != "median"


def checked(
    X: Any,
    y: Any,
    *,
    features: Any,
    projection: Any,
    fixed: Any,
    test: Any,
    class_names: Any,
    feature_names: Any,
    preprocess: Any,
    resolution: Any,
    uncertainty: Any,
) -> Given:
    """Return the arguments in one form.

    Raises
    ------
    TypeError, ValueError
        In one sentence, if one of them is not what it should be.
    """
    table = table_of(X, "X")
    named, pair = _projection(projection)
    if projection is None and table.shape is not None:
        named = "pca"  # two pixels of a picture tell nothing
    others, held = _fixed(fixed)
    way, models = _uncertainty(uncertainty)
    if preprocess is not None and not callable(preprocess):
        raise TypeError(
            "preprocess must be a function that takes points, (n, features), and returns what the "
            f"model is called with; not {type(preprocess).__name__}."
        )
    return Given(
        X=table.rows,
        y=y,
        shape=table.shape,
        test=_test(test, table),
        features=_features(features),
        projection=named,
        pair=pair,
        fixed=held,
        others=others,
        class_names=_names(class_names, "class_names"),
        feature_names=_names(feature_names, "feature_names"),
        preprocess=preprocess,
        resolution=_resolution(resolution),
        uncertain=way,
        ensemble=models,
    )


def table_of(X: Any, what: str) -> Table:
    """Return points as rows; samples of several axes are flattened.

    Raises
    ------
    TypeError
        If there are none.
    """
    if X is None:
        raise TypeError(f"{what} must hold points, one row each, (n, features); it is None.")
    if isinstance(X, torch.Tensor) and any_without_data([X]):
        raise Refusal("explain.meta_data")
    shape = getattr(X, "shape", None)
    if shape is None:
        try:
            X = np.asarray(X)
        except ValueError:
            raise TypeError(
                f"{what} must hold points, one row each, all of the same number of features."
            ) from None
        shape = X.shape
    if len(shape) and not shape[0]:
        raise ValueError(f"{what} is empty: it must hold one point at least, one row each.")
    if len(shape) <= 2:
        return Table(X, None)
    rows = X.detach().cpu() if isinstance(X, torch.Tensor) else np.asarray(X)
    return Table(rows.reshape(len(rows), -1), tuple(int(size) for size in shape[1:]))


def check_projection(name: Any, layers: Sequence[str], pair: Any = None) -> None:
    """Raise ValueError unless a projection of this name can be had."""
    if name == "given" and pair is not None:
        return
    if isinstance(name, str) and name.startswith("layer:"):
        if (layer := name.removeprefix("layer:")) not in layers:
            raise ValueError(nearest(layer, layers))
        return
    if name not in PROJECTIONS:
        names = ", ".join(map(repr, PROJECTIONS))
        raise ValueError(f"projection must be one of {names}, 'layer:<name>', not {name!r}.")


def _projection(projection: Any) -> tuple[str, Any]:
    if projection is None:
        return "slice", None
    if isinstance(projection, str):
        if projection not in PROJECTIONS and not projection.startswith("layer:"):
            names = ", ".join(map(repr, PROJECTIONS))
            raise ValueError(
                f"projection must be one of {names}, 'layer:<name>', or a pair of functions (to "
                f"the plane, and back); not {projection!r}."
            )
        return projection, None
    if isinstance(projection, Sequence) and len(projection) == 2 and all(map(callable, projection)):
        return "given", (projection[0], projection[1])
    raise TypeError(
        "projection must be None, 'pca', 'pca_scaled', 'layer:<name>', or a pair of functions: the "
        "first takes points (n, features) and returns places (n, 2), the second the way back."
    )


def _features(features: Any) -> tuple[Any, Any]:
    if isinstance(features, np.ndarray):
        features = features.tolist()
    if isinstance(features, (str, bytes)) or not isinstance(features, Sequence):
        raise TypeError(f"features must be two columns or names, not {features!r}.")
    if len(features) != 2:
        raise ValueError(f"features must be two columns or names, not {len(features)} of them.")
    return features[0], features[1]


def _fixed(fixed: Any) -> tuple[str | int, dict[Any, Any]]:
    if fixed is None:
        return "median", {}
    if isinstance(fixed, Mapping):
        return "median", dict(fixed)
    if isinstance(fixed, str):
        if fixed not in ("median", "mean"):
            raise ValueError(f"fixed must be 'median' or 'mean', not {fixed!r}.")
        return fixed, {}
    try:
        if isinstance(fixed, bool):
            raise TypeError
        return operator.index(fixed), {}
    except TypeError:
        raise TypeError(
            "fixed must be None, 'median', 'mean', the number of a sample of X, or a dictionary "
            f"{{column or name: value}}; not {fixed!r}."
        ) from None


def _test(test: Any, train: Table) -> tuple[Any, Any] | None:
    if test is None:
        return None
    if not isinstance(test, Sequence) or isinstance(test, str) or len(test) != 2:
        raise TypeError("test must be a pair (X, y) of points that are not trained on, or None.")
    table = table_of(test[0], "the X of test")
    if table.shape != train.shape:
        raise ValueError(
            f"the samples of test have the shape {table.shape}, those of X {train.shape}."
        )
    return table.rows, test[1]


def _names(names: Any, what: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, (str, bytes, Mapping)):
        raise TypeError(f"{what} must be a sequence of names, not {type(names).__name__}.")
    try:
        found = tuple(str(name) for name in names)
    except TypeError:
        raise TypeError(f"{what} must be a sequence of names, not {names!r}.") from None
    if not found:
        raise ValueError(f"{what} is empty; leave it out, or give one name each.")
    return found


def _resolution(resolution: Any) -> int:
    try:
        if isinstance(resolution, bool):
            raise TypeError
        size = operator.index(resolution)
    except TypeError:
        raise TypeError(f"resolution must be a whole number, not {resolution!r}.") from None
    if not 8 <= size <= _MOST:
        raise ValueError(f"resolution must be from 8 to {_MOST} places an axis, not {size}.")
    return size


def _uncertainty(uncertainty: Any) -> tuple[str | None, tuple[nn.Module, ...]]:
    if uncertainty is None:
        return None, ()
    if isinstance(uncertainty, str):
        if uncertainty not in WAYS:
            raise ValueError(
                f"uncertainty must be one of {', '.join(map(repr, WAYS))} or a list of models, "
                f"not {uncertainty!r}."
            )
        return uncertainty, ()
    if not isinstance(uncertainty, (Sequence, nn.ModuleList)):
        raise TypeError(
            f"uncertainty must be one of {', '.join(map(repr, WAYS))} or a list of models, not "
            f"{type(uncertainty).__name__}."
        )
    for model in uncertainty:
        check_inspected(model)
    return "ensemble", tuple(uncertainty)
