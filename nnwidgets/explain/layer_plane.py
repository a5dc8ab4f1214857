"""The plane of a layer's view of the data, and the way back to inputs, which a layer does not tell.

Points that the layer cannot tell apart lie in one place of it. Which input stands for a place is
therefore read from the samples around it, and how well that does is measured on samples left out.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nnwidgets.explain.answers import waiting
from nnwidgets.explain.layer_rows import layer_rows
from nnwidgets.explain.plane_base import usable_rows
from nnwidgets.explain.predictor import Predictor
from nnwidgets.explain.projection import Projection, evenly, percent, principal_axes
from nnwidgets.probe.blocks import Words
from nnwidgets.probe.refusal import Refusal
from nnwidgets.probe.sentences import number

__all__ = ["LayerProjection", "layer_projection"]

Floats = NDArray[np.float64]

_SAMPLES: Final = 1000  # of the data, evenly chosen, that a place leads back to
_CHUNK: Final = 2048  # places whose distances to all samples are held at once


class LayerProjection(Projection):
    """The plane of a layer's view; see `layer_projection`.

    Parameters
    ----------
    forward_by
        Makes the way to the plane for a predictor.
    predictor
        Who is asked.
    inverse, X, labels, words, returned
        As of `nnwidgets.explain.projection.Projection`.
    """

    def __init__(
        self,
        forward_by: Callable[[Predictor], Callable[[Floats], Floats]],
        predictor: Predictor,
        inverse: Callable[[Floats], Floats],
        X: Floats,
        labels: tuple[str, str],
        words: Callable[[float | None, float], Words],
        returned: Floats,
    ) -> None:
        self._forward_by = forward_by
        forward = forward_by(predictor)
        super().__init__(forward, inverse, X, labels=labels, words=words, returned=returned)

    def by(self, predictor: Predictor) -> LayerProjection:
        """Return the same plane, to which points are led by another predictor.

        Parameters
        ----------
        predictor
            Of a copy of the module, as for a thread of its own.
        """
        other = copy(self)
        other._forward = self._forward_by(predictor)
        return other


def layer_projection(
    predictor: Predictor,
    layer: str,
    X: Any,
    *,
    inverse: str = "nearest",
    neighbours: int = 8,
    check: Callable[[], None] = waiting,
) -> LayerProjection:
    """Make the plane of the first two principal components of what a layer gives.

    Parameters
    ----------
    predictor
        Knows the model; its weights as they are now.
    layer
        Name of a module in it.
    X
        (n, …) data that the components are taken from; of more than 1,000 rows, as many, evenly
        chosen.
    inverse
        How a place of the picture becomes an input, which a layer does not tell: "nearest" takes
        the mean of the nearest samples in the plane, the near ones counting more; "linear" the
        plane through all samples that fits them best (least squares).
    neighbours
        How many samples "nearest" takes.
    check
        Called now and then while the layer is run; what it raises ends the work.

    Returns
    -------
    Projection
        Its share and error are those of samples left out in turn, for "nearest": a sample that is
        its own neighbour would come back exactly. `to_plane` runs the model.

    Raises
    ------
    Refusal
        As `Projection` and `nnwidgets.explain.layer_rows.layer_rows`.
    """
    if inverse not in ("nearest", "linear"):
        raise ValueError(f"inverse must be 'nearest' or 'linear', not {inverse!r}")
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1, not {neighbours}")
    rows = evenly(usable_rows(X), _SAMPLES)
    given = layer_rows(predictor, layer, rows, check).astype(np.float64)
    if given.shape[1] < 2:
        given = np.hstack([given, np.zeros_like(given)])
    if not np.isfinite(given).all():
        raise Refusal("explain.plane.layer_nan", layer=layer)
    middle = given.mean(0)
    axes, shares = principal_axes(given - middle)
    places = (given - middle) @ axes.T

    def forward_by(asked: Predictor) -> Callable[[Floats], Floats]:
        def forward(points: Floats) -> Floats:
            found = layer_rows(asked, layer, points)
            wide = np.hstack([found, np.zeros_like(found)]) if found.shape[1] < 2 else found
            with np.errstate(over="ignore", invalid="ignore"):  # far from the data it may be NaN
                reached: Floats = (wide - middle) @ axes.T
            return reached

        return forward

    if inverse == "linear":
        terms = np.hstack([np.ones((len(places), 1)), places])
        solution = np.linalg.lstsq(terms, rows, rcond=None)[0]

        def back(xy: Floats) -> Floats:
            fitted: Floats = np.hstack([np.ones((len(xy), 1)), xy]) @ solution
            return fitted

        returned = back(places)
    else:
        count = min(neighbours, len(rows))

        # The same grid is asked for again and again while a model learns.
        last: list[tuple[Floats, Floats]] = []

        def back(xy: Floats) -> Floats:
            known = last[:1]
            if not known or not np.array_equal(known[0][0], xy):
                known = last[:1] = [(xy, _from_nearest(xy, places, rows, count))]
            found: Floats = known[0][1].copy()
            return found

        returned = _from_nearest(places, places, rows, count, itself=False)

    def words(share: float | None, error: float) -> Words:
        params = {
            "layer": layer,
            "first": percent(shares[0]),
            "second": percent(shares[1]),
            "error": number(error),
        }
        if inverse == "linear":
            return "explain.plane.layer_linear", params
        return "explain.plane.layer_nearest", {**params, "count": str(count)}

    first, second = (f"{percent(share)} %" for share in shares[:2])
    labels = (f"layer {layer}, PC 1 ({first})", f"layer {layer}, PC 2 ({second})")
    return LayerProjection(forward_by, predictor, back, rows, labels, words, returned)


def _from_nearest(
    xy: Floats, places: Floats, rows: Floats, count: int, *, itself: bool = True
) -> Floats:
    """Return the mean of the nearest rows at each place, those at a sample being that sample.

    The weights are Franke and Little's modification of Shepard's, ((R − d) / R d)², where R is the
    distance of the first sample that no longer counts: they fade to nothing there, so that there
    is no step where one sample takes the place of another.
    """
    count = min(count, len(rows) if itself else max(len(rows) - 1, 1))
    found = np.empty((len(xy), rows.shape[1]))
    for at in range(0, len(xy), _CHUNK):
        part = xy[at : at + _CHUNK]
        away = np.hypot(*(part[:, None, axis] - places[None, :, axis] for axis in (0, 1)))
        if not itself and len(rows) > 1:
            away[np.arange(len(part)), at + np.arange(len(part))] = np.inf
        reach = min(count, len(rows) - 1)
        order = np.argpartition(away, reach, axis=1)[:, : reach + 1]
        near = np.take_along_axis(away, order, axis=1)
        by_size = near.argsort(axis=1)
        order = np.take_along_axis(order, by_size, axis=1)[:, :count]
        near = np.take_along_axis(near, by_size, axis=1)
        # With all samples counting, none is the first that does not.
        edge = near[:, -1] if near.shape[1] > count else 2 * near[:, -1]
        edge = np.where(np.isfinite(edge) & (edge > 0), edge, 1.0)[:, None]
        close = np.minimum(near[:, :count] / edge, 1)
        weights = np.square((1 - close) / np.maximum(close, 1e-9))
        # All at the same distance: none is nearer than the edge.
        weights[weights.sum(1) == 0] = 1
        weights /= weights.sum(1, keepdims=True)
        found[at : at + _CHUNK] = np.einsum("pk,pkf->pf", weights, rows[order])
    return found
